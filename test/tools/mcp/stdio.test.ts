import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished, vi } from 'vitest'
import { CONTEXT } from '../run.ts'
import { appOf, McpRig, programOf } from './rig.ts'

/** Milliseconds for tests that start processes, some of them twice. */
const SLOW_MS = 30_000
vi.setConfig({ testTimeout: SLOW_MS })

const FILES = { name: 'files', server: 'world' }
const rigOf = (options: Parameters<typeof programOf>[0] = {}, env: Readonly<Record<string, string>> = {}) =>
  new McpRig({ programs: { world: programOf(options, env) } })
/** Of the process that was started last. */
const pidOf = ({ said }: McpRig) => Number([...said.matchAll(/started (\d+)/g)].at(-1)?.[1])

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

it('a program that the operator named is started, its tools are listed and called, and it leaves with the server', async () => {
  const rig = rigOf()
  const app = appOf([FILES])
  expect(await rig.names(app)).toEqual(expect.arrayContaining(['files_echo', 'files_hang']))
  expect((await rig.tool(app, 'files_echo')).spec).toEqual({
    name: 'files_echo',
    description: 'Does echo.',
    parameters: { type: 'object', properties: {} },
  })
  expect(await rig.call(app, 'files_echo', { a: 1 })).toBe('{"args":{"a":1}}')
  const pid = pidOf(rig)
  expect(isAlive(pid)).toBe(true)
  await rig.mcp.close()
  expect(isAlive(pid)).toBe(false)
})

it('I11: its environment is what the operator names and nothing else', async () => {
  const rig = rigOf({}, { TOKEN: 'tok-hunter2', MODE: 'test' })
  const env: unknown = JSON.parse(await rig.call(appOf([FILES]), 'files_env'))
  expect(env).toEqual({ TOKEN: '[secret]', MODE: 'test' })
})

it('a tenant can name a program that the operator has for it, and no other', async () => {
  const rig = new McpRig({ programs: { world: { ...programOf(), apps: ['bank'] } } })
  expect(await rig.names(appOf([{ name: 'files', server: 'sh' }]))).toEqual([])
  expect(rig.absenceCode).toBe('PROGRAM_NOT_ALLOWED')
  expect(await rig.names(appOf([FILES]))).toEqual([])
  expect(rig.absent).toEqual(['unreachable', 'unreachable'])
  expect(await rig.names(appOf([FILES], { id: 'bank' }))).toContain('files_echo')
})

it('I10: two Apps have a process each', async () => {
  const rig = rigOf()
  await rig.call(appOf([FILES]), 'files_grow')
  expect(await rig.names(appOf([FILES]))).toContain('files_grown')
  expect(await rig.names(appOf([FILES], { id: 'bank' }))).not.toContain('files_grown')
  expect(rig.connections).toBe(2)
})

it('user and wallet are told where the App says so, whatever the model says', async () => {
  const rig = rigOf()
  const wallet = { address: '0xabc', chain: '1' }
  const who = { ...CONTEXT, user: 'ann', wallet }
  const args = { user: 'mallory', _meta: { 'parley/user': 'mallory' } }
  const told = await (await rig.tool(appOf([{ ...FILES, context: ['user', 'wallet'] }]), 'files_echo')).execute(
    args,
    who,
  )
  expect(JSON.parse(told)).toEqual({ args, meta: { 'parley/user': 'ann', 'parley/wallet': wallet } })
  const untold = await (await rig.tool(appOf([FILES]), 'files_echo')).execute({}, who)
  expect(JSON.parse(untold)).toEqual({ args: {} })
})

it('errors of a tool, and of the protocol, are what the model reads', async () => {
  const rig = rigOf()
  expect(await rig.refusal(appOf([FILES]), 'files_fail')).toBe('there is no such file')
  expect(await rig.refusal(appOf([FILES]), 'files_refuse')).toContain('the path is not right')
  // The SDK tells by this code, too, that a connection has ended.
  expect(await rig.refusal(appOf([FILES]), 'files_refuse', { code: -32000 })).toContain('the path is not right')
  expect(await rig.call(appOf([FILES]), 'files_picture')).toBe(
    [
      'Here:',
      '[image, image/png, 6 bytes]',
      '[resource file:///a.txt, text/plain]\ninside',
      '[resource file:///a.bin, 3 bytes]',
      '[resource file:///b.txt: b]',
    ].join('\n'),
  )
})

