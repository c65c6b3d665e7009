import { describe, expect, it } from 'vitest'
import type { Rig } from '../rig.ts'

export function groups(rig: () => Rig): void {
  describe('a group', () => {
    it('gets what is broadcast to it, and nobody else does', async () => {
      const [one, two, other] = [await rig().open(), await rig().open(), await rig().open()]
      one.socket.join('a')
      two.socket.join('a')
      other.socket.join('b')
      rig().transport.broadcast('a', 'for a')
      rig().transport.broadcast('b', 'for b')
      expect([await one.client.next(), await two.client.next(), await other.client.next()]).toEqual([
        'for a',
        'for a',
        'for b',
      ])
      expect([one, two, other].map(({ client }) => client.frames.length)).toEqual([1, 1, 1])
    })

    it('that a member joined twice reaches it once, and is left at once', async () => {
      const { client, socket } = await rig().open()
      socket.join('a')
      socket.join('a')
      rig().transport.broadcast('a', 'one')
      socket.leave('a')
      rig().transport.broadcast('a', 'missed')
      socket.send('end')
      expect(await client.take(2)).toEqual(['one', 'end'])
    })

    it('reaches a member that leaves in the same turn with what came before, one that joins with what comes after', async () => {
      const [leaver, joiner] = [await rig().open(), await rig().open()]
      leaver.socket.join('a')
      rig().transport.broadcast('a', 'before')
      leaver.socket.leave('a')
      joiner.socket.join('a')
      rig().transport.broadcast('a', 'after')
      leaver.socket.send('end')
      joiner.socket.send('end')
      expect(await leaver.client.take(2)).toEqual(['before', 'end'])
      expect(await joiner.client.take(2)).toEqual(['after', 'end'])
    })

    it('keeps the order between broadcasts and sends to one member', async () => {
      const { client, socket } = await rig().open()
      socket.join('a')
      const expected: string[] = []
      for (let at = 0; at < 300; at++) {
        const text = `${at} ${at % 50 === 0 ? 'x'.repeat(30_000) : ''}`
        expected.push(text)
        if (at % 3 === 0) rig().transport.broadcast('a', text)
        else socket.send(text)
        if (at % 20 === 0) await new Promise(setImmediate)
      }
      expect(await client.take(expected.length)).toEqual(expected)
    })

    it('lets a socket be in several', async () => {
      const { client, socket } = await rig().open()
      socket.join('a')
      socket.join('b')
      rig().transport.broadcast('a', '1')
      rig().transport.broadcast('b', '2')
      socket.leave('a')
      rig().transport.broadcast('a', 'missed')
      rig().transport.broadcast('b', '3')
      expect(await client.take(3)).toEqual(['1', '2', '3'])
    })

    it('forgets a member that was closed or has left', async () => {
      const [stays, closed, gone] = [await rig().open(), await rig().open(), await rig().open()]
      for (const { socket } of [stays, closed, gone]) socket.join('a')
      closed.socket.close(4401, 'out')
      gone.client.terminate()
      await gone.peer.closing
      rig().transport.broadcast('a', 'news')
      expect(await stays.client.next()).toBe('news')
      await closed.client.closed
      expect(closed.client.frames).toEqual([])
    })

    it('of nobody takes a broadcast', () => {
      expect(() => rig().transport.broadcast('nobody', 'hello')).not.toThrow()
    })

    it('of a hundred members gets every frame in order', async () => {
      const members = await Promise.all(Array.from({ length: 100 }, () => rig().open()))
      for (const peer of rig().peers) (await peer.opening).join('a')
      const texts = Array.from({ length: 100 }, (_, at) => `frame ${at}`)
      for (const text of texts) rig().transport.broadcast('a', text)
      for (const { client } of members) expect(await client.take(texts.length)).toEqual(texts)
    })
  })
}
