import { ToolError } from '../../ports/tool.ts'
import { truncateUtf8 } from '../../protocol/text.ts'
import type { Incoming } from './exchange.ts'

/** Bytes of a refusal's body that the model gets to see: services say there what was wrong. */
const MAX_REFUSAL_BYTES = 2000
const TEXT = /^(?:text\/|application\/(?:[\w.-]+\+)?(?:json|xml|x-ndjson|yaml)\b)/i
const MASK = '[secret]'
/** Bytes of a secret that is looked for in another form: what is shorter stands in many a text by chance. */
const MIN_ENCODED_BYTES = 8
/** Printable ASCII, as all that stands for a name and a password. */
const CREDENTIALS = /^([\x21-\x39\x3b-\x7e]+:([\x20-\x7e]+))$/

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
 * `text` without the secrets, which a service may repeat: as they are, as JSON writes them, with whatever escapes, as they
 * stand in an address, and within base64.
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
  const forms = [value, json, json.replaceAll('/', '\\/'), encodeURIComponent(value.toWellFormed())]
  return [...new Set([...forms, ...withinBase64(value), ...credentialsOf(value)])]
}

/** The characters that only the value decides, at each of the three places that it may begin at; a short one has too few. */
function withinBase64(value: string): readonly string[] {
  const bytes = Buffer.from(value)
  if (bytes.length < MIN_ENCODED_BYTES) return []
  return [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64')
    const own = encoded.slice(Math.ceil((before * 4) / 3), Math.floor(((before + bytes.length) * 4) / 3))
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')]
  })
}

/** A secret for Basic authentication is the name and the password in base64: services that refuse it show them. */
function credentialsOf(value: string): readonly string[] {
  const [, encoded = ''] = /^(?:Basic )?([0-9A-Za-z+/]{8,}={0,2})$/i.exec(value) ?? []
  const [, credentials = '', password = ''] = CREDENTIALS.exec(Buffer.from(encoded, 'base64').toString()) ?? []
  return [credentials, password].filter((form) => form.length >= MIN_ENCODED_BYTES)
}

/** JSON with no more escapes than it needs; undefined when it is not JSON. */
function unescaped(text: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(text))
  } catch {
    return undefined
  }
}
