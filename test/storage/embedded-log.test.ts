import { appendFileSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ServerLog } from '../../src/storage/embedded-log.ts'
import { makeDirectory } from './own-server.ts'

const FULL =
  '2026-12-01 03:52:49.524 UTC [12] FATAL:  could not write to file "pg_wal/xlogtemp.12": No space left on device'
let dir: string
let file: string
beforeEach(() => {
  dir = makeDirectory('parley-log-')
  file = join(dir, 'postgres.log')
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** A log that a start has begun to write to, and what it wrote. */
function after(...lines: string[]): ServerLog {
  const log = new ServerLog(file)
  closeSync(log.open())
  appendFileSync(file, lines.map((line) => `${line}\n`).join(''))
  return log
}

it('says why the server does not start, and not that it ends or whom it turned away', () => {
  const log = after(
    '2026-12-01 03:52:49.500 UTC [12] LOG:  automatic recovery in progress',
    FULL,
    '2026-12-01 03:52:49.530 UTC [13] FATAL:  the database system is starting up',
    '2026-12-01 03:52:49.531 UTC [11] LOG:  database system is shut down',
  )
  expect(log.reason()).toBe(FULL)
})

it('says the last line where there is no reason since the start; one of an earlier start is none', () => {
  writeFileSync(file, `${FULL}\n`)
  expect(new ServerLog(file).reason()).toBe(FULL)
  const recovering = '2026-12-01 03:54:00.000 UTC [21] LOG:  redo in progress, elapsed time: 50.00 s'
  expect(after(recovering).reason()).toBe(recovering)
  expect(after().reason()).toBe('')
})

it('starts anew when it is large', () => {
  writeFileSync(file, 'x'.repeat(10 * 1024 * 1024 + 1))
  expect(after(FULL).reason()).toBe(FULL)
  expect(readFileSync(file, 'utf8')).toBe(`${FULL}\n`)
})
