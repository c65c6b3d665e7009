import { writeFile } from 'node:fs/promises'
import { afterEach, expect, it } from 'vitest'
import { LiveClient } from '../support/live-server.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { type Service, serve } from '../tools/http/service.ts'

/** Milliseconds for a test that starts processes, one of them with a new data directory. */
const SLOW_MS = 30_000
const TOKEN = 'tok-hunter2-0123456789'

let server: ParleyProcess | undefined
afterEach(() => server?.dispose(), SLOW_MS)

async function put(running: ParleyProcess, { port }: Service): Promise<void> {
  const tool = {
    name: 'order_status',
    description: 'Looks an order up by its number.',
    parameters: { type: 'object', properties: { order: { type: 'string' } }, required: ['order'] },
    method: 'GET',
    url: `http://127.0.0.1:${port}/orders/{order}`,
    headers: { Authorization: 'Bearer {secret:ORDERS_TOKEN}' },
    result: '/order',
  }
  const app = { id: 'default', name: 'Shop', preamble: '', model: { default: 'scripted/demo' }, httpTools: [tool] }
  await writeFile(running.path('app.json'), JSON.stringify(app))
  await running.command('apps', 'put', running.path('app.json'))
}

/** All that a client is told of an answer to this. */
async function ask(running: ParleyProcess, question: string): Promise<string> {
  const client = await LiveClient.connect(Number(new URL(running.url).port), crypto.randomUUID())
  await client.ask(question)
  await client.leave()
  return JSON.stringify(client.frames)
}

const service = () =>
  serve((request, response) => {
    const order = { state: 'sent', told: request.headers.authorization }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ order }))
  })

it(
  "I11: an App's http tool is called with its secret, which nobody is told",
  async () => {
    const shop = await service()
    server = await ParleyProcess.start({
      PARLEY_TOOL_HOSTS: `127.0.0.1:${shop.port}`,
      PARLEY_TOOL_SECRETS: 'ORDERS_TOKEN',
      ORDERS_TOKEN: TOKEN,
      LOG_LEVEL: 'debug',
    })
    await put(server, shop)
    const running = server
    const use = () => ask(running, 'use order_status {"order": "A 7"}')
    await expect.poll(use, { timeout: 5000 }).toContain('sent')
    expect(shop.seen.at(-1)).toMatchObject({ url: '/orders/A%207', headers: { authorization: `Bearer ${TOKEN}` } })
    const said = await use()
    expect(said).toContain('[secret]')
    expect(said + running.said.join('\n')).not.toContain('hunter2')
  },
  SLOW_MS,
)

it(
  'a host that the operator did not name is not called, and the log says why',
  async () => {
    const shop = await service()
    server = await ParleyProcess.start({ PARLEY_TOOL_SECRETS: 'ORDERS_TOKEN', ORDERS_TOKEN: TOKEN })
    await put(server, shop)
    const running = server
    await expect
      .poll(() => ask(running, 'use order_status {"order": "7"}'), { timeout: 5000 })
      .toContain('The tool failed.')
    expect(shop.connections()).toBe(0)
    await expect.poll(() => running.said.join('\n')).toMatch(/"tool":"order_status".*"code":"PLAIN_HTTP_NOT_ALLOWED"/)
    expect(running.said.join('\n')).not.toContain('hunter2')
  },
  SLOW_MS,
)
