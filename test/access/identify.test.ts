import * as argon2 from '@node-rs/argon2'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { keyTag, mintKey } from '../../src/access/keys.ts'
import { deferred, turns } from '../support/turns.ts'
import { type FakeStore, type Gate, type GateOptions, keyed, openGate, refusal, request } from './fakes.ts'

vi.mock(import('@node-rs/argon2'), { spy: true })

const hashes = vi.mocked(argon2.verify)
let gate: Gate

function open(options: GateOptions = {}): Gate {
  gate = openGate(options)
  return gate
}

/** As a key that nobody used since there are tags. */
function untag(store: FakeStore, id: string): void {
  const row = store.keys.get(id)
  if (row === undefined) throw new Error(`there is no key ${id}`)
  const { tag: _tag, ...rest } = row
  store.keys.set(id, rest)
}

beforeEach(() => {
  hashes.mockClear()
})
afterEach(() => gate.access.close())

describe('a secret key', () => {
  it('opens its App and names its account, scopes and Apps', async () => {
    const { access, addKey } = open()
    const { key, id } = await addKey('secret', { apps: ['alpha', 'beta'] })
    const principal = await access.identify(keyed(key), 'beta')
    expect(principal).toEqual({
      kind: 'key',
      keyId: id,
      keyKind: 'secret',
      account: 'acme',
      scopes: ['read', 'write'],
      apps: ['alpha', 'beta'],
    })
  })

  it('I10: for App alpha used on App beta is forbidden, on an unknown App not found', async () => {
    const { access, addKey } = open()
    const { key } = await addKey('secret')
    expect((await refusal(access.identify(keyed(key), 'beta'))).status).toBe(403)
    expect((await refusal(access.identify(keyed(key), 'nowhere'))).code).toBe('app_not_found')
    expect((await refusal(access.identify(keyed(key), 'default'))).code).toBe('forbidden')
  })

  it('that is not valid is unauthorized on every App, so that it learns nothing of them', async () => {
    const { access, addKey } = open()
    const { key } = await addKey('secret')
    const stranger = await mintKey('secret')
    const wrong = `${key.slice(0, -1)}${key.endsWith('a') ? 'b' : 'a'}`
    for (const presented of [stranger.key, wrong, 'sk-mcd-a1b2c3d4e5f6', key.replace('sk_', 'pk_')]) {
      for (const app of ['alpha', 'beta', 'nowhere', 'default']) {
        expect((await refusal(access.identify(keyed(presented), app))).code).toBe('unauthorized')
      }
    }
  })

  it('with an Origin header is refused: it would be readable by every visitor of that page', async () => {
    const { access, addKey } = open()
    const { key } = await addKey('secret')
    for (const origin of ['https://shop.example', 'null', 'http://127.0.0.1:8080']) {
      expect((await refusal(access.identify(keyed(key, { origin }), 'alpha'))).code).toBe('forbidden')
    }
  })

  it.each([
    ['AOMI-APP-KEY', (key: string) => request({ headers: { 'aomi-app-key': key } })],
    ['X-API-Key', (key: string) => request({ headers: { 'x-api-key': key } })],
    ['Authorization', (key: string) => request({ headers: { authorization: `Bearer ${key}` } })],
    ['a subprotocol', (key: string) => request({ key })],
  ])('is taken from %s', async (_place, present) => {
    const { access, addKey } = open()
    const { key, id } = await addKey('secret')
    expect((await access.identify(present(key), 'alpha')).keyId).toBe(id)
  })

  it('in a header goes before one elsewhere, and the first header counts, valid or not', async () => {
    const { access, addKey } = open()
    const [first, second] = [await addKey('secret'), await addKey('secret')]
    const both = request({ headers: { 'aomi-app-key': first.key, 'x-api-key': second.key }, key: second.key })
    expect((await access.identify(both, 'alpha')).keyId).toBe(first.id)
    const bad = request({ headers: { 'aomi-app-key': 'nonsense', 'x-api-key': second.key }, key: second.key })
    expect((await refusal(access.identify(bad, 'alpha'))).code).toBe('unauthorized')
  })

  it('that has expired or was revoked before is unauthorized without a hash', async () => {
    const { access, addKey } = open()
    const expired = await addKey('secret', { expiresAt: Date.now() - 1 })
    const revoked = await addKey('secret', { revokedAt: 1 })
    for (const { key } of [expired, revoked]) {
      expect((await refusal(access.identify(keyed(key), 'alpha'))).code).toBe('unauthorized')
    }
    expect(hashes).not.toHaveBeenCalled()
  })
})

