import { describe, expect, it } from 'vitest'
import { buildDefaultApp } from '../../src/apps/default-app.ts'
import { createApps, type RunningApps } from '../../src/apps/registry.ts'
import type { App } from '../../src/ports/apps.ts'
import { DEFINITION, FakeStore, refusal } from '../access/fakes.ts'

const BUILTIN = buildDefaultApp({
  model: 'scripted/demo',
  others: ['scripted/other', 'scripted/demo'],
  tools: ['clock'],
  maxOutputTokens: 100,
  contextTokens: 1000,
})

type Opened = {
  readonly store: FakeStore
  readonly apps: RunningApps
  readonly put: (id: string, name: string) => Promise<void>
}

function open(builtin?: App): Opened {
  const store = new FakeStore()
  const defaults = { maxOutputTokens: 100, contextTokens: 1000 }
  const apps = createApps({ store, changes: store, defaults, ...(builtin === undefined ? {} : { builtin }) })
  const put = (id: string, name: string) => store.putApp({ id, definition: { ...DEFINITION, id, name }, updatedAt: 0 })
  return { store, apps, put }
}

function reads(store: FakeStore, id: string): number {
  return store.asked.filter((what) => what === `getApp ${id}`).length
}

describe('the Apps', () => {
  it('are read once however many ask, and unknown ones, too', async () => {
    const { apps, store, put } = open()
    await put('shop', 'Shop')
    const found = await Promise.all(Array.from({ length: 50 }, () => apps.get('shop')))
    expect(new Set(found).size).toBe(1)
    expect(await apps.get('nowhere')).toBeUndefined()
    expect(await apps.get('nowhere')).toBeUndefined()
    expect([reads(store, 'shop'), reads(store, 'nowhere')]).toEqual([1, 1])
  })

  it('can be had without waiting once they were read, and not after a change', async () => {
    const { apps, put } = open()
    await put('shop', 'Shop')
    const asked = apps.get('shop')
    expect(apps.peek('shop')).toBeUndefined()
    const shop = await asked
    expect(apps.peek('shop')).toBe(shop)
    await put('shop', 'Store')
    expect(apps.peek('shop')).toBeUndefined()
    await apps.get('nowhere')
    expect(apps.peek('nowhere')).toBeUndefined()
  })

  it('show a change at once, and only that App is read again', async () => {
    const { apps, store, put } = open()
    await put('shop', 'Shop')
    await put('bank', 'Bank')
    await Promise.all([apps.get('shop'), apps.get('bank'), apps.get('new')])
    await put('shop', 'Store')
    await put('new', 'New')
    expect((await apps.get('shop'))?.name).toBe('Store')
    expect((await apps.get('new'))?.name).toBe('New')
    await apps.get('bank')
    expect(reads(store, 'bank')).toBe(1)
    await store.deleteApp('shop')
    expect(await apps.get('shop')).toBeUndefined()
  })

  it('that changed while they were read are read again', async () => {
    const { apps, store, put } = open()
    await put('shop', 'Shop')
    const early = apps.get('shop')
    await put('shop', 'Store')
    expect((await early)?.name).toBe('Shop')
    expect((await apps.get('shop'))?.name).toBe('Store')
    expect(reads(store, 'shop')).toBe(2)
  })

  it('are all read again when notices may have been lost', async () => {
    const { apps, store, put } = open()
    await put('shop', 'Shop')
    await apps.get('shop')
    store.tell({ kind: 'everything' })
    await apps.get('shop')
    expect(reads(store, 'shop')).toBe(2)
  })

  it('that cannot be read because the store is away are asked for again', async () => {
    const { apps, store, put } = open()
    await put('shop', 'Shop')
    store.down = true
    expect((await refusal(apps.get('shop'))).code).toBe('store_unavailable')
    store.down = false
    expect((await apps.get('shop'))?.name).toBe('Shop')
  })

  it('I10: have the tool for documents exactly while they have some, whatever the definition says', async () => {
    const { apps, store } = open()
    const definition = { ...DEFINITION, id: 'shop', tools: ['search_documents', 'clock'] }
    const tools = async () => (await apps.get('shop'))?.tools
    await store.putApp({ id: 'shop', definition, updatedAt: 0 })
    expect(await tools()).toEqual([{ kind: 'server', name: 'clock', ask: false }])
    store.apps.set('shop', { id: 'shop', definition, updatedAt: 0, hasDocuments: true })
    store.tell({ kind: 'app', id: 'shop' })
    expect(await tools()).toMatchObject([{ name: 'clock' }, { kind: 'server', name: 'search_documents' }])
  })

  it('I11: whose stored definition is unreadable are a fault of the server, without its content', async () => {
    const { apps, store } = open()
    store.apps.set('shop', { id: 'shop', definition: { secret: 'hunter2' }, updatedAt: 0 })
    const refused = await refusal(apps.get('shop'))
    expect(refused.code).toBe('internal_error')
    expect(refused.message).not.toContain('hunter2')
  })

  it('let go of the feed when they close', () => {
    const { apps, store } = open()
    expect(store.listeners).toBe(1)
    apps.close()
    expect(store.listeners).toBe(0)
  })
})

describe('the default App', () => {
  it('is there without being stored, with every tool and each model once', async () => {
    const { apps } = open(BUILTIN)
    expect(await apps.get('default')).toMatchObject({
      id: 'default',
      model: { default: 'scripted/demo', allowed: ['scripted/demo', 'scripted/other'] },
      tools: [{ kind: 'server', name: 'clock', ask: false }],
    })
  })

  it('gives way to a stored one, and is back when that is deleted', async () => {
    const { apps, store, put } = open(BUILTIN)
    await put('default', 'Mine')
    expect((await apps.get('default'))?.name).toBe('Mine')
    await store.deleteApp('default')
    expect((await apps.get('default'))?.name).toBe('Parley')
  })

  it('is not there when it is configured off', async () => {
    const { apps } = open()
    expect(await apps.get('default')).toBeUndefined()
  })
})
