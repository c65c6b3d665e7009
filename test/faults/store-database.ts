import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { NetConnectOpts } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Sql } from 'postgres'
import { type Connection, connect } from '../../src/storage/connection.ts'
import { type EmbeddedPostgres, startEmbedded } from '../../src/storage/embedded.ts'

/** Others may pass through: a server that runs as nobody must reach its data. */
const PASSABLE = 0o711
const POSTGRES_PORT = 5432
/** Milliseconds between tries of a look into a server that is down, and until it is given up. */
const [LOOK_AGAIN_MS, LOOK_MS] = [50, 20_000]

/** The Postgres behind the proxy: an embedded one of the fault's own, or a database on a server that was given. */
export class FaultDatabase {
  readonly #given: string | undefined
  readonly #name: string
  readonly #dataDir: string | undefined
  #embedded: EmbeddedPostgres | undefined
  #sql: Sql | undefined

  private constructor(given: string | undefined) {
    this.#given = given
    this.#name = given === undefined ? 'postgres' : `parley_fault_${randomBytes(6).toString('hex')}`
    if (given !== undefined) return
    this.#dataDir = mkdtempSync(join(tmpdir(), 'parley-fault-'))
    chmodSync(this.#dataDir, PASSABLE)
  }

  static async open(given: string | undefined): Promise<FaultDatabase> {
    const database = new FaultDatabase(given)
    await database.start()
    if (given !== undefined) await database.#admin(`create database ${database.#name}`)
    database.#sql = connect(database.#connection(), { max: 2 })
    return database
  }

  /** The server is the fault's own: it may be stopped and paused. */
  get owned(): boolean {
    return this.#given === undefined
  }

  /** Where a proxy forwards to. */
  get target(): NetConnectOpts {
    if (this.#embedded !== undefined) {
      const { socketDir, port } = this.#embedded.connection
      return { path: join(socketDir, `.s.PGSQL.${port}`) }
    }
    const { hostname, port } = new URL(this.#given ?? '')
    return { host: hostname, port: Number(port || POSTGRES_PORT) }
  }

  /** The address of this database behind a proxy on `port`. */
  urlThrough(port: number): string {
    const url = new URL(this.#given ?? 'postgres://postgres@127.0.0.1/')
    url.hostname = '127.0.0.1'
    url.port = String(port)
    url.pathname = `/${this.#name}`
    return url.href
  }

  async start(): Promise<void> {
    if (this.#dataDir === undefined || this.#embedded !== undefined) return
    this.#embedded = await startEmbedded({ dataDir: this.#dataDir, log: () => {}, env: process.env })
  }

  async stop(): Promise<void> {
    const embedded = this.#embedded
    this.#embedded = undefined
    await embedded?.stop()
  }

  /** To the server and all its backends: each of them is a group of its own. */
  signalAll(signal: NodeJS.Signals): void {
    const file = join(this.#dataDir ?? '', 'postgres', 'postmaster.pid')
    const pid = Number(readFileSync(file, 'utf8').split('\n')[0])
    const list = `/proc/${pid}/task/${pid}/children`
    const children = existsSync(list) ? readFileSync(list, 'utf8').trim().split(' ').map(Number) : []
    for (const one of [pid, ...children]) process.kill(one, signal)
  }

  /** Looks past the proxy. While the server is down this waits until it is back. */
  async look<T>(query: (sql: Sql) => PromiseLike<T>): Promise<T> {
    const deadline = performance.now() + LOOK_MS
    for (;;) {
      try {
        return await query(this.#open())
      } catch (thrown) {
        if (performance.now() > deadline) throw thrown
        await delay(LOOK_AGAIN_MS)
      }
    }
  }

  async remove(): Promise<void> {
    await this.#sql?.end({ timeout: 1 })
    if (this.#given !== undefined) await this.#admin(`drop database if exists ${this.#name} with (force)`)
    await this.stop()
    if (this.#dataDir !== undefined) rmSync(this.#dataDir, { recursive: true, force: true })
  }

  #open(): Sql {
    if (this.#sql === undefined) throw new Error('the database is not open')
    return this.#sql
  }

  #connection(): Connection {
    if (this.#embedded !== undefined) return this.#embedded.connection
    const url = new URL(this.#given ?? '')
    url.pathname = `/${this.#name}`
    return { url: url.href }
  }

  async #admin(statement: string): Promise<void> {
    const sql = connect({ url: this.#given ?? '' }, { max: 1 })
    await sql.unsafe(statement)
    await sql.end()
  }
}
