/** A count of tokens as an API tells it; undefined where something else stands in its place. */
export function readTokens(count: unknown): number | undefined {
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : undefined
}
