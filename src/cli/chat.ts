import { randomUUID } from 'node:crypto'
import { createInterface, type Interface } from 'node:readline'
import * as v from 'valibot'
import { ParleyError } from '../protocol/errors.ts'
import type { ControlFrame, Envelope, Pending } from '../protocol/frames.ts'
import { AppIdSchema, DEFAULT_APP, SessionIdSchema } from '../protocol/ids.ts'
import { ChatAnswers } from './chat-answers.ts'
import { ChatLink, type LinkTarget, webSocketUrl } from './chat-link.ts'
import { ChatScreen } from './chat-screen.ts'
import { type CliIo, type Command, readArgs, UsageError } from './command.ts'

const DEFAULT_URL = 'ws://127.0.0.1:8080'
const OPTIONS = {
  url: { type: 'string', default: DEFAULT_URL },
  app: { type: 'string', default: DEFAULT_APP },
  key: { type: 'string' },
  session: { type: 'string' },
} as const

/** What a person says to a call that asks first. */
const VERDICTS: ReadonlyMap<string, boolean> = new Map([
  ['y', true],
  ['yes', true],
  ['n', false],
  ['no', false],
])

/** Where the process is told to stop; `process` itself, or a test's. */
export type Signals = Record<'on' | 'off', (signal: 'SIGINT' | 'SIGTERM', act: () => void) => unknown>

export function chatOn(signals: Signals): Command {
  return {
    usage: [`chat [--url ${DEFAULT_URL}] [--app default] [--key KEY] [--session UUID]`],
    about:
      'Talk to a server; Ctrl-C stops the answer, then leaves. PARLEY_KEY is the key when --key is not given. ' +
      'With input from a pipe it exits with 1 where an answer is not whole',
    async run(args, io) {
      const chat = new Chat(readTarget(args, io), io)
      await chat.run(signals)
    },
  }
}

export const chatCommand = chatOn(process)

function readTarget(args: readonly string[], io: CliIo): LinkTarget {
  const { values } = readArgs(args, OPTIONS, 0)
  const url = webSocketUrl(values.url)
  if (url === undefined) throw new UsageError('--url: a ws:// or http:// address')
  if (!v.is(AppIdSchema, values.app)) throw new UsageError('--app: the name of an App')
  const session = v.safeParse(SessionIdSchema, values.session ?? randomUUID())
  if (!session.success) throw new UsageError('--session: a UUID')
  const key = values.key ?? (io.env['PARLEY_KEY'] || undefined)
  return { url, app: values.app, sessionId: session.output, ...(key === undefined ? {} : { key }) }
}

/** The command that opens the session again: without the key, and without what an address may hold of one. */
export function comeBack({ url, app, sessionId }: LinkTarget): string {
  const { protocol, host, pathname } = new URL(url)
  const place = url === webSocketUrl(DEFAULT_URL) ? '' : ` --url ${protocol}//${host}${pathname}`
  return `To come back: parley chat${place} --app ${app} --session ${sessionId}`
}

/** One conversation: lines from the keyboard go up, what the server says goes to the screen. */
class Chat {
  readonly #io: CliIo
  readonly #target: LinkTarget
  readonly #screen: ChatScreen
  readonly #link: ChatLink
  readonly #lines: Interface
  readonly #answers = new ChatAnswers()
  #leave: (fault?: string) => void = () => undefined
  #wasLetIn = false
  #isStopping = false
  /** The call that a person was asked about last, while it waits. */
  #asked: Pending | undefined
  /** Standard input has ended: leave after the last answer. */
  #isEnding = false
  /** What was said too early: the server is not ready, or as many messages wait there as may. */
  readonly #early: string[] = []
  /** Messages that may wait at the server; undefined until it told. */
  #queuedSends: number | undefined

