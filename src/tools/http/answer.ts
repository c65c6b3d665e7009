import { ToolError } from '../../ports/tool.ts'
import { truncateUtf8 } from '../../protocol/text.ts'
import type { Incoming } from './exchange.ts'

/** Bytes of a refusal's body that the model gets to see: services say there what was wrong. */
const MAX_REFUSAL_BYTES = 2000
const TEXT = /^(?:text\/|application\/(?:[\w.-]+\+)?(?:json|xml|x-ndjson|yaml)\b)/i
const MASK = '[secret]'

/** The result for the model. Throws ToolError where there is none. */
export function toResult({ status, type, text }: Incoming, pointer: readonly string[] | undefined): string {
  const readable = type === '' || TEXT.test(type)
  if (status < 200 || status > 299)
    throw new ToolError(
      `The service answered ${status}.${readable && text !== '' ? `\n${truncateUtf8(text, MAX_REFUSAL_BYTES)}` : ''}`,
    )
  if (!readable && text !== '') throw new ToolError('The service answered with something else than text.')
  if (pointer === undefined) return text === '' ? '(The service answered without a text.)' : text
  const found = pointer.reduce(step, parse(text))
  if (found === undefined) throw new ToolError('The answer of the service does not have the part that is wanted.')
  return typeof found === 'string' ? found : JSON.stringify(found)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new ToolError('The service did not answer in JSON.')
  }
}

/** One step of a JSON pointer (RFC 6901). */
function step(value: unknown, token: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  if (Array.isArray(value) && !/^(?:0|[1-9]\d{0,9})$/.test(token)) return undefined
  return Object.hasOwn(value, token) ? Reflect.get(value, token) : undefined
}

/**
 * `text` without the secrets, which a service may repeat: as they are, as JSON writes them, with whatever escapes, and as they
 * stand in an address.
 */
export function withoutSecrets(text: string, secrets: Iterable<{ reveal(): string }>): string {
  const values = Array.from(secrets, (secret) => secret.reveal())
  const clean = mask(text, values)
  const plain = values.length > 0 && clean.includes('\\') ? unescaped(clean) : undefined
  const masked = plain === undefined ? clean : mask(plain, values)
  return masked === plain ? clean : masked
}

function mask(text: string, values: readonly string[]): string {
  return values.flatMap(formsOf).reduce((left, form) => left.replaceAll(form, MASK), text)
}

/** PHP escapes the slash in JSON, also in one that stands within another text. */
function formsOf(value: string): readonly string[] {
  const json = JSON.stringify(value).slice(1, -1)
  return [...new Set([value, json, json.replaceAll('/', '\\/'), encodeURIComponent(value.toWellFormed())])]
}

/** JSON with no more escapes than it needs; undefined when it is not JSON. */
function unescaped(text: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(text))
  } catch {
    return undefined
  }
}
