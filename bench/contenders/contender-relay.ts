import { join } from 'node:path'
import { freePort } from '../../test/support/free-port.ts'
import { findUws, NO_UWS } from '../../test/support/transports.ts'
import { BenchError } from '../rig/options.ts'
import { SERVER_CORE, startNode, stopProcess } from '../rig/processes.ts'
import { type Start, untilAnswers } from './contender.ts'

/** Throws BenchError where R, and Parley as it is measured beside it, cannot run. */
export function requireUws(): void {
  if (findUws() !== undefined) return
  const alone = 'PARLEY_TRANSPORT=ws npm run bench -- full --only parley measures Parley on ws'
  throw new BenchError(`${NO_UWS}, and R is made of it: take Node 20 or 22 and npm ci; ${alone}`)
}

/** Starts R. */
export const startRelay: Start = async (place) => {
  const { upstreamUrl, outDir } = place
  const port = await freePort()
  const child = startNode(
    SERVER_CORE,
    ['--expose-gc', '--import', join(outDir, 'probe.js'), join(outDir, 'relay.js')],
    {
      PORT: String(port),
      ANTHROPIC_BASE_URL: upstreamUrl,
      ANTHROPIC_API_KEY: 'bench',
    },
  )
  // R serves no HTTP: any answer means that it listens.
  await untilAnswers(`http://127.0.0.1:${port}/`, child, () => true)
  return {
    name: 'R',
    process: child,
    target: { port, path: '/ws', headers: {} },
    databasePid: undefined,
    store: undefined,
    restart: async () => {
      await stopProcess(child)
      return startRelay(place)
    },
    stop: () => stopProcess(child),
  }
}
