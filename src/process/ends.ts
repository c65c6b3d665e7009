/** Milliseconds that a log which nobody reads holds up the end of a broken process. */
const LAST_WORD_MS = 1000

/** Who reads our lines may leave (`| head`): that must end neither the server nor its drain. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
}

/** Resolve with the first and the second signal that asks the process to end. */
export function signals(): readonly [Promise<void>, Promise<void>] {
  const wake: (() => void)[] = []
  const next = () => new Promise<void>((resolve) => void wake.push(resolve))
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => wake.shift()?.())
  return [next(), next()]
}

/**
 * A throw that nobody caught is a bug, and leaves a state that nobody knows: nothing more is saved, and the next start goes on from what
 * is stored, as after a kill. Node by itself would print the message, which may hold what somebody wrote.
 */
export function endWhenBroken(lastWord: (thrown: unknown) => Promise<void>): void {
  process.on('uncaughtException', (thrown) => {
    const end = () => process.exit(1)
    setTimeout(end, LAST_WORD_MS)
    lastWord(thrown).then(end, end)
  })
}
