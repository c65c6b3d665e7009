/** What was done to the server's Apps, keys and conversations by who may: from the command line or over HTTP. */
export type Act =
  | 'account.plan'
  | 'app.put'
  | 'app.delete'
  | 'document.put'
  | 'document.delete'
  | 'key.create'
  | 'key.rotate'
  | 'key.revoke'
  | 'session.read'
  | 'session.export'
  | 'session.delete'
  | 'user.delete'
  | 'app.retain'

export type NewAct = {
  /** A key's id, or `cli`. */
  readonly actor: string
  /** The actor's account, where it has one; the operator's acts and those of the command line have none. */
  readonly account?: string
  readonly act: Act
  /** What it was done to: an account, an App, a key or a session by its id. Never a secret, nor a user's name: that is to be gone. */
  readonly target: string
  /** From where; absent: the host itself. */
  readonly address?: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** `outcome`: `ok`, a code of the error table, or `begun` where the process died before it could say. */
export type ActRow = NewAct & { readonly id: string; readonly outcome: string }

export type ActQuery = {
  /** Of this account only. */
  readonly account?: string
  /** An act's id: only older ones. */
  readonly before?: string
  readonly limit: number
  /** Milliseconds since 1970: none older. */
  readonly since: number
}

export interface AuditStore {
  /** Notes the act before it is done; gives its id. Acts before `since` (milliseconds since 1970) are forgotten, a few at a time. */
  beginAct(act: NewAct, since: number): Promise<string>
  endAct(id: string, outcome: string): Promise<void>
  /** Newest first. */
  listActs(query: ActQuery): Promise<readonly ActRow[]>
}
