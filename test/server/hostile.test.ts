import { randomBytes, randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ERRORS } from '../../src/protocol/errors.ts'
import { ChatRig } from '../support/chat-rig.ts'
import { type LiveClient, LiveServer } from '../support/live-server.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { SocketClient } from '../support/socket-client.ts'
import { TRANSPORTS } from '../support/transports.ts'
import { deferred, turns } from '../support/turns.ts'

/** Connections that misbehave one after the other, and how many of them at once. */
const ATTACKERS = 60
const AT_ONCE = 12
const FRAMES_EACH = 30
const TABS = 8
const COMMANDS_PER_TAB = 25

/** The same numbers at every run: a failure can be looked at again. */
function dice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * below)
  }
}

const OPEN = '['
const HOSTILE: readonly string[] = [
  '',
  'null',
  '"message.send"',
  '[]',
  '1e999',
  '{"type":',
  '{"type":"__proto__"}',
  '{"type":"constructor","id":"x"}',
  '{"__proto__":{"type":"pong"},"type":5}',
  OPEN.repeat(30_000),
  `${OPEN.repeat(33)}${']'.repeat(33)}`,
  'x'.repeat(70_000),
  '{"type":"message.send","clientMessageId":"a","content":"\\ud800"}',
  '{"type":"message.send","clientMessageId":"a","content":"a\\u0000b"}',
  '{"type":"message.send","clientMessageId":"../../etc","content":"x"}',
  `{"type":"history.get","before":${JSON.stringify("'; drop table runs; --")},"limit":1e9}`,
]

/** Well formed, and each owed exactly one answer (P-35). */
function command(roll: (below: number) => number, id: string): object {
  const all: readonly object[] = [
    { type: 'run.cancel', all: true },
    { type: 'run.retry', runId: 'nothing' },
    { type: 'history.get', limit: 5 },
    { type: 'session.update', title: `t${roll(9)}` },
    { type: 'session.update', model: 'no/such' },
    { type: 'message.send', clientMessageId: `m${roll(5)}`, content: ['fail', 'calculate 2+2', 'hello'][roll(3)] },
  ]
  return { id, ...all[roll(all.length)] }
}

type Told = { readonly type?: string; readonly ref?: string; readonly code?: string; readonly message?: string }

/** One connection that sends nonsense and commands in turn; gives the commands that nobody answered, and every error. */
async function attack(port: number, seed: number): Promise<{ unanswered: string[]; errors: Told[] }> {
  const roll = dice(seed)
  const client = await SocketClient.connect(`ws://127.0.0.1:${port}/ws?session=${randomUUID()}`)
  await client.until((frame) => frame.includes('"session.ready"'))
  const owed: string[] = []
  for (let turn = 0; turn < FRAMES_EACH; turn++) {
    const kind = roll(10)
    if (kind === 0) client.send(HOSTILE[roll(HOSTILE.length)] ?? '')
    else if (kind === 1 && seed % 3 === 0) client.sendBinary(randomBytes(roll(200)))
    else if (kind === 2) client.ping()
    else {
      const id = `c${turn}`
      owed.push(id)
      client.sendJson(command(roll, id))
    }
  }
  const last = 'last'
  client.sendJson({ type: 'tool.claim', id: last, toolCallId: 't' })
  // A connection that was ended for its bad frames is owed nothing more.
  const lives = await client
    .until((frame) => frame.includes(`"ref":"${last}"`))
    .then(
      () => true,
      () => false,
    )
  const wanted = new Set(lives ? owed : [])
  const strike = (): void => {
    for (const text of client.frames) wanted.delete(refOf(text))
  }
  for (strike(); wanted.size > 0; strike()) await client.next()
  const errors = client.frames.map((text): Told => JSON.parse(text)).filter(({ type }) => type === 'error')
  if (lives) await client.close()
  return { unanswered: [...wanted], errors }
}

function refOf(text: string): string {
  const frame: Told = JSON.parse(text)
  return frame.ref ?? ''
}

async function textOf(client: LiveClient): Promise<string> {
  await client.end()
  return client.events.map((event) => (event.type === 'TEXT_MESSAGE_CONTENT' ? event.delta : '')).join('')
}

