/** The upstream as its own process: the Messages API stub, playing the order it finds in the last user message. */

import { MessagesApi, type MessagesRequest, type Reply, stream } from '../test/support/messages-api.ts'
import {
  answer,
  blockSteps,
  event,
  messageDelta,
  messageStart,
  type Step,
  sse,
  toolUse,
} from '../test/support/messages-api-events.ts'
import { nowMicros } from './load/clock.ts'
import { type Order, orderIn, tokenText } from './load/order.ts'
import { serve } from './rig/rpc.ts'

/** From this process to its parent. `aborted` maps a tag to the time its request was seen to be gone. */
export type UpstreamReport = {
  readonly open: number
  readonly served: number
  readonly aborted: Readonly<Record<string, number>>
}

const fullSpeed = new Map<number, readonly Step[]>()
let aborted: Record<string, number> = {}
let served = 0
/** One call of a built-in tool, and nothing said: what is said is numbered. */
const TOOL_STEPS = answer([toolUse('toolu_bench', 'calculator', { expression: '6*7' })])

function reply(request: MessagesRequest): Reply {
  const { text, hasResult } = asked(request.body)
  const order = orderIn(text) ?? { tokens: 1, rate: 0, apart: false, tag: '' }
  served += 1
  if (order.tool === true && !hasResult) return stream(TOOL_STEPS)
  void noteAbort(request, order.tag)
  if (order.rate > 0) return stream(stampedSteps(order), { tokensPerSecond: order.rate })
  return stream(fullSpeedSteps(order.tokens), { eventPerWrite: order.apart })
}

async function noteAbort(request: MessagesRequest, tag: string): Promise<void> {
  if ((await request.ended) === 'aborted') aborted[tag] = nowMicros()
}

/** Shared by all requests of one length, so that the stub makes them once. */
function fullSpeedSteps(tokens: number): readonly Step[] {
  const known = fullSpeed.get(tokens)
  if (known) return known
  const deltas = Array.from({ length: tokens }, (_, number) => tokenText(number, 0))
  const steps = answer([{ type: 'text', deltas }])
  fullSpeed.set(tokens, steps)
  return steps
}

/** Made as they are sent: a stopped answer costs what was sent of it. */
function* stampedSteps({ tokens }: Order): Generator<Step> {
  const block = { type: 'text', deltas: [] } as const
  const [start, stop] = blockSteps(block, 0)
  yield messageStart()
  if (start) yield start
  for (let number = 0; number < tokens; number += 1) {
    yield { step: 'make', token: true, make: () => textDelta(tokenText(number, nowMicros())) }
  }
  if (stop) yield stop
  yield messageDelta([block])
  yield event({ type: 'message_stop' })
}

function textDelta(text: string): string {
  return sse({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })
}

/** The last message; where that is a tool's result, what was asked before the call. */
function asked(body: Readonly<Record<string, unknown>>): { readonly text: string; readonly hasResult: boolean } {
  const messages: unknown = body.messages
  if (!Array.isArray(messages)) return { text: '', hasResult: false }
  const text = JSON.stringify(messages.at(-1))
  const hasResult = text.includes('"tool_result"')
  return { text: hasResult ? JSON.stringify(messages.at(-3)) : text, hasResult }
}

/** Longer than any bench waits between two requests: a server must not meet a connection that ends in this moment. */
const KEEP_ALIVE_MS = 300_000

const api = await MessagesApi.listen({ script: reply, record: false, keepAliveMs: KEEP_ALIVE_MS })
serve((): UpstreamReport => {
  const report = { open: api.open, served, aborted }
  aborted = {}
  return report
})
process.send?.(api.url)
