import { describe, expect, it } from 'vitest'
import { parseKey, provesPublishable, provesSecret } from '../../src/access/keys.ts'
import type { KeyRow } from '../../src/ports/keys.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import { actsOf } from './fake-acts.ts'
import { FakeTerminal } from './fakes.ts'

const SHOP = { id: 'shop', name: 'Shop', preamble: 'Sell.', model: { default: 'scripted/demo' } }

function open(): FakeTerminal {
  const terminal = new FakeTerminal()
  for (const id of ['shop', 'bank']) terminal.store.apps.set(id, { id, definition: { ...SHOP, id }, updatedAt: 0 })
  return terminal
}

function onlyKey(terminal: FakeTerminal): KeyRow {
  const [row] = terminal.store.keys.values()
  if (row === undefined || terminal.store.keys.size !== 1) throw new Error('not one key')
  return row
}

async function create(terminal: FakeTerminal, ...options: string[]): Promise<KeyRow> {
  expect(await terminal.run('keys', 'create', ...options)).toBe(0)
  return onlyKey(terminal)
}

describe('the command line', () => {
  it('without a command, with an unknown one or with unknown options exits with 2 and shows the usage', async () => {
    for (const argv of [[], ['fly'], ['constructor'], ['keys', 'fly'], ['keys', 'list', '--fly'], ['apps', 'show']]) {
      const terminal = open()
      expect(await terminal.run(...argv)).toBe(2)
      expect(terminal.errLines.join('\n')).toContain('parley ')
      expect(terminal.outLines).toEqual([])
    }
  })

  it('asked for help gives it on standard output', async () => {
    for (const argv of [['help'], ['--help'], ['keys', '--help']]) {
      const terminal = open()
      expect(await terminal.run(...argv)).toBe(0)
      expect(terminal.outLines.join('\n')).toContain('keys create')
      expect(terminal.outLines.join('\n')).not.toContain('parley  ')
    }
  })

  it('that fails exits with 1, says so in one line and has closed the store', async () => {
    const terminal = open()
    terminal.store.down = true
    expect(await terminal.run('keys', 'list')).toBe(1)
    expect(terminal.errLines).toEqual(['parley keys: The server cannot save right now'])
    expect(terminal.closed).toBe(1)
  })

  it('I11: repeats no password and no key of a fault', async () => {
    const terminal = open()
    terminal.store.listKeys = async () => {
      throw new ParleyError('internal_error', { message: 'postgres://me:hunter2@db\nsk_live_abcdefgh_1234 is bad' })
    }
    expect(await terminal.run('keys', 'list')).toBe(1)
    expect(terminal.errLines).toEqual(['parley keys: postgres:[secret]db; [secret] is bad'])
  })
})

describe('parley apps', () => {
  it('puts a definition, shows it, lists it and deletes it', async () => {
    const terminal = open()
    terminal.input.end(JSON.stringify({ ...SHOP, id: 'cafe', name: 'Café' }))
    expect(await terminal.run('apps', 'put', '-')).toBe(0)
    expect(await terminal.run('apps', 'show', 'cafe')).toBe(0)
    expect(JSON.parse(terminal.outLines.at(-1) ?? '')).toMatchObject({ id: 'cafe', name: 'Café' })
    expect(await terminal.run('apps', 'list')).toBe(0)
    expect(terminal.outLines.at(-1)).toMatch(/^cafe +Café +scripted\/demo +default +\d{4}-/)
    expect(await terminal.run('apps', 'delete', 'cafe')).toBe(0)
    expect(terminal.store.apps.has('cafe')).toBe(false)
  })

  it('lists what an account named it without what a terminal would act on, and beside one that cannot be read', async () => {
    const terminal = open()
    terminal.store.apps.set('evil', {
      id: 'evil',
      definition: { ...SHOP, name: 'A\u001b]0;B\u0007\u009bC' },
      updatedAt: 0,
    })
    terminal.store.apps.set('old', { id: 'old', definition: { name: 'Old' }, updatedAt: 0 })
    expect(await terminal.run('apps', 'list')).toBe(0)
    const lines = terminal.outLines.join('\n')
    expect(lines).toMatch(/^evil +A \]0;B {2}C +scripted/m)
    expect(lines).toMatch(/^old +\(cannot be read\) +- /m)
    expect(lines).toMatch(/^shop +Shop +scripted/m)
    expect(await terminal.run('apps', 'show', 'evil')).toBe(0)
    const shown = terminal.outLines.at(-1) ?? ''
    expect(shown).not.toMatch(/[^\P{Cc}\n]/u)
    expect(JSON.parse(shown)).toMatchObject({ name: 'A\u001b]0;B\u0007\u009bC' })
  })

  it('refuses a bad definition with the place of the fault, and stores nothing', async () => {
    for (const [text, message] of [
      ['{', 'standard input is not JSON: line 1, column 2'],
      [JSON.stringify({ ...SHOP, id: 'new', colour: 'red' }), 'colour: unknown field'],
    ] as const) {
      const terminal = open()
      terminal.input.end(text)
      expect(await terminal.run('apps', 'put', '-')).toBe(1)
      expect(terminal.errLines).toEqual([`parley apps: ${message}`])
      expect([...terminal.store.apps.keys()]).toEqual(['shop', 'bank'])
    }
  })

  it('says which file or App is not there', async () => {
    for (const [words, message] of [
      [['put', '/nowhere.json'], '/nowhere.json'],
      [['show', 'cafe'], 'cafe'],
      [['delete', 'cafe'], 'cafe'],
    ] as const) {
      const terminal = open()
      expect(await terminal.run('apps', ...words)).toBe(1)
      expect(terminal.errLines[0]).toContain(message)
    }
  })
})

