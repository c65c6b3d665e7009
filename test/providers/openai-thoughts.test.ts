import { describe, expect, test } from 'vitest'
import type { ModelEvent, ModelMessage, ModelRequest } from '../../src/ports/provider.ts'
import type { ProviderBlocks } from '../../src/ports/store.ts'
import { joined } from '../contracts/provider.ts'
import { chatError } from '../support/chat-api.ts'
import { callDelta, calls, chatAnswer, chunk, DONE, finish, opened, says, thinks } from '../support/chat-api-events.ts'
import type { Step } from '../support/messages-api-events.ts'
import { type StubReply, stream } from '../support/stub-server.ts'
import { askChat, type ChatSubject, chatSubjectOf, failChat, playChat } from './openai-subject.ts'

const FIELDS = ['reasoning', 'reasoning_content'] as const
const CALL = { id: 'call_0123456789abcdef', name: 'calculator', arguments: '{}' }
const GOOD: StubReply = stream(chatAnswer([says('Four')]))

function blocksOf(events: readonly ModelEvent[]): ProviderBlocks | undefined {
  const stop = events.at(-1)
  return stop?.type === 'stop' ? stop.blocks : undefined
}

/** A question, a call for it, and the result of that. */
function called(blocks?: ProviderBlocks): ModelMessage[] {
  return [
    { role: 'user', content: 'Two and two?' },
    { role: 'assistant', content: '', toolCalls: [CALL], ...(blocks && { blocks }) },
    { role: 'tool', toolCallId: CALL.id, content: '4', isError: false },
  ]
}

function assistantsIn(body: Readonly<Record<string, unknown>> | undefined): unknown[] {
  const messages = Array.isArray(body?.['messages']) ? body['messages'] : []
  return messages.filter(({ role }) => role === 'assistant')
}

async function ask(subject: ChatSubject, messages: readonly ModelMessage[]): Promise<unknown[]> {
  await askChat(subject, { messages })
  return assistantsIn(subject.api.requests.at(-1)?.body)
}

describe('what was thought before calls', () => {
  test.each(FIELDS)('that came as %s goes back as that', async (field) => {
    const blocks = blocksOf(await playChat(chatAnswer([thinks('hm well', field), calls(CALL.id, 'calculator', {})])))
    expect(await ask(await chatSubjectOf([GOOD]), called(blocks))).toMatchObject([{ [field]: 'hm well' }])
  })

  test('goes back for the answer that follows the results, too', async () => {
    const messages: ModelRequest['messages'] = called()
    const blocks = blocksOf(await playChat(chatAnswer([thinks('so'), says('Four')]), { messages }))
    const history: ModelMessage[] = [
      ...called(),
      { role: 'assistant', content: 'Four', toolCalls: [], ...(blocks && { blocks }) },
    ]
    const sent = await ask(await chatSubjectOf([GOOD]), [...history, { role: 'user', content: 'Thanks' }])
    expect(sent[1]).toEqual({ role: 'assistant', content: 'Four', reasoning_content: 'so' })
  })

  test('is not kept of an answer without calls: servers pass over it', async () => {
    expect(blocksOf(await playChat(chatAnswer([thinks('hm'), says('Yes')])))).toBeUndefined()
  })

  test('is kept in a form that can be stored', async () => {
    const steps = chatAnswer([thinks('a\u0000b\ud800'), calls(CALL.id, 'calculator', {})])
    expect(JSON.stringify(blocksOf(await playChat(steps)))).not.toMatch(/\\u0000|\\ud800/)
  })

  test('of another provider stays behind', async () => {
    const blocks = { provider: 'anthropic', content: [{ reasoning_content: 'not mine' }] }
    expect(JSON.stringify(await ask(await chatSubjectOf([GOOD]), called(blocks)))).not.toContain('not mine')
  })
})

