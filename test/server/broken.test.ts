import { randomUUID } from 'node:crypto'
import { afterEach, expect, it } from 'vitest'
import { LiveClient } from '../support/live-server.ts'
import { ParleyProcess } from '../support/parley-process.ts'

/** Milliseconds for a test that starts processes, one of them with a new data directory. */
const SLOW_MS = 30_000
/** A bug, at a signal: what it throws holds what somebody wrote. */
const BUG = `process.on('SIGUSR2', () => { throw new RangeError('my diary says hunter2') })`

let server: ParleyProcess | undefined
afterEach(() => server?.dispose(), SLOW_MS)

it(
  'I1 I11: a throw that nobody caught ends the process with a line of the log that says where, and loses nothing',
  async () => {
    const running = await ParleyProcess.start({
      NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(BUG)}`,
    })
    server = running
    const [port, session] = [Number(new URL(running.url).port), randomUUID()]
    const client = await LiveClient.connect(port, session)
    await client.ask('hello')
    expect(await running.signal('SIGUSR2')).toBe(1)
    const [line = ''] = running.said.filter((said) => said.includes('process ends'))
    expect(JSON.parse(line)).toMatchObject({ level: 'error', msg: 'process ends', cause: { type: 'RangeError' } })
    expect(running.said.join('\n')).not.toMatch(/diary|hunter2/)
    await running.start()
    const after = await LiveClient.connect(port, session)
    const { messages } = await after.control('session.snapshot')
    expect(messages.map(({ role, content }) => [role, content === '']).slice(0, 2)).toEqual([
      ['user', false],
      ['assistant', false],
    ])
  },
  SLOW_MS,
)
