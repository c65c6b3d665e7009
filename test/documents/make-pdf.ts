import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { createDeflate } from 'node:zlib'

/** What stands on one page: lines, a blank one for a gap. */
export type PdfPage = readonly string[]

export type PdfOptions = {
  /** Bytes of spaces that the first page's content unpacks to, on top of its text. */
  readonly padding?: number
  /** Entries of the trailer. */
  readonly trailer?: string
}

/** A small real PDF with compressed text. */
export async function makePdf(
  pages: readonly PdfPage[],
  { padding = 0, trailer = '' }: PdfOptions = {},
): Promise<Uint8Array> {
  const objects: Buffer[] = []
  const add = (body: string | Buffer) => objects.push(Buffer.isBuffer(body) ? body : Buffer.from(body, 'latin1'))
  const kids = pages.map((_, index) => `${4 + index * 2} 0 R`).join(' ')
  add('<< /Type /Catalog /Pages 2 0 R >>')
  add(`<< /Type /Pages /Kids [${kids}] /Count ${pages.length} >>`)
  add('<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>')
  for (const [index, lines] of pages.entries()) {
    const resources = '/Resources << /Font << /F1 3 0 R >> >> /MediaBox [0 0 595 842]'
    add(`<< /Type /Page /Parent 2 0 R ${resources} /Contents ${5 + index * 2} 0 R >>`)
    add(await contentOf(lines, index === 0 ? padding : 0))
  }
  return joined(objects, trailer)
}

const SPACES = Buffer.alloc(1024 * 1024, ' ')

/** In pieces: what is left of a large text in this process would count as the reader's. */
function* bytesOf(text: string, padding: number): Generator<Buffer> {
  yield Buffer.from(text, 'latin1')
  for (let left = padding; left > 0; left -= SPACES.length) yield SPACES.subarray(0, left)
}

async function contentOf(lines: PdfPage, padding: number): Promise<Buffer> {
  const shown = lines.map((line) => `(${line.replaceAll(/[()\\]/g, '\\$&')}) Tj 0 -14 Td`).join('\n')
  const text = `BT /F1 12 Tf 50 800 Td\n${shown}\nET\n`
  const packed = await buffer(Readable.from(bytesOf(text, padding)).pipe(createDeflate()))
  const head = `<< /Length ${packed.length} /Filter /FlateDecode >>\nstream\n`
  return Buffer.concat([Buffer.from(head), packed, Buffer.from('\nendstream')])
}

function joined(objects: readonly Buffer[], trailer: string): Uint8Array {
  const chunks = [Buffer.from('%PDF-1.7\n')]
  const offsets: number[] = []
  let at = chunks[0]?.length ?? 0
  for (const [index, body] of objects.entries()) {
    const object = Buffer.concat([Buffer.from(`${index + 1} 0 obj\n`), body, Buffer.from('\nendobj\n')])
    offsets.push(at)
    at += object.length
    chunks.push(object)
  }
  const rows = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('')
  const size = objects.length + 1
  chunks.push(
    Buffer.from(
      `xref\n0 ${size}\n0000000000 65535 f \n${rows}trailer\n<< /Size ${size} /Root 1 0 R ${trailer} >>\nstartxref\n${at}\n%%EOF\n`,
    ),
  )
  return new Uint8Array(Buffer.concat(chunks))
}
