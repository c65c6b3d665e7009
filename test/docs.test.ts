import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parseDefinition } from '../src/apps/definition.ts'
import { configTable, readConfig } from '../src/config.ts'
import { SEARCH_DOCUMENTS } from '../src/ports/documents.ts'
import { METRICS } from '../src/ports/telemetry.ts'
import { ERRORS } from '../src/protocol/errors.ts'
import { INVARIANTS } from '../src/storage/invariants.ts'
import { readSteps } from '../src/storage/migrate.ts'
import { BUILTIN_TOOLS } from '../src/tools/builtin.ts'
import { readFences, readTables } from './protocol/markdown.ts'

const ROOT = new URL('../', import.meta.url)
const PREFIX = 'parley_'
/** Of PgBouncer, Postgres, Node, HTTP bodies and models' APIs; everything else in code that looks like a code or a metric is one of ours. */
const FOREIGN_WORDS = [
  'retry_after',
  'rate_limit',
  'statement_timeout',
  'ignore_startup_parameters',
  'top_p',
  'top_k',
  'pg_dump',
  'reasoning_content',
]
/** Of the contract of Aomi's clients. */
const AOMI_WORDS = [
  'chain_id',
  'typed_data',
  'wallet_tx_request',
  'system_events',
  'client_id',
  'key_prefix',
  'user_state',
  'public_key',
  'personal_sign',
  'simulate_batch',
]
/** Read by `parley chat`, not by the server. */
const FOREIGN_VARIABLES = ['PARLEY_KEY']
/** Shown as what a misspelt name looks like. */
const MISSPELT = ['PARLEY_DARIN']

const pages = ['README.md', ...markdownIn('docs/')].map((path) => ({ path, text: read(path) }))
const operations = read('docs/operations.md')

function read(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8')
}

function markdownIn(folder: string): string[] {
  return readdirSync(new URL(folder, ROOT))
    .filter((name) => name.endsWith('.md'))
    .map((name) => folder + name)
}

function sourcesIn(folder: string): string {
  return readdirSync(new URL(folder, ROOT), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => readFileSync(`${entry.parentPath}/${entry.name}`, 'utf8'))
    .join('\n')
}

/** What of `found` is not among `known`, with the page that says it. */
function strangers(pattern: RegExp, known: readonly string[]): string[] {
  return pages.flatMap(({ path, text }) =>
    [...text.matchAll(pattern)].flatMap(([all, inner = all]) => (known.includes(inner) ? [] : [`${path}: ${inner}`])),
  )
}

/** Code fences hold brackets that are no links. */
function withoutFences(text: string): string {
  return text.replaceAll(/^\s*```[^]*?^\s*```$/gm, '')
}

