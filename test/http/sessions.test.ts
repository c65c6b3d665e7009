import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openSite, type Site } from './fakes.ts'

const RANDOM = '550e8400-e29b-41d4-a716-446655440000'
const GUESSABLE = '00000000-0000-0000-0000-000000000001'
const HOME = 'https://shop.example'

let site: Site
beforeEach(() => {
  site = openSite()
})
afterEach(() => site.close())

function withKey(key: string, headers: Record<string, string> = {}): RequestInit {
  return { headers: { 'x-api-key': key, ...headers } }
}

function patch(body: unknown, headers: Record<string, string> = {}): RequestInit {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { method: 'PATCH', body: text, headers: { 'content-type': 'application/json', ...headers } }
}

async function expectError(answer: Response, status: number, code: string): Promise<void> {
  expect(await answer.json()).toMatchObject({ error: { code, message: expect.any(String) } })
  expect(answer.status).toBe(status)
}

describe('the list of sessions', () => {
  it('is the key’s account’s own in that App', async () => {
    const { key } = await site.addKey('secret', { apps: ['alpha', 'beta'] })
    site.sessions.add(RANDOM, { app: 'alpha', account: 'acme' }, 'Mine')
    site.sessions.add('a', { app: 'beta', account: 'acme' })
    site.sessions.add('b', { app: 'alpha', account: 'other' })
    site.sessions.add('c', { app: 'alpha' })
    const answer = await site.ask('/v1/sessions?app=alpha', withKey(key))
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({
      sessions: [{ id: RANDOM, title: 'Mine', status: 'idle', updatedAt: '1970-01-01T00:00:01.000Z' }],
    })
  })

  it('comes in pages', async () => {
    const { key } = await site.addKey('secret')
    await site.ask('/v1/sessions?app=alpha', withKey(key))
    await site.ask('/v1/sessions?app=alpha&limit=7&before=1970-01-01T00:00:01.500Z', withKey(key))
    expect(site.sessions.listed.map(({ limit, before }) => [limit, before])).toEqual([
      [50, undefined],
      [7, 1500],
    ])
  })

  it('comes in pages that lose no session of the same millisecond, where the last one is named', async () => {
    const { key } = await site.addKey('secret')
    const page = `limit=7&before=1970-01-01T00:00:01.500Z&beforeId=${RANDOM.toUpperCase()}`
    await site.ask(`/v1/sessions?app=alpha&${page}`, withKey(key))
    expect(site.sessions.listed).toMatchObject([{ limit: 7, before: { updatedAt: 1500, id: RANDOM } }])
    await expectError(await site.ask('/v1/sessions?app=alpha&beforeId=x', withKey(key)), 400, 'bad_request')
  })

  const HALF_AN_OFFSET = 'before=2026-04-30T11:00:00%2B02'
  const WRONG = ['limit=0', 'limit=101', 'limit=x', 'before=yesterday', HALF_AN_OFFSET, 'app=No+App']
  it.each(WRONG)('refuses %s', async (query) => {
    await expectError(await site.ask(`/v1/sessions?${query}`), 400, 'bad_request')
  })

  it.each([
    ['limit=0', 'limit: must be at least 1'],
    ['user=', 'user: must not be empty'],
    ['before=x', 'before: must be a time like 2026-01-31T00:00:00Z'],
    [HALF_AN_OFFSET, 'before: must be a time like 2026-01-31T00:00:00Z'],
  ])('says of %s what is allowed', async (query, message) => {
    expect(await (await site.ask(`/v1/sessions?${query}`)).json()).toEqual({ error: { code: 'bad_request', message } })
  })

  it('of a visitor is empty, because visitors have no name: it lies in their browser', async () => {
    site.sessions.add(RANDOM, { app: 'default' })
    expect(await (await site.ask('/v1/sessions')).json()).toEqual({ sessions: [] })
  })

  it('I10: of a publishable key is empty: everyone on the page has the same key', async () => {
    const { key } = await site.addKey('publishable')
    site.sessions.add(RANDOM, { app: 'alpha', account: 'acme' })
    const answer = await site.ask('/v1/sessions?app=alpha', withKey(key, { origin: HOME }))
    expect([answer.status, await answer.json()]).toEqual([200, { sessions: [] }])
    expect(site.sessions.listed).toEqual([])
  })
})

