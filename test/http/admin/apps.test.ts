import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AdminRig, codeOf, definition, messageOf } from './rig.ts'

let rig: AdminRig
beforeAll(async () => {
  rig = await AdminRig.open()
})
afterAll(() => rig.close())

const APP = '/v1/admin/apps'

describe('Apps over /v1/admin', () => {
  it('are listed and shown: the own ones of the own account, and to the operator all', async () => {
    const key = await rig.admin()
    expect((await rig.ask(key, 'GET', APP)).body).toMatchObject({ apps: [{ id: 'shop', account: 'acme' }] })
    expect((await rig.ask(key, 'GET', `${APP}/shop`)).body).toMatchObject({ definition: { preamble: 'Be brief.' } })
    const all = await rig.ask(await rig.operator(), 'GET', `${APP}?limit=1`)
    expect(all.body).toMatchObject({ apps: [{ id: 'bank' }], next: 'bank' })
    const rest = await rig.ask(await rig.operator(), 'GET', `${APP}?after=bank`)
    expect(rest.body).toEqual({ apps: [expect.objectContaining({ id: 'shop' })] })
  })

  it('I10: of others are not there, whoever their key or account is', async () => {
    const both = await rig.admin({ apps: ['shop', 'bank'] })
    const elsewhere = await rig.admin({ account: 'globex', apps: ['shop'] })
    for (const [key, id] of [
      [both, 'bank'],
      [elsewhere, 'shop'],
      [await rig.admin(), 'nobody'],
    ] as const) {
      for (const method of ['GET', 'DELETE'])
        expect(codeOf(await rig.ask(key, method, `${APP}/${id}`))).toBe('app_not_found')
      if (id === 'nobody') continue
      const put = await rig.ask(key, 'PUT', `${APP}/${id}`, definition(id, { preamble: 'mine now' }))
      expect(codeOf(put)).toBe('forbidden')
      expect((await rig.server.store.getApp(id))?.definition).toMatchObject({ preamble: 'Be brief.' })
    }
  })

  it('take a new definition, which is checked as the command line checks it', async () => {
    const key = await rig.admin()
    const put = await rig.ask(key, 'PUT', `${APP}/shop`, definition('shop', { preamble: 'Be kind.' }))
    expect(put).toMatchObject({ status: 200, body: { account: 'acme', definition: { preamble: 'Be kind.' } } })
    const bad = definition('shop', { colour: 'red', model: { default: 'nothing' } })
    const refused = await rig.ask(key, 'PUT', `${APP}/shop`, bad)
    expect(codeOf(refused)).toBe('invalid_value')
    expect(messageOf(refused)).toContain('model.default:')
    expect(messageOf(refused)).toContain('colour: unknown field')
    expect(messageOf(await rig.ask(key, 'PUT', `${APP}/shop`, definition('other')))).toContain('id:')
    expect(codeOf(await rig.ask(key, 'PUT', `${APP}/shop`, '{'))).toBe('bad_request')
    const long = await rig.ask(key, 'PUT', `${APP}/shop`, definition('shop', { preamble: 'x'.repeat(1_100_000) }))
    expect(long.status).toBe(413)
    const restored = await rig.ask(key, 'PUT', `${APP}/shop`, definition('shop'))
    expect(restored.status).toBe(200)
  })

  it('are made by an account, whose key opens them at once, and deleted by it', async () => {
    const key = await rig.admin({ label: 'maker' })
    const made = await rig.ask(key, 'PUT', `${APP}/cafe`, definition('cafe'))
    expect(made).toMatchObject({ status: 200, body: { id: 'cafe', account: 'acme' } })
    expect((await rig.ask(key, 'GET', `${APP}/cafe`)).status).toBe(200)
    const list = `http://127.0.0.1:${rig.server.port}/v1/sessions?app=cafe`
    await expect.poll(async () => (await fetch(list, { headers: { 'x-api-key': key } })).status).toBe(200)
    // Another key of the account was not given it.
    expect(codeOf(await rig.ask(await rig.admin(), 'GET', `${APP}/cafe`))).toBe('app_not_found')
    expect((await rig.ask(key, 'DELETE', `${APP}/cafe`)).status).toBe(204)
    expect(await rig.server.store.getApp('cafe')).toBeUndefined()
  })

  it('are at most a hundred of one account', async () => {
    const { sql } = rig.database
    await sql`insert into accounts (id) values ('many')`
    await sql`
      insert into apps (id, definition, updated_at, account)
      select 'many-' || n, '{}', now(), 'many' from generate_series(1, 100) n`
    const key = await rig.admin({ account: 'many', apps: ['many-1'] })
    const put = await rig.ask(key, 'PUT', `${APP}/many-101`, definition('many-101'))
    expect([codeOf(put), messageOf(put)]).toEqual(['invalid_value', 'An account has at most 100 Apps'])
    expect((await rig.ask(key, 'PUT', `${APP}/many-1`, definition('many-1'))).status).toBe(200)
    await sql`delete from apps where account = 'many'`
  })

  it('the one that answers without a key is the operator’s to make', async () => {
    const put = await rig.ask(await rig.admin(), 'PUT', `${APP}/default`, definition('default'))
    expect(codeOf(put)).toBe('forbidden')
    expect((await rig.ask(await rig.operator(), 'PUT', `${APP}/default`, definition('default'))).status).toBe(200)
    expect((await rig.ask(await rig.operator(), 'DELETE', `${APP}/default`)).status).toBe(204)
  })

  it('get an account by the operator’s word only', async () => {
    const to = (account: string) => `${APP}/shop?account=${account}`
    expect(codeOf(await rig.ask(await rig.admin(), 'PUT', to('globex'), definition('shop')))).toBe('forbidden')
    const given = await rig.ask(await rig.operator(), 'PUT', to('globex'), definition('shop'))
    expect(given.body).toMatchObject({ account: 'globex' })
    expect(codeOf(await rig.ask(await rig.admin(), 'GET', `${APP}/shop`))).toBe('app_not_found')
    await rig.ask(await rig.operator(), 'PUT', to('acme'), definition('shop'))
    expect((await rig.ask(await rig.admin(), 'GET', `${APP}/shop`)).status).toBe(200)
  })

  it('take no more of the server than it gives every App, or than the operator gave this one', async () => {
    const put = async (key: string, limits: object) =>
      rig.ask(key, 'PUT', `${APP}/shop`, definition('shop', { limits }))
    const key = await rig.admin()
    const [most, more] = [{ connectionsPerSession: 50 }, { connectionsPerSession: 51 }]
    expect((await put(key, most)).status).toBe(200)
    const refused = await put(key, more)
    expect([codeOf(refused), messageOf(refused)]).toEqual([
      'forbidden',
      'limits.connectionsPerSession: at most 50; only the operator gives an App more',
    ])
    expect((await put(await rig.operator(), more)).status).toBe(200)
    expect((await put(key, { ...more, tokensPerDay: 1e12 })).status).toBe(200)
    expect(codeOf(await put(key, { connectionsPerSession: 52 }))).toBe('forbidden')
    expect((await put(key, {})).status).toBe(200)
  })

  it('send no secret of the operator’s to where an account wants it', { timeout: 30_000 }, async () => {
    const tool = (url: string, headers: object = { Authorization: 'Bearer {secret:ORDERS_TOKEN}' }) => ({
      name: 'orders',
      description: 'Finds orders',
      parameters: { type: 'object', properties: {} },
      method: 'GET',
      url,
      headers,
    })
    const withTool = (...tools: object[]) => definition('shop', { httpTools: tools })
    const put = async (key: string, body: object) => rig.ask(key, 'PUT', `${APP}/shop`, body)
    const key = await rig.admin()
    const own = withTool(tool('https://orders.example/v1'))
    expect(messageOf(await put(key, own))).toContain('ORDERS_TOKEN to https://orders.example')
    expect((await put(await rig.operator(), own)).status).toBe(200)
    // What the operator allowed goes on: the same secret to the same host.
    expect((await put(key, withTool(tool('https://orders.example/v2')))).status).toBe(200)
    const elsewhere = [
      tool('https://evil.example/'),
      tool('http://orders.example/v1'),
      tool('https://orders.example:8443/v1'),
      // A header that is called as the address is does not stand for it.
      tool('https://evil.example/', { url: 'https://orders.example/v1', 'X-A': '{secret:ORDERS_TOKEN}' }),
      tool('https://orders.example/v1', { 'X-A': '{secret:OTHER_TOKEN}' }),
    ]
    for (const each of elsewhere) expect(codeOf(await put(key, withTool(each)))).toBe('forbidden')
    expect((await put(key, definition('shop'))).status).toBe(200)
    // I10: nor does anybody hear by trying what another's App sends.
    const stranger = await rig.admin({ account: 'globex', apps: ['bank'] })
    const tries = ['https://orders.example/v1', 'https://evil.example/'].map((url) =>
      put(stranger, withTool(tool(url))),
    )
    const told = (await Promise.all(tries)).map(messageOf)
    expect(told).toEqual(['id: this is not an App of this key', 'id: this is not an App of this key'])
    // Once it is gone it is the operator's to give again.
    expect(codeOf(await put(key, own))).toBe('forbidden')
  })
})
