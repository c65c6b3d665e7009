import { createRequire } from 'node:module'
import type { MathJsInstance } from 'mathjs'

/** The package's one-file build: a third of the time and memory of the several hundred modules behind its name. */
const BUNDLE = 'mathjs/lib/browser/math.js'

let loaded: MathJsInstance | undefined

/** mathjs takes 0.2 s and 30 MB: only a server whose models calculate has it. */
export function loadMathjs(): MathJsInstance {
  const math: MathJsInstance = loaded ?? createRequire(import.meta.url)(BUNDLE)
  loaded = math
  return math
}