describe('hashing', () => {
  it('P5: is done once for a storm of handshakes and never again for the same key', async () => {
    const { access, addKey, store } = open()
    const { key, id } = await addKey('secret')
    const storm = await Promise.all(Array.from({ length: 500 }, () => access.identify(keyed(key), 'alpha')))
    await access.identify(keyed(key), 'alpha')
    expect(hashes).toHaveBeenCalledTimes(1)
    expect(store.asked.filter((what) => what === `findKey ${id}`)).toHaveLength(1)
    expect(new Set(storm).size).toBe(1)
  })

  it('is never done for an id that does not exist, nor for a key of another form', async () => {
    const { access } = open()
    const stranger = await mintKey('secret')
    await refusal(access.identify(keyed(stranger.key), 'alpha'))
    await refusal(access.identify(keyed('x'.repeat(5000)), 'alpha'))
    expect(hashes).not.toHaveBeenCalled()
  })

  it('of a wrong key is remembered: the same key again costs neither a read nor a hash', async () => {
    const { access, addKey, store } = open()
    const { key, id } = await addKey('secret')
    untag(store, id)
    const wrong = `${key}x`
    await refusal(access.identify(keyed(wrong), 'alpha'))
    const asked = store.asked.length
    expect((await refusal(access.identify(keyed(wrong), 'alpha'))).code).toBe('unauthorized')
    expect(hashes).toHaveBeenCalledTimes(1)
    expect(store.asked).toHaveLength(asked)
  })

  it('beyond two at once waits for its turn', async () => {
    const { access, addKey } = open()
    const keys = await Promise.all([addKey('secret'), addKey('secret'), addKey('secret')])
    const admitted = await Promise.all(keys.map(({ key }) => access.identify(keyed(key), 'alpha')))
    expect(admitted.map(({ keyId }) => keyId)).toEqual(keys.map(({ id }) => id))
  })

  it('of another secret for a key that is being proven is shed as overloaded, with when to come back', async () => {
    const { access, addKey, store } = open()
    const { key, id } = await addKey('secret')
    untag(store, id)
    const first = access.identify(keyed(key), 'alpha')
    const refused = await refusal(access.identify(keyed(`${key}x`), 'alpha'))
    expect(refused.code).toBe('overloaded')
    expect(refused.retryable).toBe(true)
    expect(refused.retryAfterMs).toBeGreaterThan(0)
    expect((await first).kind).toBe('key')
  })

  it('stops after ten wrong secrets for one key id from one address; other addresses and the cached key go on', async () => {
    const { access, addKey } = open()
    const { key, id } = await addKey('secret')
    await access.identify(keyed(key), 'alpha')
    const guess = (count: number) => `sk_live_${id}_${'a'.repeat(22)}${'b'.repeat(count)}`
    for (let count = 0; count < 10; count++) {
      expect((await refusal(access.identify(keyed(guess(count)), 'alpha'))).code).toBe('unauthorized')
    }
    const refused = await refusal(access.identify(keyed(guess(10)), 'alpha'))
    expect(refused.code).toBe('rate_limit_exceeded')
    expect(refused.retryAfterMs).toBeGreaterThan(0)
    expect(hashes).toHaveBeenCalledTimes(1)
    const elsewhere = request({ headers: { 'x-api-key': guess(11) }, address: '198.51.100.1' })
    expect((await refusal(access.identify(elsewhere, 'alpha'))).code).toBe('unauthorized')
    expect((await access.identify(keyed(key), 'alpha')).keyId).toBe(id)
  })

  it('is not blamed on a key when the store is away: nothing is remembered of it', async () => {
    const { access, addKey, store } = open()
    const { key } = await addKey('secret')
    store.down = true
    expect((await refusal(access.identify(keyed(key), 'alpha'))).code).toBe('store_unavailable')
    store.down = false
    expect((await access.identify(keyed(key), 'alpha')).kind).toBe('key')
  })
})

