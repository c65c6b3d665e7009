import { readdirSync, readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { DEFAULT_SETTINGS } from '../../src/chat/settings.ts'
import { factsOf, TABLE } from '../../src/config/table.ts'
import { decodeCommand } from '../../src/protocol/codec.ts'
import { CommandSchema } from '../../src/protocol/commands.ts'
import { ERRORS } from '../../src/protocol/errors.ts'
import { EventSchema } from '../../src/protocol/events.ts'
import { ControlFrameSchema, EnvelopeSchema } from '../../src/protocol/frames.ts'
import * as limits from '../../src/protocol/limits.ts'
import { MessageSchema } from '../../src/protocol/messages.ts'
import { replayInAgUi } from '../support/ag-ui.ts'
import { readFences, readTables, type Table } from './markdown.ts'

const ROOT = new URL('../../', import.meta.url)
const README = readFileSync(new URL('src/protocol/README.md', ROOT), 'utf8')
const tables = readTables(README)
const RULE = /\bP-\d+\b/g

function sourcesIn(folder: string): readonly { readonly path: string; readonly text: string }[] {
  return readdirSync(new URL(folder, ROOT), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => `${entry.parentPath}/${entry.name}`)
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }))
}

function tableOf(...header: readonly string[]): Table {
  const [found, ...others] = tables.filter((table) => header.every((cell, index) => table.header[index] === cell))
  if (found === undefined || others.length > 0) throw new Error(`not one table: ${header.join(' | ')}`)
  return found
}

type Entries = Readonly<Record<string, { readonly type: string }>>

/** `name` and whether it must be there, of the fields but those in `without`. */
function fieldsOf(entries: Entries, yes: string, without: readonly string[]): (readonly [string, string])[] {
  return Object.entries(entries)
    .filter(([name]) => !without.includes(name))
    .map(([name, { type }]) => [name, type === 'optional' ? 'no' : yes] as const)
}

/** What the page says of the fields of `type`: in a table, or that there are none. */
function toldFieldsOf(type: string, needed: string): (readonly string[])[] {
  if (README.includes(`\`${type}\` has no fields`)) return []
  return tableOf(type, needed).rows.map((row) => row.slice(0, 2))
}

/** The fields as one cell lists them. */
function listOf(entries: Entries, without: readonly string[]): string {
  return fieldsOf(entries, '', without)
    .map(([name, needed]) => (needed === 'no' ? `${name}?` : name))
    .join(', ')
}

describe('the rules', () => {
  const defined = [...README.matchAll(/\*\*P-(\d+)\*\*/g)].map(([, number]) => Number(number))

  it('are defined once, in the order of their numbers', () => {
    expect(defined.length).toBeGreaterThan(50)
    expect(defined).toEqual([...new Set(defined)].sort((a, b) => a - b))
  })

  it('that are named on the page, in code and in tests are defined', () => {
    const known = new Set(defined.map((number) => `P-${number}`))
    const sources = [...sourcesIn('src'), ...sourcesIn('clients'), ...sourcesIn('test')]
    const named = [{ path: 'README', text: README }, ...sources].flatMap(({ path, text }) =>
      [...text.matchAll(RULE)].map(([rule]) => ({ path, rule })),
    )
    expect(named.length).toBeGreaterThan(defined.length)
    expect(named.filter(({ rule }) => !known.has(rule))).toEqual([])
  })
})

describe('the tables', () => {
  it('of errors and close codes are those of errors.ts, row by row (P-86)', () => {
    const rows = Object.entries(ERRORS).map(([code, row]) => [
      code,
      String(row.status),
      'close' in row ? String(row.close) : '',
      row.retryable ? 'yes' : 'no',
      row.message,
    ])
    expect(tableOf('code', 'HTTP', 'close').rows).toEqual(rows)
  })

  it('of limits are those of limits.ts (P-95)', () => {
    const rows = tableOf('constant', 'value').rows.map(([name, value]) => [name, value])
    expect(rows).toEqual(Object.entries(limits).map(([name, value]) => [name, String(value)]))
  })

  it('of settings tell the defaults (P-96)', () => {
    const facts = Object.values(TABLE.entries).flatMap((room) => Object.values(room.entries).map(factsOf))
    const told = tableOf('variable', 'default').rows.map(([name, standard]) => [name, standard])
    expect(told).toEqual(told.map(([name]) => [name, facts.find((row) => row.name === name)?.standard]))
  })

  it.each(CommandSchema.options.map((option) => [option.entries.type.literal, option.entries] as const))(
    'list the fields of %s',
    (type, entries) => {
      expect(toldFieldsOf(type, 'required')).toEqual(fieldsOf(entries, 'yes', ['type', 'id']))
    },
  )

  it.each(ControlFrameSchema.options.map((option) => [option.entries.type.literal, option.entries] as const))(
    'list the fields of %s',
    (type, entries) => {
      expect(toldFieldsOf(type, 'always')).toEqual(fieldsOf(entries, 'yes', ['type']))
    },
  )

  it('list every event with its fields (P-70)', () => {
    const events = EventSchema.options.map(({ entries }) => [entries.type.literal, listOf(entries, ['type'])])
    expect(tableOf('event', 'fields').rows).toEqual(events)
  })

  it('list every role with its fields', () => {
    const roles = MessageSchema.options.map(({ entries }) => [entries.role.literal, listOf(entries, [])])
    expect(tableOf('role', 'fields').rows).toEqual(roles)
  })
})