describe('parley keys create', () => {
  it('names the Apps that are not stored', async () => {
    for (const [apps, which] of [
      ['shop,nope', 'App nope is'],
      ['nope,shop,nada', 'Apps nope, nada are'],
    ] as const) {
      const terminal = open()
      expect(await terminal.run('keys', 'create', '--app', apps)).toBe(1)
      expect(terminal.errLines).toEqual([`parley keys: ${which} not stored; parley apps put FILE stores one`])
      expect(terminal.store.keys.size).toBe(0)
    }
  })

  it('prints the key once, alone on standard output, and stores only its hash', async () => {
    const terminal = open()
    const row = await create(terminal, '--app', 'shop,bank', '--app', 'shop', '--label', 'front door')
    expect(terminal.outLines).toHaveLength(1)
    const key = parseKey(terminal.outLines[0] ?? '')
    expect(key).toMatchObject({ kind: 'secret', id: row.id })
    expect(row).toMatchObject({ account: 'default', kind: 'secret', apps: ['shop', 'bank'], label: 'front door' })
    expect(row).toMatchObject({ scopes: ['read', 'write', 'delete'], origins: [] })
    expect(row.expiresAt).toBeUndefined()
    expect(await provesSecret(row.hash, key?.secret ?? '')).toBe(true)
    expect(JSON.stringify(row)).not.toContain(key?.secret)
    expect(terminal.errLines.join()).toContain('shown once')
    expect(terminal.errLines.join()).not.toContain(key?.secret)
  })

  it('makes a publishable key for named sites', async () => {
    const terminal = open()
    const sites = ['--origin', 'https://a.example', '--origin', 'http://localhost:3000']
    const row = await create(terminal, '--app', 'shop', '--kind', 'publishable', ...sites)
    expect(row).toMatchObject({ kind: 'publishable', origins: ['https://a.example', 'http://localhost:3000'] })
    expect(provesPublishable(row.hash, parseKey(terminal.outLines[0] ?? '')?.secret ?? '')).toBe(true)
  })

  it('takes scopes, a lifetime and an account', async () => {
    const terminal = open()
    const before = Date.now()
    const row = await create(
      terminal,
      '--app',
      'shop',
      '--scope',
      'write,read',
      '--expires',
      '90d',
      '--account',
      'acme',
    )
    expect(row).toMatchObject({ account: 'acme', scopes: ['read', 'write'] })
    expect(row.expiresAt).toBeGreaterThanOrEqual(before + 90 * 86_400_000)
    expect(row.expiresAt).toBeLessThanOrEqual(Date.now() + 90 * 86_400_000)
  })

  it('takes addresses and networks, v4-mapped ones as what they are', async () => {
    const terminal = open()
    const ips = ['--ip', '203.0.113.7,10.1.2.3/8', '--ip', '::ffff:198.51.100.0/120', '--ip', '2001:DB8::1/32']
    const row = await create(terminal, '--app', 'shop', '--scopes', 'read', ...ips)
    expect(row.addresses).toEqual(['203.0.113.7/32', '10.0.0.0/8', '198.51.100.0/24', '2001:db8::/32'])
    expect(row.scopes).toEqual(['read'])
  })

  it.each([
    ['an address of three parts', ['--app', 'shop', '--ip', '10.1.2']],
    ['an address that is a number', ['--app', 'shop', '--ip', '0x7f000001']],
    ['a network that is too narrow', ['--app', 'shop', '--ip', '10.0.0.0/33']],
    ['a name', ['--app', 'shop', '--ip', 'office.example']],
    ['an address with a zone', ['--app', 'shop', '--ip', 'fe80::1%eth0']],
    ['no App', []],
    ['a bad App', ['--app', 'No App']],
    ['another kind', ['--app', 'shop', '--kind', 'public']],
    ['a publishable key for no site', ['--app', 'shop', '--kind', 'publishable']],
    ['a publishable key for every site', ['--app', 'shop', '--kind', 'publishable', '--origin', '*']],
    ['sites by a wildcard', ['--app', 'shop', '--kind', 'publishable', '--origin', 'https://*.a.example']],
    ['a site that is no origin', ['--app', 'shop', '--kind', 'publishable', '--origin', 'https://a.example/shop']],
    [
      'a publishable key that administers',
      ['--app', 'shop', '--kind', 'publishable', '--origin', 'https://a.example', '--scope', 'admin'],
    ],
    ['a secret key for a site', ['--app', 'shop', '--origin', 'https://a.example']],
    ['another scope', ['--app', 'shop', '--scope', 'fly']],
    ['a lifetime without a unit', ['--app', 'shop', '--expires', '90']],
    ['a lifetime of nothing', ['--app', 'shop', '--expires', '0d']],
    ['a label of several lines', ['--app', 'shop', '--label', 'a\nb']],
  ])('refuses %s before it makes anything', async (_what, options) => {
    const terminal = open()
    expect(await terminal.run('keys', 'create', ...options)).toBe(2)
    expect(terminal.outLines).toEqual([])
    expect(terminal.store.asked).toEqual([])
  })

  it('prints no key when its App does not exist', async () => {
    const terminal = open()
    expect(await terminal.run('keys', 'create', '--app', 'cafe')).toBe(1)
    expect(terminal.outLines).toEqual([])
    expect(terminal.errLines[0]).toContain('apps put')
  })
})

