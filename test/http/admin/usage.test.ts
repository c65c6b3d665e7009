import { randomUUID } from 'node:crypto'
import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../../../src/cli/cli.ts'
import { usageCommand } from '../../../src/cli/usage.ts'
import type { RunRow } from '../../../src/ports/store.ts'
import { FakeTerminal } from '../../cli/fakes.ts'
import { answered, run } from '../../contracts/store-rows.ts'
import { SOON } from '../../contracts/store-subject.ts'
import { SocketClient } from '../../support/socket-client.ts'
import { AdminRig, codeOf, messageOf } from './rig.ts'

let rig: AdminRig
beforeAll(async () => {
  rig = await AdminRig.open()
})
afterAll(() => rig.close())

const USAGE = '/v1/admin/usage'
const DAY = Date.UTC(2026, 3, 30)
const usage = (inputTokens: number, outputTokens: number, cachedInputTokens?: number) => {
  const cached = cachedInputTokens === undefined ? {} : { cachedInputTokens }
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens, ...cached }
}

async function store(account: string, app: string, runs: readonly Partial<RunRow>[]): Promise<void> {
  const write = answered({ app, account })
  const rows = runs.map((over, at) => run(write.sessionId, `u${at}`, { position: at + 1, queuedAt: DAY, ...over }))
  await rig.server.store.commit({ sessionId: write.sessionId, session: write.session, runs: rows }, SOON)
}

async function days(key: string, query = '?from=2026-04-01&to=2026-05-02') {
  const { body } = await rig.ask(key, 'GET', USAGE + query)
  return v.parse(v.object({ days: v.array(v.looseObject({})) }), body).days
}

describe('usage over /v1/admin', () => {
  it('counts runs and tokens by day, account, App and key, of the own account only', async () => {
    await store('acme', 'shop', [
      { keyId: 'k1', usage: [usage(10, 5, 3), usage(1, 1)] },
      { keyId: 'k1', usage: [usage(100, 50)], queuedAt: DAY + 86_399_999 },
      { keyId: 'k1', usage: [usage(7, 7)], queuedAt: DAY + 86_400_000 },
      { keyId: 'k2' },
    ])
    await store('globex', 'bank', [{ usage: [usage(1, 2)] }])
    const key = await rig.admin()
    const shop = { account: 'acme', app: 'shop' }
    const tokens = (inputTokens: number, outputTokens: number, cachedInputTokens = 0) => {
      return { inputTokens, outputTokens, cachedInputTokens }
    }
    expect(await days(key)).toEqual([
      { day: '2026-04-30', ...shop, key: 'k1', runs: 2, ...tokens(111, 56, 3) },
      { day: '2026-04-30', ...shop, key: 'k2', runs: 1, ...tokens(0, 0) },
      { day: '2026-05-01', ...shop, key: 'k1', runs: 1, ...tokens(7, 7) },
    ])
    expect(await days(key, '?from=2026-05-01&to=2026-05-02')).toHaveLength(1)
    expect(await days(key, '?from=2026-04-01&to=2026-05-02&account=globex')).toEqual([])
    expect(await days(key, '?from=2026-04-01&to=2026-05-02&app=bank')).toEqual([])
    const bank = [{ day: '2026-04-30', account: 'globex', app: 'bank', runs: 1, ...tokens(1, 2) }]
    expect(await days(await rig.operator(), '?from=2026-04-01&to=2026-05-02&app=bank')).toEqual(bank)
    expect(await days(await rig.operator())).toHaveLength(4)
  })

  it.each(['?from=2026-05-01&to=2026-04-01', '?from=2026-01-01&to=2026-12-01'])('refuses %s', async (query) => {
    const refused = await rig.ask(await rig.admin(), 'GET', USAGE + query)
    expect([codeOf(refused), messageOf(refused)]).toEqual(['invalid_value', expect.stringContaining('93 days')])
  })

  it.each(['?from=2026-13-01', '?from=yesterday', '?since=2026-01-01'])('reads no %s', async (query) => {
    expect(codeOf(await rig.ask(await rig.admin(), 'GET', USAGE + query))).toBe('bad_request')
  })

  it('is the same on the command line', async () => {
    const terminal = new FakeTerminal()
    const open = async () => ({
      reads: rig.server.store,
      apps: rig.server.store,
      close: async () => void terminal.closed++,
    })
    const run = (...options: string[]) => runCli(['usage', ...options], terminal, { usage: usageCommand(open) })
    await store('initech', 'desk', [{ keyId: 'k9', usage: [usage(4, 2)], queuedAt: Date.now() }])
    expect(await run('--days', '1', '--account', 'initech')).toBe(0)
    expect(terminal.outLines.at(-1)).toMatch(/^\d{4}-\d{2}-\d{2} +initech +desk +k9 +1 +4 +2 +0$/)
    expect(await run('--days', '0')).toBe(2)
    expect(await run('--app', 'nobody')).toBe(0)
    expect(terminal.errLines.slice(-2)).toEqual(['No App nobody is stored', 'Nothing was used'])
  })

  it('knows which key asked for a run, through to the run’s end', async () => {
    const { key, id } = await rig.key({ scopes: ['read', 'write'], label: 'chatter' })
    const session = randomUUID()
    const socket = await SocketClient.connect(`ws://127.0.0.1:${rig.server.port}/ws?app=shop`, {
      headers: { 'x-api-key': key, 'x-session-id': session },
    })
    await socket.next()
    socket.sendJson({ type: 'message.send', clientMessageId: 'm1', content: 'hello' })
    await expect.poll(async () => (await rig.server.store.load(session))?.lastRun?.keyId).toBe(id)
    const today = await days(await rig.admin(), '')
    expect(today).toContainEqual(expect.objectContaining({ app: 'shop', key: id, runs: 1 }))
    socket.terminate()
  })
})
