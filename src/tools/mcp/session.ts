import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import type { McpServer } from '../../ports/apps.ts'
import { ToolError } from '../../ports/tool.ts'
import { ToolSetupError } from '../http/guard.ts'
import { type Channel, MAX_PAGE_BYTES } from './channel.ts'
import { failureOf, SessionGone } from './failures.ts'
import { type Found, readListing } from './listing.ts'
import { type Bounds, scoped } from './scope.ts'
import type { Sdk } from './sdk.ts'

/** Milliseconds from the start to the first list; a program may have to be loaded first. */
const OPEN_MS = 15_000
/** Milliseconds for all pages of a list, how many are read, and how many tools are enough to choose from. */
const [LIST_MS, MAX_PAGES, MAX_LISTED] = [5000, 10, 1000]
/** Milliseconds that a list counts: servers that do not tell of changes are asked again. */
const LIST_LIFE_MS = 300_000
/** Milliseconds for a sign of life after a call went wrong. */
const PING_MS = 5000
/** Milliseconds for a farewell. */
const FAREWELL_MS = 2000
const MS_PER_SECOND = 1000

export type SessionParts = {
  readonly server: McpServer
  readonly sdk: Sdk
  readonly channel: Channel
  /** It is closed, whoever closed it. */
  readonly onClose: () => void
  /** Tools of a list that are not offered. */
  readonly onLeft: (count: number) => void
}

/** One connection to a server, from the handshake to its end. */
export class McpSession {
  readonly openedAt = performance.now()
  usedAt = performance.now()
  /** Calls, and looks at the list, that are on. */
  calls = 0
  /** Ready, and not closed yet. */
  isOpen = false
  closed = false
  /** The server did not know it any more: no fault of its. */
  isForgotten = false
  readonly #parts: SessionParts
  readonly #client: Client
  #list: { readonly found: Promise<readonly Found[]>; readonly at: number } | undefined
  #last: readonly Found[] | undefined
  #closing: Promise<void> | undefined