describe.each(TRANSPORTS)('a server on %s among clients that mean harm', (transport) => {
  let database: TestDatabase
  let server: LiveServer

  beforeEach(async () => {
    database = await createTestDatabase()
    server = await LiveServer.start({ transport, database: database.connection })
  })

  afterEach(async () => {
    await server.close()
    await database.drop()
  })

  it('P-10, P-35: answers every command of clients that send nonsense, by the table, and streams to others meanwhile', async () => {
    const healthy = await server.connect()
    healthy.send({ type: 'message.send', clientMessageId: 'h', content: 'count from 1 to 400' })
    const streamed = textOf(healthy)
    const outcomes: Awaited<ReturnType<typeof attack>>[] = []
    let next = 1
    const work = async (): Promise<void> => {
      while (next <= ATTACKERS) outcomes.push(await attack(server.port, next++))
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    expect(outcomes.flatMap(({ unanswered }) => unanswered)).toEqual([])
    const errors = outcomes.flatMap((outcome) => outcome.errors)
    expect(errors.filter(({ code = '' }) => !Object.hasOwn(ERRORS, code) || code === 'internal_error')).toEqual([])
    expect(errors.filter(({ message = '' }) => /\bat .*\(|select |node:|postgres/i.test(message))).toEqual([])
    expect((await streamed).match(/\d+/g)?.map(Number)).toEqual(Array.from({ length: 400 }, (_, i) => i + 1))
  }, 20_000)

  it('I1, I6: many tabs that command one session at random agree with each other and with the store', async () => {
    const session = randomUUID()
    const tabs = await Promise.all(Array.from({ length: TABS }, () => server.connect(session)))
    const runs: string[] = []
    const drive = async (tab: LiveClient, number: number): Promise<void> => {
      const roll = dice(number + 1)
      for (let turn = 0; turn < COMMANDS_PER_TAB; turn++) {
        const id = `c${number}-${turn}`
        const run = runs.at(-1 - roll(4)) ?? 'none'
        const kind = roll(10)
        if (kind < 5)
          tab.send({
            type: 'message.send',
            id,
            clientMessageId: id,
            content: ['count from 1 to 5', 'calculate 2+2 and 3*7', 'think about rain', 'fail', 'hello'][kind] ?? '',
            policy: roll(3) === 0 ? 'interrupt' : 'enqueue',
          })
        else if (kind < 7) tab.send({ type: 'run.cancel', id, ...(roll(2) === 0 ? { runId: run } : {}) })
        else if (kind < 9) tab.send({ type: 'run.retry', id, runId: run })
        else tab.send({ type: 'session.update', id, title: id })
        const answer = await tab.until(
          (frame): frame is Extract<LiveClient['frames'][number], { type: 'ack' | 'error' }> =>
            'type' in frame && (frame.type === 'ack' || frame.type === 'error') && frame.ref === id,
        )
        if (answer.type === 'ack' && answer.runId !== undefined) runs.push(answer.runId)
      }
    }
    await Promise.all(tabs.map(drive))
    for (const tab of tabs) tab.send({ type: 'run.cancel', id: 'end', all: true })
    await Promise.all(
      tabs.map((tab) =>
        tab.until(
          (frame): frame is Extract<LiveClient['frames'][number], { type: 'session.status' }> =>
            'type' in frame && frame.type === 'session.status' && frame.status !== 'processing' && frame.queued === 0,
        ),
      ),
    )
    await expectSound(database, session)
  }, 20_000)

  it('P-16: refuses session ids that contradict each other within the subprotocols (open)', async () => {
    const protocols = ['parley.v1', `parley.session.${randomUUID()}`, `parley.session.${randomUUID()}`]
    const client = await SocketClient.connect(`ws://127.0.0.1:${server.port}/ws`, { protocols })
    const first: Told = JSON.parse(await client.next())
    expect(first).toMatchObject({ type: 'error', code: 'bad_request' })
  })
})

/** What must hold of a session's rows when nothing is on. */
async function expectSound({ sql }: TestDatabase, session: string): Promise<void> {
  const open = await sql`select id from runs where session_id = ${session} and status in ('running', 'queued')`
  const twice = await sql`
    select position from runs where session_id = ${session} and position is not null group by position having count(*) > 1`
  const ordinals = await sql`
    select run_id from messages where session_id = ${session} group by run_id, index having count(*) > 1`
  const unanswered = await sql`
    select c ->> 'id' as id from messages m, lateral jsonb_array_elements(m.tool_calls) c
    where m.session_id = ${session} and not exists (
      select from messages t
      where t.session_id = m.session_id and t.run_id = m.run_id and t.tool_call_id = c ->> 'id')`
  const status = await sql`select status from sessions where id = ${session} and status = 'processing'`
  expect({ open, twice, ordinals, unanswered, status }).toEqual({
    open: [],
    twice: [],
    ordinals: [],
    unanswered: [],
    status: [],
  })
}

it('I1, I3: keeps a run finished whose end was saved while the store was asked about a doubtful send (open)', async () => {
  const rig = new ChatRig({ settings: { storeGiveUpMs: 1 } })
  const id = randomUUID()
  const client = await rig.ready(id)
  await client.say('m1')
  const stream = await rig.model.request(0)
  // The store goes away: a send is given up, and the run's end waits.
  rig.store.hold()
  client.command({ type: 'message.send', clientMessageId: 'm2', content: 'second' })
  await client.control('error')
  stream.say('whole answer').stop()
  await turns()
  // The send comes again: what the store says of the run is read just before its end arrives there.
  const asked = deferred()
  const load = rig.store.load.bind(rig.store)
  rig.store.load = async (session) => {
    const loaded = await load(session)
    await asked.promise
    return loaded
  }
  client.command({ type: 'message.send', clientMessageId: 'm2', content: 'second' })
  await turns()
  rig.store.release()
  await client.event('RUN_FINISHED')
  asked.resolve()
  await client.control('ack')
  await turns()
  expect(rig.runRows(id)[0]).toMatchObject({ status: 'finished' })
  expect((await rig.stored(id)).filter((row) => row.interrupted === true)).toEqual([])
})
