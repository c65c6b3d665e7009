import type { Socket } from 'node:net'
import { LRUCache } from 'lru-cache'
import type { buildConnector } from 'undici'

/** Bytes that one read of a socket may bring: what libuv takes, too. */
const READ_BYTES = 64 * 1024
/** Hosts whose TLS session is kept, for a shorter handshake the next time: Apps bring hosts of their own. */
const TLS_SESSIONS = 100

/**
 * undici's way to open sockets, but all are read into one buffer, and what came is copied out of it at once. By itself each read gets
 * 64 KiB of its own, which are cut down to what came, and to free those was half of a young collection's time.
 */
export function connectUpstream(build: typeof buildConnector): buildConnector.connector {
  const buffer = Buffer.alloc(READ_BYTES)
  const sessions = new LRUCache<string, Buffer>({ max: TLS_SESSIONS })
  return (options, callback) => {
    const { hostname } = options
    let take: ((bytes: Buffer) => boolean) | undefined
    // A server of HTTP says nothing before it is asked, which is after the socket has opened.
    const read = (count: number): boolean => take?.(firstOf(buffer, count)) ?? false
    const session = sessions.get(hostname)
    const connect = build({ onread: { buffer, callback: read }, ...(session === undefined ? {} : { session }) })
    connect(options, (...[error, opened]) => {
      if (error !== null) return callback(error, null)
      take = handOver(opened)
      opened.on('session', (one: Buffer) => sessions.set(hostname, one))
      callback(null, opened)
    })
  }
}

/** As a copy. */
function firstOf(buffer: Buffer, count: number): Buffer {
  const bytes = Buffer.allocUnsafe(count)
  buffer.copy(bytes, 0, 0, count)
  return bytes
}

/**
 * Makes what came readable, and says so, at once: who reads it in that moment, as undici does unless it is paused, gets it without the
 * stream's own buffer and the two ticks that it takes for each piece. What was not read goes that way. False: no more for now.
 */
function handOver(socket: Socket): (bytes: Buffer) => boolean {
  let came: Buffer | undefined
  const read = socket.read.bind(socket)
  socket.read = (size) => {
    // With a size it is the stream itself that asks.
    if (came === undefined || size !== undefined) return read(size)
    const bytes = came
    came = undefined
    return bytes
  }
  return (bytes) => {
    if (socket.readableLength > 0) return socket.push(bytes)
    came = bytes
    socket.emit('readable')
    const left = came
    came = undefined
    return left === undefined || socket.push(left)
  }
}
