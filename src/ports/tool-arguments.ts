import { isBlank, toStorableJson } from '../protocol/text.ts'

/** Objects and lists within each other: no tool asks for more, APIs read little more, and what is far deeper cannot be written as JSON. */
const MAX_DEPTH = 100

/**
 * A call's arguments as an object, without text that the store or an API refuses; an empty text is no arguments. Undefined when it is
 * not a JSON object, or one too deep.
 */
export function parseArguments(text: string): Readonly<Record<string, unknown>> | undefined {
  if (isBlank(text)) return {}
  try {
    const value: unknown = JSON.parse(toStorableJson(text))
    return typeof value === 'object' && value !== null && !Array.isArray(value) && !isTooDeep(value, MAX_DEPTH)
      ? { ...value }
      : undefined
  } catch {
    return undefined
  }
}

/** The same as a text that every API takes: what cannot be read, such as a text that was cut, is shown as no arguments. */
export function toValidArguments(text: string): string {
  return parseArguments(text) === undefined ? '{}' : toStorableJson(text)
}

function isTooDeep(value: unknown, room: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return room === 0 || Object.values(value).some((inner) => isTooDeep(inner, room - 1))
}
