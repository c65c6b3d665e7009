import type { Fragment, ISql } from 'postgres'
import type { Change, RunRef, RunWord } from '../ports/store.ts'

/** Sessions named in one row of `changes` at most: with their commas about 8 KiB. */
export const MAX_NAMED_SESSIONS = 200

/**
 * What `changes.ref` says under the kind `session`: the id of one that was removed, `<node> <id>,<id>` for those that a process
 * wrote, `<node> <word> <session> <run>` for the process that has the run on.
 */
export function writtenBy(node: string, sessionIds: readonly string[]): string {
  return `${node} ${sessionIds.join(',')}`
}

export function toldTo(word: RunWord, { node, sessionId, runId }: RunRef & { readonly node: string }): string {
  return `${node} ${word} ${sessionId} ${runId}`
}

/** Whether the row is a stop of `toldTo`. */
export function isStop(sql: ISql): Fragment {
  return sql`ref like '% cancel %'`
}

/** What of it concerns the process `node`: not what it wrote itself, nor what is another's to do. */
export function readSessionChange(ref: string, node: string): readonly Change[] {
  const [first = '', second, sessionId, ...rest] = ref.split(' ')
  if (second === undefined) return [{ kind: 'session', id: first, removed: true }]
  if (sessionId !== undefined) {
    const runId = rest.join(' ')
    const isWord = second === 'cancel' || second === 'watched'
    return first === node && isWord ? [{ kind: second, sessionId, runId }] : []
  }
  return first === node ? [] : second.split(',').map((id) => ({ kind: 'session', id }))
}
