import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../../src/storage/connection.ts'
import { type EmbeddedPostgres, startEmbedded } from '../../src/storage/embedded.ts'
import { dropStalePid, isAlive } from '../../src/storage/embedded-cluster.ts'
import { makeDirectory, readPid } from './own-server.ts'

const LONG = { timeout: 30_000 }
const started: EmbeddedPostgres[] = []
const directories: string[] = []

const directory = () => {
  const dir = makeDirectory('parley-embedded-')
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

describe('embedded Postgres and other processes', LONG, () => {
  const folder = fileURLToPath(new URL('../../node_modules/.cache/parley-test/', import.meta.url))
  const script = join(folder, `holder-${process.pid}.mjs`)
  const children: ChildProcess[] = []
  // A process that starts the server, says so, and stops it when its input ends.
  const contents = `
    import { startEmbedded } from './embedded.ts'
    const server = await startEmbedded({ dataDir: process.argv[2], log: () => {} })
    console.log(server.adopted ? 'adopted' : 'started')
    process.stdin.resume().on('end', () => server.stop().then(() => process.exit(0)))`
  beforeAll(async () => {
    const resolveDir = fileURLToPath(new URL('../../src/storage/', import.meta.url))
    const stdin = { contents, resolveDir, loader: 'ts' } as const
    await build({ stdin, outfile: script, bundle: true, platform: 'node', format: 'esm', packages: 'external' })
  })
  afterAll(() => rmSync(script, { force: true }))
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })
  const hold = async (dataDir: string) => {
    const child = spawn(process.execPath, [script, dataDir], { stdio: ['pipe', 'pipe', 'inherit'] })
    children.push(child)
    const [said] = await once(child.stdout.setEncoding('utf8'), 'data')
    return { child, said: String(said).trim() }
  }

  it('a killed process leaves a server that the next one adopts, with its data, and stops', async () => {
    const dataDir = directory()
    const { child, said } = await hold(dataDir)
    expect(said).toBe('started')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const pid = readPid(dataDir)
    const server = await start(dataDir)
    expect([server.adopted, readPid(dataDir)]).toEqual([true, pid])
    await server.stop()
    expect(isAlive(pid)).toBe(false)
  })

  it('a server that was adopted is started again when it dies, as often as it takes, until stop', async () => {
    const dataDir = directory()
    const { child } = await hold(dataDir)
    const logged: string[] = []
    const server = await startEmbedded({ dataDir, log: (_, event) => logged.push(event) })
    started.push(server)
    expect(server.adopted).toBe(true)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const pid = readPid(dataDir)
    const config = join(dataDir, 'postgres', 'postgresql.conf')
    renameSync(config, `${config}.away`)
    process.kill(pid, 'SIGKILL')
    await expect.poll(() => logged, { timeout: 10_000 }).toContain('embedded postgres does not start')
    renameSync(`${config}.away`, config)
    await expect.poll(() => logged, { timeout: 10_000 }).toContain('embedded postgres started again')
    expect(readPid(dataDir)).not.toBe(pid)
    expect(await setting(server, 'fsync')).toBe('on')
    const revived = readPid(dataDir)
    await server.stop()
    expect(isAlive(revived)).toBe(false)
  })

  it('a copy of a folder in use gets a server of its own, which ends with it, and the first is left alone', async () => {
    const [dataDir, copy] = [directory(), join(directory(), 'copy')]
    await hold(dataDir)
    execFileSync('cp', ['-a', dataDir, copy])
    const server = await start(copy)
    expect([server.adopted, await setting(server, 'data_directory')]).toEqual([false, join(copy, 'postgres')])
    const [first, second] = [readPid(dataDir), readPid(copy)]
    await server.stop()
    expect([isAlive(first), isAlive(second)]).toEqual([true, false])
  })

  it('a folder that was moved while it is in use keeps its lock', async () => {
    const [dataDir, moved] = [directory(), join(directory(), 'moved')]
    const { child } = await hold(dataDir)
    const pid = readPid(dataDir)
    renameSync(dataDir, moved)
    await dropStalePid(join(moved, 'postgres'))
    expect(readPid(moved)).toBe(pid)
    renameSync(moved, dataDir)
    child.stdin?.end()
    await once(child, 'exit')
  })

  it('a process that leaves before others hands the server over', async () => {
    const dataDir = directory()
    const { child } = await hold(dataDir)
    const server = await start(dataDir)
    expect(server.adopted).toBe(true)
    child.stdin?.end()
    await once(child, 'exit')
    expect(await setting(server, 'fsync')).toBe('on')
    const pid = readPid(dataDir)
    await server.stop()
    expect(isAlive(pid)).toBe(false)
  })

  it('a process that joined and leaves does not stop it', async () => {
    const dataDir = directory()
    const server = await start(dataDir)
    const { child, said } = await hold(dataDir)
    expect(said).toBe('adopted')
    child.stdin?.end()
    await once(child, 'exit')
    expect(await setting(server, 'fsync')).toBe('on')
  })
})
