import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHttpTools } from '../../../src/tools/http/http-tool.ts'
import { AomiClient, addKeyedApp } from '../../support/aomi-client.ts'
import { LiveServer } from '../../support/live-server.ts'
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts'
import { TRANSPORTS } from '../../support/transports.ts'
import { json, type Service, serve } from '../../tools/http/service.ts'

const TRANSACTIONS = [{ to: '0xdead', value: '1000', data: '0x', label: 'pay', chain_id: 1 }]
const RESULT = {
  batch_success: true,
  stateful: true,
  from: '0xme',
  network: 'mainnet',
  steps: [{ step: 1, success: true }],
}

describe.each(TRANSPORTS)('a simulation of transactions on %s', (transport) => {
  let database: TestDatabase
  let server: LiveServer

  beforeAll(async () => {
    database = await createTestDatabase()
    server = await LiveServer.start({
      transport,
      database: database.connection,
      httpTool: createHttpTools({ hosts: ['127.0.0.1'], secrets: new Map() }),
    })
  })

  afterAll(async () => {
    await server.close()
    await database.drop()
  })

  const define = async (id: string, service: Service | undefined, simulate: string | undefined, over = {}) => {
    const key = await addKeyedApp(server, id, 'full')
    const parameters = { type: 'object', properties: { transactions: { type: 'array' } }, required: ['transactions'] }
    const url = `http://127.0.0.1:${service?.port ?? 1}/simulate`
    const tool = { name: 'simulate_batch', description: 'Simulates.', parameters, method: 'POST', url, ...over }
    const aomi = simulate === undefined ? {} : { simulate }
    const definition = { id, name: id, preamble: '', model: { default: 'scripted/demo' }, httpTools: [tool], aomi }
    await server.store.putApp({ id, definition, updatedAt: 1 })
    return key
  }
  const ask = (app: string, key: string | undefined, body: object = { transactions: TRANSACTIONS }) =>
    new AomiClient(server).request(
      'POST',
      '/api/simulate',
      { app },
      { 'content-type': 'application/json', ...(key === undefined ? {} : { 'x-api-key': key }) },
      JSON.stringify(body),
    )

  it('is a call of the tool that the App names', async () => {
    const service = await serve(json(RESULT))
    const key = await define(`sim-${transport}`, service, 'simulate_batch')
    const answer = await ask(`sim-${transport}`, key)
    expect([answer.status, await answer.json()]).toEqual([200, { result: RESULT }])
    expect(JSON.parse(service.seen[0]?.body ?? '')).toEqual({ transactions: TRANSACTIONS })
    const wrapped = await serve(json({ result: RESULT }))
    const other = await define(`wrapped-${transport}`, wrapped, 'simulate_batch')
    expect(await (await ask(`wrapped-${transport}`, other)).json()).toEqual({ result: RESULT })
  })

  it('without such a tool says so, and so where a person would have to approve it', async () => {
    const none = await define(`none-${transport}`, undefined, undefined)
    const gone = await define(`gone-${transport}`, undefined, 'other_tool')
    const asks = await define(`asks-${transport}`, undefined, 'simulate_batch', { approval: 'ask' })
    for (const [app, key] of [
      ['none', none],
      ['gone', gone],
      ['asks', asks],
    ] as const) {
      const answer = await ask(`${app}-${transport}`, key)
      expect([answer.status, await answer.json()]).toEqual([
        501,
        { error: expect.stringContaining('simulat'), code: 'not_implemented' },
      ])
    }
  })

  it('that fails says why, and one that is no JSON is none', async () => {
    const down = await serve(json({ error: 'no such chain' }, 422))
    const key = await define(`down-${transport}`, down, 'simulate_batch')
    const failed = await ask(`down-${transport}`, key)
    expect([failed.status, await failed.text()]).toEqual([500, expect.stringContaining('no such chain')])
    const text = await serve((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/plain' }).end('ok'),
    )
    const other = await define(`text-${transport}`, text, 'simulate_batch')
    expect((await ask(`text-${transport}`, other)).status).toBe(500)
  })

  it('needs the key, and a body that is one', async () => {
    const service = await serve(json(RESULT))
    const key = await define(`shut-${transport}`, service, 'simulate_batch')
    expect((await ask(`shut-${transport}`, undefined)).status).toBe(401)
    for (const body of [
      {},
      { transactions: [] },
      { transactions: 'x' },
      { transactions: Array.from({ length: 21 }, () => ({})) },
    ])
      expect((await ask(`shut-${transport}`, key, body)).status).toBe(400)
    expect(service.seen).toEqual([])
  })
})
