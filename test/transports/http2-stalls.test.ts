import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type Settings } from 'node:http2'
import { connect as connectTcp, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as after } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createWsTransport } from '../../src/transports/ws.ts'
import { makeCertificate } from '../support/certificate.ts'
import { useRig } from './rig.ts'

const folder = mkdtempSync(join(tmpdir(), 'parley-h2-'))
afterAll(() => rmSync(folder, { recursive: true }))
const { cert, key } = makeCertificate()
const tls = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
writeFileSync(tls.certFile, cert)
writeFileSync(tls.keyFile, key)

/** Where node tells of each connection that a server takes in. */
const ACCEPTED = 'net.server.socket'
const isAccepted = (message: unknown): message is { socket: Socket } =>
  typeof message === 'object' && message !== null && 'socket' in message && message.socket instanceof Socket

/** Real sockets and node's own timers: short, and yet many turns of a loop that is busy. */
const STALL_MS = 400
/** Of a peer that lets nothing come. */
const SHUT: Settings = { initialWindowSize: 0 }
const LARGE = Buffer.alloc(4 * 1024 * 1024, 'x')
/** More than a minute without a request, and the time to leave. */
const IDLE_MS = 61_000
const LEAVE_MS = 5000

describe('HTTP/2, when the peer takes nothing', () => {
  const rig = useRig(async (handlers, options, telemetry) =>
    createWsTransport(handlers, { ...options, tls }, telemetry, STALL_MS),
  )

  async function open(settings: Settings): Promise<ClientHttp2Session> {
    const session = connect(`https://localhost:${rig().port}`, { ca: cert, settings })
    session.on('error', () => undefined)
    onTestFinished(() => session.destroy())
    await once(session, 'connect')
    return session
  }

  function ask(session: ClientHttp2Session, path: string): ClientHttp2Stream {
    const stream = session.request({ ':path': path })
    stream.on('error', () => undefined)
    return stream
  }

  /** Also of one that ends with an error. */
  const closeOf = (stream: ClientHttp2Stream) => new Promise((resolve) => stream.once('close', resolve))

  it('cuts its streams, whole answers and those that go on, and serves what it asks for next', async () => {
    let cancelled = false
    const endless = () =>
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(LARGE.subarray(0, 65_536)),
        cancel: () => {
          cancelled = true
        },
      })
    rig().fetch = async ({ url }) => new Response(url.endsWith('/whole') ? LARGE : url.endsWith('/') ? null : endless())
    const session = await open(SHUT)
    const streams = ['/whole', '/endless'].map((path) => ask(session, path))
    await Promise.all(streams.map(closeOf))
    expect(streams.map(({ rstCode }) => rstCode)).toEqual([constants.NGHTTP2_CANCEL, constants.NGHTTP2_CANCEL])
    await expect.poll(() => cancelled).toBe(true)
    const [headers] = await once(ask(session, '/'), 'response')
    expect(headers[':status']).toBe(200)
    expect(rig().logged).toEqual([])
  })

  it('leaves a reader alone that takes a little at a time, and gives it all', async () => {
    rig().fetch = async () => new Response(LARGE)
    let bytes = 0
    for await (const chunk of ask(await open({}), '/')) {
      const before = Math.floor(bytes / 524_288)
      bytes += chunk.length
      if (Math.floor(bytes / 524_288) > before) await after(STALL_MS / 4)
    }
    expect(bytes).toBe(LARGE.length)
  })

  it('leaves a stream alone that has nothing to say, and a handler that takes its time', async () => {
    rig().fetch = async () => {
      await after(2 * STALL_MS)
      const events = new ReadableStream<Uint8Array>({
        start: async (controller) => {
          await after(3 * STALL_MS)
          controller.enqueue(Buffer.from('data: 1\n\n'))
          controller.close()
        },
      })
      return new Response(events, { headers: { 'content-type': 'text/event-stream' } })
    }
    expect(await text(ask(await open({}), '/'))).toContain('data: 1\n\n')
  })

  it('refuses more requests while much waits, before anything is done', async () => {
    let handled = 0
    rig().fetch = async () => {
      handled++
      return new Response(LARGE)
    }
    const session = await open(SHUT)
    for (let nth = 0; nth < 3; nth++) await once(ask(session, '/'), 'response')
    const refused = ask(session, '/')
    await closeOf(refused)
    expect([refused.rstCode, handled]).toEqual([constants.NGHTTP2_REFUSED_STREAM, 3])
  })

  it('cuts a connection without requests whose peer does not leave', async () => {
    let server: Socket | undefined
    const note = (message: unknown): void => {
      if (isAccepted(message)) server ??= message.socket
    }
    subscribe(ACCEPTED, note)
    onTestFinished(() => void unsubscribe(ACCEPTED, note))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const socket = connectTcp({ port: rig().port, allowHalfOpen: true })
    onTestFinished(() => void socket.destroy())
    // The types of TLS do not know that it may stay half open, too.
    const options = { socket, ca: cert, servername: 'localhost', ALPNProtocols: ['h2'], allowHalfOpen: true }
    const peer = connectTls(options)
    // What the server says first: its session has begun.
    await once(peer, 'data')
    peer.resume()
    await vi.advanceTimersByTimeAsync(IDLE_MS)
    expect(server?.destroyed).toBe(false)
    await vi.advanceTimersByTimeAsync(LEAVE_MS)
    await expect.poll(() => server?.destroyed).toBe(true)
  })
})
