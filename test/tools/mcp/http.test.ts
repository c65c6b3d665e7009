import { expect, it, vi } from 'vitest'
import { CONTEXT } from '../run.ts'
import { appOf, type HttpWorld, McpRig, type RigOptions, serveWorld } from './rig.ts'

/** Milliseconds: sockets on a machine with much to do. */
vi.setConfig({ testTimeout: 30_000 })

const TOKEN = 'tok-SECRET-0123456789'
const AUTHORIZED = { Authorization: 'Bearer {secret:TOKEN}' }
/** The world under a name that the operator allows. */
const rigOf = ({ port }: HttpWorld, more: RigOptions = {}) =>
  new McpRig({ names: { 'mcp.test': ['127.0.0.1'] }, hosts: [`mcp.test:${port}`], secrets: { TOKEN }, ...more })
const appAt = ({ port }: HttpWorld, more: Readonly<Record<string, unknown>> = {}) =>
  appOf([{ name: 'web', url: `http://mcp.test:${port}/mcp`, ...more }])

it.each([true, false])(
  'a server at an address is listed and called with its secret, answers as JSON: %s',
  async (json) => {
    const world = await serveWorld({ json })
    const rig = rigOf(world)
    const app = appAt(world, { headers: AUTHORIZED, context: ['user'] })
    const echo = await rig.tool(app, 'web_echo')
    const told = await echo.execute({ a: TOKEN }, { ...CONTEXT, user: 'ann' })
    expect(JSON.parse(told)).toEqual({ args: { a: '[secret]' }, meta: { 'parley/user': 'ann' } })
    expect(await rig.call(app, 'web_big', { bytes: 100_000 })).toHaveLength(100_000)
    expect(await rig.refusal(app, 'web_refuse')).toContain('the path is not right')
    expect(world.seen.every(({ headers }) => headers['authorization'] === `Bearer ${TOKEN}`)).toBe(true)
    expect(rig.connections).toBe(1)
    await rig.mcp.close()
    expect(world.left).toHaveLength(1)
    await expect.poll(world.open).toBe(0)
  },
)

it.each([
  ['loopback that is not named', 'https://127.0.0.1/mcp', 'ADDRESS_NOT_ALLOWED'],
  ['a private address under a public name', 'https://inner.test/mcp', 'ADDRESS_NOT_ALLOWED'],
  ['the metadata of a cloud, also when it is named', 'http://meta.test/mcp', 'ADDRESS_NOT_ALLOWED'],
  ['a host without TLS', 'http://public.test/mcp', 'PLAIN_HTTP_NOT_ALLOWED'],
])('%s is not called', async (_what, url, code) => {
  const names = { 'inner.test': ['10.0.0.1'], 'meta.test': ['169.254.169.254'], 'public.test': ['93.184.215.14'] }
  const rig = new McpRig({ names, hosts: ['meta.test'] })
  expect(await rig.names(appOf([{ name: 'web', url }]))).toEqual([])
  expect(rig.absenceCode).toBe(code)
})

it('a secret that is not set makes no request', async () => {
  const world = await serveWorld()
  const rig = rigOf(world, { secrets: {} })
  expect(await rig.names(appAt(world, { headers: AUTHORIZED }))).toEqual([])
  expect(rig.absenceCode).toBe('SECRET_NOT_SET')
  expect(world.connections()).toBe(0)
})

it.each([307, 308])(
  'a redirect (%i) to a private address is not followed, at the start nor in a call',
  async (status) => {
    const inner = await serveWorld()
    let isTurned = false
    const world = await serveWorld({}, (_request, response) => {
      if (isTurned) response.writeHead(status, { location: `http://inner.test:${inner.port}/mcp` }).end()
      return isTurned
    })
    const rig = rigOf(world, { names: { 'mcp.test': ['127.0.0.1'], 'inner.test': ['127.0.0.1'] } })
    const echo = await rig.tool(appAt(world), 'web_echo')
    isTurned = true
    await expect(echo.execute({}, CONTEXT)).rejects.toMatchObject({ code: 'PLAIN_HTTP_NOT_ALLOWED' })
    expect(await rig.names(appAt(world, { timeoutMs: 1000 }))).toEqual([])
    expect(inner.connections()).toBe(0)
  },
)

