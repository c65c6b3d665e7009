import { createHash } from 'node:crypto'

/** Characters that every provider takes in a tool's name. */
const MAX_NAME = 64
/** Hexadecimal digits that tell names apart which had to be changed: 32 bits among a hundred tools. */
const MARK_LENGTH = 8

/**
 * What models call the tool `tool` of the server `server`: `files_read_file`. It depends on nothing else, so a call that waits
 * for a person still means the same tool after the server's list has changed. A name that providers refuse is made to fit and
 * marked.
 */
export function toolName(server: string, tool: string): string {
  const plain = `${server}_${tool}`
  if (/^[A-Za-z0-9_-]+$/.test(plain) && plain.length <= MAX_NAME) return plain
  const mark = createHash('sha256').update(tool).digest('hex').slice(0, MARK_LENGTH)
  const fit = plain.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, MAX_NAME - MARK_LENGTH - 1)
  return `${fit}_${mark}`
}
