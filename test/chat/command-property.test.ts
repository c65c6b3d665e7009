import { randomUUID } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import type { CommandInput } from '../../src/protocol/commands.ts'
import { ERRORS } from '../../src/protocol/errors.ts'
import type { Ack, ErrorFrame } from '../../src/protocol/frames.ts'
import { ChatRig, stopClock } from '../support/chat-rig.ts'
import type { FakeSocket } from '../support/fake-socket.ts'
import { turns } from '../support/turns.ts'

const RUNS = 40
const SEED = 20_260_305
const CLIENTS = 2

/** Which of the ids that were told so far, or one that never was. */
const which = fc.option(fc.nat(12), { freq: 4 })
const clientMessageId = fc.nat(9).map((nth) => `m${nth}`)
const content = fc.oneof(
  { weight: 4, arbitrary: fc.string({ minLength: 1, maxLength: 30 }) },
  fc.array(fc.record({ type: fc.constant('text' as const), text: fc.string({ maxLength: 10 }) }), { maxLength: 3 }),
)
const policy = fc.constantFrom(undefined, 'enqueue' as const, 'reject' as const, 'interrupt' as const)
const wallet = fc.oneof(
  fc.constant(null),
  fc.record({ address: fc.string({ maxLength: 8 }), chain: fc.oneof(fc.nat(), fc.string({ maxLength: 4 })) }),
)

/** Every command, with every field right and wrong; ids as places in what is known. */
const Command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('message.send' as const),
      clientMessageId,
      content,
      policy,
      replaces: fc.option(which, { freq: 3, nil: undefined }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('run.cancel' as const),
      runId: fc.option(which, { nil: undefined }),
      all: fc.constantFrom(undefined, true, false),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('run.retry' as const), runId: which }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('session.update' as const),
      title: fc.option(fc.string({ maxLength: 12 }), { nil: undefined }),
      wallet: fc.option(wallet, { nil: undefined }),
      model: fc.constantFrom(undefined, 'puppet/p', 'puppet/q', 'puppet/secret', 'nobody/x'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('history.get' as const),
      before: fc.option(which, { nil: undefined }),
      limit: fc.constantFrom(undefined, 1, 3, 100, 0, 101),
    }),
  },
  {
    arbitrary: fc.record({
      type: fc.constant('run.resume' as const),
      resume: fc.array(
        fc.record({ interruptId: fc.string({ maxLength: 4 }), status: fc.constant('resolved' as const) }),
        {
          maxLength: 2,
        },
      ),
    }),
    weight: 1,
  },
  {
    arbitrary: fc.record({ type: fc.constant('tool.claim' as const), toolCallId: fc.string({ maxLength: 4 }) }),
    weight: 1,
  },
  {
    arbitrary: fc.record({
      type: fc.constant('tool.result' as const),
      toolCallId: fc.string({ maxLength: 4 }),
      content: fc.string({ maxLength: 4 }),
    }),
    weight: 1,
  },
  { arbitrary: fc.constant({ type: 'pong' as const }), weight: 1 },
)
type Command = typeof Command extends fc.Arbitrary<infer T> ? T : never

const who = fc.nat(CLIENTS - 1)
/** What people, the model and the store do. */
const Step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('command' as const), who, command: Command }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom('say', 'call', 'end', 'fail', 'turn', 'hold', 'release' as const) }),
  },
)
type Step = typeof Step extends fc.Arbitrary<infer T> ? T : never

/** One session, its tabs and its model; remembers what was asked. */
class World {
  readonly rig = new ChatRig({ settings: { commandBurst: 10_000, queuedSends: 3, runMs: 3_600_000 } })
  readonly id = randomUUID()
  readonly sockets: FakeSocket[] = []
  /** By the id of the command: who asked, and for what. */
  readonly asked = new Map<string, { readonly socket: FakeSocket; readonly command: CommandInput }>()
  #calls = 0

  async open(): Promise<void> {
    for (let nth = 0; nth < CLIENTS; nth++) this.sockets.push(await this.rig.ready(this.id))
  }

