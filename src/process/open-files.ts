import { readFileSync } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { devNull } from 'node:os'
import type { Telemetry } from '../ports/telemetry.ts'

const LOOK_MS = 1000
/** Of the limit: from here on they are few, and there are enough again below the second. */
const FEW = 0.9
const ENOUGH = 0.8
/** What WebSockets leave of the limit, for HTTP, the database, models and MCP servers: the last two take 1,200 at most. */
const [REST_SHARE, REST_MOST] = [0.25, 2000]

const FILES = '/proc/self/fd'

type Supply = 'enough' | 'few' | 'none'
const BY_SUPPLY = {
  enough: ['info', 'open files below their limit'],
  few: ['warn', 'open files near their limit'],
  none: ['error', 'no more files can be opened'],
} as const

export type OpenFilesOptions = {
  /** Most files, sockets among them, that this process may have open; undefined where the system does not say. */
  readonly limit?: number | undefined
  /** How many it has; undefined when it can open no other. */
  readonly count?: () => Promise<number | undefined>
}

/**
 * Says in the log when the process runs out of file descriptors. Connections that come then are not answered at all, /healthz among
 * them, and neither transport says why; uWebSockets.js asks the kernel for them again and again, which takes a whole core.
 */
export class OpenFiles {
  readonly #telemetry: Telemetry
  readonly #limit: number | undefined
  readonly #count: () => Promise<number | undefined>
  readonly #timer: NodeJS.Timeout
  #supply: Supply = 'enough'

  constructor(telemetry: Telemetry, { limit = limitOfOpenFiles(), count = countOpenFiles }: OpenFilesOptions = {}) {
    this.#telemetry = telemetry
    this.#limit = limit
    this.#count = count
    this.#timer = setInterval(() => void this.#look(), LOOK_MS).unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async #look(): Promise<void> {
    const count = await this.#count()
    const now = this.#supplyAt(count)
    if (now === this.#supply) return
    this.#supply = now
    const [level, event] = BY_SUPPLY[now]
    this.#telemetry.log(level, event, { open: count, limit: this.#limit })
  }

  #supplyAt(count: number | undefined): Supply {
    const share = count === undefined ? 1 : count / (this.#limit ?? Number.POSITIVE_INFINITY)
    if (share >= 1) return 'none'
    if (share >= FEW) return 'few'
    return share < ENOUGH ? 'enough' : this.#supply === 'enough' ? 'enough' : 'few'
  }
}

/** As many WebSockets as leave files for all else; undefined where the system does not say. */
export function roomForConnections(limit = limitOfOpenFiles()): number | undefined {
  return limit && limit - Math.min(REST_MOST, Math.ceil(limit * REST_SHARE))
}

/** Never rejects. */
async function countOpenFiles(): Promise<number | undefined> {
  try {
    // Linux says the number as the folder's size, from 6.2 on.
    const { size } = await stat(FILES)
    return size > 0 ? size : (await readdir(FILES)).length
  } catch {
    return countByOpening()
  }
}

/** Where there is no such folder, or no room to read it: all that can be told is whether another one can be opened. */
async function countByOpening(): Promise<number | undefined> {
  try {
    const file = await open(devNull)
    const { fd } = file
    await file.close()
    return fd
  } catch {
    return undefined
  }
}

/** Node raises its own to the most that it may have as it starts. Only Linux has a place to read it. */
function limitOfOpenFiles(): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return soft === undefined ? undefined : Number(soft)
  } catch {
    return undefined
  }
}
