import { randomUUID } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { ChatRig, ECHO, SlowTool, stopClock } from '../support/chat-rig.ts'
import { microtasks, turns } from '../support/turns.ts'
import { ReferenceClient } from './reference-client.ts'

const RUNS = 30
const SEED = 20_260_102
const CLIENTS = 3
const SWEEP_MS = 50

const who = fc.nat(CLIENTS - 1)
/** What happens next to the model, the person, the tabs and their links. */
const Step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('say' as const), text: fc.string({ minLength: 1, maxLength: 40 }) }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('burst' as const), count: fc.integer({ min: 3, max: 25 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('think' as const), text: fc.string({ minLength: 1, maxLength: 9 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('args' as const), text: fc.string({ minLength: 1, maxLength: 20 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('tools' as const, 'slow tool' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('end' as const, 'cancel' as const, 'fail' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('send' as const), replaces: fc.option(fc.nat(5), { freq: 2 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('retry' as const) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('cut' as const), who }) },
  { weight: 9, arbitrary: fc.record({ do: fc.constant('connect' as const), who, delay: fc.nat(12) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('stall' as const, 'sip' as const, 'read' as const), who }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('turn' as const, 'sweep' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('hold' as const, 'release' as const) }) },
)
type Step = typeof Step extends fc.Arbitrary<infer T> ? T : never

/** One session, its model, and tabs on links of all kinds. The log is so small that it merges and trims all the time. */
class World {
  readonly slow = new SlowTool()
  readonly rig = new ChatRig({
    tools: [ECHO, this.slow],
    settings: { behindBytes: 600, outboxBytes: 256 * 1024, commandBurst: 10_000, runMs: 3_600_000 },
    log: { runEntries: 50, runBytes: 16 * 1024, idleEntries: 30, idleBytes: 12 * 1024 },
  })
  readonly id = randomUUID()
  readonly clients = Array.from({ length: CLIENTS }, () => new ReferenceClient(this.id))
  readonly sender = new ReferenceClient(this.id)
  #sends = 0
  #calls = 0
  #open: string | undefined

  async step(step: Step): Promise<void> {
    switch (step.do) {
      case 'say':
        return void this.#stream?.say(step.text)
      case 'burst':
        for (let nth = 0; nth < step.count; nth++) {
          this.#stream?.say(`${nth} `.repeat(10))
          await turns(1)
        }
        return
      case 'think':
        return void this.#stream?.think(step.text)
      case 'args':
        this.#open ??= this.#openCall()
        return void this.#stream?.emit({ type: 'tool.args', id: this.#open, delta: step.text })
      case 'tools':
      case 'slow tool':
        this.#stream?.call(`c${++this.#calls}`, step.do === 'tools' ? 'echo' : 'slow', { n: this.#calls }).stop('tools')
        this.#open = undefined
        return turns(2)
      case 'end':
      case 'cancel':
      case 'fail':
        return this.#end(step.do)
      case 'send':
        return this.#send(step.replaces)
      case 'retry':
        return this.#retry()
      case 'turn':
        return turns(1)
      case 'sweep':
        return this.sweep()
      case 'hold':
        return this.rig.store.hold()
      case 'release':
        return this.rig.store.release()
      default:
        return this.#link(step)
    }
  }

  async sweep(): Promise<void> {
    await vi.advanceTimersByTimeAsync(SWEEP_MS)
    await turns(1)
  }

  /** Everything that is on comes to its end, and everyone catches up. */
  async rest(): Promise<void> {
    this.rig.store.release()
    for (let nth = 0; nth < 30; nth++) {
      for (const call of this.slow.calls.splice(0)) call.resolve('late')
      this.#stream?.say('.').stop()
      await turns(3)
    }
    for (const client of [...this.clients, this.sender]) {
      client.socket?.read()
      await turns(1)
      // Twice: one that was too slow learns that only when it reads.
      if (!client.connected) await client.connect(this.rig)
      await turns(2)
      if (!client.connected) await client.connect(this.rig)
      await turns(2)
    }
  }

  get #stream() {
    const stream = this.rig.model.streams.at(-1)
    return stream === undefined || stream.left || stream.signal.aborted ? undefined : stream
  }

  #openCall(): string {
    const id = `c${++this.#calls}`
    this.#stream?.emit({ type: 'tool.start', id, name: 'echo' })
    return id
  }

  async #end(how: 'end' | 'cancel' | 'fail'): Promise<void> {
    this.#open = undefined
    if (how === 'end') this.#stream?.stop()
    else if (how === 'fail') this.#stream?.fail(new Error('upstream'))
    else this.sender.socket?.command({ type: 'run.cancel' })
    await turns(1)
  }

  async #send(replaces: number | null): Promise<void> {
    const users = this.sender.conversation.messages.filter(({ role }) => role === 'user')
    const target = replaces === null ? undefined : users[replaces]?.id
    this.sender.socket?.command({
      type: 'message.send',
      clientMessageId: `m${++this.#sends}`,
      content: `message ${this.#sends}`,
      ...(target === undefined ? {} : { replaces: target }),
    })
    await turns(1)
  }

  async #retry(): Promise<void> {
    const { lastRun } = this.sender.conversation
    if (lastRun !== undefined) this.sender.socket?.command({ type: 'run.retry', runId: lastRun.runId })
    await turns(1)
  }

  async #link(step: Extract<Step, { who: number }>): Promise<void> {
    const client = this.clients[step.who]
    if (client === undefined) return
    if (step.do === 'connect') {
      if (!client.connected) await client.connect(this.rig, () => microtasks(step.delay))
    } else if (step.do === 'cut') client.socket?.cut()
    else if (step.do === 'stall' && client.socket !== undefined) client.socket.stalled = true
    else if (step.do === 'sip') client.socket?.sip()
    else if (step.do === 'read') client.socket?.read()
  }
}

describe('I6: clients over any links', () => {
  it('end with the same conversation, which is the one in the store', { timeout: 60_000 }, async () => {
    stopClock()
    await fc.assert(
      fc.asyncProperty(fc.array(Step, { minLength: 40, maxLength: 120 }), async (steps) => {
        const world = new World()
        for (const client of [world.sender, ...world.clients]) await client.connect(world.rig)
        await turns(1)
        await world.step({ do: 'send', replaces: null })
        for (const step of steps) await world.step(step)
        await world.rest()
        const fresh = new ReferenceClient(world.id)
        await fresh.connect(world.rig)
        const elsewhere = new ReferenceClient(world.id)
        const other = world.rig.fork()
        await elsewhere.connect(other)
        await turns(2)
        for (const client of [...world.clients, world.sender, elsewhere])
          expect(client.transcript).toEqual(fresh.transcript)
        for (const client of [...world.clients, world.sender])
          expect(client.conversation.status).toBe(fresh.conversation.status)
        world.rig.finish()
        other.finish()
        await vi.advanceTimersByTimeAsync(200)
      }),
      { numRuns: RUNS, seed: SEED },
    )
  })
})