  async step(step: Step): Promise<void> {
    const stream = this.rig.model.streams.at(-1)
    if (step.do === 'command') this.#ask(step.who, step.command)
    else if (step.do === 'say') stream?.say('some words ')
    else if (step.do === 'call') stream?.call(`c${++this.#calls}`, 'echo', {}).stop('tools')
    else if (step.do === 'end') stream?.stop()
    else if (step.do === 'fail') stream?.fail(new Error('upstream'))
    else if (step.do === 'hold') this.rig.store.hold()
    else if (step.do === 'release') this.rig.store.release()
    await turns(1)
  }

  /** Everything that is on or waits comes to its end. */
  async rest(): Promise<void> {
    this.rig.store.release()
    for (let nth = 0; nth < 60; nth++) {
      this.rig.model.streams.at(-1)?.say('.').stop()
      await turns(3)
    }
  }

  answersTo(ref: string): (Ack | ErrorFrame)[] {
    return this.sockets.flatMap(({ frames }) =>
      frames.filter(
        (frame): frame is Ack | ErrorFrame =>
          'type' in frame && (frame.type === 'ack' || frame.type === 'error') && frame.ref === ref,
      ),
    )
  }

  #ask(nth: number, command: Command): void {
    const socket = this.sockets[nth % CLIENTS]
    if (socket === undefined) return
    const id = `ref-${this.asked.size}`
    const written: CommandInput = { ...this.#named(command), id }
    this.asked.set(id, { socket, command: written })
    socket.command(written)
  }

  #named(command: Command): CommandInput {
    if (command.type === 'message.send')
      return {
        ...command,
        replaces: command.replaces === undefined ? undefined : this.#known('user', command.replaces),
      }
    if (command.type === 'run.cancel')
      return { ...command, runId: command.runId === undefined ? undefined : this.#known('run', command.runId) }
    if (command.type === 'run.retry') return { ...command, runId: this.#known('run', command.runId) }
    if (command.type === 'history.get')
      return { ...command, before: command.before === undefined ? undefined : this.#known('any', command.before) }
    return command
  }

  /** An id that was told, of a run or a message; one that never was, where none is wanted or known. */
  #known(kind: 'run' | 'user' | 'any', nth: number | null): string {
    const acks = this.sockets.flatMap((socket) => socket.controls('ack'))
    const runs = acks.flatMap(({ runId }) => (runId === undefined ? [] : [runId]))
    const messages = acks.flatMap(({ clientMessageId: id }) => (id === undefined ? [] : [id]))
    const ids = kind === 'run' ? runs : kind === 'user' ? messages : [...messages, ...runs.map((id) => `${id}-1`)]
    return nth === null || ids.length === 0 ? 'never-told' : (ids[nth % ids.length] ?? 'never-told')
  }
}

function check(world: World): void {
  const refs = [...world.asked]
  for (const [ref, { socket, command }] of refs) {
    const answers = world.answersTo(ref)
    expect({ command, answers: answers.length }).toEqual({ command, answers: command.type === 'pong' ? 0 : 1 })
    for (const answer of answers) {
      expect(socket.frames).toContain(answer)
      expect(answer.type === 'ack' || answer.code in ERRORS).toBe(true)
    }
  }
  for (const { closedWith } of world.sockets) expect(closedWith).toBeUndefined()
  expect(world.rig.logged.filter(({ level }) => level === 'error')).toEqual([])
}

describe('P-35, P-40: whatever is asked, in whatever order', () => {
  it('every command but pong gets one answer, and what was acknowledged is stored', { timeout: 60_000 }, async () => {
    stopClock()
    await fc.assert(
      fc.asyncProperty(fc.array(Step, { minLength: 20, maxLength: 80 }), async (steps) => {
        const world = new World()
        await world.open()
        for (const step of steps) await world.step(step)
        await world.rest()
        check(world)
        const acked = world.sockets
          .flatMap((socket) => socket.controls('ack'))
          .flatMap(({ clientMessageId: id }) => (id === undefined ? [] : [id]))
        const written = world.rig.store.commits.flatMap(({ messages = [] }) => messages.map(({ id }) => id))
        expect(new Set(written)).toEqual(new Set([...written, ...acked]))
        world.rig.finish()
        await vi.advanceTimersByTimeAsync(200)
      }),
      { numRuns: RUNS, seed: SEED },
    )
  })
})
