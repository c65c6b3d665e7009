/** A value that no print, log line or JSON shows. */
export interface Revealable {
  reveal(): string
}

/** One secret as it lies in the store. */
export type SealedEntry = { readonly name: string; readonly sealed: string }

export type StoredVault = {
  readonly id: string
  readonly entries: readonly SealedEntry[]
  /** Goes after a while without a change: nobody's account keeps it. */
  readonly passing: boolean
}

/** What the vault needs of the store. All processes agree on it, and what is deleted is gone for all at once. */
export interface VaultStore {
  /** The stored key that secrets are sealed with, else `candidate`, which is stored. */
  sealingKey(candidate: string): Promise<string>
  /** Adds or replaces; false, and nothing is stored, when the vault would hold more than `limit`. */
  putEntries(vault: StoredVault, limit: number): Promise<boolean>
  listEntries(vault: string): Promise<readonly SealedEntry[]>
  /** One, or all; false when there was none. */
  deleteEntries(vault: string, name?: string): Promise<boolean>
  /** Those of `vaults` that hold anything. */
  holding(vaults: readonly string[]): Promise<readonly string[]>
}

/** Secrets of one person, as runs of their sessions read them. */
export interface OwnSecrets {
  /** By name. Rejects with `provider_misconfigured` when one was sealed with another key than this server has. */
  read(vault: string): Promise<ReadonlyMap<string, Revealable>>
}

/** What a secret is for is its name's matter; a provider's key is one of a certain name. */
export type VaultEntry = { readonly name: string; readonly value: string; readonly label?: string }

/** What may be shown of a secret. */
export type ShownEntry = {
  readonly name: string
  readonly label?: string
  /** The beginning, by which its owner knows it. */
  readonly prefix: string
}

/** Secrets that people leave with the server: sealed at rest, never given back. */
export interface Vault extends OwnSecrets {
  /** Rejects with `invalid_value` when the vault would hold too many. */
  put(vault: string, entries: readonly VaultEntry[], passing: boolean): Promise<void>
  show(vault: string): Promise<readonly ShownEntry[]>
  /** One, or all; false when there was none. Runs that are on do not get it any more either. */
  remove(vault: string, name?: string): Promise<boolean>
  /** Those of `vaults` that hold anything. */
  holding(vaults: readonly string[]): Promise<readonly string[]>
}

/** Before the id of a session, whose vault it is: deleted with it. */
export const SESSION_VAULT = 'session:'

/** Before the name of a provider, whose key it is. */
const PROVIDER_KEY = 'PROVIDER_KEY:'

export function providerKeyName(provider: string): string {
  return PROVIDER_KEY + provider
}

/** Undefined for a secret that is no provider's key. */
export function providerOfKey(name: string): string | undefined {
  return name.startsWith(PROVIDER_KEY) ? name.slice(PROVIDER_KEY.length) : undefined
}
