import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createAnthropic } from '../../src/providers/anthropic.ts'
import { createOpenAi } from '../../src/providers/openai.ts'
import { ChatApi, chatError } from '../support/chat-api.ts'
import { calls, chatAnswer, errorData, opened, says } from '../support/chat-api-events.ts'
import { type LiveClient, LiveServer } from '../support/live-server.ts'
import { httpError, MessagesApi } from '../support/messages-api.ts'
import {
  answer,
  blockSteps,
  errorEvent,
  messageStart,
  text,
  thinking,
  toolUse,
} from '../support/messages-api-events.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { type StubReply, stream } from '../support/stub-server.ts'

const CLAUDE = 'anthropic/claude'
const GPT = 'openai/gpt'
const ONCE = { maxRetries: 0, windowMs: 0, backoffMs: 0 }
/** Milliseconds: above what the SDKs take to load. */
const STALL_MS = 3000

const FROM_CLAUDE = stream(answer([text('From Claude')]))
const FROM_GPT = stream(chatAnswer([says('From GPT')], { usage: { prompt_tokens: 9, completion_tokens: 3 } }))

describe('a server with two providers', () => {
  let claude: MessagesApi
  let gpt: ChatApi
  let database: TestDatabase
  let server: LiveServer

  const start = async (model: string, fallbacks: readonly string[] = [], baseURL = gpt.baseURL): Promise<void> => {
    server = await LiveServer.start({
      transport: 'ws',
      database: database.connection,
      providers: [
        createAnthropic({ apiKey: 'test', baseURL: claude.url, maxConcurrent: 9, retry: ONCE }),
        createOpenAi({ baseURL, maxConcurrent: 9, retry: ONCE }),
      ],
      model,
      fallbacks,
      chat: { providerStallMs: STALL_MS },
    })
  }

  beforeAll(async () => {
    database = await createTestDatabase()
  })

  afterAll(() => database.drop())

  beforeEach(async () => {
    claude = await MessagesApi.listen()
    gpt = await ChatApi.listen()
  })

  afterEach(async () => {
    await server.close()
    await Promise.all([claude.close(), gpt.close()])
  })

  /** What a client saw of its last run. */
  function seen({ events }: LiveClient) {
    const from = events.findLastIndex(({ type }) => type === 'RUN_STARTED')
    const run = events.slice(from)
    const said = run.flatMap((event) => (event.type === 'TEXT_MESSAGE_CONTENT' ? [event.delta] : [])).join('')
    return { said, terminal: run.at(-1), ids: run.filter(({ type }) => type === 'TEXT_MESSAGE_START').length }
  }

  async function storedRun(sessionId: string) {
    return (await server.store.load(sessionId))?.lastRun
  }

  it.each<[string, StubReply]>([
    ['429', httpError(429, '', { 'retry-after': '60' })],
    ['500', httpError(500)],
    ['502 of a proxy', { reply: 'raw', status: 502, contentType: 'text/html', body: '<h1>Bad Gateway</h1>' }],
    ['503', httpError(503)],
    ['529', httpError(529)],
    ['a cut before the headers', { reply: 'refuse' }],
    [
      'a stream that is overloaded before it says anything',
      stream([messageStart(), errorEvent('overloaded_error', '')]),
    ],
    ['a stream that is cut before it says anything', stream([messageStart(), { step: 'cut' }])],
  ])('goes on with the next one after %s; usage and model are those of who answered', async (_what, reply) => {
    await start(CLAUDE, [GPT])
    claude.script = [reply]
    gpt.script = [FROM_GPT]
    const id = randomUUID()
    const client = await server.connect(id)
    await client.ask('hello')
    const usage = [{ provider: 'openai', model: 'gpt', inputTokens: 9, outputTokens: 3, totalTokens: 12 }]
    expect(seen(client)).toMatchObject({ said: 'From GPT', ids: 1, terminal: { type: 'RUN_FINISHED', usage } })
    expect(await storedRun(id)).toMatchObject({ status: 'finished', model: GPT, usage })
    expect(claude.requests).toHaveLength(1)
  })

  it('goes on from a server that nobody listens at', async () => {
    await start(GPT, [CLAUDE], 'http://127.0.0.1:1/v1')
    claude.script = [FROM_CLAUDE]
    const client = await server.connect()
    await client.ask('hello')
    expect(seen(client)).toMatchObject({ said: 'From Claude', terminal: { type: 'RUN_FINISHED' } })
  })

  it.each<[string, string, () => void]>([
    [
      'Anthropic',
      CLAUDE,
      () =>
        (claude.script = [
          stream([messageStart(), ...blockSteps(text('Half'), 0), errorEvent('overloaded_error', '')]),
        ]),
    ],
    ['OpenAI', GPT, () => (gpt.script = [stream([...opened([says('Half')]), errorData({ code: 503 })])])],
  ])('never goes on after a token of %s', async (_name, model, play) => {
    await start(model, [model === GPT ? CLAUDE : GPT])
    play()
    const client = await server.connect()
    await client.ask('hello')
    expect(seen(client)).toMatchObject({ said: 'Half', terminal: { type: 'RUN_ERROR', code: 'provider_overloaded' } })
    expect(claude.requests.length + gpt.requests.length).toBe(1)
  })

  it.each([400, 401, 404])('does not hide a %i behind another model', async (status) => {
    await start(GPT, [CLAUDE])
    gpt.script = [chatError(status)]
    const client = await server.connect()
    await client.ask('hello')
    expect(seen(client).terminal).toMatchObject({ type: 'RUN_ERROR' })
    expect(claude.requests).toHaveLength(0)
  })

  it('I5: gives what one provider said to the other without its blocks, both ways', async () => {
    await start(CLAUDE, [GPT])
    const call = { expression: '6*7' }
    claude.script = [
      stream(
        answer([thinking('a private thought', 'c2ln'), text('Let me see'), toolUse('toolu_1', 'calculator', call)]),
      ),
      stream(answer([thinking('so', 'c2ln'), text('It is 42')])),
      httpError(529),
      stream(answer([text('And here I am again')])),
    ]
    gpt.script = [
      stream(chatAnswer([says('Once more'), calls('functions.calculator:0', 'calculator', call)])),
      stream(chatAnswer([says('Still 42')])),
    ]
    const client = await server.connect()
    await client.ask('What is 6*7?')
    await client.ask('Are you sure?')
    expect(seen(client)).toMatchObject({ said: 'Once moreStill 42', terminal: { type: 'RUN_FINISHED' } })
    const toGpt = JSON.stringify(gpt.requests[0]?.body['messages'])
    expect(toGpt).not.toMatch(/private thought|c2ln|thinking/)
    expect(gpt.requests[0]?.body['messages']).toMatchObject([
      { role: 'system' },
      { role: 'user', content: 'What is 6*7?' },
      { role: 'assistant', content: 'Let me see', tool_calls: [{ id: 'toolu_1' }] },
      { role: 'tool', tool_call_id: 'toolu_1', content: expect.stringContaining('42') },
      { role: 'assistant', content: 'It is 42' },
      { role: 'user', content: 'Are you sure?' },
    ])
    await client.ask('Thank you')
    expect(seen(client)).toMatchObject({ said: 'And here I am again', terminal: { type: 'RUN_FINISHED' } })
    const toClaude = JSON.stringify(claude.requests[3]?.body['messages'])
    expect(toClaude).toContain('Still 42')
    expect(toClaude).toMatch(/"id":"call_[0-9a-f]{32}"/)
    expect(toClaude).toContain('private thought')
  })

  it('runs tools with OpenAI, as one run of two requests whose usage adds up', async () => {
    await start(GPT)
    const usage = { prompt_tokens: 10, completion_tokens: 5, cached: 8, reasoning: 2 }
    gpt.script = [
      stream(chatAnswer([calls('call_aaaaaaaaaaaaaaaaaaaaaaaa', 'calculator', { expression: '2+2' })], { usage })),
      stream(chatAnswer([says('It is 4')], { usage })),
    ]
    const client = await server.connect()
    await client.ask('2+2?')
    expect(seen(client)).toMatchObject({
      said: 'It is 4',
      terminal: { usage: [{ totalTokens: 30, cachedInputTokens: 16, reasoningTokens: 4 }] },
    })
    expect(gpt.requests[1]?.body['messages']).toMatchObject([
      {},
      {},
      { role: 'assistant', content: null },
      { role: 'tool', tool_call_id: 'call_aaaaaaaaaaaaaaaaaaaaaaaa' },
    ])
  })

  it('ends a run whose model falls silent, and its request', async () => {
    await start(GPT)
    gpt.script = [stream([...opened([says('Half')]), { step: 'hold' }])]
    const client = await server.connect()
    await client.ask('hello')
    expect(seen(client)).toMatchObject({ said: 'Half', terminal: { type: 'RUN_ERROR', code: 'provider_stalled' } })
    expect(await gpt.requests[0]?.ended).toBe('aborted')
  })

  it('ends the request of a run that a person stops', async () => {
    await start(GPT)
    gpt.script = [stream([...opened([says('Half')]), { step: 'hold' }])]
    const client = await server.connect()
    client.send({ type: 'message.send', clientMessageId: 'a', content: 'hello' })
    await client.event('TEXT_MESSAGE_CONTENT')
    client.send({ type: 'run.cancel' })
    await client.end()
    expect(seen(client).terminal).toMatchObject({ outcome: { type: 'cancelled' } })
    expect(await gpt.requests[0]?.ended).toBe('aborted')
  })
})
