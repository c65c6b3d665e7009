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

/** An answer whose body is still to be read. */
export type Opened = Dispatcher.ResponseData & {
  /** Ends the connection, whatever is still on its way. */
  close(): Promise<void>
}

/**
 * One request on a connection of its own, to one of `addresses`: the name is for TLS and the Host header only. Redirects are not
 * followed. Who opens it closes it. Throws ToolError with what the model may know; after an abort it may throw anything.
 */
export async function openExchange(
  { url, method, headers, body }: Outgoing,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<Opened> {
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
  const close = async (): Promise<void> => {
    signal.removeEventListener('abort', stop)
    await client.destroy()
  }
  try {
    const path = url.pathname + url.search
    const sent = { path, method, headers, signal, ...(body === undefined ? {} : { body }) }
    return { ...(await client.request(toOptions(sent))), close }
  } catch (thrown) {
    await close()
    throw unreachable(thrown)
  }
}

/** The same with a body of at most `maxBytes`, read whole. */
export async function exchange(
  request: Outgoing,
  addresses: readonly string[],
  maxBytes: number,
  signal: AbortSignal,
): Promise<Incoming> {
  const opened = await openExchange(request, addresses, signal)
  try {
    return await read(opened, maxBytes)
  } catch (thrown) {
    throw thrown instanceof ToolError ? thrown : unreachable(thrown)
  } finally {
    await opened.close()
  }
}

export function unreachable(cause: unknown): ToolError {
  return new ToolError('The service cannot be reached, or broke off.', { cause })
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

async function read(opened: Opened, maxBytes: number): Promise<Incoming> {
  const { statusCode: status, headers, body } = opened
  const type = single(headers['content-type']) ?? ''
  const location = locationOf(opened)
  if (location !== undefined) return { status, location, type, text: '' }
  assertPlain(opened)
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    const piece: Buffer = chunk
    bytes += piece.length
    if (bytes > maxBytes) throw tooLong(maxBytes)
    chunks.push(piece)
  }
  return { status, type, text: decode(Buffer.concat(chunks), type) }
}

/** Where a redirect leads: what is behind it counts, not what it says itself. */
export function locationOf({ statusCode, headers }: Dispatcher.ResponseData): string | undefined {
  return isRedirect(statusCode) ? single(headers['location']) : undefined
}

export function assertPlain({ headers }: Dispatcher.ResponseData): void {
  const encoding = single(headers['content-encoding']) ?? 'identity'
  if (encoding !== 'identity') throw new ToolError('The service answered in a compression that was not asked for.')
}

export function tooLong(maxBytes: number): ToolError {
  return new ToolError(`The service answered with more than ${maxBytes} bytes.`)
}

function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status)
}

export function single(value: string | string[] | undefined): string | undefined {
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
