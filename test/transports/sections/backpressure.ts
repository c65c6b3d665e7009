import { describe, expect, it } from 'vitest'
import type { SendResult, Socket } from '../../../src/ports/transport.ts'
import { OPTIONS, type Opened, type Rig } from '../rig.ts'

const FRAME = 'x'.repeat(64 * 1024)
const LITTLE = FRAME.slice(0, 1024)
/** More than the buffers of two kernels and the limit hold together. */
const PLENTY = 2000
const GROUP = 'g'

/** Sends until a frame is dropped; gives what became of each. */
async function fill({ client, socket }: Opened): Promise<SendResult[]> {
  client.pause()
  const results: SendResult[] = []
  while (results.length < PLENTY && results.at(-1) !== 'dropped') {
    results.push(socket.send(`${results.length} ${FRAME}`))
    // Lets the kernel take what it takes.
    await new Promise(setImmediate)
  }
  return results
}

export function backpressure(rig: () => Rig): void {
  describe('a peer that does not read', () => {
    it('fills its buffer: sent, queued, and dropped at the limit', async () => {
      const opened = await rig().open()
      expect(opened.socket.buffered()).toBe(0)
      const results = await fill(opened)
      expect(results[0]).toBe('sent')
      // The kernel may find more room meanwhile, and then again none.
      expect(results.lastIndexOf('sent')).toBeLessThan(results.lastIndexOf('queued'))
      expect(results.indexOf('dropped')).toBe(results.length - 1)
      expect(opened.socket.buffered()).toBeGreaterThan(OPTIONS.maxBufferedBytes)
      // One frame above the limit at most: it is looked at before the frame is added.
      expect(opened.socket.buffered()).toBeLessThan(OPTIONS.maxBufferedBytes + 2 * FRAME.length)
      expect(opened.peer.drains).toBe(0)
    })

    it('gets all that was not dropped once it reads, and the core is told that the buffer drained', async () => {
      const opened = await rig().open()
      const results = await fill(opened)
      const kept = results.filter((result) => result !== 'dropped').length
      opened.client.resume()
      const frames = await opened.client.take(kept)
      expect(frames.map((frame) => Number.parseInt(frame, 10))).toEqual(Array.from({ length: kept }, (_, at) => at))
      await opened.peer.when(() => opened.peer.drains > 0 && opened.socket.buffered() === 0)
      expect(opened.socket.send('again')).toBe('sent')
      expect(await opened.client.next()).toBe('again')
    })

    it.each([
      ['little waits', (socket: Socket) => void socket.send(LITTLE)],
      ['what waits was said together', (socket: Socket) => socket.together(() => void socket.send(LITTLE))],
    ])('is told of as drained also where %s', async (_what, say) => {
      const { client, socket, peer } = await rig().open()
      client.pause()
      for (let sent = 0; sent < PLENTY * 64 && socket.buffered() === 0; sent++) {
        say(socket)
        await new Promise(setImmediate)
      }
      expect(socket.buffered()).toBeGreaterThan(0)
      expect(socket.buffered()).toBeLessThan(4 * LITTLE.length)
      client.resume()
      await peer.when(() => peer.drains > 0 && socket.buffered() === 0)
    })

    it('I7: is asked for no more signs of life than its buffer holds, and not closed for those that it misses', async () => {
      const opened = await rig().open()
      await fill(opened)
      const waiting = opened.socket.buffered()
      for (let nth = 0; nth < 1000; nth++) opened.socket.ping()
      expect(opened.socket.buffered()).toBe(waiting)
      opened.client.resume()
      await opened.peer.when(() => opened.socket.buffered() === 0)
      opened.client.send('still here')
      await opened.peer.when(() => opened.peer.texts.length === 1)
    })

    it('lives on when a send was dropped', async () => {
      const opened = await rig().open()
      await fill(opened)
      opened.client.resume()
      await opened.peer.when(() => opened.socket.buffered() === 0)
      opened.client.send('still here')
      await opened.peer.when(() => opened.peer.texts.length === 1)
      expect(opened.socket.send('and I hear')).toBe('sent')
    })

    it('does not hold others of its group back', async () => {
      const slow = await rig().open()
      const quick = await rig().open()
      for (const { socket } of [slow, quick]) socket.join(GROUP)
      await fill(slow)
      rig().transport.broadcast(GROUP, 'news')
      expect(await quick.client.next()).toBe('news')
    })

    it('is closed as slow when a broadcast does not fit, so that no frame is missed in silence (I6)', async () => {
      const slow = await rig().open()
      slow.socket.join(GROUP)
      await fill(slow)
      rig().transport.broadcast(GROUP, 'one too many')
      expect(await slow.peer.closing).toBe(4503)
      slow.client.resume()
      expect(await slow.client.closed).toMatchObject({ code: 4503 })
      expect(slow.client.frames).not.toContain('one too many')
    })

    it('gets what waits, then the close frame, when it is closed', async () => {
      const opened = await rig().open()
      const results = await fill(opened)
      opened.socket.close(4503, 'slow')
      expect(await opened.peer.closing).toBe(4503)
      expect(opened.socket.send('too late')).toBe('dropped')
      expect(opened.socket.buffered()).toBe(0)
      opened.client.resume()
      expect(await opened.client.closed).toEqual({ code: 4503, reason: 'slow' })
      expect(opened.client.frames).toHaveLength(results.length - 1)
    })
  })
}
