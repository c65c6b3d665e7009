import { existsSync, openSync, readFileSync, statSync, truncateSync } from 'node:fs'

/** Bytes. The server's log starts anew at a start above this size. */
const MAX_LOG_BYTES = 10 * 1024 * 1024
const PRIVATE = 0o600
/** A line that says why a server ended. One that its clients are told while it starts does not. */
const REASON = /\b(?:FATAL|PANIC): {2}(?!the database system is )/

/** The embedded server's own log, beside its data. */
export class ServerLog {
  readonly #file: string
  /** Bytes that were there before this process's first start. */
  #before: number | undefined

  constructor(file: string) {
    this.#file = file
  }

  /** A descriptor for one start to write to. */
  open(): number {
    if (this.#size() > MAX_LOG_BYTES) {
      truncateSync(this.#file)
      this.#before = 0
    }
    this.#before ??= this.#size()
    return openSync(this.#file, 'a', PRIVATE)
  }

  /** Why the server does not start, in its words: what it says after that is only that it ends. Empty when it said nothing. */
  reason(): string {
    if (!existsSync(this.#file)) return ''
    const bytes = readFileSync(this.#file)
    const since = bytes.subarray(Math.min(this.#before ?? 0, bytes.length)).toString()
    const lines = since.trim().split('\n')
    return lines.findLast((line) => REASON.test(line)) ?? lines.at(-1) ?? ''
  }

  #size(): number {
    return existsSync(this.#file) ? statSync(this.#file).size : 0
  }
}