it('I11: a redirect to another host takes neither the headers of the App nor the name of the session along', async () => {
  const other = await serveWorld({ json: true })
  const world = await serveWorld({}, (request, response, { body }) => {
    const isCall = body.includes('tools/call')
    if (isCall) response.writeHead(307, { location: `http://other.test:${other.port}${request.url}` }).end()
    return isCall
  })
  const names = { 'mcp.test': ['127.0.0.1'], 'other.test': ['127.0.0.1'] }
  const rig = rigOf(world, { names, hosts: ['mcp.test', 'other.test'] })
  await rig.refusal(appAt(world, { headers: { ...AUTHORIZED, 'X-Own': 'a' } }), 'web_echo')
  expect(other.seen[0]?.body).toContain('tools/call')
  for (const name of ['authorization', 'x-own', 'mcp-session-id'])
    expect(other.seen[0]?.headers).not.toHaveProperty(name)
})

it('a redirect that would lose the message, or a fourth one, is refused', async () => {
  let status = 302
  const world = await serveWorld({}, (_request, response, { body }) => {
    const isCall = body.includes('tools/call')
    if (isCall) response.writeHead(status, { location: '/mcp' }).end()
    return isCall
  })
  const rig = rigOf(world)
  expect(await rig.refusal(appAt(world), 'web_echo')).toContain('loses the message')
  status = 307
  expect(await rig.refusal(appAt(world), 'web_echo')).toContain('redirected more than 3 times')
})

it.each([true, false])(
  'a result of 50 MB is left at the bound, and the connection holds; as JSON: %s',
  async (json) => {
    const world = await serveWorld({ json })
    const rig = rigOf(world)
    const app = appAt(world)
    const said = await rig.refusal(app, 'web_big', { bytes: 50_000_000 })
    expect(said).toBe('The service answered with more than 262144 bytes.')
    expect(await rig.call(app, 'web_echo')).toContain('args')
    expect(world.seen.filter(({ body }) => body.includes('"initialize"'))).toHaveLength(1)
  },
)

it('a call without an answer ends at its deadline, is cancelled, and leaves no socket', async () => {
  const world = await serveWorld()
  const rig = rigOf(world)
  expect(await rig.refusal(appAt(world, { timeoutMs: 300 }), 'web_hang')).toBe(
    'The tool did not answer within 0.3 seconds.',
  )
  await expect.poll(() => world.seen.some(({ body }) => body.includes('notifications/cancelled'))).toBe(true)
  // That of notifications stays.
  await expect.poll(world.open).toBe(1)
})

it('a server may ask something in the middle of a call', async () => {
  const world = await serveWorld()
  expect(await rigOf(world).call(appAt(world), 'web_echo', { ask: true })).toContain('args')
})

it('a call is cancelled when its run is stopped', async () => {
  const world = await serveWorld()
  const rig = rigOf(world)
  const controller = new AbortController()
  const tool = await rig.tool(appAt(world), 'web_hang')
  const call = tool.execute({}, { ...CONTEXT, signal: controller.signal })
  await expect.poll(() => world.seen.some(({ body }) => body.includes('"hang"'))).toBe(true)
  controller.abort(new Error('stopped'))
  await expect(call).rejects.toThrow('stopped')
  await expect.poll(() => world.seen.some(({ body }) => body.includes('notifications/cancelled'))).toBe(true)
  await expect.poll(world.open).toBe(1)
})

