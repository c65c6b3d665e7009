import type { Admission, Principal } from '../../ports/access.ts'
import type { App } from '../../ports/apps.ts'
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

/** What a run keeps of who asked for it. */
export function askedBy({ principal }: Caller): { readonly keyId?: string } {
  return principal.keyId === undefined ? {} : { keyId: principal.keyId }
}

/** What a handler made of its command. `after` runs once the acknowledgement was written. */
export type Outcome = { readonly ack: Omit<Ack, 'type' | 'ref'>; readonly after?: () => void }
