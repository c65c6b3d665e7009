import { ParleyError } from '../../protocol/errors.ts'

/** `run.resume`, `tool.claim`, `tool.result`: every tool of this release runs on the server, so no call ever waits for a client. */
export function nothingPending(): never {
  throw new ParleyError('not_found', { message: 'Nothing in this session waits for an answer' })
}
