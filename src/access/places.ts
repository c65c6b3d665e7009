import type { Release } from '../ports/access.ts'
import { ParleyError } from '../protocol/errors.ts'

/** Milliseconds: when a place among those at once may be free again; nobody knows, so it is a short answer's time. */
const PLACE_RETRY_MS = 2000

/** Counts who holds a place, by name; a name without places takes no memory. */
export class Places {
  readonly #taken = new Map<string, number>()

  /** Throws `rate_limit_exceeded` where `max` are taken. */
  take(name: string, max: number): Release {
    const taken = this.#taken.get(name) ?? 0
    if (taken >= max) throw new ParleyError('rate_limit_exceeded', { retryAfterMs: PLACE_RETRY_MS })
    this.#taken.set(name, taken + 1)
    let held = true
    return () => {
      if (held) this.#leave(name)
      held = false
    }
  }

  #leave(name: string): void {
    const left = (this.#taken.get(name) ?? 1) - 1
    if (left === 0) this.#taken.delete(name)
    else this.#taken.set(name, left)
  }
}

/** All of the places or none: what was taken is given back when a later one throws. */
export function takeAll(...takes: readonly (() => Release)[]): Release {
  const held: Release[] = []
  const leave = (): void => {
    for (const release of held) release()
  }
  try {
    for (const take of takes) held.push(take())
  } catch (thrown) {
    leave()
    throw thrown
  }
  return leave
}