it('a call without an answer ends at its deadline and is cancelled; the server lives on', async () => {
  const rig = rigOf()
  const app = appOf([{ ...FILES, timeoutMs: 300 }])
  expect(await rig.refusal(app, 'files_hang')).toBe('The tool did not answer within 0.3 seconds.')
  await expect.poll(() => rig.said).toContain('stopped hang')
  const pid = pidOf(rig)
  expect(await rig.call(app, 'files_echo')).toContain('args')
  expect(pidOf(rig)).toBe(pid)
})

it('a call is cancelled when its run is stopped', async () => {
  const rig = rigOf()
  const app = appOf([FILES])
  const tool = await rig.tool(app, 'files_hang')
  const controller = new AbortController()
  const call = tool.execute({}, { ...CONTEXT, signal: controller.signal })
  await rig.call(app, 'files_echo')
  controller.abort(new Error('stopped'))
  await expect(call).rejects.toThrow('stopped')
  await expect.poll(() => rig.said).toContain('stopped hang')
})

it('a process that hangs is ended and started anew', async () => {
  const rig = rigOf()
  const app = appOf([{ ...FILES, timeoutMs: 300 }])
  expect(await rig.refusal(app, 'files_freeze')).toContain('did not answer within 0.3 seconds')
  const pid = pidOf(rig)
  await expect.poll(() => isAlive(pid), { timeout: 15_000 }).toBe(false)
  await expect.poll(() => rig.names(app), { timeout: 10_000, interval: 200 }).toContain('files_echo')
  expect(pidOf(rig)).not.toBe(pid)
})

it('a result of 50 MB is left at the bound; the next call has a new process', async () => {
  const rig = rigOf()
  const app = appOf([FILES])
  const before = process.memoryUsage().rss
  expect(await rig.refusal(app, 'files_big', { bytes: 50_000_000 })).toContain('answered with more than')
  expect(process.memoryUsage().rss - before).toBeLessThan(40_000_000)
  await expect.poll(() => rig.names(app), { timeout: 10_000, interval: 200 }).toContain('files_echo')
  expect(await rig.call(app, 'files_big', { bytes: 200_000 })).toHaveLength(200_000)
})

it('a process that crashes in a call ends all calls at once, and is started again with growing pauses', async () => {
  const rig = rigOf()
  const app = appOf([FILES])
  const hang = rig.refusal(app, 'files_hang')
  await rig.call(app, 'files_echo')
  expect(await rig.refusal(app, 'files_crash')).toContain('went away before it had a result')
  expect(await hang).toContain('went away before it had a result')
  expect(await rig.names(app)).toEqual([])
  expect(rig.absent).toEqual(['backoff'])
  await expect.poll(() => rig.names(app), { timeout: 10_000, interval: 100 }).toContain('files_echo')
  await rig.refusal(app, 'files_crash')
  const pauses = rig.lines.flatMap(({ event, fields }) => (event === 'mcp server left' ? [fields['retryInMs']] : []))
  expect(pauses).toEqual([500, 1000])
})

it('what a program leaves running, with its output open, holds up neither its calls nor the end', async () => {
  const { command, args, env } = programOf()
  const stdio = "{ detached: true, stdio: ['ignore', 'inherit', 'inherit'] }"
  const left = `require('node:child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, 15000)'], ${stdio})`
  const code = `process.stderr.write('left ' + ${left}.pid + '\\n'); import(process.argv[1])`
  const rig = new McpRig({ programs: { world: { command, args: ['-e', code, ...args], env } } })
  onTestFinished(() => {
    for (const [, pid] of rig.said.matchAll(/left (\d+)/g)) process.kill(Number(pid))
  })
  const app = appOf([{ ...FILES, timeoutMs: 3000 }])
  expect(await rig.refusal(app, 'files_crash')).toContain('went away before it had a result')
  await expect.poll(() => rig.names(app), { timeout: 10_000, interval: 200 }).toContain('files_echo')
  const closed = rig.mcp.close().then(() => 'closed')
  expect(await Promise.race([closed, sleep(6000, 'still there')])).toBe('closed')
})

