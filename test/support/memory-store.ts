import { randomBytes } from 'node:crypto'
import type {
  Change,
  ChangeFeed,
  CommitOptions,
  HistoryPage,
  HistoryQuery,
  LoadedSession,
  MessageRow,
  OpenRun,
  Owner,
  RunRef,
  RunWord,
  SessionChoice,
  SessionPlace,
  SessionRow,
  SessionStore,
  SessionSummary,
  SessionWrite,
  StoredRun,
} from '../../src/ports/store.ts'
import type { UsageStore } from '../../src/ports/usage.ts'
import { SESSION_VAULT } from '../../src/ports/vault.ts'
import { type ErrorCode, ParleyError } from '../../src/protocol/errors.ts'
import { utf8Length } from '../../src/protocol/text.ts'
import { MemoryKeys } from './memory-keys.ts'
import { MemoryWorld, type StoredRun as RunInMemory, sameOwner } from './memory-world.ts'

/** The store of one process, in memory, with the same rules as Postgres and handles to make it fail. */
export function createMemoryStore(node?: string): MemoryStore {
  return new MemoryStore(new MemoryWorld(), node)
}

type Waiting = {
  readonly write: SessionWrite
  readonly resolve: () => void
  readonly reject: (error: ParleyError) => void
  timer?: NodeJS.Timeout
}

export class MemoryStore extends MemoryKeys implements SessionStore, UsageStore, ChangeFeed {
  readonly node: string
  /** Every write that was stored by this process, oldest first. */
  readonly commits: SessionWrite[] = []
  readonly #world: MemoryWorld
  #waiting: Waiting[] = []
  #away = false
  #held = false
  readonly #refusals: ErrorCode[] = []