describe('parley keys list and revoke', () => {
  it('show the state of each key and never its hash', async () => {
    const terminal = open()
    const row = await create(terminal, '--app', 'shop', '--label', 'door')
    terminal.store.keys.set('old', { ...row, id: 'old', expiresAt: 1, label: 'window' })
    expect(await terminal.run('keys', 'revoke', row.id)).toBe(0)
    expect(await terminal.run('keys', 'list')).toBe(0)
    const text = terminal.outLines.slice(2).join('\n')
    expect(text).toMatch(new RegExp(`${row.id} +secret +revoked +shop`))
    expect(text).toMatch(/old +secret +expired/)
    expect(text).not.toContain(row.hash)
    expect(text).not.toContain('argon2')
  })

  it('take a whole key for its id, and say when there is none', async () => {
    const terminal = open()
    const row = await create(terminal, '--app', 'shop')
    expect(await terminal.run('keys', 'revoke', ` ${terminal.outLines[0]}`)).toBe(0)
    expect(onlyKey(terminal).revokedAt).toBeTypeOf('number')
    expect(terminal.outLines.at(-1)).toContain(row.id)
    expect(await terminal.run('keys', 'revoke', 'nobody')).toBe(1)
    expect(await terminal.run('keys', 'revoke')).toBe(2)
  })
})