const KIB = 1024
const MIB = 1024 * KIB
const { log, ...settings } = DEFAULT_SETTINGS

describe('the numbers in the text', () => {
  it.each([
    ['P-12', 'The tenth bad frame', [limits.MAX_BAD_FRAMES_PER_MINUTE], [10]],
    ['P-13', '20 commands a second and 100 at once', [settings.commandsPerSecond, settings.commandBurst], [20, 100]],
    ['P-28', '4 MiB and 10,000 events', [log.runBytes, log.runEntries], [4 * MIB, 10_000]],
    ['P-28', '1 MiB, 1,000 events and 5 minutes', [log.idleBytes, log.idleEntries, log.idleMs], [MIB, 1000, 300_000]],
    ['P-31', '256 KiB wait', [settings.behindBytes], [256 * KIB]],
    ['P-31', 'With 1 MiB waiting', [settings.outboxBytes], [MIB]],
    ['P-57', '2,000 messages and 1 MiB', [settings.windowMessages, settings.windowBytes], [2000, MIB]],
    ['P-75', 'within 30 s', [settings.endSaveMs], [30_000]],
    ['P-87', 'more than 50', [settings.connectionsPerSession], [50]],
    ['P-90', '(25 s)', [settings.pingEveryMs], [25_000]],
    ['P-90', 'After 35 s', [settings.pingEveryMs + settings.deadAfterMs], [35_000]],
    ['P-112', 'within 30 s', [factsOf(TABLE.entries.access.entries.ticketMs).standard], ['30s']],
    ['P-114', 'for 10 minutes', [factsOf(TABLE.entries.access.entries.returnMs).standard], ['10m']],
    ['P-91', 'after 30 s', [settings.drainMs], [30_000]],
  ])('%s says "%s", as the code has it', (rule, words, actual, expected) => {
    const text = README.replaceAll(/\s+/g, ' ')
      .split('**P-')
      .find((each) => each.startsWith(`${rule.slice(2)}**`))
    expect(text).toContain(words)
    expect(actual).toEqual(expected)
  })
})

const [CLIENT, REFUSED, SERVER, REMARK] = ['→ ', '✗ ', '← ', '# ']
const ServerFrameSchema = v.union([ControlFrameSchema, EnvelopeSchema])
/** Does a line hold what its mark says? Schemas leave out what they do not know, so what is read must be what is written. */
function isTrue(line: string): boolean {
  const text = line.slice(2)
  if (line.startsWith(REMARK)) return true
  const read = decodeCommand(text)
  if (line.startsWith(REFUSED)) return !read.ok
  const written: unknown = JSON.parse(text)
  if (line.startsWith(CLIENT))
    return read.ok && isDeepStrictEqual({ ...read.command, ...toObject(written) }, read.command)
  return line.startsWith(SERVER) && isDeepStrictEqual(v.parse(ServerFrameSchema, written), written)
}

function toObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {}
}

const dialogues = readFences(README, 'dialogue').map((lines, index) => [index + 1, lines] as const)

describe('the dialogues', () => {
  it('are there', () => {
    expect(dialogues.length).toBeGreaterThan(9)
  })

  it.each(dialogues)('%i: every frame is what the schemas say, field by field', (_index, lines) => {
    expect(lines.filter((line) => !isTrue(line))).toEqual([])
  })

  it.each(dialogues)('%i: what a refused frame gets is what the codec says of it', (_index, lines) => {
    const refused = lines.flatMap((line, at) =>
      line.startsWith(REFUSED) ? [[line.slice(2), lines[at + 1] ?? '']] : [],
    )
    for (const [frame = '', answer = ''] of refused) {
      const decoded = decodeCommand(frame)
      if (decoded.ok) throw new TypeError(frame)
      const { code, message, retryable } = decoded.error
      expect(JSON.parse(answer.slice(2))).toEqual({ type: 'error', ...decoded.ref, code, message, retryable })
    }
  })

  it.each(dialogues)('%i: numbers increase (P-26)', (_index, lines) => {
    const numbers = lines.flatMap((line) => /^← \{"id":"\w+-(\d+)"/.exec(line)?.slice(1).map(Number) ?? [])
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
  })

  const runs = dialogues
    .map(
      ([index, lines]) =>
        [index, lines.flatMap((line) => /^← \{"id".*?"chunk":(.*)\}$/.exec(line)?.slice(1) ?? [])] as const,
    )
    .filter(([, chunks]) => chunks[0]?.includes('RUN_STARTED') && chunks.at(-1)?.includes('RUN_FINISHED'))

  it.each(runs)('%i: the run is one that AG-UI clients follow', async (_index, chunks) => {
    for (const replay of await replayInAgUi(chunks.map((chunk): unknown => JSON.parse(chunk))))
      expect(replay).toMatchObject({ events: chunks.length, warnings: [], schemaFaults: [] })
  })
})

describe('readTables and readFences', () => {
  const page = '| a | `b` |\n|---|---|\n| 1 | x \\| y |\n\ntext\n\n```dialogue\n→ {}\n| no | table |\n|---|---|\n```\n'

  it('read what stands there', () => {
    expect(readTables(page)).toEqual([{ header: ['a', 'b'], rows: [['1', 'x | y']] }])
    expect(readFences(page, 'dialogue')).toEqual([['→ {}', '| no | table |', '|---|---|']])
    expect(readFences(page, 'json')).toEqual([])
  })
})