describe('the tag of a secret key', () => {
  const wrongSecret = (nth: number) => String(nth).padStart(22, '0')
  const wrong = (id: string, nth: number) => `sk_live_${id}_${wrongSecret(nth)}`
  /** Wrong secrets that have the tag of the right one, as somebody finds them who read the table. */
  function* alike(id: string, secret: string): Generator<string> {
    for (let nth = 0; ; nth++) {
      if (keyTag(id, wrongSecret(nth)) === keyTag(id, secret)) yield wrong(id, nth)
    }
  }
  const codeOf = async (attempt: Promise<unknown>) => (await refusal(attempt)).code

  it('refuses wrong secrets without a hash, after one read of the row, and counts them all the same', async () => {
    const { access, addKey, store } = open({ guessesPerMinute: 3 })
    const { key, id, tag } = await addKey('secret')
    const guesses = Array.from({ length: 20 }, (_, nth) => nth).filter((nth) => keyTag(id, wrongSecret(nth)) !== tag)
    const codes: string[] = []
    for (const nth of guesses.slice(0, 4)) codes.push(await codeOf(access.identify(keyed(wrong(id, nth)), 'alpha')))
    expect(codes).toEqual(['unauthorized', 'unauthorized', 'unauthorized', 'rate_limit_exceeded'])
    expect(hashes).not.toHaveBeenCalled()
    expect(store.asked).toEqual([`findKey ${id}`])
    expect(await codeOf(access.identify(keyed(key), 'alpha'))).toBe('rate_limit_exceeded')
    const owner = request({ headers: { 'x-api-key': key }, address: '198.51.100.1' })
    expect((await access.identify(owner, 'alpha')).keyId).toBe(id)
  })

  it('is not asked for while a hash of the key is on: who comes meanwhile is told to come back, and costs no read', async () => {
    const { access, addKey, store } = open()
    const { id } = await addKey('secret')
    untag(store, id)
    const { promise, resolve } = deferred<boolean>()
    hashes.mockImplementationOnce(() => promise)
    const first = codeOf(access.identify(keyed(wrong(id, 0)), 'alpha'))
    await turns()
    expect(hashes).toHaveBeenCalledTimes(1)
    expect(await codeOf(access.identify(keyed(wrong(id, 1)), 'alpha'))).toBe('overloaded')
    expect(store.asked).toEqual([`findKey ${id}`])
    resolve(false)
    expect(await first).toBe('unauthorized')
  })

  it('that a guess has lets it come to a hash: as many a minute as before there were tags, then none', async () => {
    const { access, addKey } = open({ guessesPerMinute: 2 })
    const { id, secret } = await addKey('secret')
    const guesses = alike(id, secret)
    const guess = () => codeOf(access.identify(keyed(guesses.next().value ?? ''), 'alpha'))
    expect([await guess(), await guess(), await guess()]).toEqual([
      'unauthorized',
      'unauthorized',
      'rate_limit_exceeded',
    ])
    expect(hashes).toHaveBeenCalledTimes(2)
  })

  it('that guesses have leaves them one place among the hashes', async () => {
    const { access, addKey } = open()
    const { id, secret } = await addKey('secret')
    const guesses = alike(id, secret)
    const all = await Promise.all(
      [1, 2, 3].map(() => codeOf(access.identify(keyed(guesses.next().value ?? ''), 'alpha'))),
    )
    expect(all.toSorted()).toEqual(['overloaded', 'overloaded', 'unauthorized'])
    expect(hashes).toHaveBeenCalledTimes(1)
  })

  it('lets nobody without it into the way of who is being proven', async () => {
    const { access, addKey } = open()
    const { key, id, tag } = await addKey('secret')
    const nth = keyTag(id, wrongSecret(0)) === tag ? 1 : 0
    const first = access.identify(keyed(key), 'alpha')
    expect(await codeOf(access.identify(keyed(wrong(id, nth)), 'alpha'))).toBe('unauthorized')
    expect((await first).keyId).toBe(id)
  })

  it('is learned from the first proof of a key that has none, and written down with its use', async () => {
    const { access, addKey, store } = open()
    const { key, id, tag } = await addKey('secret')
    untag(store, id)
    expect(await codeOf(access.identify(keyed(wrong(id, 0)), 'alpha'))).toBe('unauthorized')
    expect(hashes).toHaveBeenCalledTimes(1)
    await access.identify(keyed(key), 'alpha')
    expect(hashes).toHaveBeenCalledTimes(2)
    // Whose right secret is in memory needs no tag to tell a wrong one.
    expect(await codeOf(access.identify(keyed(wrong(id, 1)), 'alpha'))).toBe('unauthorized')
    expect(hashes).toHaveBeenCalledTimes(2)
    expect(store.keys.get(id)?.tag).toBeUndefined()
    await access.close()
    expect(store.keys.get(id)?.tag).toBe(tag)
  })

  it('is forgotten with every change of a key: one that was put in its place by hand works at once', async () => {
    const { access, addKey, store } = open()
    const [{ key, id }, other] = [await addKey('secret'), await addKey('secret')]
    expect(await codeOf(access.identify(keyed(wrong(id, 0)), 'alpha'))).toBe('unauthorized')
    const [row, { hash }] = [store.keys.get(id), other]
    if (row === undefined) throw new Error('no row')
    store.keys.set(id, { ...row, hash, tag: keyTag(id, other.secret) })
    store.tell({ kind: 'key', id })
    expect((await access.identify(keyed(`sk_live_${id}_${other.secret}`), 'alpha')).keyId).toBe(id)
    expect(await codeOf(access.identify(keyed(key), 'alpha'))).toBe('unauthorized')
  })
})

