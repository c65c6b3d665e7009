import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Audit } from '../../src/admin/audit.ts'
import { runCli } from '../../src/cli/cli.ts'
import { retainCommand } from '../../src/cli/retain.ts'
import { sessionsCommand } from '../../src/cli/sessions.ts'
import { usersCommand } from '../../src/cli/users.ts'
import type { Owner } from '../../src/ports/store.ts'
import { openPostgres, type PostgresStorage } from '../../src/storage/postgres.ts'
import { answered } from '../contracts/store-rows.ts'
import { SOON } from '../contracts/store-subject.ts'
import { Recorder } from '../storage/recorder.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { FakeTerminal } from './fakes.ts'

const DAY = 86_400_000
let database: TestDatabase
let store: PostgresStorage

beforeAll(async () => {
  database = await createTestDatabase()
  store = await openPostgres({ connection: database.connection, telemetry: new Recorder(), visitor: true })
})
afterAll(async () => {
  await store.close()
  await database.drop()
})

/** A command on the test's store, which stays open; `typed` is what the person types. */
async function parley(argv: readonly string[], typed = '') {
  const terminal = new FakeTerminal()
  const close = async () => void terminal.closed++
  const open = async () => ({ apps: store, sessions: store, privacy: store, audit: new Audit(store, DAY), close })
  terminal.input.end(typed)
  const commands = { users: usersCommand(open), sessions: sessionsCommand(open), retain: retainCommand(open) }
  const code = await runCli(argv, terminal, commands)
  return { code, out: terminal.outLines, err: terminal.errLines, screen: terminal.screen, closed: terminal.closed }
}

async function make(
  owner: Owner,
  more: { readonly title?: string; readonly updatedAt?: number } = {},
): Promise<string> {
  const write = answered({ ...owner, updatedAt: Date.now(), ...more })
  await store.commit(write, SOON)
  return write.sessionId
}

/** An App that is stored. */
async function putApp(): Promise<string> {
  const id = randomUUID()
  const definition = { id, name: id, preamble: '', model: { default: 'scripted/demo' } }
  await store.putApp({ id, definition, updatedAt: 1 })
  return id
}

const isThere = async (id: string) => (await store.load(id)) !== undefined

describe('parley users delete', () => {
  const begin = async () => {
    const app = await putApp()
    const owner = { app, account: 'default', user: 'ann' }
    const own = [await make(owner), await make(owner)]
    const others = [
      await make({ ...owner, user: 'bob' }),
      await make({ ...owner, account: 'acme' }),
      await make({ ...owner, app: randomUUID() }),
      await make({ app, account: 'default' }),
    ]
    return { app, own, others }
  }

  it('I10: deletes what the App has of that user of that account, and nothing else', async () => {
    const { app, own, others } = await begin()
    const done = await parley(['users', 'delete', 'ann', '--app', app, '--yes'])
    expect(done).toMatchObject({ code: 0, closed: 1, err: [] })
    expect(done.out).toEqual(['2 sessions of user ann deleted; running servers have dropped them within a second'])
    expect(await Promise.all(own.map(isThere))).toEqual([false, false])
    expect(await Promise.all(others.map(isThere))).toEqual([true, true, true, true])
    const again = await parley(['users', 'delete', 'ann', '--app', app, '--account', 'acme', '--yes'])
    expect(again.out[0]).toMatch(/^1 session of user ann deleted/)
  })

  it('asks first, and does nothing without a yes', async () => {
    const { app, own } = await begin()
    const words = ['users', 'delete', 'ann', '--app', app]
    for (const typed of ['', 'no\n', 'y\n']) {
      const refused = await parley(words, typed)
      expect([refused.code, refused.err[0]]).toEqual([
        2,
        `Delete all sessions of user ann of account default in App ${app}? This cannot be undone. Type yes to go on:`,
      ])
    }
    expect(await Promise.all(own.map(isThere))).toEqual([true, true])
    expect((await parley(words, 'yes\n')).code).toBe(0)
    expect(await Promise.all(own.map(isThere))).toEqual([false, false])
  })
})

