import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pidOf } from '../contenders/contender.ts'
import { childrenOf, moveToCore, OTHER_CORE, SERVER_CORE, startNode, stopProcess } from '../rig/processes.ts'
import { call } from '../rig/rpc.ts'
import type { WriteFigures } from '../writer.ts'
import { absolute, type Scenario } from './scenario.ts'

const [GOAL_ONE, GOAL_FLUSH, GOAL_MANY] = [2, 20, 4]

/** P8: what an acknowledgement waits for. R stores nothing. */
export const write: Scenario = {
  name: 'write',
  title: 'P8 write: a message, its run and its session, durable; one sender, then 500',
  alone: true,
  latency: 'none: no client takes part',
  metrics: [
    { key: 'commitP50', label: 'one sender: to the acknowledgement p50, ms', digits: 3 },
    { key: 'insertP50', label: 'one sender: a plain INSERT p50, ms', digits: 3 },
    {
      key: 'one',
      label: 'one sender: over a plain INSERT',
      digits: 2,
      goal: absolute(`<= ${GOAL_ONE}`, (share) => share <= GOAL_ONE),
    },
    { key: 'commits', label: '500 senders: messages per second', digits: 0 },
    { key: 'transactions', label: '500 senders: with a transaction each on 10 connections', digits: 0 },
    {
      key: 'many',
      label: '500 senders: over a transaction each',
      digits: 2,
      goal: absolute(`>= ${GOAL_MANY}`, (share) => share >= GOAL_MANY),
    },
    {
      key: 'flush',
      label: '500 senders: messages of one flush',
      digits: 0,
      goal: absolute(`>= ${GOAL_FLUSH}`, (writes) => writes >= GOAL_FLUSH),
    },
  ],
  measure: async ({ outDir }) => {
    const folder = await mkdtemp(join(tmpdir(), 'parley-bench-'))
    // As root, Postgres runs as another user and must get through to its data.
    await chmod(folder, 0o711)
    const writer = startNode(SERVER_CORE, [join(outDir, 'writer.js')])
    try {
      await call(writer, { do: 'open', dataDir: join(folder, 'data') })
      for (const postgres of childrenOf(pidOf(writer)))
        for (const pid of [postgres, ...childrenOf(postgres)]) moveToCore(pid, OTHER_CORE)
      const figures = await call<WriteFigures>(writer, { do: 'measure' })
      const { commitP50, insertP50, commits, transactions, writesPerFlush } = figures
      const values = {
        commitP50,
        insertP50,
        one: commitP50 / insertP50,
        commits,
        transactions,
        many: commits / transactions,
        flush: writesPerFlush,
      }
      return { values, notes: [] }
    } finally {
      // Else its Postgres would be left behind.
      await call(writer, { do: 'close' })
      await stopProcess(writer)
      await rm(folder, { recursive: true, force: true })
    }
  },
}