it('a server that cuts its answer, before or within it, is told of at once', async () => {
  let how = ''
  const world = await serveWorld({}, (_request, response, { body }) => {
    if (!body.includes('tools/call') || how === '') return false
    if (how === 'refuse') response.socket?.destroy()
    else if (how === 'cut')
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hello\n\n', () => response.destroy())
    else if (how === 'list')
      response.writeHead(200, { 'content-type': 'application/json' }).end(' [{"jsonrpc":"2.0","method":"x"}]')
    else if (how === 'end') response.writeHead(200, { 'content-type': 'text/event-stream' }).end(': hello\n\n')
    else response.writeHead(403, { 'content-type': 'text/plain' }).end(`not for ${TOKEN}`)
    return true
  })
  const rig = rigOf(world)
  const app = appAt(world)
  await rig.call(app, 'web_echo')
  for (how of ['refuse', 'cut']) expect(await rig.refusal(app, 'web_echo')).toContain('broke off')
  how = 'end'
  expect(await rig.refusal(app, 'web_echo')).toContain('without a result')
  how = 'forbid'
  expect(await rig.refusal(app, 'web_echo')).toContain('not for [secret]')
  how = 'list'
  expect(await rig.refusal(app, 'web_echo')).toContain('a list of messages')
  how = ''
  expect(await rig.call(app, 'web_echo')).toContain('args')
})

it('a server that was started anew gets a new session, and the call', async () => {
  const world = await serveWorld()
  const rig = rigOf(world)
  const echo = await rig.tool(appAt(world), 'web_echo')
  world.forget()
  expect(await echo.execute({ a: 1 }, CONTEXT)).toContain('"a":1')
  expect(world.seen.filter(({ body }) => body.includes('"initialize"'))).toHaveLength(2)
})

it('a change of its list is seen by the next run', async () => {
  const world = await serveWorld()
  const rig = rigOf(world)
  expect(await rig.names(appAt(world))).not.toContain('web_grown')
  await rig.call(appAt(world), 'web_grow')
  await expect.poll(() => rig.names(appAt(world))).toContain('web_grown')
})

it('a server that is away, or slow, makes its tools absent in time; others are there', async () => {
  const [slow, world] = [await serveWorld({ delayMs: 6000 }), await serveWorld()]
  const hosts = ['mcp.test', '127.0.0.1']
  const rig = rigOf(world, { hosts })
  const app = appOf([
    { name: 'slow', url: slow.url },
    { name: 'away', url: 'http://127.0.0.1:1/mcp' },
    { name: 'web', url: world.url, tools: ['echo'] },
  ])
  const began = performance.now()
  expect(await rig.names(app)).toEqual(['web_echo'])
  expect(performance.now() - began).toBeLessThan(8000)
  expect(new Set(rig.absent)).toEqual(new Set(['late', 'unreachable']))
  const away = rig.lines.flatMap(({ event, fields }) => (event === 'mcp server absent' ? [fields['server']] : []))
  expect(new Set(away)).toEqual(new Set(['away', 'slow']))
})

it('the wait for tools ends when the run is stopped', async () => {
  const world = await serveWorld({ delayMs: 4000 })
  const rig = rigOf(world)
  const began = performance.now()
  expect(await rig.listed(appAt(world), AbortSignal.timeout(200))).toEqual([])
  expect(performance.now() - began).toBeLessThan(3000)
  expect(rig.absent).toEqual([])
})

it('a flood of notifications is left at its bound, and not listened to again', async () => {
  let streams = 0
  const world = await serveWorld({}, (request, response) => {
    if (request.method !== 'GET') return false
    streams++
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const note = `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })}\nretry: 0\n\n`
    const timer = setInterval(() => response.write(note.repeat(100)), 1)
    response.on('close', () => clearInterval(timer))
    return true
  })
  const rig = rigOf(world)
  await rig.names(appAt(world))
  await expect.poll(() => streams).toBe(1)
  await expect.poll(world.open, { timeout: 10_000 }).toBe(0)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  expect(streams).toBe(1)
  expect(await rig.call(appAt(world), 'web_echo')).toContain('args')
})