describe('parley sessions', () => {
  it('lists the newest first, by account and user, and lets no title speak to the terminal', async () => {
    const app = randomUUID()
    const first = await make(
      { app, account: 'acme', user: 'ann' },
      { title: 'One \u001b[2J\u0007', updatedAt: 1_700_000_000_000 },
    )
    const second = await make({ app, account: 'acme' })
    const listed = await parley(['sessions', 'list', '--app', app])
    expect(listed.out[0]).toMatch(/^ID +ACCOUNT +USER +STATUS +CHANGED +TITLE$/)
    expect(listed.out.slice(1).map((line) => line.slice(0, 36))).toEqual([second, first])
    expect(listed.out[2]).toMatch(/acme +ann +idle +2023-11-14 22:13 +One {2}\[2J$/)
    expect((await parley(['sessions', 'list', '--app', app, '--user', 'ann'])).out).toHaveLength(2)
    const newest = await parley(['sessions', 'list', '--app', app, '--limit', '1'])
    expect(newest.out).toHaveLength(2)
    expect(newest.err.join('\n')).toContain('there may be more')
    expect(await parley(['sessions', 'list', '--app', app, '--account', 'x'])).toMatchObject({ code: 0, out: [] })
  })

  it('lists nothing in words that fit what was asked for', async () => {
    const app = await putApp()
    expect((await parley(['sessions', 'list', '--app', app])).err).toEqual([`App ${app} has no sessions`])
    expect((await parley(['sessions', 'list', '--app', app, '--user', 'ann'])).err).toEqual([
      `App ${app} has no such sessions`,
    ])
  })

  it('are exported by App or by id, as the usage says', async () => {
    const { err } = await parley(['sessions', 'export'])
    expect(err).toContain('  parley sessions export --app APP [--account NAME] [--user USER] > FILE.jsonl')
    expect(err).toContain('  parley sessions export --session ID > FILE.jsonl')
  })

  it('shows one for reading', async () => {
    const id = await make({ app: 'shop', account: 'acme', user: 'ann' }, { title: 'Shoes' })
    const shown = await parley(['sessions', 'show', id])
    expect(shown.out.join('\n')).toMatch(
      /session {2}.*\ntitle {4}Shoes\nof {7}App shop, account acme, user ann\n[^]*run r1: finished[^]*user:\n {2}text r1-0\nassistant:\n {2}text r1-1/,
    )
    expect(await parley(['sessions', 'show', randomUUID()])).toMatchObject({ code: 1, out: [] })
  })

  it('shows no name that a model gave a tool as the terminal would act on', async () => {
    const write = answered({ app: 'shop', updatedAt: Date.now() })
    const [question, answer] = write.messages
    if (question === undefined || answer === undefined) throw new Error('no messages')
    const toolCalls = [{ id: 'c1', name: 'look\u001b[2J', arguments: '{}' }]
    await store.commit({ ...write, messages: [question, { ...answer, toolCalls }] }, SOON)
    expect((await parley(['sessions', 'show', write.sessionId])).out).toContain('  calls look [2J {}')
  })

  it('exports JSON Lines to standard output, and the count to the terminal', async () => {
    const app = await putApp()
    const [own, other] = [await make({ app, account: 'acme', user: 'ann' }), await make({ app })]
    const done = await parley(['sessions', 'export', '--app', app])
    const lines = done.screen
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line))
    expect([done.code, done.err, lines.length]).toEqual([0, ['2 sessions, 2 runs, 4 messages'], 9])
    expect(lines.at(-1)).toEqual({ type: 'end', sessions: 2, runs: 2, messages: 4 })
    const anns = await parley(['sessions', 'export', '--app', app, '--user', 'ann'])
    expect([anns.screen.includes(own), anns.screen.includes(other)]).toEqual([true, false])
    expect((await parley(['sessions', 'export', '--session', other])).screen).toContain(other)
    expect(await parley(['sessions', 'export', '--session', randomUUID()])).toMatchObject({ code: 1, screen: '' })
  })

  it('deletes those that are named', async () => {
    const ids = [await make({ app: 'shop' }), await make({ app: 'shop' })]
    const kept = await make({ app: 'shop' })
    const done = await parley(['sessions', 'delete', ...ids], 'yes\n')
    expect(done).toMatchObject({
      code: 0,
      out: ['2 sessions deleted; running servers have dropped them within a second'],
    })
    expect(await Promise.all([...ids, kept].map(isThere))).toEqual([false, false, true])
    expect(await parley(['sessions', 'delete', ...ids, '--yes'])).toMatchObject({
      code: 1,
      err: [`parley sessions: There is no session ${ids[0]} and 1 more`],
    })
  })
})

