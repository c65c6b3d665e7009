import type { Usage } from '../../protocol/events.ts'

/** Adds up the requests of one run, by model. A request tells totals so far; the last word counts, also when it was cut. */
export class UsageMeter {
  readonly #byModel = new Map<string, Usage>()
  #current: Usage | undefined

  /** Totals so far of the request that is on. */
  draft(usage: Usage): void {
    this.#current = usage
  }

  /** The request that is on said nothing, and another model is asked in its place. */
  drop(): void {
    this.#current = undefined
  }

  /** The request is over. */
  settle(): void {
    if (this.#current === undefined) return
    const key = `${this.#current.provider ?? ''}/${this.#current.model ?? ''}`
    const known = this.#byModel.get(key)
    this.#byModel.set(key, known === undefined ? this.#current : sum(known, this.#current))
    this.#current = undefined
  }

  /** Everything counted, one row a model. */
  total(): readonly Usage[] {
    this.settle()
    return [...this.#byModel.values()]
  }
}

function sum(a: Usage, b: Usage): Usage {
  const optional = (name: 'cachedInputTokens' | 'cacheWriteInputTokens' | 'reasoningTokens') =>
    a[name] === undefined && b[name] === undefined ? {} : { [name]: (a[name] ?? 0) + (b[name] ?? 0) }
  return {
    ...a,
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    totalTokens: a.totalTokens + b.totalTokens,
    ...optional('cachedInputTokens'),
    ...optional('cacheWriteInputTokens'),
    ...optional('reasoningTokens'),
  }
}
