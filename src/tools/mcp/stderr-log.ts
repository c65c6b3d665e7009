import type { Telemetry } from '../../ports/telemetry.ts'

/** Lines of one process that are logged in a minute: what it says at its start and when something is wrong. */
const MAX_LINES = 20
const MINUTE_MS = 60_000
/** Characters of a line that are kept. */
const MAX_LINE = 200

/** What a server's process says on its standard error, as lines of our log: few, short and without its secrets. */
export class StderrLog {
  readonly #telemetry: Telemetry
  readonly #who: { readonly server: string; readonly app: string }
  readonly #clean: (text: string) => string
  #rest = ''
  #since = Number.NEGATIVE_INFINITY
  #lines = 0

  constructor(
    telemetry: Telemetry,
    who: { readonly server: string; readonly app: string },
    clean: (text: string) => string,
  ) {
    this.#telemetry = telemetry
    this.#who = who
    this.#clean = clean
  }

  take(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString('utf8')).split('\n')
    // A line without an end is cut where it would not be logged any more; twice that, so that a secret across the cut is whole.
    this.#rest = (lines.pop() ?? '').slice(0, MAX_LINE * 2)
    for (const line of lines) this.#log(line)
  }

  end(): void {
    this.#log(this.#rest)
    this.#rest = ''
  }

  #log(line: string): void {
    if (line.trim() === '') return
    const now = performance.now()
    if (now - this.#since >= MINUTE_MS) {
      if (this.#lines > MAX_LINES)
        this.#telemetry.log('info', 'mcp server said more', { ...this.#who, lines: this.#lines - MAX_LINES })
      this.#since = now
      this.#lines = 0
    }
    this.#lines++
    if (this.#lines <= MAX_LINES)
      this.#telemetry.log('info', 'mcp server said', {
        ...this.#who,
        line: this.#clean(line).trim().slice(0, MAX_LINE),
      })
  }
}
