import { randomUUID } from 'node:crypto'
import type { Sql } from 'postgres'
import { decodeServerFrame } from '../../src/protocol/codec.ts'
import type { Event } from '../../src/protocol/events.ts'
import { LiveClient } from '../support/live-server.ts'
import { WireAudit } from '../support/wire-audit.ts'
import { CANARY } from './upstream-canaries.ts'
import type { Case } from './upstream-cases.ts'
import { ordinary, type Told } from './upstream-said.ts'
import type { Script } from './upstream-script.ts'

/** Milliseconds within which the server has let go of a request whose run is over. */
const LET_GO_MS = 2000
/** Milliseconds for a conversation: twice the longest run of the full form. */
const GIVE_UP_MS = 30_000
/** UTF-16 units of a partial answer that surely fit the next request's context. */
const FITS_CONTEXT = 100_000
const AGAIN = ordinary('Now it works.')

type Terminal = Extract<Event, { type: 'RUN_FINISHED' | 'RUN_ERROR' }>
type RunFacts = { error_code: string | null; status: string; tokens: Tokens[] | null }
type Tokens = { inputTokens: number; outputTokens: number }

/** One session that meets one case, then goes on; and what must hold of it. */
export class Conversation {
  readonly violations: string[] = []
  readonly #case: Case
  readonly #key: string
  readonly #script: Script
  readonly #port: number
  readonly #session = randomUUID()
  #client: LiveClient | undefined

  constructor(one: Case, key: string, script: Script, port: number) {
    this.#case = one
    this.#key = key
    this.#script = script
    this.#port = port
    script.set(
      key,
      [...one.told, AGAIN].map(({ reply }) => reply),
    )
  }

  get runs(): number {
    return this.#terminals.length
  }

  get terminals(): number {
    return this.#terminals.length
  }

  /** Every frame so far, as it came. */
  get frames(): readonly string[] {
    return this.#client?.socket.frames ?? []
  }

  /** UTF-16 units of what was said before the fault. */
  get kept(): number {
    return this.#case.ends === 'success' ? 0 : this.#text(0).length
  }

