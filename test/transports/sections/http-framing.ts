import { describe, expect, it } from 'vitest'
import { RawPeer } from '../raw-peer.ts'
import type { Rig } from '../rig.ts'

const INNER = 'GET /inner HTTP/1.1\r\nHost: a\r\n\r\n'
const CHUNK = '0\r\n\r\n'

/** Where a request ends has to be as clear to us as to a proxy before us: what one takes for a body the other may take for a request. */
export function httpFraming(rig: () => Rig): void {
  describe('the framing of an HTTP request', () => {
    it.each([
      ['two lengths', `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: ${INNER.length}\r\n\r\n`],
      [
        'two lengths, the larger first',
        'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 31\r\nContent-Length: 0\r\n\r\n',
      ],
      ['the same length twice', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n'],
      ['an empty length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n'],
      ['a length with a sign', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n'],
      [
        'a length and chunks',
        `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNK}`,
      ],
      ['an unknown coding', `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n${CHUNK}`],
      ['a coding after chunked', `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n${CHUNK}`],
      ['a method in lower case', 'post / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n'],
      ['an upgrade by a method in lower case', 'get /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n'],
    ])('with %s earns 400 and ends the connection: nothing of it is served, nor what follows', async (_what, sent) => {
      let served = 0
      rig().fetch = async () => new Response(String(++served))
      const raw = await RawPeer.connect(rig().port)
      raw.write(sent)
      expect(await raw.until('\r\n\r\n')).toMatch(/^HTTP\/1.1 400/)
      await raw.ended
      raw.socket.destroy()
      const pipelined = await RawPeer.connect(rig().port)
      pipelined.write(sent + INNER)
      expect((await pipelined.rest()).toString()).not.toContain('200 OK')
      pipelined.socket.destroy()
      expect(served).toBe(0)
    })

    it.each(['chunked', 'Chunked'])('by %s takes its chunks and leaves the connection usable', async (coding) => {
      rig().fetch = async (request) => new Response(`${request.method} ${await request.text()}.`)
      const raw = await RawPeer.connect(rig().port)
      raw.write(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ${coding}\r\n\r\n2\r\nab\r\n${CHUNK}`)
      expect(await raw.until('POST ab.')).toMatch(/^HTTP\/1.1 200/)
      raw.write(INNER)
      expect(await raw.until('GET .')).toMatch(/^HTTP\/1.1 200/)
      raw.socket.destroy()
    })
  })
}