describe('a server that has its own mind about thoughts', () => {
  const kept: ProviderBlocks = { provider: 'openai', content: [{ reasoning_content: 'hm' }], beside: true }

  /** As DeepSeek: each answer has to say what was thought, and not nothing. */
  function missing({ body }: { readonly body: Readonly<Record<string, unknown>> }): StubReply {
    const lacking = assistantsIn(body).some((message) => !JSON.stringify(message).includes('"reasoning_content":"'))
    const empty = JSON.stringify(body).includes('"reasoning_content":""')
    return lacking || empty
      ? chatError(400, 'The reasoning_content in the thinking mode must be passed back to the API.')
      : GOOD
  }

  /** As Groq: the field is not known. */
  function refusing({ body }: { readonly body: Readonly<Record<string, unknown>> }): StubReply {
    return JSON.stringify(body).includes('reasoning_content')
      ? chatError(400, "'messages.2': property 'reasoning_content' is unsupported")
      : GOOD
  }

  test('and misses them gets some for what another model said, asked once more, and is known for it then', async () => {
    const subject = await chatSubjectOf(missing)
    expect(await ask(subject, called())).toMatchObject([{ reasoning_content: ' ' }])
    expect(await ask(subject, called(kept))).toMatchObject([{ reasoning_content: 'hm' }])
    expect(subject.api.requests).toHaveLength(3)
  })

  test('and refuses them gets what another server thought without them', async () => {
    const subject = await chatSubjectOf(refusing)
    expect(await ask(subject, called(kept))).toEqual([expect.not.objectContaining({ reasoning_content: 'hm' })])
    await ask(subject, called(kept))
    expect(subject.api.requests).toHaveLength(4)
  })

  test('is not asked again for a refusal that only speaks of reasoning', async () => {
    const subject = await chatSubjectOf(() => chatError(400, 'too many tokens of reasoning'))
    await failChat(subject)
    expect(subject.api.requests).toHaveLength(1)
  })

  test('is asked as at first again when nothing of it helps', async () => {
    const subject = await chatSubjectOf(() => chatError(400, "property 'reasoning' is unsupported"))
    expect((await failChat(subject)).error.code).toBe('provider_error')
    expect(subject.api.requests).toHaveLength(3)
    subject.api.script = () => GOOD
    expect(joined(await askChat(subject, { messages: called(kept) }))).toBe('Four')
    expect(assistantsIn(subject.api.requests.at(-1)?.body)).toMatchObject([{ reasoning_content: 'hm' }])
  })
})

