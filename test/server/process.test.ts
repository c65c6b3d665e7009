import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ChatApi } from '../support/chat-api.ts'
import { chatAnswer, says } from '../support/chat-api-events.ts'
import { LiveClient } from '../support/live-server.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { stream } from '../support/stub-server.ts'

/** Milliseconds for a test that starts processes, one of them with a new data directory. */
const SLOW_MS = 30_000
const KIB = 1024

const portOf = (server: ParleyProcess): number => Number(new URL(server.url).port)

describe('the server as people start it', () => {
  let server: ParleyProcess
  let session: string

  beforeEach(async () => {
    server = await ParleyProcess.start()
    session = randomUUID()
  }, SLOW_MS)

  afterEach(() => server.dispose(), SLOW_MS)

  const connect = (): Promise<LiveClient> => LiveClient.connect(portOf(server), session)

  it('says where the page is, which store, model and transport it uses, and that the demo is no AI', () => {
    expect(server.said.join('\n')).toMatch(
      /^Parley is ready: http:\/\/127\.0\.0\.1:\d+\n +store +embedded Postgres, data in \/.+\n +model +scripted\/demo: .*not an AI.*\n +transport +(uWebSockets\.js|ws)/,
    )
  })

  it('serves the page, health and metrics', async () => {
    const page = await fetch(server.url)
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self';")
    expect(await page.text()).toContain('<title>Parley</title>')
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
    expect(await (await fetch(`${server.url}/metrics`)).text()).toContain('parley_connections 0')
  })

  it(
    'I1 I2 I5: after kill -9 in an answer has every message once, the answer marked, and goes on',
    async () => {
      const client = await connect()
      await client.ask('hello')
      client.send({ type: 'message.send', clientMessageId: 'm2', content: 'count from 1 to 1000' })
      const { runId } = await client.control('ack')
      // A checkpoint is due at least once a second: what is there by then is in the store.
      await client.until(
        (frame): frame is typeof frame =>
          'chunk' in frame && 'delta' in frame.chunk && frame.chunk.delta.includes(' 30'),
      )
      await server.kill()
      expect(await client.socket.closed).toMatchObject({ code: 1006 })
      await server.start()
      const after = await connect()
      const ready = await after.control('session.ready')
      expect(ready).toMatchObject({
        status: 'interrupted',
        lastRun: { runId, outcome: 'interrupted' },
        resumed: 'snapshot',
      })
      const { messages } = await after.control('session.snapshot')
      expect(messages.map(({ role, content }) => [role, (content ?? '').slice(0, 20)])).toEqual([
        ['user', 'hello'],
        ['assistant', expect.anything()],
        ['user', 'count from 1 to 1000'],
        ['assistant', expect.stringMatching(/^1 2 3/)],
      ])
      expect(messages.at(-1)?.metadata.interrupted).toBe(true)
      await after.ask('what did I say?')
      expect(after.events.at(-1)).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'success' } })
    },
    SLOW_MS,
  )

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'I12: at %s to its whole group ends what is on, saves it and exits with 0',
    async (signal) => {
      const client = await connect()
      client.send({ type: 'message.send', clientMessageId: 'm1', content: 'count from 1 to 1000' })
      await client.event('TEXT_MESSAGE_CONTENT')
      const exit = server.signalGroup(signal)
      await client.control('server.draining')
      await client.end()
      expect(await client.socket.closed).toMatchObject({ code: 1012 })
      expect(await exit).toBe(0)
      await server.start()
      const after = await connect()
      expect(await after.control('session.ready')).toMatchObject({ lastRun: { outcome: 'interrupted' } })
    },
    SLOW_MS,
  )

  it(
    'I12: drains, saves and exits with 0 also when nobody reads its lines any more',
    async () => {
      const client = await connect()
      client.send({ type: 'message.send', clientMessageId: 'm1', content: 'count from 1 to 1000' })
      await client.event('TEXT_MESSAGE_CONTENT')
      server.stopReading()
      const exit = server.signalGroup('SIGTERM')
      await client.end()
      expect(await client.socket.closed).toMatchObject({ code: 1012 })
      expect(await exit).toBe(0)
    },
    SLOW_MS,
  )

  it('refuses what no page of another site may do with a server on this machine', async () => {
    const refused = await fetch(`${server.url}/v1/sessions/${session}`, {
      method: 'DELETE',
      headers: { origin: 'https://evil.example' },
    })
    expect(refused.status).toBe(403)
  })

  it('I7: keeps a connection that sends a frame too large, and says so', async () => {
    const client = await connect()
    client.socket.send(JSON.stringify({ type: 'message.send', clientMessageId: 'm1', content: 'x'.repeat(70 * KIB) }))
    expect(await client.control('error')).toMatchObject({ code: 'frame_too_large' })
    await client.ask('hello')
  })
})

describe('a server that cannot start', () => {
  it('says which setting is wrong and what is allowed', async () => {
    const failed: unknown = await ParleyProcess.start({ PARLEY_TRANSPORT: 'pigeon', PARLEY_QUEUE: '-1' }).catch(
      (thrown: unknown) => thrown,
    )
    expect(failed).toMatchObject({
      message: expect.stringMatching(/PARLEY_TRANSPORT.*auto.*uws.*ws[\s\S]*PARLEY_QUEUE/),
    })
  })
})

describe('the server beside a local model', () => {
  it(
    'needs its address and no key, says which providers it has, and answers with it',
    async () => {
      const api = await ChatApi.listen({ script: () => stream(chatAnswer([says('Hello from here')])) })
      const server = await ParleyProcess.start({
        OPENAI_BASE_URL: api.baseURL.replace('//', '//someone:secret@'),
        PARLEY_MODEL: 'openai/qwen3:8b',
        PARLEY_FALLBACKS: 'scripted/demo',
        PARLEY_TITLES: 'off',
      })
      try {
        const said = server.said.join('\n')
        expect(said).toMatch(/^ {2}model +openai\/qwen3:8b, else scripted\/demo$/m)
        expect(said).toContain(`providers  openai at ${new URL(api.url).host}`)
        expect(said).not.toContain('secret')
        const client = await LiveClient.connect(portOf(server), randomUUID())
        await client.ask('hello')
        expect(client.events.at(-1)).toMatchObject({
          type: 'RUN_FINISHED',
          usage: [{ provider: 'openai', model: 'qwen3:8b' }],
        })
        expect(api.requests.map(({ headers }) => headers.authorization)).toEqual([undefined])
      } finally {
        await server.dispose()
        await api.close()
      }
    },
    SLOW_MS,
  )
})
