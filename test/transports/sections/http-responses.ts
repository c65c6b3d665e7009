import { get, type IncomingMessage } from 'node:http'
import { describe, expect, it } from 'vitest'
import { RawPeer } from '../raw-peer.ts'
import type { Rig } from '../rig.ts'

const PART = Buffer.alloc(64 * 1024, 'x')
/** More parts than the buffers on the way hold. */
const MANY_PARTS = 500

/** An endless body that counts what is taken of it. */
function endless(): {
  readonly stream: ReadableStream<Uint8Array>
  readonly taken: () => number
  readonly cancelled: Promise<void>
} {
  let taken = 0
  let cancel: () => void = () => undefined
  const cancelled = new Promise<void>((resolve) => {
    cancel = resolve
  })
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        taken++
        controller.enqueue(PART.slice())
      },
      cancel,
    },
    { highWaterMark: 0 },
  )
  return { stream, taken: () => taken, cancelled }
}

function responseTo(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, resolve).on('error', reject)
  })
}

/** Resolves when `count` has not changed for some turns of the loop and of the network. */
async function settled(count: () => number, probe: () => Promise<unknown>): Promise<number> {
  for (let before = -1; before !== count(); ) {
    before = count()
    for (let turn = 0; turn < 10; turn++) await probe()
  }
  return count()
}