it('a program that is not there, or says nothing that is MCP, makes its tools absent and no more', async () => {
  const programs = {
    gone: { ...programOf(), command: '/nonexistent/program' },
    chatty: { ...programOf(), args: ['-e', 'console.log("hello"); setTimeout(() => process.exit(1), 50)'] },
    world: programOf(),
  }
  const rig = new McpRig({ programs })
  const app = appOf([{ name: 'gone', server: 'gone' }, { name: 'chatty', server: 'chatty' }, FILES])
  const names = await rig.names(app)
  expect(names).toContain('files_echo')
  expect(names.every((name) => name.startsWith('files_'))).toBe(true)
  expect(rig.absent).toEqual(['unreachable', 'unreachable'])
})

it('a change of its list is seen by the next run', async () => {
  const rig = rigOf()
  const app = appOf([FILES])
  expect(await rig.names(app)).not.toContain('files_grown')
  await rig.call(app, 'files_grow')
  expect(await rig.call(app, 'files_grown')).toBe('called grown')
})

it('what it says on its standard error is logged, short, few lines, and without its secrets', async () => {
  const rig = rigOf({}, { TOKEN: 'tok-hunter2' })
  const app = appOf([FILES])
  await rig.call(app, 'files_say', { text: `I have tok-hunter2 and ${'y'.repeat(10_000)}\n${'line\n'.repeat(500)}` })
  await expect.poll(() => rig.lines.length).toBe(20)
  const lines = rig.said.split('\n')
  expect(lines.every((line) => line.length <= 200)).toBe(true)
  expect(rig.said).toContain('I have [secret] and')
  expect(rig.said).not.toContain('hunter2')
})

it('an App that is changed gets a new process once its calls have ended; an idle one is ended', async () => {
  const rig = new McpRig({ programs: { world: programOf() }, settings: { idleMs: 1 } })
  const app = appOf([{ ...FILES, timeoutMs: 1500 }])
  const hang = rig.refusal(app, 'files_hang')
  await rig.call(app, 'files_echo')
  const pid = pidOf(rig)
  rig.mcp.changed('other')
  expect(rig.connections).toBe(1)
  rig.mcp.changed('shop')
  expect(rig.connections).toBe(0)
  expect(isAlive(pid)).toBe(true)
  expect(await hang).toContain('did not answer')
  await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false)
  await rig.names(app)
  const second = pidOf(rig)
  expect(second).not.toBe(pid)
  await expect.poll(() => isAlive(second), { timeout: 15_000 }).toBe(false)
  expect(rig.lines.map(({ event }) => event)).not.toContain('mcp server left')
})

it('there are no more processes than the operator allows: the idle one that was used longest ago makes room', async () => {
  const rig = new McpRig({ programs: { world: programOf() }, settings: { processes: 2 } })
  const app = (id: string) => appOf([FILES], { id })
  const hang = rig.refusal(app('one'), 'files_hang').catch(() => undefined)
  await rig.call(app('one'), 'files_echo')
  await rig.names(app('two'))
  expect(await rig.names(app('three'))).toContain('files_echo')
  expect(rig.connections).toBe(2)
  const busy = rig.refusal(app('three'), 'files_hang').catch(() => undefined)
  await rig.call(app('three'), 'files_echo')
  expect(await rig.names(app('four'))).toEqual([])
  expect(rig.absent).toEqual(['full'])
  await rig.mcp.close()
  await Promise.all([hang, busy])
})

it('a run that waits for its tools while the App is changed gets them', async () => {
  const rig = rigOf({ delayMs: 500 })
  const app = appOf([FILES])
  const waiting = rig.names(app)
  rig.mcp.changed('shop')
  const again = rig.names(app)
  await expect.poll(() => rig.said, { timeout: 10_000 }).toContain('started')
  rig.mcp.changed('shop')
  expect(await waiting).toContain('files_echo')
  expect(await again).toContain('files_echo')
  expect(rig.connections).toBe(0)
})
