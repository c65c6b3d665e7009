import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { routesOf } from '../../src/http/app.ts'
import { CommandSchema } from '../../src/protocol/commands.ts'
import { NO_ADMINISTRATION } from '../http/fake-administration.ts'
import { LiveServer } from '../support/live-server.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { openGate } from './fakes.ts'
import { ALIAS_FRAMES, type Outcome, tryAlias, tryCommand, tryRoute } from './matrix-attempts.ts'
import { type Attempt, PRINCIPALS, World } from './matrix-principals.ts'

/**
 * Who may do what (I9, I10): every command, every frame of the other wire and every route, by every kind of principal, as
 * matrix-principals.ts makes them. Each goes at a session that exists. A row or column that the code has and the tables do
 * not, or the other way round, fails.
 */
const MATRIX = [
  // Without a credential, and with keys that are good somewhere.
  `
                                     nobody     visitor    page       elsewhere  server     browser    otherapp   otherip
connect                              unauth     ok         ok         origin     ok         forbid     forbid     forbid
message.send                         unauth     ok         ok         origin     ok         forbid     forbid     forbid
run.cancel                           unauth     ok         ok         origin     ok         forbid     forbid     forbid
run.retry                            unauth     ok         ok         origin     ok         forbid     forbid     forbid
run.resume                           unauth     nothing    nothing    origin     nothing    forbid     forbid     forbid
tool.claim                           unauth     nothing    nothing    origin     nothing    forbid     forbid     forbid
tool.result                          unauth     nothing    nothing    origin     nothing    forbid     forbid     forbid
session.update                       unauth     ok         ok         origin     ok         forbid     forbid     forbid
history.get                          unauth     ok         ok         origin     ok         forbid     forbid     forbid
pong                                 unauth     ok         ok         origin     ok         forbid     forbid     forbid
alias connect                        unauth     ok         ok         origin     ok         forbid     forbid     forbid
alias run                            unauth     ok         ok         origin     ok         forbid     forbid     forbid
alias abort                          unauth     ok         ok         origin     ok         forbid     forbid     forbid
alias resume                         unauth     nothing    nothing    origin     nothing    forbid     forbid     forbid
GET /healthz                         ok         ok         ok         ok         ok         ok         ok         ok
GET /readyz                          ok         ok         ok         ok         ok         ok         ok         ok
GET /metrics                         ok         ok         ok         ok         ok         ok         ok         ok
GET /v1/auth/test                    unauth     unauth     ok         origin     ok         forbid     ok         forbid
GET /v1/app.schema.json              ok         ok         ok         ok         ok         ok         ok         ok
GET /v1/openapi.json                 ok         ok         ok         ok         ok         ok         ok         ok
GET /v1/sessions                     unauth     empty      empty      origin     ok         forbid     forbid     forbid
PATCH /v1/sessions/:id               unauth     ok         ok         origin     ok         forbid     forbid     forbid
DELETE /v1/sessions/:id              unauth     ok         ok         origin     ok         forbid     forbid     forbid
GET /v1/sessions/:id/export          unauth     ok         ok         origin     ok         forbid     forbid     forbid
DELETE /v1/users/:user               unauth     forbid     forbid     origin     ok         forbid     forbid     forbid
POST /v1/tickets                     unauth     unauth     forbid     origin     ok         forbid     forbid     forbid
GET /v1/admin/accounts               unauth     unauth     forbid     origin     forbid     forbid     forbid     forbid
GET /v1/admin/accounts/:account      unauth     unauth     forbid     origin     forbid     forbid     forbid     forbid
PATCH /v1/admin/accounts/:account    unauth     unauth     forbid     origin     forbid     forbid     forbid     forbid
GET /v1/admin/apps                   unauth     unauth     forbid     origin     forbid     forbid     forbid     forbid
GET /v1/admin/apps/:app              unauth     unauth     forbid     origin     forbid     forbid     forbid     forbid
PUT /v1/admin/apps/:app              unauth     unauth     forbid     origin     forbid     forbid     forbid     forbid
DELETE /v1/admin/apps/:app           unauth     unauth     forbid     origin     forbid     forbid     forbid     forbid
GET /v1/admin/keys                   unauth     unauth     forbid     origin     forbid     forbid     forbid     forbid
POST /v1/admin/keys                  unauth     unauth     forbid     origin     forbid     forbid     forbid     forbid
POST /v1/admin/keys/:key/rotate      unauth     unauth     forbid     origin     forbid     forbid     forbid     forbid
DELETE /v1/admin/keys/:key           unauth     unauth     forbid     origin     forbid     forbid     forbid     forbid
GET /v1/admin/sessions               unauth     unauth     forbid     origin     forbid     forbid     forbid     forbid
GET /v1/admin/sessions/:session      unauth     unauth     forbid     origin     forbid     forbid     forbid     forbid
DELETE /v1/admin/sessions/:session   unauth     unauth     forbid     origin     forbid     forbid     forbid     forbid
GET /v1/admin/sessions/:session/export unauth     unauth     forbid     origin     forbid     forbid     forbid     forbid
GET /v1/admin/usage                  unauth     unauth     forbid     origin     forbid     forbid     forbid     forbid
GET /v1/admin/audit                  unauth     unauth     forbid     origin     forbid     forbid     forbid     forbid
GET /*                               nothing    nothing    nothing    nothing    nothing    nothing    nothing    nothing
POST /*                              nothing    nothing    nothing    nothing    nothing    nothing    nothing    nothing
PUT /*                               nothing    nothing    nothing    nothing    nothing    nothing    nothing    nothing
PATCH /*                             nothing    nothing    nothing    nothing    nothing    nothing    nothing    nothing
DELETE /*                            nothing    nothing    nothing    nothing    nothing    nothing    nothing    nothing
`,
  // With keys that are no good, lack a scope, or are good for other sessions.
  `
                                     revoked    expired    wrong      reader     writer     deleter    stranger   tab
connect                              unauth     unauth     unauth     ok         forbid     forbid     absent     absent
message.send                         unauth     unauth     unauth     forbid     forbid     forbid     absent     absent
run.cancel                           unauth     unauth     unauth     forbid     forbid     forbid     absent     absent
run.retry                            unauth     unauth     unauth     forbid     forbid     forbid     absent     absent
run.resume                           unauth     unauth     unauth     forbid     forbid     forbid     absent     absent
tool.claim                           unauth     unauth     unauth     forbid     forbid     forbid     absent     absent
tool.result                          unauth     unauth     unauth     forbid     forbid     forbid     absent     absent
session.update                       unauth     unauth     unauth     forbid     forbid     forbid     absent     absent
history.get                          unauth     unauth     unauth     ok         forbid     forbid     absent     absent
pong                                 unauth     unauth     unauth     ok         forbid     forbid     absent     absent
alias connect                        unauth     unauth     unauth     ok         forbid     forbid     absent     absent
alias run                            unauth     unauth     unauth     forbid     forbid     forbid     absent     absent
alias abort                          unauth     unauth     unauth     forbid     forbid     forbid     absent     absent
alias resume                         unauth     unauth     unauth     forbid     forbid     forbid     absent     absent
GET /healthz                         ok         ok         ok         ok         ok         ok         ok         ok
GET /readyz                          ok         ok         ok         ok         ok         ok         ok         ok
GET /metrics                         ok         ok         ok         ok         ok         ok         ok         ok
GET /v1/auth/test                    unauth     unauth     unauth     ok         ok         ok         ok         ok
GET /v1/app.schema.json              ok         ok         ok         ok         ok         ok         ok         ok
GET /v1/openapi.json                 ok         ok         ok         ok         ok         ok         ok         ok
GET /v1/sessions                     unauth     unauth     unauth     ok         forbid     forbid     empty      empty
PATCH /v1/sessions/:id               unauth     unauth     unauth     forbid     ok         forbid     absent     absent
DELETE /v1/sessions/:id              unauth     unauth     unauth     forbid     forbid     ok         absent     absent
GET /v1/sessions/:id/export          unauth     unauth     unauth     ok         forbid     forbid     absent     absent
DELETE /v1/users/:user               unauth     unauth     unauth     forbid     forbid     ok         ok         ok
POST /v1/tickets                     unauth     unauth     unauth     forbid     forbid     forbid     ok         ok
GET /v1/admin/accounts               unauth     unauth     unauth     forbid     forbid     forbid     forbid     forbid
GET /v1/admin/accounts/:account      unauth     unauth     unauth     forbid     forbid     forbid     forbid     forbid
PATCH /v1/admin/accounts/:account    unauth     unauth     unauth     forbid     forbid     forbid     forbid     forbid
GET /v1/admin/apps                   unauth     unauth     unauth     forbid     forbid     forbid     forbid     forbid
GET /v1/admin/apps/:app              unauth     unauth     unauth     forbid     forbid     forbid     forbid     forbid
PUT /v1/admin/apps/:app              unauth     unauth     unauth     forbid     forbid     forbid     forbid     forbid
DELETE /v1/admin/apps/:app           unauth     unauth     unauth     forbid     forbid     forbid     forbid     forbid
GET /v1/admin/keys                   unauth     unauth     unauth     forbid     forbid     forbid     forbid     forbid
POST /v1/admin/keys                  unauth     unauth     unauth     forbid     forbid     forbid     forbid     forbid
POST /v1/admin/keys/:key/rotate      unauth     unauth     unauth     forbid     forbid     forbid     forbid     forbid
DELETE /v1/admin/keys/:key           unauth     unauth     unauth     forbid     forbid     forbid     forbid     forbid
GET /v1/admin/sessions               unauth     unauth     unauth     forbid     forbid     forbid     forbid     forbid
GET /v1/admin/sessions/:session      unauth     unauth     unauth     forbid     forbid     forbid     forbid     forbid
DELETE /v1/admin/sessions/:session   unauth     unauth     unauth     forbid     forbid     forbid     forbid     forbid
GET /v1/admin/sessions/:session/export unauth     unauth     unauth     forbid     forbid     forbid     forbid     forbid
GET /v1/admin/usage                  unauth     unauth     unauth     forbid     forbid     forbid     forbid     forbid
GET /v1/admin/audit                  unauth     unauth     unauth     forbid     forbid     forbid     forbid     forbid
GET /*                               nothing    nothing    nothing    nothing    nothing    nothing    nothing    nothing
POST /*                              nothing    nothing    nothing    nothing    nothing    nothing    nothing    nothing
PUT /*                               nothing    nothing    nothing    nothing    nothing    nothing    nothing    nothing
PATCH /*                             nothing    nothing    nothing    nothing    nothing    nothing    nothing    nothing
DELETE /*                            nothing    nothing    nothing    nothing    nothing    nothing    nothing    nothing
`,
  // With tickets; and with a key that is revoked while it is connected.
  `
                                     ann        bob        astray     used       late       orphan     ending
connect                              ok         absent     absent     used       late       unauth     unauth
message.send                         ok         absent     absent     used       late       unauth     unauth
run.cancel                           ok         absent     absent     used       late       unauth     unauth
run.retry                            ok         absent     absent     used       late       unauth     unauth
run.resume                           nothing    absent     absent     used       late       unauth     unauth
tool.claim                           nothing    absent     absent     used       late       unauth     unauth
tool.result                          nothing    absent     absent     used       late       unauth     unauth
session.update                       ok         absent     absent     used       late       unauth     unauth
history.get                          ok         absent     absent     used       late       unauth     unauth
pong                                 ok         absent     absent     used       late       unauth     unauth
alias connect                        ok         absent     absent     used       late       unauth     unauth
alias run                            ok         absent     absent     used       late       unauth     unauth
alias abort                          ok         absent     absent     used       late       unauth     unauth
alias resume                         nothing    absent     absent     used       late       unauth     unauth
GET /healthz                         ok         ok         ok         ok         ok         ok         ok
GET /readyz                          ok         ok         ok         ok         ok         ok         ok
GET /metrics                         ok         ok         ok         ok         ok         ok         ok
GET /v1/auth/test                    unauth     unauth     unauth     unauth     unauth     unauth     unauth
GET /v1/app.schema.json              ok         ok         ok         ok         ok         ok         ok
GET /v1/openapi.json                 ok         ok         ok         ok         ok         ok         ok
GET /v1/sessions                     unauth     unauth     unauth     unauth     unauth     unauth     unauth
PATCH /v1/sessions/:id               unauth     unauth     unauth     unauth     unauth     unauth     unauth
DELETE /v1/sessions/:id              unauth     unauth     unauth     unauth     unauth     unauth     unauth
GET /v1/sessions/:id/export          unauth     unauth     unauth     unauth     unauth     unauth     unauth
DELETE /v1/users/:user               unauth     unauth     unauth     unauth     unauth     unauth     unauth
POST /v1/tickets                     unauth     unauth     unauth     unauth     unauth     unauth     unauth
GET /v1/admin/accounts               unauth     unauth     unauth     unauth     unauth     unauth     unauth
GET /v1/admin/accounts/:account      unauth     unauth     unauth     unauth     unauth     unauth     unauth
PATCH /v1/admin/accounts/:account    unauth     unauth     unauth     unauth     unauth     unauth     unauth
GET /v1/admin/apps                   unauth     unauth     unauth     unauth     unauth     unauth     unauth
GET /v1/admin/apps/:app              unauth     unauth     unauth     unauth     unauth     unauth     unauth
PUT /v1/admin/apps/:app              unauth     unauth     unauth     unauth     unauth     unauth     unauth
DELETE /v1/admin/apps/:app           unauth     unauth     unauth     unauth     unauth     unauth     unauth
GET /v1/admin/keys                   unauth     unauth     unauth     unauth     unauth     unauth     unauth
POST /v1/admin/keys                  unauth     unauth     unauth     unauth     unauth     unauth     unauth
POST /v1/admin/keys/:key/rotate      unauth     unauth     unauth     unauth     unauth     unauth     unauth
DELETE /v1/admin/keys/:key           unauth     unauth     unauth     unauth     unauth     unauth     unauth
GET /v1/admin/sessions               unauth     unauth     unauth     unauth     unauth     unauth     unauth
GET /v1/admin/sessions/:session      unauth     unauth     unauth     unauth     unauth     unauth     unauth
DELETE /v1/admin/sessions/:session   unauth     unauth     unauth     unauth     unauth     unauth     unauth
GET /v1/admin/sessions/:session/export unauth     unauth     unauth     unauth     unauth     unauth     unauth
GET /v1/admin/usage                  unauth     unauth     unauth     unauth     unauth     unauth     unauth
GET /v1/admin/audit                  unauth     unauth     unauth     unauth     unauth     unauth     unauth
GET /*                               nothing    nothing    nothing    nothing    nothing    nothing    nothing
POST /*                              nothing    nothing    nothing    nothing    nothing    nothing    nothing
PUT /*                               nothing    nothing    nothing    nothing    nothing    nothing    nothing
PATCH /*                             nothing    nothing    nothing    nothing    nothing    nothing    nothing
DELETE /*                            nothing    nothing    nothing    nothing    nothing    nothing    nothing
`,
  // With keys that administer: an account's own, another account's, and the operator's.
  `
                                     admin      otheradmin operator
connect                              forbid     forbid     forbid
message.send                         forbid     forbid     forbid
run.cancel                           forbid     forbid     forbid
run.retry                            forbid     forbid     forbid
run.resume                           forbid     forbid     forbid
tool.claim                           forbid     forbid     forbid
tool.result                          forbid     forbid     forbid
session.update                       forbid     forbid     forbid
history.get                          forbid     forbid     forbid
pong                                 forbid     forbid     forbid
alias connect                        forbid     forbid     forbid
alias run                            forbid     forbid     forbid
alias abort                          forbid     forbid     forbid
alias resume                         forbid     forbid     forbid
GET /healthz                         ok         ok         ok
GET /readyz                          ok         ok         ok
GET /metrics                         ok         ok         ok
GET /v1/auth/test                    ok         ok         ok
GET /v1/app.schema.json              ok         ok         ok
GET /v1/openapi.json                 ok         ok         ok
GET /v1/sessions                     forbid     forbid     forbid
PATCH /v1/sessions/:id               forbid     forbid     forbid
DELETE /v1/sessions/:id              forbid     forbid     forbid
GET /v1/sessions/:id/export          forbid     forbid     forbid
DELETE /v1/users/:user               forbid     forbid     forbid
POST /v1/tickets                     forbid     forbid     forbid
GET /v1/admin/accounts               forbid     forbid     ok
GET /v1/admin/accounts/:account      ok         nothing    ok
PATCH /v1/admin/accounts/:account    forbid     forbid     ok
GET /v1/admin/apps                   ok         ok         ok
GET /v1/admin/apps/:app              ok         noapp      ok
PUT /v1/admin/apps/:app              ok         forbid     ok
DELETE /v1/admin/apps/:app           ok         noapp      ok
GET /v1/admin/keys                   ok         ok         ok
POST /v1/admin/keys                  ok         ok         ok
POST /v1/admin/keys/:key/rotate      ok         nothing    ok
DELETE /v1/admin/keys/:key           ok         nothing    ok
GET /v1/admin/sessions               ok         empty      ok
GET /v1/admin/sessions/:session      ok         absent     ok
DELETE /v1/admin/sessions/:session   ok         absent     ok
GET /v1/admin/sessions/:session/export ok         absent     ok
GET /v1/admin/usage                  ok         ok         ok
GET /v1/admin/audit                  ok         ok         ok
GET /*                               nothing    nothing    nothing
POST /*                              nothing    nothing    nothing
PUT /*                               nothing    nothing    nothing
PATCH /*                             nothing    nothing    nothing
DELETE /*                            nothing    nothing    nothing
`,
]

