import { describe, expect, it } from 'vitest'
import { ProviderUnavailable } from '../../src/ports/provider.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import { ChatRig, ECHO, type RigOptions, TEST_APP } from '../support/chat-rig.ts'
import type { FakeSocket } from '../support/fake-socket.ts'
import { turns } from '../support/turns.ts'

const BUSY = new ProviderUnavailable('provider_overloaded')

/** An App whose models are the puppet's `p`, then those in line. */
function rigOf(fallbacks: readonly string[], more: RigOptions = {}): ChatRig {
  const allowed = ['puppet/p', 'puppet/q', 'puppet/r']
  return new ChatRig({ ...more, app: { model: { ...TEST_APP.model, allowed, fallbacks } } })
}

/** A run that has been started, and the id that its row has. */
async function begin(rig: ChatRig): Promise<{ client: FakeSocket; id: string }> {
  const client = await rig.ready()
  await client.say('hi')
  await turns(4)
  return { client, id: client.last('session.ready')?.sessionId ?? '' }
}

const modelsOf = (rig: ChatRig): string[] => rig.model.streams.map(({ request }) => request.model)

describe('a run whose provider is overloaded, fails or is away', () => {
  it('goes on with the next model in line, and is that one’s: usage, model, title', async () => {
    const rig = rigOf(['puppet/q', 'puppet/r'], { settings: { titles: true } })
    const { client, id } = await begin(rig)
    const usage = { provider: 'puppet', model: 'p', inputTokens: 99, outputTokens: 1, totalTokens: 100 }
    rig.model.streams[0]?.emit({ type: 'usage', usage }).fail(BUSY)
    await turns(4)
    const answered = { provider: 'puppet', model: 'q', inputTokens: 7, outputTokens: 2, totalTokens: 9 }
    rig.model.streams[1]?.say('Here').emit({ type: 'usage', usage: answered }, { type: 'stop', reason: 'end' })
    await turns(6)
    expect(client.terminals).toMatchObject([{ outcome: { type: 'success' }, usage: [answered] }])
    expect(rig.runRows(id)).toMatchObject([{ status: 'finished', model: 'puppet/q', usage: [answered] }])
    expect(modelsOf(rig)).toEqual(['p', 'q'])
    expect(rig.model.titleStreams.map(({ request }) => request.model)).toEqual(['q'])
    expect((await rig.stored(id)).map(({ role, content }) => `${role}: ${content}`)).toEqual([
      'user: text of hi',
      'assistant: Here',
    ])
    expect(rig.logged.map(({ event }) => event)).toContain('model fallback')
    expect(rig.counted).toContainEqual({ metric: 'model_fallbacks_total', label: undefined })
  })

  it('takes those that the server has, in order, each once, and not the chosen one again', async () => {
    const rig = rigOf(['puppet/p', 'elsewhere/x', 'puppet/q', 'puppet/r'])
    const { client } = await begin(rig)
    for (let asked = 0; asked < 3; asked++) {
      expect(rig.model.streams[asked]?.request.standby).toBe(asked < 2 ? true : undefined)
      rig.model.streams[asked]?.fail(BUSY)
      await turns(4)
    }
    expect(modelsOf(rig)).toEqual(['p', 'q', 'r'])
    expect(client.terminals).toMatchObject([{ type: 'RUN_ERROR', code: 'provider_overloaded' }])
  })

  it('begins with the model that the person chose', async () => {
    const rig = rigOf(['puppet/q', 'puppet/p'])
    const client = await rig.ready()
    await client.ask({ type: 'session.update', model: 'puppet/r' })
    await client.say('hi')
    await turns(4)
    rig.model.streams[0]?.fail(new ProviderUnavailable('provider_error'))
    await turns(4)
    rig.model.streams[1]?.say('Here').stop()
    await turns(4)
    expect(modelsOf(rig)).toEqual(['r', 'q'])
  })

  it('begins with the chosen model again in the next run', async () => {
    const rig = rigOf(['puppet/q'])
    const { client } = await begin(rig)
    rig.model.streams[0]?.fail(BUSY)
    await turns(4)
    rig.model.streams[1]?.say('Here').stop()
    await turns(6)
    await client.say('again')
    await turns(4)
    expect(modelsOf(rig)).toEqual(['p', 'q', 'p'])
    rig.model.streams[2]?.say('Back').stop()
    await turns(4)
  })
})

describe('a run stays with its model', () => {
  it.each<[string, (rig: ChatRig) => void, string]>([
    ['after a word of text', (rig) => void rig.model.streams[0]?.say('Half'), 'Half'],
    ['after a thought', (rig) => void rig.model.streams[0]?.think('hm'), ''],
    [
      'after a call has begun',
      (rig) => void rig.model.streams[0]?.emit({ type: 'tool.start', id: 'a', name: 'echo' }),
      '',
    ],
  ])('%s', async (_when, say, kept) => {
    const rig = rigOf(['puppet/q'])
    const { client, id } = await begin(rig)
    say(rig)
    await turns(2)
    rig.model.streams[0]?.fail(BUSY)
    await turns(6)
    expect(rig.model.streams).toHaveLength(1)
    expect(client.terminals).toMatchObject([{ type: 'RUN_ERROR', code: 'provider_overloaded' }])
    const answer = (await rig.stored(id)).find(({ role }) => role === 'assistant')
    expect(answer?.content ?? '').toBe(kept)
  })

  it('in the rounds after its tools', async () => {
    const rig = rigOf(['puppet/q'], { tools: [ECHO] })
    const { client } = await begin(rig)
    rig.model.streams[0]?.call('a', 'echo', {}).stop('tools')
    const second = await rig.model.request(1)
    expect(second.request).toMatchObject({ model: 'p' })
    expect(second.request.standby).toBeUndefined()
    second.fail(BUSY)
    await turns(6)
    expect(modelsOf(rig)).toEqual(['p', 'p'])
    expect(client.terminals).toMatchObject([{ type: 'RUN_ERROR', code: 'provider_overloaded' }])
  })

  it.each([
    new ParleyError('provider_misconfigured'),
    new ParleyError('provider_error'),
    new ParleyError('model_refusal'),
    new Error('a bug'),
  ])('when what went wrong is no matter of its provider’s: $message', async (error) => {
    const rig = rigOf(['puppet/q'])
    const { client } = await begin(rig)
    rig.model.streams[0]?.fail(error)
    await turns(6)
    expect(rig.model.streams).toHaveLength(1)
    expect(client.terminals).toMatchObject([{ type: 'RUN_ERROR' }])
  })

  it('when a person stopped it', async () => {
    const rig = rigOf(['puppet/q'])
    const { client } = await begin(rig)
    const [stream] = rig.model.streams
    if (stream !== undefined) stream.deaf = true
    await client.ask({ type: 'run.cancel' })
    stream?.fail(BUSY)
    await turns(6)
    expect(rig.model.streams).toHaveLength(1)
    expect(client.terminals).toMatchObject([{ outcome: { type: 'cancelled' } }])
  })

  it('when nobody is in line', async () => {
    const rig = rigOf(['elsewhere/x'])
    const { client } = await begin(rig)
    expect(rig.model.streams[0]?.request.standby).toBeUndefined()
    rig.model.streams[0]?.fail(BUSY)
    await turns(6)
    expect(client.terminals).toMatchObject([{ type: 'RUN_ERROR', code: 'provider_overloaded' }])
  })
})
