import { createAnthropic } from '../../src/providers/anthropic.ts'
import { type ProviderSubject, type Scenario, testProvider } from '../contracts/provider.ts'
import { MessagesApi, type MessagesRequest, type Reply, stream } from '../support/messages-api.ts'
import { answer, errorEvent, event, messageStart, text, thinking, toolUse } from '../support/messages-api-events.ts'

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

function replyTo(request: MessagesRequest): Reply {
  const said = JSON.stringify(request.body['messages'])
  if (said.includes(ASK.reasoning)) return stream(answer([thinking('let me see'), text('the answer')]))
  if (said.includes(ASK.tools))
    return stream(
      answer([
        text('I will'),
        toolUse('toolu_1', 'calculator', { expression: '2+2' }),
        toolUse('toolu_2', 'calculator', { expression: '3*7' }),
      ]),
    )
  if (said.includes(ASK.endless))
    return stream(answer([text('word '.repeat(MANY_TOKENS))]), { tokensPerSecond: ENDLESS_RATE })
  if (said.includes(ASK.silent)) return { reply: 'silent' }
  if (said.includes(ASK.failing))
    return stream([
      messageStart(),
      event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
      event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Well' } }),
      errorEvent('api_error', 'internal'),
    ])
  return stream(answer([text('Hello to you')]))
}

async function start(): Promise<ProviderSubject> {
  const api = await MessagesApi.listen({ script: replyTo })
  return {
    provider: createAnthropic({ apiKey: 'test', baseURL: api.url, maxConcurrent: 10 }),
    ask: ASK,
    settled: async () => {
      await Promise.all(api.requests.map(({ ended }) => ended))
    },
    sent: () => api.requests.length,
    close: () => api.close(),
  }
}

testProvider('anthropic', start)
