import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ChatRig } from '../support/chat-rig.ts'
import { turns } from '../support/turns.ts'
import { ReferenceClient } from './reference-client.ts'

/** A session in the middle of an answer, and the cursor at its head. */
async function begin() {
  const rig = new ChatRig()
  const id = randomUUID()
  const client = await rig.ready(id)
  await client.say('m1')
  const stream = await rig.model.request(0)
  stream.say('one ')
  await turns()
  const [epoch = '', seq = ''] = (client.ids.at(-1) ?? '').split('-')
  return { rig, id, stream, epoch, seq }
}

describe('I6: a cursor that nothing can be served from', () => {
  it.each([
    ['empty', () => ''],
    ['a dash', () => '-'],
    ['without a number', (epoch: string) => `${epoch}-`],
    ['without an epoch', (_epoch: string, seq: string) => seq],
    ['negative', (epoch: string, seq: string) => `${epoch}--${seq}`],
    ['huge', (epoch: string) => `${epoch}-${'9'.repeat(40)}`],
    ['beyond what a number holds', (epoch: string) => `${epoch}-99999999999999999999`],
    ['ahead by one', (epoch: string, seq: string) => `${epoch}-${Number(seq) + 1}`],
    ['a fraction', (epoch: string, seq: string) => `${epoch}-${seq}.5`],
    ['an exponent', (epoch: string) => `${epoch}-1e0`],
    ['with a space', (epoch: string, seq: string) => `${epoch}- ${seq}`],
    ['of another epoch', (_epoch: string, seq: string) => `0a0a0a0a0a0a-${seq}`],
    ['garbage', () => '\u0000\u{1f642}"{'],
    ['long', () => 'x'.repeat(10_000)],
  ])('P-19, P-28: %s: gets a snapshot and then what follows, never an error, never a part', async (_what, cursor) => {
    const { rig, id, stream, epoch, seq } = await begin()
    const back = await rig.ready(id, { cursor: cursor(epoch, seq) })
    expect(back.last('session.ready')?.resumed).toBe('snapshot')
    expect(back.last('error')).toBeUndefined()
    stream.say('two').stop()
    await back.end()
    expect((back.last('session.snapshot')?.messages.at(-1)?.content ?? '') + back.text).toBe('one two')
  })

  it('P-27: zero, while the log is whole, is the place before its first event', async () => {
    const { rig, id, stream, epoch } = await begin()
    const back = await rig.ready(id, { cursor: `${epoch}-0` })
    expect(back.last('session.ready')).toMatchObject({ resumed: 'tail', seq: 0 })
    expect(back.types[0]).toBe('RUN_STARTED')
    stream.say('two').stop()
    await back.end()
    expect(back.text).toBe('one two')
  })
})

describe('I6: twenty tabs of one session', () => {
  it('of which each is cut at another token and comes back, agree', async () => {
    const { rig, id, stream } = await begin()
    const tabs = Array.from({ length: 20 }, () => new ReferenceClient(id))
    for (const tab of tabs) await tab.connect(rig)
    for (const [nth, tab] of tabs.entries()) {
      tab.socket?.cut()
      stream.say(`${nth} `)
      await turns(1)
      const back = tabs[nth - 3]
      if (back?.connected === false) await back.connect(rig)
    }
    stream.stop()
    await turns()
    for (const tab of tabs) if (!tab.connected) await tab.connect(rig)
    await turns()
    const fresh = new ReferenceClient(id)
    await fresh.connect(rig)
    await turns()
    expect(fresh.transcript.at(-1)).toMatchObject({ content: `one ${tabs.map((_, nth) => `${nth} `).join('')}` })
    for (const tab of tabs) expect(tab.transcript).toEqual(fresh.transcript)
  })
})
