import { ParleyProcess } from '../support/parley-process.ts'
import { TRANSPORTS } from '../support/transports.ts'
import { playCursors } from './clients-cursors.ts'
import { playHalfOpen } from './clients-half-open.ts'
import { playRound, playTabs, type Stage } from './clients-round.ts'
import { playStorm } from './clients-storm.ts'
import { type Fault, type FaultOptions } from './fault.ts'
import { onBothTalks } from './talk.ts'

/** Model rounds in all. */
const ROUNDS = { short: 4, full: 200 } as const
/** Clients that come back at once, and those that fall silent. */
const STORM = { short: 100, full: 1000 } as const
const SILENT = { short: 10, full: 100 } as const

/** Clients come and go in every way; none misses anything, none sees anything twice. */
export const clients: Fault = {
  name: 'clients',
  title: 'clients that are cut, go silent, come back, all at once or with any cursor',
  run: (options: FaultOptions) =>
    onBothTalks(options, async ({ part, env, nth }) => {
      const server = await ParleyProcess.start(env)
      try {
        const stage: Stage = { ...part, server }
        await play(stage, options, nth)
        await playHalfOpen(stage, env, SILENT[options.size])
      } finally {
        await server.dispose()
      }
    }),
}

async function play(stage: Stage, { size, count, say }: FaultOptions, nth: number): Promise<void> {
  const rounds = count ?? ROUNDS[size]
  for (let round = nth; round < rounds; round += TRANSPORTS.length) await playRound(stage, round)
  say(`${stage.transport}: model rounds are over`)
  await playTabs(stage)
  await playCursors(stage)
  for (const jitter of [true, false]) say(await playStorm(stage, STORM[size], jitter))
}
