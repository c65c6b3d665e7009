import type { Point } from './point.ts'

/** Between two lines where nobody can see one change, in ms. */
const LINE_EVERY_MS = 5000
const CLEAR_LINE = '\r\u001B[2K'
/** A line that wraps cannot be cleared. */
const NARROW = 80

type Out = {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** What happens right now, for who waits: a line that changes on a terminal, else one every few seconds. */
export class Progress {
  readonly #out: Out
  readonly #clock: () => number
  #lastLine = Number.NEGATIVE_INFINITY

  constructor(out: Out = process.stderr, clock: () => number = () => performance.now()) {
    this.#out = out
    this.#clock = clock
  }

  show(title: string, point: Point): void {
    const text = `${title} · ${describePoint(point)}`
    if (this.#out.isTTY === true) {
      this.#out.write(`${CLEAR_LINE}${text.slice(0, (this.#out.columns ?? NARROW) - 1)}`)
      return
    }
    if (this.#clock() - this.#lastLine < LINE_EVERY_MS) return
    this.#lastLine = this.#clock()
    this.#out.write(`${text}\n`)
  }

  /** The line has gone: what follows is written where it was. */
  end(): void {
    if (this.#out.isTTY === true) this.#out.write(CLEAR_LINE)
    this.#lastLine = Number.NEGATIVE_INFINITY
  }
}

export function describePoint({ at, measured, tokens, handshakes, errors, latency, server, load }: Point): string {
  return [
    `${at.toFixed(0)} s${measured ? '' : ' (warm-up)'}`,
    ...(tokens > 0 || handshakes === 0 ? [`${whole(tokens)} tokens/s`] : []),
    ...(handshakes > 0 ? [`${whole(handshakes)} handshakes/s`] : []),
    ...(latency ? [`p50 ${short(latency.p50)} p99 ${short(latency.p99)} ms`] : []),
    `${errors} errors`,
    ...(server ? [`server ${server.cores.toFixed(2)} cores ${server.rss.toFixed(0)} MiB`] : []),
    `load ${load.toFixed(2)} cores`,
  ].join(' · ')
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** Three digits, whatever the size. */
function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
