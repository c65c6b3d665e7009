import * as v from 'valibot'
import type { HttpTool } from '../ports/apps.ts'
import { headerFault, parseHeader } from './templates.ts'

const MAX_HEADERS = 20
const MAX_HEADER_VALUE = 1000

const HeaderName = v.pipe(v.string(), v.regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, 'is no name of a header'))

/** Headers that a definition has sent along, by their names. */
export const HeadersSchema = v.record(HeaderName, v.pipe(v.string(), v.maxLength(MAX_HEADER_VALUE)))
type Headers = v.InferOutput<typeof HeadersSchema>

/** Headers that the request itself decides, or that would change who talks to whom. */
const OWN_HEADERS = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** What is wrong, by place. `own`: further names that are not the definition's to set. `shared`: sent for many people at once. */
export function headerFaults(
  headers: Headers,
  { own = [], shared = false }: { readonly own?: readonly string[]; readonly shared?: boolean } = {},
): [string, string | undefined][] {
  const isOwn = (name: string): boolean => OWN_HEADERS.has(name.toLowerCase()) || own.includes(name.toLowerCase())
  return [
    ['headers', Object.keys(headers).length > MAX_HEADERS ? `must be at most ${MAX_HEADERS}` : undefined],
    ...Object.entries(headers).map(([name, value]): [string, string | undefined] => [
      `headers.${name}`,
      isOwn(name) ? 'is set by Parley' : headerFault(value, shared),
    ]),
  ]
}

export function buildHeaders(headers: Headers): HttpTool['headers'] {
  return Object.entries(headers).map(([name, value]) => ({ name, value: parseHeader(value) }))
}
