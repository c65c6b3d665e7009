import { randomUUID } from 'node:crypto'
import type { KeyRow } from '../../src/ports/keys.ts'
import type { MessageRow, RunRow, SessionRow, SessionWrite } from '../../src/ports/store.ts'

/** A moment with milliseconds, so that a store that rounds is found out. */
export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678)

export function session(fields: Partial<SessionRow> = {}): SessionRow {
  return { id: randomUUID(), app: 'default', status: 'idle', createdAt: NOW, updatedAt: NOW, ...fields }
}

export function run(sessionId: string, id: string, fields: Partial<RunRow> = {}): RunRow {
  return { id, sessionId, status: 'finished', queuedAt: NOW, fence: 1, ...fields }
}

export function message(owner: RunRow, index: number, fields: Partial<MessageRow> = {}): MessageRow {
  const id = `${owner.id}-${index}`
  const { sessionId } = owner
  return { id, sessionId, runId: owner.id, index, role: 'user', content: `text ${id}`, createdAt: NOW, ...fields }
}

/** A session whose run `r1` ended, with a question and an answer in it. */
export function answered(
  fields: Partial<SessionRow> = {},
): Required<Pick<SessionWrite, 'session' | 'runs' | 'messages'>> & SessionWrite {
  const row = session(fields)
  const first = run(row.id, 'r1', { position: 1 })
  const messages = [message(first, 0), message(first, 1, { role: 'assistant' })]
  return { sessionId: row.id, session: row, runs: [first], messages }
}

export function key(fields: Partial<KeyRow> = {}): KeyRow {
  return {
    id: randomUUID().replaceAll('-', ''),
    account: 'acme',
    kind: 'secret',
    hash: '$argon2id$not-a-real-one',
    apps: [],
    scopes: ['read', 'write'],
    origins: [],
    addresses: [],
    createdAt: NOW,
    ...fields,
  }
}
