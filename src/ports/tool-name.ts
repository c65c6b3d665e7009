/** Characters of a tool's name that every provider takes. */
const MAX_LENGTH = 64

/** A name that no tool can have would make a history that providers refuse for good, and may be far longer than a frame. */
export function toToolName(name: string): string {
  return name.slice(0, MAX_LENGTH).replaceAll(/[^A-Za-z0-9_-]/g, '_') || '_'
}
