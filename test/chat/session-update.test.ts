import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ChatRig, type RigOptions } from '../support/chat-rig.ts'
import { turns } from '../support/turns.ts'

const WALLET = { address: '0xabc', chain: '1' }

async function open(options: RigOptions = {}) {
  const rig = new ChatRig(options)
  const id = randomUUID()
  return { rig, id, client: await rig.ready(id) }
}

describe('session.update (P-47, P-59)', () => {
  it('I3: is durable before it is acknowledged and told, to all; the first one makes the session', async () => {
    const { rig, id, client } = await open()
    const other = await rig.ready(id)
    rig.store.hold()
    const acked = client.ask({ type: 'session.update', title: ' Mine ', wallet: WALLET, model: 'puppet/q' })
    await turns()
    expect(client.controls('ack')).toEqual([])
    expect(other.controls('session.updated')).toEqual([])
    rig.store.release()
    expect(await acked).toEqual({ type: 'ack', ref: 'ref-1' })
    expect(other.last('session.updated')).toEqual({
      type: 'session.updated',
      title: 'Mine',
      wallet: WALLET,
      model: 'puppet/q',
    })
    expect((await rig.store.load(id))?.session).toMatchObject({
      title: 'Mine',
      titleBy: 'person',
      wallet: WALLET,
      model: 'puppet/q',
      status: 'idle',
    })
    for (const process of [rig, rig.fork()])
      expect((await process.ready(id)).last('session.ready')).toMatchObject({
        title: 'Mine',
        wallet: WALLET,
        model: 'puppet/q',
      })
  })

  it('leaves what it does not name as it is, and unbinds a wallet by null', async () => {
    const { rig, id, client } = await open()
    await client.ask({ type: 'session.update', title: 'Mine', wallet: WALLET })
    await client.ask({ type: 'session.update', wallet: null })
    expect(client.last('session.updated')).toEqual({ type: 'session.updated', wallet: null })
    const { title, wallet } = (await rig.fork().ready(id)).last('session.ready') ?? {}
    expect([title, wallet]).toEqual(['Mine', undefined])
  })

  it('without anything changes nothing', async () => {
    const { rig, client } = await open()
    expect(await client.ask({ type: 'session.update' })).toMatchObject({ type: 'ack' })
    expect(rig.store.commits).toEqual([])
  })

  it('refuses a model that the App does not allow', async () => {
    const { rig, client } = await open()
    expect(await client.ask({ type: 'session.update', model: 'puppet/z', title: 'x' })).toMatchObject({
      type: 'error',
      code: 'invalid_value',
    })
    expect(rig.store.commits).toEqual([])
  })

  it('chooses the model of the next run, while the App allows it', async () => {
    const { rig, client } = await open()
    await client.ask({ type: 'session.update', model: 'puppet/q' })
    await client.say('m1')
    const stream = await rig.model.request(0)
    expect(stream.request.model).toBe('q')
    stream.stop()
    await client.end()
    if (rig.app !== undefined) rig.app = { ...rig.app, model: { ...rig.app.model, allowed: ['puppet/p'] } }
    const later = await rig.ready(client.last('session.ready')?.sessionId)
    expect(later.last('session.ready')).toMatchObject({ model: 'puppet/p', models: ['puppet/p'] })
    await later.say('m2')
    expect((await rig.model.request(1)).request.model).toBe('p')
  })

  it('changes nothing when the store refuses it', async () => {
    const { rig, id, client } = await open()
    await client.ask({ type: 'session.update', title: 'Mine' })
    rig.store.refuseNext('store_unavailable')
    expect(await client.ask({ type: 'session.update', title: 'Other' })).toMatchObject({ code: 'store_unavailable' })
    await client.say('m1')
    expect((await rig.store.load(id))?.session.title).toBe('Mine')
    expect((await rig.ready(id)).last('session.ready')?.title).toBe('Mine')
  })

  it('gives tools the wallet', async () => {
    const wallets: unknown[] = []
    const tool = {
      spec: { name: 'echo', description: '', parameters: {} },
      execute: async (_args: unknown, { wallet }: { wallet?: unknown }) => String(wallets.push(wallet)),
    }
    const { rig, client } = await open({ tools: [tool] })
    await client.ask({ type: 'session.update', wallet: WALLET })
    await client.say('m1')
    ;(await rig.model.request(0)).call('t1', 'echo', {}).stop('tools')
    ;(await rig.model.request(1)).stop()
    await client.end()
    expect(wallets).toEqual([WALLET])
  })
})

