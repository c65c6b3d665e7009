import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { MAX_HEADERS } from '../../src/transports/http-request.ts'
import { createWsTransport } from '../../src/transports/ws.ts'
import { makeCertificate } from '../support/certificate.ts'
import { SocketClient } from '../support/socket-client.ts'
import { OPTIONS, useRig } from './rig.ts'

const folder = mkdtempSync(join(tmpdir(), 'parley-h2-'))
afterAll(() => rmSync(folder, { recursive: true }))
const { cert, key } = makeCertificate()
const tls = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
writeFileSync(tls.certFile, cert)
writeFileSync(tls.keyFile, key)

type Asked = { readonly status: number; readonly headers: Readonly<Record<string, unknown>>; readonly body: string }

describe('HTTP/2 on the ws transport with a certificate', () => {
  const rig = useRig(async (handlers, options, telemetry) =>
    createWsTransport(handlers, { ...options, tls }, telemetry),
  )

  async function open(): Promise<ClientHttp2Session> {
    const session = connect(`https://localhost:${rig().port}`, { ca: cert })
    session.on('error', () => undefined)
    onTestFinished(() => session.destroy())
    await once(session, 'connect')
    return session
  }

  async function read(stream: ClientHttp2Stream): Promise<Asked> {
    const [headers] = await once(stream, 'response')
    return { status: Number(headers[':status']), headers, body: await text(stream) }
  }

  const ask = (session: ClientHttp2Session, headers: Record<string, string>, body?: string): Promise<Asked> => {
    const stream = session.request(headers, { endStream: body === undefined })
    if (body !== undefined) stream.end(body)
    return read(stream)
  }

  it('answers requests with their method, address, headers and body, and says that they share a connection', async () => {
    rig().fetch = async (request, peer) => {
      const said = `${request.method} ${request.url} ${request.headers.get('x-a')} ${await request.text()}`
      return new Response(`${said} ${peer.secure} ${peer.multiplexed}`, { status: 201, headers: { 'x-b': 'c' } })
    }
    const session = await open()
    const get = await ask(session, { ':path': '/page?a=b', 'x-a': '1' })
    expect(get).toMatchObject({ status: 201, headers: { 'x-b': 'c', 'content-length': expect.any(String) } })
    expect(get.body).toBe(`GET https://localhost:${rig().port}/page?a=b 1  true true`)
    const post = await ask(session, { ':method': 'POST', ':path': '/', 'x-a': '2' }, 'ünïcode')
    expect(post.body).toContain('POST')
    expect(post.body).toContain('2 ünïcode true')
    expect(await ask(session, { ':method': 'HEAD', ':path': '/' })).toMatchObject({ status: 201, body: '' })
  })

  it('fifty streams of events and a poll share one connection', async () => {
    const controllers = new Set<ReadableStreamDefaultController<Uint8Array>>()
    rig().fetch = async (request) => {
      if (new URL(request.url).pathname === '/poll') return new Response('polled')
      const events = new ReadableStream<Uint8Array>({
        start: (controller) => {
          controllers.add(controller)
          controller.enqueue(Buffer.from('data: 1\n\n'))
        },
      })
      return new Response(events, { headers: { 'content-type': 'text/event-stream' } })
    }
    const session = await open()
    const streams = Array.from({ length: 50 }, () => session.request({ ':path': '/updates' }))
    const firsts = await Promise.all(streams.map(async (stream) => String((await once(stream, 'data'))[0])))
    expect(new Set(firsts)).toEqual(new Set(['data: 1\n\n']))
    expect((await ask(session, { ':path': '/poll' })).body).toBe('polled')
    for (const controller of controllers) controller.close()
    await Promise.all(streams.map((stream) => once(stream, 'end')))
  })

  it('refuses a body that is too large, whether it says so or not', async () => {
    rig().fetch = async (request) => new Response(String((await request.text()).length))
    const session = await open()
    const big = 'x'.repeat(OPTIONS.maxBodyBytes + 1)
    const said = { ':method': 'POST', ':path': '/', 'content-length': String(big.length) }
    for (const headers of [said, { ':method': 'POST', ':path': '/' }]) {
      const stream = session.request(headers)
      stream.on('error', () => undefined)
      stream.end(big)
      const [answer] = await once(stream, 'response')
      expect(answer[':status']).toBe(413)
      stream.close()
    }
    expect((await ask(session, { ':method': 'POST', ':path': '/' }, 'ok')).body).toBe('2')
  })

  it('aborts the request when its stream is cancelled, and takes no more of its body than fits', async () => {
    let taken = 0
    let cancelled = false
    let aborted = false
    rig().fetch = async (request) => {
      request.signal.addEventListener('abort', () => {
        aborted = true
      })
      const endless = new ReadableStream<Uint8Array>(
        {
          pull: (controller) => {
            taken++
            controller.enqueue(Buffer.alloc(64 * 1024))
          },
          cancel: () => {
            cancelled = true
          },
        },
        { highWaterMark: 0 },
      )
      return new Response(endless)
    }
    const session = await open()
    const stream = session.request({ ':path': '/' })
    stream.on('error', () => undefined)
    await once(stream, 'response')
    await expect.poll(() => taken).toBeGreaterThan(0)
    for (let before = -1; before !== taken; ) {
      before = taken
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(taken).toBeLessThan(100)
    stream.close(constants.NGHTTP2_CANCEL)
    await expect.poll(() => [aborted, cancelled]).toEqual([true, true])
  })

  it('a handler that fails in the middle resets the stream and leaves the connection', async () => {
    rig().fetch = async (request) => {
      if (new URL(request.url).pathname === '/ok') return new Response('ok')
      let sent = 0
      return new Response(
        new ReadableStream<Uint8Array>({
          pull: async (controller) => {
            await new Promise((resolve) => setTimeout(resolve, 5))
            if (++sent > 2) throw new Error('broken')
            controller.enqueue(Buffer.from('part'))
          },
        }),
      )
    }
    const session = await open()
    const stream = session.request({ ':path': '/' })
    const error = once(stream, 'error').catch((thrown: unknown) => [thrown])
    stream.resume()
    expect(String((await error)[0])).toContain('INTERNAL_ERROR')
    expect((await ask(session, { ':path': '/ok' })).body).toBe('ok')
  })

  it('refuses a Host that would smuggle something in, and methods that are not served', async () => {
    let handled = 0
    rig().fetch = async (request) => {
      handled++
      return new Response(request.url)
    }
    const session = await open()
    // The library's own refusal of what RFC 9113 8.3.1 forbids.
    await expect(ask(session, { ':authority': 'a@b/c', ':path': '/' })).rejects.toThrow('PROTOCOL_ERROR')
    const next = await open()
    expect((await ask(next, { ':method': 'TRACE', ':path': '/' })).status).toBe(400)
    expect(handled).toBe(0)
  })

  it('refuses too many headers, also beside it over HTTP/1.1, where node would drop the last ones', async () => {
    let handled = 0
    rig().fetch = async (request) => {
      handled++
      return new Response(String([...request.headers].length))
    }
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`a${at}`, '']))
    const session = await open()
    // One of them is the host, which HTTP/2 has elsewhere.
    expect((await ask(session, { ':path': '/', ...many(MAX_HEADERS - 1) })).body).toBe(String(MAX_HEADERS))
    expect((await ask(session, { ':path': '/', ...many(MAX_HEADERS) })).status).toBe(431)
    await expect(ask(session, { ':path': '/', ...many(1100) })).rejects.toThrow('ENHANCE_YOUR_CALM')
    expect(handled).toBe(1)
    const old = request(`https://localhost:${rig().port}/`, { ca: cert, headers: many(1100) }).end()
    const [answer] = await once(old, 'response')
    expect([answer.statusCode, handled]).toEqual([431, 1])
    answer.resume()
  })

  it('WebSockets come over HTTP/1.1 beside it', async () => {
    rig().fetch = async () => new Response('ok')
    const session = await open()
    const socket = await SocketClient.connect(`wss://localhost:${rig().port}/ws`, { ca: cert })
    socket.send('hello')
    await expect.poll(() => rig().peers[0]?.texts).toEqual(['hello'])
    expect((await ask(session, { ':path': '/' })).body).toBe('ok')
    await socket.close(1000)
  })

  it('a drain lets what is under way end, takes nothing new, and closes', async () => {
    let finish: () => void = () => undefined
    rig().fetch = async () =>
      new Response(
        new ReadableStream<Uint8Array>({
          start: (controller) => {
            controller.enqueue(Buffer.from('begun '))
            finish = () => {
              controller.enqueue(Buffer.from('ended'))
              controller.close()
            }
          },
        }),
      )
    const [session, idle] = [await open(), await open()]
    const stream = session.request({ ':path': '/' })
    await once(stream, 'response')
    const whole = text(stream)
    const left = once(idle, 'close')
    rig().transport.stopListening()
    await left
    finish()
    expect(await whole).toBe('begun ended')
    await once(session, 'close')
  })

  it('a close tells who has nothing under way that the connection ends', async () => {
    const session = await open()
    await ask(session, { ':path': '/' })
    const goaway = once(session, 'goaway')
    await rig().transport.close()
    expect((await goaway)[0]).toBe(constants.NGHTTP2_NO_ERROR)
  })

  it('a close cuts what is left', async () => {
    rig().fetch = () => new Promise(() => undefined)
    const session = await open()
    const stream = session.request({ ':path': '/' })
    stream.on('error', () => undefined)
    const closed = once(session, 'close')
    await expect.poll(() => session.state.outboundQueueSize).toBe(0)
    await rig().transport.close()
    await closed
  })
})
