import { describe, expect, it } from 'vitest'
import { SnapshotTexts } from '../../../src/http/aomi/snapshot.ts'
import type { Conversation, Snapshot } from '../../../src/ports/conversations.ts'
import type { MessageRow } from '../../../src/ports/store.ts'

const SESSION = '550e8400-e29b-41d4-a716-446655440000'

/** A session that counts how often its messages are asked for. */
class CountedConversation implements Conversation {
  readonly id = SESSION
  readonly owner = { app: 'default' }
  readonly record = { id: SESSION, app: 'default', status: 'idle' as const, createdAt: 0, updatedAt: 0 }
  readonly stored = true
  readonly begun = true
  asked = 0
  version = '1'
  over: Partial<Snapshot> = {}
  rows: MessageRow[] = []

  async snapshot(wants: (version: string) => boolean): Promise<Snapshot> {
    const facts = { version: this.version, record: this.record, status: 'idle' as const, ...this.over }
    if (!wants(this.version)) return facts
    this.asked++
    return { ...facts, messages: this.rows }
  }

  runs = async () => []
  newestRuns = async () => []
  send = async () => Promise.reject(new Error('not here'))
  answer = async () => undefined
  cancel = async () => undefined
  make = async () => undefined
  update = async () => undefined
  idle = async () => undefined
}

function row(index: number, role: MessageRow['role'], content: string, over: Partial<MessageRow> = {}): MessageRow {
  return { id: `m${index}`, sessionId: SESSION, runId: 'r', index, role, content, createdAt: index * 1000, ...over }
}

async function bodyOf(texts: SnapshotTexts, counted: CountedConversation) {
  return JSON.parse(`${(await texts.of(counted)).text}}`)
}

describe('the snapshot that clients of Aomi poll', () => {
  it('is made once a version, however many ask', async () => {
    const [texts, counted] = [new SnapshotTexts(), new CountedConversation()]
    for (let poll = 0; poll < 5; poll++) await texts.of(counted)
    expect(counted.asked).toBe(1)
    counted.version = '2'
    counted.rows = [row(0, 'user', 'hello')]
    const bodies = await Promise.all([bodyOf(texts, counted), bodyOf(texts, counted)])
    expect(bodies.map(({ messages }) => messages.length)).toEqual([1, 1])
    expect(await bodyOf(texts, counted)).toEqual(bodies[0])
    expect(counted.asked).toBeLessThanOrEqual(3)
  })

  it('has what tools gave as messages of their own, and nothing of what the model thought', async () => {
    const [texts, counted] = [new SnapshotTexts(), new CountedConversation()]
    const toolCalls = [{ id: 'c1', name: 'get_price', arguments: '{}' }]
    counted.rows = [
      row(0, 'user', 'price?'),
      row(1, 'reasoning', 'hm'),
      row(2, 'assistant', '', { toolCalls }),
      row(3, 'tool', '{"price":3500}', { toolCallId: 'c1' }),
      row(4, 'assistant', 'It is'),
    ]
    counted.over = { growing: 'm4', runId: 'r', status: 'processing' }
    const { messages, is_processing } = await bodyOf(texts, counted)
    expect(is_processing).toBe(true)
    expect(messages).toEqual([
      {
        sender: 'user',
        content: 'price?',
        timestamp: '1970-01-01T00:00:00.000Z',
        is_streaming: false,
        tool_result: null,
      },
      {
        sender: 'agent',
        content: '',
        timestamp: '1970-01-01T00:00:03.000Z',
        is_streaming: false,
        tool_result: ['get_price', '{"price":3500}'],
      },
      {
        sender: 'agent',
        content: 'It is',
        timestamp: '1970-01-01T00:00:04.000Z',
        is_streaming: true,
        tool_result: null,
      },
    ])
  })

  it('is the same whether it grew or is made anew', async () => {
    const [texts, counted] = [new SnapshotTexts(), new CountedConversation()]
    const toolCalls = [{ id: 'c1', name: 'get_price', arguments: '{}' }]
    const said = [row(0, 'user', 'one', { runId: 'a' }), row(1, 'assistant', 'first', { runId: 'a' })]
    const asked = [...said, row(2, 'user', 'two'), row(3, 'assistant', '', { toolCalls })]
    const waits = row(9, 'user', 'three', { runId: 'b' })
    const grown = (content: string) => [
      ...asked,
      row(4, 'tool', '7', { toolCallId: 'c1' }),
      row(5, 'assistant', content),
    ]
    const on = { runId: 'r', status: 'processing' as const }
    const steps: [MessageRow[], Partial<Snapshot>][] = [
      [[], {}],
      [said, {}],
      [asked, on],
      [grown('It'), { ...on, growing: 'm5' }],
      [[...grown('It is'), waits], { ...on, growing: 'm5' }],
      [grown('It is 7'), {}],
      [[row(0, 'user', 'edited', { runId: 'a' })], {}],
    ]
    for (const [step, [rows, over]] of steps.entries()) {
      Object.assign(counted, { version: `v${step}`, rows, over })
      expect(await texts.of(counted)).toEqual(await new SnapshotTexts().of(counted))
    }
  })

  it('says by an agent how the last run failed, until the next one begins', async () => {
    const [texts, counted] = [new SnapshotTexts(), new CountedConversation()]
    counted.rows = [row(0, 'user', 'hello')]
    counted.over = { lastRun: { runId: 'r', outcome: 'error', code: 'provider_stalled' } }
    expect((await bodyOf(texts, counted)).messages.at(-1)).toMatchObject({
      sender: 'agent',
      content: 'The model stopped answering',
    })
    counted.version = '2'
    counted.over = { ...counted.over, runId: 'next', status: 'processing' }
    expect((await bodyOf(texts, counted)).messages).toHaveLength(1)
  })
})
