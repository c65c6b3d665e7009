import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { offerProtocols } from '../../../src/protocol/handshake.ts'
import { AomiClient, type AomiSnapshot, addKeyedApp, linesOf, snapshotOf } from '../../support/aomi-client.ts'
import { LiveServer } from '../../support/live-server.ts'
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts'
import { SocketClient } from '../../support/socket-client.ts'
import { TRANSPORTS } from '../../support/transports.ts'

const TO = `0x${'a'.repeat(40)}`
const TYPED_DATA = { types: { Mail: [] }, primaryType: 'Mail', domain: { name: 'Shop' }, message: { text: 'hi' } }
const PAY = { to: TO, value: '1000', chain_id: 1, label: 'pay' }

describe.each(TRANSPORTS)('what an App asks a wallet for, on %s', (transport) => {
  const app = `wallet-${transport}`
  let database: TestDatabase
  let server: LiveServer
  let key: string

  beforeAll(async () => {
    database = await createTestDatabase()
    server = await LiveServer.start({ transport, database: database.connection })
    key = await addKeyedApp(server, app, 'full', {}, [
      { type: 'client', name: 'send_transaction', description: 'Asks the person to send.', wallet: 'transaction' },
      { type: 'client', name: 'sign', description: 'Asks the person to sign.', wallet: 'eip712' },
    ])
  })

  afterAll(async () => {
    await server.close()
    await database.drop()
  })

  const open = (session?: string) => new AomiClient(server, session, key)
  const ask = (client: AomiClient, tool: string, args: object) =>
    snapshotOf(client.chat(`use ${tool} ${JSON.stringify(args)}`, { app }))
  const tell = (client: AomiClient, type: string, payload: object) =>
    client.request('POST', '/api/system', { message: JSON.stringify({ type, payload }) })
  const requestsOf = ({ system_events }: AomiSnapshot) => system_events.flatMap((event) => event['InlineCall'] ?? [])
  const numbersOf = ({ user_state }: AomiSnapshot) =>
    ['pending_txs', 'pending_eip712s'].flatMap((name) => Object.keys(Object(user_state[name]))).map(Number)

  it('a transaction is asked for in the snapshot, and what the wallet gave lets the answer go on', async () => {
    const client = open()
    const asked = await ask(client, 'send_transaction', PAY)
    const [id = 0] = numbersOf(asked)
    expect(asked.is_processing).toBe(false)
    expect(requestsOf(asked)).toEqual([
      { type: 'wallet_tx_request', payload: { tx_ids: [id], aa_preference: 'auto', ...PAY, data: '0x' } },
    ])
    expect(asked.user_state).toMatchObject({ pending_txs: { [id]: { ...PAY, data: '0x' } }, next_id: id + 1 })
    const done = { status: 'success', txHash: '0xfeed', pending_tx_ids: [id], batched: false, secret: 'x' }
    expect((await tell(client, 'wallet:tx_complete', done)).status).toBe(200)
    const after = await client.done()
    expect(after.user_state).toMatchObject({ pending_txs: {}, next_id: 1 })
    expect(requestsOf(after)).toEqual([])
    const result = linesOf(after).find((line) => line.startsWith('send_transaction = '))
    expect(result).toContain('0xfeed')
    expect(result).not.toContain('secret')
    expect(linesOf(after).at(-1)).toMatch(/^agent: .*0xfeed/)
  })

  it('several transactions of one call are one request and one answer', async () => {
    const client = open()
    const asked = await ask(client, 'send_transaction', { transactions: [PAY, { ...PAY, value: 2 }] })
    const ids = numbersOf(asked)
    expect(requestsOf(asked)).toEqual([{ type: 'wallet_tx_request', payload: { tx_ids: ids, aa_preference: 'auto' } }])
    expect(ids).toHaveLength(2)
    await tell(client, 'wallet:tx_complete', { status: 'success', txHash: '0xba7c4', pending_tx_ids: ids })
    expect(linesOf(await client.done()).filter((line) => line.startsWith('send_transaction'))).toHaveLength(1)
  })

  it('typed data is asked for, and a refusal is an answer, too', async () => {
    const client = open()
    const asked = await ask(client, 'sign', { typed_data: TYPED_DATA, description: 'mail' })
    const [id = 0] = numbersOf(asked)
    expect(requestsOf(asked)).toEqual([
      {
        type: 'wallet_eip712_request',
        payload: { typed_data: TYPED_DATA, description: 'mail', pending_eip712_id: id },
      },
    ])
    await tell(client, 'wallet_eip712_response', { status: 'failed', error: 'User rejected', pending_eip712_id: id })
    expect(linesOf(await client.done()).at(-1)).toMatch(/^agent: The tool sign could not do that: .*User rejected/)
  })

  it('a signature that names no request is the only one’s', async () => {
    const client = open()
    await ask(client, 'sign', { typed_data: TYPED_DATA, description: 'mail' })
    await tell(client, 'wallet_eip712_response', { status: 'success', signature: '0x1', description: 'another' })
    expect(numbersOf(await snapshotOf(client.state()))).toHaveLength(1)
    await tell(client, 'wallet_eip712_response', { status: 'success', signature: '0x51', description: 'mail' })
    expect(linesOf(await client.done()).at(-1)).toContain('0x51')
  })

  it.each([
    ['send_transaction', { to: 'bob' }],
    ['send_transaction', { transactions: [] }],
    ['send_transaction', { to: TO, data: '0x0' }],
    ['send_transaction', { to: TO, value: '-1' }],
    ['send_transaction', { transactions: Array.from({ length: 11 }, () => ({ to: TO })) }],
    ['sign', { typed_data: 'x' }],
  ])('the model is told at once of what no wallet could show: %s %j', async (tool, args) => {
    const client = open()
    expect(requestsOf(await ask(client, tool, args))).toEqual([])
    expect(linesOf(await client.done()).at(-1)).toContain('A wallet cannot show this')
  })

  it('each client is told once; a late poll’s copy raises nothing, and a page that was loaded anew is told again', async () => {
    const session = randomUUID()
    const [one, two] = [open(session), open(session)]
    const asked = await ask(one, 'send_transaction', PAY)
    const copy = JSON.stringify(asked.user_state)
    expect(requestsOf(asked)).toHaveLength(1)
    expect(requestsOf(await snapshotOf(one.state({ user_state: copy })))).toEqual([])
    expect(requestsOf(await snapshotOf(two.state()))).toHaveLength(1)
    expect(requestsOf(await snapshotOf(two.state()))).toEqual([])
    // A poll that was under way when it was told, then one of a page that knows of nothing.
    expect(requestsOf(await snapshotOf(one.state({ user_state: '{}' })))).toEqual([])
    const now = Date.now()
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => now + 6000)
    try {
      expect(requestsOf(await snapshotOf(one.state({ user_state: copy })))).toEqual([])
      expect(requestsOf(await snapshotOf(one.state({ user_state: '{}' })))).toHaveLength(1)
      expect(requestsOf(await snapshotOf(one.state({ user_state: '{}' })))).toEqual([])
    } finally {
      clock.mockRestore()
    }
    const ids = numbersOf(asked)
    await tell(two, 'wallet:tx_complete', { status: 'success', txHash: '0x1', pending_tx_ids: ids })
    await one.done()
    const late = await snapshotOf(one.state({ user_state: copy }))
    expect([numbersOf(late), requestsOf(late)]).toEqual([[], []])
  })

  it('of answers that come twice or at once the first counts', async () => {
    const session = randomUUID()
    const [one, two] = [open(session), open(session)]
    const ids = numbersOf(await ask(one, 'send_transaction', PAY))
    const done = (txHash: string) => ({ status: 'success', txHash, pending_tx_ids: ids })
    const answers = await Promise.all([
      tell(one, 'wallet:tx_complete', done('0xaa')),
      tell(two, 'wallet:tx_complete', done('0xbb')),
    ])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    await tell(one, 'wallet:tx_complete', done('0xcc'))
    const lines = linesOf(await one.done())
    expect(lines.filter((line) => line.startsWith('send_transaction = '))).toHaveLength(1)
    expect(lines.join('\n')).not.toContain('0xcc')
    expect(lines).toHaveLength(4)
  })

  it('an answer to another process, which has not heard of the request yet, is one', async () => {
    const other = await LiveServer.start({ transport, database: database.connection })
    const client = open()
    const late = new AomiClient(other, client.session, key)
    await snapshotOf(client.chat('hello', { app }))
    await snapshotOf(late.state())
    const load = other.store.load.bind(other.store)
    const slow = vi.spyOn(other.store, 'load').mockImplementation(async (id) => {
      await new Promise((resolve) => setTimeout(resolve, 300))
      return load(id)
    })
    const [id = 0] = numbersOf(await ask(client, 'send_transaction', PAY))
    await tell(late, 'wallet:tx_complete', { status: 'success', txHash: '0xfeed', pending_tx_ids: [id] })
    slow.mockRestore()
    await expect
      .poll(async () => linesOf(await snapshotOf(client.state())).join(), { timeout: 5000 })
      .toContain('0xfeed')
    await other.close()
  }, 20_000)

  it('a number is never used again: an answer to what was declined touches nothing later', async () => {
    const client = open()
    const stale = numbersOf(await ask(client, 'send_transaction', PAY))
    const next = await ask(client, 'send_transaction', PAY)
    expect(numbersOf(next)).toHaveLength(1)
    expect(numbersOf(next)).not.toEqual(stale)
    expect(linesOf(next).join('\n')).toContain('Declined by a new message')
    await tell(client, 'wallet:tx_complete', { status: 'success', txHash: '0x1', pending_tx_ids: stale })
    await tell(client, 'wallet:tx_complete', { status: 'success', txHash: '0x1' })
    await tell(client, 'wallet:tx_complete', { pending_tx_ids: ['x'] })
    expect(numbersOf(await snapshotOf(client.state()))).toEqual(numbersOf(next))
  })

  it('over the WebSocket the same call is answered by tool.result, and the poll sees it', async () => {
    const client = open()
    await ask(client, 'send_transaction', PAY)
    const socket = await SocketClient.connect(`ws://127.0.0.1:${server.port}/ws?app=${app}`, {
      protocols: offerProtocols(client.session),
      headers: { 'x-api-key': key },
    })
    const ready: { pending?: { toolCallId: string; kind: string }[] } = JSON.parse(await socket.next())
    expect(ready.pending).toEqual([expect.objectContaining({ toolName: 'send_transaction', kind: 'client' })])
    const toolCallId = ready.pending?.[0]?.toolCallId
    socket.sendJson({ type: 'tool.result', toolCallId, content: '{"txHash":"0x50c"}' })
    await socket.until((frame) => frame.includes('RUN_FINISHED'))
    const after = await client.done()
    expect(numbersOf(after)).toEqual([])
    expect(linesOf(after).at(-1)).toContain('0x50c')
    socket.terminate()
  })

  it('after a restart it still waits, under the same number', async () => {
    const client = open()
    const ids = numbersOf(await ask(client, 'send_transaction', PAY))
    await server.close()
    server = await LiveServer.start({ transport, database: database.connection })
    const again = open(client.session)
    const asked = await snapshotOf(again.state())
    expect([numbersOf(asked), requestsOf(asked).length]).toEqual([ids, 1])
    await tell(again, 'wallet:tx_complete', { status: 'success', txHash: '0x1', pending_tx_ids: ids })
    expect(numbersOf(await again.done())).toEqual([])
  })

  it('clients of the nested form hold it where they look for it', async () => {
    const client = open()
    const ids = numbersOf(await ask(client, 'send_transaction', PAY))
    const nested = JSON.stringify({ evm: {}, pending: { evm_txs: {}, evm_sigs: {}, svm_ixs: {} } })
    const { user_state } = await snapshotOf(client.state({ user_state: nested }))
    expect(user_state['pending']).toMatchObject({ evm_txs: { [ids[0] ?? 0]: PAY }, evm_sigs: {}, svm_ixs: {} })
  })

  it('a stranger’s answer is none', async () => {
    const client = open()
    const ids = numbersOf(await ask(client, 'send_transaction', PAY))
    const other = open()
    await tell(other, 'wallet:tx_complete', { status: 'success', txHash: '0x1', pending_tx_ids: ids })
    expect(numbersOf(await snapshotOf(client.state()))).toEqual(ids)
  })
})
