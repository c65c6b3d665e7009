/** What must never leave: the provider's own words (I11). */
export const SECRET = 'the words of the body'

/** Everything that a client or a log line could show of an error. */
export function shown(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return [error.message, error.stack, JSON.stringify(error), shown(error.cause)].join('\n')
}
