import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const PASSES = 3

/** All that nothing holds is gone; what ended in a turn of the loop holds things until the next. */
export async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  if (typeof gc !== 'function') throw new Error('this V8 cannot be asked to collect')
  for (let pass = 0; pass < PASSES; pass++) {
    await turn()
    gc()
  }
  await turn()
}
