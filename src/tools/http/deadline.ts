/** Ends `work` after `ms` with `late`, when `outer` aborts, and by its `end`; does not wait for a part of it that cannot be ended. */
export async function withDeadline<T>(
  ms: number,
  late: Error,
  outer: AbortSignal,
  work: (signal: AbortSignal, end: (error: Error) => void) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(late), ms)
  const stop = (): void => controller.abort(outer.reason)
  outer.addEventListener('abort', stop, { once: true })
  if (outer.aborted) stop()
  const { signal } = controller
  try {
    const ended = new Promise<never>((_, reject) => {
      if (signal.aborted) reject(signal.reason)
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    return await Promise.race([work(signal, (error) => controller.abort(error)), ended])
  } finally {
    clearTimeout(timer)
    outer.removeEventListener('abort', stop)
  }
}
