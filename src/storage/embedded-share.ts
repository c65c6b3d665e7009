import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive, readProcess } from './embedded-cluster.ts'

/** Names a process for as long as the machine runs. */
function nameOf(pid: number): string {
  return `${pid}-${readProcess(pid)?.startTime ?? 0}`
}

let handles = 0

/**
 * Which processes use one embedded server, as files in the data directory, so that the last one stops it and no other does.
 * The starter is responsible. When it leaves before others it names one of them; when it was killed, the next that adopts
 * the server takes its place.
 */
export class ServerShare {
  readonly #dir: string
  readonly #owner: string
  /** One process may start twice on the same directory; each handle counts. */
  readonly #me = `${nameOf(process.pid)}-${handles++}`
  /** Tells this folder from a copy of it, whose files name processes that use the other one. */
  #mark = ''

  constructor(dataDir: string) {
    this.#dir = join(dataDir, 'postgres.users')
    this.#owner = join(dataDir, 'postgres.owner')
  }

  join(): void {
    mkdirSync(this.#dir, { recursive: true })
    const { dev, ino } = statSync(this.#dir)
    this.#mark = `${dev}:${ino}`
    // Who was killed did not leave.
    for (const name of readdirSync(this.#dir)) if (!this.#isUser(name)) rmSync(join(this.#dir, name), { force: true })
    writeFileSync(join(this.#dir, this.#me), this.#mark)
  }

  /** This process answers for the server from now on. */
  claim(): void {
    writeFileSync(this.#owner, this.#me)
  }

  claimIfOrphaned(): void {
    if (!isPresent(this.#readOwner())) this.claim()
  }

  /** True when this process has to stop the server. */
  leave(): boolean {
    rmSync(join(this.#dir, this.#me), { force: true })
    if (this.#readOwner() !== this.#me) return false
    const heir = readdirSync(this.#dir).find((name) => this.#isUser(name))
    if (heir === undefined) rmSync(this.#owner, { force: true })
    else writeFileSync(this.#owner, heir)
    return heir === undefined
  }

  /** Releases before this one left no mark. */
  #isUser(name: string): boolean {
    return isPresent(name) && ['', this.#mark].includes(read(join(this.#dir, name)))
  }

  #readOwner(): string {
    return read(this.#owner)
  }
}

function isPresent(name: string): boolean {
  const pid = Number.parseInt(name, 10)
  return isAlive(pid) && name.startsWith(`${nameOf(pid)}-`)
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
