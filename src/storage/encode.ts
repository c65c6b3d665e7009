import type { SessionWrite } from '../ports/store.ts'

/** UTF-16 units of a session's row as JSON, but for its title. */
const SESSION_BYTES = 500

/** What of a session's row is written. */
type SessionFields = NonNullable<SessionWrite['session']>

/**
 * Writes of one session as the JSON texts that the statement takes: what is queued is a snapshot, its size is known, and a
 * row that a later write replaces costs nothing more.
 */
export type EncodedWrite = {
  readonly sessionId: string
  readonly session?: SessionFields
  /** As in the write; of writes that went together only if it holds of all. */
  readonly known: boolean
  readonly runs: ReadonlyMap<string, string>
  readonly messages: ReadonlyMap<string, string>
  readonly tails: ReadonlyMap<string, string>
  /** A run of it has ended. */
  readonly ends: boolean
  /** Runs that are not among `runs`, but something of them, by id: what the stored one is held against before anything of its session is written. */
  readonly guards: ReadonlyMap<string, string>
  readonly supersede?: string
  readonly rows: number
  /** UTF-16 units, near enough to bytes for a bound. */
  readonly bytes: number
}

/**
 * `node` is this process: a message whose run is not in the write may only go to an open run that no other process has. A run that
 * is in it is held against the stored one by its own fence.
 */
export function encodeWrite(write: SessionWrite, node: string): EncodedWrite {
  const { sessionId, session, known = false, runs = [], messages = [], tails = [], supersedeFromRun: from } = write
  const others = [...messages, ...tails].filter(({ runId }) => runs.every(({ id }) => id !== runId))
  const keep = runs.map((run) => run.id)
  return measure({
    sessionId,
    ...(session === undefined ? {} : { session }),
    known,
    runs: new Map(runs.map((run) => [run.id, JSON.stringify(run)])),
    messages: new Map(messages.map((message) => [message.id, JSON.stringify(message)])),
    tails: new Map(tails.map((tail) => [tail.id, JSON.stringify({ sessionId, ...tail })])),
    ends: runs.some(({ status }) => status !== 'queued' && status !== 'running'),
    guards: new Map(others.map(({ runId }) => [runId, JSON.stringify({ sessionId, runId, node })])),
    ...(from === undefined ? {} : { supersede: JSON.stringify({ sessionId, from, keep }) }),
  })
}

/**
 * What superseding takes out of history depends on which runs were there before it, so such a write goes to the store on its
 * own; a tail follows what an earlier write stored, which the same statement would not see. All others of a session may
 * share one.
 */
export function canMerge(earlier: EncodedWrite, later: EncodedWrite): boolean {
  if (earlier.supersede !== undefined || later.supersede !== undefined || later.tails.size > 0) return false
  return areOfOneLife(earlier, later)
}

/**
 * A session may be deleted and made anew while the last words of the old one wait: as one write with the first of the new one
 * they would become a part of it. A write that begins a session shares a statement with what is surely of the same one only.
 */
function areOfOneLife(earlier: EncodedWrite, later: EncodedWrite): boolean {
  if (later.session === undefined || (later.known && earlier.session === undefined)) return true
  return earlier.session?.createdAt === later.session.createdAt
}

/** The same outcome as `earlier` and then `later`, both of one session. */
export function mergeWrites(earlier: EncodedWrite, later: EncodedWrite): EncodedWrite {
  const session =
    earlier.session === undefined || later.session === undefined
      ? (later.session ?? earlier.session)
      : { ...earlier.session, ...defined(later.session) }
  const runs = new Map([...earlier.runs, ...later.runs])
  return measure({
    sessionId: later.sessionId,
    ...(session === undefined ? {} : { session }),
    known: [earlier, later].every((write) => write.session === undefined || write.known),
    runs,
    messages: new Map([...earlier.messages, ...later.messages]),
    ends: earlier.ends || later.ends,
    tails: new Map([...earlier.tails].filter(([id]) => !later.messages.has(id))),
    guards: new Map([...earlier.guards, ...later.guards].filter(([id]) => !runs.has(id))),
  })
}

/** What is absent leaves the field as it is, also where it is spelled out. */
function defined(session: SessionFields): Partial<SessionFields> {
  return Object.fromEntries(Object.entries(session).filter(([, value]) => value !== undefined))
}

function measure(write: Omit<EncodedWrite, 'rows' | 'bytes'>): EncodedWrite {
  let bytes = write.session === undefined ? 0 : SESSION_BYTES + (write.session.title?.length ?? 0)
  for (const rows of [write.runs, write.messages, write.tails]) for (const row of rows.values()) bytes += row.length
  return { ...write, rows: 1 + write.runs.size + write.messages.size + write.tails.size, bytes }
}
