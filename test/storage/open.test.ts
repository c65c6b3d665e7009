import { rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { isAlive } from '../../src/storage/embedded-cluster.ts'
import { openStorage } from '../../src/storage/open.ts'
import { freePort } from '../support/free-port.ts'
import { listen } from '../support/listen.ts'
import { makeDirectory, readPid } from './own-server.ts'
import { Recorder } from './recorder.ts'

const LONG = { timeout: 30_000 }
const directories: string[] = []
const directory = () => {
  const dir = makeDirectory('parley-open-')
  directories.push(dir)
  return dir
}

afterEach(() => {
  for (const dir of directories.splice(0)) rmSync(dir, { recursive: true, force: true })
})

describe('openStorage', LONG, () => {
  it('opens a migrated store on the embedded server, says where, and stops it at the end', async () => {
    const dataDir = directory()
    const storage = await openStorage({ dataDir }, new Recorder())
    expect(storage.description).toBe(`embedded Postgres, data in ${dataDir}`)
    expect(await storage.store.listApps()).toEqual([])
    const pid = readPid(dataDir)
    await Promise.all([storage.close(), storage.close()])
    expect(isAlive(pid)).toBe(false)
  })

  it('tells of another process that has the store open, not of one that visits', async () => {
    const dataDir = directory()
    const first = await openStorage({ dataDir, visitor: true }, new Recorder())
    const second = await openStorage({ dataDir }, new Recorder())
    const third = await openStorage({ dataDir }, new Recorder())
    expect([first.store.others, second.store.others, third.store.others]).toEqual([0, 0, 1])
    expect(third.description).toBe(
      `embedded Postgres, data in ${dataDir}, already running, shared with 1 other process`,
    )
    for (const storage of [third, second, first]) await storage.close()
  })

  it('rejects where connections are taken and closed, and does not try for ever', async () => {
    const port = await freePort()
    const proxy = createServer((socket) => socket.on('error', () => undefined).end()).listen(port, '127.0.0.1')
    const opening = openStorage(
      { databaseUrl: `postgres://127.0.0.1:${port}/db`, dataDir: directory() },
      new Recorder(),
    )
    await expect(opening).rejects.toThrow('takes connections and does not answer')
    proxy.close()
  })

  it('says that TLS was asked for where the server has none', async () => {
    const proxy = createServer((socket) => {
      socket.on('error', () => undefined)
      // "No" to the question for TLS, as a Postgres without a certificate answers; it ends who goes on all the same.
      socket.once('data', () => socket.write('N', () => socket.once('data', () => socket.end())))
    })
    const databaseUrl = `postgres://me@127.0.0.1:${await listen(proxy)}/db?sslmode=require`
    const opening = openStorage({ databaseUrl, dataDir: directory() }, new Recorder())
    await expect(opening).rejects.toThrow('DATABASE_URL asks for TLS (sslmode)')
    proxy.close()
  })

  it('I11: rejects when the server of DATABASE_URL is not there, without its password', async () => {
    const opening = openStorage(
      { databaseUrl: 'postgres://me:secret@127.0.0.1:1/db', dataDir: directory() },
      new Recorder(),
    )
    const error = await opening.catch((thrown: unknown) => thrown)
    expect(String(error)).toContain('127.0.0.1')
    expect(String(error)).not.toContain('secret')
  })
})
