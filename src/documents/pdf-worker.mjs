// @ts-check
// Reads one PDF on a thread of its own, which ./pdf.ts ends when it takes too much. Plain JavaScript: Node starts it from its
// file, beside this one in src/ and in dist/.

import { parentPort, workerData } from 'node:worker_threads'
import { getDocumentProxy } from 'unpdf'

/** A line this many times its height below the one before begins a paragraph. */
const PARAGRAPH_GAP = 1.7

/** @type {{ readonly bytes: Uint8Array, readonly limits: import('./limits.ts').PdfLimits }} */
const { bytes, limits } = workerData

/** @returns {Promise<import('./pdf.ts').PdfAnswer>} */
async function read() {
  const pdf = await getDocumentProxy(bytes, { useSystemFonts: false, verbosity: 0 })
  if (pdf.numPages > limits.pages) return { fault: 'pages' }
  const pages = []
  let characters = 0
  for (let number = 1; number <= pdf.numPages; number++) {
    const page = await pdf.getPage(number)
    const text = await textOf(page, limits.characters - characters)
    characters += text.length
    if (characters > limits.characters) return { fault: 'characters' }
    pages.push(text)
    page.cleanup()
  }
  return { pages }
}

/**
 * In the order of the file, which is that of reading in nearly all; as a stream, so that a page of endless text is left in time.
 * @param {Awaited<ReturnType<Awaited<ReturnType<typeof getDocumentProxy>>['getPage']>>} page
 * @param {number} room characters
 */
async function textOf(page, room) {
  const reader = page.streamTextContent().getReader()
  const pieces = []
  let [length, bottom, height] = [0, Number.NaN, 0]
  while (length <= room) {
    const { value, done } = await reader.read()
    if (done) break
    for (const item of value.items) {
      if (typeof item.str !== 'string') continue
      const [y, size] = [item.transform[5], item.height]
      if (item.str.trim() !== '') {
        if (bottom - y > PARAGRAPH_GAP * Math.max(size, height)) pieces.push('\n')
        bottom = y
        height = size
      }
      const text = item.hasEOL ? `${item.str}\n` : item.str
      pieces.push(text)
      length += text.length
    }
  }
  if (length > room) void reader.cancel(new Error('enough')).catch(() => undefined)
  return pieces.join('')
}

/**
 * By its name, which is part of the library's interface; its message may quote the file.
 * @param {unknown} thrown
 * @returns {import('./pdf.ts').PdfAnswer}
 */
function faultOf(thrown) {
  return { fault: thrown instanceof Error && thrown.name === 'PasswordException' ? 'password' : 'unreadable' }
}

parentPort?.postMessage(await read().catch(faultOf), [])
