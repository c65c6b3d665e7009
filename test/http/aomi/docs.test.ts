import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readTables } from '../../protocol/markdown.ts'
import { openSite, type Site } from '../fakes.ts'

const SESSION = '550e8400-e29b-41d4-a716-446655440000'
const page = readFileSync(new URL('../../../docs/aomi.md', import.meta.url), 'utf8')
const tables = readTables(page)

/** Rows of the table whose last column is called so: method, path, and what stands there. */
function rowsOf(heading: string): (readonly [string, string, string])[] {
  const rows = tables.find(({ header }) => header.at(-1) === heading)?.rows ?? []
  return rows.map(([method = '', path = '', last = '']) => [method, path.replaceAll('`', ''), last])
}

describe('docs/aomi.md', () => {
  let site: Site
  beforeEach(() => {
    site = openSite()
  })
  afterEach(() => site.close())

  async function ask(method: string, path: string): Promise<number> {
    const filled = path.replace('{id}', SESSION).replace(/\{\w+\}/, 'x')
    const answer = await site.ask(filled, { method, headers: { 'x-session-id': SESSION } })
    await answer.body?.cancel()
    // A session that nobody made is not found; a path that is not served has no such word.
    const isServed = answer.status !== 404 || answer.headers.has('access-control-allow-origin')
    return isServed ? answer.status : 0
  }

  it('has both tables', () => {
    expect([rowsOf('what it does').length, rowsOf('answer').length]).toEqual([27, 2])
  })

  it.each(rowsOf('what it does'))('%s %s is served', async (method, path) => {
    expect([0, 405, 501]).not.toContain(await ask(method, path))
  })

  it.each(rowsOf('answer'))('%s %s is answered by %s', async (method, path, status) => {
    expect(await ask(method, path)).toBe(status === '404' ? 0 : Number(status))
  })
})
