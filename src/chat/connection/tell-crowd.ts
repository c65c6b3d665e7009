import { MAX_DELTA_UNITS } from '../../protocol/limits.ts'
import type { EventBuffer } from '../run/event-buffer.ts'
import type { TurnQueue } from '../turn-queue.ts'

/** Connections at the head from which on they are a crowd: more than one person's own tabs. */
const CROWD = 8
/** UTF-16 units that one frame to a crowd hands to all its sockets together, unless its frames would get shorter than LEAST_UNITS. */
const FRAME_UNITS = 1024 * 1024
const LEAST_UNITS = 8 * 1024
/** What a frame costs beside its text, some microseconds a socket, is what so many units cost. */
const OWN_UNITS = 2 * 1024

/**
 * Hands over what a run said. A crowd is told a frame at a time, in turns that all crowds share: a fast answer to a thousand is
 * more than a machine can send, and would leave nobody else a turn. Meanwhile the run takes in nothing, so its model waits.
 * @returns undefined when all is told; else when it will be
 */
export function tellCrowd(buffer: EventBuffer, size: number, turns: TurnQueue): Promise<void> | undefined {
  if (size < CROWD) {
    buffer.flush()
    return undefined
  }
  const most = Math.max(LEAST_UNITS, Math.min(MAX_DELTA_UNITS, Math.floor(FRAME_UNITS / size)))
  return new Promise((resolve, reject) => {
    const tellOne = (): void => {
      try {
        turns.spend((buffer.flushFrame(most) + OWN_UNITS) * size)
        if (buffer.empty) resolve()
        else turns.add(tellOne)
      } catch (thrown) {
        reject(thrown)
      }
    }
    turns.run(tellOne)
  })
}
