import type { KeyFacts, StoredApp } from '../../ports/admin.ts'
import type { AccountRow } from '../../ports/admin-store.ts'
import type { ActRow } from '../../ports/audit.ts'
import { keyState } from '../../ports/keys.ts'
import type { MessageRow, SessionRow } from '../../ports/store.ts'
import type { KeyJson, MessageJson, SessionJson } from './answers.ts'

export function time(ms: number): string {
  return new Date(ms).toISOString()
}

/** Where the next page begins, when this one is full: behind the row of that id, or what `place` says of it. */
export function nextOf<T extends { readonly id: string }>(
  rows: readonly T[],
  { limit }: { readonly limit: number },
  place = ({ id }: T): string => id,
): { readonly next?: string } {
  const last = rows.at(-1)
  return last === undefined || rows.length < limit ? {} : { next: place(last) }
}

export function appJson({ id, account, updatedAt }: StoredApp) {
  return { id, account, updatedAt: time(updatedAt) }
}

export function accountJson({ createdAt, ...account }: AccountRow) {
  return { ...account, createdAt: time(createdAt) }
}

export function keyJson(key: KeyFacts): KeyJson {
  const { createdAt, expiresAt, revokedAt, lastUsedAt, apps, scopes, origins, addresses, ...rest } = key
  return {
    ...rest,
    state: keyState(key, Date.now()),
    apps: [...apps],
    scopes: [...scopes],
    origins: [...origins],
    addresses: [...addresses],
    createdAt: time(createdAt),
    ...(expiresAt === undefined ? {} : { expiresAt: time(expiresAt) }),
    ...(revokedAt === undefined ? {} : { revokedAt: time(revokedAt) }),
    ...(lastUsedAt === undefined ? {} : { lastUsedAt: time(lastUsedAt) }),
  }
}

export function sessionJson({
  titleBy: _by,
  wallet: _wallet,
  createdAt,
  updatedAt,
  ...session
}: SessionRow): SessionJson {
  return { ...session, createdAt: time(createdAt), updatedAt: time(updatedAt) }
}

/** Without what only its provider reads. */
export function messageJson(message: MessageRow): MessageJson {
  const { blocks: _blocks, sessionId: _session, index: _index, toolCalls, createdAt, ...rest } = message
  const calls = toolCalls === undefined ? {} : { toolCalls: toolCalls.map((call) => ({ ...call })) }
  return { ...rest, ...calls, createdAt: time(createdAt) }
}

export function actJson({ at, ...act }: ActRow) {
  return { ...act, at: time(at) }
}
