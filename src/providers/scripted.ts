import { randomUUID } from 'node:crypto'
import type { ModelEvent, ModelRequest, Provider } from '../ports/provider.ts'
import { ParleyError } from '../protocol/errors.ts'
import type { Usage } from '../protocol/events.ts'
import { Pacer } from './pacer.ts'
import { replyTo, type Step } from './scripted-reply.ts'
import type { PlannedCall } from './scripted-tools.ts'

/** Tokens per second: as fast as an eager reader reads. */
const DEFAULT_TOKENS_PER_SECOND = 80
/** Counting goes at this part of the rate, 20 a second by default: slow enough to be stopped by hand. */
const COUNTING_SHARE = 0.25
const MS_PER_SECOND = 1000

/** Characters of arguments in one delta: pieces that are no JSON by themselves, as from a real model. */
const ARGS_PIECE = 8
/** Characters of one token, about, in English. */
const CHARS_PER_TOKEN = 4
/** Tokens after which an unpaced answer lets the rest of the process have its turn, so that it can be stopped, too. */
const TOKENS_PER_TURN = 64

export type ScriptedOptions = {
  /** `Infinity` for no waiting at all. */
  readonly tokensPerSecond?: number
}

/** A token: what it says, and the milliseconds that it takes. */
type Token = { readonly event: ModelEvent; readonly ms: number }

/**
 * A model that is a script: by what the last message says, it answers, calls tools, reasons, counts, fails or stays silent,
 * the same way each time. For demos without a key, tests and the bench.
 */
export function createScripted({ tokensPerSecond = DEFAULT_TOKENS_PER_SECOND }: ScriptedOptions = {}): Provider {
  const msPerToken = MS_PER_SECOND / tokensPerSecond
  return { name: 'scripted', stream: (request, signal) => play(request, msPerToken, signal) }
}

async function* play(
  request: ModelRequest,
  msPerToken: number,
  signal: AbortSignal,
): AsyncGenerator<readonly ModelEvent[], void> {
  const input = Math.ceil(JSON.stringify([request.system, request.messages, request.tools]).length / CHARS_PER_TOKEN)
  const pacer = new Pacer(signal)
  let output = 0
  try {
    for (const step of replyTo(request)) {
      signal.throwIfAborted()
      if (step.step === 'fail') throw new ParleyError(step.code)
      if (step.step === 'stall') await pacer.forever()
      let cut = false
      for (const { event, ms } of toTokens(step, msPerToken)) {
        cut = output >= request.maxOutputTokens
        if (cut) break
        if (ms > 0) await pacer.wait(ms)
        else if (output % TOKENS_PER_TURN === TOKENS_PER_TURN - 1) await pacer.yield()
        output += 1
        yield [event]
        signal.throwIfAborted()
      }
      if (step.step === 'reason') yield [{ type: 'reasoning.end' }]
      const reason = cut ? 'length' : step.step === 'stop' && step.reason
      if (reason === false) continue
      yield [
        { type: 'usage', usage: toUsage(request.model, input, output) },
        { type: 'stop', reason },
      ]
      return
    }
  } finally {
    pacer.stop()
  }
}

function toUsage(model: string, inputTokens: number, outputTokens: number): Usage {
  return { provider: 'scripted', model, inputTokens, outputTokens, totalTokens: inputTokens + outputTokens }
}

function* toTokens(step: Step, ms: number): Generator<Token, void> {
  switch (step.step) {
    case 'say':
      for (const delta of toWords(step.text)) yield { event: { type: 'text', delta }, ms }
      return
    case 'reason':
      for (const delta of toWords(step.text)) yield { event: { type: 'reasoning', delta }, ms }
      return
    case 'count': {
      const down = step.to < step.from
      for (let n = step.from; down ? n >= step.to : n <= step.to; n += down ? -1 : 1)
        yield { event: { type: 'text', delta: n === step.from ? `${n}` : ` ${n}` }, ms: ms / COUNTING_SHARE }
      return
    }
    case 'call':
      return yield* toCall(step.call, ms)
    default:
  }
}

function* toCall({ name, args }: PlannedCall, ms: number): Generator<Token, void> {
  const id = `call_${randomUUID()}`
  const json = JSON.stringify(args)
  yield { event: { type: 'tool.start', id, name }, ms }
  for (let at = 0; at < json.length; at += ARGS_PIECE)
    yield { event: { type: 'tool.args', id, delta: json.slice(at, at + ARGS_PIECE) }, ms }
  yield { event: { type: 'tool.end', id }, ms: 0 }
}

/** Words with the white space before them. */
function toWords(text: string): readonly string[] {
  return text.match(/\s*\S+|\s+$/g) ?? []
}