describe('who may do what', () => {
  it('I10: the walls between keys, Apps and the unknown', async () => {
    const { key } = await site.addKey('secret')
    const ask = (app: string, presented: string) => site.ask(`/v1/sessions?app=${app}`, withKey(presented))
    await expectError(await ask('beta', key), 403, 'forbidden')
    await expectError(await ask('nowhere', key), 404, 'app_not_found')
    await expectError(await ask('nowhere', `${key}x`), 401, 'unauthorized')
    await expectError(await ask('alpha', `${key}x`), 401, 'unauthorized')
    await expectError(await site.ask('/v1/sessions?app=alpha'), 401, 'unauthorized')
    await expectError(await site.ask('/v1/sessions?app=nowhere'), 401, 'unauthorized')
  })

  it('is asked of the scope: reading, writing and deleting apart', async () => {
    const reader = await site.addKey('secret', { scopes: ['read'] })
    const writer = await site.addKey('secret', { scopes: ['write'] })
    site.sessions.add(RANDOM, { app: 'alpha', account: 'acme' })
    const one = `/v1/sessions/${RANDOM}?app=alpha`
    expect((await site.ask('/v1/sessions?app=alpha', withKey(reader.key))).status).toBe(200)
    await expectError(await site.ask('/v1/sessions?app=alpha', withKey(writer.key)), 403, 'forbidden')
    await expectError(await site.ask(one, patch({ title: 'x' }, { 'x-api-key': reader.key })), 403, 'forbidden')
    expect((await site.ask(one, patch({ title: 'x' }, { 'x-api-key': writer.key }))).status).toBe(200)
    await expectError(await site.ask(one, { method: 'DELETE', ...withKey(writer.key) }), 403, 'forbidden')
  })

  it('I10: a session of another account, App or owner is not found, like one that does not exist', async () => {
    const { key } = await site.addKey('secret', { apps: ['alpha', 'beta'], scopes: ['read', 'write', 'delete'] })
    site.sessions.add(RANDOM, { app: 'alpha', account: 'other' })
    for (const app of ['alpha', 'beta']) {
      const path = `/v1/sessions/${RANDOM}?app=${app}`
      await expectError(await site.ask(path, patch({ title: 'x' }, { 'x-api-key': key })), 404, 'session_not_found')
      await expectError(await site.ask(path, { method: 'DELETE', ...withKey(key) }), 404, 'session_not_found')
    }
    const missing = `/v1/sessions/${GUESSABLE}?app=alpha`
    await expectError(await site.ask(missing, { method: 'DELETE', ...withKey(key) }), 404, 'session_not_found')
  })

  it('a visitor renames and deletes by an id that cannot be guessed', async () => {
    site.sessions.add(RANDOM, { app: 'default' })
    site.sessions.add(GUESSABLE, { app: 'default' })
    const answer = await site.ask(`/v1/sessions/${RANDOM.toUpperCase()}`, patch({ title: '  My talk ' }))
    expect([answer.status, await answer.json()]).toEqual([200, { id: RANDOM, title: 'My talk' }])
    expect(site.sessions.held.get(RANDOM)?.title).toBe('My talk')
    await expectError(await site.ask(`/v1/sessions/${GUESSABLE}`, { method: 'DELETE' }), 404, 'session_not_found')
    expect((await site.ask(`/v1/sessions/${RANDOM}`, { method: 'DELETE' })).status).toBe(204)
    expect([...site.sessions.held.keys()]).toEqual([GUESSABLE])
  })

  it('a page of another site does nothing to a server without a key', async () => {
    site.sessions.add(RANDOM, { app: 'default' })
    const evil = { origin: 'https://evil.example' }
    const answer = await site.ask(`/v1/sessions/${RANDOM}`, { method: 'DELETE', headers: evil })
    await expectError(answer, 403, 'origin_not_allowed')
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
    expect(site.sessions.held.size).toBe(1)
  })
})

