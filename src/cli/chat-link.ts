import type { IncomingMessage } from 'node:http'
import { json } from 'node:stream/consumers'
import * as v from 'valibot'
import { WebSocket } from 'ws'
import { decodeServerFrame } from '../protocol/codec.ts'
import type { CommandInput } from '../protocol/commands.ts'
import { ERRORS, isRetryableClose } from '../protocol/errors.ts'
import type { ControlFrame, Envelope, ErrorFrame, SessionReady } from '../protocol/frames.ts'
import { offerProtocols } from '../protocol/handshake.ts'
import { formatCursor } from '../protocol/ids.ts'
import { MAX_INBOUND_FRAME_BYTES } from '../protocol/limits.ts'
import { explainFault, unanswered } from './chat-fault.ts'

/** Milliseconds before the first try to come back; doubles up to the last, each with full jitter. */
const [FIRST_RETRY_MS, LAST_RETRY_MS] = [500, 10_000]
/** Milliseconds of silence beyond the server's heartbeat before the line is given up: as long as the server waits itself. */
const SILENCE_MS = 15_000
/** Milliseconds for the first word of a connection: as long as the server gives a handshake. */
const FIRST_WORD_MS = 10_000
const RETRYABLE_STATUS = new Set([408, 429, 500, 502, 503, 504])

export type LinkTarget = {
  /** With its path. */
  readonly url: string
  readonly app: string
  readonly sessionId: string
  readonly key?: string
}

export type LinkEvents = {
  frame(frame: ControlFrame | Envelope): void
  /** The line was cut and is being made again. */
  lost(): void
  /** It will not come back; `reason` for a person. */
  refused(reason: string): void
}

type Send = Extract<CommandInput, { type: 'message.send' }>

/** One session's connection from the terminal: comes back by itself with its cursor, and says again what was not acknowledged. */
export class ChatLink {
  readonly #target: LinkTarget
  readonly #events: LinkEvents
  readonly #unacknowledged = new Map<string, Send>()
  #socket: WebSocket | undefined
  /** P-14: the server hears nothing before it said `session.ready`. */
  #isReady = false
  /** Bytes of a command, as the server told. */
  #frameBytes = MAX_INBOUND_FRAME_BYTES
  #cursor: string | undefined
  /** Where a snapshot that is on its way starts from. */
  #awaited: SessionReady | undefined
  #failures = 0
  /** 0 until the server let us in once. */
  #heartbeatMs = 0
  #retry: NodeJS.Timeout | undefined
  #silence: NodeJS.Timeout | undefined
  #lastError: string | undefined
  #closed = false

  constructor(target: LinkTarget, events: LinkEvents) {
    this.#target = target
    this.#events = events
  }

