import * as v from 'valibot'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openSite, type Site } from './fakes.ts'

const SESSION = '7d9e7a34-7a36-4f0a-9d52-0f6f0d8f2f11'
const HOME = 'https://shop.example'

let site: Site
beforeEach(() => {
  site = openSite()
})
afterEach(() => site.close())

const mint = (key: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  site.ask('/v1/tickets?app=alpha', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key === '' ? {} : { 'x-api-key': key }), ...headers },
    body: JSON.stringify(body),
  })

const Refusal = v.object({ error: v.object({ code: v.string() }) })
const List = v.object({ sessions: v.array(v.unknown()) })

async function codeOf(answer: Response): Promise<unknown> {
  return [answer.status, v.parse(Refusal, await answer.json()).error.code]
}

describe('POST /v1/tickets', () => {
  it('P-111: gives a ticket with what it is good for', async () => {
    const { key } = await site.addKey('secret')
    const answer = await mint(key, { session: SESSION.toUpperCase(), user: 'ann' })
    expect(answer.status).toBe(201)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const body = v.parse(v.looseObject({ expiresAt: v.string() }), await answer.json())
    expect(body).toEqual({
      ticket: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      app: 'alpha',
      session: SESSION,
      user: 'ann',
      scopes: ['read', 'write'],
      expiresAt: expect.any(String),
    })
    expect(Date.parse(body.expiresAt) - Date.now()).toBeLessThanOrEqual(30_000)
  })

  it.each([
    ['no session', { user: 'ann' }],
    ['a session that is no UUID', { session: '7', user: 'ann' }],
    ['no user', { session: SESSION }],
    ['an empty user', { session: SESSION, user: '' }],
    ['a long user', { session: SESSION, user: 'x'.repeat(201) }],
    ['a user of several lines', { session: SESSION, user: 'a\nb' }],
    ['a user with NUL', { session: SESSION, user: 'a\u0000' }],
    ['another scope', { session: SESSION, user: 'ann', scopes: ['read', 'admin'] }],
    ['no scope', { session: SESSION, user: 'ann', scopes: [] }],
    ['a scope that opens nothing', { session: SESSION, user: 'ann', scopes: ['write'] }],
    ['another field', { session: SESSION, user: 'ann', ttl: 1e9 }],
  ])('refuses %s', async (_what, body) => {
    const { key } = await site.addKey('secret')
    expect(await codeOf(await mint(key, body))).toEqual([400, 'bad_request'])
  })

  it('P-111: is for secret keys that may write, and gives nothing that they lack', async () => {
    const body = { session: SESSION, user: 'ann' }
    const reader = await site.addKey('secret', { scopes: ['read'] })
    const writer = await site.addKey('secret')
    const page = await site.addKey('publishable')
    expect(await codeOf(await mint('', body))).toEqual([401, 'unauthorized'])
    expect(await codeOf(await mint(reader.key, body))).toEqual([403, 'forbidden'])
    expect(await codeOf(await mint(writer.key, { ...body, scopes: ['read', 'delete'] }))).toEqual([403, 'forbidden'])
    expect(await codeOf(await mint(writer.key, body, { origin: HOME }))).toEqual([403, 'forbidden'])
    expect(await codeOf(await mint(page.key, body, { origin: HOME }))).toEqual([403, 'forbidden'])
  })
})

describe('a server that asks for one of its users', () => {
  const withKey = (key: string, headers = {}): RequestInit => ({ headers: { 'x-api-key': key, ...headers } })

  it('lists, renames and deletes what is theirs and nothing of others', async () => {
    const { key } = await site.addKey('secret', { scopes: ['read', 'write', 'delete'] })
    site.sessions.add(SESSION, { app: 'alpha', account: 'acme', user: 'ann' })
    const one = (user: string): string => `/v1/sessions/${SESSION}?app=alpha${user}`
    const list = async (user: string): Promise<number> => {
      const answer = await site.ask(`/v1/sessions?app=alpha${user}`, withKey(key))
      return v.parse(List, await answer.json()).sessions.length
    }
    expect([await list('&user=ann'), await list('&user=bob'), await list('')]).toEqual([1, 0, 0])
    for (const user of ['&user=bob', '']) {
      const answer = await site.ask(one(user), { method: 'DELETE', ...withKey(key) })
      expect(await codeOf(answer)).toEqual([404, 'session_not_found'])
    }
    expect((await site.ask(one('&user=ann'), { method: 'DELETE', ...withKey(key) })).status).toBe(204)
  })

  it('needs a secret key', async () => {
    const { key } = await site.addKey('publishable')
    const answer = await site.ask('/v1/sessions?app=alpha&user=ann', withKey(key, { origin: HOME }))
    expect(await codeOf(answer)).toEqual([403, 'forbidden'])
    expect(await codeOf(await site.ask('/v1/sessions?user=ann'))).toEqual([403, 'forbidden'])
  })
})

describe('GET /v1/auth/test', () => {
  it('tells a good key what it is for, whatever its scopes', async () => {
    const { key, id } = await site.addKey('secret', { scopes: ['delete'], apps: ['alpha', 'beta'] })
    const answer = await site.ask('/v1/auth/test', { headers: { authorization: `Bearer ${key}` } })
    expect([answer.status, await answer.json()]).toEqual([
      200,
      {
        authenticated: true,
        user: { id: 'acme' },
        key: { id, kind: 'secret' },
        scopes: ['delete'],
        apps: ['alpha', 'beta'],
      },
    ])
  })

  it('refuses as everywhere: no key, a wrong one, a page that the key does not name, a secret key in a browser', async () => {
    const [server, page] = [await site.addKey('secret'), await site.addKey('publishable')]
    const ask = (key: string, headers = {}): Promise<Response> =>
      site.ask('/v1/auth/test', { headers: { 'x-api-key': key, ...headers } })
    expect(await codeOf(await site.ask('/v1/auth/test'))).toEqual([401, 'unauthorized'])
    expect(await codeOf(await ask(`${server.key}x`))).toEqual([401, 'unauthorized'])
    expect(await codeOf(await ask(server.key, { origin: HOME }))).toEqual([403, 'forbidden'])
    expect(await codeOf(await ask(page.key))).toEqual([403, 'origin_not_allowed'])
    expect((await ask(page.key, { origin: HOME })).status).toBe(200)
  })
})
