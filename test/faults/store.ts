import { Dice } from '../support/dice.ts'
import { MessagesApi, type MessagesRequest, stream } from '../support/messages-api.ts'
import { answer, text } from '../support/messages-api-events.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import type { Fault, FaultOptions, Findings } from './fault.ts'
import { FaultDatabase } from './store-database.ts'
import { inspectEnd } from './store-end.ts'
import { answerTo, Person } from './store-person.ts'
import { StoreProxy } from './store-proxy.ts'
import { type Rig, TROUBLES, type Trouble } from './store-troubles.ts'
import { Tally } from './store-watch.ts'

/** How often all troubles are played. */
const ROUNDS = { short: 1, full: 8 } as const
const PEOPLE = { short: 10, full: 24 } as const
const TOKENS_PER_SECOND = 60
/** Statements that must have failed, and answers that must have been cut, before such a trouble ends. */
const ENOUGH_FAILURES = 12
/** Milliseconds that a trouble may last beyond what it has to show: in full, past every patience of the server. */
const LONGER_MS = { short: 300, full: 7000 } as const
/** Milliseconds for a trouble to show all that is looked for, and for all to be well after it. */
const SHOW_MS = 20_000
const RECOVER_MS = 20_000
const PROBE_MS = 50

/** Short waits, so that each trouble shows soon; the order of the defaults' sizes is kept. */
const SETTINGS = {
  PARLEY_STORE_GIVE_UP: '600ms',
  PARLEY_END_SAVE: '1s',
  PARLEY_CHECKPOINT_INTERVAL: '300ms',
  PARLEY_TITLES: 'off',
  PARLEY_MODEL: 'anthropic/claude-stub',
  ANTHROPIC_API_KEY: 'a-key-of-the-stub',
  LOG_LEVEL: 'warn',
}

export const store: Fault = {
  name: 'store',
  title: 'Postgres is away, slow, full, or fails now and then, under load',
  async run(options) {
    const dice = new Dice(options.seed)
    const database = await FaultDatabase.open(options.databaseUrl)
    const proxy = new StoreProxy(database.target, dice.fork())
    const api = await MessagesApi.listen({ script: reply, record: false })
    try {
      await proxy.listen()
      return await play(options, dice, { database, proxy }, api)
    } finally {
      await proxy.close()
      await api.close()
      await database.remove()
    }
  },
}

const asked = new Map<string, number>()

/** The model answers the last thing that a person said. */
function reply({ body }: MessagesRequest) {
  const last = Array.isArray(body['messages']) ? body['messages'].at(-1) : undefined
  const content = contentOf(last?.content)
  asked.set(content, (asked.get(content) ?? 0) + 1)
  return stream(answer([text(answerTo(content))]), { tokensPerSecond: TOKENS_PER_SECOND })
}

function contentOf(content: unknown): string {
  if (typeof content === 'string') return content
  const block: unknown = Array.isArray(content) ? content.at(-1) : undefined
  return typeof block === 'object' && block !== null && 'text' in block ? String(block.text) : ''
}

async function play(options: FaultOptions, dice: Dice, rig: Rig, api: MessagesApi): Promise<Findings> {
  asked.clear()
  const env = { ...SETTINGS, DATABASE_URL: rig.database.urlThrough(rig.proxy.port), ANTHROPIC_BASE_URL: api.url }
  const server = await ParleyProcess.start({ ...env, PARLEY_TRANSPORT: dice.pick(['ws', 'auto']) })
  const tally = new Tally(options.say)
  const readiness = new Readiness(server.url, tally)
  try {
    const people = Array.from({ length: PEOPLE[options.size] }, (_, index) => {
      return new Person(`p${index}`, server.url, dice.fork(), tally, rig.database)
    })
    await Promise.all(people.map((person) => person.connect()))
    const talks = people.map((person) => person.talk())
    const company = { people, tally, readiness, rig, dice, longerMs: LONGER_MS[options.size], say: options.say }
    await settled(company, 'at the start')
    const troubles = TROUBLES.filter(({ owned }) => rig.database.owned || !owned)
    for (let round = 0; round < (options.count ?? ROUNDS[options.size]); round++)
      for (const trouble of shuffled(troubles, dice)) await pass(company, trouble)
    await end(company, talks)
    await inspectEnd({ people, tally, server, database: rig.database, asked })
    tally.count('troubles played, of kinds', troubles.length)
    return { checked: tally.all(), violations: tally.violations }
  } finally {
    readiness.stop()
    await server.dispose()
  }
}

type Company = {
  readonly people: readonly Person[]
  readonly tally: Tally
  readonly readiness: Readiness
  readonly rig: Rig
  readonly dice: Dice
  readonly longerMs: number
  readonly say: (line: string) => void
}

