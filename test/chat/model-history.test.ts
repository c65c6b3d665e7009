import { randomUUID } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ModelEvent } from '../../src/ports/provider.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import type { Message } from '../../src/protocol/messages.ts'
import { ChatRig, ECHO, FAIL, SlowTool } from '../support/chat-rig.ts'
import type { FakeSocket } from '../support/fake-socket.ts'
import { turns } from '../support/turns.ts'

const RUNS = 40
const SEED = 20_260_101

/** Text as models say it, and as they should not: blank, NUL, half characters. */
const Text = fc.oneof(
  { weight: 5, arbitrary: fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' }) },
  { weight: 2, arbitrary: fc.constantFrom(' ', '\n\n', '\u0000', '🦜', '\ud83e', '\udd9c', '') },
)
const Arguments = fc.constantFrom('{}', '', '{"a":1}', '{"a":', '[1]', 'null', '{"p":"🦜"}')
const Step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('text' as const), text: Text }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('think' as const), text: Text }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('call' as const),
      tool: fc.constantFrom('echo', 'fail', 'slow', 'nobody'),
      args: Arguments,
      whole: fc.boolean(),
    }),
  },
)
const Round = fc.record({
  steps: fc.array(Step, { maxLength: 5 }),
  end: fc.oneof(
    { weight: 4, arbitrary: fc.constant('tools' as const) },
    { weight: 4, arbitrary: fc.constant('end' as const) },
    { weight: 3, arbitrary: fc.constantFrom('length', 'pause', 'refusal', 'context', 'cut', 'fail', 'too long') },
  ),
  /** What becomes of slow tools: answered, failed, or never. */
  slow: fc.constantFrom('answer' as const, 'fail' as const, 'hang' as const),
})
const Script = fc.array(
  fc.record({
    rounds: fc.array(Round, { minLength: 1, maxLength: 3 }),
    /** After so many steps the run is cut short; most never get there. */
    stopAfter: fc.nat(14),
    stopBy: fc.constantFrom('cancel', 'cancel', 'crash', 'interrupt'),
    startBy: fc.constantFrom('send', 'send', 'send', 'retry', 'edit'),
  }),
  { minLength: 1, maxLength: 4 },
)
type Round = typeof Round extends fc.Arbitrary<infer T> ? T : never
type RunScript = typeof Script extends fc.Arbitrary<infer T> ? (T extends (infer R)[] ? R : never) : never

/** Plays a script against the core: the model, its tools, the person and the crashes. */
class Player {
  rig: ChatRig
  client: FakeSocket
  readonly id = randomUUID()
  #slow = new SlowTool()
  #names = 0
  #left = 0
  /** Requests that were played, in this process. */
  #played = 0

  private constructor(rig: ChatRig, client: FakeSocket) {
    this.rig = rig
    this.client = client
  }

  static async start(): Promise<Player> {
    const slow = new SlowTool()
    const rig = new ChatRig({ tools: [ECHO, FAIL, slow], settings: { toolRounds: 4 } })
    const id = randomUUID()
    const player = new Player(rig, await rig.ready(id))
    Object.assign(player, { id })
    player.#slow = slow
    return player
  }

