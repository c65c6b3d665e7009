import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseKey, provesSecret } from '../../../src/access/keys.ts'
import { SocketClient } from '../../support/socket-client.ts'
import { AdminRig, type Answered, codeOf, messageOf } from './rig.ts'

let rig: AdminRig
beforeAll(async () => {
  rig = await AdminRig.open()
})
afterAll(() => rig.close())

const KEYS = '/v1/admin/keys'
const HOUR = 3_600_000
const DAY_S = 86_400

function shown({ body }: Answered): { secret: string; id: string } {
  const { secret, key } = v.parse(v.object({ secret: v.string(), key: v.object({ id: v.string() }) }), body)
  return { secret, id: key.id }
}

async function listed(key: string): Promise<string[]> {
  const { body } = await rig.ask(key, 'GET', KEYS)
  return v.parse(v.object({ keys: v.array(v.object({ id: v.string() })) }), body).keys.map(({ id }) => id)
}

describe('keys over /v1/admin', () => {
  it('are made for the own account and shown once; the store has a hash', async () => {
    const wish = { apps: ['shop'], scopes: ['read'], label: 'door', addresses: ['127.0.0.1'], expiresInSeconds: 3600 }
    const made = await rig.ask(await rig.admin(), 'POST', KEYS, wish)
    expect(made.status).toBe(201)
    expect(made.body['key']).toMatchObject({
      account: 'acme',
      state: 'live',
      addresses: ['127.0.0.1/32'],
      label: 'door',
    })
    const { secret, id } = shown(made)
    const row = await rig.server.store.findKey(id)
    expect(await provesSecret(row?.hash ?? '', parseKey(secret)?.secret ?? '')).toBe(true)
    expect(Math.abs((row?.expiresAt ?? 0) - Date.now() - HOUR)).toBeLessThan(60_000)
    const { text } = await rig.ask(await rig.admin(), 'GET', KEYS)
    expect(text).toContain(id)
    expect(text).not.toContain(parseKey(secret)?.secret)
    expect(text).not.toContain('argon2')
  })

  it('never may more than the key that makes them', async () => {
    const key = await rig.admin()
    const wishes = [
      { apps: ['shop'], scopes: ['read', 'write'] },
      { apps: ['shop'] },
      { apps: ['shop', 'bank'], scopes: ['read'] },
      { apps: ['shop'], scopes: ['read'], account: 'globex' },
      { apps: ['nobody'], scopes: ['read'] },
    ]
    for (const wish of wishes) expect(codeOf(await rig.ask(key, 'POST', KEYS, wish))).toBe('forbidden')
    expect(codeOf(await rig.ask(key, 'POST', KEYS, { apps: ['shop'], scopes: ['admin', 'read'] }))).toBeUndefined()
  })

  it('name the Apps that are not stored', async () => {
    const refused = await rig.ask(await rig.operator(), 'POST', KEYS, {
      apps: ['nope', 'shop', 'nada'],
      scopes: ['read'],
    })
    expect([codeOf(refused), messageOf(refused)]).toEqual(['app_not_found', 'Apps nope, nada are not stored'])
  })

  it('of the operator come from the host only, also from the operator’s own key', async () => {
    for (const key of [await rig.admin(), await rig.operator()]) {
      expect(codeOf(await rig.ask(key, 'POST', KEYS, { apps: ['shop'], scopes: ['operator'] }))).toBe('bad_request')
      expect(codeOf(await rig.ask(key, 'POST', KEYS, { apps: [], scopes: ['operator'] }))).toBe('bad_request')
    }
    const { id } = await rig.key({ scopes: ['operator'], apps: [], account: 'default' })
    expect(codeOf(await rig.ask(await rig.operator(), 'POST', `${KEYS}/${id}/rotate`, {}))).toBe('forbidden')
    const home = await rig.admin({ account: 'default', apps: [] })
    for (const [method, path] of [
      ['POST', `${KEYS}/${id}/rotate`],
      ['DELETE', `${KEYS}/${id}`],
    ] as const)
      expect(codeOf(await rig.ask(home, method, path, {}))).toBe('not_found')
    expect(await listed(home)).not.toContain(id)
  })

  it.each([
    ['a publishable key without a site', { apps: ['shop'], kind: 'publishable', scopes: ['read'] }, 'origins:'],
    ['a site that is none', { apps: ['shop'], kind: 'publishable', scopes: ['read'], origins: ['*'] }, 'origins:'],
    ['an address that is none', { apps: ['shop'], scopes: ['read'], addresses: ['10.1.2'] }, 'addresses:'],
    ['an unknown field', { apps: ['shop'], scopes: ['read'], color: 1 }, 'color'],
    ['another scope', { apps: ['shop'], scopes: ['fly'] }, 'scopes.0:'],
    ['no App', { apps: [], scopes: ['read'] }, 'apps:'],
    ['a label of two lines', { apps: ['shop'], scopes: ['read'], label: 'a\nb' }, 'label:'],
    ['a time that is none', { apps: ['shop'], scopes: ['read'], expiresInSeconds: 0.5 }, 'expiresInSeconds:'],
  ])('refuse %s by the name of the field', async (_what, wish, field) => {
    const refused = await rig.ask(await rig.admin(), 'POST', KEYS, wish)
    expect(refused.status).toBe(400)
    expect(messageOf(refused)).toContain(field)
  })

  it('that open more, or are another account’s, are not there', async () => {
    const wider = await rig.key({ apps: ['shop', 'bank'], scopes: ['read'] })
    const foreign = await rig.key({ account: 'globex', apps: ['shop'], scopes: ['read'] })
    const key = await rig.admin()
    for (const { id } of [wider, foreign]) {
      expect(await listed(key)).not.toContain(id)
      expect(codeOf(await rig.ask(key, 'DELETE', `${KEYS}/${id}`))).toBe('not_found')
      expect(codeOf(await rig.ask(key, 'POST', `${KEYS}/${id}/rotate`, {}))).toBe('not_found')
      expect((await rig.server.store.findKey(id))?.revokedAt).toBeUndefined()
    }
    expect(await listed(await rig.operator())).toEqual(expect.arrayContaining([wider.id, foreign.id]))
  })

  it('with another scope may be revoked, and not taken over by rotation', async () => {
    const writer = await rig.key({ scopes: ['write'], label: 'writer' })
    const refused = await rig.ask(await rig.admin(), 'POST', `${KEYS}/${writer.id}/rotate`, {})
    expect([codeOf(refused), messageOf(refused)]).toEqual(['forbidden', 'scopes: this key has no write itself'])
    expect((await rig.ask(await rig.admin(), 'DELETE', `${KEYS}/${writer.id}`)).status).toBe(204)
    expect((await rig.server.store.findKey(writer.id))?.revokedAt).toBeTypeOf('number')
  })

  it('I9: close their connections within a second of being revoked', async () => {
    const made = await rig.ask(await rig.admin(), 'POST', KEYS, { apps: ['shop'], scopes: ['read'] })
    const { secret, id } = shown(made)
    const socket = await SocketClient.connect(`ws://127.0.0.1:${rig.server.port}/ws?app=shop`, {
      headers: { 'x-api-key': secret, 'x-session-id': crypto.randomUUID() },
    })
    await socket.next()
    const before = performance.now()
    await rig.ask(await rig.admin(), 'DELETE', `${KEYS}/${id}`)
    expect((await socket.closed).code).toBe(4401)
    expect(performance.now() - before).toBeLessThan(1500)
  })

  it('are rotated with an overlap', async () => {
    const { id } = shown(await rig.ask(await rig.admin(), 'POST', KEYS, { apps: ['shop'], scopes: ['read'] }))
    const rotated = await rig.ask(await rig.admin(), 'POST', `${KEYS}/${id}/rotate`, { overlapSeconds: 60 })
    expect(rotated.status).toBe(201)
    const successor = shown(rotated)
    expect((await rig.server.store.findKey(successor.id))?.scopes).toEqual(['read'])
    const left = ((await rig.server.store.findKey(id))?.expiresAt ?? 0) - Date.now()
    expect(left).toBeGreaterThan(30_000)
    expect(left).toBeLessThan(61_000)
    await rig.ask(await rig.admin(), 'DELETE', `${KEYS}/${id}`)
    expect(codeOf(await rig.ask(await rig.admin(), 'POST', `${KEYS}/${id}/rotate`, {}))).toBe('conflict')
  })

  it('are rotated once: the life of a successor is that of the key, not of the overlap', async () => {
    const admin = await rig.admin()
    const wish = { apps: ['shop'], scopes: ['read'], expiresInSeconds: 90 * DAY_S }
    const { id } = shown(await rig.ask(admin, 'POST', KEYS, wish))
    const next = shown(await rig.ask(admin, 'POST', `${KEYS}/${id}/rotate`, {}))
    const again = await rig.ask(admin, 'POST', `${KEYS}/${id}/rotate`, {})
    expect([codeOf(again), messageOf(again)]).toEqual([
      'conflict',
      `Key ${next.id} took the place of ${id}; rotate that one`,
    ])
    const third = shown(await rig.ask(admin, 'POST', `${KEYS}/${next.id}/rotate`, {}))
    const life = ((await rig.server.store.findKey(third.id))?.expiresAt ?? 0) - Date.now()
    expect(life / 1000 / DAY_S).toBeCloseTo(90, 1)
    expect((await rig.ask(admin, 'GET', KEYS)).body).toMatchObject({
      keys: expect.arrayContaining([expect.objectContaining({ id, successor: next.id })]),
    })
  })

  it('that were revoked a moment ago administer nothing', async () => {
    const dying = await rig.key({ label: 'dying' })
    expect((await rig.ask(dying.key, 'GET', KEYS)).status).toBe(200)
    await rig.database.sql`update keys set revoked_at = now() where id = ${dying.id}`
    expect(codeOf(await rig.ask(dying.key, 'GET', KEYS))).toBe('unauthorized')
  })

  it('of the operator open no chat and no browser', async () => {
    const operator = await rig.operator()
    const chat = await fetch(`http://127.0.0.1:${rig.server.port}/v1/sessions?app=shop`, {
      headers: { 'x-api-key': operator },
    })
    expect(chat.status).toBe(403)
    const page = await fetch(`http://127.0.0.1:${rig.server.port}${KEYS}`, {
      headers: { 'x-api-key': operator, origin: 'https://shop.example' },
    })
    expect([page.status, page.headers.get('access-control-allow-origin')]).toEqual([403, null])
    const preflight = await fetch(`http://127.0.0.1:${rig.server.port}${KEYS}`, {
      method: 'OPTIONS',
      headers: { origin: 'https://shop.example', 'access-control-request-method': 'GET' },
    })
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([405, null])
  })

  it('act 120 times a minute', { timeout: 30_000 }, async () => {
    const key = await rig.admin({ label: 'busy' })
    const codes = await Promise.all(Array.from({ length: 130 }, async () => (await rig.ask(key, 'GET', KEYS)).status))
    expect(codes.filter((status) => status === 200)).toHaveLength(120)
    expect(codes.filter((status) => status === 429)).toHaveLength(10)
  })
})
