import type {
  CommitOptions,
  HistoryQuery,
  LoadedSession,
  MessageRow,
  OpenRun,
  Owner,
  RunRow,
  SessionRow,
  SessionStore,
  SessionWrite,
} from '../../src/ports/store.ts'
import { ParleyError } from '../../src/protocol/errors.ts'

export class InterimStore implements SessionStore {
  readonly node = 'n1'
  sessions = new Map<string, SessionRow>()
  runs = new Map<string, RunRow & { superseded?: boolean }>()
  messages = new Map<string, MessageRow>()
  away = false
  commits = 0
  async load(id: string): Promise<LoadedSession | undefined> {
    const session = this.sessions.get(id)
    if (!session) return undefined
    const runs = [...this.runs.values()].filter((r) => r.sessionId === id)
    const open = runs
      .filter((r) => r.status === 'queued' || r.status === 'running')
      .sort((a, b) => a.queuedAt - b.queuedAt)
    const ended = runs
      .filter((r) => r.position !== undefined && r.status !== 'running' && !r.superseded)
      .sort((a, b) => (a.position ?? 0) - (b.position ?? 0))
    const last = ended.at(-1)
    return {
      session,
      openRuns: open.map(
        (run): OpenRun => ({ run, userMessage: this.user(run.id), nodeAlive: run.node === this.node }),
      ),
      ...(last ? { lastRun: last } : {}),
      lastPosition: Math.max(0, ...runs.map((r) => r.position ?? 0)),
    }
  }
  user(runId: string) {
    return [...this.messages.values()].find((m) => m.runId === runId && m.role === 'user')
  }
  async history(id: string, q: HistoryQuery) {
    const pos = (m: MessageRow) => this.runs.get(m.runId)?.position ?? 0
    let rows = [...this.messages.values()]
      .filter(
        (m) =>
          m.sessionId === id && this.runs.get(m.runId)?.position !== undefined && !this.runs.get(m.runId)?.superseded,
      )
      .sort((a, b) => pos(a) - pos(b) || a.index - b.index)
    if (q.before)
      rows = rows.slice(
        0,
        Math.max(
          0,
          rows.findIndex((r) => r.id === q.before),
        ),
      )
    return { messages: rows.slice(-q.maxMessages), hasMore: rows.length > q.maxMessages }
  }
  async findSend(id: string, cmid: string) {
    const m = this.messages.get(`${id}/${cmid}`)
    const run = m && this.runs.get(m.runId)
    return m && run ? { run, userMessage: m, nodeAlive: true } : undefined
  }
  async findRun(id: string, runId: string) {
    const run = this.runs.get(runId)
    return run?.sessionId === id ? run : undefined
  }
  async commit(w: SessionWrite, o: CommitOptions) {
    await new Promise((r) => setImmediate(r))
    if (this.away) throw new ParleyError('store_unavailable')
    this.commits++
    if (w.session) this.sessions.set(w.sessionId, w.session)
    if (w.supersedeFromRun) {
      const p = this.runs.get(w.supersedeFromRun)?.position ?? Infinity
      for (const [k, r] of this.runs)
        if (r.sessionId === w.sessionId && (r.position ?? 0) >= p) this.runs.set(k, { ...r, superseded: true })
    }
    for (const r of w.runs ?? []) this.runs.set(r.id, { ...r })
    for (const m of w.messages ?? []) this.messages.set(`${w.sessionId}/${m.id}`, m)
  }
  async list(owner: Owner) {
    return [...this.sessions.values()]
      .filter((s) => s.account === owner.account)
      .map((s) => ({ id: s.id, status: s.status, updatedAt: s.updatedAt }))
  }
  async delete(id: string) {
    return this.sessions.delete(id)
  }
  async ping() {}
}
