import { describe, expect, it } from 'vitest'
import { PDF_LIMITS } from '../../src/documents/limits.ts'
import { readPdf } from '../../src/documents/pdf.ts'
import { makePdf } from './make-pdf.ts'

const MIB = 1024 * 1024
const CUT = (await makePdf([['one'], ['two']])).slice(0, 300)

describe('a PDF', () => {
  it('gives the text of each page, with its paragraphs', async () => {
    const pages = [
      ['Returns (all shops)', 'Shoes come back', 'within 30 days.', '', 'We pay the postage.'],
      ['Caf\u00e9'],
    ]
    expect(await readPdf(await makePdf(pages))).toEqual([
      {
        heading: 'page 1',
        text: expect.stringMatching(
          /^Returns \(all shops\)\nShoes come back\nwithin 30 days\.\n+\nWe pay the postage\.\s*$/,
        ),
      },
      { heading: 'page 2', text: expect.stringMatching(/^Café\s*$/) },
    ])
  })

  it('with more pages than are read is refused', async () => {
    const pdf = await makePdf([['one'], ['two'], ['three']])
    await expect(readPdf(pdf, { ...PDF_LIMITS, pages: 2 })).rejects.toThrow('has more than 2 pages')
    expect(await readPdf(pdf, { ...PDF_LIMITS, pages: 3 })).toHaveLength(3)
  })

  it('with more text than is read is refused, also where one page has it all', async () => {
    const limits = { ...PDF_LIMITS, characters: 100 }
    const line = 'x'.repeat(40)
    await expect(readPdf(await makePdf([[line], [line], [line]]), limits)).rejects.toThrow('more than 100 characters')
    await expect(readPdf(await makePdf([[line, line, line]]), limits)).rejects.toThrow('more than 100 characters')
  })

  it('that unpacks to a thousand times its size is given up, and the memory with it', async () => {
    const pdf = await makePdf([['bomb']], { padding: 300 * MIB })
    expect(pdf.length).toBeLessThan(MIB)
    const before = process.memoryUsage.rss()
    await expect(readPdf(pdf, { ...PDF_LIMITS, memoryBytes: 128 * MIB })).rejects.toThrow('more than 128 MiB of memory')
    await expect.poll(() => process.memoryUsage.rss() - before, { timeout: 5000 }).toBeLessThan(200 * MIB)
  }, 60_000)

  it('that takes too long is given up', async () => {
    const pdf = await makePdf([['slow']], { padding: 200 * MIB })
    const began = performance.now()
    await expect(readPdf(pdf, { ...PDF_LIMITS, timeMs: 300, memoryBytes: 4096 * MIB })).rejects.toThrow(
      'more than 0.3 seconds',
    )
    expect(performance.now() - began).toBeLessThan(5000)
  }, 60_000)

  it.each([
    ['no PDF', new TextEncoder().encode('just words')],
    ['nothing', new Uint8Array()],
    ['cut off', CUT],
    ['binary noise', Uint8Array.from({ length: 5000 }, (_, index) => (index * 7919) % 251)],
  ])('that is %s is refused in a sentence', async (_what, bytes) => {
    await expect(readPdf(bytes)).rejects.toMatchObject({ name: 'DocumentError', message: 'is damaged, or no PDF' })
  })

  it('that is locked is refused', async () => {
    const key = `<${'41'.repeat(32)}>`
    const trailer = `/Encrypt << /Filter /Standard /V 1 /R 2 /O ${key} /U ${key} /P -4 >> /ID [<6964> <6964>]`
    await expect(readPdf(await makePdf([['hidden']], { trailer }))).rejects.toThrow('is locked with a password')
  })
})
