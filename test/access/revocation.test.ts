import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { mintKey } from '../../src/access/keys.ts'
import type { Principal } from '../../src/ports/access.ts'
import { type Gate, keyed, openGate, refusal } from './fakes.ts'

let gate: Gate
const gone: string[] = []

/** Lets promises that are ready run; no clock moves. */
async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0)
}

beforeEach(() => {
  vi.useFakeTimers()
  gone.length = 0
  gate = openGate()
  gate.access.onRevoked((ids) => gone.push(...ids))
})
afterEach(async () => {
  await gate.access.close()
  vi.useRealTimers()
})

describe('I9: a key', () => {
  it('that is revoked closes what it opened, stops its commands and opens nothing more', async () => {
    const { access, store, addKey } = gate
    const { key, id } = await addKey('secret')
    const principal = await access.identify(keyed(key), 'alpha')
    await store.revokeKey(id, Date.now())
    await settle()
    expect(gone).toEqual([id])
    expect(() => access.require(principal, 'read')).toThrow(expect.objectContaining({ code: 'unauthorized' }))
    expect((await refusal(access.identify(keyed(key), 'alpha'))).code).toBe('unauthorized')
  })

  it('that is revoked while its secret is being hashed does not get in', async () => {
    const { access, store, addKey } = gate
    const { key, id } = await addKey('secret')
    store.afterRead = () => {
      store.afterRead = () => undefined
      void store.revokeKey(id, Date.now())
    }
    expect((await refusal(access.identify(keyed(key), 'alpha'))).code).toBe('unauthorized')
  })

  it('that expires closes what it opened within a second', async () => {
    const { access, addKey } = gate
    const { key, id } = await addKey('secret', { expiresAt: Date.now() + 5000 })
    const principal = await access.identify(keyed(key), 'alpha')
    await vi.advanceTimersByTimeAsync(4900)
    expect(gone).toEqual([])
    await vi.advanceTimersByTimeAsync(1100)
    expect(gone).toEqual([id])
    expect(() => access.require(principal, 'read')).toThrow(expect.objectContaining({ code: 'unauthorized' }))
    expect((await refusal(access.identify(keyed(key), 'alpha'))).code).toBe('unauthorized')
  })

  it('that is rotated works for the overlap beside its successor, then closes what it opened', async () => {
    const { access, store, addKey } = gate
    const [old, next] = [await addKey('secret'), await mintKey('secret')]
    const principal = await access.identify(keyed(old.key), 'alpha')
    const successor = { id: next.id, hash: next.hash, createdAt: Date.now() }
    await store.rotateKey(old.id, successor, Date.now() + 5000)
    await settle()
    expect((await access.identify(keyed(next.key), 'alpha')).keyId).toBe(next.id)
    await vi.advanceTimersByTimeAsync(4900)
    expect(await access.identify(keyed(old.key), 'alpha')).toBe(principal)
    expect(gone).toEqual([])
    await vi.advanceTimersByTimeAsync(1100)
    expect(gone).toEqual([old.id])
    expect(() => access.require(principal, 'read')).toThrow(expect.objectContaining({ code: 'unauthorized' }))
    expect((await refusal(access.identify(keyed(old.key), 'alpha'))).code).toBe('unauthorized')
    expect((await access.identify(keyed(next.key), 'alpha')).keyId).toBe(next.id)
  })

  it('that was pushed out of memory and then rotated still closes what it opened', async () => {
    const small = openGate({ verdicts: 1 })
    small.access.onRevoked((ids) => gone.push(...ids))
    const [first, second] = [await small.addKey('secret'), await small.addKey('secret')]
    await small.access.identify(keyed(first.key), 'alpha')
    await small.access.identify(keyed(second.key), 'alpha')
    await small.store.rotateKey(first.id, { id: 'next', hash: '', createdAt: Date.now() }, Date.now() + 2000)
    await vi.advanceTimersByTimeAsync(3000)
    expect(gone).toEqual([first.id])
    await small.access.close()
  })

  it('that loses an App closes what it opened and keeps its other Apps', async () => {
    const { access, store, addKey } = gate
    const { key, id } = await addKey('secret', { apps: ['alpha', 'beta'] })
    const before = await access.identify(keyed(key), 'beta')
    await store.deleteApp('beta')
    await settle()
    expect(gone).toEqual([id])
    expect(() => access.require(before, 'read')).toThrow(expect.objectContaining({ code: 'unauthorized' }))
    expect((await refusal(access.identify(keyed(key), 'beta'))).code).toBe('app_not_found')
    const after = await access.identify(keyed(key), 'alpha')
    expect(after.apps).toEqual(['alpha'])
    access.require(after, 'read')
  })

  it('of an App whose definition changes goes on', async () => {
    const { access, store, addKey } = gate
    const { key } = await addKey('secret')
    const principal = await access.identify(keyed(key), 'alpha')
    store.tell({ kind: 'app', id: 'alpha' })
    await settle()
    expect(gone).toEqual([])
    expect(await access.identify(keyed(key), 'alpha')).toBe(principal)
  })

  it('that was revoked while notices were lost is found when everything is re-read', async () => {
    const { access, store, addKey } = gate
    const [kept, revoked, removed] = [await addKey('secret'), await addKey('publishable'), await addKey('secret')]
    await access.identify(keyed(kept.key), 'alpha')
    await access.identify(keyed(revoked.key, { origin: 'https://shop.example' }), 'alpha')
    await access.identify(keyed(removed.key), 'alpha')
    const row = store.keys.get(revoked.id)
    if (row !== undefined) store.keys.set(revoked.id, { ...row, revokedAt: 1 })
    store.keys.delete(removed.id)
    store.tell({ kind: 'everything' })
    await settle()
    expect(gone.toSorted()).toEqual([revoked.id, removed.id].toSorted())
  })

  it('that was made and used while everything is re-read stays', async () => {
    const { access, store, addKey } = gate
    await addKey('secret')
    let letIn: Principal | undefined
    store.afterList = async () => {
      const { key } = await addKey('publishable')
      letIn = await access.identify(keyed(key, { origin: 'https://shop.example' }), 'alpha')
    }
    store.tell({ kind: 'everything' })
    await settle()
    expect(gone).toEqual([])
    if (letIn === undefined) throw new Error('nobody was let in')
    access.require(letIn, 'read')
  })

  it('is told with all others that are gone: who listens looks through its connections once', async () => {
    const { access, store, addKey } = gate
    const told: ReadonlySet<string>[] = []
    access.onRevoked((ids) => told.push(ids))
    const keys = [await addKey('secret'), await addKey('secret'), await addKey('secret')]
    for (const { id } of keys) {
      const row = store.keys.get(id)
      if (row !== undefined) store.keys.set(id, { ...row, revokedAt: 1 })
    }
    store.tell({ kind: 'everything' })
    await settle()
    expect(told).toEqual([new Set(keys.map(({ id }) => id))])
  })

  it.each([{ kind: 'key', id: '' } as const, { kind: 'everything' } as const])(
    'whose change cannot be read is read again until it can ($kind)',
    async (change) => {
      const { access, store, addKey } = gate
      const { key, id } = await addKey('secret')
      await access.identify(keyed(key), 'alpha')
      const row = store.keys.get(id)
      if (row !== undefined) store.keys.set(id, { ...row, revokedAt: 1 })
      store.down = true
      store.tell(change.kind === 'key' ? { ...change, id } : change)
      await settle()
      expect(gone).toEqual([])
      store.down = false
      await vi.advanceTimersByTimeAsync(1000)
      expect(gone).toEqual([id])
    },
  )

  it('that was pushed out of memory is still stopped when it is revoked', async () => {
    const small = openGate({ verdicts: 1 })
    small.access.onRevoked((ids) => gone.push(...ids))
    const [first, second] = [await small.addKey('secret'), await small.addKey('secret')]
    const principal = await small.access.identify(keyed(first.key), 'alpha')
    await small.access.identify(keyed(second.key), 'alpha')
    await small.store.revokeKey(first.id, Date.now())
    await settle()
    expect(gone).toEqual([first.id])
    expect(() => small.access.require(principal, 'read')).toThrow(expect.objectContaining({ code: 'unauthorized' }))
    await small.access.close()
  })
})

