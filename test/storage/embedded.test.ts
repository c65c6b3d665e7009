import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { connect } from '../../src/storage/connection.ts'
import { type EmbeddedPostgres, startEmbedded } from '../../src/storage/embedded.ts'
import { completeSymlinks, findBinaries } from '../../src/storage/embedded-binaries.ts'
import { isAlive } from '../../src/storage/embedded-cluster.ts'
import { embeddedEnv } from '../../src/storage/embedded-env.ts'
import { chooseRunner } from '../../src/storage/embedded-user.ts'
import { makeDirectory, readPid } from './own-server.ts'

const LONG = { timeout: 30_000 }
const started: EmbeddedPostgres[] = []
const directories: string[] = []

const directory = (mode?: number) => {
  const dir = makeDirectory('parley-embedded-', mode)
  directories.push(dir)
  return dir
}
const start = async (dataDir: string) => {
  const server = await startEmbedded({ dataDir, log: () => {} })
  started.push(server)
  return server
}
const setting = async ({ connection }: EmbeddedPostgres, name: string) => {
  const sql = connect(connection, { max: 1 })
  const [row] = await sql`select current_setting(${name}) as value`
  await sql.end()
  return row?.['value']
}

afterEach(async () => {
  for (const server of started.splice(0)) await server.stop()
  for (const dir of directories.splice(0)) rmSync(dir, { recursive: true, force: true })
})