/** As the anchors of a page are made of its headings. */
function anchorsOf(text: string): readonly string[] {
  return [...withoutFences(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

function isDead(path: string, target: string): boolean {
  const [file = '', anchor] = target.split('#', 2)
  const place = file === '' ? new URL(path, ROOT) : new URL(file, new URL(path, ROOT))
  if (!existsSync(place)) return true
  return anchor !== undefined && !anchorsOf(readFileSync(fileURLToPath(place), 'utf8')).includes(anchor)
}

describe('the pages for readers', () => {
  it.each(pages)('$path: every relative link leads to a file, and to a heading in it', ({ path, text }) => {
    const targets = [...withoutFences(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
    const relative = targets.filter((target) => !/^[a-z]+:/.test(target))
    expect(relative.filter((target) => isDead(path, target))).toEqual([])
  })

  it('name settings that exist', () => {
    const known = [...configTable().map(({ name }) => name), ...FOREIGN_VARIABLES, ...MISSPELT]
    expect(
      strangers(/\b(?:PARLEY_[A-Z_]*[A-Z]|ANTHROPIC_[A-Z_]+|OPENAI_[A-Z_]+|DATABASE_URL|LOG_LEVEL)\b/g, known),
    ).toEqual([])
  })

  it('name error codes, tools and metrics that exist', () => {
    const metrics = Object.keys(METRICS).map((name) => PREFIX + name)
    const tools = [...BUILTIN_TOOLS.map(({ spec }) => spec.name), SEARCH_DOCUMENTS]
    const known = [...Object.keys(ERRORS), ...tools, ...metrics, ...FOREIGN_WORDS, ...AOMI_WORDS]
    expect(strangers(/`(?!parley_(?:process|nodejs)_)([a-z]+(?:_[a-z]+)+)`/g, known)).toEqual([])
  })
})

describe('docs/operations.md', () => {
  const tables = readTables(operations)
  const rowsOf = (heading: string) => tables.find(({ header }) => header[0] === heading)?.rows ?? []

  it('lists every metric as the code has it', () => {
    const rows = Object.entries(METRICS).map(([name, row]) => [
      PREFIX + name,
      row.kind,
      'label' in row ? row.label : '',
      row.help,
    ])
    expect(rowsOf('metric')).toEqual(rows)
  })

  it('copies every table to another database, each after those that it refers to', () => {
    const [, list = ''] = /for t in ([a-z_ ]+); do/.exec(operations) ?? []
    const copied = list.split(' ')
    const tables = read('schema.sql')
      .split(/^create table /m)
      .slice(1)
    const names = tables.map((table) => table.slice(0, table.indexOf(' ')))
    expect([...copied, 'schema_version', 'changes'].toSorted()).toEqual(names.toSorted())
    const early = tables.flatMap((table, nth) =>
      [...table.matchAll(/references (\w+)/g)].filter(
        ([, other = '']) => copied.indexOf(other) > copied.indexOf(names[nth] ?? ''),
      ),
    )
    expect(early).toEqual([])
  })

  it('shows the schema version and the number of invariants as they are', () => {
    expect(operations.match(/schema version (?!99)\d+|knows \d+/g)).toEqual([
      `knows ${readSteps().length}`,
      `schema version ${readSteps().length}`,
    ])
    expect(operations).toContain(`All ${INVARIANTS.length} invariants hold`)
  })

  it('explains log lines that the code writes', () => {
    const code = sourcesIn('src/')
    const events = rowsOf('msg').flatMap(([cell = '']) => cell.split(', '))
    expect(events.length).toBeGreaterThan(10)
    expect(events.filter((event) => !code.includes(`'${event}'`))).toEqual([])
  })
})

describe('docs/apps.md and docs/access.md', () => {
  const page = read('docs/apps.md')
  const example = read('examples/support-app.json')

  it('shows the example file, which is a definition that can be stored', () => {
    expect(readFences(page, 'json').map((lines) => lines.join('\n'))).toContain(example.trimEnd())
    expect(parseDefinition(JSON.parse(example))).toMatchObject({ id: 'support', model: { default: 'scripted/demo' } })
  })

  it('shows the http tool of its example, which is a definition that can be stored', () => {
    const orders = parseDefinition(JSON.parse(read('examples/orders-app.json')))
    const shown = readFences(page, 'json').map((lines) => lines.join('\n'))
    expect(shown.map((text): unknown => JSON.parse(text))).toContainEqual(orders.httpTools?.[0])
  })

  it("shows the App of an MCP server, whose program the operator's example has", () => {
    const hours = read('examples/hours-app.json')
    expect(readFences(page, 'json').map((lines) => lines.join('\n'))).toContain(hours.trimEnd())
    expect(parseDefinition(JSON.parse(hours)).mcp).toEqual([{ name: 'shop', server: 'hours', timeoutMs: 5000 }])
    const path = fileURLToPath(new URL('examples/hours-servers.json', ROOT))
    const { programs } = readConfig({ PARLEY_MCP_SERVERS: path, PATH: '/bin' }).mcp
    expect(programs.get('hours')).toMatchObject({ args: ['examples/hours-program.mjs'], env: { SHOP: 'Bern' } })
  })

  it('lists the tools and the codes with their status and close code', () => {
    const tables = readTables(page)
    const tools = tables.find(({ header }) => header[1] === 'does')?.rows.map(([name]) => name)
    expect(tools).toEqual(BUILTIN_TOOLS.map(({ spec }) => spec.name))
    const refusals = readTables(read('docs/access.md'))
    const told = refusals.find(({ header }) => header[2] === 'code')?.rows.map((row) => row.slice(0, 3)) ?? []
    const rows = Object.entries(ERRORS).map(([code, row]) => [
      String(row.status),
      'close' in row ? String(row.close) : '',
      code,
    ])
    expect(told.length).toBeGreaterThan(5)
    expect(rows).toEqual(expect.arrayContaining([...told]))
  })
})
