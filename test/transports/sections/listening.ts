import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { freePort } from '../../support/free-port.ts'
import { HandshakeRefused, SocketClient } from '../../support/socket-client.ts'
import { deferred } from '../../support/turns.ts'
import { handshake, RawPeer } from '../raw-peer.ts'
import type { Rig } from '../rig.ts'

export type ListenTraits = {
  /** What becomes of a second request that comes before the first was answered. */
  readonly pipelined: 'served' | 'cut'
}

const BIG = 'x'.repeat(300 * 1024)
const TAKEN = /in use|EADDRINUSE/
const GET = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`

export function listening(rig: () => Rig, traits: ListenTraits): void {
  describe('the port', () => {
    it('is chosen by the system when 0 is asked for', () => {
      expect(rig().port).toBeGreaterThan(0)
    })

    it('that is taken by a transport of the same kind rejects', async () => {
      const other = await rig().make({ upgrade: async () => rig().accept(), fetch: async () => new Response() })
      await expect(other.listen('127.0.0.1', rig().port)).rejects.toThrow(TAKEN)
      await other.close()
    })

    it('that is taken by another server rejects', async () => {
      const holder = createServer().listen(0, '127.0.0.1')
      await once(holder, 'listening')
      const address = holder.address()
      const port = typeof address === 'object' ? (address?.port ?? 0) : 0
      const other = await rig().make({ upgrade: async () => rig().accept(), fetch: async () => new Response() })
      await expect(other.listen('127.0.0.1', port)).rejects.toThrow(TAKEN)
      await other.close()
      holder.close()
    })

    it('that is given up ends a peer whose handshake is not decided yet', async () => {
      rig().verdict = () => new Promise(() => undefined)
      const raw = await RawPeer.connect(rig().port)
      raw.write(handshake('/ws'))
      await expect.poll(() => rig().requests.length).toBe(1)
      await rig().transport.close()
      await raw.ended
      raw.socket.destroy()
    })

    it('can be taken again at once after close, with connections still winding down', async () => {
      const port = await freePort()
      for (const answer of ['old', 'new']) {
        const server = await rig().make({
          upgrade: async () => rig().accept(),
          fetch: async () => new Response(answer),
        })
        await server.listen('127.0.0.1', port)
        const client = await SocketClient.connect(rig().url.replace(String(rig().port), String(port)))
        expect(await (await fetch(rig().http.replace(String(rig().port), String(port)))).text()).toBe(answer)
        await server.close()
        await client.closed
      }
    })

    it('serves one request after another on one connection', async () => {
      rig().fetch = async (seen) => new Response(`<${new URL(seen.url).pathname}>`)
      const raw = await RawPeer.connect(rig().port)
      for (const path of ['/one', '/two', '/three']) {
        raw.write(GET(path))
        expect(await raw.until('>')).toContain(`<${path}`)
      }
      raw.socket.destroy()
    })

    it('serves pipelined requests in order, or cuts the connection; it never mixes them up', async () => {
      rig().fetch = async (seen) => {
        await new Promise(setImmediate)
        return new Response(`<${new URL(seen.url).pathname}>`)
      }
      const raw = await RawPeer.connect(rig().port)
      raw.write(GET('/one') + GET('/two'))
      const both = async (): Promise<string> => `${await raw.until('>')} ${await raw.until('>')}`
      const outcome = await both().catch(() => '')
      const paths = [...outcome.matchAll(/<(\/\w+)>/g)].map(([, path]) => path)
      expect(paths).toEqual(traits.pipelined === 'cut' ? [] : ['/one', '/two'])
      raw.socket.destroy()
    })
  })

  describe('stopListening', () => {
    it('refuses new connections; sockets that are open live on', async () => {
      const { client, peer, socket } = await rig().open()
      rig().transport.stopListening()
      rig().transport.stopListening()
      await expect(SocketClient.connect(rig().url)).rejects.toThrow('ECONNREFUSED')
      client.send('still here')
      await peer.when(() => peer.texts.length === 1)
      socket.send('so am I')
      expect(await client.next()).toBe('so am I')
    })

    it('lets a request that is on finish, as the last of its connection', async () => {
      let answer: (response: Response) => void = () => undefined
      rig().fetch = () =>
        new Promise((resolve) => {
          answer = resolve
        })
      const raw = await RawPeer.connect(rig().port)
      raw.write(GET('/'))
      await expect.poll(() => answer.length).toBe(1)
      rig().transport.stopListening()
      answer(new Response('done'))
      const head = await raw.until('done')
      expect(head).toMatch(/^HTTP\/1.1 200/)
      expect(head.toLowerCase()).toContain('connection: close')
      await raw.ended
      raw.socket.end()
    })

    it('refuses a handshake whose verdict comes after it', async () => {
      let decide: () => void = () => undefined
      rig().verdict = () =>
        new Promise((resolve) => {
          decide = () => resolve(rig().accept())
        })
      const connecting = SocketClient.connect(rig().url)
      await expect.poll(() => rig().requests.length).toBe(1)
      rig().transport.stopListening()
      decide()
      const refused: unknown = await connecting.catch((error: unknown) => error)
      expect(refused).toBeInstanceOf(HandshakeRefused)
      expect(refused).toMatchObject({ status: 503 })
      expect(rig().lastPeer.everOpened).toBe(false)
    })
  })

  describe('close', () => {
    it('cuts what is left, sockets and requests, and says so to the core', async () => {
      const { client, peer } = await rig().open()
      rig().fetch = () => new Promise(() => undefined)
      const pending = fetch(rig().http).catch(() => 'cut')
      const waiting = await RawPeer.connect(rig().port)
      rig().verdict = () => new Promise(() => undefined)
      waiting.write(handshake('/ws'))
      await expect.poll(() => rig().requests.length).toBe(2)
      await rig().transport.close()
      expect(await peer.closing).toBe(1006)
      expect((await client.closed).code).toBe(1006)
      expect(await pending).toBe('cut')
      await Promise.race([waiting.ended, waiting.closed])
      waiting.socket.destroy()
    })

    it('lets a request that is being answered end: its answer arrives whole', async () => {
      const asked = deferred()
      const ready = deferred<Response>()
      rig().fetch = () => {
        asked.resolve()
        return ready.promise
      }
      const pending = fetch(rig().http)
      await asked.promise
      const closed = rig().transport.close()
      ready.resolve(new Response(BIG))
      expect(await (await pending).text()).toBe(BIG)
      await closed
    })

    it('lets close frames that were sent before it arrive', async () => {
      const { client, socket } = await rig().open()
      socket.close(1012, 'restart')
      await rig().transport.close()
      expect(await client.closed).toEqual({ code: 1012, reason: 'restart' })
    })
  })
}
