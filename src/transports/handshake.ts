import type { Telemetry } from '../ports/telemetry.ts'
import type { Answer, HandshakeVerdict, Refusal, TransportHandlers } from '../ports/transport.ts'
import { toParleyError } from '../protocol/errors.ts'
import { handshakeFault, type RequestHead, toHandshake } from './http-request.ts'
import { errorResponse } from './http-response.ts'
import { drainingResponse } from './http-serve.ts'

export type Accepted = HandshakeVerdict & { readonly accept: true }

/** Asks what becomes of a handshake: what to open, or the plain HTTP response that refuses it. Never rejects. */
export async function decide(
  handlers: TransportHandlers,
  head: RequestHead,
  draining: () => boolean,
  telemetry: Telemetry,
): Promise<Accepted | Answer> {
  const fault = handshakeFault(head)
  if (fault !== undefined) return errorResponse(fault)
  if (draining()) return drainingResponse()
  try {
    const verdict = await handlers.upgrade(toHandshake(head))
    if (!verdict.accept) return refusalOf(verdict.refusal)
    // The drain may have begun while the verdict was awaited.
    return draining() ? drainingResponse() : verdict
  } catch (thrown) {
    telemetry.log('error', 'handshake handler threw', {}, thrown)
    return errorResponse(toParleyError(thrown))
  }
}

/** Made without the platform's objects: a flood of refusals is paid for by who is served meanwhile. */
function refusalOf({ status, headers, body }: Refusal): Answer {
  return { status, headers: Object.entries(headers), content: body }
}