  async play(script: RunScript): Promise<void> {
    this.#left = script.stopAfter
    await this.#begin(script.startBy)
    const rounds = [...script.rounds]
    while (await this.#isOn()) {
      const stream = this.rig.model.streams[this.#played]
      if (stream === undefined) await this.#tools(rounds[0]?.slow ?? 'hang', script)
      else {
        this.#played++
        if (!(await this.#round(rounds.shift(), script))) return
      }
    }
  }

  async #begin(how: RunScript['startBy']): Promise<void> {
    const last = this.client.last('session.snapshot')
    const { lastRun } = this.client.last('session.status') ?? this.client.last('session.ready') ?? {}
    const name = `m${++this.#names}`
    const known = (await this.rig.stored(this.id)).findLast(({ role }) => role === 'user')
    if (how === 'retry' && lastRun !== undefined && last !== undefined) {
      const answer = await this.client.ask({ type: 'run.retry', runId: lastRun.runId })
      if (answer.type === 'ack') return
    }
    const replaces = how === 'edit' && known !== undefined ? { replaces: known.id } : {}
    const answer = await this.client.ask({ type: 'message.send', clientMessageId: name, content: name, ...replaces })
    if (answer.type !== 'ack') throw new Error(JSON.stringify(answer))
  }

  async #isOn(): Promise<boolean> {
    await turns(4)
    const status = this.client.last('session.status')
    return status?.runId !== undefined
  }

  /** False when it was cut short. */
  async #round(round: Round | undefined, script: RunScript): Promise<boolean> {
    const stream = this.rig.model.streams[this.#played - 1]
    for (const event of (round?.steps ?? []).flatMap((step, nth) => this.#events(step, nth))) {
      stream?.emit(event)
      if (this.#left-- === 0) return this.#cutShort(script)
      if (this.#left % 3 === 0) await turns(1)
    }
    const end = round?.end ?? 'end'
    if (end === 'cut') stream?.cut()
    else if (end === 'fail') stream?.fail(new Error('upstream'))
    else if (end === 'too long') stream?.fail(new ParleyError('context_too_long'))
    else stream?.stop(end)
    return true
  }

  #events(step: Round['steps'][number], nth: number): ModelEvent[] {
    if (step.do === 'text') return [{ type: 'text', delta: step.text }]
    if (step.do === 'think') return [{ type: 'reasoning', delta: step.text }]
    const id = `t${this.#names}-${this.#played}-${nth}-${randomUUID()}`
    const open: ModelEvent[] = [
      { type: 'tool.start', id, name: step.tool },
      { type: 'tool.args', id, delta: step.args },
    ]
    return step.whole ? [...open, { type: 'tool.end', id }] : open
  }

  async #tools(slow: Round['slow'], script: RunScript): Promise<void> {
    const [call] = this.#slow.calls.splice(0, 1)
    if (call === undefined || slow === 'hang') await this.#cutShort(script)
    else if (slow === 'answer') call.resolve('slow answer')
    else call.reject(new Error('slow failure'))
  }

  async #cutShort({ stopBy }: RunScript): Promise<false> {
    if (stopBy === 'crash') {
      await turns(2)
      this.rig.finish()
      this.rig = this.rig.crash()
      this.client = await this.rig.ready(this.id)
      this.#played = 0
    } else if (stopBy === 'cancel') {
      await this.client.ask({ type: 'run.cancel' })
      await turns(4)
    } else {
      const name = `i${++this.#names}`
      await this.client.ask({ type: 'message.send', clientMessageId: name, content: name, policy: 'interrupt' })
      await turns(6)
      this.rig.model.streams.at(-1)?.say('instead').stop()
      this.#played = this.rig.model.streams.length
      await turns(4)
    }
    return false
  }
}

const shown = (messages: readonly Message[]) =>
  messages.map((message) => ({ ...message, metadata: { ...message.metadata, createdAt: '' } }))

describe('I5: history given to a model', () => {
  it('is valid after every kind of end, and the same in memory and in the store', { timeout: 30_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(Script, async (script) => {
        const player = await Player.start()
        for (const run of script) await player.play(run)
        await turns(4)
        const { rig, client, id } = player
        expect(client.last('session.status')?.runId).toBeUndefined()
        expect(await client.say('last')).toMatchObject({ state: 'started' })
        await turns(4)
        rig.model.streams.at(-1)?.say('fine').stop()
        await turns(6)
        expect(client.terminals.at(-1)).toMatchObject({ outcome: { type: 'success' } })
        const here = await rig.ready(id)
        const elsewhere = rig.fork()
        const there = await elsewhere.ready(id)
        expect(shown(there.last('session.snapshot')?.messages ?? [])).toEqual(
          shown(here.last('session.snapshot')?.messages ?? []),
        )
        rig.finish()
        elsewhere.finish()
      }),
      { numRuns: RUNS, seed: SEED },
    )
  })
})
