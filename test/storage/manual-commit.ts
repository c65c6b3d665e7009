import { expect } from 'vitest'
import type { SessionWrite } from '../../src/ports/store.ts'
import type { EncodedWrite } from '../../src/storage/encode.ts'
import type { StoreFault } from '../../src/storage/faults.ts'
import { GROUP_COMMIT_LIMITS, GroupCommit, type GroupCommitLimits } from '../../src/storage/group-commit.ts'
import { Health } from '../../src/storage/health.ts'
import { Recorder } from './recorder.ts'

export const NEVER = { giveUpAfterMs: 'never' } as const
export const SOON = { giveUpAfterMs: 1000 }

export type Flush = {
  readonly writes: readonly EncodedWrite[]
  readonly done: (refused?: string[]) => void
  readonly fail: (fault: StoreFault) => void
}

/** What the store is asked when nothing waits. */
export type Probe = Pick<Flush, 'fail'> & { readonly done: () => void }

/** Lets the loop turn, timers apart, until it is so. */
export async function until(isSo: () => boolean): Promise<void> {
  for (let turn = 0; turn < 100 && !isSo(); turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(isSo()).toBe(true)
}

/** A store whose answers the test gives. */
export function manual(limits: Partial<GroupCommitLimits> = {}) {
  const flushes: Flush[] = []
  const probes: Probe[] = []
  const telemetry = new Recorder()
  const commits = new GroupCommit({
    node: 'node',
    telemetry,
    health: new Health(telemetry).writes,
    limits: { ...GROUP_COMMIT_LIMITS, ...limits },
    probe: () => new Promise((done, fail) => probes.push({ done, fail })),
    apply: (writes) =>
      new Promise((resolve, reject) =>
        flushes.push({ writes, done: (refused = []) => resolve(refused), fail: reject }),
      ),
  })
  const flush = async (index: number) => {
    await until(() => flushes.length > index)
    const found = flushes[index]
    if (!found) throw new Error('no such flush')
    return found
  }
  return { commits, flushes, flush, probes, telemetry }
}

export const code = (commit: Promise<void>) =>
  commit.then(
    () => 'stored',
    (error: { code: string }) => error.code,
  )
export const titled = (write: SessionWrite & { session: { title?: string } }, title: string) => ({
  ...write,
  session: { ...write.session, title },
})
