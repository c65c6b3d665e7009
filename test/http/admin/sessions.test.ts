import { randomUUID } from 'node:crypto'
import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SessionRow } from '../../../src/ports/store.ts'
import { answered, message, run } from '../../contracts/store-rows.ts'
import { SOON } from '../../contracts/store-subject.ts'
import { SocketClient } from '../../support/socket-client.ts'
import { AdminRig, codeOf } from './rig.ts'

let rig: AdminRig
beforeAll(async () => {
  rig = await AdminRig.open()
})
afterAll(() => rig.close())

const SESSIONS = '/v1/admin/sessions'
const Page = v.object({ sessions: v.array(v.object({ id: v.string() })), next: v.optional(v.string()) })

async function store(over: Partial<SessionRow> = {}): Promise<string> {
  const write = answered({ app: 'shop', account: 'acme', ...over })
  await rig.server.store.commit(write, SOON)
  return write.sessionId
}

async function page(key: string, query = '') {
  const { sessions, next } = v.parse(Page, (await rig.ask(key, 'GET', SESSIONS + query)).body)
  return { ids: sessions.map(({ id }) => id), next }
}

describe('sessions over /v1/admin', () => {
  it('are those of all users of the account, newest first, in pages that neither miss nor repeat one', async () => {
    const ids: string[] = []
    // Three of the same moment: the time alone does not tell them apart.
    for (const updatedAt of [1000, 2000, 2000, 2000, 3000])
      ids.unshift(await store({ updatedAt, createdAt: 1, user: updatedAt === 3000 ? 'ann' : 'bob' }))
    const foreign = await store({ account: 'globex', updatedAt: 2000 })
    const key = await rig.admin()
    const all = (await page(key)).ids
    expect(new Set(all)).toEqual(new Set(ids))
    expect([all[0], all[4]]).toEqual([ids[0], ids[4]])
    const seen: string[] = []
    let next: string | undefined
    do {
      const part = await page(key, `?limit=2${next === undefined ? '' : `&before=${next}`}`)
      seen.push(...part.ids)
      next = part.next
    } while (next !== undefined)
    expect(seen).toEqual(all)
    expect((await page(key, '?user=ann')).ids).toEqual([ids[0]])
    expect((await page(key, '?app=bank')).ids).toEqual([])
    expect((await page(key, '?account=globex')).ids).toEqual([])
    expect((await page(await rig.operator(), '?account=globex')).ids).toEqual([foreign])
    expect((await page(await rig.operator())).ids).toHaveLength(6)
    expect(codeOf(await rig.ask(key, 'GET', `${SESSIONS}?before=yesterday`))).toBe('bad_request')
    expect(codeOf(await rig.ask(key, 'GET', `${SESSIONS}?usr=ann`))).toBe('bad_request')
  })

  it.each([
    ['sessions?ap=support', 'ap: unknown parameter'],
    ['sessions?limit=0', 'limit: must be at least 1'],
    ['sessions?limit=201', 'limit: must be at most 200'],
    ['sessions?user=', 'user: must not be empty'],
    ['usage?from=foo', 'from: must be a date like 2026-01-31'],
  ])('asked for %s are told what is allowed', async (path, message) => {
    const refused = await rig.ask(await rig.operator(), 'GET', `/v1/admin/${path}`)
    expect(refused.body).toEqual({ error: { code: 'bad_request', message } })
  })

  it('are read in pages of messages, and that is noted', async () => {
    const id = await store({ user: 'ann', title: 'Returns' })
    const key = await rig.admin()
    const newest = await rig.ask(key, 'GET', `${SESSIONS}/${id}?limit=1`)
    expect(newest.body).toMatchObject({
      session: { id, user: 'ann', title: 'Returns' },
      messages: [{ id: 'r1-1', role: 'assistant', content: 'text r1-1' }],
      hasMore: true,
    })
    const older = await rig.ask(key, 'GET', `${SESSIONS}/${id}?limit=5&before=r1-1`)
    expect(older.body).toMatchObject({ messages: [{ id: 'r1-0' }], hasMore: false })
    const acts = await rig.server.store.listActs({ account: 'acme', limit: 5, since: 0 })
    expect(acts[0]).toMatchObject({ act: 'session.read', target: id, outcome: 'ok' })
  })

  it('I10: of another account or App are not there', async () => {
    const foreign = await store({ account: 'globex' })
    const other = await store({ app: 'bank' })
    for (const id of [foreign, other, randomUUID()])
      for (const [method, path] of [
        ['GET', id],
        ['GET', `${id}/export`],
        ['DELETE', id],
      ] as const)
        expect(codeOf(await rig.ask(await rig.admin(), method, `${SESSIONS}/${path}`))).toBe('session_not_found')
    expect(await rig.server.store.load(foreign)).toBeDefined()
    expect((await rig.ask(await rig.operator(), 'GET', `${SESSIONS}/${foreign}`)).status).toBe(200)
  })

  it('are deleted with what is on: their connections close and nothing comes back', async () => {
    const { key } = await rig.key({ scopes: ['read', 'write'] })
    const id = randomUUID()
    const socket = await SocketClient.connect(`ws://127.0.0.1:${rig.server.port}/ws?app=shop`, {
      headers: { 'x-api-key': key, 'x-session-id': id },
    })
    await socket.next()
    socket.sendJson({ type: 'message.send', clientMessageId: 'm1', content: 'count from 1 to 1000' })
    await expect.poll(async () => (await rig.server.store.load(id))?.openRuns.length).toBe(1)
    expect((await rig.ask(await rig.admin(), 'DELETE', `${SESSIONS}/${id}`)).status).toBe(204)
    expect((await socket.closed).code).toBe(4404)
    expect(await rig.server.store.load(id)).toBeUndefined()
    expect(codeOf(await rig.ask(await rig.admin(), 'DELETE', `${SESSIONS}/${id}`))).toBe('session_not_found')
  })

  it('are exported whole, also what was replaced, as JSON Lines in order', async () => {
    const first = answered({ app: 'shop', account: 'acme', title: 'Long' })
    const id = first.sessionId
    await rig.server.store.commit(first, SOON)
    const text = 'ü'.repeat(20_000)
    for (let position = 2; position <= 160; position++) {
      const row = run(id, `r${position}`, { position, ...(position === 160 ? { replaces: 'r159' } : {}) })
      const messages = [
        message(row, 0, { content: `${position}` }),
        message(row, 1, { role: 'assistant', content: text }),
      ]
      const supersede = position === 160 ? { supersedeFromRun: 'r159' } : {}
      await rig.server.store.commit({ sessionId: id, runs: [row], messages, ...supersede }, SOON)
    }
    const answer = await rig.ask(await rig.admin(), 'GET', `${SESSIONS}/${id}/export`)
    const lines = answer.text.split('\n')
    expect(lines.pop()).toBe('')
    const Line = v.looseObject({ type: v.string(), id: v.optional(v.string()) })
    const [session, ...others] = lines.map((line) => v.parse(Line, JSON.parse(line)))
    const messages = others.filter(({ type }) => type === 'message')
    expect(others.filter(({ type }) => type === 'run')).toHaveLength(160)
    expect(others.at(-1)).toEqual({ type: 'end', sessions: 1, runs: 160, messages: 320 })
    expect(session).toMatchObject({ type: 'session', id, title: 'Long', account: 'acme' })
    const expected = Array.from({ length: 160 }, (_, run) => [`r${run + 1}-0`, `r${run + 1}-1`]).flat()
    expect(messages.map((each) => each.id)).toEqual(expected)
    expect(messages.at(-1)).toMatchObject({ role: 'assistant', content: text, createdAt: expect.stringMatching(/Z$/) })
  })
})
