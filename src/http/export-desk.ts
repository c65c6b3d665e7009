import type { ExportLine } from '../ports/privacy.ts'
import { ParleyError } from '../protocol/errors.ts'
import { API_HEADERS, type HttpContext } from './responses.ts'
import { WholeResponse } from './whole-response.ts'

export const EXPORT_TYPE = 'application/jsonl; charset=utf-8'
/** Each holds a connection to the database and a snapshot of it. */
const AT_ONCE = 8
/** Of one key or address: who reads slowly leaves the others the rest. */
const AT_ONCE_OF_ONE = 4
/** Milliseconds after which who found them all taken asks again: most exports take less. */
const RETRY_MS = 1000
/** Milliseconds for a reader to take a part, and for the whole: a snapshot that is held keeps old rows from being cleaned up. */
const STALL_MS = 30_000
const WHOLE_MS = 300_000
/** UTF-16 units of lines that leave together. */
const PART = 65_536

/** Where exports are handed out: so many at once, whoever asks for them. */
export class ExportDesk {
  /** How many each reads. */
  readonly #open = new Map<string, number>()

  /** Lines of one session as an answer to `who`. `session_not_found` when there are none; `overloaded` when too many are read at once. */
  async answer(
    c: HttpContext,
    session: string,
    who: string,
    lines: () => Promise<AsyncGenerator<ExportLine, void, undefined>>,
  ): Promise<Response> {
    // Before any wait: of two that come at once each must see the other.
    const leave = this.#take(who)
    const begun = await lines().catch((thrown: unknown) => {
      leave()
      throw thrown
    })
    const reading = new Reading(begun, leave)
    const first = await reading.start()
    const headers = {
      ...API_HEADERS,
      'content-type': EXPORT_TYPE,
      'content-disposition': `attachment; filename="${session}.jsonl"`,
    }
    if (c.req.method !== 'HEAD') return new Response(reading.body(first), { headers })
    // Nobody would end it: the router drops the body of an answer to HEAD.
    await reading.end()
    return new WholeResponse(null, { headers })
  }

  #take(who: string): () => void {
    const own = this.#open.get(who) ?? 0
    const all = [...this.#open.values()].reduce((sum, each) => sum + each, 0)
    if (all >= AT_ONCE || own >= AT_ONCE_OF_ONE) throw new ParleyError('overloaded', { retryAfterMs: RETRY_MS })
    this.#open.set(who, own + 1)
    return () => {
      const left = (this.#open.get(who) ?? 1) - 1
      if (left === 0) this.#open.delete(who)
      else this.#open.set(who, left)
    }
  }
}

/** One export on its way to a reader, whose place is taken. It is given back once, at its end or when the reader is too slow or has left. */
class Reading {
  readonly #lines: AsyncGenerator<ExportLine, void, undefined>
  readonly #leave: () => void
  readonly #encoder = new TextEncoder()
  readonly #whole: NodeJS.Timeout
  #stall: NodeJS.Timeout | undefined
  #reader: ReadableStreamDefaultController<Uint8Array> | undefined
  #over = false

  constructor(lines: AsyncGenerator<ExportLine, void, undefined>, leave: () => void) {
    this.#lines = lines
    this.#leave = leave
    this.#whole = setTimeout(() => void this.#giveUp(), WHOLE_MS)
  }

  /** The first line; `session_not_found` when there is none but the last. */
  async start(): Promise<ExportLine> {
    try {
      const first = await this.#lines.next()
      if (first.done === true || first.value.type === 'end') throw new ParleyError('session_not_found')
      return first.value
    } catch (thrown) {
      await this.end()
      throw thrown
    }
  }

  body(first: ExportLine): ReadableStream<Uint8Array> {
    let text = toText(first)
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          clearTimeout(this.#stall)
          this.#reader = controller
          const isOver = await this.#fill((line) => {
            text += line
            return text.length >= PART
          }).catch(async (thrown: unknown) => {
            await this.end()
            throw thrown
          })
          // Cut, not ended: what came so far is not whole.
          if (this.#over) return controller.error(new ParleyError('store_unavailable'))
          controller.enqueue(this.#encoder.encode(text))
          text = ''
          if (!isOver) this.#stall = setTimeout(() => void this.#giveUp(), STALL_MS)
          else {
            await this.end()
            controller.close()
          }
        },
        cancel: () => this.end(),
      },
      { highWaterMark: 0 },
    )
  }

  /** Adds lines until `isFull`; true: there are no more. */
  async #fill(isFull: (line: string) => boolean): Promise<boolean> {
    for (;;) {
      const next = await this.#lines.next()
      if (next.done === true) return true
      if (isFull(toText(next.value))) return false
    }
  }

  /** The reader is too slow. Told at once: it may never ask for the next part. */
  async #giveUp(): Promise<void> {
    this.#reader?.error(new ParleyError('store_unavailable'))
    await this.end()
  }

  async end(): Promise<void> {
    if (this.#over) return
    this.#over = true
    this.#leave()
    clearTimeout(this.#whole)
    clearTimeout(this.#stall)
    await this.#lines.return(undefined)
  }
}

function toText(line: ExportLine): string {
  return `${JSON.stringify(line)}\n`
}
