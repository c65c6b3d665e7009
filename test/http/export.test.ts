import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { exportRoutes } from '../../src/http/export.ts'
import { ExportDesk } from '../../src/http/export-desk.ts'
import { respondError } from '../../src/http/responses.ts'
import type { ExportLine, SessionFilter } from '../../src/ports/privacy.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import { type Gate, openGate } from '../access/fakes.ts'

const ID = randomUUID()
const HEAD: ExportLine = {
  type: 'session',
  format: 1,
  id: ID,
  app: 'default',
  status: 'idle',
  createdAt: '2026-01-01T00:00:00.000Z',
  updatedAt: '2026-01-01T00:00:00.000Z',
}
const said = (index: number): ExportLine => ({
  type: 'message',
  id: `m${index}`,
  sessionId: ID,
  runId: 'r1',
  index,
  role: 'user',
  content: 'x'.repeat(10_000),
  createdAt: '2026-01-01T00:00:00.000Z',
})

let gate: Gate
/** Exports that were begun, and those whose reading was ended. */
const [asked, ended]: [SessionFilter[], string[]] = [[], []]

beforeEach(() => {
  vi.useFakeTimers()
  gate = openGate()
  asked.length = ended.length = 0
})
afterEach(async () => {
  await gate.access.close()
  vi.useRealTimers()
})

/** The route on exports that hold these lines, `fails` after them. */
function open(lines: readonly ExportLine[], fails?: ParleyError) {
  const exports = {
    async *exportSessions(filter: SessionFilter): AsyncGenerator<ExportLine, void, undefined> {
      asked.push(filter)
      try {
        yield* lines
        if (fails !== undefined) throw fails
      } finally {
        ended.push(String(filter.session))
      }
    },
  }
  const routes = exportRoutes({ access: gate.access, exports }, new ExportDesk())
  routes.onError((thrown) => respondError(thrown, gate.telemetry))
  return (method = 'GET', address = '127.0.0.1'): Promise<Response> => {
    const request = new Request(`http://127.0.0.1:8080/v1/sessions/${ID}/export`, {
      method,
      headers: { host: '127.0.0.1:8080' },
    })
    return Promise.resolve(routes.fetch(request, { peer: { address, secure: false } }))
  }
}

const many = [HEAD, ...Array.from({ length: 40 }, (_, index) => said(index))]

describe('an export by HTTP', () => {
  it('asks for the session of exactly this owner', async () => {
    await (await open([HEAD])()).text()
    expect(asked).toEqual([{ app: 'default', account: null, user: null, session: ID }])
    expect(ended).toEqual([ID])
  })

  it('reads no further than its reader takes', async () => {
    const reader = (await open(many)()).body?.getReader()
    const first = await reader?.read()
    expect(first?.value?.length).toBeLessThan(100_000)
    expect(ended).toEqual([])
    await reader?.cancel()
    expect(ended).toEqual([ID])
  })

  it('is cut when its reader stalls, and when it takes too long in all', async () => {
    for (const everyMs of [30_000, 29_000]) {
      const reader = (await open(many.concat(many, many, many))()).body?.getReader()
      const read = async (): Promise<void> => {
        for (;;) {
          if ((await reader?.read())?.done !== false) return
          await vi.advanceTimersByTimeAsync(everyMs)
        }
      }
      await expect(read()).rejects.toMatchObject({ code: 'store_unavailable' })
    }
    expect(ended).toEqual([ID, ID])
  })

  it('tells its reader that it is cut when the next part is not asked for', async () => {
    const reader = (await open(many)()).body?.getReader()
    let fault: unknown
    reader?.closed.catch((thrown: unknown) => {
      fault = thrown
    })
    await reader?.read()
    await vi.advanceTimersByTimeAsync(30_000)
    expect(ended).toEqual([ID])
    expect(fault).toMatchObject({ code: 'store_unavailable' })
  })

  it('is cut when the store fails in the middle', async () => {
    const answer = await open(many, new ParleyError('store_unavailable'))()
    await expect(answer.text()).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(ended).toEqual([ID])
  })

  it('takes eight readers at once, four of them at one address, and the next when one has left', async () => {
    const ask = open(many)
    const five = (address: string) => Promise.all(Array.from({ length: 5 }, () => ask('GET', address)))
    const answers = await five('203.0.113.7')
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 503])
    expect(answers[4]?.headers.get('retry-after')).toBe('1')
    expect((await five('203.0.113.8')).map(({ status }) => status)).toEqual([200, 200, 200, 200, 503])
    expect((await ask('GET', '203.0.113.9')).status).toBe(503)
    await answers[0]?.body?.cancel()
    expect((await ask('GET', '203.0.113.9')).status).toBe(200)
    expect((await ask('GET', '203.0.113.7')).status).toBe(503)
  })

  it('gives its place back when there is nothing, and to HEAD', async () => {
    const none = open([{ type: 'end', sessions: 0, runs: 0, messages: 0 }])
    for (let times = 0; times < 10; times++) expect((await none()).status).toBe(404)
    const failing = open([], new ParleyError('store_unavailable'))
    for (let times = 0; times < 10; times++) expect((await failing()).status).toBe(503)
    const ask = open(many)
    for (let times = 0; times < 10; times++) expect((await ask('HEAD')).status).toBe(200)
    expect(ended).toHaveLength(30)
  })
})
