import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { type MintedKey, mintKey } from '../../../src/access/keys.ts'
import { ADMIN_ROUTES } from '../../../src/http/admin/table.ts'
import type { RouteSpec } from '../../../src/http/route.ts'
import type { KeyRow } from '../../../src/ports/keys.ts'
import { isErrorCode } from '../../../src/protocol/errors.ts'
import { LiveServer } from '../../support/live-server.ts'
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts'

export type Answered = { readonly status: number; readonly body: Record<string, unknown>; readonly text: string }

const ROWS: readonly RouteSpec[] = Object.values(ADMIN_ROUTES)
const Refusal = v.strictObject({
  error: v.strictObject({
    code: v.pipe(v.string(), v.check(isErrorCode)),
    message: v.string(),
    retry_after: v.optional(v.number()),
  }),
})

/** A definition that can be stored. */
export function definition(id: string, over: object = {}): Record<string, unknown> {
  return { id, name: id, preamble: 'Be brief.', model: { default: 'scripted/demo' }, ...over }
}

/** A whole server on a real Postgres with two accounts: `acme` has the App `shop`, `globex` the App `bank`. */
export class AdminRig {
  readonly server: LiveServer
  readonly database: TestDatabase
  readonly #keys = new Map<string, MintedKey>()

  private constructor(server: LiveServer, database: TestDatabase) {
    this.server = server
    this.database = database
  }

  static async open(): Promise<AdminRig> {
    const database = await createTestDatabase()
    const access = { plans: new Map([['tiny', { perHour: 1000, perMinute: 1000 }]]) }
    const server = await LiveServer.start({ transport: 'ws', database: database.connection, access })
    const rig = new AdminRig(server, database)
    for (const [id, account] of [
      ['shop', 'acme'],
      ['bank', 'globex'],
    ] as const)
      await server.store.putApp({ id, account, definition: definition(id), updatedAt: Date.now() })
    return rig
  }

  async close(): Promise<void> {
    await this.server.close()
    await this.database.drop()
  }

  /** The same key for the same wish; by default an admin's of `acme`. */
  async key(over: Partial<KeyRow> = {}): Promise<MintedKey> {
    const name = createHash('sha256').update(JSON.stringify(over)).digest('hex')
    const known = this.#keys.get(name)
    if (known !== undefined) return known
    const minted = await mintKey(over.kind ?? 'secret')
    const { id, kind, hash } = minted
    const scopes = ['read', 'admin'] as const
    const row = { id, kind, hash, account: 'acme', apps: ['shop'], scopes, origins: [], addresses: [], createdAt: 1 }
    await this.server.store.createKey({ ...row, ...over })
    this.#keys.set(name, minted)
    return minted
  }

  async admin(over: Partial<KeyRow> = {}): Promise<string> {
    return (await this.key(over)).key
  }

  async operator(): Promise<string> {
    return this.admin({ scopes: ['operator'], apps: [], account: 'default' })
  }

  /** The answer, once it was held against what its row in the table says. */
  async ask(key: string, method: string, path: string, body?: unknown, headers: object = {}): Promise<Answered> {
    const response = await fetch(`http://127.0.0.1:${this.server.port}${path}`, {
      method,
      headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const [type] = (response.headers.get('content-type') ?? '').split(';')
    const isJson = type === 'application/json'
    const parsed: unknown = isJson ? JSON.parse(text) : {}
    check(method, path, response.status, parsed)
    return { status: response.status, body: v.parse(v.record(v.string(), v.unknown()), parsed), text }
  }
}

function check(method: string, path: string, status: number, body: unknown): void {
  if (status >= 400) return void v.parse(Refusal, body)
  const [plain = ''] = path.split('?')
  const row = ROWS.find((each) => each.method === method && pattern(each.path).test(plain))
  const answer = row?.answers[status]
  if (answer === undefined) throw new Error(`${method} ${plain} answered ${status}, which its row does not know`)
  if (answer.schema !== undefined) v.parse(answer.schema, body)
}

function pattern(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`)
}

/** The code of a refusal. */
export function codeOf({ body }: Answered): string | undefined {
  const parsed = v.safeParse(Refusal, body)
  return parsed.success ? parsed.output.error.code : undefined
}

export function messageOf({ body }: Answered): string {
  return v.parse(Refusal, body).error.message
}
