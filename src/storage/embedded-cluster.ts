import { spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { giveTo, type Runner } from './embedded-user.ts'

/** The only port of an embedded server: a part of its socket's name. */
export const EMBEDDED_PORT = 5432
export const EMBEDDED_USER = 'postgres'
/** Bytes. A unix socket's path has 108 in the kernel's structure, one of them NUL. */
const MAX_SOCKET_PATH_BYTES = 107
/** How the folders begin in which new clusters are made. */
const ASIDE = 'postgres.init-'
/** Lines of postmaster.pid, as src/include/utils/pidfile.h numbers them. */
const PID_LINE = 0
const DATA_DIR_LINE = 1
const SOCKET_DIR_LINE = 4
const STATUS_LINE = 7
/** Of /proc/<pid>/stat, counted from the state. */
const START_TIME_FIELD = 19
const PRIVATE = 0o700
/** Milliseconds for a local socket to accept; it does so at once or never. */
const ACCEPT_MS = 1000

export type Running = { readonly pid: number; readonly socketDir: string }

const socketName = `.s.PGSQL.${EMBEDDED_PORT}`

/** What postmaster.pid says of a server that accepts connections and works on this very directory: a copy of one in use has its file, too. */
export async function readReady(pgData: string): Promise<Running | undefined> {
  const text = await readFile(join(pgData, 'postmaster.pid'), 'utf8').catch(() => '')
  const lines = text.split('\n')
  const [pid, socketDir] = [Number(lines[PID_LINE]), lines[SOCKET_DIR_LINE]]
  if (!socketDir || lines[STATUS_LINE]?.trim() !== 'ready' || !isAlive(pid)) return undefined
  if (!(worksIn(pid, pgData) ?? isSamePath(lines[DATA_DIR_LINE] ?? '', pgData))) return undefined
  return (await accepts(join(socketDir, socketName))) ? { pid, socketDir } : undefined
}

/** By the folder itself: one that was moved has another path. Undefined where nobody says in which folder a process works. */
function worksIn(pid: number, pgData: string): boolean | undefined {
  try {
    const [there, here] = [statSync(`/proc/${pid}/cwd`), statSync(pgData)]
    return there.dev === here.dev && there.ino === here.ino
  } catch {
    return undefined
  }
}

function isSamePath(one: string, other: string): boolean {
  try {
    return realpathSync(one) === realpathSync(other)
  } catch {
    return false
  }
}

/** True while a process of this id runs, whoever owns it. One that ended and that nobody waited for does not run. */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false
  }
  return readProcess(pid)?.state !== 'Z'
}

/** State and start time (in clock ticks, tells a reused number apart) of a process; undefined without /proc (macOS). */
export function readProcess(
  pid: number,
): { readonly state: string | undefined; readonly startTime: string | undefined } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name is in brackets and may hold anything; the fields follow the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0], startTime: fields[START_TIME_FIELD] }
  } catch {
    return undefined
  }
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const settle = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(ACCEPT_MS, () => settle(false))
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
  })
}

/**
 * Removes a pid file, and the lock of the socket beside it, that name another program or a server on another directory: after
 * a reboot the number may be anyone's, a copy has the original's, and Postgres would not start.
 */
export async function dropStalePid(pgData: string): Promise<void> {
  const file = join(pgData, 'postmaster.pid')
  const pid = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[PID_LINE])
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => undefined)
  if (name === undefined) return
  if (name.trim() === 'postgres' && worksIn(pid, pgData) !== false) return
  for (const lock of [`${socketName}.lock`, 'postmaster.pid']) rmSync(join(pgData, lock), { force: true })
}

/** A new cluster, made aside and renamed: one that was cut is never taken for whole, and of two that race one wins. */
export async function makeCluster(runner: Runner, dataDir: string, pgData: string): Promise<void> {
  const aside = mkdtempSync(join(dataDir, ASIDE))
  giveTo(runner, aside)
  const options = ['-U', EMBEDDED_USER, '-A', 'trust', '--locale=C.UTF-8', '--encoding=UTF8']
  try {
    await run(runner, runner.binaries.initdb, ['-D', aside, ...options])
    renameSync(aside, pgData)
    // Of starts that were killed in the middle; one that is still at its own finds this one whole.
    for (const name of readdirSync(dataDir))
      if (name.startsWith(ASIDE)) rmSync(join(dataDir, name), { recursive: true, force: true })
  } catch (cause) {
    rmSync(aside, { recursive: true, force: true })
    if (!existsSync(join(pgData, 'PG_VERSION'))) throw cause
  }
}

/** Where the socket goes: beside the data, or a short private directory when that path is too long for a socket. */
export function chooseSocketDir(runner: Runner, pgData: string): { readonly dir: string; readonly temporary: boolean } {
  if (Buffer.byteLength(join(pgData, socketName)) <= MAX_SOCKET_PATH_BYTES) return { dir: pgData, temporary: false }
  const dir = mkdtempSync(join(tmpdir(), 'parley-'))
  chmodSync(dir, PRIVATE)
  if (runner.owner) chownSync(dir, runner.owner.uid, runner.owner.gid)
  return { dir, temporary: true }
}

function run(runner: Runner, program: string, args: readonly string[]): Promise<void> {
  const { file, args: all } = runner.command(program, args)
  return new Promise((resolve, reject) => {
    const child = spawn(file, all, { ...runner.options, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`initdb ended with ${code}: ${said.trim()}`))
    })
  })
}
