import { ToolError } from '../../ports/tool.ts'
import type { Outgoing } from './exchange.ts'
import { type Guard, ToolSetupError } from './guard.ts'

const MAX_REDIRECTS = 3

type Answer = { readonly status: number; readonly location?: string }

export type Route<A extends Answer> = {
  readonly guard: Guard
  readonly signal: AbortSignal
  /** Sends to one of these addresses, and nowhere else. */
  readonly send: (request: Outgoing, addresses: readonly string[]) => Promise<A>
  /** The request that a redirect asks for. */
  readonly next: (request: Outgoing, status: number, location: string) => Outgoing
}

/** The answer at the end of at most three redirects. Each address is checked anew: a service may redirect to anywhere. */
export async function followed<A extends Answer>(first: Outgoing, { guard, signal, send, next }: Route<A>): Promise<A> {
  let request = first
  for (let redirects = 0; ; redirects++) {
    const addresses = await guard.addressesOf(request.url, signal).catch(notFound)
    signal.throwIfAborted()
    const answer = await send(request, addresses)
    if (answer.location === undefined) return answer
    if (redirects === MAX_REDIRECTS) throw new ToolError(`The service redirected more than ${MAX_REDIRECTS} times.`)
    request = next(request, answer.status, answer.location)
  }
}

function notFound(thrown: unknown): never {
  if (thrown instanceof ToolSetupError) throw thrown
  throw new ToolError('The name of the service is not found.', { cause: thrown })
}
