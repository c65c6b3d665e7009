export interface UsageStore {
  /** Tokens, input and output, of the runs of `app` that ended at or after `since` (milliseconds since 1970) and are stored. */
  tokensSince(app: string, since: number): Promise<number>
}
