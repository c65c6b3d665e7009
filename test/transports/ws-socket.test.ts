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
