import { request } from 'node:http'
import { describe, expect, it } from 'vitest'
import { MAX_HEADERS } from '../../../src/transports/http-request.ts'
import { headers, RawPeer } from '../raw-peer.ts'
import { OPTIONS, type Rig } from '../rig.ts'

const KIB = 1024

/** A body whose parts leave when the test says so. */
function parts(): {
  readonly stream: ReadableStream<Uint8Array>
  readonly push: (text: string) => void
  readonly end: () => void
} {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  const stream = new ReadableStream<Uint8Array>({
    start: (given) => {
      controller = given
    },
  })
  return { stream, push: (text) => controller?.enqueue(Buffer.from(text)), end: () => controller?.close() }
}

export function httpRequests(rig: () => Rig): void {
  describe('an HTTP request', () => {
    it('comes with method, URL, headers and the peer’s address', async () => {
      let seen: Request | undefined
      rig().fetch = async (given, peer) => {
        seen = given
        return Response.json(peer)
      }
      const answer = await fetch(`${rig().http}/a/b?c=d&e=%20`, { method: 'DELETE', headers: { 'X-One': '1' } })
      expect(await answer.json()).toEqual({ address: '127.0.0.1', secure: false })
      expect(seen?.method).toBe('DELETE')
      expect(seen?.url).toBe(`${rig().http}/a/b?c=d&e=%20`)
      expect(seen?.headers.get('x-one')).toBe('1')
      expect(seen?.body).toBeNull()
    })

    it.each([
      '/plain/path?a=b&c=%20d',
      '/a/../b',
      '/a/%2e%2e/b',
      '/a/.%2E/b?x=../y',
      '/a\\\\b',
      '/a//b',
      "/a?b='c'",
      '/a?{"b":"c"}',
      '/a#b',
      '/a;b=c,d',
    ])('has its URL as the URL standard writes it: %s', async (target) => {
      let seen: Request | undefined
      rig().fetch = async (given) => {
        seen = given
        return new Response('ok')
      }
      const raw = await RawPeer.connect(rig().port)
      raw.write(Buffer.from(`GET ${target} HTTP/1.1\r\nHost: LOCALHOST:80\r\n\r\n`))
      await raw.until('\r\n\r\n')
      raw.socket.destroy()
      expect(seen?.url).toBe(new URL(`http://localhost${target}`).href)
    })

    it('is one of the platform to who asks for more of it', async () => {
      rig().fetch = async (given) => {
        const copy = given.clone()
        const headers = [...given.headers].filter(([name]) => name.startsWith('x-'))
        return Response.json([headers, given.headers.has('X-B'), await given.json(), await copy.text(), given.bodyUsed])
      }
      const headers = { 'x-b': '2', 'X-A': '1' }
      const answer = await fetch(rig().http, { method: 'POST', headers, body: '{"c":3}' })
      expect(await answer.json()).toEqual([
        [
          ['x-a', '1'],
          ['x-b', '2'],
        ],
        true,
        { c: 3 },
        '{"c":3}',
        true,
      ])
    })

    it('joins headers that came twice', async () => {
      rig().fetch = async (given) => new Response(`${given.headers.get('x-a')}|${given.headers.get('cookie')}`)
      const raw = await RawPeer.connect(rig().port)
      raw.write('GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-A: 2\r\nCookie: a=1\r\nConnection: close\r\n\r\n')
      expect(await raw.until('a=1')).toContain('1, 2|a=1')
    })

    it.each([
      ['a path', 'evil/../x'],
      ['a user', 'me@evil'],
    ])('whose Host smuggles %s is answered 400 and not served', async (_what, host) => {
      rig().fetch = async () => new Response('served')
      const raw = await RawPeer.connect(rig().port)
      raw.write(`GET /x HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
      expect(await raw.until('\r\n\r\n')).toMatch(/^HTTP\/1.1 400/)
    })

    it('carries a body of known length', async () => {
      rig().fetch = async (given) => new Response(await given.text())
      const body = 'é'.repeat(50 * KIB)
      expect(await (await fetch(rig().http, { method: 'POST', body })).text()).toBe(body)
    })

    it('carries a streamed body, whose parts arrive before it is whole', async () => {
      const arrived: string[] = []
      let wake: () => void = () => undefined
      rig().fetch = async (given) => {
        for await (const part of given.body ?? []) {
          arrived.push(Buffer.from(part).toString())
          wake()
        }
        return new Response(arrived.join('|'))
      }
      const body = parts()
      const first = new Promise<void>((resolve) => {
        wake = resolve
      })
      const answer = fetch(rig().http, { method: 'POST', body: body.stream, duplex: 'half' })
      body.push('one')
      await first
      expect(arrived).toEqual(['one'])
      body.push('two')
      body.end()
      expect(await (await answer).text()).toBe('one|two')
    })

    it.each([
      ['that says so', true],
      ['that does not say so', false],
    ])('with a body over the limit %s is answered 413', async (_which, declared) => {
      rig().fetch = async (given) => new Response(await given.text().catch(() => 'half a body'))
      const body = Buffer.alloc(OPTIONS.maxBodyBytes + 1, 'x')
      const sent = declared ? { body } : { body: new Blob([body]).stream(), duplex: 'half' as const }
      const answer = await fetch(rig().http, { method: 'POST', ...sent })
      expect(answer.status).toBe(413)
      expect(await answer.json()).toMatchObject({ error: { code: 'message_too_large' } })
    })

    it('with a body of exactly the limit passes', async () => {
      rig().fetch = async (given) => new Response(String((await given.text()).length))
      const answer = await fetch(rig().http, { method: 'POST', body: 'x'.repeat(OPTIONS.maxBodyBytes) })
      expect(await answer.text()).toBe(String(OPTIONS.maxBodyBytes))
    })

    it('that announces an endless body is answered 413 and its connection ends', async () => {
      const raw = await RawPeer.connect(rig().port)
      raw.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n')
      const head = await raw.until('\r\n\r\n')
      expect(head).toMatch(/^HTTP\/1.1 413/)
      expect(head.toLowerCase()).toContain('connection: close')
      raw.socket.end()
      await raw.closed
    })

    it('whose body is not read leaves the connection usable', async () => {
      rig().fetch = async (given) => new Response(given.method)
      const raw = await RawPeer.connect(rig().port)
      raw.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(1000)}`)
      await raw.until('POST')
      raw.write(`${'x'.repeat(99_000)}GET / HTTP/1.1\r\nHost: a\r\n\r\n`)
      expect(await raw.until('GET')).toMatch(/^HTTP\/1.1 200/)
      raw.socket.destroy()
    })

    it('whose sender leaves half-way aborts its signal and fails its body', async () => {
      let signal: AbortSignal | undefined
      let fault: unknown
      rig().fetch = async (given) => {
        signal = given.signal
        fault = await given.text().catch((error: unknown) => error)
        return new Response('to nobody')
      }
      const sent = request(rig().http, { method: 'POST', headers: { 'content-length': '100' } })
      sent.on('error', () => undefined)
      sent.write('half')
      await expect.poll(() => signal).toBeDefined()
      sent.destroy()
      await expect.poll(() => fault).toBeInstanceOf(Error)
      expect(signal?.aborted).toBe(true)
    })

    it('with headers over the limit is answered 431', async () => {
      const raw = await RawPeer.connect(rig().port)
      raw.write(`GET / HTTP/1.1\r\nHost: a\r\nX-Large: ${'x'.repeat(OPTIONS.maxHeaderBytes + 10 * KIB)}\r\n\r\n`)
      expect(await raw.until('\r\n\r\n')).toMatch(/^HTTP\/1.1 431/)
      raw.socket.destroy()
    })

    it('with 100 KB of headers passes', async () => {
      rig().fetch = async (given) => new Response(String(given.headers.get('x-large')?.length))
      const raw = await RawPeer.connect(rig().port)
      raw.write(`GET / HTTP/1.1\r\nHost: a\r\nX-Large: ${'x'.repeat(100_000)}\r\n\r\n`)
      expect(await raw.until('100000')).toMatch(/^HTTP\/1.1 200/)
      raw.socket.destroy()
    })

    it.each([MAX_HEADERS + 1, 1100, 5000])(
      'with %i headers is answered 431 and not served, whatever stands after the first of them',
      async (count) => {
        let served = 0
        rig().fetch = async () => new Response(String(++served))
        const raw = await RawPeer.connect(rig().port)
        raw.write(`GET / HTTP/1.1\r\nHost: a\r\n${headers(count - 2)}X-Forwarded-For: 198.51.100.1\r\n\r\n`)
        const head = await raw.until('\r\n\r\n')
        expect(head).toMatch(/^HTTP\/1.1 431/)
        expect(head.toLowerCase()).toContain('connection: close')
        await raw.ended
        expect(served).toBe(0)
        raw.socket.destroy()
      },
    )

    it('with as many headers as are allowed has all of them', async () => {
      rig().fetch = async (given) => new Response(`${[...given.headers].length} ${given.headers.get('x-last')}`)
      const raw = await RawPeer.connect(rig().port)
      raw.write(`GET / HTTP/1.1\r\nHost: a\r\n${headers(MAX_HEADERS - 2)}X-Last: here\r\n\r\n`)
      expect(await raw.until(`${MAX_HEADERS} here`)).toMatch(/^HTTP\/1.1 200/)
      raw.socket.destroy()
    })

    it('with a method that the fetch standard refuses is answered 400', async () => {
      const raw = await RawPeer.connect(rig().port)
      raw.write('TRACE / HTTP/1.1\r\nHost: a\r\n\r\n')
      expect(await raw.until('\r\n\r\n')).toMatch(/^HTTP\/1.1 400/)
      raw.socket.destroy()
    })
  })
}
