import { constants, open } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import type { DocumentPart } from '../ports/documents.ts'
import { isStorable } from '../protocol/text.ts'
import { DocumentError } from './document-error.ts'
import { readHtml } from './html.ts'
import { MAX_FILE_BYTES, MAX_NAME_CHARACTERS, MAX_PARTS, MAX_TEXT_CHARACTERS } from './limits.ts'
import { readMarkdown } from './markdown.ts'
import { toParts } from './parts.ts'
import { readPdf } from './pdf.ts'
import type { Section } from './section.ts'

type Reader = (bytes: Uint8Array) => Section[] | Promise<Section[]>

const plain: Reader = (bytes) => [{ heading: '', text: decode(bytes) }]
const markdown: Reader = (bytes) => readMarkdown(decode(bytes))
const html: Reader = (bytes) => readHtml(decode(bytes))

/** By the end of the name. */
const READERS: ReadonlyMap<string, Reader> = new Map([
  ['.md', markdown],
  ['.markdown', markdown],
  ['.txt', plain],
  ['.text', plain],
  ['.html', html],
  ['.htm', html],
  ['.pdf', (bytes) => readPdf(bytes)],
])

/** What a file holds, as it is stored. */
export type ReadDocument = { readonly name: string; readonly parts: readonly DocumentPart[] }

/** The name under which a file is stored: its own, without folders. Throws DocumentError. */
export function documentName(path: string): string {
  const name = basename(path)
  if (name === '' || name.length > MAX_NAME_CHARACTERS)
    throw new DocumentError(`has a name of more than ${MAX_NAME_CHARACTERS} characters, or none`)
  if (!isStorable(name) || /\p{Cc}/u.test(name)) throw new DocumentError('has control characters in its name')
  return name
}

/** Reads a file into parts. Throws DocumentError with what is wrong, or what the system says about the file. */
export async function readDocument(path: string): Promise<ReadDocument> {
  const name = documentName(path)
  const reader = READERS.get(extname(name).toLowerCase())
  if (reader === undefined) throw new DocumentError(`is none of ${[...READERS.keys()].join(', ')}`)
  const sections = await reader(await readBytes(path))
  const characters = sections.reduce((total, { text }) => total + text.length, 0)
  if (characters > MAX_TEXT_CHARACTERS)
    throw new DocumentError(`has more than ${MAX_TEXT_CHARACTERS} characters of text`)
  const parts = toParts(sections)
  if (parts.length === 0) throw new DocumentError('holds no text; a scan has to go through text recognition first')
  if (parts.length > MAX_PARTS) throw new DocumentError(`has more than ${MAX_PARTS} parts`)
  return { name, parts }
}

/** The size is asked of the opened file, and no more than that is read: it may be changed meanwhile, or be no file. */
async function readBytes(path: string): Promise<Uint8Array> {
  // A pipe that nobody writes to would be waited for.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw new DocumentError('is no file')
    if (stats.size > MAX_FILE_BYTES) throw new DocumentError(`has more than ${MAX_FILE_BYTES} bytes`)
    const bytes = new Uint8Array(stats.size)
    const { bytesRead } = await file.read(bytes, 0, stats.size, 0)
    return bytes.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

function decode(bytes: Uint8Array): string {
  const text = decodeUtf8(bytes)
  if (text.includes('\0')) throw new DocumentError('holds NUL characters: it is no text')
  return text
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new DocumentError('is not text in UTF-8')
  }
}
