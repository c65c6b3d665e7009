import type { Line, LineEvents, LineTarget } from './line.ts'
import { LoadSocket } from './socket.ts'

/** Parley's frames, which R and the relay on `ws` take too. */
export async function openWebSocketLine(target: LineTarget, { frame, close }: LineEvents): Promise<Line> {
  const socket = await LoadSocket.open(target, { text: (text) => frame(JSON.parse(text)), close })
  return {
    ask: (id, content) => socket.send(JSON.stringify({ type: 'message.send', id, clientMessageId: id, content })),
    stop: (id) => socket.send(JSON.stringify({ type: 'run.cancel', id })),
    destroy: () => socket.destroy(),
  }
}
