import type { IncomingHttpHeaders } from 'node:http'
import type { ErrorType } from './messages-api-events.ts'
import { refusalOf } from './messages-api-rules.ts'
import {
  type Failure,
  isObject,
  type StubOptions,
  type StubReply,
  type StubRequest,
  type StubScript,
  StubServer,
} from './stub-server.ts'

export { stream } from './stub-server.ts'

export type Reply = StubReply
export type Script = StubScript
export type MessagesRequest = StubRequest
export type MessagesApiOptions = StubOptions

/** The documented error types by status. */
const ERROR_TYPES: Readonly<Record<number, ErrorType>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  500: 'api_error',
  504: 'timeout_error',
  529: 'overloaded_error',
}

/** An error before the stream, with the API's body and the type that belongs to the status. */
export function httpError(status: number, message = 'stub', headers: Readonly<Record<string, string>> = {}): Failure {
  return { reply: 'error', status, type: ERROR_TYPES[status] ?? 'api_error', message, headers }
}

/** A stub of Anthropic's `POST /v1/messages` with `stream: true`. `url` is the value for the SDK's `baseURL`. */
export class MessagesApi extends StubServer {
  protected readonly idHeader = 'request-id'
  protected readonly path = '/v1/messages'

  static listen(options: MessagesApiOptions = {}): Promise<MessagesApi> {
    return new MessagesApi(options).start()
  }

  protected bodyOf({ type, message }: Failure, requestId: string): unknown {
    return { type: 'error', error: { type, message }, request_id: requestId }
  }

  /** Any credential will do where no key is insisted on, but there must be one. */
  protected refuse(headers: IncomingHttpHeaders, body: unknown): Failure | undefined {
    const key = headers['x-api-key'] ?? headers.authorization?.replace(/^Bearer /, '')
    const known = this.options.key === undefined ? Boolean(key) : key === this.options.key
    if (!known) return httpError(401, 'invalid x-api-key')
    const refusal = isObject(body) ? refusalOf(body) : 'the body is not a JSON object'
    return refusal ? httpError(400, refusal) : undefined
  }
}
