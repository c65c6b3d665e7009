import type { Telemetry } from '../ports/telemetry.ts'
import type { Transport, TransportHandlers, TransportOptions } from '../ports/transport.ts'
import { loadUws } from './load-uws.ts'
import { createUwsTransport } from './uws.ts'
import { createWsTransport } from './ws.ts'

export type TransportFactory = (
  handlers: TransportHandlers,
  options: TransportOptions,
  telemetry: Telemetry,
) => Transport

export type ChosenTransport = {
  readonly name: Transport['name']
  readonly create: TransportFactory
  /** For the start lines: which one, and why. */
  readonly description: string
}

/** Bytes: cookies, tokens and a proxy's additions fit many times over. */
const DEFAULT_HEADER_BYTES = 256 * 1024

/**
 * `auto` takes uWebSockets.js where its binary loads, else `ws`.
 * @param maxHeaderBytes the same as the options' own: uWebSockets.js has to know it before it is loaded, once for the process
 * @throws Error when `uws` was asked for and does not load
 */
export async function chooseTransport(
  wanted: 'auto' | 'uws' | 'ws',
  maxHeaderBytes = DEFAULT_HEADER_BYTES,
): Promise<ChosenTransport> {
  if (wanted === 'ws') return { name: 'ws', create: createWsTransport, description: 'ws, as configured' }
  try {
    const library = await loadUws(maxHeaderBytes)
    const create: TransportFactory = (handlers, options, telemetry) =>
      createUwsTransport(library, handlers, options, telemetry)
    return { name: 'uws', create, description: wanted === 'uws' ? 'uWebSockets.js, as configured' : 'uWebSockets.js' }
  } catch (thrown) {
    const fault = `uWebSockets.js ${faultOf(thrown)}`
    if (wanted === 'uws') throw new Error(`${fault}; PARLEY_TRANSPORT=auto or ws runs without it`, { cause: thrown })
    return { name: 'ws', create: createWsTransport, description: `ws, because ${fault}` }
  }
}

/** The library's own words hold paths and a screenful of advice. */
function faultOf(thrown: unknown): string {
  const missing = thrown instanceof Error && 'code' in thrown && thrown.code === 'ERR_MODULE_NOT_FOUND'
  if (missing) return 'is not installed'
  return `has no binary for Node ${process.versions.node} on ${process.platform} ${process.arch}`
}
