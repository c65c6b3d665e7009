import type { App } from '../../ports/apps.ts'
import { encodeSyntheticEvent } from '../../protocol/codec.ts'
import type { Event } from '../../protocol/events.ts'
import type { SessionReady, SessionUpdated } from '../../protocol/frames.ts'
import type { Cursor } from '../../protocol/ids.ts'
import { MAX_PAGE_MESSAGES } from '../../protocol/limits.ts'
import { PROTOCOL_VERSION } from '../../protocol/version.ts'
import { toWirePending } from '../calls/open-calls.ts'
import { chosenModel } from '../run/start-run.ts'
import type { Session } from '../session/session.ts'
import { toWireWallet } from '../session/session-row.ts'
import { toQueueItems } from '../session/wire-messages.ts'
import type { ChatSettings } from '../settings.ts'
import type { Caller } from './caller.ts'

/** The first frame: what this session is now, and the position that the tail or snapshot after it starts from. */
export function readyFrame(
  { session, app, reconnectToken }: Pick<Caller, 'session' | 'app' | 'reconnectToken'>,
  settings: ChatSettings,
  start: Cursor,
  resumed: SessionReady['resumed'],
): SessionReady {
  const { row, lastRun } = session
  const { runId } = session
  return {
    type: 'session.ready',
    protocolVersion: PROTOCOL_VERSION,
    sessionId: session.id,
    app: app.id,
    epoch: start.epoch,
    seq: start.seq,
    status: session.status,
    ...(runId === undefined ? {} : { runId }),
    ...(lastRun === undefined ? {} : { lastRun }),
    resumed,
    ...(row.title === undefined ? {} : { title: row.title }),
    ...(row.wallet === undefined ? {} : { wallet: toWireWallet(row.wallet) }),
    model: chosenModel(session, app.model),
    models: [...app.model.allowed],
    queue: toQueueItems(session.queue),
    pending: toWirePending(session.waiting, session.core.now()),
    heartbeatMs: settings.pingEveryMs,
    limits: {
      frameBytes: settings.frameBytes,
      messageBytes: settings.messageBytes,
      queuedSends: app.limits?.queuedSends ?? settings.queuedSends,
      pageMessages: MAX_PAGE_MESSAGES,
    },
    ...(reconnectToken === undefined ? {} : { reconnectToken }),
  }
}

/** All that `session.updated` may tell, for a connection that may have missed some of it. */
export function updatedFrame(session: Session, app: App): SessionUpdated {
  const { title, wallet } = session.row
  return {
    type: 'session.updated',
    ...(title === undefined ? {} : { title }),
    wallet: wallet === undefined ? null : toWireWallet(wallet),
    model: chosenModel(session, app.model),
  }
}

const NO_FRAMES: readonly string[] = []

/** P-29: each made when it is asked for. */
export function openingFrames(events: readonly Event[]): Iterable<string> {
  return events.length === 0 ? NO_FRAMES : encodeEach(events)
}

function* encodeEach(events: readonly Event[]): Generator<string> {
  for (const event of events) yield encodeSyntheticEvent(event)
}