const OUTCOMES: Readonly<Record<string, Outcome>> = {
  ok: 'ok',
  /** It may list, and the session is not in the list. */
  empty: 'empty',
  unauth: 'unauthorized',
  forbid: 'forbidden',
  origin: 'origin_not_allowed',
  absent: 'session_not_found',
  noapp: 'app_not_found',
  used: 'ticket_used',
  late: 'ticket_expired',
  /** It may, and there is nothing: no call waits for a client, no page has this name. */
  nothing: 'not_found',
}

type Row = Readonly<Record<string, string>>

/** Rows by their names, of all tables; names hold single spaces, cells stand apart by more or have none. */
function readMatrix(): ReadonlyMap<string, Row> {
  const rows = new Map<string, Row>()
  for (const table of MATRIX) {
    const [head = '', ...lines] = table.trimEnd().split('\n').slice(1)
    const columns = head.trim().split(/ +/)
    for (const line of lines) {
      const cells = line.trim().split(/ +/)
      const name = cells.splice(0, cells.length - columns.length).join(' ')
      const row = Object.fromEntries(columns.map((column, nth) => [column, OUTCOMES[cells[nth] ?? ''] ?? 'no outcome']))
      rows.set(name, { ...rows.get(name), ...row })
    }
  }
  return rows
}

