import { ToolError } from '../../ports/tool.ts'

/**
 * Calls that are on in this process. An App may have as many as are free: half when it is alone, a third each of two. Services
 * that hang, of however many Apps, leave the next App its turn.
 */
export class Calls {
  readonly #most: number
  readonly #byApp = new Map<string, number>()
  #on = 0

  constructor(most: number) {
    this.#most = most
  }

  /** Does `work` as a call of `app`; throws ToolError where too many are on. */
  async count<T>(app: string, work: () => Promise<T>): Promise<T> {
    const own = this.#byApp.get(app) ?? 0
    if (own >= this.#most - this.#on) throw new ToolError('Too many requests are under way; try again later.')
    this.#add(app, 1)
    try {
      return await work()
    } finally {
      this.#add(app, -1)
    }
  }

  #add(app: string, more: 1 | -1): void {
    this.#on += more
    const own = (this.#byApp.get(app) ?? 0) + more
    if (own === 0) this.#byApp.delete(app)
    else this.#byApp.set(app, own)
  }
}