describe('a publishable key', () => {
  const home = { origin: 'https://shop.example' }

  it('opens its App to pages of its own origins only', async () => {
    const { access, addKey } = open()
    const { key } = await addKey('publishable')
    expect((await access.identify(keyed(key, home), 'alpha')).keyKind).toBe('publishable')
    expect(hashes).not.toHaveBeenCalled()
    const others = [
      'http://shop.example',
      'https://shop.example:8443',
      'https://evil.example',
      'https://shop.example.evil',
    ]
    for (const origin of others) {
      expect((await refusal(access.identify(keyed(key, { origin }), 'alpha'))).code).toBe('origin_not_allowed')
    }
  })

  it('without an Origin, or with the origin null, is refused', async () => {
    const { access, addKey } = open({ origins: ['*'] })
    const { key } = await addKey('publishable', { origins: ['https://shop.example', 'null'] })
    const attempts = [keyed(key), keyed(key, { origin: 'null' })]
    for (const attempt of attempts) {
      expect((await refusal(access.identify(attempt, 'alpha'))).code).toBe('origin_not_allowed')
    }
  })

  it('is told the App before the origin: 401, then 404, then 403', async () => {
    const { access, addKey } = open()
    const { key } = await addKey('publishable')
    const evil = { origin: 'https://evil.example' }
    expect((await refusal(access.identify(keyed(`${key}x`, evil), 'nowhere'))).code).toBe('unauthorized')
    expect((await refusal(access.identify(keyed(key, evil), 'nowhere'))).code).toBe('app_not_found')
    expect((await refusal(access.identify(keyed(key, evil), 'beta'))).code).toBe('forbidden')
    expect((await refusal(access.identify(keyed(key, evil), 'alpha'))).code).toBe('origin_not_allowed')
  })

  it('for another App is told which one it was asked for', async () => {
    const { access, addKey } = open()
    const { key } = await addKey('publishable')
    expect(await refusal(access.identify(keyed(key, home), 'beta'))).toMatchObject({
      code: 'forbidden',
      message: 'The key is not for App "beta"',
    })
  })
})

describe('a key with a list of addresses', () => {
  const list = ['203.0.113.0/24', '198.51.100.1/32', '2001:db8:1::/48']
  const from = (key: string, address: string, headers: Readonly<Record<string, string>> = {}) =>
    request({ headers: { 'x-api-key': key, ...headers }, address })

  it.each(['203.0.113.255', '198.51.100.1', '2001:db8:1:ffff::9', '::ffff:203.0.113.9', '::ffff:cb00:7109'])(
    'opens from %s',
    async (address) => {
      const { access, addKey } = open()
      const { key, id } = await addKey('secret', { addresses: list })
      expect((await access.identify(from(key, address), 'alpha')).keyId).toBe(id)
    },
  )

  it.each(['203.0.114.0', '198.51.100.2', '2001:db8:2::1', '::1', '127.0.0.1', 'nonsense', '::cb00:7109'])(
    'is forbidden from %s',
    async (address) => {
      const { access, addKey } = open()
      const { key } = await addKey('secret', { addresses: list })
      expect((await refusal(access.identify(from(key, address), 'alpha'))).code).toBe('forbidden')
    },
  )

  it('goes by what a trusted proxy says of the client, and by nobody else', async () => {
    const { access, addKey } = open({ trustedProxies: ['10.0.0.0/8'] })
    const { key, id } = await addKey('secret', { addresses: list })
    const said = { 'x-forwarded-for': '203.0.113.9' }
    expect((await access.identify(from(key, '10.0.0.1', said), 'alpha')).keyId).toBe(id)
    expect((await refusal(access.identify(from(key, '10.0.0.1'), 'alpha'))).code).toBe('forbidden')
    expect((await refusal(access.identify(from(key, '192.0.2.1', said), 'alpha'))).code).toBe('forbidden')
  })

  it('of entries that cannot be read opens from nowhere', async () => {
    const { access, addKey } = open()
    const { key } = await addKey('secret', { addresses: ['everywhere'] })
    expect((await refusal(access.identify(from(key, '203.0.113.7'), 'alpha'))).code).toBe('forbidden')
  })

  it('is told the App and the origin before the address', async () => {
    const { access, addKey } = open()
    const { key } = await addKey('publishable', { addresses: list })
    const evil = { origin: 'https://evil.example' }
    expect((await refusal(access.identify(from(key, '192.0.2.1', evil), 'nowhere'))).code).toBe('app_not_found')
    expect((await refusal(access.identify(from(key, '192.0.2.1', evil), 'alpha'))).code).toBe('origin_not_allowed')
  })
})

