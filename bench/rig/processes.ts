import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** The server alone on one core, everything else on another: else they take each other's time. */
export const SERVER_CORE = 0
export const OTHER_CORE = 1

/** `USER_HZ`: the unit of /proc's CPU times on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100
const KIB_PER_PAGE = 4
const EXIT_TIMEOUT_MS = 20_000

const TASKSET = 'taskset'
const canPin = spawnSync(TASKSET, ['-V']).status === 0

/** Starts `node args` on a core (undefined: on any), with an IPC channel and its output on stderr. */
export function startNode(
  core: number | undefined,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): ChildProcess {
  const command = [...(canPin && core !== undefined ? [TASKSET, '-c', String(core)] : []), process.execPath, ...args]
  const [file = process.execPath, ...rest] = command
  return spawn(file, rest, { env: { ...process.env, ...env }, stdio: ['ignore', 2, 2, 'ipc'] })
}

/** SIGTERM and the wait for its end; SIGKILL when it does not come. */
export async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_TIMEOUT_MS)
  await gone
  clearTimeout(timer)
}

export function moveToCore(pid: number, core: number): void {
  if (canPin) spawnSync(TASKSET, ['-acp', String(core), String(pid)])
}

/** A process's own CPU seconds, user and kernel, and those of children it has waited for. */
export function cpuSeconds(pid: number): { readonly own: number; readonly reaped: number } {
  const [utime = 0, stime = 0, cutime = 0, cstime = 0] = statFields(pid).slice(11, 15).map(Number)
  return { own: (utime + stime) / TICKS_PER_SECOND, reaped: (cutime + cstime) / TICKS_PER_SECOND }
}

/** CPU seconds of a process and its children, dead or alive: Postgres's processes are all children of one. */
export function familyCpuSeconds(root: number): number {
  const { own, reaped } = cpuSeconds(root)
  return childrenOf(root).reduce((sum, pid) => sum + cpuSeconds(pid).own, own + reaped)
}

export function childrenOf(parent: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map(Number).filter((pid) => Number(statFields(pid)[1]) === parent)
}

export function rssKib(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * KIB_PER_PAGE
}

/** CPU seconds that the whole machine has spent on anything, and what the host took (steal). */
export function machineCpuSeconds(): number {
  const [, ...fields] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').trim().split(/\s+/)
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields.map(Number)
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND
}

/** What follows the name in /proc/<pid>/stat: state, parent, ... (utime is the 12th). Empty when the process has gone. */
function statFields(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}
