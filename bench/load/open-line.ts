import type { Line, LineEvents, LineTarget } from './line.ts'
import { EventLine } from './line-events.ts'
import { openSocketIoLine } from './line-socket-io.ts'
import { openWebSocketLine } from './line-websocket.ts'

/** A client of the protocol that the target's server speaks; resolves when it may ask. */
export async function openLine(target: LineTarget, events: LineEvents): Promise<Line> {
  const { wire = 'websocket' } = target
  switch (wire) {
    case 'websocket':
      return openWebSocketLine(target, events)
    case 'socket.io':
      return openSocketIoLine(target, events)
    default:
      return new EventLine(target, wire, events)
  }
}
