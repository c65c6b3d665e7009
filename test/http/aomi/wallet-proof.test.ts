import { randomUUID } from 'node:crypto'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { AomiClient, snapshotOf } from '../../support/aomi-client.ts'
import { LiveServer } from '../../support/live-server.ts'
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts'
import { TRANSPORTS } from '../../support/transports.ts'

/** Of the page. */
const SITE = 'https://shop.example'
const JSON_BODY = { 'content-type': 'application/json' }
const wallet = () => privateKeyToAccount(generatePrivateKey())
type Account = ReturnType<typeof wallet>

describe.each(TRANSPORTS)('a wallet that its App wants proven, on %s', (transport) => {
  let database: TestDatabase
  let server: LiveServer

  const start = () => LiveServer.start({ transport, database: database.connection, walletList: true, origins: [SITE] })
  const restart = async () => {
    await server.close()
    server = await start()
  }

  beforeAll(async () => {
    database = await createTestDatabase()
    server = await start()
    const model = { default: 'scripted/demo' }
    const definition = { id: 'default', name: 'Shop', preamble: '', model, aomi: { walletProof: true } }
    await server.store.putApp({ id: 'default', definition, updatedAt: 1 })
    await restart()
  })

  afterAll(async () => {
    await server.close()
    await database.drop()
  })

  const post = (client: AomiClient, path: string, body: object, headers = {}) =>
    client.request('POST', path, {}, { ...JSON_BODY, origin: SITE, ...headers }, JSON.stringify(body))
  const challenge = async (client: AomiClient, address: string, chain_id = 1): Promise<string> => {
    const answer = await post(client, '/api/wallet/challenge', { address, chain_id })
    expect(answer.status).toBe(200)
    const { message }: { message: string } = JSON.parse(await answer.text())
    return message
  }
  const bind = (client: AomiClient, message: string, signature: string, headers = {}) =>
    post(client, '/api/wallet/bind', { message, signature }, headers)
  const prove = async (client: AomiClient, account: Account) => {
    const message = await challenge(client, account.address)
    const bound = await bind(client, message, await account.signMessage({ message }))
    expect(bound.status).toBe(200)
  }
  const boundOf = async (client: AomiClient) => (await server.store.load(client.session))?.session.wallet
  const claim = async (client: AomiClient, address: string) => {
    await snapshotOf(client.chat('hello', { user_state: JSON.stringify({ address, chain_id: 1, is_connected: true }) }))
    return boundOf(client)
  }
  const list = async (client: AomiClient, public_key: string, header = true): Promise<string[]> => {
    const url = `http://127.0.0.1:${server.port}/api/sessions?public_key=${public_key}`
    const answer = await fetch(url, { headers: header ? { 'x-session-id': client.session } : {} })
    const sessions: { session_id: string }[] = JSON.parse(await answer.text())
    return sessions.map(({ session_id }) => session_id)
  }

  it('is bound by its signature, and lists its other proven sessions and no others', async () => {
    const account = wallet()
    const [one, two, liar] = [new AomiClient(server), new AomiClient(server), new AomiClient(server)]
    await prove(one, account)
    await prove(two, account)
    expect(await boundOf(one)).toEqual({ address: account.address, chain: '1', proven: true })
    expect(await claim(liar, account.address)).toBeUndefined()
    expect((await list(one, account.address.toLowerCase())).toSorted()).toEqual([one.session, two.session].toSorted())
    expect(await list(liar, account.address)).toEqual([])
    expect(await list(one, account.address, false)).toEqual([])
    expect(await list(one, wallet().address)).toEqual([])
    const socket = await server.connect(one.session)
    const { wallet: told } = await socket.control('session.ready')
    expect(told).toEqual({ address: account.address, chain: '1' })
    await socket.leave()
  })

  it('is not bound by a claim, over any way', async () => {
    const client = new AomiClient(server)
    const { address } = wallet()
    expect(await claim(client, address)).toBeUndefined()
    await snapshotOf(client.chat('hello', { public_key: address }))
    await post(client, '/api/sessions', { public_key: address })
    await client.request('POST', '/api/system', {
      message: JSON.stringify({ type: 'wallet:state_changed', payload: { address, chain_id: 1, is_connected: true } }),
    })
    const socket = await server.connect(client.session)
    socket.send({ type: 'session.update', id: 'u', wallet: { address, chain: '1' } })
    expect(await socket.control('error')).toMatchObject({ ref: 'u', code: 'forbidden' })
    await socket.leave()
    expect(await boundOf(client)).toBeUndefined()
  })

  it('stays bound over chats that claim another, and is unbound by a disconnect', async () => {
    const client = new AomiClient(server)
    const account = wallet()
    await prove(client, account)
    expect((await claim(client, wallet().address))?.address).toBe(account.address)
    await snapshotOf(client.chat('hello', { user_state: '{"is_connected":false}' }))
    expect(await boundOf(client)).toBeUndefined()
  })

  it('a challenge is good once, also for another process', async () => {
    const client = new AomiClient(server)
    const account = wallet()
    const message = await challenge(client, account.address)
    const signature = await account.signMessage({ message })
    const answers = await Promise.all([bind(client, message, signature), bind(client, message, signature)])
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409])
    await restart()
    expect((await bind(new AomiClient(server, client.session), message, signature)).status).toBe(409)
    const next = await challenge(new AomiClient(server, client.session), account.address)
    expect(next).not.toBe(message)
  })

  it('a challenge that was asked for before a restart holds after it', async () => {
    const account = wallet()
    const before = new AomiClient(server)
    const message = await challenge(before, account.address, 8453)
    await restart()
    const client = new AomiClient(server, before.session)
    expect((await bind(client, message, await account.signMessage({ message }))).status).toBe(200)
    expect(await boundOf(client)).toMatchObject({ chain: '8453' })
  })

  it('refuses a signature of another wallet, for another session or site, of another text, and what has expired', async () => {
    const [client, account] = [new AomiClient(server), wallet()]
    const message = await challenge(client, account.address)
    const signature = await account.signMessage({ message })
    const refusals: Promise<Response>[] = [
      bind(client, message, await wallet().signMessage({ message })),
      bind(new AomiClient(server), message, signature),
      bind(client, message, signature, { origin: `http://127.0.0.1:${server.port}` }),
      bind(client, message, `0x${'0'.repeat(130)}`),
      bind(client, message, '0x'),
      bind(client, 'sign me', signature),
    ]
    for (const [from, to] of [
      ['Chain ID: 1', 'Chain ID: 10'],
      [account.address, wallet().address],
      ['costs nothing', 'costs all'],
      ['Nonce: ', 'Nonce: 0'],
      [/Expiration Time: \d{4}/, 'Expiration Time: 2999'],
    ] as const) {
      const changed = message.replace(from, to)
      expect(changed).not.toBe(message)
      refusals.push(bind(client, changed, await account.signMessage({ message: changed })))
    }
    for (const refusal of refusals) expect((await refusal).status).toBe(403)
    const now = Date.now()
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => now + 301_000)
    try {
      expect((await bind(client, message, signature)).status).toBe(403)
    } finally {
      clock.mockRestore()
    }
    expect(await boundOf(client)).toBeUndefined()
    expect((await bind(client, message, signature)).status).toBe(200)
  })

  it('a page of a stranger gets no challenge, and an address that is none neither', async () => {
    const client = new AomiClient(server)
    const body = { address: wallet().address }
    const page = await post(client, '/api/wallet/challenge', body, { origin: 'https://evil.example' })
    expect(page.status).toBe(403)
    for (const address of ['0x12', 'bob', `0x${'g'.repeat(40)}`])
      expect((await post(client, '/api/wallet/challenge', { address })).status).toBe(400)
    expect((await post(new AomiClient(server, randomUUID()), '/api/wallet/bind', { message: 'x' })).status).toBe(400)
  })
})
