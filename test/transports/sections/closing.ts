import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { CLOSE_TIMEOUT_MS } from '../../../src/transports/close-codes.ts'
import { OPCODE, RawPeer } from '../raw-peer.ts'
import type { Rig } from '../rig.ts'

const FRAME = 'x'.repeat(64 * 1024)
/** Above what a peer's kernel takes without its reading, below what the sender's holds. */
const IN_KERNEL_BYTES = 16 * FRAME.length
const SPEAK_MS = 200

function closePayload(code: number, reason = ''): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
  payload.writeUInt16BE(code)
  payload.write(reason, 2)
  return payload
}

export function closing(rig: () => Rig): void {
  describe('closing', () => {
    afterEach(() => {
      vi.useRealTimers()
    })

    it('by the core tells the peer code and reason, after what was sent', async () => {
      const { client, peer, socket } = await rig().open()
      socket.send('last words')
      socket.close(4401, 'key revoked')
      expect(await client.closed).toEqual({ code: 4401, reason: 'key revoked' })
      expect(client.frames).toEqual(['last words'])
      expect(await peer.closing).toBe(4401)
    })

    it('twice, or using the socket after it, does nothing', async () => {
      const { client, peer, socket } = await rig().open()
      socket.close(1012, 'restart')
      socket.close(4500, 'again')
      expect(socket.send('late')).toBe('dropped')
      expect(socket.buffered()).toBe(0)
      socket.join('a')
      socket.leave('a')
      socket.ping()
      expect(await client.closed).toEqual({ code: 1012, reason: 'restart' })
      await peer.closing
      expect(socket.send('later still')).toBe('dropped')
      socket.close(4500, 'again')
    })

    it('from within each callback is told to the core after that callback', async () => {
      rig().verdict = async () => {
        const verdict = rig().accept()
        rig().lastPeer.onOpened = (socket) => socket.close(4404, 'at once')
        return verdict
      }
      const { client } = await rig().open()
      expect((await client.closed).code).toBe(4404)
      rig().verdict = undefined
      const second = await rig().open()
      second.peer.onReceived = () => second.socket.close(4400, 'bad')
      second.client.send('a')
      second.client.send('b')
      expect((await second.client.closed).code).toBe(4400)
      expect(await second.peer.closing).toBe(4400)
      expect(second.peer.texts).toEqual(['a'])
    })

    it('cuts a reason that a close frame cannot hold', async () => {
      const { client, socket } = await rig().open()
      socket.close(4500, 'é'.repeat(100))
      expect(await client.closed).toEqual({ code: 4500, reason: 'é'.repeat(61) })
    })

    it.each([
      ['with a code', 4001, 4001],
      ['normally', 1000, 1000],
      ['without a code', undefined, 1005],
    ])('by the peer %s is told to the core', async (_how, code, told) => {
      const { client, peer } = await rig().open()
      await client.close(code, code === undefined ? undefined : 'bye')
      expect(await peer.closing).toBe(told)
    })

    it('is answered with the peer’s own code', async () => {
      const raw = await RawPeer.open(rig().port)
      raw.frame(closePayload(4321, 'bye'), { opcode: OPCODE.close })
      expect(await raw.closeCode()).toBe(4321)
      await raw.ended
      raw.socket.end()
    })

    it.each([
      ['a reset', (raw: RawPeer) => raw.socket.resetAndDestroy()],
      ['a FIN without a close frame', (raw: RawPeer) => raw.socket.end()],
    ])('by %s is told to the core as 1006', async (_how, leave) => {
      const raw = await RawPeer.open(rig().port)
      await rig().lastPeer.opening
      leave(raw)
      expect(await rig().lastPeer.closing).toBe(1006)
      await raw.closed
    })

    it('cuts a peer that never answers the close frame', async () => {
      const raw = await RawPeer.open(rig().port)
      const socket = await rig().lastPeer.opening
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
      socket.close(4408, 'no sign of life')
      expect(await raw.closeCode()).toBe(4408)
      vi.advanceTimersByTime(CLOSE_TIMEOUT_MS)
      await raw.ended
      raw.socket.end()
      await raw.closed
    })

    it('cuts a peer that neither reads nor answers', async () => {
      const raw = await RawPeer.open(rig().port)
      const socket = await rig().lastPeer.opening
      raw.socket.pause()
      while (socket.send('x'.repeat(100_000)) !== 'queued') await new Promise(setImmediate)
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
      socket.close(4503, 'slow')
      vi.advanceTimersByTime(CLOSE_TIMEOUT_MS)
      raw.socket.resume()
      // Cut in the middle of what waited: the close frame never had its turn.
      expect((await raw.rest()).at(-1)).toBe('x'.charCodeAt(0))
      raw.socket.destroy()
    })

    it('gives a peer that speaks on the time to read what was sent before it, and the close frame', async () => {
      const { client, socket } = await rig().open()
      client.pause()
      for (let sent = 0; sent < IN_KERNEL_BYTES; sent += FRAME.length) {
        socket.send(FRAME)
        await new Promise(setImmediate)
      }
      expect(socket.buffered()).toBe(0)
      socket.close(4503, 'slow')
      // The library's own clock, so no fake one: shortly before the bound that both transports promise.
      const end = performance.now() + CLOSE_TIMEOUT_MS * 0.9
      while (performance.now() < end) {
        client.send('still here')
        await sleep(SPEAK_MS)
      }
      client.resume()
      expect(await client.closed).toEqual({ code: 4503, reason: 'slow' })
      expect(client.frames).toHaveLength(IN_KERNEL_BYTES / FRAME.length)
    }, 20_000)

    it('ignores what the peer sends after it', async () => {
      const raw = await RawPeer.open(rig().port)
      const peer = rig().lastPeer
      const socket = await peer.opening
      socket.close(4400, 'enough')
      raw.frame('more')
      raw.frame('', { opcode: OPCODE.ping })
      expect(await raw.closeCode()).toBe(4400)
      raw.socket.end()
      await raw.closed
      expect(peer.texts).toEqual([])
      expect(peer.signs).toBe(0)
    })
  })
}