describe('embedded Postgres', LONG, () => {
  it('starts in a new directory, durable, on a private socket and no port, and keeps its data', async () => {
    const dataDir = join(directory(), 'data')
    const first = await start(dataDir)
    expect(first.adopted).toBe(false)
    expect(
      await Promise.all(['fsync', 'synchronous_commit', 'listen_addresses'].map((name) => setting(first, name))),
    ).toEqual(['on', 'on', ''])
    expect(statSync(first.connection.socketDir).mode & 0o077).toBe(0)
    const sql = connect(first.connection, { max: 1 })
    await sql`create table kept (x integer)`
    await sql.end()
    await first.stop()
    expect(existsSync(join(dataDir, 'postgres', 'postmaster.pid'))).toBe(false)
    const again = await start(dataDir)
    const look = connect(again.connection, { max: 1 })
    expect(await look`select from kept`).toHaveLength(0)
    await look.end()
  })

  it('is shared by a second start, and stopped by the last', async () => {
    const dataDir = directory()
    const first = await start(dataDir)
    const second = await start(dataDir)
    expect([first.adopted, second.adopted]).toEqual([false, true])
    expect(second.connection).toEqual(first.connection)
    const pid = readPid(dataDir)
    await first.stop()
    expect(await setting(second, 'fsync')).toBe('on')
    await second.stop()
    await second.stop()
    expect(isAlive(pid)).toBe(false)
  })

  it('forgets users that were killed', async () => {
    const dataDir = directory()
    const users = join(dataDir, 'postgres.users')
    mkdirSync(users, { recursive: true })
    for (const name of ['999999999-1-0', `${process.pid}-1-0`]) writeFileSync(join(users, name), '')
    await start(dataDir)
    expect(readdirSync(users)).toHaveLength(1)
  })

  it('I11: runs without what this process’s environment says of others', async () => {
    const env = { LANG: 'C', LC_ALL: 'C.UTF-8', TZ: 'UTC', ANTHROPIC_API_KEY: 'a secret', DATABASE_URL: 'a secret' }
    expect(embeddedEnv({ ...env, PATH: '/bin', LD_LIBRARY_PATH: '/lib', HOME: '/root' })).toEqual({
      LANG: 'C',
      LC_ALL: 'C.UTF-8',
      TZ: 'UTC',
      PATH: '/bin',
      LD_LIBRARY_PATH: '/lib',
      HOME: '/',
    })
    const dataDir = directory()
    process.env['ANTHROPIC_API_KEY'] = 'a secret'
    try {
      started.push(await startEmbedded({ dataDir, env, log: () => {} }))
    } finally {
      delete process.env['ANTHROPIC_API_KEY']
    }
    const file = `/proc/${readPid(dataDir)}/environ`
    // macOS has no /proc.
    expect(existsSync(file) ? readFileSync(file, 'utf8') : '').not.toContain('a secret')
  })

  it('says when its data directory cannot be one', async () => {
    const file = join(directory(), 'data')
    writeFileSync(file, '')
    await expect(start(file)).rejects.toThrow(`PARLEY_DATA_DIR must be a folder, and ${file} is a file`)
    const below = join(file, 'data')
    await expect(start(below)).rejects.toThrow(`PARLEY_DATA_DIR must be a folder, and ${below} lies below a file`)
  })

  it('two starts in an empty directory at once end up on one server', async () => {
    const dataDir = directory()
    const both = await Promise.all([start(dataDir), start(dataDir)])
    expect(both.filter(({ adopted }) => adopted)).toHaveLength(1)
    expect(readdirSync(dataDir).filter((name) => name.startsWith('postgres.init'))).toEqual([])
  })

  it('leaves nothing of starts that were killed while they made a cluster', async () => {
    const dataDir = directory()
    mkdirSync(join(dataDir, 'postgres.init-abc', 'base'), { recursive: true })
    await start(dataDir)
    expect(readdirSync(dataDir).filter((name) => name.startsWith('postgres.init'))).toEqual([])
  })

  it('starts where a pid file names a process of another kind', async () => {
    const dataDir = directory()
    await (await start(dataDir)).stop()
    const other = spawn('sleep', ['60'])
    try {
      writeFileSync(
        join(dataDir, 'postgres', 'postmaster.pid'),
        `${other.pid}\n${dataDir}\n1\n5432\n${dataDir}\n\n\nready\n`,
      )
      expect((await start(dataDir)).adopted).toBe(false)
    } finally {
      other.kill()
    }
  })

  it('puts the socket in a short private directory when the path of the data is too long for one', async () => {
    const dataDir = join(directory(), 'x'.repeat(100))
    const server = await start(dataDir)
    expect(dirname(server.connection.socketDir)).toBe(tmpdir())
    expect(statSync(server.connection.socketDir).mode & 0o777).toBe(0o700)
    expect(await setting(server, 'fsync')).toBe('on')
    await server.stop()
    expect(existsSync(server.connection.socketDir)).toBe(false)
  })

  it('works below a directory that only its owner enters, also as root', async () => {
    const dataDir = join(directory(0o700), 'data')
    const server = await start(dataDir)
    expect(await setting(server, 'fsync')).toBe('on')
  })

  it('as root, copies programs that nobody can reach not, and says what to do when that does not help', async () => {
    const binaries = await findBinaries()
    const hidden = directory(0o700)
    mkdirSync(join(hidden, 'native', 'bin'), { recursive: true })
    for (const name of ['initdb', 'postgres']) writeFileSync(join(hidden, 'native', 'bin', name), name)
    writeFileSync(join(hidden, 'package.json'), '{"version": "1.2.3"}')
    const out = {
      root: hidden,
      initdb: join(hidden, 'native/bin/initdb'),
      postgres: join(hidden, 'native/bin/postgres'),
    }
    const dataDir = directory()
    const { binaries: copied, owner } = chooseRunner(out, dataDir, true)
    expect(copied.postgres).toBe(join(dataDir, 'postgres-programs-1.2.3', 'native', 'bin', 'postgres'))
    expect([existsSync(copied.postgres), owner?.uid]).toEqual([true, expect.any(Number)])
    expect(() => chooseRunner(out, hidden, true)).toThrow('set DATABASE_URL')
    expect(chooseRunner(binaries, dataDir, true).binaries).toBe(binaries)
  })

  it('says what to do on a platform without a package', async () => {
    await expect(findBinaries('sunos-sparc')).rejects.toThrow('set DATABASE_URL')
    await expect(findBinaries('linux-ppc64')).rejects.toThrow('set DATABASE_URL')
  })

  it('makes the links that an install without scripts leaves out', async () => {
    const root = directory()
    mkdirSync(join(root, 'native', 'lib'), { recursive: true })
    writeFileSync(join(root, 'native', 'lib', 'liba.so.1.2'), 'a')
    symlinkSync('liba.so.1.2', join(root, 'native', 'lib', 'liba.so'))
    const links = ['liba.so', 'liba.so.1'].map((name) => ({
      source: 'native/lib/liba.so.1.2',
      target: `native/lib/${name}`,
    }))
    writeFileSync(join(root, 'native', 'pg-symlinks.json'), JSON.stringify(links))
    await completeSymlinks(root)
    expect(statSync(join(root, 'native', 'lib', 'liba.so.1')).isFile()).toBe(true)
  })
})
