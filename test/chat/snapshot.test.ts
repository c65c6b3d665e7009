import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { MessageRow, RunRow, SessionRow } from '../../src/ports/store.ts'
import { MAX_OUTBOUND_FRAME_BYTES, MAX_WIRE_TOOL_RESULT_BYTES } from '../../src/protocol/limits.ts'
import { utf8Length } from '../../src/protocol/text.ts'
import { ChatRig, type RigOptions } from '../support/chat-rig.ts'

/** A process on a store that holds a session of finished runs, each a list of message contents: user, assistant, tool … */
async function stored(runs: readonly (readonly Partial<MessageRow>[])[], options: RigOptions = {}) {
  const rig = new ChatRig(options)
  const id = randomUUID()
  const session: SessionRow = { id, app: 'default', status: 'idle', createdAt: 1, updatedAt: 1 }
  const rows = runs.map((_, nth): RunRow => {
    return { id: `r${nth}`, sessionId: id, status: 'finished', position: nth + 1, queuedAt: nth, fence: 1 }
  })
  const messages = runs.flatMap((run, nth) =>
    run.map((fields, index): MessageRow => {
      const base = { id: `r${nth}-${index}`, sessionId: id, runId: `r${nth}`, index, createdAt: nth }
      return { ...base, role: index === 0 ? 'user' : 'assistant', content: '', ...fields }
    }),
  )
  await rig.store.commit({ sessionId: id, session, runs: rows, messages }, { giveUpAfterMs: 'never' })
  return { rig, id, client: await rig.ready(id) }
}

const talk = (count: number, content = (nth: number) => `${nth}`) =>
  Array.from({ length: count }, (_, nth) => [{ content: `q${nth}` }, { content: content(nth) }])

describe('a snapshot (P-33)', () => {
  it('holds the newest 100 messages and says that there are more', async () => {
    const { client } = await stored(talk(80))
    const { messages, hasMore } = await client.control('session.snapshot')
    expect(messages).toHaveLength(100)
    expect(hasMore).toBe(true)
    expect(messages[0]?.id).toBe('r30-0')
    expect(messages.at(-1)?.id).toBe('r79-1')
  })

  it('says that there are no more when it holds all', async () => {
    const { client } = await stored(talk(50))
    expect(await client.control('session.snapshot')).toMatchObject({ hasMore: false, messages: { length: 100 } })
  })

  it('of a new session is empty', async () => {
    const client = await new ChatRig().ready()
    expect(client.last('session.ready')).toMatchObject({ resumed: 'new', status: 'idle', seq: 0 })
    expect(client.last('session.snapshot')).toMatchObject({ messages: [], hasMore: false })
  })

  it('stays within 256 KiB; what is left out is there by history.get', async () => {
    const { client } = await stored(talk(20, (nth) => `${nth}`.repeat(20_000)))
    const { messages, hasMore } = await client.control('session.snapshot')
    expect(hasMore).toBe(true)
    const seen = messages.map((message) => message.id)
    let first = seen[0]
    while (first !== undefined) {
      const page = await client.ask({ type: 'history.get', before: first, limit: 7 })
      const older = page.type === 'ack' ? (page.messages ?? []) : []
      seen.unshift(...older.map((message) => message.id))
      first = older[0]?.id
      if (page.type === 'ack' && page.hasMore === false) break
    }
    expect(seen).toEqual(talk(20).flatMap((_, nth) => [`r${nth}-0`, `r${nth}-1`]))
    expect(client.audit.faults).toEqual([])
  })

  it('cuts long tool results and marks them; a failure says so', async () => {
    const calls = [{ id: 't1', name: 'echo', arguments: '{}' }]
    const long = 'ü'.repeat(20_000)
    const { client } = await stored([
      [
        { content: 'q' },
        { toolCalls: calls },
        { role: 'tool', toolCallId: 't1', content: long },
        { role: 'tool', toolCallId: 't2', content: 'no', isError: true },
      ],
    ])
    const [, assistant, cut, failed] = (await client.control('session.snapshot')).messages
    expect(assistant).toMatchObject({ toolCalls: [{ id: 't1', function: { name: 'echo' } }] })
    expect(assistant).not.toHaveProperty('content')
    expect(cut).toMatchObject({ role: 'tool', metadata: { truncated: true } })
    expect(utf8Length(cut?.content ?? '')).toBeLessThanOrEqual(MAX_WIRE_TOOL_RESULT_BYTES)
    expect(failed).toMatchObject({ error: 'no' })
    expect(failed?.metadata).not.toHaveProperty('truncated')
  })

  it.each<[string, Partial<MessageRow>]>([
    ['text that is all escapes', { content: '\u0001'.repeat(300_000) }],
    ['text in three-byte characters', { content: '語'.repeat(200_000) }],
    [
      'many calls with long arguments',
      {
        toolCalls: Array.from({ length: 40 }, (_, nth) => ({
          id: `t${nth}`,
          name: 'n',
          arguments: '"'.repeat(30_000),
        })),
      },
    ],
  ])('stays within 256 KiB with one message of %s, and marks what it cut', async (_what, fields) => {
    const { client } = await stored([[{ content: 'q' }, fields]])
    const { messages } = await client.control('session.snapshot')
    expect(messages.at(-1)).toMatchObject({ id: 'r0-1', metadata: { truncated: true } })
    expect(utf8Length(client.texts.at(-1) ?? '')).toBeLessThanOrEqual(MAX_OUTBOUND_FRAME_BYTES)
  })
})

describe('history.get (P-48, P-60)', () => {
  it('gives the newest page, then what came before a message, oldest first', async () => {
    const { client } = await stored(talk(4))
    const ids = async (before: string | undefined, limit?: number) => {
      const page = await client.ask({ type: 'history.get', ...(before && { before }), ...(limit && { limit }) })
      return page.type === 'ack' ? [page.messages?.map(({ id }) => id).join(' '), page.hasMore] : page
    }
    expect(await ids(undefined, 3)).toEqual(['r2-1 r3-0 r3-1', true])
    expect(await ids('r2-1', 3)).toEqual(['r1-0 r1-1 r2-0', true])
    expect(await ids('r1-0')).toEqual(['r0-0 r0-1', false])
    expect(await ids('r0-0')).toEqual(['', false])
    expect(await ids('nobody')).toEqual(['', false])
  })

  it('of a session that was never written is empty', async () => {
    const client = await new ChatRig().ready()
    expect(await client.ask({ type: 'history.get' })).toMatchObject({ messages: [], hasMore: false })
  })

  it('keeps each page within 256 KiB', async () => {
    const { client } = await stored(talk(30, () => '"'.repeat(30_000)))
    expect(await client.ask({ type: 'history.get' })).toMatchObject({ type: 'ack', hasMore: true })
    expect(client.audit.faults).toEqual([])
  })

  it('is refused as store_unavailable while the store is away; what memory has is shown still', async () => {
    const { rig, id, client } = await stored(talk(1))
    await rig.ready(id)
    rig.store.goAway()
    expect(await client.ask({ type: 'history.get' })).toMatchObject({ code: 'store_unavailable', retryable: true })
    expect((await rig.ready(id)).last('session.snapshot')?.messages).toHaveLength(2)
  })
})
