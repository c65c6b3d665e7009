import { describe, expect, test } from 'vitest'
import type { ModelEvent, ModelMessage, ModelRequest } from '../../src/ports/provider.ts'
import type { ProviderBlocks } from '../../src/ports/store.ts'
import { joined } from '../contracts/provider.ts'
import { chatError } from '../support/chat-api.ts'
import { calls, chatAnswer, says, thinks } from '../support/chat-api-events.ts'
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