/** Every route that the code has, as `GET /v1/sessions/:id`; what answers "another method" to all others is none. */
function routes(): string[] {
  const { access, telemetry } = openGate()
  const ops = {
    metricsPublic: false,
    requireHttps: false,
    isKnownHost: () => true,
    ready: async () => [],
    metricsText: async () => '',
  }
  const sessions = {
    list: async () => [],
    rename: async () => {},
    delete: async () => {},
    deleteEmpty: async () => {},
    deleteUser: async () => ({ deleted: 0, complete: true }),
  }
  const exports = { exportSessions: () => server.store.exportSessions({}) }
  const { routes: all } = routesOf({
    ...ops,
    access,
    telemetry,
    sessions,
    exports,
    administration: NO_ADMINISTRATION,
    appSchema: () => ({}),
    assets: '/nonexistent',
  })
  return [...new Set(all.filter(({ method }) => method !== 'ALL').map(({ method, path }) => `${method} ${path}`))]
}

type Try = (port: number, attempt: Attempt) => Promise<Outcome>

/** How each row is tried; all names come from the code. */
const TRIES: ReadonlyMap<string, Try> = new Map<string, Try>([
  ['connect', (port, attempt) => tryCommand(port, attempt, 'connect')],
  ...CommandSchema.options.map(({ entries }): [string, Try] => {
    return [entries.type.literal, (port, attempt) => tryCommand(port, attempt, entries.type.literal)]
  }),
  ['alias connect', (port, attempt) => tryAlias(port, attempt, 'connect')],
  ...v.parse(v.array(v.picklist(['run', 'abort', 'resume'])), Object.keys(ALIAS_FRAMES)).map((kind): [string, Try] => {
    return [`alias ${kind}`, (port, attempt) => tryAlias(port, attempt, kind)]
  }),
  ...routes().map((route): [string, Try] => [route, (port, attempt) => tryRoute(port, attempt, route)]),
])

const rows = readMatrix()
let database: TestDatabase
let server: LiveServer
let world: World

beforeAll(async () => {
  database = await createTestDatabase()
  server = await LiveServer.start({ transport: 'ws', database: database.connection })
  world = new World(server)
  await world.prepare()
})
afterAll(async () => {
  await server.close()
  await database.drop()
})

describe('the access matrix', () => {
  it('has a row for every command, frame and route of the code, and no other', () => {
    expect([...rows.keys()].toSorted()).toEqual([...TRIES.keys()].toSorted())
    expect(rows.size).toBeGreaterThan(25)
  })

  it.each([...rows])('I9, I10: %s', async (name, row) => {
    const attempt = TRIES.get(name) ?? (async () => 'no such row')
    const cells = Object.entries(PRINCIPALS).map(async ([who, make]) => {
      return [who, await attempt(server.port, await make(world))] as const
    })
    expect(Object.fromEntries(await Promise.all(cells))).toEqual(row)
  })
})
