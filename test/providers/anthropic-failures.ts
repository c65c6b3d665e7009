import { ParleyError } from '../../src/protocol/errors.ts'
import { failureOf, joined, requestOf } from '../contracts/provider.ts'
import { type Reply, stream } from '../support/messages-api.ts'
import { answer, text } from '../support/messages-api-events.ts'
import type { Subject } from './anthropic-subject.ts'

export const GOOD: Reply = stream(answer([text('Fine')]))

export async function fail(subject: Subject): Promise<{ error: ParleyError; said: string }> {
  const { events, error } = await failureOf(subject.provider.stream(requestOf('hi'), new AbortController().signal))
  if (!(error instanceof ParleyError)) throw error
  return { error, said: joined(events) }
}
