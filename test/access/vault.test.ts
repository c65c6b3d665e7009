import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createVault } from '../../src/access/vault.ts'
import { createMemoryStore } from '../support/memory-store.ts'

const KEY = randomBytes(32)
const ENTRY = { name: 'TOKEN', value: 'tok-hunter2', label: 'mine' }

describe('the vault', () => {
  it('gives back what was put, by whichever process has the same key', async () => {
    const store = createMemoryStore()
    await createVault(store, KEY).put('v', [ENTRY], false)
    const secret = (await createVault(store.fork(), KEY).read('v')).get('TOKEN')
    expect(secret?.reveal()).toBe('tok-hunter2')
    for (const shown of [inspect(secret), JSON.stringify(secret)]) expect(shown).not.toContain('hunter2')
  })

  it('makes a key in the store where the operator has none, once for all processes', async () => {
    const store = createMemoryStore()
    await createVault(store).put('v', [ENTRY], false)
    expect((await createVault(store.fork()).read('v')).get('TOKEN')?.reveal()).toBe('tok-hunter2')
  })

  it('shows the beginning only, and less of a short one', async () => {
    const vault = createVault(createMemoryStore(), KEY)
    await vault.put('v', [ENTRY, { name: 'LONG', value: 'sk-ant-0123456789abcdefghijklmnop' }], false)
    expect(await vault.show('v')).toEqual([
      { name: 'LONG', prefix: 'sk-ant-' },
      { name: 'TOKEN', prefix: 'to', label: 'mine' },
    ])
  })

  it('seals the same secret otherwise each time, and opens it in its own place only', async () => {
    const store = createMemoryStore()
    const vault = createVault(store, KEY)
    await vault.put('v', [ENTRY], false)
    const [first] = await store.listEntries('v')
    await vault.put('v', [ENTRY], false)
    const [second] = await store.listEntries('v')
    expect(first?.sealed).not.toBe(second?.sealed)
    for (const [id, name, sealed] of [
      ['other', 'TOKEN', first?.sealed],
      ['other-name', 'TOKENS', first?.sealed],
      ['changed', 'TOKEN', `1.${Buffer.alloc(60).toString('base64')}`],
      ['cut', 'TOKEN', '1.AA'],
      ['unknown', 'TOKEN', 'plain'],
    ] as const) {
      await store.putEntries({ id, passing: false, entries: [{ name, sealed: sealed ?? '' }] }, 9)
      await expect(vault.read(id)).rejects.toMatchObject({ code: 'provider_misconfigured' })
    }
  })

  it('opens nothing with another key', async () => {
    const store = createMemoryStore()
    await createVault(store, KEY).put('v', [ENTRY], false)
    const other = createVault(store, randomBytes(32))
    await expect(other.read('v')).rejects.toMatchObject({ code: 'provider_misconfigured', cause: undefined })
  })
})