describe('what a server signs or encrypts of its thoughts', () => {
  const GEMINI = { model: 'gemini-3-pro-preview' }
  const SIGNATURE = { google: { thought_signature: 'EjQKMgEMOdbHJChL' } }

  /** As Gemini has it: no index, a short id, `stop` at the end. */
  const signed: readonly Step[] = [
    callDelta(undefined, {
      id: 'jm4owj31',
      type: 'function',
      function: { name: 'calculator', arguments: '{}' },
      extra_content: SIGNATURE,
    }),
    finish('stop'),
    DONE,
  ]

  /** The answer as history, and then what it is asked with. */
  async function again(steps: readonly Step[], asked: Partial<ModelRequest>, then = asked): Promise<unknown> {
    const events = await playChat(steps, asked)
    const start = events.find((event) => event.type === 'tool.start')
    const id = start?.type === 'tool.start' ? start.id : ''
    const blocks = blocksOf(events)
    const subject = await chatSubjectOf([GOOD])
    const messages: ModelMessage[] = [
      { role: 'user', content: 'Two and two?' },
      { role: 'assistant', content: '', toolCalls: [{ ...CALL, id }], ...(blocks && { blocks }) },
      { role: 'tool', toolCallId: id, content: '4', isError: false },
    ]
    await askChat(subject, { messages, ...then })
    return assistantsIn(subject.api.requests.at(-1)?.body)[0]
  }

  /** As OpenRouter streams it: a thought in pieces, its signature last. */
  const detailed: readonly Step[] = [
    ...opened([]),
    chunk({
      reasoning: 'Let',
      reasoning_details: [{ type: 'reasoning.text', text: 'Let', signature: null, index: 0 }],
    }),
    chunk({ reasoning: ' me', reasoning_details: [{ type: 'reasoning.text', text: ' me', index: 0 }] }),
    chunk({ reasoning_details: [{ type: 'reasoning.text', signature: 'Et8B', index: 0 }] }),
    chunk({ reasoning_details: [{ type: 'reasoning.encrypted', data: 'AA', id: 'tool_0', index: 1 }] }),
    chunk({ reasoning_details: [{ type: 'reasoning.encrypted', data: 'BB', id: null, index: 1 }] }),
    callDelta(0, { id: 'tool_0', type: 'function', function: { name: 'calculator', arguments: '{}' } }),
    finish('tool_calls'),
    DONE,
  ]

  test('goes back with its call: Gemini refuses the results of calls otherwise', async () => {
    expect(await again(signed, GEMINI)).toMatchObject({ tool_calls: [{ extra_content: SIGNATURE }] })
  })

  test('goes back whole where it came in pieces, and names the call as we do', async () => {
    const sent = await again(detailed, {})
    expect(sent).toMatchObject({
      reasoning_details: [
        { type: 'reasoning.text', text: 'Let me', signature: 'Et8B', index: 0 },
        { type: 'reasoning.encrypted', data: 'AA', id: expect.stringMatching(/^call_/), index: 1 },
        { type: 'reasoning.encrypted', data: 'BB', id: null, index: 1 },
      ],
      tool_calls: [{ id: expect.any(String) }],
    })
    expect(sent).not.toHaveProperty('reasoning')
    expect(JSON.stringify(sent)).not.toContain('tool_0')
  })

  test('is not shown to another model', async () => {
    const sent = [await again(signed, GEMINI, { model: 'other' }), await again(detailed, {}, { model: 'other' })]
    expect(JSON.stringify(sent)).not.toMatch(/extra_content|reasoning_details/)
  })

  test('is left out for a server that does not know it', async () => {
    const subject = await chatSubjectOf(({ body }) =>
      JSON.stringify(body).includes('extra_content') ? chatError(400, 'Unknown name "extra_content"') : GOOD,
    )
    const kept = { provider: 'openai', content: [{ model: 'm', extra_content: { [CALL.id]: SIGNATURE } }] }
    await askChat(subject, { model: 'm', messages: called(kept) })
    expect(assistantsIn(subject.api.requests.at(-1)?.body)).toMatchObject([{ tool_calls: [{ id: CALL.id }] }])
  })

  test('is kept in a form that can be stored', async () => {
    const details = [{ type: 'reasoning.text', text: 'a\u0000b\ud800' }]
    const events = await playChat([...opened([]), chunk({ reasoning_details: details }), ...signed])
    expect(JSON.stringify(blocksOf(events))).not.toMatch(/\\u0000|\\ud800/)
  })

  test('is bounded', async () => {
    const data = 'x'.repeat(3 * 1024 * 1024)
    const piece = chunk({ reasoning_details: [{ type: 'reasoning.encrypted', data }] })
    const subject = await chatSubjectOf([stream([...opened([]), piece, piece, ...signed])])
    expect((await failChat(subject)).error.code).toBe('provider_error')
  })

  test.each([null, 'text', [null, 'text', 7], {}])('that is %j is passed over', async (odd) => {
    const events = await playChat([
      ...opened([]),
      chunk({ reasoning_details: odd }),
      callDelta(0, { id: 'tool_0', function: { name: 'calculator', arguments: '{}' }, extra_content: odd }),
      finish('tool_calls'),
      DONE,
    ])
    const blocks = blocksOf(events)
    expect(blocks === undefined || JSON.stringify(blocks).includes('"extra_content"')).toBe(true)
  })
})
