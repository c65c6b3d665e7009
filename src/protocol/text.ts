/** What Postgres, JSON and browsers all accept as text, and how we measure it. */

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const NUL = String.fromCharCode(0)
const VISIBLE = /\S/u
const REPLACEMENT = '\uFFFD'
/** An escape within a JSON text; those of a surrogate pair are one. */
const JSON_ESCAPE = /\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u[\da-fA-F]{4}|.)/g
const UNSTORABLE_ESCAPE = /^\\u(?:0000|[dD][89a-fA-F][\da-fA-F]{2})$/
const HIGH_SURROGATE_MIN = 0xd800
const HIGH_SURROGATE_MAX = 0xdbff
/** Bytes a UTF-16 code unit can take in UTF-8. */
const MAX_BYTES_PER_UNIT = 3

/** Texts up to a third of this are measured without an allocation: nearly all that pass here. */
const SCRATCH_BYTES = 64 * 1024
const scratch = new Uint8Array(SCRATCH_BYTES)

/** True when there is nothing in `text` but white space, as `trim` has it. Makes no string. */
export function isBlank(text: string): boolean {
  return !VISIBLE.test(text)
}

/** Size of `text` in UTF-8 bytes. */
export function utf8Length(text: string): number {
  if (text.length * MAX_BYTES_PER_UNIT <= SCRATCH_BYTES) return encoder.encodeInto(text, scratch).written
  return encoder.encode(text).length
}

/** True when `text` takes at most `limit` UTF-8 bytes; encodes only when the length alone cannot tell. */
export function fitsUtf8(text: string, limit: number): boolean {
  if (text.length > limit) return false
  return text.length * MAX_BYTES_PER_UNIT <= limit || utf8Length(text) <= limit
}

/** True when `text` holds no NUL and no lone surrogate: Postgres takes neither. */
export function isStorable(text: string): boolean {
  return !text.includes(NUL) && text.isWellFormed()
}

/** `text` with NULs and lone surrogates replaced by U+FFFD. For what models and tools say; clients are refused instead. */
export function toStorable(text: string): string {
  return isStorable(text) ? text : text.replaceAll(NUL, REPLACEMENT).toWellFormed()
}

/** The same for a JSON text: what it holds as escapes is in no text that is made of it either. */
export function toStorableJson(json: string): string {
  if (!json.includes('\\u')) return json
  return json.replaceAll(JSON_ESCAPE, (escape) => (UNSTORABLE_ESCAPE.test(escape) ? '\\ufffd' : escape))
}

/** The longest prefix of `text` within `limit` UTF-8 bytes that does not split a character. */
export function truncateUtf8(text: string, limit: number): string {
  if (fitsUtf8(text, limit)) return text
  const bytes = new Uint8Array(limit)
  const { read, written } = encoder.encodeInto(text, bytes)
  const cut = text.slice(0, read)
  // A slice keeps all of `text` in V8's memory; a copy does not. What is not well formed has no copy through UTF-8.
  return cut.isWellFormed() ? decoder.decode(bytes.subarray(0, written)) : cut
}

/** Characters of well-formed text, as Postgres counts them: a surrogate pair is one. */
export function countCharacters(text: string): number {
  let pairs = 0
  for (let index = 0; index < text.length; index++) {
    if (isHighSurrogate(text.charCodeAt(index))) pairs++
  }
  return text.length - pairs
}

/** True for the first half of a surrogate pair. */
export function isHighSurrogate(unit: number): boolean {
  return unit >= HIGH_SURROGATE_MIN && unit <= HIGH_SURROGATE_MAX
}