  constructor(target: LinkTarget, io: CliIo) {
    this.#io = io
    this.#target = target
    const terminal = 'isTTY' in io.output && io.output.isTTY === true
    this.#screen = new ChatScreen(terminal)
    this.#lines = createInterface({ input: io.input, output: terminal ? io.output : undefined, terminal, prompt: '' })
    this.#link = new ChatLink(target, {
      frame: (frame) => this.#show(frame),
      lost: () => this.#note(`${this.#wasLetIn ? 'the connection is lost' : 'no connection'}; trying again`),
      refused: (reason) => this.#leave(reason),
    })
  }

  /** Until the person leaves or the input has its answers; throws when that is no success (exit code 1). */
  async run(signals: Signals): Promise<void> {
    const interrupt = (): void => this.#interrupt()
    const terminate = (): void => this.#leave('told to stop (SIGTERM)')
    this.#lines.on('line', (line) => this.#hear(line))
    this.#lines.on('SIGINT', interrupt)
    this.#lines.on('close', () => this.#end())
    this.#io.output.on('error', () => this.#leave('nobody reads what is answered'))
    const left = new Promise<void>((resolve, reject) => {
      this.#leave = (fault) =>
        fault === undefined ? resolve() : reject(new ParleyError('forbidden', { message: fault }))
    })
    // Without a terminal, and from `kill`; a terminal that is read key by key gives Ctrl-C to `#lines`.
    signals.on('SIGINT', interrupt)
    signals.on('SIGTERM', terminate)
    this.#link.open()
    try {
      await left
      this.#assertWhole()
    } finally {
      this.#link.close()
      this.#lines.close()
      this.#write(this.#screen.end())
      if (this.#wasLetIn) this.#io.err(comeBack(this.#target))
      signals.off('SIGINT', interrupt)
      signals.off('SIGTERM', terminate)
    }
  }

  /** For whoever cannot look: a person at the keyboard has seen it. */
  #assertWhole(): void {
    const typed = 'isTTY' in this.#io.input && this.#io.input.isTTY === true
    const whole = this.#answers.isWhole && this.#isDone
    if (this.#isEnding && !typed && !whole) throw new Error('not every message got a whole answer')
  }

  /** All that was said has its answer. */
  get #isDone(): boolean {
    return this.#early.length === 0 && this.#link.unacknowledged === 0 && this.#answers.isAtRest
  }

  #hear(line: string): void {
    this.#early.push(line)
    this.#sayEarly()
  }

  /** In their order, as far as the session has room: a file has more lines than its queue. */
  #sayEarly(): void {
    const room = this.#queuedSends ?? -1
    while (this.#early.length > 0 && this.#link.unacknowledged + this.#answers.open <= room)
      this.#say(this.#early.shift() ?? '')
  }

  #say(line: string): void {
    if (line.trim() === '' || this.#decide(line)) return
    const clientMessageId = randomUUID()
    this.#screen.typed(clientMessageId)
    this.#link.send({ type: 'message.send', clientMessageId, content: line })
  }

  /** False when the line is no word to a call that asks first. */
  #decide(line: string): boolean {
    const approved = VERDICTS.get(line.trim().toLowerCase())
    if (this.#asked?.kind !== 'approval' || approved === undefined) return false
    const answer = { interruptId: this.#asked.toolCallId, status: 'resolved', payload: { approved } } as const
    this.#link.send({ type: 'run.resume', resume: [answer] })
    return true
  }

  /** Calls that wait are asked about one after another, each once. */
  #ask([call]: readonly Pending[]): void {
    const before = this.#asked?.toolCallId
    this.#asked = call
    if (call === undefined || call.toolCallId === before) return
    const words =
      call.kind === 'approval'
        ? `allow ${call.toolName}? y or n`
        : `${call.toolName} waits for a page that has this tool`
    this.#note(`${words}; another message declines it`)
  }

  #show(frame: ControlFrame | Envelope): void {
    this.#write(this.#screen.frame(frame))
    for (const words of this.#answers.frame(frame)) this.#note(words)
    if ('chunk' in frame) return
    if (frame.type === 'error') this.#note(frame.message)
    if (frame.type === 'session.ready') {
      this.#wasLetIn = true
      this.#queuedSends = frame.limits.queuedSends
    }
    if (frame.type === 'session.ready' || frame.type === 'session.status') {
      this.#ask(frame.pending ?? [])
      if (frame.status !== 'processing') this.#isStopping = false
      // What was said while there was no connection was not heard.
      else if (frame.type === 'session.ready' && this.#isStopping) this.#stop()
    }
    this.#sayEarly()
    this.#leaveWhenDone()
  }

  /** The first one stops the answer, the second leaves. */
  #interrupt(): void {
    if (!this.#answers.isBusy || this.#isStopping) return this.#leave()
    this.#isStopping = true
    this.#early.length = 0
    this.#stop()
  }

  #stop(): void {
    this.#link.send({ type: 'run.cancel', all: true })
  }

  #end(): void {
    this.#isEnding = true
    this.#leaveWhenDone()
  }

  /** Not before the server has let us in: who has nothing to say hears all the same that they may not. */
  #leaveWhenDone(): void {
    if (this.#isEnding && this.#wasLetIn && this.#isDone) this.#leave()
  }

  #note(words: string): void {
    this.#write(this.#screen.note(words))
  }

  #write(text: string): void {
    if (text !== '') this.#io.output.write(text)
  }
}
