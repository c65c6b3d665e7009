const KIB = 1024
const MIB = 1024 * KIB

/** Bytes of a file. A manual of a thousand pages with pictures takes less. */
export const MAX_FILE_BYTES = 32 * MIB
/** Characters of a document's text: about 1.3 million words, ten long novels. */
export const MAX_TEXT_CHARACTERS = 8 * MIB
/** Parts of one document: what the text gives at its usual size, with room for many short sections. */
export const MAX_PARTS = 10_000
/** Characters of a name: what file systems allow, and a line can show. */
export const MAX_NAME_CHARACTERS = 200
/** Characters of all headings above a part together. */
export const MAX_HEADING_CHARACTERS = 200
/** Elements of HTML within one another: pages have tens, and the parser's work grows with the square. */
export const MAX_HTML_DEPTH = 500

/** A PDF is a program in a way: what reading it may take. */
export type PdfLimits = {
  readonly pages: number
  readonly characters: number
  /** Milliseconds for all of it. */
  readonly timeMs: number
  /** Bytes that the process may grow by: compressed streams unpack a thousandfold. */
  readonly memoryBytes: number
}

export const PDF_LIMITS: PdfLimits = {
  pages: 2000, // above the longest manuals; such files have volumes
  characters: MAX_TEXT_CHARACTERS,
  timeMs: 60_000, // a page of text takes 5 to 20 ms
  memoryBytes: 512 * MIB, // a 30 MB file with pictures takes about 150
}
