import { Dice } from '../support/dice.ts'
import { MessagesApi, type MessagesRequest, type Reply, stream } from '../support/messages-api.ts'
import { answer, text, thinking, toolUse } from '../support/messages-api-events.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { TRANSPORTS } from '../support/transports.ts'
import type { Fault, FaultOptions, Findings } from './fault.ts'
import { Databases } from './own-database.ts'
import { describeFigures, leftovers } from './soak-compare.ts'
import { type Figures, Meter } from './soak-figures.ts'
import { type Operations, readBack, type Transcript, Visitor } from './soak-visitor.ts'

/** Where run.mjs puts the probe. */
const PROBE = new URL('./soak-probe.js', import.meta.url).href
const MS_PER_SECOND = 1000
const SECONDS_PER_MINUTE = 60
const SHORT_SECONDS = 4
const FULL_MINUTES = 10
/** Runs before the figures count, however fast the machine: code is compiled, pools are filled. Milliseconds they may take at most. */
const WARM_UP_RUNS = { short: 1000, full: 4000 }
const WARM_UP_MS = 30_000
/** Visitors at a time: the server is busy and no limit of an address is met. */
const VISITORS = 16
/** Runs after which memory has to be where it was (P9). */
const MANY_RUNS = 10_000
/** Conversations that are read back after they left memory. */
const READ_BACK = { short: 40, full: 400 }
/** Tokens per second of the answer that is cancelled. */
const LONG_PACE = 200
/** It is asked for again, too, and then comes to its end: in a second or two. */
const LONG_REPEATS = 100

/** Everything that people do, for a while, and then nothing: what the server holds is what it held before. */
export const soak: Fault = {
  name: 'soak',
  title: 'memory, handles, timers, files and logs return to where they began',
  async run(options) {
    const databases = new Databases(options.databaseUrl)
    // A pooled connection upstream is let go of within the fault's idle time.
    const api = await MessagesApi.listen({ record: false, script: replyTo, keepAliveMs: 2500 })
    const own = await databases.env()
    const server = await ParleyProcess.start({ ...envOf(options, api), ...own })
    try {
      const database = await databases.open(server, own)
      try {
        return await new Soak(options, server, new Meter(server, api, database.sql)).play()
      } finally {
        await database.close()
      }
    } finally {
      await server.dispose()
      await api.close()
      await databases.drop()
    }
  },
}

function envOf({ seed }: FaultOptions, api: MessagesApi): Record<string, string> {
  return {
    NODE_OPTIONS: `--import=${PROBE}`,
    ANTHROPIC_API_KEY: 'stub',
    ANTHROPIC_BASE_URL: api.url,
    PARLEY_MODEL: 'anthropic/claude-stub',
    PARLEY_TRANSPORT: TRANSPORTS[seed % TRANSPORTS.length] ?? 'ws',
    PARLEY_HISTORY_IDLE: '1s',
    PARLEY_LOG_IDLE: '500ms',
    PARLEY_SESSIONS_IN_MEMORY: '50',
    LOG_LEVEL: 'error',
  }
}

/** By the last word of the person: text, reasoning, a call and its answer, or one that is long. */
function replyTo({ body }: MessagesRequest): Reply {
  const last = JSON.stringify(Array.isArray(body.messages) ? body.messages.at(-1) : undefined)
  if (last.includes('tool_result')) return stream(answer([text('It is forty-two.')]))
  if (last.includes('"tools"'))
    return stream(answer([text('Let me see.'), toolUse('toolu_1', 'calculator', { expression: '6*7' })]))
  if (last.includes('"reasoning"')) return stream(answer([thinking('This needs some thought.'), text('I thought.')]))
  if (last.includes('"long"'))
    return stream(answer([text('on and on '.repeat(LONG_REPEATS))]), { tokensPerSecond: LONG_PACE })
  return stream(answer([text('Grüße an die 世界, and a few more words.')]))
}

class Soak {
  readonly #options: FaultOptions
  readonly #server: ParleyProcess
  readonly #meter: Meter
  readonly #dice: Dice
  readonly #done: Operations = { connect: 0, run: 0, cancel: 0, retry: 0, reconnect: 0, delete: 0 }
  readonly #transcripts: Transcript[] = []
  readonly #violations: string[] = []

  constructor(options: FaultOptions, server: ParleyProcess, meter: Meter) {
    this.#options = options
    this.#server = server
    this.#meter = meter
    this.#dice = new Dice(options.seed)
  }

  async play(): Promise<Findings> {
    const { size, say, count } = this.#options
    const [warmed, late] = [WARM_UP_RUNS[size], until(WARM_UP_MS)]
    await this.#load(() => this.#done.run >= warmed || late())
    await this.#readBack()
    const begin = await this.#meter.settled()
    say(`begin: ${describeFigures(begin)}`)
    const warm = this.#done.run
    const minutes = count ?? FULL_MINUTES
    await this.#load(
      until((size === 'short' && count === undefined ? SHORT_SECONDS : minutes * SECONDS_PER_MINUTE) * MS_PER_SECOND),
    )
    await this.#readBack()
    const end = await this.#meter.settled()
    say(`end:   ${describeFigures(end)}`)
    const runs = this.#done.run - warm
    this.#violations.push(...leftovers(begin, end, runs), ...this.#server.said.filter((line) => line.startsWith('{')))
    const last = size === 'full' ? await this.#manyRuns(end) : undefined
    return {
      checked: {
        'runs between begin and end': runs,
        ...this.#done,
        ...facts('begin', begin),
        ...facts('end', end),
        ...last,
      },
      violations: this.#violations,
    }
  }

  /** P9: memory after 10,000 finished runs. */
  async #manyRuns(begin: Figures): Promise<Record<string, number | string>> {
    const first = this.#done.run
    await this.#load(() => this.#done.run - first >= MANY_RUNS)
    const end = await this.#meter.settled()
    this.#options.say(`after ${MANY_RUNS} more runs: ${describeFigures(end)}`)
    this.#violations.push(...leftovers(begin, end, this.#done.run - first).map((what) => `P9: ${what}`))
    return facts(`after ${MANY_RUNS} more runs`, end)
  }

  async #load(over: () => boolean): Promise<void> {
    const port = Number(new URL(this.#server.url).port)
    const work = async (dice: Dice): Promise<void> => {
      while (!over()) {
        const transcript = await new Visitor(port, dice.fork(), this.#done).visit()
        if (transcript !== undefined) this.#transcripts.push(transcript)
      }
    }
    await Promise.all(Array.from({ length: VISITORS }, () => work(this.#dice.fork())))
  }

  /** I8: what left memory is in the store, word for word. */
  async #readBack(): Promise<void> {
    await this.#meter.emptied()
    const port = Number(new URL(this.#server.url).port)
    for (let left = READ_BACK[this.#options.size]; left > 0 && this.#transcripts.length > 0; left--) {
      const [one] = this.#transcripts.splice(this.#dice.below(this.#transcripts.length), 1)
      if (one === undefined) break
      const stored = await readBack(port, one.session)
      if (JSON.stringify(stored) === JSON.stringify(one.said)) continue
      this.#violations.push(
        `I8: ${one.session} was shown ${JSON.stringify(one.said)}, the store has ${JSON.stringify(stored)}`.slice(
          0,
          600,
        ),
      )
    }
    this.#transcripts.length = 0
  }
}

function until(ms: number): () => boolean {
  const end = Date.now() + ms
  return () => Date.now() > end
}

function facts(when: string, figures: Figures): Record<string, number | string> {
  return { [when]: describeFigures(figures) }
}
