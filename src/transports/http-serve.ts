import type { Telemetry } from '../ports/telemetry.ts'
import type { Answer, TransportHandlers } from '../ports/transport.ts'
import { ParleyError, toParleyError } from '../protocol/errors.ts'
import type { RequestBody } from './http-body.ts'
import { type RequestHead, toRequest } from './http-request.ts'
import { errorResponse, type ResponseSink, sendResponse } from './http-response.ts'
import { Leave } from './leave.ts'

/** One request and the way its response goes out. */
export type Exchange = {
  readonly head: RequestHead
  readonly body: RequestBody | undefined
  readonly sink: ResponseSink
}

/** Answers one request. Never rejects: a handler that throws earns a 500, a body that fails half-way ends the connection. */
export async function serveHttp(handlers: TransportHandlers, exchange: Exchange, telemetry: Telemetry): Promise<void> {
  const { sink, head } = exchange
  try {
    const response = await answer(handlers, exchange, telemetry)
    await sendResponse(response, sink, head.method)
  } catch (thrown) {
    if (!sink.gone) telemetry.log('error', 'http response failed', { method: head.method }, thrown)
    sink.cut()
  }
}

async function answer(
  handlers: TransportHandlers,
  { head, body, sink }: Exchange,
  telemetry: Telemetry,
): Promise<Response | Answer> {
  const leave = new Leave(sink)
  try {
    const handled = handlers.fetch(
      toRequest(head, body?.stream, () => leave.signal),
      head.peer,
    )
    if (body === undefined) return await handled
    const first = await Promise.race([handled, body.tooLarge])
    if (!(first instanceof ParleyError) && !body.exceeded) return first
    // The handler was given a body that is not whole: what it makes of that is no answer to this request.
    leave.now()
    void handled
      .then((late) => (late instanceof Response ? late.body?.cancel() : undefined))
      .catch((thrown: unknown) => telemetry.log('debug', 'http handler stopped', {}, thrown))
    return errorResponse(await body.tooLarge)
  } catch (thrown) {
    const error = toParleyError(thrown)
    if (error.code === 'internal_error')
      telemetry.log('error', 'http handler threw', { method: head.method }, error.cause)
    return errorResponse(error)
  }
}

/** What a draining transport answers to anything new. */
export function drainingResponse(): Answer {
  return errorResponse(new ParleyError('draining'))
}