describe('what is not well formed', () => {
  it.each([
    ['no body', patch('')],
    ['no JSON', patch('{title}')],
    ['another type', patch('title=x', { 'content-type': 'application/x-www-form-urlencoded' })],
    ['a type that only begins like JSON', patch({ title: 'x' }, { 'content-type': 'application/jsonp' })],
    ['no title', patch({})],
    ['an empty title', patch({ title: '  ' })],
    ['a long title', patch({ title: 'x'.repeat(201) })],
    ['NUL', patch({ title: 'a\u0000b' })],
    ['another field', patch({ title: 'x', wallet: null })],
    ['an array', patch([])],
    ['deep JSON', patch(`${'['.repeat(50)}${']'.repeat(50)}`)],
    ['no UTF-8', { ...patch('x'), body: new Uint8Array([0x22, 0xff, 0x22]) }],
  ])('is refused before anything else: %s', async (_what, init) => {
    await expectError(await site.ask(`/v1/sessions/${RANDOM}?app=alpha`, init), 400, 'bad_request')
  })

  it.each([
    [{ title: '' }, 'title: must not be empty'],
    [{ title: 7 }, 'title: must be a string'],
    [{ title: 'x', walet: 1 }, 'walet: unknown field'],
    [7, 'the body: must be an object'],
  ])('is told in words that repeat no value: %j', async (body, message) => {
    const answer = await site.ask(`/v1/sessions/${RANDOM}`, patch(body))
    expect(await answer.json()).toEqual({ error: { code: 'bad_request', message } })
  })

  it('is an id that is no UUID', async () => {
    await expectError(await site.ask('/v1/sessions/7', { method: 'DELETE' }), 400, 'bad_request')
  })

  it('is a body that is too large, which is not read to its end', async () => {
    let sent = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent++
        controller.enqueue(new Uint8Array(4096))
      },
    })
    const init = { method: 'PATCH', body, duplex: 'half', headers: { 'content-type': 'application/json' } } as const
    await expectError(await site.ask(`/v1/sessions/${RANDOM}`, init), 413, 'message_too_large')
    expect(sent).toBeLessThan(10)
  })

  it('is a method that the path does not have', async () => {
    const list = await site.ask('/v1/sessions', { method: 'POST' })
    expect([list.status, list.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    const one = await site.ask(`/v1/sessions/${RANDOM}`)
    expect([one.status, one.headers.get('allow')]).toEqual([405, 'PATCH, DELETE'])
  })
})

describe('failures', () => {
  it('say when to come back', async () => {
    const { id } = await site.addKey('secret')
    const guess = (count: number) => withKey(`sk_live_${id}_${'a'.repeat(22)}${'b'.repeat(count)}`)
    for (let count = 0; count < 10; count++) await site.ask('/v1/sessions?app=alpha', guess(count))
    const answer = await site.ask('/v1/sessions?app=alpha', guess(10))
    expect(answer.status).toBe(429)
    const after = Number(answer.headers.get('retry-after'))
    expect(after).toBeGreaterThan(0)
    expect(await answer.json()).toMatchObject({ error: { code: 'rate_limit_exceeded', retry_after: after } })
  })

  it('I11: of our own show nothing of what happened, and are logged', async () => {
    const { key } = await site.addKey('secret')
    site.sessions.broken = new TypeError('secret of the house')
    const answer = await site.ask('/v1/sessions?app=alpha', withKey(key))
    expect(answer.status).toBe(500)
    expect(await answer.text()).not.toContain('secret of the house')
    expect(site.telemetry.lines).toEqual(['error request failed'])
    expect(site.telemetry.counts).toEqual(['errors_total internal_error'])
  })
})

describe('pages of other sites', () => {
  it('ask first, and are told what they may', async () => {
    const headers = { origin: HOME, 'access-control-request-method': 'PATCH' }
    const answer = await site.ask(`/v1/sessions/${RANDOM}`, { method: 'OPTIONS', headers })
    expect(answer.status).toBe(204)
    expect(answer.headers.get('access-control-allow-origin')).toBe(HOME)
    expect(answer.headers.get('access-control-allow-methods')).toContain('PATCH')
    expect(answer.headers.get('access-control-allow-headers')).toContain('x-api-key')
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
    expect(answer.headers.get('vary')).toBe('origin')
  })

  it('read answers and refusals with their key, but not from an origin that it does not have', async () => {
    const { key } = await site.addKey('publishable')
    const ask = (origin: string, presented = key) => site.ask('/v1/sessions?app=alpha', withKey(presented, { origin }))
    const allowed = await ask(HOME)
    expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([200, HOME])
    const wrong = await ask(HOME, `${key}x`)
    expect([wrong.status, wrong.headers.get('access-control-allow-origin')]).toEqual([401, HOME])
    const evil = await ask('https://evil.example')
    expect([evil.status, evil.headers.get('access-control-allow-origin')]).toEqual([403, null])
    expect(allowed.headers.get('vary')).toBe('origin')
  })
})
