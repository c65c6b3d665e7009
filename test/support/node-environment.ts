import { randomUUID } from 'node:crypto'
import { WebSocket } from 'ws'
import type { Environment } from '../../clients/core/environment.ts'

const TICKET = 'parley.ticket.'

/** What the browser client needs of the world, on real sockets that the test can cut. */
export type NodeEnvironment = Environment & {
  /** Sockets so far. */
  readonly opened: number
  /** The line goes, without a word. */
  cut(): void
  /** What the next handshake shows as its ticket is none. */
  spoil(): void
}

export function nodeEnvironment(): NodeEnvironment {
  const sockets: WebSocket[] = []
  let spoilt = false
  return {
    now: Date.now,
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (timer) => {
      if (timer instanceof Object) clearTimeout(Number(timer))
    },
    random: Math.random,
    randomId: randomUUID,
    online: () => true,
    onNetworkChange: () => () => undefined,
    onReturn: () => () => undefined,
    openSocket(url, protocols, { onMessage, onClose }) {
      const offered = protocols.map((each) => (spoilt && each.startsWith(TICKET) ? `${TICKET}spoilt` : each))
      spoilt = false
      const socket = new WebSocket(url, offered)
      sockets.push(socket)
      socket.on('message', (data) => onMessage(Buffer.isBuffer(data) ? data.toString() : ''))
      socket.on('close', onClose)
      // The close tells it.
      socket.on('error', () => undefined)
      return { send: (text) => socket.send(text), close: () => socket.close() }
    },
    get opened() {
      return sockets.length
    },
    cut: () => sockets.at(-1)?.terminate(),
    spoil: () => {
      spoilt = true
    },
  }
}
