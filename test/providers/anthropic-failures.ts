import { ParleyError } from '../../src/protocol/errors.ts'
import { failureOf, joined, requestOf } from '../contracts/provider.ts'
import { type Reply, stream } from '../support/messages-api.ts'
import { answer, text } from '../support/messages-api-events.ts'
import type { Subject } from './anthropic-subject.ts'

/** What must never leave: the provider's own words (I11). */
export const SECRET = 'the words of the body'
export const GOOD: Reply = stream(answer([text('Fine')]))

export async function fail(subject: Subject): Promise<{ error: ParleyError; said: string }> {
  const { events, error } = await failureOf(subject.provider.stream(requestOf('hi'), new AbortController().signal))
  if (!(error instanceof ParleyError)) throw error
  return { error, said: joined(events) }
}

/** Everything that a client or a log line could show of an error. */
export function shown(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return [error.message, error.stack, JSON.stringify(error), shown(error.cause)].join('\n')
}
