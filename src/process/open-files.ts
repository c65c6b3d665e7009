import { closeSync, openSync, readFileSync } from 'node:fs'
import { devNull } from 'node:os'
import type { Telemetry } from '../ports/telemetry.ts'

const LOOK_MS = 1000
/** Of the limit: from here on they are few, and there are enough again below the second. */
const FEW = 0.9
const ENOUGH = 0.8

type Supply = 'enough' | 'few' | 'none'
const BY_SUPPLY = {
  enough: ['info', 'open files below their limit'],
  few: ['warn', 'open files near their limit'],
  none: ['error', 'no more files can be opened'],
} as const

export type OpenFilesOptions = {
  /** Most files, sockets among them, that this process may have open; undefined where the system does not say. */
  readonly limit?: number | undefined
  /** A number below which all are taken; undefined when none is left. */
  readonly lowestFree?: () => number | undefined
}

/**
 * Says in the log when the process runs out of file descriptors. Connections that come then are not answered at all, /healthz among
 * them, and neither transport says why; uWebSockets.js asks the kernel for them again and again, which takes a whole core.
 */
export class OpenFiles {
  readonly #telemetry: Telemetry
  readonly #limit: number | undefined
  readonly #lowestFree: () => number | undefined
  readonly #timer: NodeJS.Timeout
  #supply: Supply = 'enough'

  constructor(
    telemetry: Telemetry,
    { limit = limitOfOpenFiles(), lowestFree = lowestFreeNumber }: OpenFilesOptions = {},
  ) {
    this.#telemetry = telemetry
    this.#limit = limit
    this.#lowestFree = lowestFree
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const free = this.#lowestFree()
    const now = this.#supplyAt(free)
    if (now === this.#supply) return
    this.#supply = now
    const [level, event] = BY_SUPPLY[now]
    this.#telemetry.log(level, event, { open: free, limit: this.#limit })
  }

  #supplyAt(free: number | undefined): Supply {
    if (free === undefined) return 'none'
    const share = free / (this.#limit ?? Number.POSITIVE_INFINITY)
    if (share >= FEW) return 'few'
    return share < ENOUGH ? 'enough' : this.#supply === 'enough' ? 'enough' : 'few'
  }
}

/** The kernel gives the lowest number that is free. */
function lowestFreeNumber(): number | undefined {
  try {
    const number = openSync(devNull, 'r')
    closeSync(number)
    return number
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
