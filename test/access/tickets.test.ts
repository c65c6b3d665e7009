import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Grant, Principal } from '../../src/ports/access.ts'
import { type FakeStore, type Gate, keyed, openGate, refusal, request } from './fakes.ts'

const SESSION = '7d9e7a34-7a36-4f0a-9d52-0f6f0d8f2f11'
const OTHER = '0c1b2a39-4857-4665-8774-839291a0bfce'
const GRANT: Grant = { session: SESSION, user: 'ann', scopes: ['read', 'write'] }

let gate: Gate

beforeEach(() => {
  vi.useFakeTimers()
  gate = openGate()
})
afterEach(async () => {
  await gate.access.close()
  vi.useRealTimers()
})

/** A ticket by a key of its own. */
async function mint(grant: Partial<Grant> = {}, { access, addKey }: Gate = gate) {
  const { key, id } = await addKey('secret', { apps: ['alpha', 'beta'] })
  const principal = await access.identify(keyed(key), 'alpha')
  const minted = await access.mintTicket(principal, 'alpha', { ...GRANT, ...grant })
  return { ...minted, keyId: id, principal }
}

const show = (ticket: string, session = SESSION, app = 'alpha', { access }: Gate = gate): Promise<Principal> =>
  access.identify(request({ ticket, session, headers: { origin: 'https://any.example' } }), app)

const code = async (attempt: Promise<unknown>): Promise<string> => (await refusal(attempt)).code

/** Another process on the same store. */
function neighbour(store: FakeStore): Gate {
  const other = openGate()
  Object.assign(other.store, { keys: store.keys, apps: store.apps, tickets: store.tickets, secret: store.secret })
  return other
}

describe('a ticket', () => {
  it('P-110: lets one user of the key that minted it into one session of one App, from any page', async () => {
    const { ticket, keyId, expiresAt } = await mint()
    expect(expiresAt).toBe(Date.now() + 30_000)
    expect(await show(ticket)).toEqual({
      kind: 'ticket',
      keyId,
      account: 'acme',
      user: 'ann',
      session: SESSION,
      scopes: ['read', 'write'],
      apps: ['alpha'],
    })
  })

  it('P-112: opens one connection', async () => {
    const { ticket } = await mint()
    await show(ticket)
    expect(await code(show(ticket))).toBe('ticket_used')
  })

  it('P-112: opens one connection, in whichever process it is shown', async () => {
    const { ticket } = await mint()
    const other = neighbour(gate.store)
    expect((await show(ticket, SESSION, 'alpha', other)).user).toBe('ann')
    expect(await code(show(ticket))).toBe('ticket_used')
    await other.access.close()
  })

  it('P-112: expires under a minute after it was minted', async () => {
    const { ticket } = await mint()
    vi.advanceTimersByTime(31_000)
    expect(await code(show(ticket))).toBe('ticket_expired')
  })

  it('P-113: is refused for another session or App in its order, and is not used up by that', async () => {
    const { ticket } = await mint()
    expect(await code(show(ticket, SESSION, 'nowhere'))).toBe('app_not_found')
    expect(await code(show(ticket, OTHER, 'beta'))).toBe('forbidden')
    expect(await code(show(ticket, OTHER))).toBe('session_not_found')
    expect((await show(ticket)).session).toBe(SESSION)
  })

  it('for another App is told which one it was asked for', async () => {
    const { ticket } = await mint()
    expect((await refusal(show(ticket, SESSION, 'beta'))).message).toBe('The ticket is not for App "beta"')
  })

  it('is unauthorized when the key that minted it is gone', async () => {
    const { ticket, keyId } = await mint()
    await gate.store.revokeKey(keyId, Date.now())
    expect(await code(show(ticket))).toBe('unauthorized')
  })

  it('that this server did not sign is unauthorized, whatever it says', async () => {
    const { ticket } = await mint()
    const stranger = openGate()
    const [head = '', body = '', mark = ''] = ticket.split('.')
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString())
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const forged = [
      (await mint({}, stranger)).ticket,
      `${head}.${encode({ ...claims, bearer: { ...claims.bearer, user: 'bob' } })}.${mark}`,
      `${encode({ alg: 'none' })}.${body}.`,
      `${head}.${body}.`,
      `${ticket}x`,
      'x'.repeat(100_000),
      '',
    ]
    for (const text of forged) expect(await code(show(text))).toBe('unauthorized')
    expect(gate.store.tickets.size).toBe(0)
    await stranger.access.close()
  })

  it('counts after a key that came, too', async () => {
    const { ticket } = await mint()
    const { key, id } = await gate.addKey('secret')
    const both = request({ ticket, session: SESSION, headers: { 'x-api-key': key } })
    expect((await gate.access.identify(both, 'alpha')).keyId).toBe(id)
    expect((await show(ticket)).kind).toBe('ticket')
  })

  it('is refused where HTTPS is required and there is none', async () => {
    const strict = openGate({ requireHttps: true })
    const { key } = await strict.addKey('secret')
    const secure = { headers: { 'x-api-key': key }, secure: true }
    const principal = await strict.access.identify(request(secure), 'alpha')
    const { ticket } = await strict.access.mintTicket(principal, 'alpha', GRANT)
    expect(await code(show(ticket, SESSION, 'alpha', strict))).toBe('insecure_connection')
    await strict.access.close()
  })

  it('when the store is away is refused as store_unavailable, and is good when it is back', async () => {
    const { ticket } = await mint()
    gate.store.down = true
    expect(await code(show(ticket))).toBe('store_unavailable')
    gate.store.down = false
    expect((await show(ticket)).kind).toBe('ticket')
  })
})

