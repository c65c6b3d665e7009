import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accountsCommand } from '../../../src/cli/accounts.ts'
import { adminOf } from '../../../src/cli/admin-of.ts'
import { runCli } from '../../../src/cli/cli.ts'
import { FakeTerminal } from '../../cli/fakes.ts'
import { AdminRig, codeOf, definition, messageOf } from './rig.ts'

let rig: AdminRig
beforeAll(async () => {
  rig = await AdminRig.open()
})
afterAll(() => rig.close())

const AUDIT = '/v1/admin/audit'
const Acts = v.object({
  acts: v.array(v.looseObject({ act: v.string(), outcome: v.string() })),
  next: v.optional(v.string()),
})

async function acts(key: string, query = '') {
  return v.parse(Acts, (await rig.ask(key, 'GET', AUDIT + query)).body)
}

describe('the audit trail', () => {
  it('has each act with who, what, whence and what came of it, and no secret', async () => {
    const { key, id, secret } = await rig.key()
    await rig.ask(key, 'PUT', '/v1/admin/apps/shop', definition('shop'))
    await rig.ask(key, 'PUT', '/v1/admin/apps/bank', definition('bank'))
    const made = await rig.ask(key, 'POST', '/v1/admin/keys', { apps: ['shop'], scopes: ['read'] })
    const { acts: noted } = await acts(key)
    const who = { actor: id, account: 'acme', address: '127.0.0.1' }
    expect(noted).toMatchObject([
      { ...who, act: 'key.create', outcome: 'ok' },
      { ...who, act: 'app.put', target: 'bank', outcome: 'forbidden' },
      { ...who, act: 'app.put', target: 'shop', outcome: 'ok' },
    ])
    const text = JSON.stringify(noted)
    const { secret: shownOnce } = v.parse(v.object({ secret: v.string() }), made.body)
    for (const hidden of [secret, key, shownOnce, 'Be brief']) expect(text).not.toContain(hidden)
  })

  it('I11: holds no key that somebody put where its id belongs, nor is it repeated', async () => {
    const { key, secret } = await rig.key()
    for (const [method, path] of [
      ['DELETE', `/v1/admin/keys/${key}`],
      ['POST', `/v1/admin/keys/${key}/rotate`],
    ] as const) {
      const refused = await rig.ask(await rig.operator(), method, path, method === 'POST' ? {} : undefined)
      expect([refused.status, refused.text.includes(secret)]).toEqual([400, false])
    }
    expect(JSON.stringify(await acts(await rig.operator()))).not.toContain(secret)
  })

  it('is told an account of its own acts, and the operator of all, in pages', async () => {
    const foreign = await rig.admin({ account: 'globex', apps: ['bank'] })
    await rig.ask(foreign, 'PUT', '/v1/admin/apps/bank', definition('bank'))
    await rig.ask(await rig.operator(), 'PUT', '/v1/admin/apps/bank', definition('bank'))
    expect((await acts(foreign)).acts).toHaveLength(1)
    const all = (await acts(await rig.operator())).acts
    expect(all.length).toBeGreaterThanOrEqual(5)
    const first = await acts(await rig.operator(), '?limit=2')
    const second = await acts(await rig.operator(), `?limit=200&before=${first.next}`)
    expect([...first.acts, ...second.acts]).toEqual(all)
    expect(codeOf(await rig.ask(foreign, 'GET', `${AUDIT}?before=x`))).toBe('bad_request')
  })

  it('is written before the act: what cannot be noted is not done', async () => {
    const { sql } = rig.database
    await sql`alter table acts rename to acts_away`
    const put = await rig.ask(await rig.operator(), 'PUT', '/v1/admin/apps/unseen', definition('unseen'))
    await sql`alter table acts_away rename to acts`
    expect(codeOf(put)).toBe('store_unavailable')
    expect(await rig.server.store.getApp('unseen')).toBeUndefined()
  })

  it('forgets what is older than it is kept', async () => {
    const { sql } = rig.database
    await sql`update acts set at = now() - interval '3 days'`
    const count = async () => Number((await sql`select count(*) from acts`)[0]?.['count'])
    expect((await acts(await rig.operator())).acts).toEqual([])
    expect(await count()).toBeGreaterThan(4)
    await rig.ask(await rig.operator(), 'PUT', '/v1/admin/apps/shop', definition('shop'))
    expect(await count()).toBe(1)
  })
})