  /** What the API told, each request once. */
  get tokens(): { readonly input: number; readonly output: number } {
    const said = [...this.#case.told, AGAIN].map((told) => told.said.tokens)
    return {
      input: said.reduce((sum, one) => sum + (one?.input ?? 0), 0),
      output: said.reduce((sum, one) => sum + (one?.output ?? 0), 0),
    }
  }

  /** The run that fails, then the next message; a run without an end is a violation (I1). */
  async play(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), GIVE_UP_MS)
    })
    const played = this.#play().catch((thrown: unknown) => this.#broken(String(thrown)))
    if ((await Promise.race([played, late])) === 'late') this.#broken('I1: no end was seen of a run')
    clearTimeout(timer)
  }

  async #play(): Promise<void> {
    const client = await LiveClient.connect(this.#port, this.#session)
    this.#client = client
    await client.ask(`${this.#key} ${CANARY.words}`)
    const first = this.#script.requests(this.#key)
    this.#expect('requests upstream', first.length, this.#case.told.length)
    await this.#letGo()
    await client.ask(`${this.#key} again`)
    const [next] = this.#script.requests(this.#key).slice(first.length)
    this.#expect('requests of the next message', this.#script.requests(this.#key).length, first.length + 1)
    const history = JSON.stringify(next?.body.messages) ?? ''
    for (const { said } of this.#case.told) {
      const isThere = history.includes(JSON.stringify(said.text.trim()).slice(1, -1))
      if (said.text.length < FITS_CONTEXT && !isThere) this.#broken(`I5: the next request lacks ${said.text}`)
    }
  }

  /** Holds frames and rows against each other and against what the API said. */
  async compare(sql: Sql): Promise<readonly string[]> {
    const found: string[] = []
    const audit = new WireAudit()
    for (const text of this.frames) {
      const frame = decodeServerFrame(text)
      if (frame === undefined) found.push(`not a frame: ${text}`)
      else audit.see(frame, text)
    }
    found.push(...audit.faults, ...this.#compareTerminals(), ...(await this.#compareRows(sql)))
    return found.map((what) => this.#named(what))
  }

  get #events(): Event[] {
    return this.#client?.events ?? []
  }

  get #terminals(): Terminal[] {
    return this.#events.filter(
      (event): event is Terminal => event.type === 'RUN_FINISHED' || event.type === 'RUN_ERROR',
    )
  }

  get #expected(): { readonly text: string; readonly reasoning: string } {
    const join = (part: 'text' | 'reasoning') => this.#case.told.map(({ said }) => said[part]).join('')
    return this.#case.open
      ? { text: this.#text(0), reasoning: '' }
      : { text: join('text'), reasoning: join('reasoning') }
  }

  /** What the client was shown in its nth run. */
  #text(nth: number): string {
    let run = -1
    let text = ''
    for (const event of this.#events) {
      if (event.type === 'RUN_STARTED') run++
      if (event.type === 'TEXT_MESSAGE_CONTENT' && run === nth) text += event.delta
    }
    return text
  }

  async #letGo(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), LET_GO_MS)
    })
    const all = Promise.all(this.#script.requests(this.#key).map((request) => request.ended))
    if ((await Promise.race([all, late])) === 'late') this.#broken('a request was left open upstream')
    clearTimeout(timer)
  }

  #compareTerminals(): string[] {
    const [failed, next, ...more] = this.#terminals
    const ends = failed?.type === 'RUN_ERROR' ? (failed.code ?? '') : failed?.outcome?.type
    const found: string[] = []
    if (ends !== this.#case.ends) found.push(`I1: ended as ${ends}, not ${this.#case.ends}`)
    if (next?.type !== 'RUN_FINISHED') found.push(`the next message failed: ${JSON.stringify(next)}`)
    if (more.length > 0) found.push(`I1: ${more.length} terminal events too many`)
    found.push(...tokenFaults('the terminal event', this.#case.told, failed?.usage))
    if (this.#text(0) !== this.#expected.text) found.push('the client was shown another text than the API said')
    return found
  }

  async #compareRows(sql: Sql): Promise<string[]> {
    const runs = await sql<RunFacts[]>`
      select error_code, status, usage as tokens from runs where session_id = ${this.#session} order by position`
    const [failed] = runs
    const rows = await sql<{ role: string; content: string; interrupted: boolean }[]>`
      select m.role, m.content, m.interrupted from messages m join runs r on r.session_id = m.session_id and r.id = m.run_id
      where m.session_id = ${this.#session} and r.position = (select min(position) from runs where session_id = ${this.#session})
      order by m.index`
    const found: string[] = []
    const stored = (role: string) =>
      rows
        .filter((row) => row.role === role)
        .map(({ content }) => content)
        .join('')
    const { text, reasoning } = this.#expected
    if (stored('assistant') !== text)
      found.push(`the store holds ${stored('assistant').length} of ${text.length} characters of text`)
    if (!this.#case.open && stored('reasoning') !== reasoning) found.push('the store holds another reasoning')
    const succeeded = this.#case.ends === 'success'
    const last = rows.filter(({ role }) => role === 'assistant').at(-1)
    if (last !== undefined && last.interrupted === succeeded) found.push('the partial answer is not marked as such')
    const status = `${failed?.status} ${failed?.error_code ?? 'success'}`
    if (status !== `${succeeded ? 'finished' : 'failed'} ${this.#case.ends}`) found.push(`the store says ${status}`)
    if (runs.length !== 2) found.push(`${runs.length} runs in the store`)
    found.push(...tokenFaults('the store', this.#case.told, failed?.tokens ?? undefined))
    return found
  }

  #expect(what: string, is: number, should: number): void {
    if (is !== should) this.#broken(`${what}: ${is}, not ${should}`)
  }

  #broken(what: string): void {
    this.violations.push(this.#named(what))
  }

  #named(what: string): string {
    return `${this.#case.name}: ${what.slice(0, 300)}`
  }
}

function tokenFaults(where: string, told: readonly Told[], counted: readonly Tokens[] = []): string[] {
  const add = (numbers: readonly (number | undefined)[]) => numbers.reduce<number>((sum, one) => sum + (one ?? 0), 0)
  const should = `${add(told.map(({ said }) => said.tokens?.input))}/${add(told.map(({ said }) => said.tokens?.output))}`
  const is = `${add(counted.map((one) => one.inputTokens))}/${add(counted.map((one) => one.outputTokens))}`
  return is === should ? [] : [`${where} counts ${is} tokens, the API told ${should}`]
}