describe('a storm of tickets', () => {
  it('reads the key that minted them once, in a process that never saw it', async () => {
    const minted = await mint()
    const tickets = await Promise.all(
      Array.from({ length: 50 }, async () => (await gate.access.mintTicket(minted.principal, 'alpha', GRANT)).ticket),
    )
    const other = neighbour(gate.store)
    await Promise.all(tickets.map((ticket) => show(ticket, SESSION, 'alpha', other)))
    expect(other.store.asked.filter((what) => what.startsWith('findKey'))).toEqual([`findKey ${minted.keyId}`])
    await other.access.close()
  })
})

describe('minting', () => {
  it('P-111: gives no scope that the key lacks, and is for secret keys only', async () => {
    const { access, addKey } = gate
    const { principal } = await mint()
    const reader = await addKey('secret', { scopes: ['read'] })
    const page = await addKey('publishable')
    const visitor = await access.identify(request(), 'default')
    const others = [
      await access.identify(keyed(reader.key), 'alpha'),
      await access.identify(keyed(page.key, { origin: 'https://shop.example' }), 'alpha'),
      await show((await mint()).ticket),
    ]
    expect(await code(access.mintTicket(principal, 'alpha', { ...GRANT, scopes: ['read', 'delete'] }))).toBe(
      'forbidden',
    )
    for (const other of others) expect(await code(access.mintTicket(other, 'alpha', GRANT))).toBe('forbidden')
    expect(await code(access.mintTicket(visitor, 'default', GRANT))).toBe('unauthorized')
  })
})

describe('a token for coming back', () => {
  const tokenOf = async (principal: Principal): Promise<string> => {
    const token = await gate.access.reconnectToken(principal)
    if (token === undefined) throw new Error('no token')
    return token
  }

  it('P-114: brings the same principal back to its session, more than once, for ten minutes', async () => {
    const first = await show((await mint()).ticket)
    const token = await tokenOf(first)
    vi.advanceTimersByTime(9 * 60_000)
    expect(await show(token)).toEqual(first)
    expect(await show(token)).toEqual(first)
    vi.advanceTimersByTime(61_000)
    expect(await code(show(token))).toBe('ticket_expired')
  })

  it('P-114: is another with each connection, and opens no other session', async () => {
    const first = await show((await mint()).ticket)
    const token = await tokenOf(first)
    expect(await tokenOf(await show(token))).not.toBe(token)
    expect(await code(show(token, OTHER))).toBe('session_not_found')
    expect(await code(show(token, SESSION, 'beta'))).toBe('forbidden')
  })

  it('P-114: keeps nobody in for longer than a day after the ticket', async () => {
    let principal = await show((await mint()).ticket)
    const refused = async (): Promise<string> => {
      for (let minutes = 0; ; minutes += 9) {
        const token = await tokenOf(principal)
        vi.advanceTimersByTime(9 * 60_000)
        if (minutes >= 24 * 60 - 9) return code(show(token))
        principal = await show(token)
      }
    }
    expect(await refused()).toBe('ticket_expired')
  })

  it('is for nobody else', async () => {
    const { principal } = await mint()
    expect(await gate.access.reconnectToken(principal)).toBeUndefined()
    expect(await gate.access.reconnectToken(await gate.access.identify(request(), 'default'))).toBeUndefined()
  })

  it('is taken from memory while the store is away', async () => {
    const token = await tokenOf(await show((await mint()).ticket))
    gate.store.down = true
    expect((await show(token)).user).toBe('ann')
  })
})

describe('I9: who came in by a ticket', () => {
  it.each([false, true])('goes with the key that minted it, also where the key was never shown (%s)', async (away) => {
    const { ticket, keyId } = await mint()
    const place = away ? neighbour(gate.store) : gate
    const gone: string[] = []
    place.access.onRevoked((ids) => gone.push(...ids))
    const principal = await show(ticket, SESSION, 'alpha', place)
    place.access.require(principal, 'write')
    expect(() => place.access.require(principal, 'delete')).toThrow(expect.objectContaining({ code: 'forbidden' }))
    await place.store.revokeKey(keyId, Date.now())
    await vi.advanceTimersByTimeAsync(0)
    expect(gone).toEqual([keyId])
    expect(() => place.access.require(principal, 'read')).toThrow(expect.objectContaining({ code: 'unauthorized' }))
    if (away) await place.access.close()
  })

  it.each(['expires', 'loses an App'] as const)('goes when that key %s', async (how) => {
    const { ticket, keyId } = await mint()
    const other = neighbour(gate.store)
    const gone: string[] = []
    other.access.onRevoked((ids) => gone.push(...ids))
    const principal = await show(ticket, SESSION, 'alpha', other)
    const successor = { id: 'next', hash: '', createdAt: Date.now() }
    if (how === 'expires') await other.store.rotateKey(keyId, successor, Date.now() + 1000)
    else await other.store.deleteApp('beta')
    await vi.advanceTimersByTimeAsync(2000)
    expect(gone).toEqual([keyId])
    expect(() => other.access.require(principal, 'read')).toThrow(expect.objectContaining({ code: 'unauthorized' }))
    await other.access.close()
  })
})
