import { type SpawnOptions, spawnSync } from 'node:child_process'
import {
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
} from 'node:fs'
import { userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import * as v from 'valibot'
import { type Binaries, relocate } from './embedded-binaries.ts'
import { type Environment, embeddedEnv } from './embedded-env.ts'

const PackageSchema = v.object({ version: v.string() })

/** How to start a program as someone whom Postgres accepts: it refuses uid 0 and users without a name. */
export type Runner = {
  readonly binaries: Binaries
  readonly command: (
    program: string,
    args: readonly string[],
  ) => { readonly file: string; readonly args: readonly string[] }
  readonly options: SpawnOptions
  /** Who has to own the data, as this process sees it; absent: this process. */
  readonly owner?: { readonly uid: number; readonly gid: number }
}

/** The usual number of `nobody`, when /etc/passwd does not say. */
const NOBODY = 65_534
/** Others may pass through a directory. */
const OTHERS_EXECUTE = 0o001
/** A data directory of root's that `nobody` must pass through, and nobody may list. */
const PASSABLE = 0o711
const PRIVATE = 0o700

const direct = (program: string, args: readonly string[]) => ({ file: program, args })
/** Root of the outer namespace under another number: Postgres sees no root, the kernel sees the owner of the files. */
const renamed = (program: string, args: readonly string[]) => ({
  file: 'unshare',
  args: ['-U', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`, program, ...args],
})

export function isRoot(): boolean {
  return process.getuid?.() === 0
}

/** Makes the data directory when it is missing. */
export function makeDataDir(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: isRoot() ? PASSABLE : PRIVATE })
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? NO_FOLDER[String(cause.code)] : undefined
    if (reason === undefined) throw cause
    throw new Error(`PARLEY_DATA_DIR must be a folder, and ${dataDir} ${reason}`, { cause })
  }
}

const NO_FOLDER: Readonly<Record<string, string>> = {
  EEXIST: 'is a file',
  ENOTDIR: 'lies below a file',
  EACCES: 'may not be made by this user',
}

/** Picks the first way that works here: as we are, as `nobody`, in a user namespace, as `nobody` with copied programs. */
export function chooseRunner(
  binaries: Binaries,
  dataDir: string,
  root = isRoot(),
  environment: Environment = {},
): Runner {
  const env = embeddedEnv(environment)
  if (!root && hasName()) return { binaries, command: direct, options: { env } }
  const nobody = root ? findNobody() : undefined
  const asNobody = nobody && { command: direct, options: { ...nobody, env }, owner: nobody }
  const dataReachable = othersReach(dataDir)
  if (asNobody && dataReachable && othersReach(dirname(binaries.postgres))) return { binaries, ...asNobody }
  if (canUnshare(binaries, env)) return { binaries, command: renamed, options: { env } }
  if (asNobody && dataReachable) return { binaries: copyBinaries(binaries, dataDir), ...asNobody }
  throw new Error(
    root
      ? `Postgres does not run as root, and user nobody cannot reach ${dataDir}: set PARLEY_DATA_DIR to a directory outside of private ones, run as another user, or set DATABASE_URL`
      : `Postgres does not run as user id ${process.getuid?.()}, which has no name here: add it to /etc/passwd, or set DATABASE_URL`,
  )
}

/** Gives the data to whom the server runs as; it may have run as someone else before. Cheap when nothing changed. */
export function giveTo(runner: Runner, path: string): void {
  if (!isRoot()) return
  const { uid, gid } = runner.owner ?? { uid: 0, gid: 0 }
  if (lstatSync(path).uid !== uid) chownTree(path, uid, gid)
}

function chownTree(path: string, uid: number, gid: number): void {
  if (lstatSync(path).isDirectory()) for (const name of readdirSync(path)) chownTree(join(path, name), uid, gid)
  // The top last: an interrupted walk is seen, and done again, by the next start.
  if (!lstatSync(path).isSymbolicLink()) chownSync(path, uid, gid)
}

function hasName(): boolean {
  try {
    return userInfo().username !== ''
  } catch {
    return false
  }
}

function findNobody(): { uid: number; gid: number } {
  const passwd = existsSync('/etc/passwd') ? readFileSync('/etc/passwd', 'utf8') : ''
  const [, , uid, gid] =
    passwd
      .split('\n')
      .find((line) => line.startsWith('nobody:'))
      ?.split(':') ?? []
  // macOS writes -2 where the kernel says 4294967294.
  return { uid: Number(uid ?? NOBODY) >>> 0, gid: Number(gid ?? NOBODY) >>> 0 }
}

function othersReach(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if ((statSync(at).mode & OTHERS_EXECUTE) === 0) return false
    if (at === dirname(at)) return true
  }
}

function canUnshare(binaries: Binaries, env: Record<string, string>): boolean {
  const { file, args } = renamed(binaries.postgres, ['--version'])
  return spawnSync(file, args, { stdio: 'ignore', cwd: '/', env }).status === 0
}

/** One copy per version, beside the data. */
function copyBinaries(binaries: Binaries, dataDir: string): Binaries {
  const version = v.parse(PackageSchema, JSON.parse(readFileSync(join(binaries.root, 'package.json'), 'utf8'))).version
  const root = join(dataDir, `postgres-programs-${version}`)
  if (!existsSync(root)) {
    // Copied aside and renamed, so that a copy that was cut is never taken for whole.
    const aside = `${root}.${process.pid}`
    cpSync(join(binaries.root, 'native'), join(aside, 'native'), { recursive: true, verbatimSymlinks: true })
    renameSync(aside, root)
  }
  return relocate(binaries, root)
}
