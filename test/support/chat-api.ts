import type { IncomingHttpHeaders } from 'node:http'
import { chatRefusalOf } from './chat-api-rules.ts'
import { type Failure, isObject, type StubOptions, StubServer } from './stub-server.ts'

/** An error before the stream, with the body that OpenAI gives it. */
export function chatError(status: number, message = 'stub', more: Partial<Failure> = {}): Failure {
  const type = status >= 500 ? 'server_error' : 'invalid_request_error'
  return { reply: 'error', status, type, message, ...more }
}

/** A stub of OpenAI's `POST /v1/chat/completions` with `stream: true`, as its compatible servers have it, too. */
export class ChatApi extends StubServer {
  protected readonly idHeader = 'x-request-id'
  protected readonly path = '/v1/chat/completions'

  static listen(options: StubOptions = {}): Promise<ChatApi> {
    return new ChatApi(options).start()
  }

  /** The value for the SDK's `baseURL`. */
  get baseURL(): string {
    return `${this.url}/v1`
  }

  protected bodyOf({ message, type, code, param }: Failure): unknown {
    return { error: { message, type, param: param ?? null, code: code ?? null } }
  }

  /** Like a local server it needs no key, unless one is insisted on. */
  protected refuse(headers: IncomingHttpHeaders, body: unknown): Failure | undefined {
    const { key } = this.options
    if (key !== undefined && headers.authorization !== `Bearer ${key}`)
      return chatError(401, 'Incorrect API key provided', { code: 'invalid_api_key' })
    const refusal = isObject(body) ? chatRefusalOf(body) : 'we could not parse the JSON body of your request'
    return refusal ? chatError(400, refusal) : undefined
  }
}
