import { afterEach, expect, it } from 'vitest'
import { appJsonSchema } from '../../src/apps/json-schema.ts'
import { LiveServer } from '../support/live-server.ts'
import { createTestDatabase } from '../support/postgres.ts'
import { openSite, type Site } from './fakes.ts'

/** Milliseconds for a test that starts a server with a database of its own. */
const SLOW_MS = 30_000
const PATH = '/v1/app.schema.json'
let site: Site | undefined
afterEach(async () => {
  await site?.close()
  site = undefined
})

it('is given to everybody, from pages of all sites, for some minutes', async () => {
  site = openSite()
  const answer = await site.ask(PATH, { headers: { origin: 'https://editor.example.com' } })
  expect(answer.status).toBe(200)
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'content-type': 'application/schema+json; charset=utf-8',
    'cache-control': 'public, max-age=300',
    'access-control-allow-origin': 'https://editor.example.com',
    'x-content-type-options': 'nosniff',
  })
  expect(await answer.json()).toEqual({ title: 'An App' })
})

it('is only read', async () => {
  site = openSite()
  const head = await site.ask(PATH, { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
  const post = await site.ask(PATH, { method: 'POST' })
  expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
})

it('is the schema of what the server stores', { timeout: SLOW_MS }, async () => {
  const database = await createTestDatabase()
  const server = await LiveServer.start({ transport: 'ws', database: database.connection })
  const answer = await fetch(`http://127.0.0.1:${server.port}${PATH}`)
  expect(await answer.json()).toEqual(JSON.parse(JSON.stringify(appJsonSchema())))
  await server.close()
  await database.drop()
})
