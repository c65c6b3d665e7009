import { MessagesApi } from '../support/messages-api.ts'
import { onBothTransports, type Stage } from './both-transports.ts'
import type { Fault, FaultOptions, Findings, Size } from './fault.ts'
import { Crowd, type CrowdSize } from './slow-crowd.ts'
import { compare, type Figures, Watch } from './slow-figures.ts'
import { Healthy } from './slow-healthy.ts'
import { SlowModel } from './slow-model.ts'

const HEALTHY = 50
/** Clients by transport. `nevers`: those of the watchers that say and read nothing until they were cut. */
const CROWDS = {
  short: { own: 4, sessions: 1, watchers: 46, nevers: 4 },
  full: { own: 10, sessions: 10, watchers: 99, nevers: 40 },
} as const satisfies Record<Size, CrowdSize>

/** Pieces of 8 KiB of a long answer: eight fast models at once. A thousand get each of them. */
const PIECES_PER_SECOND = { short: 320, full: 8 } as const satisfies Record<Size, number>

const SETTINGS = {
  ANTHROPIC_API_KEY: 'sk-ant-stub',
  PARLEY_MODEL: 'anthropic/claude-stub',
  PARLEY_TITLES: 'off',
  // Far above the long answers' own length.
  PARLEY_OUTPUT_TOKENS: '1000000',
  // Less than the answers are longer than what the kernel and the outbox take: so what was not read leaves the log in seconds.
  PARLEY_LOG_RUN_SIZE: '512KiB',
  PARLEY_LOG_IDLE_SIZE: '512KiB',
  // Of the answers that are over nothing stays, so that what is compared holds the same.
  PARLEY_HISTORY_MEMORY: '1MiB',
  PARLEY_CONNECTIONS_PER_SESSION: '200',
  PARLEY_PING_INTERVAL: '1s',
}

/** Clients that read nothing, or 1 KB/s, through a long answer: they cost their outbox, and end up with all of it. */
export const slow: Fault = {
  name: 'slow',
  title: 'clients that read nothing or 1 KB/s, each alone and many on one session, beside healthy ones',
  async run(options: FaultOptions): Promise<Findings> {
    const model = new SlowModel(PIECES_PER_SECOND[options.size])
    // A thousand at once keep this process busy for longer between two signs of their life.
    const patience = { PARLEY_DEAD_AFTER: options.size === 'short' ? '3s' : '10s' }
    const api = await MessagesApi.listen(model.options)
    try {
      return await onBothTransports(options, { ...SETTINGS, ...patience, ANTHROPIC_BASE_URL: api.url }, (stage) =>
        play(stage, model, options),
      )
    } finally {
      await api.close()
    }
  },
}

/** So many slow clients, and of those that never read as many as they are of the size's own number. */
function crowdSize(size: Size, count: number | undefined): CrowdSize {
  const crowd = CROWDS[size]
  if (count === undefined) return crowd
  const watchers = Math.max(1, Math.floor((count - crowd.own) / crowd.sessions))
  return { ...crowd, watchers, nevers: Math.floor((crowd.nevers * watchers) / crowd.watchers) }
}

/** The same answers for people who read them. */
async function listenCalmly(stage: Stage, model: SlowModel, watch: Watch, name: string, size: Size): Promise<Figures> {
  const { own, sessions } = CROWDS[size]
  const calm = new Crowd(stage, model, name, { own, sessions, watchers: 0, nevers: 0 })
  await calm.gather()
  await watch.take()
  await calm.listen()
  const figures = await watch.take()
  await calm.endWhole()
  return figures
}

async function play(stage: Stage, model: SlowModel, { size, say, seed, count }: FaultOptions): Promise<void> {
  const { server, transport, notes } = stage
  const healthy = await Healthy.start(server.port, HEALTHY)
  const watch = new Watch(stage, healthy)
  try {
    // The first time only warms up: its garbage is the first that the server has.
    await listenCalmly(stage, model, watch, `${transport}${seed}warm`, size)
    const before = await listenCalmly(stage, model, watch, `${transport}${seed}calm`, size)
    say(`${transport}: the long answers were told to those who read them`)
    const crowd = new Crowd(stage, model, `${transport}${seed}slow`, crowdSize(size, count))
    await crowd.gather()
    await watch.take()
    await crowd.listen()
    const during = await watch.take()
    say(`${transport}: ${crowd.slow} slow clients read nothing of others, or little`)
    await crowd.wake()
    const after = await watch.take()
    say(`${transport}: they read again, and came back with their cursors`)
    await crowd.endWhole()
    compare(stage, size, before, during, crowd.slow)
    notes.add(
      'MiB of memory and milliseconds of stall at most while they came back',
      `${after.rssMib.toFixed(0)}, ${after.stall.toFixed(0)}`,
    )
  } finally {
    watch.stop()
    healthy.stop()
  }
  for (const fault of new Set(healthy.faults)) notes.broken(fault)
  if (!server.alive || !(await server.isHealthy()))
    notes.broken(`the server is not well: ${server.process.said.join(' ')}`)
}
