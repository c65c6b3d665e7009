import type { Fragment, ISql } from 'postgres'
import type {
  BoundWallet,
  MessageRow,
  OpenRun,
  PendingCall,
  ProviderBlocks,
  RunRow,
  RunStatus,
  SessionRow,
  StoredRun,
  StoredToolCall,
  TitleSource,
} from '../ports/store.ts'
import type { Usage } from '../protocol/events.ts'
import type { SessionStatus } from '../protocol/frames.ts'
import type { NodeWatch } from './node-watch.ts'

/** Rows as the driver and `to_jsonb` give them; a time is a Date in a column, ISO 8601 inside JSON, or was made milliseconds by the query. */
export type Time = Date | string | number

export type SessionRecord = {
  readonly id: string
  readonly app: string
  readonly account: string | null
  readonly user_id: string | null
  readonly status: SessionStatus
  readonly title: string | null
  readonly title_by: TitleSource | null
  /** `false`: unbound in the write that made the row. */
  readonly wallet: BoundWallet | false | null
  readonly model: string | null
  readonly created_at: Time
  readonly updated_at: Time
  readonly archived: boolean | null
  readonly vault: string | null
}

export type RunRecord = {
  readonly session_id: string
  readonly id: string
  readonly status: RunStatus
  readonly parent_run_id: string | null
  readonly replaces: string | null
  readonly position: number | null
  readonly model: string | null
  readonly usage: readonly Usage[] | null
  readonly error_code: string | null
  readonly pending: readonly PendingCall[] | null
  readonly queued_at: Time
  readonly started_at: Time | null
  readonly ended_at: Time | null
  readonly node: string | null
  readonly fence: number
  readonly key_id: string | null
  readonly superseded: boolean
}

export type MessageRecord = {
  readonly session_id: string
  readonly id: string
  readonly run_id: string
  readonly index: number
  readonly role: MessageRow['role']
  readonly content: string
  readonly tool_calls: readonly StoredToolCall[] | null
  readonly tool_call_id: string | null
  readonly is_error: boolean | null
  readonly interrupted: boolean | null
  readonly blocks: ProviderBlocks | null
  readonly created_at: Time
}

export type OpenRunRecord = { readonly run: RunRecord; readonly message: MessageRecord | null; readonly alive: boolean }

/** Names as what `in` takes: the driver's own arrays would cost a query per connection. */
export function listed(sql: ISql, names: readonly string[]): Fragment {
  return sql`(select value from json_array_elements_text(${JSON.stringify(names)}::text::json))`
}

export function toMillis(time: Time): number {
  if (typeof time === 'number') return time
  return (typeof time === 'string' ? new Date(time) : time).getTime()
}

export function toSession(record: SessionRecord): SessionRow {
  return {
    id: record.id,
    app: record.app,
    ...(record.account === null ? {} : { account: record.account }),
    ...(record.user_id === null ? {} : { user: record.user_id }),
    status: record.status,
    ...(record.title === null ? {} : { title: record.title }),
    ...(record.title_by === null ? {} : { titleBy: record.title_by }),
    ...(record.wallet === null || record.wallet === false ? {} : { wallet: record.wallet }),
    ...(record.model === null ? {} : { model: record.model }),
    ...(record.archived === null ? {} : { archived: record.archived }),
    ...(record.vault === null ? {} : { vault: record.vault }),
    createdAt: toMillis(record.created_at),
    updatedAt: toMillis(record.updated_at),
  }
}

export function toRun(record: RunRecord): RunRow {
  return {
    id: record.id,
    sessionId: record.session_id,
    status: record.status,
    ...(record.parent_run_id === null ? {} : { parentRunId: record.parent_run_id }),
    ...(record.replaces === null ? {} : { replaces: record.replaces }),
    ...(record.position === null ? {} : { position: record.position }),
    ...(record.model === null ? {} : { model: record.model }),
    ...(record.usage === null ? {} : { usage: record.usage }),
    ...(record.error_code === null ? {} : { errorCode: record.error_code }),
    ...(record.pending === null ? {} : { pending: record.pending }),
    queuedAt: toMillis(record.queued_at),
    ...(record.started_at === null ? {} : { startedAt: toMillis(record.started_at) }),
    ...(record.ended_at === null ? {} : { endedAt: toMillis(record.ended_at) }),
    ...(record.node === null ? {} : { node: record.node }),
    fence: record.fence,
    ...(record.key_id === null ? {} : { keyId: record.key_id }),
  }
}

export function toStoredRun(record: RunRecord): StoredRun {
  return { ...toRun(record), ...(record.superseded ? { superseded: true } : {}) }
}

export function toMessage(sessionId: string, record: Omit<MessageRecord, 'session_id'>): MessageRow {
  return {
    id: record.id,
    sessionId,
    runId: record.run_id,
    index: record.index,
    role: record.role,
    content: record.content,
    ...(record.tool_calls === null ? {} : { toolCalls: record.tool_calls }),
    ...(record.tool_call_id === null ? {} : { toolCallId: record.tool_call_id }),
    ...(record.is_error === true ? { isError: true } : {}),
    ...(record.blocks === null ? {} : { blocks: record.blocks }),
    ...(record.interrupted === true ? { interrupted: true } : {}),
    createdAt: toMillis(record.created_at),
  }
}

export function toOpenRun({ run, message, alive }: OpenRunRecord, watch: NodeWatch): OpenRun {
  return {
    run: toRun(run),
    ...(message === null ? {} : { userMessage: toMessage(message.session_id, message) }),
    nodeAlive: run.status !== 'running' || run.node === null ? alive : watch.isAlive(run.node, alive),
  }
}
