import { array, assert, asyncProperty, constantFrom, nat, oneof, record } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OPCODE, RawPeer } from '../raw-peer.ts'
import { OPTIONS, type Rig } from '../rig.ts'

const MIB = 1024 * 1024
const GROUP = 'everyone'

/** What differs between the libraries, and is theirs to decide. */
export type FrameTraits = {
  /** What a peer sees that sends text which is not UTF-8, and what breaks the framing: a close code, or a cut. */
  readonly invalidUtf8: number | 'cut'
  readonly brokenFrame: number | 'cut'
  /** What a peer sees that announces a frame far above the limit. */
  readonly hugeFrame: number | 'cut'
}

async function outcome(raw: RawPeer): Promise<number | 'cut'> {
  return raw.closeCode().catch(() => 'cut' as const)
}

export function frames(rig: () => Rig, traits: FrameTraits): void {
  describe('frames', () => {
    it('reach the core and the peer in order when many are sent at once', async () => {
      const { client, peer, socket } = await rig().open()
      const numbers = Array.from({ length: 5000 }, (_, at) => String(at))
      for (const number of numbers) {
        client.send(number)
        socket.send(`s${number}`)
      }
      await peer.when(() => peer.texts.length === numbers.length)
      expect(peer.texts).toEqual(numbers)
      expect(await client.take(numbers.length)).toEqual(numbers.map((number) => `s${number}`))
    })

    it('sent together arrive in order, before what is sent after them', async () => {
      const { client, socket } = await rig().open()
      const long = 'x'.repeat(100_000)
      socket.together(() => {
        socket.send('a')
        socket.send(long)
        socket.together(() => socket.send('c'))
      })
      socket.send('d')
      expect(await client.take(4)).toEqual(['a', long, 'c', 'd'])
    })

    it('sent together are none when the socket is closed in their middle', async () => {
      const { client, socket } = await rig().open()
      const results: string[] = []
      socket.together(() => {
        results.push(socket.send('a'))
        socket.close(4400, 'enough')
        results.push(socket.send('b'))
      })
      socket.together(() => results.push(socket.send('c')))
      expect(results).toEqual(['sent', 'dropped', 'dropped'])
      expect(await client.next()).toBe('a')
      expect((await client.closed).code).toBe(4400)
    })

    it('of every length class arrive whole', async () => {
      const { client, peer, socket } = await rig().open()
      for (const size of [0, 1, 125, 126, 65_535, 65_536, 300_000]) {
        const text = 'é'.repeat(size / 2) + (size % 2 === 1 ? 'x' : '')
        client.send(text)
        await peer.when(() => peer.texts.length > 0)
        expect(peer.texts.splice(0)).toEqual([text])
        socket.send(text)
        expect(await client.next()).toBe(text)
      }
    })

    it('of more than 1 MiB are read', async () => {
      const { client, peer } = await rig().open()
      const text = 'x'.repeat(MIB + 1)
      client.send(text)
      await peer.when(() => peer.texts.length === 1)
      expect(peer.texts[0]).toHaveLength(MIB + 1)
    })

    it('above the readable limit close the socket with 4413', async () => {
      const { client, peer } = await rig().open()
      client.send('x'.repeat(OPTIONS.maxReadableFrameBytes + 1))
      expect((await client.closed).code).toBe(4413)
      expect(await peer.closing).toBe(4413)
      expect(peer.texts).toEqual([])
    })

    it('far above the readable limit end the socket before they are read', async () => {
      const raw = await RawPeer.open(rig().port)
      raw.frame('x', { length: OPTIONS.maxReadableFrameBytes * 100 })
      expect(await outcome(raw)).toBe(traits.hugeFrame)
      expect(rig().lastPeer.texts).toEqual([])
      raw.socket.destroy()
    })

    it('that are binary are told to the core as such', async () => {
      const { client, peer } = await rig().open()
      client.sendBinary(new Uint8Array([1, 2, 3]))
      client.send('after')
      await peer.when(() => peer.texts.length === 1)
      expect(peer.binaries).toBe(1)
    })

    it('in fragments are put together, with a ping in between', async () => {
      const raw = await RawPeer.open(rig().port)
      const peer = rig().lastPeer
      raw.frame('one ', { fin: false })
      raw.frame('two ', { fin: false, opcode: OPCODE.continuation })
      raw.frame('', { opcode: OPCODE.ping })
      raw.frame('three', { opcode: OPCODE.continuation })
      await peer.when(() => peer.texts.length === 1)
      expect(peer.texts).toEqual(['one two three'])
      expect(peer.signs).toBe(1)
      raw.socket.destroy()
    })

    it('in fragments of single bytes on the wire are put together', async () => {
      const raw = await RawPeer.open(rig().port)
      const peer = rig().lastPeer
      raw.socket.setNoDelay(true)
      raw.frame('x', { fin: false })
      for (let at = 0; at < 50; at++) raw.frame('y', { fin: false, opcode: OPCODE.continuation })
      raw.frame('', { opcode: OPCODE.continuation })
      await peer.when(() => peer.texts.length === 1)
      expect(peer.texts).toEqual([`x${'y'.repeat(50)}`])
      raw.socket.destroy()
    })

    it('that are not UTF-8 end the socket', async () => {
      const raw = await RawPeer.open(rig().port)
      raw.frame(Buffer.from([0xc3, 0x28]))
      expect(await outcome(raw)).toBe(traits.invalidUtf8)
      expect(rig().lastPeer.texts).toEqual([])
      await rig().lastPeer.closing
      raw.socket.destroy()
    })

    it.each([
      ['a continuation of nothing', { opcode: OPCODE.continuation }],
      ['of an unknown kind', { opcode: 5 }],
      ['a control frame in fragments', { opcode: OPCODE.ping, fin: false }],
    ])('that are %s end the socket', async (_what, options) => {
      const raw = await RawPeer.open(rig().port)
      raw.frame('x', options)
      expect(await outcome(raw)).toBe(traits.brokenFrame)
      expect(rig().lastPeer.texts).toEqual([])
      raw.socket.destroy()
    })

    it('that are not masked are not taken for text', async () => {
      const raw = await RawPeer.open(rig().port)
      raw.frame('hello', { masked: false })
      raw.socket.end()
      await rig().lastPeer.closing
      expect(rig().lastPeer.texts).toEqual([])
      raw.socket.destroy()
    })

    it('of pings are answered, and pings and pongs are signs of life', async () => {
      const { client, peer, socket } = await rig().open()
      const answered = client.control('pong')
      client.ping()
      await answered
      await peer.when(() => peer.signs === 1)
      const asked = client.control('ping')
      socket.ping()
      await asked
      await peer.when(() => peer.signs === 2)
      expect(peer.texts).toEqual([])
    })

    it('sent from within a callback arrive', async () => {
      const { client, peer, socket } = await rig().open()
      peer.onReceived = (text) => {
        socket.send(`echo ${text}`)
        socket.send('and more')
      }
      client.send('hello')
      expect(await client.take(2)).toEqual(['echo hello', 'and more'])
    })

    it('in any sequence of sizes and ways arrive once, whole and in order, both ways', async () => {
      const way = constantFrom('send', 'broadcast', 'turn')
      const step = record({ way, size: oneof(nat(200), nat(70_000)) })
      await assert(
        asyncProperty(array(step, { maxLength: 60 }), async (steps) => {
          const { client, peer, socket } = await rig().open()
          socket.join(GROUP)
          const texts = steps.map(({ size }, at) => `${at}:${'x'.repeat(size)}`)
          for (const [at, text] of texts.entries()) {
            client.send(text)
            if (steps[at]?.way === 'broadcast') rig().transport.broadcast(GROUP, text)
            else socket.send(text)
            if (steps[at]?.way === 'turn') await new Promise(setImmediate)
          }
          expect(await client.take(texts.length)).toEqual(texts)
          await peer.when(() => peer.texts.length === texts.length)
          expect(peer.texts).toEqual(texts)
          client.terminate()
          await peer.closing
        }),
        { numRuns: 20 },
      )
    })
  })
}
