import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeDirectory } from '../storage/own-server.ts'
import { freePort } from '../support/free-port.ts'

const LONG = { timeout: 60_000 }
/** Twice what a pipe holds. */
const PREAMBLE = 'many words\n'.repeat(9000)
const dataDir = makeDirectory('parley-cli-')

function parley(args: readonly string[], stdout: 'pipe' | number = 'pipe', databaseUrl = ''): ChildProcess {
  const env = { ...process.env, PORT: '0', DATABASE_URL: databaseUrl, PARLEY_DATA_DIR: dataDir }
  return spawn(process.execPath, [resolve('dist/cli.js'), ...args], { env, stdio: ['pipe', stdout, 'pipe'] })
}

/** Its exit code and what it said on standard error. */
async function ended(child: ChildProcess): Promise<readonly [number | null, string]> {
  const said = child.stderr === null ? '' : text(child.stderr)
  await once(child, 'exit')
  return [child.exitCode, await said]
}

const hasDatabase = (): boolean => existsSync(join(dataDir, 'postgres', 'postmaster.pid'))

describe('a command of its own process', LONG, () => {
  beforeAll(async () => {
    const file = join(dataDir, 'app.json')
    writeFileSync(
      file,
      JSON.stringify({ id: 'big', name: 'Big', preamble: PREAMBLE, model: { default: 'scripted/demo' } }),
    )
    const [code, said] = await ended(parley(['apps', 'put', file]))
    if (code !== 0) throw new Error(said)
  })
  afterAll(() => rmSync(dataDir, { recursive: true, force: true }))

  it('writes all of its output to a reader that is slow', async () => {
    // Of a shell: what Node makes for a child holds more than a pipe.
    const line = '"$0" dist/cli.js apps show big | (sleep 3; cat)'
    const env = { ...process.env, DATABASE_URL: '', PARLEY_DATA_DIR: dataDir }
    const { stdout } = spawn('sh', ['-c', line, process.execPath], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    expect(JSON.parse(await text(stdout))).toMatchObject({ preamble: PREAMBLE })
  })

  it('whose reader has left exits with 1 in a line, and leaves no database behind', async () => {
    const child = parley(['audit'])
    child.stdout?.destroy()
    const [code, said] = await ended(child)
    expect([code, said.trim().split('\n')]).toEqual([1, ['parley: standard output takes no more: write EPIPE']])
    expect(hasDatabase()).toBe(false)
  })

  it('whose output cannot be written, as on a full disk, exits with 1: a key would be lost', async () => {
    const closed = openSync(join(dataDir, 'app.json'), 'r')
    const [code, said] = await ended(parley(['keys', 'create', '--app', 'big'], closed))
    closeSync(closed)
    expect([code, said]).toEqual([1, expect.stringContaining('parley: standard output takes no more: EBADF')])
  })

  it('that is told to stop leaves no database behind', async () => {
    const child = parley(['users', 'delete', 'ann', '--app', 'big'])
    const end = ended(child)
    await expect.poll(hasDatabase, { timeout: 20_000 }).toBe(true)
    child.kill('SIGINT')
    expect(await end).toEqual([1, expect.stringContaining('parley users: told to stop (SIGINT)')])
    expect(hasDatabase()).toBe(false)
  })

  it('whose database takes no writes exits with 1 and says so', async () => {
    const settings = join(dataDir, 'postgres', 'postgresql.auto.conf')
    const before = readFileSync(settings)
    writeFileSync(settings, 'default_transaction_read_only = on')
    const [code, said] = await ended(parley(['keys', 'create', '--app', 'big']))
    writeFileSync(settings, before)
    expect([code, said.trim().split('\n')]).toEqual([
      1,
      [
        'store away: the database takes no writes: it is a standby, or read-only by a setting',
        'parley keys: The server cannot save right now',
      ],
    ])
  })

  it('that serves and cannot start ends at the second signal', async () => {
    const port = await freePort()
    const silent = createServer((socket) => socket.on('error', () => undefined).resume())
    const reached = once(silent.listen(port, '127.0.0.1'), 'connection')
    const child = parley(['serve'], 'pipe', `postgres://127.0.0.1:${port}/db`)
    const end = ended(child)
    await reached
    child.kill('SIGTERM')
    await delay(200)
    child.kill('SIGTERM')
    expect(await end).toEqual([1, expect.stringContaining('told to stop twice')])
    silent.close()
  })
})
