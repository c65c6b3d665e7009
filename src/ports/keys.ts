export type KeyKind = 'secret' | 'publishable'
/** `operator`: the whole server, and no chat. Such a key opens no App, and only the command line on the host makes one. */
export type Scope = 'read' | 'write' | 'delete' | 'admin' | 'operator'

export type KeyRow = {
  readonly id: string
  readonly account: string
  readonly kind: KeyKind
  /** argon2id (secret) or SHA-256 (publishable) of the key's secret part; never the key. */
  readonly hash: string
  /** Secret keys: 16 bits of a digest of the secret, by which a wrong one is told without a hash. Absent: not known yet. */
  readonly tag?: number
  readonly label?: string
  readonly apps: readonly string[]
  readonly scopes: readonly Scope[]
  /** Publishable keys: exact origins that may use it. */
  readonly origins: readonly string[]
  /** IP addresses and networks in CIDR form that it may be used from; empty: all. */
  readonly addresses: readonly string[]
  readonly createdAt: number
  readonly expiresAt?: number
  readonly revokedAt?: number
  readonly lastUsedAt?: number
  /** The id of the key that took its place. */
  readonly successor?: string
}

/** Only a live key is good for anything. `now` in milliseconds since 1970. */
export function keyState(
  { revokedAt, expiresAt }: Pick<KeyRow, 'revokedAt' | 'expiresAt'>,
  now: number,
): 'live' | 'expired' | 'revoked' {
  if (revokedAt !== undefined) return 'revoked'
  return expiresAt !== undefined && now >= expiresAt ? 'expired' : 'live'
}

/** What a key that takes another's place has of its own. */
export type Successor = Pick<KeyRow, 'id' | 'hash' | 'tag' | 'createdAt' | 'expiresAt'>

/** A key was used; `tag` when its row had none. */
export type KeyUse = Pick<KeyRow, 'id' | 'tag'>

export interface KeyStore {
  findKey(id: string): Promise<KeyRow | undefined>
  /** Rejects with `app_not_found` when an App of it does not exist. */
  createKey(row: KeyRow): Promise<void>
  listKeys(): Promise<readonly KeyRow[]>
  /** False when there is no such key; a revoked one stays revoked at its first time. */
  revokeKey(id: string, at: number): Promise<boolean>
  /** Makes `successor` with all else as key `id` has it; that one expires at `until` or when it would have. False when it is not live. */
  rotateKey(id: string, successor: Successor, until: number): Promise<boolean>
  /** A tag that is stored already stays. */
  touchKeys(uses: readonly KeyUse[], at: number): Promise<void>
}