describe('accounts over /v1/admin', () => {
  it('get their plan from the operator; every try is noted, and an account cannot give itself one', async () => {
    const [operator, key] = [await rig.operator(), await rig.admin()]
    const set = (by: string, plan: unknown, account = 'acme') =>
      rig.ask(by, 'PATCH', `/v1/admin/accounts/${account}`, { plan })
    expect((await set(operator, 'tiny')).body).toMatchObject({ id: 'acme', plan: 'tiny' })
    expect((await set(operator, 'none')).body).toMatchObject({ id: 'acme', plan: 'none' })
    const unknown = await set(operator, 'huge')
    expect([codeOf(unknown), messageOf(unknown)]).toEqual(['invalid_value', 'plan: one of tiny, none, default'])
    expect(codeOf(await set(key, 'tiny'))).toBe('forbidden')
    expect(codeOf(await set(operator, 'tiny', 'nobody'))).toBe('not_found')
    for (const body of [{}, { plan: null }, { plan: 'tiny', apps: 3 }])
      expect(codeOf(await rig.ask(operator, 'PATCH', '/v1/admin/accounts/acme', body))).toBe('bad_request')
    expect((await rig.ask(operator, 'GET', '/v1/admin/accounts/acme')).body).toMatchObject({ plan: 'none' })
    expect((await set(operator, 'default')).body).not.toHaveProperty('plan')
    const noted = (await acts(operator, '?limit=6')).acts.map(({ act, outcome }) => `${act} ${outcome}`)
    const outcomes = ['ok', 'not_found', 'forbidden', 'invalid_value', 'ok', 'ok']
    expect(noted).toEqual(outcomes.map((outcome) => `account.plan ${outcome}`))
  })

  it('are listed to the operator; an account sees itself', async () => {
    await rig.admin({ account: 'globex', apps: ['bank'] })
    const operator = await rig.operator()
    expect((await rig.ask(operator, 'GET', '/v1/admin/accounts?after=acme')).body).toMatchObject({
      accounts: [{ id: 'default' }, { id: 'globex', apps: 1 }],
    })
    const key = await rig.admin()
    expect(codeOf(await rig.ask(key, 'GET', '/v1/admin/accounts'))).toBe('forbidden')
    expect((await rig.ask(key, 'GET', '/v1/admin/accounts/acme')).body).toMatchObject({ id: 'acme', apps: 1 })
    expect(codeOf(await rig.ask(key, 'GET', '/v1/admin/accounts/globex'))).toBe('not_found')
    expect((await rig.ask(operator, 'GET', '/v1/admin/accounts/globex')).status).toBe(200)
    expect(codeOf(await rig.ask(operator, 'GET', '/v1/admin/accounts/nobody'))).toBe('not_found')
    const { store } = rig.server
    await store.setPlan('globex', 'pro')
    expect((await rig.ask(operator, 'GET', '/v1/admin/accounts/globex')).body).toMatchObject({ plan: 'pro' })
    const terminal = new FakeTerminal()
    const open = async () => ({
      admin: adminOf(store, store, { auditKeepMs: 1000, plans: new Map() }),
      keys: store,
      apps: store,
      close: async () => {},
    })
    expect(await runCli(['accounts', 'list'], terminal, { accounts: accountsCommand(open) })).toBe(0)
    expect(terminal.outLines.map((line) => line.split(' ')[0])).toEqual(['ACCOUNT', 'acme', 'default', 'globex'])
  })
})
