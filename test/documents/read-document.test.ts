import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { MAX_FILE_BYTES, MAX_TEXT_CHARACTERS } from '../../src/documents/limits.ts'
import { readDocument } from '../../src/documents/read-document.ts'
import { makePdf } from './make-pdf.ts'

const [BOOK, SCAN] = [await makePdf([['text']]), await makePdf([[]])]
const folder = mkdtempSync(join(tmpdir(), 'parley-documents-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

describe('a file', () => {
  it.each([
    ['guide.md', '# Returns\ntext', [{ heading: 'Returns', text: 'text' }]],
    ['guide.MARKDOWN', 'text', [{ heading: '', text: 'text' }]],
    ['notes.txt', '\uFEFF# no heading', [{ heading: '', text: '# no heading' }]],
    ['page.html', '<h1>A</h1><p>text', [{ heading: 'A', text: 'text' }]],
    ['book.pdf', BOOK, [{ heading: 'page 1', text: 'text' }]],
  ])('%s is read by the end of its name', async (name, content, parts) => {
    expect(await readDocument(file(name, content))).toEqual({ name, parts })
  })

  it.each([
    ['letter.docx', 'PK', 'is none of .md, .markdown, .txt, .text, .html, .htm, .pdf'],
    ['latin.txt', Uint8Array.of(0x63, 0x61, 0x66, 0xe9), 'is not text in UTF-8'],
    ['surrogate.txt', Uint8Array.of(0xed, 0xa0, 0x80), 'is not text in UTF-8'],
    ['wide.txt', Uint8Array.of(0xff, 0xfe, 0x61, 0), 'is not text in UTF-8'],
    ['nul.md', 'a\0b', 'holds NUL characters: it is no text'],
    ['empty.md', ' \n', 'holds no text'],
    ['scan.pdf', SCAN, 'holds no text; a scan has to go through text recognition first'],
    ['many.md', '# a\nb\n'.repeat(10_001), 'has more than 10000 parts'],
    ['long.txt', 'x'.repeat(MAX_TEXT_CHARACTERS + 1), 'characters of text'],
    ['bell\u0007.txt', 'x', 'control characters in its name'],
  ])('%j that cannot be a document is refused with the reason', async (name, content, reason) => {
    await expect(readDocument(file(name, content))).rejects.toThrow(reason)
  })

  it('that is too big is refused before it is read', async () => {
    const path = file('big.txt', '')
    truncateSync(path, MAX_FILE_BYTES + 1)
    await expect(readDocument(path)).rejects.toThrow(`has more than ${MAX_FILE_BYTES} bytes`)
  })

  it('that is a folder, a pipe, or not there is refused at once', async () => {
    const [pipe, sub] = [join(folder, 'pipe.txt'), join(folder, 'sub.txt')]
    execFileSync('sh', ['-c', 'mkfifo "$0"', pipe])
    mkdirSync(sub)
    await expect(readDocument(pipe)).rejects.toThrow('is no file')
    await expect(readDocument(sub)).rejects.toThrow('is no file')
    await expect(readDocument(join(folder, 'nowhere.txt'))).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
