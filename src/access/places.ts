import type { Release } from '../ports/access.ts'
import { ParleyError } from '../protocol/errors.ts'

/** Milliseconds: when a place among those at once may be free again; nobody knows, so it is a short answer's time. */
const PLACE_RETRY_MS = 2000

/**
 * Counts who holds a place, by name; a name without places takes no memory. Who claims one gives it back once, by the same
 * name: every connection holds places, and a closure each would be a fifth of what it takes.
 */
export class Places {
  readonly #taken = new Map<string, number>()

  /** Throws `rate_limit_exceeded` where `max` are taken. */
  take(name: string, max: number): Release {
    return takeAll([[this, name, max]])
  }

  claim(name: string, max: number): void {
    const taken = this.#taken.get(name) ?? 0
    if (taken >= max) throw new ParleyError('rate_limit_exceeded', { retryAfterMs: PLACE_RETRY_MS })
    this.#taken.set(name, taken + 1)
  }

  leave(name: string): void {
    const left = (this.#taken.get(name) ?? 1) - 1
    if (left === 0) this.#taken.delete(name)
    else this.#taken.set(name, left)
  }
}

/** A place among those of `name`, of which there are `max`. */
export type Claim = readonly [places: Places, name: string, max: number]

/** All of the places or none: what was taken is given back when a later one throws. What it gives may be called again. */
export function takeAll(claims: readonly Claim[]): Release {
  let taken = 0
  const leave = (): void => {
    for (const [places, name] of claims.slice(0, taken)) places.leave(name)
    taken = 0
  }
  try {
    for (const [places, name, max] of claims) {
      places.claim(name, max)
      taken++
    }
  } catch (thrown) {
    leave()
    throw thrown
  }
  return leave
}
