import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, it } from 'vitest'
import { LiveClient } from '../support/live-server.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { programOf, serveWorld } from '../tools/mcp/rig.ts'

/** Milliseconds for a test that starts processes, one of them with a new data directory. */
const SLOW_MS = 60_000
const TOKEN = 'tok-hunter2-0123456789'

const PROGRAMS = join(tmpdir(), `parley-mcp-${crypto.randomUUID()}.json`)

let server: ParleyProcess | undefined
afterEach(() => server?.dispose(), SLOW_MS)
afterAll(() => rm(PROGRAMS))

async function put(running: ParleyProcess, mcp: readonly object[]): Promise<void> {
  const app = { id: 'default', name: 'Shop', preamble: '', model: { default: 'scripted/demo' }, mcp }
  await writeFile(running.path('app.json'), JSON.stringify(app))
  await running.command('apps', 'put', running.path('app.json'))
}

function open(running: ParleyProcess): Promise<LiveClient> {
  return LiveClient.connect(Number(new URL(running.url).port), crypto.randomUUID())
}

/** All that a client is told of an answer to this. */
async function ask(running: ParleyProcess, question: string): Promise<string> {
  const client = await open(running)
  await client.ask(question)
  await client.leave()
  return JSON.stringify(client.frames)
}

it(
  "I11: an App's MCP servers, at an address and as the operator's program, are called; the log and the client see no secret",
  async () => {
    const world = await serveWorld()
    const { command, args } = programOf()
    await writeFile(PROGRAMS, JSON.stringify({ world: { command, args, inherit: ['MCP_TOKEN'] } }))
    server = await ParleyProcess.start({
      PARLEY_MCP_SERVERS: PROGRAMS,
      PARLEY_TOOL_HOSTS: `127.0.0.1:${world.port}`,
      PARLEY_TOOL_SECRETS: 'MCP_TOKEN',
      MCP_TOKEN: TOKEN,
      LOG_LEVEL: 'debug',
    })
    const running = server
    await put(running, [
      { name: 'web', url: world.url, headers: { Authorization: 'Bearer {secret:MCP_TOKEN}' } },
      { name: 'files', server: 'world', approval: ['say'] },
    ])
    const use = () => ask(running, 'use web_echo {"order": "A 7"}')
    await expect.poll(use, { timeout: 10_000 }).toContain('A 7')
    expect(world.seen.at(-1)?.headers).toMatchObject({ authorization: `Bearer ${TOKEN}` })
    const env = await ask(running, 'use files_env {}')
    expect(env).toContain('[secret]')
    expect(env).not.toContain('PATH')
    expect(await ask(running, 'use files_say {"text": "asked\\n"}')).toContain('interrupt')
    const crashed = await ask(running, 'use files_crash {}')
    expect(crashed).toContain('went away before it had a result')
    expect(crashed + env + running.said.join('\n')).not.toContain('hunter2')
    expect(running.said.join('\n')).toContain('"msg":"mcp server left"')
  },
  SLOW_MS,
)

it(
  'I4: a stop ends a call of an MCP server at once and cancels it there; without its server an answer is given all the same',
  async () => {
    const world = await serveWorld()
    server = await ParleyProcess.start({ PARLEY_TOOL_HOSTS: '127.0.0.1' })
    const running = server
    await put(running, [
      { name: 'away', url: 'http://127.0.0.1:1/mcp' },
      { name: 'web', url: world.url },
    ])
    await expect.poll(() => ask(running, 'use web_echo {"a": 1}'), { timeout: 10_000 }).toContain('meta')
    await expect
      .poll(() => running.said.join('\n'))
      .toMatch(/"server":"away","reason":"unreachable".*mcp server absent/)
    const metrics = await (await fetch(`${running.url}/metrics`)).text()
    expect(metrics).toMatch(/parley_mcp_absent_total\{reason="unreachable"\} [1-9]/)
    expect(metrics).toContain('parley_mcp_connections 1')
    const client = await open(running)
    client.send({ type: 'message.send', clientMessageId: 'm1', content: 'use web_hang {}' })
    await expect.poll(() => world.seen.some(({ body }) => body.includes('"hang"'))).toBe(true)
    client.send({ type: 'run.cancel' })
    await client.end()
    await client.leave()
    await expect.poll(() => world.seen.some(({ body }) => body.includes('notifications/cancelled'))).toBe(true)
  },
  SLOW_MS,
)
