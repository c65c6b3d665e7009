import { lookup } from 'node:dns/promises'

/** Addresses of a name; after an abort nobody waits for them. */
export type Lookup = (name: string, signal: AbortSignal) => Promise<readonly string[]>

/**
 * Names that are looked up at once. Each takes one of the process's four threads for as long as its name server takes, and
 * the checks of keys and the names of models' providers need those, too: the names of tools are anyone's who has an App.
 */
const AT_ONCE = 2

/** As the system's resolver gives them. */
export const systemLookup: Lookup = fewAtOnce(AT_ONCE, async (name) => {
  const found = await lookup(name, { all: true, verbatim: true })
  return found.map(({ address }) => address)
})

/** `resolve` for so many names at once. The others wait until one has ended; rejects with the reason of an abort meanwhile. */
export function fewAtOnce(most: number, resolve: Lookup): Lookup {
  const waiting = new Set<() => void>()
  let on = 0
  const turn = (signal: AbortSignal): Promise<void> =>
    new Promise((begin, reject) => {
      const next = (): void => {
        waiting.delete(next)
        signal.removeEventListener('abort', leave)
        begin()
      }
      const leave = (): void => {
        waiting.delete(next)
        reject(signal.reason)
      }
      waiting.add(next)
      signal.addEventListener('abort', leave, { once: true })
    })
  return async (name, signal) => {
    signal.throwIfAborted()
    if (on < most) on++
    // Who ends hands its place on.
    else await turn(signal)
    try {
      return await resolve(name, signal)
    } finally {
      const [next] = waiting
      if (next === undefined) on--
      else next()
    }
  }
}
