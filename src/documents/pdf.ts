import { Worker } from 'node:worker_threads'
import { DocumentError } from './document-error.ts'
import { PDF_LIMITS, type PdfLimits } from './limits.ts'
import type { Section } from './section.ts'

/** What the thread says once. */
export type PdfAnswer =
  | { readonly pages: readonly string[] }
  | { readonly fault: 'pages' | 'characters' | 'password' | 'unreadable' }

/** Beside this file both in src/documents and in the bundled dist. */
const WORKER = new URL('./pdf-worker.mjs', import.meta.url)
/** Milliseconds between looks at the memory: what unpacks fastest fills some 20 MB meanwhile. */
const LOOK_MS = 20
const BYTES_PER_MB = 1024 * 1024
const MS_PER_SECOND = 1000

/**
 * A section for each page with text. A PDF may hold programs for fonts, and streams that unpack a thousandfold: it is read on a
 * thread of its own, which is ended when it takes too long or too much memory. Throws DocumentError.
 */
export async function readPdf(bytes: Uint8Array, limits: PdfLimits = PDF_LIMITS): Promise<Section[]> {
  const answer = await ask(bytes, limits)
  if ('fault' in answer) throw new DocumentError(sentence(answer.fault, limits))
  return answer.pages.map((text, index) => ({ heading: `page ${index + 1}`, text }))
}

function sentence(fault: Extract<PdfAnswer, { fault: string }>['fault'], limits: PdfLimits): string {
  switch (fault) {
    case 'pages':
      return `has more than ${limits.pages} pages`
    case 'characters':
      return `has more than ${limits.characters} characters of text`
    case 'password':
      return 'is locked with a password'
    case 'unreadable':
      return 'is damaged, or no PDF'
  }
}

async function ask(bytes: Uint8Array, limits: PdfLimits): Promise<PdfAnswer> {
  const worker = new Worker(WORKER, {
    workerData: { bytes, limits },
    resourceLimits: { maxOldGenerationSizeMb: Math.ceil(limits.memoryBytes / BYTES_PER_MB) },
    // Its library has things to say about files; none of them is for here.
    stdout: true,
    stderr: true,
    env: {},
  })
  const timers: NodeJS.Timeout[] = []
  try {
    return await new Promise<PdfAnswer>((resolve, reject) => {
      const refuse = (message: string): void => reject(new DocumentError(message))
      worker.once('message', resolve)
      // Out of memory, most likely: what the file can do to the library is an answer.
      worker.once('error', () => refuse('cannot be read: it needs too much memory, or is damaged'))
      worker.once('exit', () => refuse('cannot be read'))
      const late = `takes more than ${limits.timeMs / MS_PER_SECOND} seconds to read`
      timers.push(setTimeout(() => refuse(late), limits.timeMs))
      // The least so far: what the process gives back meanwhile was not the file's.
      let before = process.memoryUsage.rss()
      const look = (): void => {
        const now = process.memoryUsage.rss()
        before = Math.min(before, now)
        // What compressed streams unpack to lies outside the heap that `resourceLimits` bounds.
        if (now - before > limits.memoryBytes)
          refuse(`takes more than ${Math.round(limits.memoryBytes / BYTES_PER_MB)} MiB of memory to read`)
      }
      timers.push(setInterval(look, LOOK_MS))
    })
  } finally {
    for (const timer of timers) clearTimeout(timer)
    await worker.terminate()
  }
}
