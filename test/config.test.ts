import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { isWebOrigin } from '../src/admin/key-wish.ts'
import { DEFAULT_SETTINGS } from '../src/chat/settings.ts'
import { ConfigError, configMarkdown, configTable, readConfig, unknownNames } from '../src/config.ts'

function faults(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env)
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.faults
    throw thrown
  }
  return []
}

const folder = mkdtempSync(join(tmpdir(), 'parley-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

function fileOf(content: unknown): string {
  const path = join(folder, `${crypto.randomUUID()}.json`)
  writeFileSync(path, JSON.stringify(content))
  return path
}

describe('the configuration', () => {
  it('of an empty environment is the defaults, and an empty value counts as absent', () => {
    const config = readConfig({})
    expect(config.server).toMatchObject({ port: 8080, host: '127.0.0.1', dataDir: '.parley', transport: 'auto' })
    expect(config.server.databaseUrl).toBeUndefined()
    expect(config.access).toMatchObject({ defaultApp: true, defaultAppHidden: false, origins: [], requireHttps: false })
    expect(config.models.default).toBe('scripted/demo')
    expect(readConfig({ PORT: '', HOST: '  ', DATABASE_URL: '', PARLEY_DEFAULT_APP: '' })).toEqual(config)
  })

  it('I13: has the numbers of the core, each once: the defaults agree', () => {
    const { chat, log } = readConfig({})
    expect({ ...chat, log }).toEqual(DEFAULT_SETTINGS)
  })

  it('reads numbers, times, sizes, words and lists in their units', () => {
    const config = readConfig({
      PORT: '0',
      PARLEY_PING_INTERVAL: '1.5s',
      PARLEY_OUTBOX_SIZE: '2 MiB',
      PARLEY_RUN_TIME: '1h',
      PARLEY_TRANSPORT: 'ws',
      PARLEY_REQUIRE_HTTPS: 'on',
      PARLEY_ORIGINS: ' https://a.example , http://localhost:3000,',
      PARLEY_TRUSTED_PROXIES: '10.0.0.0/8,::1',
    })
    expect(config.server).toMatchObject({ port: 0, transport: 'ws' })
    expect(config.chat).toMatchObject({ pingEveryMs: 1500, outboxBytes: 2 * 1024 * 1024, runMs: 3_600_000 })
    expect(config.access).toMatchObject({
      requireHttps: true,
      origins: ['https://a.example', 'http://localhost:3000'],
      trustedProxies: ['10.0.0.0/8', '::1'],
    })
  })

  it('I11: has the secrets of tools by name, from variables that the operator named, and shows none', () => {
    const env = { PARLEY_TOOL_SECRETS: 'ORDERS_TOKEN, CRM_KEY', ORDERS_TOKEN: ' hunter2-hunter2 ', CRM_KEY: '12345678' }
    const { tools } = readConfig({
      ...env,
      OTHER: 'not-named-1',
      PARLEY_TOOL_HOSTS: 'orders.internal:8443,127.0.0.1,[::1]:80',
    })
    expect(tools.hosts).toEqual(['orders.internal:8443', '127.0.0.1', '[::1]:80'])
    expect([...tools.secrets].map(([name, secret]) => [name, secret.reveal()])).toEqual([
      ['ORDERS_TOKEN', 'hunter2-hunter2'],
      ['CRM_KEY', '12345678'],
    ])
    expect(inspect(tools, { depth: 9 }) + JSON.stringify(tools)).not.toContain('hunter2')
  })

  it.each([
    [{ PARLEY_TOOL_SECRETS: 'A_B' }, 'PARLEY_TOOL_SECRETS names A_B, which is not set'],
    [{ PARLEY_TOOL_SECRETS: 'A_B', A_B: 'hunter2' }, 'PARLEY_TOOL_SECRETS names A_B, which must hold 8 to 4096'],
    [
      { PARLEY_TOOL_SECRETS: 'A_B', A_B: 'hunter2\nhunter2' },
      'PARLEY_TOOL_SECRETS names A_B, which must hold 8 to 4096',
    ],
    [{ PARLEY_TOOL_SECRETS: 'DATABASE_URL' }, "PARLEY_TOOL_SECRETS names DATABASE_URL, which is Parley's own"],
    [{ PARLEY_TOOL_SECRETS: 'PARLEY_KEY' }, "PARLEY_TOOL_SECRETS names PARLEY_KEY, which is Parley's own"],
    [{ PARLEY_TOOL_SECRETS: 'a-b' }, 'PARLEY_TOOL_SECRETS holds "a-b"; allowed: names such as ORDERS_TOKEN'],
    [{ PARLEY_TOOL_HOSTS: 'http://a' }, 'PARLEY_TOOL_HOSTS holds "http://a"; allowed: hosts'],
    [{ PARLEY_TOOL_HOSTS: 'a:70000' }, 'PARLEY_TOOL_HOSTS holds'],
    [{ PARLEY_TOOL_HOSTS: '127.1' }, 'PARLEY_TOOL_HOSTS holds'],
    [{ PARLEY_TOOL_HOSTS: 'A.internal' }, 'PARLEY_TOOL_HOSTS holds'],
  ])('refuses %j without showing a secret', (env, fault) => {
    const [said = ''] = faults(env)
    expect(said).toContain(fault)
    expect(said).not.toContain('hunter2')
  })

  it('I11: has the programs of MCP servers with no more of the environment than they are given', async () => {
    const path = fileOf({
      files: { command: 'node', args: ['a.js'], env: { MODE: 'x' }, inherit: ['API_TOKEN'], apps: ['shop'] },
      bare: { command: '/bin/cat' },
    })
    const env = {
      PARLEY_MCP_SERVERS: path,
      API_TOKEN: 'a',
      HOME: '/root',
      PARLEY_MCP_PROCESSES: '3',
      PARLEY_MCP_IDLE: '1m',
    }
    const { mcp } = readConfig(env)
    expect([...mcp.programs]).toEqual([
      ['files', { command: 'node', args: ['a.js'], env: { API_TOKEN: 'a', MODE: 'x' }, apps: ['shop'] }],
      ['bare', { command: '/bin/cat', args: [], env: {} }],
    ])
    expect(mcp).toMatchObject({ processes: 3, idleMs: 60_000 })
    expect(readConfig({}).mcp.programs.size).toBe(0)
  })

  it.each([
    [{ files: { command: 'a', shell: true } }, 'files.shell: unknown field'],
    [{ files: { args: [] } }, 'files.command: is missing'],
    [{ files: { command: '' } }, 'files.command: must not be empty'],
    [{ 'a/b': { command: 'a' } }, 'a name must be 1 to 64 of'],
    [{ files: { command: 'a', inherit: ['GONE'] } }, 'files inherits GONE, which is not set'],
    [{ files: { command: 'a', inherit: ['DATABASE_URL'] } }, "files inherits DATABASE_URL, which is Parley's own"],
    [{ files: { command: 'a', env: { 'A=B': 'c' } } }, 'is no name of a variable'],
    ['text', 'an object of programs'],
  ])('refuses programs of MCP servers such as %j', async (content, fault) => {
    const path = fileOf(content)
    const said = faults({ PARLEY_MCP_SERVERS: path, DATABASE_URL: 'postgres://localhost/hunter2' }).join()
    expect(said).toContain(fault)
    expect(said).not.toContain('hunter2')
    expect(faults({ PARLEY_MCP_SERVERS: `${path}.gone` })[0]).toContain('must be a file of JSON')
  })

  it('cannot be changed', () => {
    const config = readConfig({})
    expect(Object.isFrozen(config)).toBe(true)
    for (const group of Object.values(config)) expect(Object.isFrozen(group)).toBe(true)
  })

  it.each([
    ['PORT', '65536', '0 to 65535'],
    ['PORT', '80.5', '0 to 65535'],
    ['PORT', '-1', '0 to 65535'],
    ['PORT', '0x50', '0 to 65535'],
    ['HOST', 'a b', 'an address'],
    ['PARLEY_PING_INTERVAL', '25', 'with its unit'],
    ['PARLEY_PING_INTERVAL', '1w', 'with its unit'],
    ['PARLEY_PING_INTERVAL', '100d', '1s to 10m'],
    ['PARLEY_FRAME_SIZE', '1MiB', 'to 64KiB'],
    ['PARLEY_TRANSPORT', 'socket.io', 'auto, uws, ws'],
    ['PARLEY_DEFAULT_APP', 'true', 'on, off'],
    ['PARLEY_ORIGINS', 'https://a.example/', 'origins'],
    ['PARLEY_ORIGINS', 'a.example', 'origins'],
    ['PARLEY_ORIGINS', 'https://*.a.example', 'origins'],
    ['PARLEY_TRUSTED_PROXIES', '10.0.0.0/99', 'networks'],
    ['PARLEY_MODEL', 'claude', 'provider/model'],
    ['LOG_LEVEL', 'verbose', 'debug'],
    ['ANTHROPIC_BASE_URL', 'example.com', 'URL'],
    ['OPENAI_BASE_URL', '127.0.0.1:11434', 'URL'],
    ['PARLEY_FALLBACKS', 'scripted/demo,gpt', 'provider/model'],
  ])('with a bad %s names it, what it holds and what is allowed (%s)', (name, value, allowed) => {
    const [fault, ...others] = faults({ [name]: value })
    expect(others).toEqual([])
    expect(fault).toContain(name)
    expect(fault).toContain(`"${value}"`)
    expect(fault).toContain(allowed)
  })

  it('tells all faults at once', () => {
    expect(faults({ PORT: 'x', LOG_LEVEL: 'y', PARLEY_QUEUE: 'z' })).toHaveLength(3)
  })

  it.each([
    [{ PARLEY_BEHIND_SIZE: '2MiB' }, 'PARLEY_OUTBOX_SIZE'],
    [{ PARLEY_FRAME_SIZE: '1KiB' }, 'PARLEY_MESSAGE_SIZE'],
    [{ PARLEY_LOG_RUN_ENTRIES: '100' }, 'PARLEY_LOG_IDLE_ENTRIES'],
    [{ PARLEY_LOG_RUN_SIZE: '64KiB' }, 'PARLEY_LOG_IDLE_SIZE'],
    [{ PARLEY_MODEL: 'anthropic/claude-sonnet-5-5' }, 'ANTHROPIC_API_KEY'],
    [{ PARLEY_MODELS: 'anthropic/claude-sonnet-5-5' }, 'ANTHROPIC_API_KEY'],
    [{ PARLEY_MODEL: 'openai/gpt-5.4-mini' }, 'OPENAI_API_KEY'],
    [{ PARLEY_MODELS: 'scripted/demo,openai/gpt-5.4-mini' }, 'OPENAI_BASE_URL'],
    [{ PARLEY_FALLBACKS: 'openai/gpt-5.4-mini' }, 'OPENAI_API_KEY'],
  ])('that contradicts itself is refused: %j', (env, name) => {
    expect(faults(env)).toEqual([expect.stringContaining(name)])
  })

  it('I11: shows no secret: not when printed, not as JSON, not in a fault', () => {
    const [key, url] = ['sk-ant-very-secret', 'postgres://me:hunter2@db/parley']
    const config = readConfig({ ANTHROPIC_API_KEY: key, OPENAI_API_KEY: key, DATABASE_URL: url })
    for (const shown of [
      inspect(config, { depth: 9 }),
      JSON.stringify(config),
      String(config.models.anthropicApiKey),
      String(config.models.openaiApiKey),
    ]) {
      expect(shown).not.toContain('very-secret')
      expect(shown).not.toContain('hunter2')
    }
    expect(config.models.anthropicApiKey?.reveal()).toBe(key)
    expect(config.server.databaseUrl?.reveal()).toBe(url)
    const [fault] = faults({ DATABASE_URL: 'mysql://me:hunter2@db' })
    expect(fault).toContain('DATABASE_URL')
    expect(fault).not.toContain('hunter2')
  })

  it('names what looks like a misspelt variable', () => {
    const env = { PARLEY_ORIGIN: 'x', PARLEY_ORIGINS: '', PARLEY_KEY: 'k', PARLEY_TEST_REQUIRE: '', HOME: '/' }
    expect(unknownNames(env)).toEqual(['PARLEY_ORIGIN'])
  })
})

describe('TLS', () => {
  it('needs certificate and key together', () => {
    const both = { TLS_CERT_FILE: '/a/cert.pem', TLS_KEY_FILE: '/a/key.pem' }
    expect(readConfig(both).server).toMatchObject({ tlsCertFile: '/a/cert.pem', tlsKeyFile: '/a/key.pem' })
    for (const name of ['TLS_CERT_FILE', 'TLS_KEY_FILE'])
      expect(faults({ [name]: '/a/file.pem' })).toEqual(['TLS_CERT_FILE and TLS_KEY_FILE must be set together'])
  })
})

describe('the default App', () => {
  const key = { ANTHROPIC_API_KEY: 'k' }

  it.each([
    ['on this machine only, with a model that costs money', { ...key }, true, false],
    ['for everyone, with the demo model', { HOST: '0.0.0.0' }, true, false],
    ['for everyone, with a model that costs money', { ...key, HOST: '0.0.0.0' }, false, true],
    ['likewise by name', { ...key, HOST: 'chat.example.com' }, false, true],
    ['likewise, but switched on', { ...key, HOST: '::', PARLEY_DEFAULT_APP: 'on' }, true, false],
    ['switched off', { PARLEY_DEFAULT_APP: 'off' }, false, false],
    ['on IPv6 loopback', { ...key, HOST: '::1' }, true, false],
  ])('%s', (_where, env, defaultApp, defaultAppHidden) => {
    expect(readConfig(env).access).toMatchObject({ defaultApp, defaultAppHidden })
  })

  it('has a real model with a key, and the named one always', () => {
    expect(readConfig(key).models.default).toMatch(/^anthropic\/claude-/)
    expect(readConfig({ ...key, PARLEY_MODEL: 'scripted/demo' }).models.default).toBe('scripted/demo')
  })

  it.each([
    [{ OPENAI_API_KEY: 'k' }, /^openai\/gpt-/],
    [{ OPENAI_BASE_URL: 'http://127.0.0.1:11434/v1' }, /^openai\/gpt-/],
    [{ OPENAI_BASE_URL: 'http://127.0.0.1:11434/v1', PARLEY_MODEL: 'openai/qwen3:8b' }, /^openai\/qwen3:8b$/],
    [{ ...key, OPENAI_API_KEY: 'k' }, /^anthropic\/claude-/],
  ])('has OpenAI where that alone is set up: %j', (env, model) => {
    expect(readConfig(env).models.default).toMatch(model)
    expect(readConfig({ ...env, HOST: '0.0.0.0' }).access).toMatchObject({ defaultApp: false, defaultAppHidden: true })
  })
})

describe('plans', () => {
  it('are the standard ones, or those of JSON or of a file, which take their place', () => {
    expect([...readConfig({}).access.plans.keys()]).toEqual(['free', 'starter', 'standard', 'pro'])
    expect(readConfig({}).access.plans.get('starter')).toEqual({ perHour: 500, perMinute: 50 })
    const text = '{"gold": {"perHour": 9, "perMinute": 3}}'
    const file = fileOf(JSON.parse(text))
    for (const PARLEY_PLANS of [text, file]) {
      const { plans, defaultPlan } = readConfig({ PARLEY_PLANS, PARLEY_DEFAULT_PLAN: 'gold' }).access
      expect([[...plans], defaultPlan]).toEqual([[['gold', { perHour: 9, perMinute: 3 }]], 'gold'])
    }
  })

  it.each([
    ['{', 'PARLEY_PLANS is not JSON, such as {"free": {"perHour": 100, "perMinute": 10}}'],
    ['/nonexistent/plans.json', 'PARLEY_PLANS names a file that cannot be read'],
    ['{}', 'PARLEY_PLANS names no plan'],
    ['{"a": {"perHour": 1}}', 'PARLEY_PLANS a.perMinute: is missing'],
    ['{"a": {"perHour": 0, "perMinute": 1.5}}', 'PARLEY_PLANS a.perHour: must be at least 1'],
    ['{"a": {"perHour": 0, "perMinute": 1.5}}', 'PARLEY_PLANS a.perMinute: must be a whole number'],
    ['{"a": {"perHour": 1, "perMinute": 1, "perDay": 1}}', 'PARLEY_PLANS a.perDay: unknown field'],
    ['{"a": 7}', 'PARLEY_PLANS a: must be an object, such as {"free": {"perHour": 100, "perMinute": 10}}'],
    [
      '{"None": {"perHour": 1, "perMinute": 1}}',
      'PARLEY_PLANS None: names of plans are 1 to 32 lower-case letters, digits and hyphens',
    ],
    ['{"none": {"perHour": 1, "perMinute": 1}}', 'PARLEY_PLANS none: none and default are no names of plans'],
  ])('that are wrong are refused with the place and the reason: %s', (PARLEY_PLANS, fault) => {
    expect(faults({ PARLEY_PLANS })).toContain(fault)
  })

  it('of which the default one is none are refused', () => {
    expect(faults({ PARLEY_DEFAULT_PLAN: 'gold' })).toEqual([
      'PARLEY_DEFAULT_PLAN holds "gold"; allowed: none, free, starter, standard, pro',
    ])
  })
})

describe('the table for people', () => {
  it('has every variable once, each with what is allowed and a reason', () => {
    const rows = configTable()
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length)
    for (const row of rows) {
      expect(row.allowed).not.toBe('')
      expect(row.why).not.toBe('')
    }
    const required = ['PORT', 'HOST', 'DATABASE_URL', 'PARLEY_DATA_DIR', 'PARLEY_TRANSPORT', 'PARLEY_DEFAULT_APP']
    const also = ['PARLEY_ORIGINS', 'PARLEY_TRUSTED_PROXIES', 'PARLEY_REQUIRE_HTTPS', 'LOG_LEVEL', 'ANTHROPIC_API_KEY']
    expect(rows.map(({ name }) => name)).toEqual(expect.arrayContaining([...required, ...also, 'PARLEY_METRICS']))
  })

  it('stands in README as it is printed', () => {
    const text = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
    const [, shown] = /<!-- config:start -->([\s\S]*?)<!-- config:end -->/.exec(text) ?? []
    expect(shown?.trim()).toBe(configMarkdown().trim())
  })
})

describe('an origin of a web page', () => {
  it.each(['https://a.example', 'http://localhost:3000', 'http://[::1]:3000'])('is %s', (text) => {
    expect(isWebOrigin(text)).toBe(true)
  })

  it.each([
    '*',
    'null',
    'https://a.example/',
    'https://a.example:443',
    'ftp://a.example',
    'a.example',
    'https://u@a.example',
  ])('is not %s', (text) => {
    expect(isWebOrigin(text)).toBe(false)
  })
})