  constructor(world: MemoryWorld, node = randomBytes(8).toString('hex')) {
    super(world, () => this.#answer())
    this.#world = world
    this.node = node
    world.nodes.add(node)
  }

  /** Another process on the same data. */
  fork(node?: string): MemoryStore {
    return new MemoryStore(this.#world, node)
  }

  /** The process is gone, without a word; its runs are nobody's. */
  die(): void {
    this.#world.nodes.delete(this.node)
    this.goDeaf()
  }

  /** Nothing that others change is heard any more. */
  goDeaf(): void {
    for (const [listener, node] of this.#world.listeners) if (node === this.node) this.#world.listeners.delete(listener)
  }

  /** Reads fail; commits wait as long as they may. */
  goAway(): void {
    this.#away = true
  }

  comeBack(): void {
    this.#away = false
    this.#drain()
  }

  /** Commits wait until `release`; reads go on. */
  hold(): void {
    this.#held = true
  }

  release(): void {
    this.#held = false
    this.#drain()
  }

  /** The next commit that is tried is refused with this code, and not stored. */
  refuseNext(code: ErrorCode): void {
    this.#refusals.push(code)
  }

  /** Commits that wait. */
  get waiting(): number {
    return this.#waiting.length
  }

  commit(write: SessionWrite, { giveUpAfterMs }: CommitOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { write, resolve, reject }
      this.#waiting.push(waiting)
      if ((this.#away || this.#held) && giveUpAfterMs !== 'never') {
        waiting.timer = setTimeout(() => this.#giveUp(waiting), giveUpAfterMs)
      }
      queueMicrotask(() => this.#drain())
    })
  }

  #giveUp(waiting: Waiting): void {
    this.#waiting = this.#waiting.filter((other) => other !== waiting)
    waiting.reject(new ParleyError('store_unavailable'))
  }

  #drain(): void {
    if (this.#away || this.#held) return
    for (const { write, resolve, reject, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer)
      try {
        const refusal = this.#refusals.shift()
        if (refusal) throw new ParleyError(refusal)
        this.#world.apply(write, this.node)
        this.commits.push(write)
        resolve()
      } catch (error) {
        reject(error instanceof ParleyError ? error : new ParleyError('internal_error', { cause: error }))
      }
    }
  }

  async #answer(): Promise<void> {
    if (this.#away) throw new ParleyError('store_unavailable')
  }

  async tokensSince(app: string, since: number): Promise<number> {
    await this.#answer()
    const own = [...this.#world.sessions.values()].filter(({ session }) => session.app === app)
    const ended = own.flatMap(({ runs }) => [...runs.values()]).filter(({ row }) => (row.endedAt ?? 0) >= since)
    const usages = ended.flatMap(({ row }) => row.usage ?? [])
    return usages.reduce((sum, { inputTokens, outputTokens }) => sum + inputTokens + outputTokens, 0)
  }

  async load(sessionId: string): Promise<LoadedSession | undefined> {
    await this.#answer()
    const stored = this.#world.sessions.get(sessionId)
    if (!stored) return undefined
    const runs = [...stored.runs.values()]
    const started = runs.filter(({ row }) => row.position !== undefined).sort(byPosition)
    const last = started.findLast(
      ({ row, superseded }) => !superseded && row.status !== 'running' && row.status !== 'queued',
    )
    const open = [
      ...runs.filter(({ row }) => row.status === 'running'),
      ...runs.filter(({ row }) => row.status === 'queued').sort((a, b) => a.row.queuedAt - b.row.queuedAt),
    ]
    return {
      session: stored.session,
      openRuns: open.map(({ row }) => this.#world.openRun(stored, row)),
      ...(last ? { lastRun: last.row } : {}),
      lastPosition: started.at(-1)?.row.position ?? 0,
    }
  }

  async history(sessionId: string, query: HistoryQuery): Promise<HistoryPage> {
    await this.#answer()
    const stored = this.#world.sessions.get(sessionId)
    if (!stored) return { messages: [], hasMore: false }
    const place = ({ runId, index }: MessageRow): [number, number] => [
      stored.runs.get(runId)?.row.position ?? Number.NaN,
      index,
    ]
    const before = query.before === undefined ? undefined : stored.messages.get(query.before)
    if (query.before !== undefined && !before) return { messages: [], hasMore: false }
    const shown = [...stored.messages.values()].filter((message) => {
      const run = stored.runs.get(message.runId)
      return (
        run?.row.position !== undefined && !run.superseded && (!before || compare(place(message), place(before)) < 0)
      )
    })
    return cut(
      shown.sort((a, b) => compare(place(a), place(b))),
      query,
    )
  }

  async findSend(sessionId: string, clientMessageId: string): Promise<OpenRun | undefined> {
    await this.#answer()
    const stored = this.#world.sessions.get(sessionId)
    const message = stored?.messages.get(clientMessageId)
    const run = message?.role === 'user' ? stored?.runs.get(message.runId) : undefined
    return stored && run && this.#world.openRun(stored, run.row, message)
  }

  async findRun(sessionId: string, runId: string): Promise<StoredRun | undefined> {
    await this.#answer()
    const run = this.#world.sessions.get(sessionId)?.runs.get(runId)
    return run && { ...run.row, ...(run.superseded ? { superseded: true } : {}) }
  }

  async isRunTaken(sessionId: string, runId: string): Promise<boolean> {
    await this.#answer()
    const stored = this.#world.sessions.get(sessionId)
    const isIts = (id: string): boolean => id.startsWith(`${runId}-`) && /^\d+$/.test(id.slice(runId.length + 1))
    return stored !== undefined && (stored.runs.has(runId) || [...stored.messages.keys()].some(isIts))
  }

  get others(): number {
    return this.#world.nodes.size - 1
  }

  async runMessages(runs: readonly RunRef[]): Promise<ReadonlyMap<string, readonly MessageRow[]>> {
    await this.#answer()
    const found = runs.map(({ sessionId, runId }): [string, readonly MessageRow[]] => {
      const all = [...(this.#world.sessions.get(sessionId)?.messages.values() ?? [])]
      return [sessionId, all.filter((row) => row.runId === runId).sort((a, b) => a.index - b.index)]
    })
    return new Map(found.filter(([, rows]) => rows.length > 0))
  }

  async tellElsewhere(word: RunWord, runs: readonly (RunRef & { readonly node: string })[]): Promise<void> {
    await this.#answer()
    for (const { node, ...run } of runs) this.#world.tell({ kind: word, ...run }, (other) => other === node)
  }

  async list(
    owner: Owner,
    limit: number,
    { before = Number.POSITIVE_INFINITY, wallet, proven = false }: SessionChoice = {},
  ): Promise<readonly SessionSummary[]> {
    await this.#answer()
    const own = [...this.#world.sessions.values()].flatMap(({ session }) =>
      sameOwner(session, owner) &&
      (wallet === undefined || session.wallet?.address === wallet) &&
      (!proven || session.wallet?.proven)
        ? [session]
        : [],
    )
    const newest = own.filter((each) => isBefore(each, before)).sort((a, b) => (isBefore(a, b) ? 1 : -1))
    return newest.slice(0, limit).map(({ id, title, status, archived, updatedAt }) => {
      const names = { ...(title === undefined ? {} : { title }), ...(archived === undefined ? {} : { archived }) }
      return { id, ...names, status, updatedAt }
    })
  }

  async delete(sessionId: string, only?: Pick<SessionRow, 'createdAt' | 'updatedAt'>): Promise<boolean> {
    await this.#answer()
    const row = this.#world.sessions.get(sessionId)?.session
    if (only !== undefined && (row?.createdAt !== only.createdAt || row?.updatedAt !== only.updatedAt)) return false
    const deleted = this.#world.sessions.delete(sessionId)
    this.#world.vaults.delete(SESSION_VAULT + sessionId)
    if (deleted) this.#world.tell({ kind: 'session', id: sessionId, removed: true })
    return deleted
  }

  ping(): Promise<void> {
    return this.#answer()
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.#world.listeners.set(listener, this.node)
    return () => this.#world.listeners.delete(listener)
  }
}

function byPosition(a: RunInMemory, b: RunInMemory): number {
  return (a.row.position ?? 0) - (b.row.position ?? 0)
}

function compare(a: readonly [number, number], b: readonly [number, number]): number {
  return a[0] - b[0] || a[1] - b[1]
}

/** The newest that fit, oldest first. */
function cut(messages: readonly MessageRow[], { maxMessages, maxBytes }: HistoryQuery): HistoryPage {
  let [start, bytes] = [messages.length, 0]
  while (start > 0 && messages.length - start < maxMessages) {
    bytes += utf8Length(messages[start - 1]?.content ?? '')
    if (bytes > maxBytes && start < messages.length) break
    start -= 1
  }
  return { messages: messages.slice(start), hasMore: start > 0 }
}

function isBefore({ updatedAt, id }: SessionPlace, place: SessionPlace | number): boolean {
  if (typeof place === 'number') return updatedAt < place
  return updatedAt < place.updatedAt || (updatedAt === place.updatedAt && id < place.id)
}
