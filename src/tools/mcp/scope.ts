import { AsyncLocalStorage } from 'node:async_hooks'
import { setMaxListeners } from 'node:events'
import { withDeadline } from '../http/deadline.ts'

/**
 * One piece of work with a server, such as a call. The SDK gives the requests that it makes for it neither its signal nor its
 * bounds; they find them here.
 */
export type Scope = {
  readonly signal: AbortSignal
  /** Of one answer. */
  readonly maxBytes: number
  /** The server said how to go on after a cut. */
  resumable: boolean
  /** The work has ended: what it left behind belongs to nobody. */
  over: boolean
  /** Called when it ends. */
  readonly closers: Set<() => void>
  /** Ends it with this error. */
  fail(error: Error): void
}

/** Requests of one piece of work: the pages of a list. */
const MAX_LISTENERS = 50

const SCOPES = new AsyncLocalStorage<Scope>()

/** The work that asks; undefined when it has ended or there is none. */
export function currentScope(): Scope | undefined {
  const scope = SCOPES.getStore()
  return scope === undefined || scope.over || scope.signal.aborted ? undefined : scope
}

export type Bounds = { readonly ms: number; readonly late: Error; readonly maxBytes: number }

/** Does `work` within its bounds; rejects with the reason when it is aborted, late, or failed from outside. */
export function scoped<T>(
  { ms, late, maxBytes }: Bounds,
  outer: AbortSignal,
  work: (scope: Scope) => Promise<T>,
): Promise<T> {
  return withDeadline(ms, late, outer, async (signal, end) => {
    // The SDK leaves one for each request, until the signal goes.
    setMaxListeners(MAX_LISTENERS, signal)
    const fail = (error: Error): void => {
      // The SDK would cancel what is done already.
      if (!scope.over) end(error)
    }
    const scope: Scope = { signal, maxBytes, resumable: false, over: false, closers: new Set(), fail }
    const finish = (): void => {
      scope.over = true
      for (const close of scope.closers) close()
    }
    signal.addEventListener('abort', finish, { once: true })
    try {
      return await SCOPES.run(scope, () => work(scope))
    } finally {
      signal.removeEventListener('abort', finish)
      finish()
    }
  })
}
