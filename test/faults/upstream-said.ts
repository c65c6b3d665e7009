import { type Reply, stream } from '../support/messages-api.ts'
import { answer, type Step, text } from '../support/messages-api-events.ts'
import type { Delivery } from '../support/messages-api-player.ts'

/** What one reply told before it went wrong, read from its bytes and not from what the server made of them. */
export type Said = {
  readonly text: string
  readonly reasoning: string
  /** Totals, inclusive of the cache, as the last word on them said; undefined: none was said. */
  readonly tokens: { readonly input: number; readonly output: number } | undefined
}

/** A reply of the stub together with what of it counts. */
export type Told = { readonly reply: Reply; readonly said: Said }

export const SILENCE: Said = { text: '', reasoning: '', tokens: undefined }

/** A reply that is nothing but a fault. */
export function fault(reply: Reply): Told {
  return { reply, said: SILENCE }
}

/** A stream that is as it should be up to the steps of `bad`. Each event is a write of its own, so that a cut loses none. */
export function streamed(good: readonly Step[], bad: readonly Step[] = [], delivery: Delivery = {}): Told {
  return { reply: stream([...good, ...bad], { eventPerWrite: true, ...delivery }), said: saidBy(good) }
}

/** The first `end` bytes of a message, and what happens then. */
export function cutAt(whole: Buffer, end: number, how: 'cut' | 'end' | 'hold'): Told {
  const bytes: Step = { step: 'send', bytes: whole.subarray(0, end), token: false }
  return streamed([bytes], how === 'end' ? [] : [{ step: how }])
}

export function bytesOf(steps: readonly Step[]): Buffer {
  return Buffer.concat(steps.flatMap((step) => (step.step === 'send' ? [Buffer.from(step.bytes)] : [])))
}

/** What answers when no fault is asked for. */
export function ordinary(words: string): Told {
  return streamed(answer([text(words)]))
}

type Counts = {
  readonly input_tokens?: number | null
  readonly output_tokens?: number | null
  readonly cache_creation_input_tokens?: number | null
  readonly cache_read_input_tokens?: number | null
}
type Data = {
  readonly message?: { readonly usage: Counts }
  readonly usage?: Counts
  readonly delta?: { readonly text?: string; readonly thinking?: string }
}

function saidBy(steps: readonly Step[]): Said {
  let [words, reasoning, counts] = ['', '', undefined as Counts | undefined]
  // What follows the last blank line is an event that was never finished.
  const events = bytesOf(steps).toString().split('\n\n').slice(0, -1)
  for (const event of events) {
    const line = event.split('\n').find((one) => one.startsWith('data: '))
    if (line === undefined) continue
    const data: Data = JSON.parse(line.slice('data: '.length))
    words += data.delta?.text ?? ''
    reasoning += data.delta?.thinking ?? ''
    counts = { ...counts, ...data.message?.usage, ...data.usage }
    if (data.message === undefined && data.usage === undefined && Object.keys(counts).length === 0) counts = undefined
  }
  return { text: words, reasoning, tokens: counts && totals(counts) }
}

function totals(counts: Counts): Said['tokens'] {
  const { input_tokens, cache_creation_input_tokens, cache_read_input_tokens, output_tokens } = counts
  return {
    input: (input_tokens ?? 0) + (cache_creation_input_tokens ?? 0) + (cache_read_input_tokens ?? 0),
    output: output_tokens ?? 0,
  }
}
