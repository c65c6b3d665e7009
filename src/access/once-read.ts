/** Gives what `read` gave; one that failed, as with a store that is away, is done again by the next who asks. */
export function onceRead<T>(read: () => Promise<T>): () => Promise<T> {
  let held: Promise<T> | undefined
  return () => {
    held ??= read().catch((thrown: unknown) => {
      held = undefined
      throw thrown
    })
    return held
  }
}
