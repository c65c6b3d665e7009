import { describe, expect, it } from 'vitest'
import { parseKey, provesSecret } from '../../src/access/keys.ts'
import { actsOf } from './fake-acts.ts'
import { FakeTerminal } from './fakes.ts'

const SHOP = { id: 'shop', name: 'Shop', preamble: 'Sell.', model: { default: 'scripted/demo' } }

function open(): FakeTerminal {
  const terminal = new FakeTerminal()
  terminal.store.apps.set('shop', { id: 'shop', definition: SHOP, updatedAt: 0 })
  return terminal
}

describe('parley keys create --operator', () => {
  it('makes a secret key for no App, shown once, with its hash in the store', async () => {
    const terminal = open()
    expect(await terminal.run('keys', 'create', '--operator', '--ip', '127.0.0.1', '--label', 'ops')).toBe(0)
    const key = parseKey(terminal.outLines[0] ?? '')
    const row = terminal.store.keys.get(key?.id ?? '')
    expect(row).toMatchObject({ kind: 'secret', apps: [], scopes: ['operator'], addresses: ['127.0.0.1/32'] })
    expect(row?.hash).toMatch(/^\$argon2id\$/)
    expect(await provesSecret(row?.hash ?? '', key?.secret ?? '')).toBe(true)
    expect(terminal.errLines[0]).toContain("(operator's) for the whole server")
  })

  it.each([
    ['for an App', ['--app', 'shop']],
    ['with another scope', ['--scopes', 'read']],
    ['for pages', ['--kind', 'publishable', '--origin', 'https://a.example']],
  ])('makes none %s', async (_what, options) => {
    const terminal = open()
    expect(await terminal.run('keys', 'create', '--operator', ...options)).toBe(2)
    expect([terminal.outLines, terminal.store.asked]).toEqual([[], []])
  })

  it('is the only way to that scope', async () => {
    const terminal = open()
    expect(await terminal.run('keys', 'create', '--app', 'shop', '--scopes', 'operator')).toBe(2)
    expect(terminal.store.asked).toEqual([])
  })
})

describe('parley apps put --account', () => {
  it('says whose the App is; without it that stays', async () => {
    const terminal = open()
    terminal.input.end(JSON.stringify({ ...SHOP, id: 'cafe' }))
    expect(await terminal.run('apps', 'put', '-', '--account', 'acme')).toBe(0)
    expect(terminal.store.apps.get('cafe')).toMatchObject({ account: 'acme' })
    expect(await terminal.run('apps', 'put', '-', '--account', 'a\nb')).toBe(2)
    expect(await terminal.run('apps', 'show', 'cafe', '--account', 'acme')).toBe(2)
  })
})

describe('parley audit', () => {
  it('shows what was done here, the newest first, also what was refused, and no key', async () => {
    const terminal = open()
    expect(await terminal.run('audit')).toBe(0)
    expect(terminal.errLines).toEqual(['No act is noted'])
    expect(await terminal.run('keys', 'create', '--app', 'shop')).toBe(0)
    const key = parseKey(terminal.outLines[0] ?? '')
    expect(await terminal.run('keys', 'revoke', 'nobody')).toBe(1)
    expect(await terminal.run('apps', 'delete', 'shop')).toBe(0)
    expect(actsOf(terminal.store)).toMatchObject([
      { actor: 'cli', act: 'key.create', target: key?.id, outcome: 'ok' },
      { actor: 'cli', act: 'key.revoke', target: 'nobody', outcome: 'not_found' },
      { actor: 'cli', act: 'app.delete', target: 'shop', outcome: 'ok' },
    ])
    const before = terminal.outLines.length
    expect(await terminal.run('audit', '--limit', '2')).toBe(0)
    const lines = terminal.outLines.slice(before)
    expect(lines[1]).toMatch(/^3 +\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} +cli +- +app\.delete +shop +ok +-$/)
    expect(lines).toHaveLength(3)
    expect(lines.join('\n')).not.toContain(key?.secret)
    for (const options of [
      ['--limit', '0'],
      ['--limit', 'many'],
      ['--before', 'x'],
    ])
      expect(await terminal.run('audit', ...options)).toBe(2)
  })

  it('shows nothing of a secret that was pasted in the place of an id; a key without its beginning or end is known by its id', async () => {
    const terminal = open()
    for (const cut of [(key: string) => key.slice('sk_live_'.length), (key: string) => key.slice(0, -10)]) {
      expect(await terminal.run('keys', 'create', '--app', 'shop')).toBe(0)
      const key = terminal.outLines.at(-1) ?? ''
      const { id = '', secret = '' } = parseKey(key) ?? {}
      expect(await terminal.run('keys', 'revoke', secret)).toBe(1)
      expect(await terminal.run('keys', 'rotate', secret.slice(3, 20))).toBe(1)
      expect(await terminal.run('keys', 'revoke', cut(key))).toBe(0)
      const acts = actsOf(terminal.store).slice(-3)
      expect(acts.map(({ target }) => target)).toEqual(['(no id of a key)', '(no id of a key)', id])
    }
  })
})