describe('parley keys rotate', () => {
  const DAY = 86_400_000

  it('makes a key with all that the old one may, which expires after the overlap', async () => {
    const terminal = open()
    const options = ['--scopes', 'read', '--ip', '203.0.113.7', '--label', 'door', '--expires', '30d']
    const old = await create(terminal, '--app', 'shop', ...options)
    const before = Date.now()
    expect(await terminal.run('keys', 'rotate', terminal.outLines[0] ?? '', '--overlap', '2h')).toBe(0)
    const key = parseKey(terminal.outLines[1] ?? '')
    const row = terminal.store.keys.get(key?.id ?? '')
    expect(await provesSecret(row?.hash ?? '', key?.secret ?? '')).toBe(true)
    expect(row).toMatchObject({ apps: ['shop'], scopes: ['read'], addresses: ['203.0.113.7/32'], label: 'door' })
    expect(row?.expiresAt).toBeGreaterThanOrEqual(before + 30 * DAY)
    const until = terminal.store.keys.get(old.id)?.expiresAt ?? 0
    expect(until - before).toBeGreaterThanOrEqual(2 * 3_600_000)
    expect(until - before).toBeLessThan(2 * 3_600_000 + 60_000)
    expect(terminal.errLines.at(-1)).toContain(old.id)
    expect(terminal.errLines.join()).not.toContain(key?.secret)
  })

  it('gives a day of overlap and no expiry of its own unless told', async () => {
    const terminal = open()
    const old = await create(terminal, '--app', 'shop')
    expect(await terminal.run('keys', 'rotate', old.id)).toBe(0)
    const rows = [...terminal.store.keys.values()]
    expect(rows.map(({ expiresAt }) => expiresAt === undefined)).toEqual([false, true])
    expect((rows[0]?.expiresAt ?? 0) - Date.now()).toBeGreaterThan(DAY - 60_000)
  })

  it.each(['--overlap', '--expires'])(
    'refuses a time in %s that no calendar has, and leaves the key as it was',
    async (name) => {
      const terminal = open()
      const old = await create(terminal, '--app', 'shop')
      expect(await terminal.run('keys', 'rotate', old.id, name, '99999999d')).toBe(1)
      expect(terminal.errLines.at(-1)).toContain('ten years at most')
      expect(onlyKey(terminal)).toEqual(old)
    },
  )

  it('refuses a key that is not there, or revoked, and prints none', async () => {
    const terminal = open()
    const old = await create(terminal, '--app', 'shop')
    expect(await terminal.run('keys', 'rotate', 'nobody')).toBe(1)
    expect(await terminal.run('keys', 'revoke', old.id)).toBe(0)
    const printed = terminal.outLines.length
    expect(await terminal.run('keys', 'rotate', old.id)).toBe(1)
    expect(await terminal.run('keys', 'rotate', old.id, '--overlap', '24')).toBe(2)
    expect(terminal.outLines).toHaveLength(printed)
  })
})

describe('parley accounts', () => {
  const PLANS = '{"gold": {"perHour": 9, "perMinute": 3}}'

  it('lists accounts with their plans, and says which one holds', async () => {
    const terminal = open()
    terminal.store.plans.set('acme', 'pro').set('plain', undefined).set('odd', 'gone')
    terminal.env['PARLEY_DEFAULT_PLAN'] = 'free'
    expect(await terminal.run('accounts', 'list')).toBe(0)
    const rows = terminal.outLines.slice(1).map((line) => line.split(/ {2,}/).slice(0, 4))
    expect(rows).toEqual([
      ['acme', 'pro', '0', '1'],
      ['plain', 'free (default)', '0', '1'],
      ['odd', 'gone (not in PARLEY_PLANS: free)', '0', '1'],
    ])
  })

  it('gives an account a plan and takes it away; none and default are words of their own', async () => {
    const terminal = open()
    terminal.store.plans.set('acme', undefined)
    for (const [plan, held] of [
      ['pro', 'pro'],
      ['none', 'none'],
      ['default', undefined],
    ] as const) {
      expect(await terminal.run('accounts', 'set', 'acme', '--plan', plan)).toBe(0)
      expect(terminal.store.plans.get('acme')).toBe(held)
    }
    expect(actsOf(terminal.store).map(({ actor, act, target, outcome }) => [actor, act, target, outcome])).toEqual(
      Array.from({ length: 3 }, () => ['cli', 'account.plan', 'acme', 'ok']),
    )
  })

  it('refuses a plan that is not configured, one that is missing, and an account that nobody has a key of', async () => {
    const terminal = open()
    terminal.store.plans.set('acme', undefined)
    terminal.env['PARLEY_PLANS'] = PLANS
    expect(await terminal.run('accounts', 'set', 'acme', '--plan', 'pro')).toBe(2)
    expect(terminal.errLines[0]).toBe('parley accounts: --plan: one of gold, none, default')
    expect(await terminal.run('accounts', 'set', 'acme')).toBe(2)
    expect(await terminal.run('accounts', 'set', '--plan', 'gold')).toBe(2)
    expect(await terminal.run('accounts', 'set', 'nobody', '--plan', 'gold')).toBe(1)
    expect(terminal.errLines.at(-1)).toBe(
      'parley accounts: There is no account nobody: the first key or App of one makes it',
    )
    expect(await terminal.run('accounts', 'set', 'acme', '--plan', 'gold')).toBe(0)
  })
})
