import type { Admission, Principal } from '../../ports/access.ts'
import type { App } from '../../ports/apps.ts'
import type { RunRow } from '../../ports/store.ts'
import type { Ack } from '../../protocol/frames.ts'
import type { Cursor } from '../../protocol/ids.ts'
import type { Session } from '../session/session.ts'

/** Who is connected, from where and to what. */
export type Caller = {
  readonly session: Session
  readonly app: App
  readonly principal: Principal
  readonly from: Admission
  /** The position that it came with, if any. */
  readonly cursor: Cursor | undefined
  /** With what it may come back, where a ticket let it in. */
  readonly reconnectToken?: string | undefined
}

/** A run that the caller asks for, as it waits for its start. */
export function askedRun({ session, principal: { keyId } }: Caller, id: string): RunRow {
  const asked = { id, sessionId: session.id, status: 'queued', queuedAt: session.core.now(), fence: 1 } as const
  return keyId === undefined ? asked : { ...asked, keyId }
}

/** What a handler made of its command. `after` runs once the acknowledgement was written. */
export type Outcome = { readonly ack: Omit<Ack, 'type' | 'ref'>; readonly after?: () => void }
