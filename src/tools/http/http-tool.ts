import type { HttpTool } from '../../ports/apps.ts'
import { type ToolContext, ToolError } from '../../ports/tool.ts'
import type { Revealable } from '../../ports/vault.ts'
import type { MakeHttpTool } from '../registry.ts'
import { toResult, withoutSecrets } from './answer.ts'
import { Calls } from './calls.ts'
import { withDeadline } from './deadline.ts'
import { exchange, type Incoming, type Outgoing } from './exchange.ts'
import { Guard } from './guard.ts'
import { type Lookup, systemLookup } from './lookups.ts'
import { followed } from './redirects.ts'
import { type AllSecrets, buildRequest, followRequest, type Secrets } from './request.ts'

export type HttpToolSettings = {
  /** Hosts (or host:port) that may be private and without TLS. */
  readonly hosts: readonly string[]
  readonly secrets: Secrets
}

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
  readonly #calls = new Calls(MAX_AT_ONCE)

  constructor({ hosts, secrets }: HttpToolSettings, lookup: Lookup) {
    this.#guard = new Guard(hosts, lookup)
    this.#secrets = secrets
  }

  /** Throws ToolError with what the model may know, and ToolSetupError. No secret is in a result or a ToolError. */
  async call(tool: HttpTool, args: unknown, context: ToolContext): Promise<string> {
    const fault = tool.fault(args)
    if (fault !== undefined) throw new ToolError(`The arguments are not right. ${fault}.`)
    return this.#calls.count(context.app, () => this.#call(tool, args, context))
  }

  async #call(tool: HttpTool, args: unknown, { signal, own }: ToolContext): Promise<string> {
    let secrets: AllSecrets = { operator: this.#secrets, own: new Map() }
    try {
      const names = ownNames(tool)
      if (names.length > 0) secrets = { ...secrets, own: await readOwn(names, own) }
      const request = buildRequest(tool, { ...Object(args) }, secrets)
      const late = new ToolError(`The service did not answer within ${tool.timeoutMs / MS_PER_SECOND} seconds.`)
      const send = (within: AbortSignal) => this.#run(request, tool.maxBytes, within)
      const incoming = await withDeadline(tool.timeoutMs, late, signal, send)
      // Before anything is cut off it, where half a secret could stay.
      const clean = { ...incoming, text: cleaned(incoming.text, secrets) }
      return cleaned(toResult(clean, tool.pointer), secrets)
    } catch (thrown) {
      throw thrown instanceof ToolError
        ? new ToolError(cleaned(thrown.message, secrets), { cause: thrown.cause })
        : thrown
    }
  }

  #run(first: Outgoing, maxBytes: number, signal: AbortSignal): Promise<Incoming> {
    const send = (request: Outgoing, addresses: readonly string[]) => exchange(request, addresses, maxBytes, signal)
    return followed(first, { guard: this.#guard, signal, send, next: followRequest })
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
