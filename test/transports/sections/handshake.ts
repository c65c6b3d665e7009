import { request } from 'node:http'
import { describe, expect, it } from 'vitest'
import type { HandshakeVerdict } from '../../../src/ports/transport.ts'
import { MAX_HEADERS } from '../../../src/transports/http-request.ts'
import { HandshakeRefused, SocketClient } from '../../support/socket-client.ts'
import { handshake, headers, RawPeer } from '../raw-peer.ts'
import type { Rig } from '../rig.ts'

const REFUSAL = { status: 401, headers: { 'content-type': 'application/json', 'x-why': 'key' }, body: '{"error":"no"}' }

/** A verdict that comes when the test says so. */
function slow(): { readonly promise: Promise<HandshakeVerdict>; readonly give: (verdict: HandshakeVerdict) => void } {
  let give: (verdict: HandshakeVerdict) => void = () => undefined
  const promise = new Promise<HandshakeVerdict>((resolve) => {
    give = resolve
  })
  return { promise, give }
}

async function refusedWith(connecting: Promise<unknown>): Promise<HandshakeRefused> {
  const thrown: unknown = await connecting.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (thrown instanceof HandshakeRefused) return thrown
  throw new Error(`not refused: ${String(thrown)}`)
}

export function handshakes(rig: () => Rig): void {
  describe('a handshake', () => {
    it('is given to the core with path, query, headers and address', async () => {
      await SocketClient.connect(`${rig().url}?app=demo&x=%20`, { headers: { 'X-Session-Id': 'abc' } })
      const [seen] = rig().requests
      expect(seen).toMatchObject({ path: '/ws', query: 'app=demo&x=%20', address: '127.0.0.1', secure: false })
      expect(seen?.header('x-session-id')).toBe('abc')
      expect(seen?.header('x-other')).toBeUndefined()
    })

    it('joins a header that came twice', async () => {
      const raw = await RawPeer.connect(rig().port)
      raw.write(
        handshake('/ws').replace(
          'Host: localhost',
          'Host: localhost\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2',
        ),
      )
      await raw.until('\r\n\r\n')
      expect(rig().requests[0]?.header('x-forwarded-for')).toBe('1.1.1.1, 2.2.2.2')
    })

    it.each([MAX_HEADERS + 1, 1100])('with %i headers is answered 431 and not shown to the core', async (count) => {
      const raw = await RawPeer.connect(rig().port)
      const own = handshake('/ws').split('\r\n').length - 3
      raw.write(handshake('/ws').replace('\r\n\r\n', `\r\n${headers(count - own)}\r\n`))
      expect(await raw.until('\r\n\r\n')).toMatch(/^HTTP\/1.1 431/)
      await raw.ended
      expect(rig().requests).toEqual([])
      raw.socket.destroy()
    })

    it('with as many headers as are allowed is shown to the core with all of them', async () => {
      const raw = await RawPeer.connect(rig().port)
      const own = handshake('/ws').split('\r\n').length - 3
      const more = `${headers(MAX_HEADERS - own - 1)}X-Last: here\r\n`
      raw.write(handshake('/ws').replace('\r\n\r\n', `\r\n${more}\r\n`))
      expect(await raw.until('\r\n\r\n')).toMatch(/^HTTP\/1.1 101/)
      expect(rig().requests[0]?.header('x-last')).toBe('here')
    })

    it('keeps the request readable after the verdict was awaited', async () => {
      const verdict = slow()
      rig().verdict = () => verdict.promise
      const connecting = SocketClient.connect(`${rig().url}?q=1`, { headers: { 'x-late': 'yes' } })
      await expect.poll(() => rig().requests.length).toBe(1)
      verdict.give(rig().accept())
      await connecting
      expect(rig().requests[0]?.header('x-late')).toBe('yes')
      expect(rig().requests[0]?.query).toBe('q=1')
    })

    it('selects the protocol of the verdict and echoes no other', async () => {
      rig().verdict = async () => rig().accept('parley.v1')
      const { client } = await rig().open({ protocols: ['parley.key.secret', 'parley.v1', 'parley.session.x'] })
      expect(client.protocol).toBe('parley.v1')
      expect(rig().requests[0]?.header('sec-websocket-protocol')).toContain('parley.key.secret')
    })

    it('selects no protocol when the verdict names none', async () => {
      const raw = await RawPeer.connect(rig().port)
      raw.write(handshake('/ws', { 'Sec-WebSocket-Protocol': 'parley.key.secret' }))
      const head = await raw.until('\r\n\r\n')
      expect(head).toContain('101')
      expect(head.toLowerCase()).not.toContain('sec-websocket-protocol')
    })

    it('agrees on no extension when the client offers compression', async () => {
      const raw = await RawPeer.connect(rig().port)
      raw.write(handshake('/ws', { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' }))
      expect((await raw.until('\r\n\r\n')).toLowerCase()).not.toContain('sec-websocket-extensions')
    })

    it('is answered with plain HTTP when the verdict refuses', async () => {
      rig().verdict = async () => ({ accept: false, refusal: REFUSAL })
      const refused = await refusedWith(SocketClient.connect(rig().url))
      expect(refused).toMatchObject({ status: 401, body: REFUSAL.body })
      expect(refused.headers).toMatchObject({ 'x-why': 'key', 'content-type': 'application/json' })
      expect(refused.headers['content-length']).toBe(String(REFUSAL.body.length))
    })

    it('that is refused ends its connection: who is one too many holds no file', async () => {
      rig().verdict = async () => ({ accept: false, refusal: REFUSAL })
      const raw = await RawPeer.connect(rig().port)
      raw.write(handshake('/ws'))
      expect(await raw.until(REFUSAL.body)).toMatch(/^HTTP\/1.1 401 [\s\S]*connection: close\r\n/i)
      await raw.ended
      raw.socket.destroy()
    })

    it('opens nothing when the peer leaves while the verdict is awaited', async () => {
      for (const leave of [(raw: RawPeer) => raw.socket.resetAndDestroy(), (raw: RawPeer) => raw.socket.end()]) {
        const verdict = slow()
        rig().verdict = () => verdict.promise
        const raw = await RawPeer.connect(rig().port)
        raw.write(handshake('/ws'))
        await expect.poll(() => rig().requests.length).toBeGreaterThan(0)
        leave(raw)
        await raw.closed
        // A round trip on another connection: the server has had its turn to notice.
        await fetch(rig().http)
        verdict.give(rig().accept())
        await fetch(rig().http)
        expect(rig().lastPeer.everOpened).toBe(false)
      }
    })

    it('that is refused does no harm when the peer resets at any moment', async () => {
      rig().verdict = async () => ({ accept: false, refusal: REFUSAL })
      for (let turns = 0; turns < 30; turns++) {
        const raw = await RawPeer.connect(rig().port)
        raw.write(handshake('/ws'))
        for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
        raw.socket.resetAndDestroy()
        await raw.closed
      }
      expect((await fetch(rig().http)).status).toBe(404)
    })

    it('is answered 500 and logged when the core throws', async () => {
      rig().verdict = () => Promise.reject(new Error('bug with a secret'))
      const refused = await refusedWith(SocketClient.connect(rig().url))
      expect(refused.status).toBe(500)
      expect(refused.body).not.toContain('secret')
      expect(rig().logged).toContainEqual({ level: 'error', event: 'handshake handler threw' })
    })

    it.each([
      ['without a key', { 'Sec-WebSocket-Key': '' }],
      ['with a short key', { 'Sec-WebSocket-Key': 'abc=' }],
      ['of another version', { 'Sec-WebSocket-Version': '8' }],
      ['that names a protocol twice', { 'Sec-WebSocket-Protocol': 'a, a' }],
      ['with a protocol that is no token', { 'Sec-WebSocket-Protocol': 'a b' }],
    ])('%s is answered 400 and not shown to the core', async (_what, headers) => {
      const raw = await RawPeer.connect(rig().port)
      raw.write(handshake('/ws', headers))
      expect(await raw.until('\r\n\r\n')).toMatch(/^HTTP\/1.1 400/)
      expect(rig().requests).toEqual([])
    })

    it('on another path is an ordinary request', async () => {
      rig().fetch = async (seen) => new Response(new URL(seen.url).pathname, { status: 418 })
      const refused = await refusedWith(SocketClient.connect(`${rig().http.replace('http', 'ws')}/other`))
      expect(refused).toMatchObject({ status: 418, body: '/other' })
    })

    it('for another protocol than WebSocket is an ordinary request', async () => {
      rig().fetch = async () => new Response('plain')
      const body = await new Promise<string>((resolve, reject) => {
        const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQAAP__' }
        const sent = request(`${rig().http}/other`, { headers }, (response) =>
          response.on('data', (chunk) => resolve(String(chunk))),
        )
        sent.on('error', reject).end()
      })
      expect(body).toBe('plain')
    })

    it.each([
      ['', 'GET', {}],
      [' with a query', 'GET', {}],
      [' by another method', 'POST', {}],
      [' for another protocol', 'GET', { connection: 'Upgrade', upgrade: 'h2c' }],
    ])('that a proxy took its Upgrade from is told so%s', async (what, method, headers) => {
      const query = what === ' with a query' ? '?app=shop' : ''
      const text = await new Promise<string>((resolve, reject) => {
        const sent = request(`${rig().http}/ws${query}`, { method, headers }, (response) => {
          response.on('data', (chunk) => resolve(`${response.statusCode} ${chunk}`))
        })
        sent.on('error', reject).end()
      })
      expect(text).toMatch(/^400 .*"bad_request".*a proxy in front has to pass on Upgrade/)
    })

    it('with 100 KB of headers passes', async () => {
      const { client } = await rig().open({ headers: { 'x-large': 'x'.repeat(100_000) } })
      expect(rig().requests[0]?.header('x-large')).toHaveLength(100_000)
      client.terminate()
    })

    it('of many peers at once opens each of them', async () => {
      const many = 200
      rig().verdict = async (seen) => {
        await fetch(rig().http)
        const verdict = rig().accept()
        rig().lastPeer.onOpened = (socket) => socket.send(seen.query)
        return verdict
      }
      const clients = await Promise.all(
        Array.from({ length: many }, (_, at) => SocketClient.connect(`${rig().url}?${at}`)),
      )
      const greetings = await Promise.all(clients.map((client) => client.next()))
      expect(greetings).toEqual(Array.from({ length: many }, (_, at) => String(at)))
    })
  })
}
