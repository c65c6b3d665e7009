import { afterAll, beforeAll } from 'vitest'
import type { AccountStore } from '../../src/ports/accounts.ts'
import type { KeyStore } from '../../src/ports/keys.ts'
import type { AppStore, ChangeFeed, CommitOptions, SessionStore } from '../../src/ports/store.ts'
import type { TicketStore } from '../../src/ports/tickets.ts'
import type { UsageStore } from '../../src/ports/usage.ts'
import type { VaultStore } from '../../src/ports/vault.ts'

export type Storage = SessionStore &
  KeyStore &
  AccountStore &
  UsageStore &
  TicketStore &
  VaultStore &
  AppStore &
  ChangeFeed

export type StoreProcess = {
  readonly store: Storage
  /** The process ends without a word: nobody runs its runs any more. */
  die(): Promise<void>
}

/** Several processes on one, at first empty, store. */
export type StoreSubject = {
  start(): Promise<StoreProcess>
  /** Ends all that still live and removes the data. */
  close(): Promise<void>
}

export type MakeStore = () => Promise<StoreSubject>

/** Long enough that no healthy store is given up on a busy machine. */
export const SOON: CommitOptions = { giveUpAfterMs: 5000 }

export type Subject = {
  readonly store: () => Storage
  readonly other: () => StoreProcess
  readonly start: () => Promise<StoreProcess>
}

/** One store with two processes for a group of tests; each test makes its own sessions. */
export function openSubject(make: MakeStore): Subject {
  let first: StoreProcess | undefined
  let second: StoreProcess | undefined
  let start: (() => Promise<StoreProcess>) | undefined
  let close: (() => Promise<void>) | undefined
  beforeAll(async () => {
    const subject = await make()
    close = () => subject.close()
    start = () => subject.start()
    first = await subject.start()
    second = await subject.start()
  })
  afterAll(() => close?.())
  const present = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error('asked for before the tests started')
    return value
  }
  return { store: () => present(first).store, other: () => present(second), start: () => present(start)() }
}

/** A rejection with this row of the error table. */
export function refusal(code: string): { code: string } {
  return { code }
}