/** Everyone was heard since, nobody waits, and the server says that it is ready. */
async function settled({ people, tally, readiness }: Company, when: string): Promise<void> {
  const before = people.map(({ acks }) => acks)
  const done = () => readiness.ready && people.every(({ acks }, index) => acks > (before[index] ?? 0))
  if (await tally.watch.until(done, RECOVER_MS)) return
  const stuck = people.filter(({ acks }, index) => acks <= (before[index] ?? 0)).map(({ doing }) => doing)
  tally.broken(
    `${when}: not all well again within ${RECOVER_MS} ms (ready: ${readiness.ready}; waiting for ${stuck.join(', ') || 'nothing'})`,
  )
}

async function pass(company: Company, trouble: Trouble): Promise<void> {
  const { rig, tally, dice, longerMs, say } = company
  const started = performance.now()
  await trouble.begin(rig)
  try {
    if (trouble.away) await showAway(company, trouble)
    else await showFailures(company, trouble)
    await new Promise((resolve) => setTimeout(resolve, dice.below(longerMs)))
  } finally {
    await trouble.end(rig)
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const back = performance.now()
  await settled(company, `after ${trouble.name}`)
  tally.count('troubles')
  say(`${trouble.name}: ${seconds} s, all well ${((performance.now() - back) / 1000).toFixed(1)} s later`)
}

/** While nothing can be saved: sends are refused, an end is told as not saved and holds the next send, readiness is off, memory is read. */
async function showAway({ people, tally, readiness, dice }: Company, { name }: Trouble): Promise<void> {
  const signs = [
    'sends refused as store_unavailable',
    'runs ended as store_unavailable',
    'sends refused while an answer waited to be saved',
  ]
  const before = signs.map((sign) => tally.get(sign))
  const notReady = readiness.refusals
  const tab = dice
    .pick([people[0], ...people])
    ?.openTab()
    .catch((thrown: unknown) => {
      tally.broken(`${name}: a second tab was turned away: ${String(thrown)}`)
    })
  const shown = () => readiness.refusals > notReady && signs.every((sign, at) => tally.get(sign) > (before[at] ?? 0))
  if (!(await tally.watch.until(shown, SHOW_MS))) {
    const missing = signs.filter((sign, at) => tally.get(sign) <= (before[at] ?? 0))
    if (readiness.refusals <= notReady) missing.push('/readyz 503')
    tally.broken(`${name}: within ${SHOW_MS} ms there was no sign of: ${missing.join(', ')}`)
  }
  await tab
}

/** While single statements fail, people go on being answered. */
async function showFailures({ people, tally, rig }: Company, { name }: Trouble): Promise<void> {
  const [failures, before] = [rig.proxy.done, people.map(({ acks }) => acks)]
  const shown = () =>
    rig.proxy.done - failures >= ENOUGH_FAILURES && people.every(({ acks }, index) => acks > (before[index] ?? 0))
  if (!(await tally.watch.until(shown, SHOW_MS))) tally.broken(`${name}: not everyone was served within ${SHOW_MS} ms`)
  tally.count(`${name}, times`, rig.proxy.done - failures)
}

async function end(company: Company, talks: readonly Promise<void>[]): Promise<void> {
  const { people, tally } = company
  for (const person of people) person.leave()
  let left = talks.length
  for (const talk of talks) {
    talk.then(
      () => left-- && tally.watch.nudge(),
      (thrown: unknown) => tally.broken(String(thrown)),
    )
  }
  if (!(await tally.watch.until(() => left === 0, RECOVER_MS)))
    tally.broken(`at the end ${left} people still waited: ${people.map(({ doing }) => doing).join(', ')}`)
}

function shuffled(troubles: readonly Trouble[], dice: Dice): Trouble[] {
  return troubles
    .map((trouble) => ({ trouble, place: dice.next() }))
    .sort((a, b) => a.place - b.place)
    .map(({ trouble }) => trouble)
}

/** Asks /readyz over and over, as a load balancer does. */
class Readiness {
  readonly #url: string
  readonly #tally: Tally
  #stopped = false
  ready = false
  refusals = 0

  constructor(url: string, tally: Tally) {
    this.#url = url
    this.#tally = tally
    void this.#probe()
  }

  stop(): void {
    this.#stopped = true
  }

  async #probe(): Promise<void> {
    while (!this.#stopped) {
      const response = await fetch(`${this.#url}/readyz`).catch(() => undefined)
      const reasons = await response?.text()
      this.ready = response?.status === 200
      if (response?.status === 503 && reasons?.includes('store_unavailable')) this.refusals++
      else if (!this.ready && !this.#stopped) this.#tally.broken(`/readyz answered ${response?.status ?? 'nothing'}`)
      this.#tally.count(`/readyz answered ${response?.status ?? 'nothing'}`)
      await new Promise((resolve) => setTimeout(resolve, PROBE_MS))
    }
  }
}
