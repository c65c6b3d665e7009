import { createOpenAi } from '../../src/providers/openai.ts'
import { type ProviderSubject, type Scenario, testProvider } from '../contracts/provider.ts'
import { ChatApi } from '../support/chat-api.ts'
import { calls, chatAnswer, errorData, opened, says, thinks } from '../support/chat-api-events.ts'
import { type StubReply, type StubRequest, stream } from '../support/stub-server.ts'

const ASK: Readonly<Record<Scenario, string>> = {
  text: 'text',
  reasoning: 'reasoning',
  tools: 'tools',
  endless: 'endless',
  silent: 'silent',
  failing: 'failing',
}

/** More tokens than any test reads, one per millisecond. */
const MANY_TOKENS = 20_000
const ENDLESS_RATE = 1000

function replyTo(request: StubRequest): StubReply {
  const said = JSON.stringify(request.body['messages'])
  if (said.includes(ASK.reasoning)) return stream(chatAnswer([thinks('let me see'), says('the answer')]))
  if (said.includes(ASK.tools))
    return stream(
      chatAnswer([
        says('I will'),
        calls('call_aaaaaaaaaaaaaaaaaaaaaaaa', 'calculator', { expression: '2+2' }),
        calls('call_bbbbbbbbbbbbbbbbbbbbbbbb', 'calculator', { expression: '3*7' }),
      ]),
    )
  if (said.includes(ASK.endless))
    return stream(chatAnswer([says('word '.repeat(MANY_TOKENS))]), { tokensPerSecond: ENDLESS_RATE })
  if (said.includes(ASK.silent)) return { reply: 'silent' }
  if (said.includes(ASK.failing)) return stream([...opened([says('Well')]), errorData({ type: 'server_error' })])
  return stream(chatAnswer([says('Hello to you')]))
}

async function start(): Promise<ProviderSubject> {
  const api = await ChatApi.listen({ script: replyTo })
  return {
    provider: createOpenAi({ apiKey: 'test', baseURL: api.baseURL, maxConcurrent: 10 }),
    ask: ASK,
    settled: async () => {
      await Promise.all(api.requests.map(({ ended }) => ended))
    },
    sent: () => api.requests.length,
    close: () => api.close(),
  }
}

testProvider('openai', start)
