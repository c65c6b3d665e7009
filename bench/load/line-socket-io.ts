import type { Frame, Line, LineEvents, LineTarget } from './line.ts'
import { LoadSocket } from './socket.ts'

/**
 * Engine.IO 4 and Socket.IO 5 by hand, over a WebSocket from the start: `0` open, `2` and `3` ping and pong, `4` a packet,
 * in which `0` connects, `2` is an event (a number before it asks for an acknowledgement), `3` acknowledges.
 */
const OPEN = '0'
const PING = '2'
const PONG = '3'
const CONNECT = '40'
const EVENT = '42'
const ACK = '43'

/** The events of bench/peers/socket-io.mjs. */
export async function openSocketIoLine(target: LineTarget, { frame, close }: LineEvents): Promise<Line> {
  const stops: string[] = []
  const [opened, open] = signal()
  const [connected, connect] = signal()
  const read = (text: string): void => {
    if (text.startsWith(EVENT)) frame(frameOf(JSON.parse(text.slice(EVENT.length))))
    else if (text === PING) socket.send(PONG)
    else if (text.startsWith(ACK)) frame({ type: 'ack', ref: stops[Number.parseInt(text.slice(ACK.length), 10)] ?? '' })
    else if (text.startsWith(CONNECT)) connect()
    else if (text.startsWith(OPEN)) open()
    else frame({ type: 'error', code: 'socket.io', message: text })
  }
  const socket = await LoadSocket.open(target, { text: read, close })
  await opened
  socket.send(CONNECT)
  await connected
  return {
    ask: (_id, content) => socket.send(EVENT + JSON.stringify(['ask', content])),
    stop: (id) => socket.send(`${EVENT}${stops.push(id) - 1}${JSON.stringify(['stop'])}`),
    destroy: () => socket.destroy(),
  }
}

function frameOf([event, text]: readonly [string, string?]): Frame {
  if (event === 'token') return { chunk: { type: 'TEXT_MESSAGE_CONTENT', delta: text ?? '' } }
  if (event === 'done') return { chunk: { type: 'RUN_FINISHED' } }
  return { chunk: { type: 'RUN_ERROR', message: `${event} ${text ?? ''}` } }
}

function signal(): readonly [Promise<void>, () => void] {
  let give: () => void = () => {}
  const given = new Promise<void>((resolve) => {
    give = resolve
  })
  return [given, () => give()]
}
