import { once } from 'node:events'
import { createServer } from 'node:http'
import { expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { LinkedWebSocket, WsSocket } from '../../src/transports/ws-socket.ts'
import { RawPeer } from './raw-peer.ts'
import { RecordingHandler } from './recording-handler.ts'

it('a frame for a peer that is gone is not told as dropped by a slow reader, only after its close was told', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  const told: unknown[] = []
  const handler = new RecordingHandler()
  const upgrader = new WebSocketServer({ server, WebSocket: LinkedWebSocket })
  upgrader.on('connection', (ws, request) => {
    const shared = { groups: new Map(), sockets: new Set<WsSocket>(), maxBufferedBytes: 1000 }
    const socket = new WsSocket(ws, request.socket, handler, shared)
    handler.opened(socket)
    request.socket.destroy()
    told.push(socket.send('late'), socket.take(Buffer.from('late')))
  })
  await RawPeer.open(address.port).catch(() => undefined)
  const socket = await handler.opening
  expect(await handler.closing).toBe(1006)
  expect(socket.send('later')).toBe('dropped')
  expect(told).toEqual(['queued', true])
  upgrader.close()
  server.close()
})

it('I7: a socket that is gone leaves nothing behind: not itself, and not a group that it was the last in', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  const shared = { groups: new Map<string, Set<WsSocket>>(), sockets: new Set<WsSocket>(), maxBufferedBytes: 1000 }
  const upgrader = new WebSocketServer({ server, WebSocket: LinkedWebSocket })
  const handlers: RecordingHandler[] = []
  upgrader.on('connection', (ws, request) => {
    const handler = new RecordingHandler()
    handlers.push(handler)
    const socket = new WsSocket(ws, request.socket, handler, shared)
    handler.opened(socket)
    socket.join('all')
    socket.join('left')
    socket.leave('left')
  })
  const peers = [await RawPeer.open(address.port), await RawPeer.open(address.port)]
  expect([shared.sockets.size, [...shared.groups.keys()], shared.groups.get('all')?.size]).toEqual([2, ['all'], 2])
  for (const { socket } of peers) socket.destroy()
  await Promise.all(handlers.map(({ closing }) => closing))
  await expect.poll(() => [shared.sockets.size, shared.groups.size]).toEqual([0, 0])
  upgrader.close()
  server.close()
})
