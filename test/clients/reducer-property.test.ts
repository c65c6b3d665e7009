import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Conversation, EMPTY_CONVERSATION } from '../../clients/core/conversation.ts'
import { reduce } from '../../clients/core/reducer.ts'
import type { Event } from '../../src/protocol/events.ts'
import { AT, FakeSession, runStarted, type ServerFrame } from '../support/fake-server.ts'

/** What the model does next in a run; `cut` is the client losing its connection, `back` its return: for good, or for some frames. */
const StepArbitrary = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('text' as const), delta: fc.string({ maxLength: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reason' as const), delta: fc.string({ maxLength: 6 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('tool' as const), delta: fc.string({ maxLength: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('end' as const, 'cancel' as const, 'fail' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('edit' as const), which: fc.nat(8) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('cut' as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('back' as const), only: fc.option(fc.nat(5)) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('compact' as const, 'trim' as const) }) },
)
type Step = typeof StepArbitrary extends fc.Arbitrary<infer T> ? T : never

/** Writes legal streams: what is open is closed before something else begins. */
class Author {
  readonly server = new FakeSession()
  readonly heard: ServerFrame[] = []
  #count = 0
  #item: { readonly kind: 'text' | 'reason' | 'tool'; readonly id: string } | undefined
  #answer: string | undefined

  say(event: Event): void {
    this.heard.push(this.server.emit(event))
  }

  play(step: Step): void {
    switch (step.do) {
      case 'text':
      case 'reason':
      case 'tool':
        this.#write(step.do, step.delta)
        return
      case 'end':
      case 'cancel':
      case 'fail':
        this.#end(step.do)
        return
      case 'edit':
        this.#edit(step.which)
        return
      case 'compact':
        this.server.compact()
        return
      case 'trim':
        this.server.trim()
        return
      case 'cut':
      case 'back':
        return
      default:
        step satisfies never
    }
  }

  #write(kind: 'text' | 'reason' | 'tool', delta: string): void {
    this.#run()
    if (this.#item?.kind !== kind) {
      this.#close()
      const id = `${kind}${++this.#count}`
      this.#item = { kind, id }
      if (kind === 'text') this.say({ type: 'TEXT_MESSAGE_START', messageId: id, role: 'assistant' })
      if (kind === 'reason') this.say({ type: 'REASONING_MESSAGE_START', messageId: id, role: 'reasoning' })
      if (kind === 'text') this.#answer = id
      if (kind === 'tool')
        this.say({
          type: 'TOOL_CALL_START',
          toolCallId: id,
          toolCallName: 'tool',
          ...(this.#answer === undefined ? {} : { parentMessageId: this.#answer }),
        })
    }
    const { id } = this.#item
    if (kind === 'text') this.say({ type: 'TEXT_MESSAGE_CONTENT', messageId: id, delta })
    else if (kind === 'reason') this.say({ type: 'REASONING_MESSAGE_CONTENT', messageId: id, delta })
    else this.say({ type: 'TOOL_CALL_ARGS', toolCallId: id, delta })
  }

  #close(): void {
    if (this.#item === undefined) return
    const { kind, id } = this.#item
    this.#item = undefined
    if (kind === 'text') this.say({ type: 'TEXT_MESSAGE_END', messageId: id })
    if (kind === 'reason') this.say({ type: 'REASONING_MESSAGE_END', messageId: id })
    if (kind !== 'tool') return
    this.say({ type: 'TOOL_CALL_END', toolCallId: id })
    this.say({ type: 'TOOL_CALL_RESULT', messageId: `result-${id}`, toolCallId: id, content: 'ok', role: 'tool' })
  }

  #run(): void {
    if (this.server.runId !== undefined) return
    this.#answer = undefined
    const n = ++this.#count
    this.say(runStarted(`run${n}`, `user${n}`, `question ${n}`))
  }

  #end(how: 'end' | 'cancel' | 'fail'): void {
    const { runId } = this.server
    if (runId === undefined) return
    this.#close()
    if (how === 'fail') this.say({ type: 'RUN_ERROR', code: 'provider_error', message: 'No' })
    else {
      const outcome = { type: how === 'end' ? ('success' as const) : ('cancelled' as const) }
      this.say({ type: 'RUN_FINISHED', threadId: 't', runId, outcome })
    }
  }

  #edit(which: number): void {
    this.#end('cancel')
    const users = this.server.messages.filter((message) => message.role === 'user')
    const from = users[which % Math.max(1, users.length)]?.id
    this.#run()
    if (from !== undefined) this.say({ type: 'CUSTOM', name: 'parley.rewind', value: { from } })
  }
}

function hear(conversation: Conversation, frames: readonly ServerFrame[]): Conversation {
  return frames.reduce((state, frame) => reduce(state, { kind: 'frame', frame, at: AT }), conversation)
}

/** What has to be the same however a client came by it. */
function essence({ messages, status, runId, open, lastRun, hasMore }: Conversation): unknown {
  const full = messages.map((message) =>
    message.role === 'assistant' ? { ...message, content: message.content ?? '' } : message,
  )
  return { messages: full, status, runId, open: [...open].sort(), lastRun, hasMore }
}

describe('a stream that is cut at any points and resumed by tail or snapshot (I6)', () => {
  it('ends in the same state as the uncut one, and as the server', () => {
    fc.assert(
      fc.property(fc.array(StepArbitrary, { maxLength: 120 }), (steps) => {
        const author = new Author()
        let uncut = hear(EMPTY_CONVERSATION, author.server.welcome())
        let cut = uncut
        let connected = true
        for (const step of steps) {
          if (step.do === 'cut') connected = false
          if (step.do === 'back' && !connected) {
            connected = step.only === null
            cut = hear(cut, author.server.welcome(cut.cursor).slice(0, step.only ?? Infinity))
          }
          author.play(step)
          const frames = author.heard.splice(0)
          uncut = hear(uncut, frames)
          if (connected) cut = hear(cut, frames)
        }
        if (!connected) cut = hear(cut, author.server.welcome(cut.cursor))
        expect(essence(cut)).toEqual(essence(uncut))
        expect(essence(uncut)).toEqual(essence({ ...uncut, messages: author.server.messages }))
      }),
      { seed: 20_260_101, numRuns: 400 },
    )
  })
})
