import type { KeyRow } from '../../src/ports/keys.ts'
import type { AppRow, Change, MessageRow, OpenRun, RunRow, SessionRow, SessionWrite } from '../../src/ports/store.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import { isStorable } from '../../src/protocol/text.ts'

export type StoredRun = { readonly row: RunRow; readonly superseded: boolean }

/** One session's rows, by id. */
export type StoredSession = {
  readonly session: SessionRow
  readonly runs: ReadonlyMap<string, StoredRun>
  readonly messages: ReadonlyMap<string, MessageRow>
}

/** Milliseconds, as Postgres' store says. */
const BUSY_RETRY_MS = 1000
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** What a database is to the processes that share it. Rules as in src/storage/write-statement.ts; the contract suite holds both to them. */
export class MemoryWorld {
  readonly sessions = new Map<string, StoredSession>()
  readonly keys = new Map<string, KeyRow>()
  readonly accounts = new Map<string, { readonly plan?: string; readonly createdAt: number }>()
  readonly apps = new Map<string, AppRow>()
  readonly tickets = new Set<string>()
  secret: string | undefined
  sealingKey: string | undefined
  /** Sealed, by vault and name. */
  readonly vaults = new Map<string, Map<string, string>>()
  readonly nodes = new Set<string>()
  /** With the process that listens. */
  readonly listeners = new Map<(change: Change) => void, string>()

  tell(change: Change, concerns: (node: string) => boolean = () => true): void {
    for (const [listener, node] of this.listeners) if (concerns(node)) queueMicrotask(() => listener(change))
  }

  /** All of the write or, when it throws, nothing. */
  apply(given: SessionWrite, node: string): void {
    const write = clone(given)
    const before = this.sessions.get(write.sessionId)
    if (write.known && before?.session.createdAt !== write.session?.createdAt) throw new ParleyError('conflict')
    const session = written(before?.session, write.session)
    if (!UUID.test(write.sessionId)) throw new ParleyError('invalid_value')
    if (!session || (before && !sameOwner(before.session, session))) throw new ParleyError('conflict')
    if (before) checkFences(before, write, node)
    const runs = new Map(before && supersede(before.runs, write))
    for (const { superseded = false, ...row } of write.runs ?? [])
      runs.set(row.id, { row, superseded: superseded || runs.get(row.id)?.superseded === true })
    const messages = new Map(before?.messages)
    for (const message of write.messages ?? []) {
      const taken = messages.get(message.id)
      if (!runs.has(message.runId) || (taken && taken.runId !== message.runId)) throw new ParleyError('conflict')
      messages.set(message.id, message)
    }
    for (const { id, runId, from, text } of write.tails ?? []) {
      if (!runs.has(runId)) throw new ParleyError('conflict')
      const held = messages.get(id)
      const characters = Array.from(held?.content ?? '')
      const grows = characters.length >= from && characters.length < from + Array.from(text).length
      if (held?.runId === runId && grows)
        messages.set(id, { ...held, content: characters.slice(0, from).join('') + text })
    }
    if ([...runs.values()].filter(({ row }) => row.status === 'running').length > 1)
      throw new ParleyError('overloaded', { retryAfterMs: BUSY_RETRY_MS })
    const positions = [...runs.values()].flatMap(({ row }) => row.position ?? [])
    if (new Set(positions).size < positions.length) throw new ParleyError('conflict')
    this.sessions.set(write.sessionId, { session, runs, messages })
    if (write.session !== undefined || write.runs !== undefined)
      this.tell({ kind: 'session', id: write.sessionId }, (other) => other !== node)
  }

  openRun({ messages }: StoredSession, run: RunRow, userMessage = userMessageOf(messages, run.id)): OpenRun {
    const nodeAlive = run.status !== 'running' || (run.node !== undefined && this.nodes.has(run.node))
    return { run, ...(userMessage ? { userMessage } : {}), nodeAlive }
  }
}

/** The row as it is then: what the write leaves out stays, and `wallet: null` unbinds. */
function written(before: SessionRow | undefined, given: SessionWrite['session']): SessionRow | undefined {
  if (given === undefined) return before
  const { wallet, ...row } = given
  const kept = wallet === undefined ? before?.wallet : (wallet ?? undefined)
  const { wallet: _, ...rest }: SessionRow = before ?? row
  const isNamed = rest.titleBy === 'person' && row.titleBy !== undefined && row.titleBy !== 'person'
  const named = isNamed && rest.title !== undefined ? { title: rest.title, titleBy: rest.titleBy } : {}
  return { ...rest, ...row, ...named, createdAt: rest.createdAt, ...(kept === undefined ? {} : { wallet: kept }) }
}

/** A copy as a database would give it back: no `undefined`. Throws `invalid_value` on text that Postgres refuses. */
function clone<T>(value: T): T {
  const check = (_: string, part: unknown) => {
    if (typeof part === 'string' && !isStorable(part)) throw new ParleyError('invalid_value')
    return part
  }
  return JSON.parse(JSON.stringify(value, check))
}

export function sameOwner(a: SessionRow, b: Pick<SessionRow, 'app' | 'account' | 'user'>): boolean {
  return a.app === b.app && a.account === b.account && a.user === b.user
}

function checkFences({ runs }: StoredSession, write: SessionWrite, node: string): void {
  const own = new Map(write.runs?.map((run) => [run.id, run]))
  for (const id of new Set([
    ...own.keys(),
    ...[...(write.messages ?? []), ...(write.tails ?? [])].map(({ runId }) => runId),
  ])) {
    const stored = runs.get(id)?.row
    if (!stored) continue
    const row = own.get(id)
    const writer = row ? row.node : node
    const elsewhere = stored.node !== undefined && writer !== undefined && stored.node !== writer
    const closed = stored.status !== 'queued' && stored.status !== 'running'
    const refused = row ? stored.fence > row.fence || (stored.fence === row.fence && elsewhere) : elsewhere || closed
    if (refused) throw new ParleyError('conflict')
  }
}

function supersede(runs: ReadonlyMap<string, StoredRun>, write: SessionWrite): ReadonlyMap<string, StoredRun> {
  const from = write.supersedeFromRun === undefined ? undefined : runs.get(write.supersedeFromRun)?.row.position
  if (from === undefined) return runs
  const keep = new Set(write.runs?.map(({ id }) => id))
  const leaves = ({ row }: StoredRun) => row.position !== undefined && row.position >= from && !keep.has(row.id)
  return new Map([...runs].map(([id, run]) => [id, leaves(run) ? { ...run, superseded: true } : run]))
}

function userMessageOf(messages: ReadonlyMap<string, MessageRow>, runId: string): MessageRow | undefined {
  const own = [...messages.values()].filter((message) => message.runId === runId && message.role === 'user')
  return own.sort((a, b) => a.index - b.index)[0]
}
