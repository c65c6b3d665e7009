import type { PrivacyStore } from '../ports/privacy.ts'
import type { AppStore } from '../ports/store.ts'
import type { Telemetry } from '../ports/telemetry.ts'
import { parseDefinition } from './definition.ts'

const MS_PER_DAY = 86_400_000
/** Milliseconds after a start before it is first applied: what people wait for comes first. */
const FIRST_MS = 60_000

/** Sessions of `app` that nobody wrote to since (milliseconds since 1970) are to go. */
export type RetentionRule = { readonly app: string; readonly days: number; readonly since: number }

export function ruleOf(app: string, days: number, now: number): RetentionRule {
  return { app, days, since: now - days * MS_PER_DAY }
}

/** What the stored Apps ask for. A definition that cannot be read (of another release) asks for nothing and is told by its id. */
export async function readRules(
  apps: Pick<AppStore, 'listApps'>,
  now: number,
  unreadable: (app: string) => void,
): Promise<readonly RetentionRule[]> {
  const rows = await apps.listApps()
  return rows.flatMap(({ id, definition }) => {
    try {
      const { retention } = parseDefinition(definition)
      return retention === undefined ? [] : [ruleOf(id, retention.days, now)]
    } catch {
      unreadable(id)
      return []
    }
  })
}

export type RetentionParts = {
  readonly apps: Pick<AppStore, 'listApps'>
  readonly store: PrivacyStore
  readonly telemetry: Telemetry
  /** Milliseconds from the end of one application to the next. */
  readonly everyMs: number
}

/** Applies the retention of all Apps from time to time, in one process at a time. */
export class Retention {
  readonly #parts: RetentionParts
  readonly #stop = new AbortController()
  #timer: NodeJS.Timeout
  #applying: Promise<void> = Promise.resolve()

  constructor(parts: RetentionParts) {
    this.#parts = parts
    this.#timer = this.#later(Math.min(parts.everyMs, FIRST_MS))
  }

  /** Resolves when nothing is removed any more. */
  async close(): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#timer)
    await this.#applying
  }

  #later(ms: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#applying = this.#apply().then(() => {
        if (!this.#stop.signal.aborted) this.#timer = this.#later(this.#parts.everyMs)
        return undefined
      })
    }, ms)
    return timer.unref()
  }

  /** Never rejects: the next time finds all that is left. */
  async #apply(): Promise<void> {
    const { apps, store, telemetry } = this.#parts
    const unreadable = (app: string): void => telemetry.log('warn', 'retention unknown', { app })
    try {
      const rules = await readRules(apps, Date.now(), unreadable)
      if (rules.length > 0) await store.alone(() => this.#remove(rules))
    } catch (thrown) {
      telemetry.log('warn', 'retention not applied', {}, thrown)
    }
  }

  async #remove(rules: readonly RetentionRule[]): Promise<void> {
    for (const { app, since } of rules) {
      const sessions = await this.#parts.store.removeUntouched(app, since, this.#stop.signal)
      if (sessions > 0) this.#parts.telemetry.log('info', 'retention applied', { app, sessions })
    }
  }
}
