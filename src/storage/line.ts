import type { PendingQuery, Sql } from 'postgres'
import { answerOf, type Connection, connect, discard, type Patience, within } from './connection.ts'
import { StoreFault, toFault } from './faults.ts'

export type LineOptions = {
  readonly connection: Connection
  readonly patience: Patience
  /** Runs first on every connection, before any query: takes locks, listens. */
  readonly prepare: (sql: Sql) => Promise<void>
  readonly onnotify?: () => void
  /** The connection that was prepared is gone. */
  readonly onlost?: () => void
}

/** One connection whose session state matters. The driver's own silent reconnect would lose that state, so a line never uses it. */
export class Line {
  readonly #options: LineOptions
  #sql: Sql | undefined
  #opening: Promise<Sql> | undefined
  #closed = false

  constructor(options: LineOptions) {
    this.#options = options
  }

  /** Rejects with a StoreFault. After `away` and after silence the next query starts on a new connection. */
  async query<T extends object>(build: (sql: Sql) => PendingQuery<T[]>): Promise<T[]> {
    let sql: Sql | undefined
    try {
      sql = await this.#ready()
      return await answerOf(build(sql), this.#options.patience.answerMs)
    } catch (error) {
      const fault = toFault(error)
      if (sql && (fault.kind === 'away' || fault.isSilence)) this.#drop(sql)
      throw fault
    }
  }

  #ready(): Promise<Sql> {
    if (this.#sql) return Promise.resolve(this.#sql)
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #open(): Promise<Sql> {
    const { connection, patience, prepare, onnotify } = this.#options
    let lost = false
    const onclose = () => {
      lost = true
      this.#drop(sql)
    }
    const sql: Sql = connect(connection, { max: 1, patience, keepForever: true, onnotify, onclose })
    try {
      await within(prepare(sql), patience.answerMs)
      if (lost) throw new StoreFault('away', 'connection lost')
    } catch (error) {
      void discard(sql)
      throw error
    }
    if (this.#closed) void discard(sql)
    else this.#sql = sql
    return sql
  }

  #drop(sql: Sql): void {
    if (this.#sql !== sql) return
    this.#sql = undefined
    void discard(sql)
    this.#options.onlost?.()
  }

  async close(): Promise<void> {
    this.#closed = true
    const sql = this.#sql
    this.#sql = undefined
    if (sql) await discard(sql)
  }
}
