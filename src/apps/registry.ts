import { LRUCache } from 'lru-cache'
import type { App, Apps, AppTool } from '../ports/apps.ts'
import { SEARCH_DOCUMENTS } from '../ports/documents.ts'
import type { AppStore, Change, ChangeFeed } from '../ports/store.ts'
import { ParleyError } from '../protocol/errors.ts'
import { type AppDefaults, buildApp, parseDefinition } from './definition.ts'

/** Entries, also for ids without an App: the largest preambles make this 100 MB, usual ones 2 MB. */
const MAX_APPS = 1000

export type AppsParts = {
  readonly store: AppStore
  readonly changes: ChangeFeed
  readonly defaults: AppDefaults
  /** Answers to its id until an App of that id is stored; absent: no App that is not stored exists. */
  readonly builtin?: App
}

export type RunningApps = Apps & { close(): void }

export function createApps(parts: AppsParts): RunningApps {
  return new Registry(parts)
}

/** What is known of one id. */
type Known = {
  /** All who ask at once share it. */
  readonly read: Promise<App | undefined>
  /** Once it was read, if there is one. */
  app: App | undefined
}

class Registry implements RunningApps {
  readonly #parts: AppsParts
  /** A change takes out what it concerns: a read under way is not kept. */
  readonly #known = new LRUCache<string, Known>({ max: MAX_APPS })
  readonly #unsubscribe: () => void

  constructor(parts: AppsParts) {
    this.#parts = parts
    this.#unsubscribe = parts.changes.subscribe((change) => this.#onChange(change))
  }

  get(id: string): Promise<App | undefined> {
    const before = this.#known.get(id)
    if (before !== undefined) return before.read
    const known: Known = { read: this.#read(id), app: undefined }
    this.#known.set(id, known)
    known.read.then(
      (app) => {
        known.app = app
        return undefined
      },
      () => {
        if (this.#known.peek(id) === known) this.#known.delete(id)
      },
    )
    return known.read
  }

  peek(id: string): App | undefined {
    return this.#known.get(id)?.app
  }

  close(): void {
    this.#unsubscribe()
    this.#known.clear()
  }

  async #read(id: string): Promise<App | undefined> {
    const { store, builtin, defaults } = this.#parts
    const row = await store.getApp(id)
    if (row === undefined) return builtin?.id === id ? builtin : undefined
    return withSearch(buildStored(id, row.definition, defaults), row.hasDocuments === true)
  }

  #onChange(change: Change): void {
    if (change.kind === 'app') this.#known.delete(change.id)
    else if (change.kind === 'everything') this.#known.clear()
  }
}

/** A row that an older or newer release wrote is a fault of ours, not of who asks. */
function buildStored(id: string, definition: unknown, defaults: AppDefaults): App {
  try {
    return buildApp(parseDefinition(definition), defaults)
  } catch (cause) {
    throw new ParleyError('internal_error', { message: `The definition of App ${id} cannot be read`, cause })
  }
}

/** Whether an App has that tool is a matter of its documents, not of its definition. */
function withSearch(app: App, hasDocuments: boolean): App {
  const others = app.tools.filter((tool) => nameOf(tool) !== SEARCH_DOCUMENTS)
  const named = app.tools.find((tool) => tool.kind === 'server' && tool.name === SEARCH_DOCUMENTS)
  const search: AppTool = named ?? { kind: 'server', name: SEARCH_DOCUMENTS, ask: false }
  return { ...app, tools: hasDocuments ? [...others, search] : others }
}

function nameOf(tool: AppTool): string {
  return tool.kind === 'server' ? tool.name : tool.spec.name
}
