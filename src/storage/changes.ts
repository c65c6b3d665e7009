import type { Fragment, ISql } from 'postgres'
import type { Change, ChangeFeed } from '../ports/store.ts'
import type { Connection, Patience } from './connection.ts'
import { toFault } from './faults.ts'
import type { UseHealth } from './health.ts'
import { Line } from './line.ts'
import { joinNodes, selectNodes, selectUptime, takeLock } from './node-lock.ts'
import type { NodeWatch } from './node-watch.ts'
import { isStop, readSessionChange } from './session-changes.ts'

const CHANNEL = 'parley_changes'
/** SQL that wakes the readers once its statement is committed. */
export const NOTIFY = `pg_notify('${CHANNEL}', '')`
/** Milliseconds between reads of the table; a notice only makes the next one come at once. A poolers' broken LISTEN costs no more than this. */
const POLL_MS = 500
/** Milliseconds of changes before the last read that every read covers: transactions do not become visible in the order of their times. */
const WINDOW_MS = 10_000
/** Milliseconds for which what processes wrote to sessions is kept: far above what any read of theirs covers. */
const PRUNE_MS = 60_000
/** Milliseconds for which stops are kept: no state shows them to a process that stood still, as on a machine that was paused. */
const PRUNE_STOPS_MS = 3_600_000
/** Milliseconds after which every process that was there before knows of this one. */
const KNOWN_MS = 3 * POLL_MS
/** Milliseconds between two reads after which changes may have been pruned unseen, and a process is far behind. */
const STALE_MS = 8000

/** `at`: the server's clock, in milliseconds. One's own stands still where the machine does. */
type Reading = { readonly at: number; readonly records: readonly ChangeRecord[] }
type ChangeRecord = { readonly id: string; readonly kind: 'key' | 'app' | 'session' | 'account'; readonly ref: string }

/** Part of a statement that changes something: CTEs that record the change of each `ref` that `rows` selects. Add `notify` to its result. */
export function recordChange(sql: ISql, kind: ChangeRecord['kind'], rows: Fragment): Fragment {
  return sql`changed as (
    insert into changes (kind, ref) select ${kind}::change_kind, x.ref from (${rows}) x (ref)
  ), pruned as (
    delete from changes where at < now() - interval '1 hour'
  )`
}

/** A column of the result of a statement that records changes: wakes the readers once it is committed. */
export function notify(sql: ISql): Fragment {
  return sql.unsafe(NOTIFY)
}

export type ChangesOptions = {
  readonly connection: Connection
  readonly patience: Patience
  readonly node: string
  readonly health: UseHealth
  /** Is told what is seen of all locks. */
  readonly watch: NodeWatch
  /** Opens no sessions: other processes do not count it. */
  readonly visitor: boolean
  /** Others may have used the server before this process began. */
  readonly shared: boolean
  readonly windowMs?: number
}

/**
 * The process's connection of its own: holds the lock that says this node lives, listens, and reads what changed. Each
 * change is told once; after a gap, `everything`.
 */
export class Changes implements ChangeFeed {
  readonly #options: ChangesOptions
  readonly #line: Line
  readonly #listeners = new Set<(change: Change) => void>()
  #seen = new Set<string>()
  /** Of the last reading. */
  #readAt: number | undefined
  /** The connection was lost since: there may be another server at its end. */
  #lostSince = false
  #lostAt = Number.NEGATIVE_INFINITY
  #reading = false
  #again = false
  #timer: NodeJS.Timeout | undefined
  #known: NodeJS.Timeout | undefined
  #others = 0
  #countedAt = Number.NEGATIVE_INFINITY
  #prunedAt = performance.now()
  #closed = false

