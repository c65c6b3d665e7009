import type { HttpTool } from '../../ports/apps.ts'
import { type ToolContext, ToolError } from '../../ports/tool.ts'
import type { Revealable } from '../../ports/vault.ts'
import type { MakeHttpTool } from '../registry.ts'
import { toResult, withoutSecrets } from './answer.ts'
import { exchange, type Incoming, type Outgoing } from './exchange.ts'
import { Guard, type Lookup, systemLookup, ToolSetupError } from './guard.ts'
import { type AllSecrets, buildRequest, followRequest, type Secrets } from './request.ts'

export type HttpToolSettings = {
  /** Hosts (or host:port) that may be private and without TLS. */
  readonly hosts: readonly string[]
  readonly secrets: Secrets
}

const MAX_REDIRECTS = 3
/** Requests of one process at once, each with a socket: more than calls need, less than a process has files. */
const MAX_AT_ONCE = 200
const MS_PER_SECOND = 1000

/** The tools that Apps define, as requests under the operator's rules. `lookup`: the system's resolver. */
export function createHttpTools(settings: HttpToolSettings, lookup: Lookup = systemLookup): MakeHttpTool {
  const caller = new Caller(settings, lookup)
  return (definition) => ({
    spec: { name: definition.name, description: definition.description, parameters: definition.parameters },
    execute: (args, context) => caller.call(definition, args, context),
  })
}

class Caller {
  readonly #guard: Guard
  readonly #secrets: Secrets
  #open = 0

  constructor({ hosts, secrets }: HttpToolSettings, lookup: Lookup) {
    this.#guard = new Guard(hosts, lookup)
    this.#secrets = secrets
  }

  /** Throws ToolError with what the model may know, and ToolSetupError. No secret is in a result or a ToolError. */
  async call(tool: HttpTool, args: unknown, { signal, own }: ToolContext): Promise<string> {
    const fault = tool.fault(args)
    if (fault !== undefined) throw new ToolError(`The arguments are not right. ${fault}.`)
    if (this.#open >= MAX_AT_ONCE) throw new ToolError('Too many requests are under way; try again later.')
    this.#open++
    let secrets: AllSecrets = { operator: this.#secrets, own: new Map() }
    try {
      const names = ownNames(tool)
      if (names.length > 0) secrets = { ...secrets, own: await readOwn(names, own) }
      const request = buildRequest(tool, { ...Object(args) }, secrets)
      const incoming = await withDeadline(tool.timeoutMs, signal, (within) => this.#run(request, tool.maxBytes, within))
      // Before anything is cut off it, where half a secret could stay.
      const clean = { ...incoming, text: cleaned(incoming.text, secrets) }
      return cleaned(toResult(clean, tool.pointer), secrets)
    } catch (thrown) {
      throw thrown instanceof ToolError
        ? new ToolError(cleaned(thrown.message, secrets), { cause: thrown.cause })
        : thrown
    } finally {
      this.#open--
    }
  }

  /** Each address is checked anew: a service may redirect to anywhere. */
  async #run(first: Outgoing, maxBytes: number, signal: AbortSignal): Promise<Incoming> {
    let request = first
    for (let redirects = 0; ; redirects++) {
      const addresses = await this.#guard.addressesOf(request.url).catch(notFound)
      signal.throwIfAborted()
      const incoming = await exchange(request, addresses, maxBytes, signal)
      if (incoming.location === undefined) return incoming
      if (redirects === MAX_REDIRECTS) throw new ToolError(`The service redirected more than ${MAX_REDIRECTS} times.`)
      request = followRequest(request, incoming.status, incoming.location)
    }
  }
}

/** Those of the person that its headers name. */
async function readOwn(names: readonly string[], read: ToolContext['own']): Promise<Secrets> {
  const found = new Map<string, Revealable>()
  for (const name of names) {
    const secret = await read?.(name)
    if (secret !== undefined) found.set(name, secret)
  }
  return found
}

function ownNames({ headers }: HttpTool): string[] {
  return headers.flatMap(({ value }) =>
    value.flatMap((piece) => (typeof piece === 'object' && 'own' in piece ? piece.own : [])),
  )
}

function cleaned(text: string, { operator, own }: AllSecrets): string {
  return withoutSecrets(text, [...operator.values(), ...own.values()])
}

function notFound(thrown: unknown): never {
  if (thrown instanceof ToolSetupError) throw thrown
  throw new ToolError('The name of the service is not found.', { cause: thrown })
}

/** Ends `work` after `ms`, and when the run is stopped; does not wait for a part of it that cannot be ended. */
async function withDeadline<T>(ms: number, outer: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const late = new ToolError(`The service did not answer within ${ms / MS_PER_SECOND} seconds.`)
  const timer = setTimeout(() => controller.abort(late), ms)
  const stop = (): void => controller.abort(outer.reason)
  outer.addEventListener('abort', stop, { once: true })
  if (outer.aborted) stop()
  const { signal } = controller
  try {
    const ended = new Promise<never>((_, reject) => {
      if (signal.aborted) reject(late)
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    return await Promise.race([work(signal), ended])
  } finally {
    clearTimeout(timer)
    outer.removeEventListener('abort', stop)
  }
}