describe('parley retain', () => {
  const definition = (id: string, days: number) => ({
    id,
    name: id,
    preamble: '',
    model: { default: 'scripted/demo' },
    retention: { days },
  })
  const begin = async () => {
    const [app, other] = [`shop-${randomUUID()}`, `bank-${randomUUID()}`]
    await store.putApp({ id: app, definition: definition(app, 30), updatedAt: 1 })
    await store.putApp({ id: other, definition: definition(other, 90), updatedAt: 1 })
    const ages = [10, 40, 100]
    const [own, others] = await Promise.all(
      [app, other].map((id) =>
        Promise.all(ages.map((days) => make({ app: id }, { updatedAt: Date.now() - days * DAY }))),
      ),
    )
    const left = async () => [
      await Promise.all((own ?? []).map(isThere)),
      await Promise.all((others ?? []).map(isThere)),
    ]
    return { app, other, left }
  }

  it('counts with --dry-run, and deletes what each App says', async () => {
    const { app, other, left } = await begin()
    const counted = await parley(['retain', '--dry-run'])
    expect(counted.out.find((line) => line.startsWith(app))).toMatch(
      /: 2 sessions untouched since \d{4}-\d\d-\d\d \d\d:\d\d UTC$/,
    )
    expect(counted.out.find((line) => line.startsWith(other))).toMatch(/: 1 session untouched since /)
    expect(await left()).toEqual([
      [true, true, true],
      [true, true, true],
    ])
    expect((await parley(['retain', '--app', app])).out).toEqual([
      expect.stringMatching(/: 2 sessions deleted, untouched since /),
    ])
    expect(await left()).toEqual([
      [true, false, false],
      [true, true, true],
    ])
    expect((await parley(['retain'])).code).toBe(0)
    expect(await left()).toEqual([
      [true, false, false],
      [true, true, false],
    ])
  })

  it('takes other days, after asking, also of an App that is not stored any more', async () => {
    const { app, left } = await begin()
    await store.deleteApp(app)
    expect(await parley(['retain', '--app', app])).toMatchObject({ code: 1, out: [] })
    expect((await parley(['retain', '--app', app, '--days', '0'], 'no\n')).code).toBe(2)
    expect(await left()).toEqual([
      [true, true, true],
      [true, true, true],
    ])
    expect((await parley(['retain', '--app', app, '--days', '0', '--yes'])).code).toBe(0)
    expect(await left()).toEqual([
      [false, false, false],
      [true, true, true],
    ])
  })

  it('waits for no server and no other command that is at it', async () => {
    const { app } = await begin()
    const busy = await store.alone(() => parley(['retain', '--app', app]))
    expect(busy).toMatchObject({
      code: 1,
      err: ['parley retain: A server or another command is applying retention just now; try again later'],
    })
  })
})

describe('an App that is not stored', () => {
  const forms = (app: string) => [
    ['sessions', 'list', '--app', app],
    ['sessions', 'export', '--app', app],
    ['users', 'delete', 'ann', '--app', app, '--yes'],
    ['retain', '--app', app, '--days', '0', '--yes'],
  ]

  it('is noted beside the result, which stays: its sessions may be left', async () => {
    for (const words of forms('nope')) {
      const { code, err } = await parley(words)
      expect([words[0], code, err[0]]).toEqual([words[0], 0, 'No App nope is stored'])
    }
    const app = randomUUID()
    const id = await make({ app })
    const listed = await parley(['sessions', 'list', '--app', app])
    expect([listed.err, listed.out[1]?.slice(0, 36)]).toEqual([[`No App ${app} is stored`], id])
  })

  it('is noted before anything is asked', async () => {
    const { err } = await parley(['users', 'delete', 'ann', '--app', 'nope'], 'no\n')
    expect(err.slice(0, 2)).toEqual([
      'No App nope is stored',
      expect.stringMatching(/^Delete all sessions of user ann /),
    ])
  })

  it('is no news when it is stored, or the default one', async () => {
    for (const app of [await putApp(), 'default'])
      for (const words of forms(app)) expect((await parley(words)).err.join()).not.toContain('is stored')
  })
})

describe('misused', () => {
  it.each([
    ['users'],
    ['users', 'delete', '--app', 'shop'],
    ['users', 'delete', 'ann'],
    ['users', 'delete', 'ann', 'bob', '--app', 'shop'],
    ['sessions'],
    ['sessions', 'list'],
    ['sessions', 'list', '--app', 'shop', '--limit', '0'],
    ['sessions', 'list', '--app', 'shop', '--limit', '10001'],
    ['sessions', 'show'],
    ['sessions', 'show', 'x'],
    ['sessions', 'export'],
    ['sessions', 'export', '--session', 'x'],
    ['sessions', 'delete', 'x', '--yes'],
    ['sessions', 'delete'],
    ['retain', 'shop'],
    ['retain', '--days', '3'],
    ['retain', '--app', 'shop', '--days', 'x'],
    ['retain', '--app', 'shop', '--days', '36501'],
  ])('as %j %j %j %j %j %j, a command exits with 2 and shows the usage', async (...words) => {
    const misused = await parley(words.filter((word) => word !== undefined))
    expect(misused.code).toBe(2)
    expect(misused.err.join('\n')).toContain(`  parley ${words[0]} `)
  })
})
