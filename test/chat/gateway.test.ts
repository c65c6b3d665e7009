import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Principal } from '../../src/ports/access.ts'
import { type ErrorCode, ParleyError } from '../../src/protocol/errors.ts'
import { ANYONE, ChatRig, type Peer, type RigOptions } from '../support/chat-rig.ts'

const ID = 'a2b5a30e-5c5a-4d39-9d83-3a1c54d0c8f1'
const COUNTED = '00000000-0000-1000-8000-000000000001'
const refusing =
  (code: ErrorCode): RigOptions['identify'] =>
  () =>
    Promise.reject(new ParleyError(code))

/** A handshake without `parley.v1`: refusals come as HTTP. */
async function refusal(rig: ChatRig, { headers, ...peer }: Peer) {
  const verdict = await rig.handshake(undefined, { ...peer, headers: { 'sec-websocket-protocol': '', ...headers } })
  if (verdict.accept) return 'accepted'
  const { status, headers: answer, body } = verdict.refusal
  const parsed: unknown = JSON.parse(body)
  return { status, retryAfter: answer['retry-after'], error: parsed }
}

const coded = (status: number, code: ErrorCode) => ({ status, error: { error: { code } } })

describe('a handshake', () => {
  it.each<[string, Peer]>([
    ['header', { headers: { 'x-session-id': ID } }],
    ['query', { query: `session=${ID}` }],
    ['subprotocol', { headers: { 'sec-websocket-protocol': `parley.session.${ID}` } }],
    ['two places that agree', { query: `session=${ID}`, headers: { 'x-session-id': ID.toUpperCase() } }],
  ])('P-16: names the session by %s', async (_where, peer) => {
    const rig = new ChatRig()
    const verdict = await rig.handshake(undefined, {
      ...peer,
      headers: { 'sec-websocket-protocol': '', ...peer.headers },
    })
    const client = rig.open(verdict)
    expect(await client.control('session.ready')).toMatchObject({ sessionId: ID, app: 'default' })
  })

  it.each<[string, Peer]>([
    ['no session', { query: 'app=default' }],
    ['a session that is no UUID', { query: 'session=42' }],
    ['two different sessions', { query: `session=${ID}`, headers: { 'x-session-id': randomUUID() } }],
    ['an App that is no name', { query: `session=${ID}&app=..%2F` }],
    ['a key in the query', { query: `session=${ID}&api_key=x` }],
    ['a token in the query', { query: `session=${ID}&token=x` }],
  ])('P-20: with %s is refused as bad_request, before anyone is asked who it is', async (_what, peer) => {
    const rig = new ChatRig({ identify: refusing('unauthorized') })
    expect(await refusal(rig, peer)).toMatchObject(coded(400, 'bad_request'))
  })

  it('P-20: is judged in order: what fails first is told', async () => {
    const everything: RigOptions = {
      identify: async () => ({ ...ANYONE, scopes: [] }),
      admitConnection: () => {
        throw new ParleyError('rate_limit_exceeded', { retryAfterMs: 1500 })
      },
    }
    const peer = { query: `session=${COUNTED}` }
    expect(await refusal(new ChatRig({ ...everything, identify: refusing('unauthorized') }), peer)).toMatchObject(
      coded(401, 'unauthorized'),
    )
    expect(await refusal(new ChatRig({ ...everything, identify: refusing('app_not_found') }), peer)).toMatchObject(
      coded(404, 'app_not_found'),
    )
    expect(await refusal(new ChatRig(everything), peer)).toMatchObject(coded(403, 'forbidden'))
    const reading = { ...everything, identify: async () => ANYONE }
    expect(await refusal(new ChatRig(reading), peer)).toMatchObject(coded(400, 'bad_request'))
    expect(await refusal(new ChatRig(reading), { query: `session=${ID}` })).toMatchObject({
      ...coded(429, 'rate_limit_exceeded'),
      retryAfter: '2',
    })
    const draining = new ChatRig({ ...everything, identify: refusing('unauthorized') })
    void draining.chat.drain(0)
    expect(await refusal(draining, peer)).toMatchObject(coded(503, 'draining'))
  })

  it.each<[string, Partial<Principal>, boolean]>([
    ['nobody', {}, false],
    ['a publishable key', { kind: 'key', keyKind: 'publishable' }, false],
    ['a secret key', { kind: 'key', keyKind: 'secret' }, true],
    ['a ticket', { kind: 'ticket' }, true],
  ])('P-16: by %s must (or need not) name a random session', async (_who, principal, free) => {
    const rig = new ChatRig({ identify: async () => ({ ...ANYONE, ...principal }) })
    const answer = await refusal(rig, { query: `session=${COUNTED}` })
    expect(typeof answer === 'string' ? answer : answer.status).toBe(free ? 'accepted' : 400)
  })

  it('is refused when the App went after it was identified', async () => {
    const rig = new ChatRig()
    rig.app = undefined
    expect(await refusal(rig, { query: `session=${ID}` })).toMatchObject(coded(404, 'app_not_found'))
  })

  it('is refused as store_unavailable when the store is away and memory does not have the session', async () => {
    const rig = new ChatRig()
    await rig.ready(ID)
    rig.store.goAway()
    expect(await refusal(rig, { query: `session=${ID}` })).toBe('accepted')
    expect(await refusal(rig, { query: `session=${randomUUID()}` })).toMatchObject(coded(503, 'store_unavailable'))
  })

  it('P-21: by a client that speaks parley.v1 is let in to be told why not', async () => {
    const rig = new ChatRig({ identify: refusing('unauthorized') })
    const verdict = await rig.handshake(ID)
    expect(verdict).toMatchObject({ accept: true, protocol: 'parley.v1' })
    const client = rig.open(verdict)
    expect(client.frames).toMatchObject([{ type: 'error', code: 'unauthorized', retryable: false }])
    expect(client.closedWith).toEqual({ code: 4401, reason: 'unauthorized' })
  })

  it('P-22: over a limit gets plain HTTP even then', async () => {
    const rig = new ChatRig({ identify: refusing('rate_limit_exceeded') })
    expect(await rig.handshake(ID)).toMatchObject({ accept: false, refusal: { status: 429 } })
  })

  it('I7 P-20: is refused before its key is looked at while the process has as many connections as it may', async () => {
    let known = true
    const identify: RigOptions['identify'] = async () => {
      if (known) return ANYONE
      throw new ParleyError('unauthorized')
    }
    const rig = new ChatRig({ settings: { connections: 2 }, identify })
    const [first] = [await rig.ready(ID), await rig.ready(randomUUID())]
    known = false
    expect(await rig.handshake(ID)).toMatchObject({ accept: false, refusal: { status: 503 } })
    expect(await refusal(rig, { query: `session=${ID}` })).toMatchObject({
      ...coded(503, 'overloaded'),
      retryAfter: '5',
    })
    first.cut()
    await expect.poll(() => refusal(rig, { query: `session=${ID}` })).toMatchObject(coded(401, 'unauthorized'))
  })

  it('I7: counts those that are being judged among the connections, too', async () => {
    let decide = (): void => undefined
    const decided = new Promise<void>((resolve) => {
      decide = resolve
    })
    const identify: RigOptions['identify'] = async () => {
      await decided
      throw new ParleyError('unauthorized')
    }
    const rig = new ChatRig({ settings: { connections: 1 }, identify })
    const first = refusal(rig, { query: `session=${ID}` })
    expect(await refusal(rig, { query: `session=${ID}` })).toMatchObject(coded(503, 'overloaded'))
    decide()
    expect(await first).toMatchObject(coded(401, 'unauthorized'))
    expect(await refusal(rig, { query: `session=${ID}` })).toMatchObject(coded(401, 'unauthorized'))
  })

  it('P-18: selects parley.v1 and nothing else, and only where it was offered', async () => {
    const rig = new ChatRig()
    const offered = { 'sec-websocket-protocol': `parley.v1, parley.session.${ID}, parley.key.pk_live_a_b` }
    expect(await rig.handshake(ID, { headers: offered })).toMatchObject({ accept: true, protocol: 'parley.v1' })
    const silent = { headers: { 'sec-websocket-protocol': `parley.session.${ID}` } }
    expect(await rig.handshake(ID, silent)).not.toHaveProperty('protocol')
  })

  it('P-17: hands the key or ticket on, and the peer', async () => {
    const seen: unknown[] = []
    const identify: RigOptions['identify'] = async ({ key, ticket, address }, app) => {
      seen.push([key, ticket, address, app])
      return ANYONE
    }
    const rig = new ChatRig({ identify })
    const offer = (more: string) => ({ 'sec-websocket-protocol': `parley.v1, parley.session.${ID}${more}` })
    await rig.handshake(ID, { headers: offer(', parley.key.k') })
    await rig.handshake(ID, { headers: offer(', parley.ticket.t') })
    await rig.handshake(ID, { headers: offer(''), query: 'ticket=q' })
    expect(seen).toEqual([
      ['k', undefined, '127.0.0.1', 'default'],
      [undefined, 't', '127.0.0.1', 'default'],
      [undefined, 'q', '127.0.0.1', 'default'],
    ])
  })

  it('I11: that fails by a bug tells nothing of it', async () => {
    const rig = new ChatRig({ identify: () => Promise.reject(new Error('secret detail')) })
    const answer = await refusal(rig, { query: `session=${ID}` })
    expect(answer).toMatchObject(coded(500, 'internal_error'))
    expect(JSON.stringify(answer)).not.toContain('secret')
    expect(rig.logged).toMatchObject([{ level: 'error', event: 'handshake failed' }])
  })

  it('P-19: with a cursor that cannot be read gets a snapshot', async () => {
    const rig = new ChatRig()
    const first = await rig.ready(ID)
    await first.say('m1')
    const client = await rig.ready(ID, { cursor: 'nonsense' })
    expect(client.last('session.ready')?.resumed).toBe('snapshot')
  })
})
