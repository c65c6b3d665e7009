import type { HeaderPiece, HttpTool } from '../../ports/apps.ts'
import { ToolError } from '../../ports/tool.ts'
import { toStorable } from '../../protocol/text.ts'
import type { Outgoing } from './exchange.ts'
import { ToolSetupError } from './guard.ts'

export type Secrets = ReadonlyMap<string, { reveal(): string }>
/** The operator's, and those of the person who asks. */
export type AllSecrets = { readonly operator: Secrets; readonly own: Secrets }
type Arguments = Readonly<Record<string, unknown>>

const WITHOUT_BODY = new Set(['GET', 'DELETE'])
const STANDARD_HEADERS = {
  accept: 'application/json, text/*;q=0.9, */*;q=0.1',
  // A packed answer may unpack to a thousand times its size.
  'accept-encoding': 'identity',
  'user-agent': 'parley',
}

/** The request of a call whose arguments fit the schema. Throws ToolError, ToolSetupError. */
export function buildRequest(tool: HttpTool, args: Arguments, secrets: AllSecrets): Outgoing {
  const url = expand(tool, args)
  const inAddress = new Set(tool.url.flatMap((piece) => (typeof piece === 'string' ? [] : piece.argument)))
  const rest = Object.entries(args).filter(([name]) => !inAddress.has(name))
  const headers = { ...STANDARD_HEADERS, ...headersOf(tool.headers, secrets) }
  if (WITHOUT_BODY.has(tool.method)) {
    for (const [name, value] of rest) addToQuery(url, name, value)
    return { url, method: tool.method, headers }
  }
  const body = toStorable(JSON.stringify(Object.fromEntries(rest)))
  return { url, method: tool.method, headers: { 'content-type': 'application/json', ...headers }, body }
}

/** The request that a redirect asks for. What the App's definition sends in headers goes to no other origin, only `standard`. */
export function followRequest(
  { url, method, headers, body }: Outgoing,
  status: number,
  location: string,
  standard: Readonly<Record<string, string>> = STANDARD_HEADERS,
): Outgoing {
  const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined
  const isWeb = next?.protocol === 'https:' || next?.protocol === 'http:'
  if (next === undefined || !isWeb || next.username !== '' || next.password !== '')
    throw new ToolError('The service redirected to an address that cannot be used.')
  next.hash = ''
  // As browsers do: only 307 and 308 say that the same is to be sent again.
  const isKept = status === 307 || status === 308 || (method !== 'POST' && status !== 303)
  const kept = next.origin === url.origin ? headers : standard
  if (!isKept || body === undefined) return { url: next, method: isKept ? method : 'GET', headers: kept }
  return { url: next, method, headers: { 'content-type': 'application/json', ...kept }, body }
}

/** Encoded so that an argument stays one piece of a path or one value of a query, whatever it holds. */
function expand({ url }: HttpTool, args: Arguments): URL {
  const text = url.map((piece) => (typeof piece === 'string' ? piece : encode(piece.argument, args))).join('')
  const parsed = new URL(text)
  // `..` and the like would have led elsewhere.
  if (parsed.href !== text) throw new ToolError('The arguments do not fit into the address.')
  return parsed
}

function encode(name: string, args: Arguments): string {
  const value = Object.hasOwn(args, name) ? args[name] : undefined
  if (!isScalar(value) || value === '') throw new ToolError(`The argument ${name} must not be empty.`)
  return encodeURIComponent(toStorable(String(value))).replaceAll(
    /[!'()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function isScalar(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value)
}

function addToQuery(url: URL, name: string, value: unknown): void {
  if (value === undefined || value === null) return
  for (const one of Array.isArray(value) ? value : [value])
    url.searchParams.append(name, toStorable(isScalar(one) ? String(one) : JSON.stringify(one)))
}

/** Headers of a definition with the secrets that they name. Throws ToolSetupError, and ToolError for what a person has not given. */
export function headersOf(headers: HttpTool['headers'], secrets: AllSecrets): Record<string, string> {
  return Object.fromEntries(
    headers.map(({ name, value }) => [
      name.toLowerCase(),
      value.map((piece) => (typeof piece === 'string' ? piece : reveal(piece, secrets))).join(''),
    ]),
  )
}

function reveal(piece: Exclude<HeaderPiece, string>, { operator, own }: AllSecrets): string {
  if ('own' in piece) {
    const given = own.get(piece.own)
    if (given === undefined) throw new ToolError(`The person has not given ${piece.own}, which this needs.`)
    return given.reveal()
  }
  const secret = operator.get(piece.secret)
  if (secret === undefined) throw new ToolSetupError('SECRET_NOT_SET')
  return secret.reveal()
}
