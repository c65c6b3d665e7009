import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { KeyRow } from '../../src/ports/keys.ts'
import type { Change } from '../../src/ports/store.ts'
import { answered, key, NOW } from './store-rows.ts'
import { type MakeStore, openSubject, refusal, SOON, type Storage } from './store-subject.ts'

export function keyRules(make: MakeStore): void {
  describe('keys and Apps', () => {
    const { store, other } = openSubject(make)
    const putApp = async (id = `app-${randomUUID()}`) => {
      await store().putApp({ id, definition: { name: id, deep: [1, { two: null }] }, updatedAt: NOW })
      return id
    }
    const told = (by: Storage) => {
      const changes: Change[] = []
      return { changes, stop: by.subscribe((change) => changes.push(change)) }
    }

    it('gives every field of a key back', async () => {
      const full: Required<Omit<KeyRow, 'successor'>> = {
        ...key(),
        kind: 'publishable',
        tag: 65_535,
        label: 'the shop',
        apps: [await putApp('a-first'), await putApp('b-second')],
        origins: ['https://shop.example'],
        addresses: ['203.0.113.0/24', '2001:db8::/32'],
        expiresAt: NOW + 1,
        revokedAt: NOW + 2,
        lastUsedAt: NOW + 3,
      }
      const plain = key({ createdAt: NOW - 1 })
      await store().createKey(full)
      await store().createKey(plain)
      expect(await store().findKey(full.id)).toStrictEqual(full)
      expect(await store().findKey(plain.id)).toStrictEqual(plain)
      expect(await store().findKey('nobody')).toBeUndefined()
      expect((await store().listKeys()).filter(({ id }) => id === full.id || id === plain.id)).toEqual([plain, full])
    })

    it('I10: refuses a key for an App that does not exist, and a key id that is taken', async () => {
      const refused = key({ apps: [await putApp(), 'nobody'] })
      await expect(store().createKey(refused)).rejects.toMatchObject(refusal('app_not_found'))
      expect(await store().findKey(refused.id)).toBeUndefined()
      const taken = key()
      await store().createKey(taken)
      await expect(store().createKey(taken)).rejects.toMatchObject(refusal('conflict'))
    })

    it('I9: a key stays revoked at its first time, and other processes hear of it', async () => {
      const row = key()
      await store().createKey(row)
      const { changes, stop } = told(other().store)
      expect(await store().revokeKey(row.id, NOW + 5)).toBe(true)
      expect(await store().revokeKey(row.id, NOW + 9)).toBe(true)
      expect(await store().revokeKey('nobody', NOW)).toBe(false)
      expect((await other().store.findKey(row.id))?.revokedAt).toBe(NOW + 5)
      await expect.poll(() => changes).toContainEqual({ kind: 'key', id: row.id })
      stop()
    })

    it('I9: puts a key in the place of another, which goes on for a while, and tells of both', async () => {
      const old: KeyRow = {
        ...key({ apps: [await putApp('c-first'), await putApp('d-second')] }),
        kind: 'publishable',
        tag: 5,
        label: 'the shop',
        scopes: ['read'],
        origins: ['https://shop.example'],
        addresses: ['203.0.113.7/32'],
      }
      await store().createKey(old)
      await store().touchKeys([{ id: old.id }], NOW)
      const { changes, stop } = told(other().store)
      const successor = {
        id: `n${randomUUID()}`,
        hash: 'of the new one',
        tag: 0,
        createdAt: NOW + 5,
        expiresAt: NOW + 100,
      }
      expect(await store().rotateKey(old.id, successor, NOW + 50)).toBe(true)
      expect(await store().findKey(successor.id)).toStrictEqual({ ...old, ...successor })
      expect(await store().findKey(old.id)).toStrictEqual({
        ...old,
        lastUsedAt: NOW,
        expiresAt: NOW + 50,
        successor: successor.id,
      })
      const both = [old.id, successor.id].map((id) => ({ kind: 'key', id }))
      await expect.poll(() => changes).toEqual(expect.arrayContaining(both))
      stop()
    })

    it('never lets a key live longer for being rotated, and rotates none that is dead', async () => {
      const next = () => ({ id: `n${randomUUID()}`, hash: 'h', createdAt: NOW + 5 })
      const [brief, revoked, expired] = [
        key({ expiresAt: NOW + 10 }),
        key({ revokedAt: NOW }),
        key({ expiresAt: NOW + 5 }),
      ]
      for (const row of [brief, revoked, expired]) await store().createKey(row)
      expect(await store().rotateKey(brief.id, next(), NOW + 50)).toBe(true)
      expect((await store().findKey(brief.id))?.expiresAt).toBe(NOW + 10)
      for (const id of [revoked.id, expired.id, 'nobody']) {
        const successor = next()
        expect(await store().rotateKey(id, successor, NOW + 50)).toBe(false)
        expect(await store().findKey(successor.id)).toBeUndefined()
      }
    })

    it('rotates a key once, also when two ask for it at the same time; its successor can be rotated in its turn', async () => {
      const old = key()
      await store().createKey(old)
      const next = () => ({ id: `n${randomUUID()}`, hash: 'h', createdAt: NOW + 5 })
      const [first, second, third] = [next(), next(), next()]
      const both = await Promise.all([
        store().rotateKey(old.id, first, NOW + 50),
        other().store.rotateKey(old.id, second, NOW + 50),
      ])
      expect(both.filter(Boolean)).toHaveLength(1)
      const [made, refused] = both[0] ? [first, second] : [second, first]
      expect((await store().findKey(old.id))?.successor).toBe(made.id)
      expect(await store().findKey(refused.id)).toBeUndefined()
      expect(await store().rotateKey(old.id, third, NOW + 50)).toBe(false)
      expect(await store().rotateKey(made.id, third, NOW + 50)).toBe(true)
      expect(await store().findKey(third.id)).not.toHaveProperty('successor')
    })

    it('keeps the latest use of keys', async () => {
      const [a, b] = [key(), key()]
      await Promise.all([a, b].map((row) => store().createKey(row)))
      await store().touchKeys([{ id: a.id }, { id: b.id }, { id: 'nobody' }], NOW + 5)
      await store().touchKeys([{ id: a.id }], NOW + 4)
      await store().touchKeys([], NOW + 9)
      expect([await store().findKey(a.id), await store().findKey(b.id)]).toMatchObject([
        { lastUsedAt: NOW + 5 },
        { lastUsedAt: NOW + 5 },
      ])
    })

    it('learns the tag of a key with its use; one that it has stays, and a new key in its place has none of it', async () => {
      const [old, told] = [key(), key({ tag: 7 })]
      await Promise.all([old, told].map((row) => store().createKey(row)))
      const tagOf = async (id: string) => (await other().store.findKey(id))?.tag
      await store().touchKeys([{ id: old.id }], NOW)
      expect(await tagOf(old.id)).toBeUndefined()
      await store().touchKeys(
        [old, told].map(({ id }) => ({ id, tag: 0 })),
        NOW,
      )
      expect([await tagOf(old.id), await tagOf(told.id)]).toEqual([0, 7])
      await store().touchKeys([{ id: old.id, tag: 9 }, { id: told.id }], NOW)
      expect([await tagOf(old.id), await tagOf(told.id)]).toEqual([0, 7])
      const successor = { id: `n${randomUUID()}`, hash: 'h', createdAt: NOW }
      expect(await store().rotateKey(told.id, successor, NOW + 50)).toBe(true)
      expect(await tagOf(successor.id)).toBeUndefined()
    })

    it('finds each of many keys that are asked for at once, and nobody', async () => {
      const rows = Array.from({ length: 20 }, () => key())
      await Promise.all(rows.map((row) => store().createKey(row)))
      const ids = [...rows.map(({ id }) => id), 'nobody', 'of " and \\']
      const found = await Promise.all(ids.map((id) => store().findKey(id)))
      expect(found.map((row) => row?.id)).toEqual([...rows.map(({ id }) => id), undefined, undefined])
    })

    it('stores, lists and replaces Apps, and tells this process, too', async () => {
      const { changes, stop } = told(store())
      const id = await putApp()
      expect(await store().getApp(id)).toEqual({
        id,
        definition: { name: id, deep: [1, { two: null }] },
        updatedAt: NOW,
        account: 'default',
      })
      await store().putApp({ id, definition: 'any JSON', updatedAt: NOW + 1 })
      expect((await store().listApps()).filter((app) => app.id === id)).toEqual([
        { id, definition: 'any JSON', updatedAt: NOW + 1, account: 'default' },
      ])
      await store().putApp({ id, definition: {}, updatedAt: NOW, account: 'acme' })
      await store().putApp({ id, definition: {}, updatedAt: NOW })
      expect(await store().getApp(id)).toMatchObject({ account: 'acme' })
      expect(await store().getApp('nobody')).toBeUndefined()
      await expect.poll(() => changes).toContainEqual({ kind: 'app', id })
      stop()
    })

    it('I10: an App that is deleted takes its place in keys with it, and leaves its sessions', async () => {
      const [gone, kept] = [await putApp(), await putApp()]
      const row = key({ apps: [gone, kept] })
      const write = answered({ app: gone })
      await store().createKey(row)
      await store().commit(write, SOON)
      const { changes, stop } = told(other().store)
      expect(await store().deleteApp(gone)).toBe(true)
      expect(await store().deleteApp(gone)).toBe(false)
      expect(await store().getApp(gone)).toBeUndefined()
      expect((await store().findKey(row.id))?.apps).toEqual([kept])
      expect((await store().load(write.sessionId))?.session.app).toBe(gone)
      await expect
        .poll(() => changes)
        .toEqual(
          expect.arrayContaining([
            { kind: 'app', id: gone },
            { kind: 'key', id: row.id },
          ]),
        )
      stop()
    })

    it('I10: an App that is deleted revokes the keys that open no other and administer nothing', async () => {
      const [gone, kept] = [await putApp(), await putApp()]
      const made = [
        key({ apps: [gone] }),
        key({ apps: [gone, kept] }),
        key({ apps: [gone], scopes: ['read', 'admin'] }),
      ]
      for (const row of made) await store().createKey(row)
      await store().deleteApp(gone)
      const revoked: boolean[] = []
      for (const { id } of made) revoked.push((await store().findKey(id))?.revokedAt !== undefined)
      expect(revoked).toEqual([true, false, false])
    })

    it('tells nothing to who does not listen any more', async () => {
      const left = told(other().store)
      const stayed = told(other().store)
      left.stop()
      const id = await putApp()
      await expect.poll(() => stayed.changes).toContainEqual({ kind: 'app', id })
      expect(left.changes).toEqual([])
      stayed.stop()
    })
  })
}