export function httpResponses(rig: () => Rig): void {
  describe('an HTTP response', () => {
    it('of known body has its Content-Length, status and headers, each cookie its own', async () => {
      rig().fetch = async () => {
        const headers = new Headers([
          ['set-cookie', 'a=1; Path=/'],
          ['set-cookie', 'b=2'],
          ['x-one', 'ü'],
        ])
        return new Response('ünïcode', { status: 201, headers })
      }
      const answer = await fetch(rig().http)
      expect(answer.status).toBe(201)
      expect(answer.headers.get('content-length')).toBe('9')
      expect(answer.headers.get('transfer-encoding')).toBeNull()
      expect(answer.headers.getSetCookie()).toEqual(['a=1; Path=/', 'b=2'])
      expect(answer.headers.get('date')).not.toBeNull()
      expect(await answer.text()).toBe('ünïcode')
    })

    it.each([204, 304])('of status %i has neither body nor length', async (status) => {
      rig().fetch = async () => new Response(null, { status })
      const raw = await RawPeer.connect(rig().port)
      raw.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      const head = await raw.until('\r\n\r\n')
      expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
      expect(head.toLowerCase()).not.toMatch(/content-length|transfer-encoding/)
      raw.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      await raw.until('\r\n\r\n')
      raw.socket.destroy()
    })

    it('without a body says that its length is 0', async () => {
      rig().fetch = async () => new Response(null, { status: 302, headers: { location: '/there' } })
      const answer = await fetch(rig().http, { redirect: 'manual' })
      expect([answer.status, answer.headers.get('location'), answer.headers.get('content-length')]).toEqual([
        302,
        '/there',
        '0',
      ])
    })

    it('to HEAD has the headers, the length that was given, and no body', async () => {
      rig().fetch = async (seen) =>
        new Response(seen.method === 'HEAD' ? null : 'body', { headers: { 'content-length': '4', etag: '"1"' } })
      const raw = await RawPeer.connect(rig().port)
      raw.write('HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'.slice(0, 28))
      const head = (await raw.until('\r\n\r\n')).toLowerCase()
      expect(head).toContain('content-length: 4')
      expect(head).toContain('etag: "1"')
      raw.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      expect(await raw.until('body')).toMatch(/^HTTP\/1.1 200/)
      raw.socket.destroy()
    })

    it('to HEAD drops a body that was given all the same', async () => {
      const source = endless()
      rig().fetch = async () => new Response(source.stream)
      expect((await fetch(rig().http, { method: 'HEAD' })).status).toBe(200)
      await source.cancelled
    })

    it.each([
      ['a text', 'ünïcode', 200, '9', 'ünïcode'],
      ['no text', '', 200, '0', ''],
      ['nothing', null, 200, '0', ''],
      ['nothing, of a status without a body', null, 204, null, ''],
    ])('of %s that is at hand has its length', async (_what, content, status, length, body) => {
      rig().fetch = async () => ({ status, headers: [['x-one', '1']], content })
      const answer = await fetch(rig().http)
      expect([answer.status, answer.headers.get('x-one')]).toEqual([status, '1'])
      expect([answer.headers.get('content-length'), await answer.text()]).toEqual([length, body])
      const head = await fetch(rig().http, { method: 'HEAD' })
      expect([head.status, head.headers.get('x-one'), await head.text()]).toEqual([status, '1', ''])
    })

    it('of events begins before there is any, and each comes by itself', async () => {
      let controller: ReadableStreamDefaultController<Uint8Array> | undefined
      rig().fetch = async () =>
        new Response(
          new ReadableStream({
            start: (given) => {
              controller = given
            },
          }),
          { headers: { 'content-type': 'text/event-stream' } },
        )
      const answer = await fetch(rig().http)
      const reader = answer.body?.getReader()
      // What comes before the first is the end of no event.
      const next = async (): Promise<string> => {
        const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
        const text = Buffer.from(value ?? [])
          .toString()
          .replace(/^\n\n/, '')
        return text === '' && !done ? next() : text
      }
      controller?.enqueue(Buffer.from('data: 1\n\n'))
      expect(await next()).toBe('data: 1\n\n')
      controller?.enqueue(Buffer.from('data: 2\n\n'))
      expect(await next()).toBe('data: 2\n\n')
      controller?.close()
      expect((await reader?.read())?.done).toBe(true)
      expect(answer.headers.get('content-type')).toBe('text/event-stream')
    })

    it.each([
      ['of unknown length', {}],
      ['of known length', { 'content-length': String(PART.length * 100) }],
    ])('%s that is large arrives whole', async (_which, headers) => {
      let left = 100
      rig().fetch = async () =>
        new Response(
          new ReadableStream({
            pull: (controller) => {
              if (left === 0) controller.close()
              else controller.enqueue(Buffer.alloc(PART.length, left--))
            },
          }),
          { headers },
        )
      const body = Buffer.from(await (await fetch(rig().http)).arrayBuffer())
      expect(body).toHaveLength(PART.length * 100)
      for (let at = 0; at < 100; at++) expect(body[at * PART.length]).toBe(100 - at)
    })

    it('in one large part arrives whole though nothing follows it', async () => {
      const large = Buffer.alloc(20_000_000, 'x')
      rig().fetch = async () =>
        new Response(
          new ReadableStream({
            start: (controller) => controller.enqueue(large),
          }),
        )
      const answer = await responseTo(rig().http)
      let bytes = 0
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
      await expect.poll(() => bytes).toBe(large.length)
      answer.destroy()
    })

    it('is taken from its source only as the client reads', async () => {
      const source = endless()
      rig().fetch = async (seen) => (seen.url.endsWith('/probe') ? new Response('x') : new Response(source.stream))
      const answer = await responseTo(rig().http)
      answer.pause()
      const probe = () => fetch(`${rig().http}/probe`).then((probed) => probed.text())
      const taken = await settled(source.taken, probe)
      expect(taken).toBeLessThan(MANY_PARTS)
      answer.resume()
      await expect.poll(source.taken).toBeGreaterThan(taken + MANY_PARTS)
      answer.destroy()
      await source.cancelled
    })

    it('whose client leaves cancels its source and aborts the request’s signal', async () => {
      const source = endless()
      let signal: AbortSignal | undefined
      rig().fetch = async (seen) => {
        signal = seen.signal
        return new Response(source.stream)
      }
      const answer = await responseTo(rig().http)
      expect(signal?.aborted).toBe(false)
      answer.destroy()
      await source.cancelled
      expect(signal?.aborted).toBe(true)
    })

    it('whose client leaves before there is any aborts the request’s signal', async () => {
      let signal: AbortSignal | undefined
      rig().fetch = (seen) =>
        new Promise((resolve) => {
          signal = seen.signal
          seen.signal.addEventListener('abort', () => resolve(new Response('to nobody')))
        })
      const raw = await RawPeer.connect(rig().port)
      raw.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      await expect.poll(() => signal).toBeDefined()
      raw.socket.destroy()
      await expect.poll(() => signal?.aborted).toBe(true)
    })

    it('whose source fails half-way is cut, so that nobody takes it for whole', async () => {
      rig().fetch = async () => {
        let sent = false
        return new Response(
          new ReadableStream({
            pull: async (controller) => {
              await new Promise(setImmediate)
              if (sent) throw new Error('upstream broke')
              sent = true
              controller.enqueue(Buffer.from('half'))
            },
          }),
        )
      }
      await expect(fetch(rig().http).then((answer) => answer.text())).rejects.toThrow('terminated')
      expect(rig().logged).toContainEqual({ level: 'error', event: 'http response failed' })
    })

    it('whose source gives up a client that takes nothing is cut', async () => {
      let controller: ReadableStreamDefaultController<Uint8Array> | undefined
      let taken = 0
      const signals: AbortSignal[] = []
      rig().fetch = async (seen) => {
        if (seen.url.endsWith('/probe')) return new Response('x')
        signals.push(seen.signal)
        const pull = (given: ReadableStreamDefaultController<Uint8Array>): void => {
          taken++
          controller = given
          given.enqueue(PART.slice())
        }
        return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }))
      }
      const answer = await responseTo(rig().http)
      answer.pause()
      answer.on('error', () => undefined)
      await settled(
        () => taken,
        () => fetch(`${rig().http}/probe`).then((probed) => probed.text()),
      )
      expect(signals[0]?.aborted).toBe(false)
      controller?.error(new Error('too slow'))
      await expect.poll(() => signals[0]?.aborted).toBe(true)
      expect(rig().logged).toEqual([])
      answer.destroy()
    })

    it('of a handler that throws is a 500 that tells nothing', async () => {
      rig().fetch = () => Promise.reject(new Error('the password is swordfish'))
      const answer = await fetch(rig().http)
      expect(answer.status).toBe(500)
      expect(await answer.text()).not.toContain('swordfish')
      expect(rig().logged).toContainEqual({ level: 'error', event: 'http handler threw' })
    })

    it('of the handler’s own 404 passes through', async () => {
      const answer = await fetch(`${rig().http}/nowhere`)
      expect([answer.status, await answer.text()]).toEqual([404, 'nothing here'])
    })
  })
}