describe('a request without a credential', () => {
  it('opens the default App and no other; those are not even told apart', async () => {
    const { access } = open()
    expect((await access.identify(request(), 'default')).kind).toBe('anonymous')
    for (const app of ['alpha', 'nowhere']) {
      expect((await refusal(access.identify(request(), app))).code).toBe('unauthorized')
    }
  })

  it('is unauthorized when the default App is off', async () => {
    const { access } = open({ defaultApp: false })
    expect((await refusal(access.identify(request(), 'default'))).code).toBe('unauthorized')
  })

  it('with an empty key header is one; with anything for a ticket it is none', async () => {
    const { access } = open()
    expect((await access.identify(keyed(''), 'default')).kind).toBe('anonymous')
    expect((await refusal(access.identify(request({ ticket: 't' }), 'default'))).code).toBe('unauthorized')
  })

  it.each([
    ['no page at all', {}],
    ["the server's own page", { origin: 'http://127.0.0.1:8080' }],
    ['its own page behind TLS', { origin: 'https://localhost:8080', host: 'localhost:8080' }],
    ['a listed page', { origin: 'https://docs.example' }],
  ])('from %s passes', async (_page, headers) => {
    const { access } = open({ origins: ['https://docs.example'] })
    expect((await access.identify(request({ headers }), 'default')).kind).toBe('anonymous')
  })

  it.each([
    ['a page of another site', { origin: 'https://evil.example' }, 'origin_not_allowed'],
    ['a page of another port', { origin: 'http://127.0.0.1:3000' }, 'origin_not_allowed'],
    ['a sandboxed page', { origin: 'null' }, 'origin_not_allowed'],
    ['a page whose name was rebound', { origin: 'http://evil.example', host: 'evil.example' }, 'forbidden'],
    ['a rebound name without Origin', { host: 'evil.example:8080' }, 'forbidden'],
  ])('from %s is refused', async (_page, headers, code) => {
    const { access } = open({ origins: ['https://docs.example'] })
    expect((await refusal(access.identify(request({ headers }), 'default'))).code).toBe(code)
  })

  it('from any page and by any name passes when PARLEY_ORIGINS is *', async () => {
    const { access } = open({ origins: ['*'] })
    const anywhere = request({ headers: { origin: 'https://evil.example', host: 'rebound.example' } })
    expect((await access.identify(anywhere, 'default')).kind).toBe('anonymous')
  })
})

describe('a plain HTTP request where HTTPS is required', () => {
  it('is refused last, with or without a key; TLS and a trusted proxy that says https pass', async () => {
    const { access, addKey } = open({ requireHttps: true, trustedProxies: ['10.0.0.0/8'] })
    const { key } = await addKey('secret')
    expect((await refusal(access.identify(keyed(key), 'alpha'))).code).toBe('insecure_connection')
    expect((await refusal(access.identify(request(), 'default'))).code).toBe('insecure_connection')
    expect((await refusal(access.identify(keyed(key), 'beta'))).code).toBe('forbidden')
    expect((await access.identify(request({ secure: true }), 'default')).kind).toBe('anonymous')
    const forwarded = { headers: { 'x-forwarded-proto': 'https' } }
    expect((await access.identify(request({ ...forwarded, address: '10.1.2.3' }), 'default')).kind).toBe('anonymous')
    const lie = access.identify(request({ ...forwarded, address: '203.0.113.7' }), 'default')
    expect((await refusal(lie)).code).toBe('insecure_connection')
  })
})
