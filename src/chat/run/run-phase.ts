import type { RunEnd } from './run-end.ts'

/** What a run is doing: `waiting` to be begun, hearing a `model` (since when the last event came), or `working` on tools and saves. */
export type RunPhase =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'model'; readonly askedAt: number; heardAt: number }
  | { readonly kind: 'working' }
  | { readonly kind: 'ended'; readonly end: RunEnd }
