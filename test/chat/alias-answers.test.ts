import { randomUUID } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import { AliasPeer, user } from '../support/alias-peer.ts'
import { ChatRig, ECHO } from '../support/chat-rig.ts'
import { turns } from '../support/turns.ts'

const LOCATE = { name: 'locate', description: 'Where the person is', parameters: { type: 'object' } }
const TOOLS = [
  { kind: 'client', spec: LOCATE },
  { kind: 'server', name: 'echo', ask: true },
] as const
const result = (toolCallId: string, content: string, more: object = {}) => {
  return { id: `tool-${toolCallId}`, role: 'tool', toolCallId, content, ...more }
}
const yes = (interruptId: string, approved = true) => ({ interruptId, status: 'resolved', payload: { approved } })

/** A turn whose answer made these calls and waits for them. */
async function waiting(...calls: readonly (readonly [string, string])[]) {
  const rig = new ChatRig({ app: { tools: TOOLS }, tools: [ECHO] })
  const id = randomUUID()
  const peer = await connect(rig, id, 'run-1')
  peer.turn({ runId: 'run-1', messages: [user('m1')] })
  const stream = await rig.model.request(0)
  stream.say('Let me see.')
  for (const [call, name] of calls) stream.call(call, name, { a: 1 })
  stream.stop('tools')
  await peer.event('RUN_FINISHED')
  await turns()
  return { rig, id, peer }
}

async function connect(rig: ChatRig, id: string, runId: string, offset?: string): Promise<AliasPeer> {
  const query = `app=default&runId=${runId}${offset === undefined ? '' : `&offset=${offset}`}`
  const peer = new AliasPeer(await rig.handshake(id, { query }))
  onTestFinished(() => expect(peer.faults).toEqual([]))
  return peer
}

const ANSWERED = [user('m1'), { id: 'a1', role: 'assistant', content: 'Let me see.' }]

describe('P-102: answers to calls that wait', () => {
  it('are results at the end of the client’s history: the run that goes on has the frame’s id', async () => {
    const { rig, peer } = await waiting(['c1', 'locate'])
    peer.turn({ runId: 'run-2', messages: [...ANSWERED, result('c1', 'Rome')] })
    const next = await rig.model.request(1)
    expect(next.request.messages.at(-1)).toMatchObject({ role: 'tool', toolCallId: 'c1', content: 'Rome' })
    next.say('In Rome.').stop()
    expect(await peer.event('RUN_STARTED', 1)).toMatchObject({ runId: 'run-2', parentRunId: 'run-1' })
    expect(await peer.event('RUN_FINISHED', 1)).toMatchObject({ runId: 'run-2' })
    expect(peer.text).toBe('Let me see.In Rome.')
  })

  it('say when a tool of the page failed', async () => {
    const { rig, peer } = await waiting(['c1', 'locate'])
    peer.turn({ runId: 'run-2', messages: [...ANSWERED, result('c1', 'null', { error: 'no signal' })] })
    const next = await rig.model.request(1)
    expect(next.request.messages.at(-1)).toMatchObject({ role: 'tool', content: 'no signal', isError: true })
    next.stop()
    await peer.event('RUN_FINISHED', 1)
  })

  it.each([
    [true, '{"a":1}', false],
    [false, 'The person declined this call; it was not made.', true],
  ])('are approvals, as AG-UI’s resume (%j)', async (approved, content, isError) => {
    const { rig, peer } = await waiting(['c1', 'echo'])
    // That client adds what it made up of the answer: it is nobody’s result.
    const made = result('c1', JSON.stringify({ approved, pendingExecution: true }))
    peer.turn({ runId: 'run-2', messages: [...ANSWERED, made] }, { resume: [yes('c1', approved)] })
    const next = await rig.model.request(1)
    expect(next.request.messages.at(-1)).toMatchObject({ role: 'tool', toolCallId: 'c1', content })
    next.stop()
    expect(await peer.event('RUN_FINISHED', 1)).toMatchObject({ runId: 'run-2' })
    const stored = (await rig.store.history(peerSession(rig), { maxMessages: 99, maxBytes: 1e6 })).messages
    expect(stored.find(({ toolCallId }) => toolCallId === 'c1')?.isError ?? false).toBe(isError)
  })

  it('come of both kinds at once', async () => {
    const { rig, peer } = await waiting(['c1', 'echo'], ['c2', 'locate'])
    peer.turn({ runId: 'run-2', messages: [...ANSWERED, result('c2', 'Rome')] }, { resume: [yes('c1')] })
    const next = await rig.model.request(1)
    expect(
      next.request.messages
        .slice(-2)
        .map(({ content }) => content)
        .toSorted(),
    ).toEqual(['Rome', '{"a":1}'])
    next.stop()
    await peer.event('RUN_FINISHED', 1)
  })

  it('again are the same turn, which is told from its start; nothing starts twice', async () => {
    const { rig, id, peer } = await waiting(['c1', 'locate'])
    const answer = { runId: 'run-2', messages: [...ANSWERED, result('c1', 'Rome')] }
    peer.turn(answer)
    ;(await rig.model.request(1)).say('In Rome.').stop()
    await peer.event('RUN_FINISHED', 1)
    await turns()
    const back = await connect(rig, id, 'run-2')
    back.turn(answer)
    expect(await back.event('RUN_FINISHED')).toMatchObject({ runId: 'run-2' })
    expect([back.text, rig.model.streams.length]).toEqual(['In Rome.', 2])
  })

  it('of which some are missing are stored, and the turn is a conflict', async () => {
    const { rig, peer } = await waiting(['c1', 'echo'], ['c2', 'locate'])
    peer.turn({ runId: 'run-2', messages: [...ANSWERED, result('c2', 'Rome')] })
    expect(await peer.event('RUN_ERROR')).toMatchObject({ runId: 'run-2', code: 'conflict' })
    expect(rig.model.streams).toHaveLength(1)
    peer.turn({ runId: 'run-3', messages: [...ANSWERED, result('c2', 'Paris')] }, { resume: [yes('c1')] })
    const next = await rig.model.request(1)
    expect(next.request.messages.map(({ content }) => content)).toContain('Rome')
    next.stop()
    expect(await peer.event('RUN_FINISHED', 1)).toMatchObject({ runId: 'run-3' })
  })

  it.each([
    ['a result of a call that nobody made', [result('c9', 'x')], {}],
    ['a result of a call that asks first', [result('c1', '{"approved":true}')], {}],
    [
      'a result that is none',
      [{ role: 'tool', content: 'x' }],
      { resume: [{ interruptId: 'c9', status: 'cancelled' }] },
    ],
  ])('are refused as %s, and the call waits on', async (_name, messages, more) => {
    const { rig, peer } = await waiting(['c1', 'echo'])
    peer.turn({ runId: 'run-2', messages: [...ANSWERED, ...messages] }, more)
    expect(await peer.event('RUN_ERROR')).toMatchObject({ runId: 'run-2', code: 'not_found' })
    peer.turn({ runId: 'run-3', messages: ANSWERED }, { resume: [yes('c1')] })
    ;(await rig.model.request(1)).stop()
    expect(await peer.event('RUN_FINISHED', 1)).toMatchObject({ runId: 'run-3' })
  })
})

/** The only session of the rig. */
function peerSession(rig: ChatRig): string {
  return rig.store.commits[0]?.sessionId ?? ''
}
