const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/**
 * Runs `work`, which closes what it opens. The first signal makes `stopped` reject instead of ending the process, as an embedded
 * database would stay behind; the second ends it.
 */
export async function stoppable<T>(work: (stopped: Promise<never>) => Promise<T>): Promise<T> {
  let tell: (fault: Error) => void = () => undefined
  const stopped = new Promise<never>((_resolve, reject) => {
    tell = reject
  })
  stopped.catch(() => undefined)
  const act = (signal: NodeJS.Signals): void => {
    release()
    tell(new Error(`told to stop (${signal})`))
  }
  const release = (): void => {
    for (const signal of SIGNALS) process.off(signal, act)
  }
  for (const signal of SIGNALS) process.on(signal, act)
  try {
    return await work(stopped)
  } finally {
    release()
  }
}
