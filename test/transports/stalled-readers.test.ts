import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as after } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createWsTransport } from '../../src/transports/ws.ts'
import { handshake, RawPeer } from './raw-peer.ts'
import { useRig } from './rig.ts'

/** Real sockets and node's own timers: short, and yet many turns of a loop that is busy. */
const STALL_MS = 400
const SILENCE_MS = 3 * STALL_MS
/** More than the kernel takes of a connection. */
const LARGE = Buffer.alloc(16 * 1024 * 1024, 'x')

/** The bound of the other library is its own. */
describe('the ws transport, when an answer is not read', () => {
  const rig = useRig(async (handlers, options, telemetry) => createWsTransport(handlers, options, telemetry, STALL_MS))

  /** How much a peer finds of its answers that reads none for a time, when the connection has ended. */
  async function readLate(requests: string, answer: () => Response): Promise<number> {
    rig().fetch = async () => answer()
    const raw = await RawPeer.connect(rig().port)
    raw.socket.pause()
    raw.write(requests)
    await after(2 * SILENCE_MS)
    raw.socket.resume()
    return (await raw.rest()).length
  }

  it('cuts a stream that waits for its reader', async () => {
    let cancelled = false
    const endless = () =>
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(LARGE.subarray(0, 65_536)),
        cancel: () => {
          cancelled = true
        },
      })
    await readLate('GET / HTTP/1.1\r\nHost: a\r\n\r\n', () => new Response(endless()))
    expect(cancelled).toBe(true)
    expect(rig().logged).toEqual([])
  })

  it('cuts a whole answer, and those that wait behind it', async () => {
    const requests = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(8)
    expect(await readLate(requests, () => new Response(LARGE))).toBeLessThan(LARGE.length)
  })

  it('cuts the answer to an upgrade that was declined', async () => {
    expect(await readLate(handshake('/elsewhere'), () => new Response(LARGE))).toBeLessThan(LARGE.length)
  })

  it('leaves a reader alone that takes a little at a time', async () => {
    rig().fetch = async () => new Response(LARGE)
    const [answer]: IncomingMessage[] = await once(get(rig().http), 'response')
    let bytes = 0
    for await (const chunk of answer ?? []) {
      const before = Math.floor(bytes / 1_048_576)
      bytes += chunk.length
      if (Math.floor(bytes / 1_048_576) > before) await after(STALL_MS / 4)
    }
    expect(bytes).toBe(LARGE.length)
  })

  it('leaves a stream alone that has nothing to say for longer', async () => {
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined
    const body = new ReadableStream<Uint8Array>({
      start: (given) => {
        controller = given
      },
    })
    rig().fetch = async () => new Response(body, { headers: { 'content-type': 'text/event-stream' } })
    const [answer]: IncomingMessage[] = await once(get(rig().http), 'response')
    const whole = answer === undefined ? undefined : text(answer)
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      await after(SILENCE_MS)
      controller?.enqueue(Buffer.from(event))
    }
    controller?.close()
    expect(await whole).toContain('data: 1\n\ndata: 2\n\n')
  })

  it('leaves a request alone whose handler takes longer, and its connection for the next', async () => {
    rig().fetch = async () => {
      await after(SILENCE_MS)
      return new Response('at last')
    }
    const raw = await RawPeer.connect(rig().port)
    for (let times = 0; times < 2; times++) {
      raw.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      expect(await raw.until('at last')).toMatch(/^HTTP\/1.1 200/)
      await after(SILENCE_MS)
    }
    raw.socket.destroy()
  })

  it('leaves a WebSocket alone, also one that came over a connection with requests before', async () => {
    rig().fetch = async () => new Response('first')
    const raw = await RawPeer.connect(rig().port)
    raw.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await raw.until('first')
    raw.write(handshake('/ws'))
    await raw.until('\r\n\r\n')
    await after(SILENCE_MS)
    raw.frame('still here')
    await rig().lastPeer.when(() => rig().lastPeer.texts.length > 0)
    expect(rig().lastPeer.texts).toEqual(['still here'])
    raw.socket.destroy()
  })
})
