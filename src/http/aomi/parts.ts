import type { Access } from '../../ports/access.ts'
import type { Apps } from '../../ports/apps.ts'
import type { Conversations } from '../../ports/conversations.ts'
import type { SessionDirectory } from '../../ports/sessions.ts'
import type { ChangeFeed } from '../../ports/store.ts'
import type { Telemetry } from '../../ports/telemetry.ts'
import type { Vault } from '../../ports/vault.ts'
import type { WalletProofs } from '../../ports/wallets.ts'
import type { Memos } from './memos.ts'
import type { SnapshotTexts } from './snapshot.ts'
import type { Streams } from './streams.ts'

/** What the routes are given. */
export type AomiParts = {
  readonly access: Access
  readonly apps: Apps
  readonly conversations: Conversations
  readonly sessions: SessionDirectory
  readonly vault: Vault
  readonly wallets: WalletProofs
  /** Names of the model providers that people may bring keys for. */
  readonly ownKeyProviders: readonly string[]
  /** May whoever names a wallet list its sessions? */
  readonly walletList: boolean
  readonly telemetry: Telemetry
  /** Which sessions are deleted, by whatever process. */
  readonly changes: ChangeFeed
}

/** With what they keep themselves. */
export type Aomi = AomiParts & { readonly memos: Memos; readonly texts: SnapshotTexts; readonly streams: Streams }