  constructor(options: ChangesOptions) {
    this.#options = options
    this.#line = new Line({
      connection: options.connection,
      patience: options.patience,
      prepare: async (sql) => {
        await takeLock(sql, options.node)
        if (!options.visitor) await joinNodes(sql)
        await sql.unsafe(`listen ${CHANNEL}`)
        options.watch.back()
      },
      onnotify: () => void this.#read(),
      onlost: () => this.#lost(),
    })
  }

  /** Rejects with a StoreFault when the store is away. */
  async open(): Promise<void> {
    if (this.#options.shared) {
      const [row] = await this.#line.query(selectUptime)
      if (row !== undefined) this.#options.watch.begin(row.ms)
    }
    await this.#count()
    this.#take(await this.#fetch())
    this.#later()
    // What they committed before they knew of this process they told nobody.
    if (this.#others > 0 && !this.#options.visitor) {
      this.#known = setTimeout(() => this.#tell({ kind: 'everything' }), KNOWN_MS)
      this.#known.unref()
    }
  }

  /** Other processes that open sessions here, as of the last count. */
  get others(): number {
    return this.#others
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#known)
    await this.#line.close()
  }

  /** Others take this process for dead when it has not its lock again soon. Where connections do not last, the next read is soon enough. */
  #lost(): void {
    this.#lostSince = true
    this.#options.watch.lost()
    const lastedMs = performance.now() - this.#lostAt
    this.#lostAt = performance.now()
    if (lastedMs >= POLL_MS) void this.#read()
  }

  /** All since the last reading, however long that was. */
  async #fetch(): Promise<Reading> {
    const { windowMs = WINDOW_MS } = this.#options
    const since = this.#readAt ?? null
    const [reading] = await this.#line.query(
      (sql) => sql<Reading[]>`
        select
          (extract(epoch from now()) * 1000)::float8 as at,
          coalesce(json_agg(json_build_object('id', c.id::text, 'kind', c.kind, 'ref', c.ref) order by c.id), '[]') as records
        from changes c
        where c.at > least(now(), to_timestamp(${since}::float8 / 1000)) - ${windowMs} * interval '1 millisecond'`,
    )
    return reading ?? { at: this.#readAt ?? 0, records: [] }
  }

  /** Those that were not seen before. */
  #take({ at, records }: Reading): readonly ChangeRecord[] {
    const news = records.filter(({ id }) => !this.#seen.has(id))
    this.#seen = new Set(records.map(({ id }) => id))
    this.#readAt = at
    this.#lostSince = false
    return news
  }

  async #count(): Promise<void> {
    if (performance.now() - this.#countedAt < POLL_MS) return
    const [row] = await this.#line.query(selectNodes)
    this.#others = row?.others ?? 0
    this.#options.watch.saw(row?.held ?? [])
    this.#countedAt = performance.now()
  }

  /** Here and not in the statement that writes: two of those would wait for each other's rows. */
  async #prune(): Promise<void> {
    if (performance.now() - this.#prunedAt < PRUNE_MS) return
    this.#prunedAt = performance.now()
    await this.#line.query(
      (sql) => sql`
        delete from changes where kind = 'session' and at < now() - interval '1 millisecond' *
          case when ${isStop(sql)} then ${PRUNE_STOPS_MS}::integer else ${PRUNE_MS}::integer end`,
    )
  }

  async #read(): Promise<void> {
    if (this.#reading || this.#closed) {
      this.#again = true
      return
    }
    this.#reading = true
    clearTimeout(this.#timer)
    do {
      this.#again = false
      await this.#readOnce()
    } while (this.#again && !this.#closed)
    this.#reading = false
    this.#later()
  }

  async #readOnce(): Promise<void> {
    try {
      await this.#count()
      const reading = await this.#fetch()
      this.#options.health.answered()
      const gap = this.#lostSince || Math.abs(reading.at - (this.#readAt ?? 0)) > STALE_MS
      const news = this.#take(reading).flatMap((record) => this.#changesIn(record))
      if (gap) this.#tell({ kind: 'everything' })
      // A stop is not part of what there is.
      for (const change of gap ? news.filter(({ kind }) => kind === 'cancel') : news) this.#tell(change)
      await this.#prune()
    } catch (error) {
      // Closing cut the read; the store answers.
      if (this.#closed) return
      this.#options.health.failed(toFault(error))
    }
  }

  #changesIn({ kind, ref }: ChangeRecord): readonly Change[] {
    return kind === 'session' ? readSessionChange(ref, this.#options.node) : [{ kind, id: ref }]
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) listener(change)
  }

  #later(): void {
    if (this.#closed) return
    this.#timer = setTimeout(() => void this.#read(), POLL_MS)
    this.#timer.unref()
  }
}