describe('the title', () => {
  const titles = { settings: { titles: true } }

  async function answered(options: RigOptions = titles) {
    const opened = await open(options)
    await opened.client.say('m1', '  What is\n the meaning of life?  ')
    ;(await opened.rig.model.request(0)).say('42').stop()
    await opened.client.end()
    await turns()
    return opened
  }

  it('is first the first words, then the model’s', async () => {
    const { rig, id, client } = await answered()
    expect(client.controls('session.updated').map(({ title }) => title)).toEqual([
      'What is the meaning of life?',
      'A Fine Title',
    ])
    expect((await rig.store.load(id))?.session).toMatchObject({ title: 'A Fine Title', titleBy: 'model' })
  })

  it('keeps to whole words and whole characters of a long message', async () => {
    const { client } = await open()
    await client.say('m1', `${'word '.repeat(11)}${'🦜'.repeat(20)}`)
    expect(client.last('session.updated')?.title).toBe(`${'word '.repeat(11).trim()}…`)
    const other = await open()
    await other.client.say('m1', `x${'🦜'.repeat(40)}`)
    expect(other.client.last('session.updated')?.title?.isWellFormed()).toBe(true)
  })

  it('by a person is never overwritten: set before, during and while the model is asked', async () => {
    const { rig, id, client } = await open(titles)
    await client.say('m1')
    const stream = await rig.model.request(0)
    await client.ask({ type: 'session.update', title: 'Mine' })
    stream.say('42').stop()
    await client.end()
    await turns()
    expect((await rig.store.load(id))?.session).toMatchObject({ title: 'Mine', titleBy: 'person' })

    const racing = await open(titles)
    racing.rig.model.title = undefined
    await racing.client.say('m1')
    ;(await racing.rig.model.request(0)).say('42').stop()
    await racing.client.end()
    await turns()
    await racing.client.ask({ type: 'session.update', title: 'Mine' })
    racing.rig.model.titleStreams[0]?.say('Not mine').stop()
    await turns()
    expect(racing.rig.model.titleStreams[0]?.left).toBe(true)
    expect((await racing.rig.store.load(racing.id))?.session.title).toBe('Mine')
  })

  it('by the model is asked for once', async () => {
    const { rig, client } = await answered()
    rig.model.title = 'Another'
    await client.say('m2')
    ;(await rig.model.request(1)).say('x').stop()
    await client.end(1)
    await turns()
    expect(client.last('session.updated')?.title).toBe('A Fine Title')
  })

  it('by the model is one short line without quotes', async () => {
    const { rig, client } = await open(titles)
    rig.model.title = `"A\n\u0000 ${'very '.repeat(100)}long title."`
    await client.say('m1')
    ;(await rig.model.request(0)).say('x').stop()
    await client.end()
    await turns()
    const title = client.last('session.updated')?.title ?? ''
    expect(title.length).toBeLessThanOrEqual(200)
    expect(title).toMatch(/^A \uFFFD very very/)
  })

  it('by a model that talks on is what a title may be long: the rest is not waited for', async () => {
    const { rig, client } = await open(titles)
    rig.model.title = undefined
    await client.say('m1')
    ;(await rig.model.request(0)).say('x').stop()
    await client.end()
    await turns()
    rig.model.titleStreams[0]?.say('y'.repeat(201))
    await turns()
    expect(rig.model.titleStreams[0]?.left).toBe(true)
    expect(client.last('session.updated')?.title).toBe('y'.repeat(200))
  })

  it('is not asked for again when the model had none to give', async () => {
    const { rig, id, client } = await open(titles)
    rig.model.title = ' '
    await client.say('m1', 'first')
    ;(await rig.model.request(0)).say('x').stop()
    await client.end()
    await turns()
    rig.model.title = 'Late'
    await client.say('m2', 'second')
    ;(await rig.model.request(1)).say('x').stop()
    await client.end(1)
    await turns()
    expect(client.last('session.updated')?.title).toBe('first')
    expect((await rig.store.load(id))?.session).toMatchObject({ title: 'first', titleBy: 'model' })
  })

  it.each([
    ['<think>\n\n</think>\n\nA Fine Title', 'A Fine Title'],
    ['<think>\nOkay, the user wants', 'first'],
  ])('holds no reasoning that a server left in the text: %j', async (said, title) => {
    const { rig, client } = await open(titles)
    rig.model.title = said
    await client.say('m1', 'first')
    ;(await rig.model.request(0)).say('x').stop()
    await client.end()
    await turns()
    expect(client.last('session.updated')?.title).toBe(title)
  })

  it('stays when the model has none to give, or the run was stopped', async () => {
    const { rig, client } = await open(titles)
    rig.model.title = ' '
    await client.say('m1', 'first')
    ;(await rig.model.request(0)).say('x').stop()
    await client.end()
    await client.say('m2', 'second')
    await rig.model.request(1)
    rig.model.title = 'Late'
    await client.ask({ type: 'run.cancel' })
    await client.end(1)
    await turns()
    expect(client.last('session.updated')?.title).toBe('first')
  })
})
