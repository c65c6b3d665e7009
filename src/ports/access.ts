import type { Standing } from './accounts.ts'
import type { App } from './apps.ts'
import type { KeyKind, Scope } from './keys.ts'
import type { Owner } from './store.ts'

/** Who a connection or request is. One object per key, shared by its connections; one per connection that a ticket opened. */
export type Principal = {
  readonly kind: 'anonymous' | 'key' | 'ticket'
  readonly keyId?: string
  readonly keyKind?: KeyKind
  readonly account?: string
  readonly user?: string
  /** The only session that it may open. */
  readonly session?: string
  readonly scopes: readonly Scope[]
  readonly apps: readonly string[]
}

/** The parts of a request that decide who it is and what it may do. Header names are lower case. */
export type AccessRequest = {
  readonly header: (name: string) => string | undefined
  readonly address: string
  readonly secure: boolean
  /** From a subprotocol or the query, when no header carries one. */
  readonly key?: string
  readonly ticket?: string
  /** The session that is asked for. */
  readonly session?: string
}

/** What a ticket lets into one session. */
export type Grant = {
  readonly session: string
  /** Whoever the minting server says it is; the session is this user's from its first message on. */
  readonly user: string
  readonly scopes: readonly ChatScope[]
}
export type ChatScope = Exclude<Scope, 'admin' | 'operator'>

/** `expiresAt` in milliseconds since 1970. */
export type Ticket = { readonly ticket: string; readonly expiresAt: number }

/** Gives back what an admission took (a place among the concurrent runs). Idempotent. */
export type Release = () => void

/** Who is connected to which App. */
export type Guest = { readonly principal: Principal; readonly app: App }

export type Admission = { readonly address: string; readonly forwarded: boolean }

/** A process on this machine that speaks for itself. */
export function isLocal({ address, forwarded }: Admission): boolean {
  return !forwarded && (address === '::1' || address.startsWith('127.'))
}

/** Without a secret key or a ticket a session's id is what protects it: one that can be guessed is none of theirs. */
export function needsRandomId({ kind, keyKind }: Principal): boolean {
  return kind !== 'ticket' && keyKind !== 'secret'
}

export interface Access {
  /**
   * Who is this, and may they use App `app` at all? In this order: `unauthorized` (credential), `app_not_found` (only told to
   * a valid credential), `forbidden`, `origin_not_allowed`, `insecure_connection`; `rate_limit_exceeded` or `overloaded` when too many guesses come in.
   * With a ticket also `ticket_expired` in the place of `unauthorized`, and last `session_not_found` (another session than the
   * ticket's) and `ticket_used`: what is refused for another reason is not used up.
   */
  identify(request: AccessRequest, app: string): Promise<Principal>
  /** Whose key is it? As `identify`, for all of its Apps; a request without a key is `unauthorized`. */
  authenticate(request: AccessRequest): Promise<Principal>
  /** By a secret key, for a session of `app`; throws `forbidden` for scopes that the key lacks and for other principals. */
  mintTicket(principal: Principal, app: string, grant: Grant): Promise<Ticket>
  /** With what a principal of kind `ticket` may come back to its session; undefined for all others. */
  reconnectToken(principal: Principal): Promise<string | undefined>
  /**
   * Who is this, that shows no credential but knows the random id of a session of `owner`? As much as App `app` lets holders
   * of an id do; `unauthorized` where that is nothing, and always for a session of a user.
   */
  holder(request: AccessRequest, app: App, owner: Owner): Principal
  /** Apps that who asks may use: the default one, where it is open, and those of its key. Throws `unauthorized`. */
  appsOf(request: AccessRequest): Promise<readonly string[]>
  /** Throws `forbidden` when the principal lacks the scope. Asked for every command. */
  require(principal: Principal, scope: Scope): void
  /** The address that limits count by: the peer, or what a trusted proxy says. */
  addressOf(request: AccessRequest): Admission
  /** Counts something that is no run against the plan of the principal's account; throws `rate_limit_exceeded` with when to come back. */
  charge(principal: Principal): Promise<void>
  /** Where the principal's account stands in its plan; undefined: it has neither, or the store is away. Never rejects. */
  standing(principal: Principal): Promise<Standing | undefined>
  /**
   * Takes a place among the runs of this address, and one of the plan of the principal's account, while `app` has tokens left;
   * throws `rate_limit_exceeded` with when to come back.
   */
  admitRun(principal: Principal, from: Admission, app: App): Promise<Release>
  /** Counts what somebody leaves with the server, as a run of this address and against the plan; throws `rate_limit_exceeded`. */
  admitChange(principal: Principal, from: Admission): Promise<void>
  /** For a run that begins: takes a place among those of `app` and of the owner's account, as `admitRun` throws. */
  takeRun(owner: Owner, app: App): Promise<Release>
  /** Tokens, input and output, that a run of App `app` took. */
  spent(app: string, tokens: number): void
  /** Takes a place among the connections of this address; throws `rate_limit_exceeded`. */
  admitConnection(from: Admission): void
  /** Gives that place back. */
  leaveConnection(from: Admission): void
  /** Takes a place among the connections of the key and of the App; throws `rate_limit_exceeded`. */
  admitGuest(guest: Guest): void
  /** Gives those places back. */
  leaveGuest(guest: Guest): void
  /** Called with the ids of keys that were revoked, have expired or lost an App; their connections must close. */
  onRevoked(listener: (keyIds: ReadonlySet<string>) => void): void
}