  open(): void {
    const { url, app, sessionId, key } = this.#target
    const place = new URL(url)
    place.searchParams.set('app', app)
    if (this.#cursor !== undefined) place.searchParams.set('cursor', this.#cursor)
    const headers: Record<string, string> = key === undefined ? {} : { 'x-api-key': key }
    const socket = new WebSocket(place, offerProtocols(sessionId), { headers })
    this.#socket = socket
    this.#lastError = undefined
    this.#waitFor(FIRST_WORD_MS)
    socket.on('message', (data) => this.#received(Buffer.isBuffer(data) ? data.toString('utf8') : ''))
    socket.on('ping', () => this.#heard())
    socket.on('unexpected-response', (_request, response) => void this.#turnedAway(socket, response))
    // A failed attempt also closes; the close says whether to try again.
    socket.on('error', (fault) => {
      this.#lastError ??= explainFault(fault, place)
    })
    socket.on('close', (code) => {
      if (socket === this.#socket) this.#ended(isRetryableClose(code), this.#lastError ?? `closed (${code})`)
    })
  }

  /** Sends are kept until the server has or refuses them; other commands are lost when there is no connection. */
  send(command: CommandInput): void {
    if (command.type === 'message.send') this.#unacknowledged.set(command.clientMessageId, command)
    this.#write(command)
  }

  /** Messages that the server neither has nor refused. */
  get unacknowledged(): number {
    return this.#unacknowledged.size
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#retry)
    clearTimeout(this.#silence)
    this.#socket?.close(1000)
  }

  #write(command: CommandInput): void {
    if (!this.#isReady) return
    const text = JSON.stringify(command)
    if (command.type !== 'message.send' || Buffer.byteLength(text) <= this.#frameBytes) this.#socket?.send(text)
    else this.#refuse(command.clientMessageId)
  }

  /** What the server would not read (P-11): its own refusal would not say of which message. */
  #refuse(clientMessageId: string): void {
    this.#unacknowledged.delete(clientMessageId)
    const { message } = ERRORS.message_too_large
    this.#events.frame({ type: 'error', code: 'message_too_large', message, retryable: false, clientMessageId })
  }

  #received(text: string): void {
    this.#heard()
    const frame = decode(text)
    if (frame === undefined) return
    if ('chunk' in frame) this.#cursor = frame.id ?? this.#cursor
    else this.#control(frame)
    this.#events.frame(frame)
  }

  #control(frame: ControlFrame): void {
    if (frame.type === 'session.ready') this.#ready(frame)
    else if (frame.type === 'session.snapshot' && this.#awaited !== undefined) {
      this.#cursor = formatCursor(this.#awaited)
      this.#awaited = undefined
    } else if (frame.type === 'ack' && frame.clientMessageId !== undefined) {
      this.#unacknowledged.delete(frame.clientMessageId)
    } else if (frame.type === 'error') {
      this.#lastError = frame.message
      if (frame.clientMessageId !== undefined && isRefusal(frame)) this.#unacknowledged.delete(frame.clientMessageId)
    }
  }

  #ready(frame: SessionReady): void {
    this.#failures = 0
    this.#lastError = undefined
    if (frame.resumed === 'snapshot') this.#awaited = frame
    else this.#cursor = formatCursor(frame)
    this.#heartbeatMs = frame.heartbeatMs
    this.#frameBytes = frame.limits.frameBytes
    this.#isReady = true
    for (const command of this.#unacknowledged.values()) this.#write(command)
  }

  #heard(): void {
    this.#waitFor(this.#heartbeatMs === 0 ? FIRST_WORD_MS : this.#heartbeatMs + SILENCE_MS)
  }

  /** Gives the line up when nothing comes for so many milliseconds. */
  #waitFor(ms: number): void {
    clearTimeout(this.#silence)
    this.#silence = setTimeout(() => {
      this.#lastError ??= unanswered(new URL(this.#target.url).host)
      this.#socket?.terminate()
    }, ms)
  }

  /** Refused before the upgrade; the body says why. */
  async #turnedAway(socket: WebSocket, response: IncomingMessage): Promise<void> {
    this.#socket = undefined
    const status = response.statusCode ?? 0
    const reason = await readRefusal(response)
    socket.terminate()
    this.#ended(RETRYABLE_STATUS.has(status), reason ?? `refused (HTTP ${status})`)
  }

  #ended(retryable: boolean, reason: string): void {
    clearTimeout(this.#silence)
    this.#socket = undefined
    this.#isReady = false
    if (this.#closed) return
    // Whoever was never let in is told why at once instead of waiting for a server that may not exist.
    const neverIn = this.#heartbeatMs === 0 && this.#failures > 0
    if (!retryable || neverIn) {
      this.#closed = true
      this.#events.refused(reason)
      return
    }
    if (this.#failures === 0) this.#events.lost()
    const ceiling = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures)
    this.#failures++
    this.#retry = setTimeout(() => this.open(), Math.random() * ceiling)
  }
}

/** The message will not be taken. What a draining server turns away is said again to the next one. */
export function isRefusal({ code }: ErrorFrame): boolean {
  return code !== 'draining'
}

/** Frames of a newer server and what is no JSON are skipped. */
function decode(text: string): ControlFrame | Envelope | undefined {
  try {
    return decodeServerFrame(text)
  } catch {
    return undefined
  }
}

const RefusalSchema = v.object({ error: v.object({ message: v.string() }) })

/** What the error envelope says; undefined when the body is another's. */
async function readRefusal(response: IncomingMessage): Promise<string | undefined> {
  try {
    return v.parse(RefusalSchema, await json(response)).error.message
  } catch {
    return undefined
  }
}

/** The address of a server as people write it -> the WebSocket's; undefined when it is none. */
export function webSocketUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const url = new URL(text.replace(/^http/, 'ws'))
  if (!v.is(v.picklist(['ws:', 'wss:']), url.protocol)) return undefined
  if (url.pathname === '/') url.pathname = '/ws'
  return url.href
}
