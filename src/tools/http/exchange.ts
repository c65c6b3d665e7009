import { isIP, type LookupFunction } from 'node:net'
import { Client, type Dispatcher } from 'undici'
import { ToolError } from '../../ports/tool.ts'

export type Outgoing = {
  readonly url: URL
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

export type Incoming = {
  readonly status: number
  readonly location?: string
  readonly type: string
  readonly text: string
}

/** Bytes of an answer's headers: services with large cookies stay below. */
const MAX_HEADER_BYTES = 32 * 1024

/**
 * One request on a connection of its own, to one of `addresses`: the name is for TLS and the Host header only. Redirects are not
 * followed. Throws ToolError with what the model may know; after an abort it may throw anything.
 */
export async function exchange(
  { url, method, headers, body }: Outgoing,
  addresses: readonly string[],
  maxBytes: number,
  signal: AbortSignal,
): Promise<Incoming> {
  const client = new Client(url.origin, {
    connect: { lookup: pinned(addresses) },
    autoSelectFamily: true,
    maxHeaderSize: MAX_HEADER_BYTES,
    // Its own timeouts would only come after the deadline, which is one for all.
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  // A request that waits for its connection hears no signal.
  const stop = (): void => void client.destroy()
  signal.addEventListener('abort', stop, { once: true })
  try {
    const path = url.pathname + url.search
    const sent = { path, method, headers, signal, ...(body === undefined ? {} : { body }) }
    return await read(await client.request(toOptions(sent)), maxBytes)
  } catch (thrown) {
    if (thrown instanceof ToolError) throw thrown
    throw new ToolError('The service cannot be reached, or broke off.', { cause: thrown })
  } finally {
    signal.removeEventListener('abort', stop)
    await client.destroy()
  }
}

type Sent = Omit<Dispatcher.RequestOptions, 'method'> & { readonly method: string }

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

function toOptions({ method, ...rest }: Sent): Dispatcher.RequestOptions {
  return { ...rest, method: METHODS.find((known) => known === method) ?? 'GET' }
}

/** Answers for any name with the addresses that were checked. */
function pinned(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIP(address) }))
  return (_name, options, callback) => {
    const [first] = all
    if (options.all === true) callback(null, all)
    else callback(null, first?.address ?? '', first?.family)
  }
}

async function read({ statusCode, headers, body }: Dispatcher.ResponseData, maxBytes: number): Promise<Incoming> {
  const location = single(headers['location'])
  const type = single(headers['content-type']) ?? ''
  // What is behind a redirect counts, not what it says itself.
  if (isRedirect(statusCode) && location !== undefined) return { status: statusCode, location, type, text: '' }
  const encoding = single(headers['content-encoding']) ?? 'identity'
  if (encoding !== 'identity') throw new ToolError('The service answered in a compression that was not asked for.')
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    const piece: Buffer = chunk
    bytes += piece.length
    if (bytes > maxBytes) throw new ToolError(`The service answered with more than ${maxBytes} bytes.`)
    chunks.push(piece)
  }
  return { status: statusCode, type, text: decode(Buffer.concat(chunks), type) }
}

export function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status)
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}

function decode(bytes: Buffer, type: string): string {
  const [, charset = 'utf-8'] = /;\s*charset="?([\w.:-]{1,40})/i.exec(type) ?? []
  try {
    return new TextDecoder(charset).decode(bytes)
  } catch {
    return new TextDecoder().decode(bytes)
  }
}
