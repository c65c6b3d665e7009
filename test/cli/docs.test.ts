import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Audit } from '../../src/admin/audit.ts'
import { runCli } from '../../src/cli/cli.ts'
import { docsCommand } from '../../src/cli/docs.ts'
import { openPostgres, type PostgresStorage } from '../../src/storage/postgres.ts'
import { Recorder } from '../storage/recorder.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { FakeTerminal } from './fakes.ts'

/** Milliseconds. */
const DAY = 86_400_000
const folder = mkdtempSync(join(tmpdir(), 'parley-docs-'))
let database: TestDatabase
let store: PostgresStorage

beforeAll(async () => {
  database = await createTestDatabase()
  store = await openPostgres({ connection: database.connection, telemetry: new Recorder() })
})
afterAll(async () => {
  await store.close()
  await database.drop()
  rmSync(folder, { recursive: true })
})
beforeEach(async () => {
  for (const id of ['shop', 'bank']) {
    await store.deleteApp(id)
    await store.putApp({ id, definition: {}, updatedAt: 0 })
  }
})

function file(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

/** The command on the test's store, which stays open. */
async function docs(...argv: string[]) {
  const terminal = new FakeTerminal()
  const open = async () => ({
    apps: store,
    documents: store,
    audit: new Audit(store, DAY),
    close: async () => void terminal.closed++,
  })
  const code = await runCli(['docs', ...argv], terminal, { docs: docsCommand(open) })
  return { code, out: terminal.outLines, err: terminal.errLines, closed: terminal.closed }
}

const names = async (app: string) => (await store.listDocuments(app)).map(({ name }) => name)

describe('parley docs', () => {
  it('adds files, lists them, replaces one and deletes by name and by id', async () => {
    const [guide, hours] = [file('guide.md', '# Returns\n30 days'), file('hours.txt', 'Montags geschlossen')]
    expect(await docs('add', 'shop', guide, hours)).toMatchObject({
      code: 0,
      closed: 1,
      out: [
        expect.stringMatching(/^guide\.md is added: 1 part, id d_[0-9a-f]{12}$/),
        expect.stringMatching(/^hours\.txt is added: 1 part, id /),
        'Running servers use them within a second',
      ],
    })
    const listed = await docs('list', 'shop')
    expect(listed.out[0]).toMatch(/^ID +NAME +LANGUAGE +PARTS +CHARACTERS +ADDED$/)
    expect(listed.out.slice(1).join('\n')).toMatch(/guide\.md +english +1 +7 +\d{4}-.*\n.*hours\.txt +english/)
    const replaced = await docs('add', 'shop', '--language', 'german', file('hours.txt', 'Dienstags geschlossen'))
    expect(replaced.out[0]).toContain('hours.txt is replaced')
    expect(await store.searchDocuments('shop', 'montag', 5)).toEqual([])
    expect(await store.searchDocuments('shop', 'dienstag', 5)).toHaveLength(1)
    const [id] = (await store.listDocuments('shop')).map((row) => row.id)
    expect((await docs('delete', 'shop', 'hours.txt')).code).toBe(0)
    expect((await docs('delete', 'shop', id ?? '')).code).toBe(0)
    expect(await docs('list', 'shop')).toMatchObject({ code: 0, out: [], err: ['App shop has no documents'] })
  })

  it('I10: leaves the documents of other Apps alone', async () => {
    await docs('add', 'shop', file('guide.md', 'of the shop'))
    await docs('add', 'bank', file('guide.md', 'of the bank'))
    const [id] = (await store.listDocuments('bank')).map((row) => row.id)
    expect((await docs('delete', 'shop', id ?? '')).code).toBe(1)
    expect((await docs('list', 'shop')).out.join('\n')).not.toContain(id)
    expect((await docs('delete', 'shop', 'guide.md')).code).toBe(0)
    expect(await names('bank')).toEqual(['guide.md'])
  })

  it('stops at the first file that cannot be stored, says which and why, and keeps those before it', async () => {
    const [good, bad, later] = [file('a.md', 'text'), file('b.md', 'a\0b'), file('c.md', 'text')]
    const result = await docs('add', 'shop', good, bad, later)
    expect(result).toMatchObject({
      code: 1,
      closed: 1,
      err: [`parley docs: ${bad}: holds NUL characters: it is no text`],
    })
    expect(await names('shop')).toEqual(['a.md'])
    expect((await docs('add', 'shop', join(folder, 'nowhere.md'))).err[0]).toContain('nowhere.md: no such file')
  })

  it.each([
    ['add', 'nobody', file('x.md', 'x')],
    ['list', 'nobody'],
    ['delete', 'nobody', 'x.md'],
  ])('says that an App is not there: %s %s', async (...argv) => {
    expect(await docs(...argv)).toMatchObject({
      code: 1,
      err: ['parley docs: There is no stored App nobody; parley apps put FILE stores one'],
    })
  })

  it.each([
    [],
    ['fly'],
    ['add', 'shop'],
    ['add'],
    ['list'],
    ['delete', 'shop'],
    ['add', 'shop', 'x.md', '--language', 'klingon'],
    ['add', 'shop', 'a/x.md', 'b/x.md'],
  ])('misused as %j %j %j exits with 2 and shows the usage', async (...argv) => {
    const result = await docs(...argv.filter((word) => word !== undefined))
    expect(result.code).toBe(2)
    expect(result.err.join('\n')).toContain('parley docs add APP FILE...')
    expect(await names('shop')).toEqual([])
  })
})
