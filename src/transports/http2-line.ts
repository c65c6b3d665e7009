import type { ServerHttp2Session } from 'node:http2'
import { CLOSE_TIMEOUT_MS } from './close-codes.ts'

/** Milliseconds without an open request after which a connection is closed. */
const IDLE_MS = 60_000
/**
 * Bytes of answers that wait for the peer of one connection before it is refused more: as many as node counts by itself, which
 * does not see what it is not given yet.
 */
const MAX_WAITING_BYTES = 10_000_000

const LINES = new WeakMap<object, Http2Line>()

/** One connection, over which many answers are on their way. */
export class Http2Line {
  /** Bytes of answers that the peer has still to take. */
  waiting = 0

  /** Of a session that has not ended. */
  static of(session: object | undefined): Http2Line | undefined {
    return session && LINES.get(session)
  }

  constructor(session: ServerHttp2Session) {
    LINES.set(session, this)
    closeWhenIdle(session)
  }

  get full(): boolean {
    return this.waiting > MAX_WAITING_BYTES
  }
}

/** Says that it closes, and then does: a peer that hears it and does not leave would keep its connection for ever. */
function closeWhenIdle(session: ServerHttp2Session): void {
  let open = 0
  let cutting: NodeJS.Timeout | undefined
  const timer = setTimeout(() => {
    if (open > 0) return
    session.close()
    cutting = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS)
  }, IDLE_MS)
  // What a session shows as its socket cannot be destroyed; `once` gives the socket itself.
  const socket = session.socket.once('close', () => {
    clearTimeout(timer)
    clearTimeout(cutting)
  })
  session.on('stream', (stream) => {
    open++
    stream.once('close', () => {
      open--
      if (open === 0 && !socket.destroyed) timer.refresh()
    })
  })
}