describe('the use of keys', () => {
  it('is written down about once a minute, and what is left when access closes', async () => {
    const { access, store, addKey } = gate
    const { key, id } = await addKey('secret')
    await access.identify(keyed(key), 'alpha')
    await access.identify(keyed(key), 'alpha')
    await vi.advanceTimersByTimeAsync(61_000)
    expect(store.touched).toEqual([[id]])
    await access.identify(keyed(key), 'alpha')
    await access.close()
    expect(store.touched).toEqual([[id], [id]])
    expect(store.listeners).toBe(1)
  })
})

describe('a scope', () => {
  it('I9: that a key lacks is forbidden; a visitor may read, write and delete, never administer', async () => {
    const { access, addKey } = gate
    const { key } = await addKey('secret', { scopes: ['read'] })
    const reader = await access.identify(keyed(key), 'alpha')
    access.require(reader, 'read')
    for (const scope of ['write', 'delete', 'admin'] as const) {
      expect(() => access.require(reader, scope)).toThrow(expect.objectContaining({ code: 'forbidden' }))
    }
    const visitor = await access.identify(keyed(''), 'default')
    for (const scope of ['read', 'write', 'delete'] as const) access.require(visitor, scope)
    expect(() => access.require(visitor, 'admin')).toThrow(expect.objectContaining({ code: 'forbidden' }))
  })
})
