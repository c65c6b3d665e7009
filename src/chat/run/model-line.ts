import { type OwnKeys, type Providers, ProviderUnavailable, type ResolvedModel } from '../../ports/provider.ts'
import { ParleyError } from '../../protocol/errors.ts'

/** The models that may answer one run: the chosen one, then its fallbacks. */
export class ModelLine {
  readonly #providers: Providers
  /** Those that this server has the provider of. */
  readonly #rest: string[]
  #name: string

  constructor(providers: Providers, chosen: string, fallbacks: readonly string[]) {
    this.#providers = providers
    this.#name = chosen
    this.#rest = fallbacks.filter((name) => name !== chosen && providers.resolve(name) !== undefined)
  }

  /** `provider/model` of the one whose turn it is. */
  get name(): string {
    return this.#name
  }

  /** `own`: a person's keys. Throws `provider_misconfigured` when this server does not have its provider. */
  resolve(own?: OwnKeys): ResolvedModel {
    const resolved = this.#providers.resolve(this.#name, own)
    if (resolved === undefined) throw new ParleyError('provider_misconfigured')
    return resolved
  }

  /** Somebody is in line behind it. */
  get hasNext(): boolean {
    return this.#rest.length > 0
  }

  /**
   * Goes on to the next one, if `thrown` is a reason to and there is one. What is wrong with the request or the set-up is no
   * reason: a wrong key must show, not hide behind another model.
   */
  advance(thrown: unknown): boolean {
    const next = thrown instanceof ProviderUnavailable ? this.#rest.shift() : undefined
    if (next !== undefined) this.#name = next
    return next !== undefined
  }
}
