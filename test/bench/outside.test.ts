import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { greet } from '../../bench/contenders/contender-outside.ts'
import { Crowd } from '../../bench/load/crowd.ts'
import { Latencies } from '../../bench/load/latencies.ts'
import { LoadSession } from '../../bench/load/session.ts'
import { BenchError, type OutsideOptions, readOptions } from '../../bench/rig/options.ts'
import { LiveServer } from '../support/live-server.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'

/** The live server's model counts at a quarter of 2,000 tokens a second. */
const RATE = 500
const TOKENS = 300

function outsideOf(port: number, ...more: string[]): OutsideOptions {
  const { outside } = readOptions(['--url', `ws://127.0.0.1:${port}`, '--rate', String(RATE), ...more])
  if (outside === undefined) throw new Error('not outside')
  return outside
}

async function refusal(outside: OutsideOptions, counts = true): Promise<string> {
  const error = await greet(outside, counts).then(
    () => new Error('was let in'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(BenchError)
  return error instanceof Error ? error.message : ''
}

const order = (tag: string) => ({ tokens: TOKENS, rate: 0, apart: false, tag })

describe('a server that somebody else started', () => {
  let database: TestDatabase
  let server: LiveServer

  beforeAll(async () => {
    database = await createTestDatabase()
    server = await LiveServer.start({ transport: 'auto', database: database.connection })
  })

  afterAll(async () => {
    await server.close()
    await database.drop()
  })

  it('is greeted: it lets a session in and counts', async () => {
    await expect(greet(outsideOf(server.port), true)).resolves.toBeUndefined()
  })

  it('refuses a wrong key and an unknown App, and the bench says so in a line', async () => {
    expect(await refusal(outsideOf(server.port, '--key', 'sk_live_wrong'))).toMatch(
      /^ws:\/\/127\.0\.0\.1:\d+ refuses the handshake: 401 Unauthorized: unauthorized, /,
    )
    expect(await refusal(outsideOf(server.port, '--app', 'nope'))).toContain('refuses the handshake: 40')
  })

  it('is not there', async () => {
    expect(await refusal(outsideOf(1))).toBe('ws://127.0.0.1:1: nothing listens there')
  })

  it('gives each token once and in order across a lost line, and times only what did not wait for the client', async () => {
    const crowd = new Crowd()
    const { target } = outsideOf(server.port)
    const session = await LoadSession.open(target, randomUUID(), undefined, crowd.sink)
    const ended = session.run(order('cut'))
    while (session.tokens < TOKENS / 4) await sleep(1)
    session.leave()
    const atCut = session.tokens
    await sleep(100)
    expect(session.tokens).toBe(atCut)
    await session.back(undefined)
    expect(await ended).toEqual({ tokens: TOKENS, toolResults: 0, stopped: false })
    session.leave()
    expect(crowd.fault).toBeUndefined()
    const { tokens, errors, latencies } = crowd.window()
    expect({ tokens, errors }).toEqual({ tokens: TOKENS, errors: 0 })
    // Some fifty numbers were due while it was away: were they timed, the slowest would have taken 100 ms.
    expect(Latencies.decode(latencies).count).toBeLessThan(TOKENS - 25)
    expect(crowd.firsts.count).toBe(1)
  })

  it('stops an answer, and the end of the run is timed from asking', async () => {
    const crowd = new Crowd()
    const session = await LoadSession.open(outsideOf(server.port).target, randomUUID(), undefined, crowd.sink)
    const ended = session.run(order('stop'))
    while (session.tokens < 5) await sleep(1)
    session.stop()
    const { tokens, stopped } = await ended
    session.leave()
    expect(stopped).toBe(true)
    expect(tokens).toBeLessThan(TOKENS)
    expect(crowd.stops.count).toBe(1)
    expect(crowd.tokensAfterAck).toBe(0)
    expect(crowd.fault).toBeUndefined()
  })
})

describe('a server whose model is no demo', () => {
  let database: TestDatabase
  let server: LiveServer

  beforeAll(async () => {
    database = await createTestDatabase()
    server = await LiveServer.start({ transport: 'ws', database: database.connection, model: 'anthropic/claude-stub' })
  })

  afterAll(async () => {
    await server.close()
    await database.drop()
  })

  it('is asked for nothing, and may be connected to', async () => {
    expect(await refusal(outsideOf(server.port))).toContain(
      "the App's model is anthropic/claude-stub: only scripted/demo",
    )
    await expect(greet(outsideOf(server.port), false)).resolves.toBeUndefined()
  })
})

describe('what is no Parley', () => {
  let server: Server

  beforeAll(async () => {
    server = createServer((_, response) => response.writeHead(404).end('nothing here'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })

  afterAll(() => new Promise((resolve) => server.close(resolve)))

  it('is shown with what it says', async () => {
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    expect(await refusal(outsideOf(port))).toMatch(/refuses the handshake: 404 Not Found: .*nothing here/s)
  })
})