  constructor(parts: SessionParts) {
    this.#parts = parts
    const { Client: SdkClient } = parts.sdk
    const info = { name: 'parley', version: '1' }
    this.#client = new SdkClient(info, { capabilities: {}, jsonSchemaValidator: UNCHECKED })
    Object.assign(this.#client, { onclose: () => this.#onClose() } satisfies Pick<Client, 'onclose'>)
    this.#client.setNotificationHandler(parts.sdk.ToolListChangedNotificationSchema, () => {
      this.#list = undefined
    })
  }

  /** Shakes hands; rejects when that fails, and is then closed. */
  async open(): Promise<void> {
    const late = new ToolError(`The server was not ready within ${OPEN_MS / MS_PER_SECOND} seconds.`)
    const bounds = { ms: OPEN_MS, late, maxBytes: MAX_PAGE_BYTES }
    try {
      await scoped(bounds, never(), ({ signal }) =>
        this.#client.connect(this.#parts.channel.transport, { signal, timeout: OPEN_MS * 2 }),
      )
      this.isOpen = true
    } catch (thrown) {
      const failure = this.#failure(thrown)
      void this.close()
      throw failure
    }
  }

  /** `text` without secrets that the server knows. */
  readonly clean = (text: string): string => this.#parts.channel.clean(text)

  /** What it offers now: asked for when it said that this changed, or was asked long ago. */
  async tools(): Promise<readonly Found[]> {
    this.usedAt = performance.now()
    if (this.#list === undefined || this.usedAt - this.#list.at > LIST_LIFE_MS)
      this.#list = { found: this.#ask(), at: this.usedAt }
    const list = this.#list
    this.calls++
    try {
      this.#last = await list.found
    } catch (thrown) {
      if (this.#list === list) this.#list = undefined
      // It is there, but slow or out of order: what it offered last still says what can be called.
      if (this.closed || this.#last === undefined) throw thrown
    } finally {
      this.calls--
    }
    return this.#last
  }

  /** Rejects with ToolError, ToolSetupError; after an abort with anything. */
  async call(
    name: string,
    args: Readonly<Record<string, unknown>>,
    meta: Readonly<Record<string, unknown>>,
    outer: AbortSignal,
  ): Promise<CallToolResult> {
    const { timeoutMs, maxBytes } = this.#parts.server
    const late = new ToolError(`The tool did not answer within ${timeoutMs / MS_PER_SECOND} seconds.`)
    this.usedAt = performance.now()
    this.calls++
    try {
      const params = { name, arguments: { ...args }, ...(Object.keys(meta).length === 0 ? {} : { _meta: { ...meta } }) }
      return await this.#request({ ms: timeoutMs, late, maxBytes }, outer, params)
    } catch (thrown) {
      if (outer.aborted) throw thrown
      this.#doubt(thrown)
      throw this.#failure(thrown)
    } finally {
      this.calls--
      this.usedAt = performance.now()
    }
  }

  /** Resolves when the connection is gone and its process has left. */
  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    // Told first: nobody is to be given one that takes its leave.
    this.#onClose()
    const { channel } = this.#parts
    const late = new Error('no farewell')
    await scoped({ ms: FAREWELL_MS, late, maxBytes: MAX_PAGE_BYTES }, never(), channel.farewell).catch(() => undefined)
    await channel.transport.close()
  }

  #onClose(): void {
    this.closed = true
    this.#parts.onClose()
  }

  async #request(
    bounds: Bounds,
    outer: AbortSignal,
    params: { readonly name: string; readonly arguments: Record<string, unknown> },
  ): Promise<CallToolResult> {
    const { CallToolResultSchema } = this.#parts.sdk
    return scoped(bounds, outer, (scope) => {
      const onresumptiontoken = (): void => {
        scope.resumable = true
      }
      // Ours comes before this one.
      const options = { signal: scope.signal, timeout: bounds.ms * 2, onresumptiontoken }
      return this.#client.request({ method: 'tools/call', params }, CallToolResultSchema, options)
    })
  }

  async #ask(): Promise<readonly Found[]> {
    const late = new ToolError(`The server did not tell its tools within ${LIST_MS / MS_PER_SECOND} seconds.`)
    const bounds = { ms: LIST_MS, late, maxBytes: MAX_PAGE_BYTES }
    const raw = await scoped(bounds, never(), ({ signal }) => this.#pages(signal)).catch((thrown: unknown) => {
      this.#doubt(thrown)
      throw this.#failure(thrown)
    })
    const { found, left } = readListing(this.#parts.server, raw, this.#parts.channel.clean)
    if (left > 0) this.#parts.onLeft(left)
    return found
  }

  async #pages(signal: AbortSignal): Promise<unknown[]> {
    const { PaginatedResultSchema } = this.#parts.sdk
    const raw: unknown[] = []
    let cursor: string | undefined
    for (let page = 0; page < MAX_PAGES; page++) {
      const request = { method: 'tools/list' as const, params: cursor === undefined ? {} : { cursor } }
      const answer = await this.#client.request(request, PaginatedResultSchema, { signal, timeout: LIST_MS * 2 })
      const tools: unknown = answer['tools']
      if (!Array.isArray(tools)) throw new ToolError('The server answered without a list of tools.')
      raw.push(...tools.slice(0, MAX_LISTED))
      cursor = answer.nextCursor
      if (cursor === undefined || raw.length >= MAX_LISTED) break
    }
    return raw
  }

  /** After what may mean that the server hangs or is gone, it has to show that it lives. An error of its own shows it. */
  #doubt(thrown: unknown): void {
    if (this.closed || thrown instanceof this.#parts.sdk.McpError) return
    const late = new Error('no sign of life')
    scoped({ ms: PING_MS, late, maxBytes: MAX_PAGE_BYTES }, never(), ({ signal }) =>
      this.#client.ping({ signal, timeout: PING_MS * 2 }),
    ).catch(() => void this.close())
  }

  #failure(thrown: unknown): Error {
    if (thrown instanceof ToolSetupError) return thrown
    const { channel, sdk } = this.#parts
    const failure = failureOf(channel.fault() ?? thrown, { sdk, clean: channel.clean, isClosed: this.closed })
    if (failure instanceof SessionGone && this.isOpen) {
      this.isForgotten = true
      void this.close()
    }
    return failure
  }
}

/** Of work that nothing but its bounds ends. */
function never(): AbortSignal {
  return new AbortController().signal
}

/** What servers say of the form of their results is not checked: patterns of strangers may take for ever. */
const UNCHECKED = {
  getValidator(): never {
    throw new Error('nothing is validated')
  },
}
