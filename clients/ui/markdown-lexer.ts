import { Lexer, type Token } from 'marked'

/** Characters of one run of text up to which its marks are read as one: above all that people and models write in a paragraph. */
const WHOLE_CHARS = 4_000
/** Characters of the pieces of a longer one. Reading marks takes the square of the length: `_a` 16,000 times over took seconds. */
const PIECE_CHARS = 1_000
/** Cells of a table; what has more is shown as it was written. A short text can make millions: rows are filled up to the heading. */
const MAX_CELLS = 10_000
/** The line of dashes under a table's heading. */
const TABLE_HEAD = /^([^\n]*\|[^\n]*)\n[ \t|:-]+(?:\n|$)/

/** The lexer with a bound on what a text can make it do. */
export class BoundedLexer extends Lexer {
  override inlineTokens(src: string, tokens: Token[] = []): Token[] {
    if (src.length <= WHOLE_CHARS) return super.inlineTokens(src, tokens)
    for (const piece of piecesOf(src)) super.inlineTokens(piece, tokens)
    return tokens
  }
}

/** Whether a table that `src` begins with would have too many cells. */
export function isHugeTable(src: string): boolean {
  const [, heading] = TABLE_HEAD.exec(src) ?? []
  if (heading === undefined) return false
  const end = src.indexOf('\n\n')
  const rows = (end === -1 ? src : src.slice(0, end)).split('\n')
  return heading.split('|').length * rows.length > MAX_CELLS
}

/** `text` in pieces that end before a line end where they can, else before a space. */
function piecesOf(text: string): readonly string[] {
  const pieces: string[] = []
  for (let rest = text; rest !== ''; rest = rest.slice(pieces.at(-1)?.length)) {
    const piece = rest.slice(0, PIECE_CHARS)
    const isLast = piece.length === rest.length
    const at = [piece.lastIndexOf('\n'), piece.lastIndexOf(' ')].find((place) => place > 0)
    pieces.push(isLast ? piece : piece.slice(0, at))
  }
  return pieces
}
