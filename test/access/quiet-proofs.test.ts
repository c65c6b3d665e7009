import { readdirSync, readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { hashSecret } from '../../src/access/keys.ts'
import { type QuietOptions, QuietProofs } from '../../src/access/quiet-proofs.ts'

/** Fields of /proc/PID/task/TID/stat after the name: ticks of CPU time, and the policy, which is 5 for SCHED_IDLE. */
const [USED, POLICY, IDLE] = [11, 38, '5']
const TASKS = '/proc/self/task'

let proofs: QuietProofs
afterEach(() => proofs.close())

function open(options: Partial<QuietOptions> = {}): QuietProofs {
  proofs = new QuietProofs({ most: 1, ...options })
  return proofs
}

/** What threads of this process that run in idle time have used, in ticks. */
function used(): readonly number[] {
  return readdirSync(TASKS).flatMap((thread) => {
    const stat = readFileSync(`${TASKS}/${thread}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[POLICY] === IDLE ? [Number(fields[USED])] : []
  })
}

const idleThreads = () => used().length

describe('proofs in idle time', () => {
  it('are right before and after the threads are there, which run at no other priority and end with them', async () => {
    const stored = await hashSecret('secret', 'right')
    const { prove } = open()
    const before = idleThreads()
    expect(await Promise.all([prove(stored, 'right'), prove(stored, 'wrong')])).toEqual([true, false])
    await expect.poll(idleThreads, { timeout: 10_000 }).toBe(before + 1)
    const all = ['right', 'wrong', 'right'].map((secret) => prove(stored, secret))
    expect(await Promise.all([...all, prove('no hash', 'right')])).toEqual([true, false, true, false])
    const [start = 0] = used()
    await expect
      .poll(() => prove(stored, 'right').then(() => used().some((ticks) => ticks > start + 1)), { timeout: 10_000 })
      .toBe(true)
    await proofs.close()
    await expect.poll(idleThreads, { timeout: 10_000 }).toBe(before)
    expect(await prove(stored, 'right')).toBe(true)
  })

  it('that are late are done at the usual priority, and the thread gets nothing more until it has caught up', async () => {
    const stored = await hashSecret('secret', 'right')
    const { prove } = open({ patienceMs: 0 })
    const before = idleThreads()
    await prove(stored, 'right')
    await expect.poll(idleThreads, { timeout: 10_000 }).toBe(before + 1)
    const all = ['right', 'wrong', 'right'].map((secret) => prove(stored, secret))
    expect(await Promise.all(all)).toEqual([true, false, true])
  })

  it('are done as usual where no thread can be made one for idle time', async () => {
    const stored = await hashSecret('secret', 'right')
    const { prove } = open({ chrt: '/nonexistent/chrt' })
    const before = idleThreads()
    for (const secret of ['right', 'wrong']) expect(await prove(stored, secret)).toBe(secret === 'right')
    expect(idleThreads()).toBe(before)
  })
})
