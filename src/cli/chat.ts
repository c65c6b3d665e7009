import { randomUUID } from 'node:crypto'
import { createInterface, type Interface } from 'node:readline'
import * as v from 'valibot'
import { ParleyError } from '../protocol/errors.ts'
import type { ControlFrame, Envelope, Pending } from '../protocol/frames.ts'
import { AppIdSchema, SessionIdSchema } from '../protocol/ids.ts'
import { ChatLink, type LinkTarget, webSocketUrl } from './chat-link.ts'
import { ChatScreen } from './chat-screen.ts'
import { type CliIo, type Command, readArgs, UsageError } from './command.ts'

const OPTIONS = {
  url: { type: 'string', default: 'ws://127.0.0.1:8080' },
  app: { type: 'string', default: 'default' },
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

export const chatCommand: Command = {
  usage: ['chat [--url ws://127.0.0.1:8080] [--app default] [--key KEY] [--session UUID]'],
  about: 'Talk to a server; Ctrl-C stops the answer, then leaves. PARLEY_KEY is the key when --key is not given',
  async run(args, io) {
    const chat = new Chat(readTarget(args, io), io)
    await chat.run()
  },
}

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

/** One conversation: lines from the keyboard go up, what the server says goes to the screen. */
class Chat {
  readonly #io: CliIo
  readonly #target: LinkTarget
  readonly #screen: ChatScreen
  readonly #link: ChatLink
  readonly #lines: Interface
  #leave: (fault?: string) => void = () => undefined
  #wasLetIn = false
  #isProcessing = false
  #isStopping = false
  /** The call that a person was asked about last, while it waits. */
  #asked: Pending | undefined
  /** Standard input has ended: leave after the last answer. */
  #isEnding = false

  constructor(target: LinkTarget, io: CliIo) {
    this.#io = io
    this.#target = target
    const terminal = 'isTTY' in io.output && io.output.isTTY === true
    this.#screen = new ChatScreen(terminal)
    this.#lines = createInterface({ input: io.input, output: terminal ? io.output : undefined, terminal, prompt: '' })
    this.#link = new ChatLink(target, {
      frame: (frame) => this.#show(frame),
      lost: () =>
        this.#write(this.#screen.note(`${this.#wasLetIn ? 'the connection is lost' : 'no connection'}; trying again`)),
      refused: (reason) => this.#leave(reason),
    })
  }

  async run(): Promise<void> {
    this.#lines.on('line', (line) => this.#say(line))
    this.#lines.on('SIGINT', () => this.#interrupt())
    this.#lines.on('close', () => this.#end())
    const left = new Promise<void>((resolve, reject) => {
      this.#leave = (fault) =>
        fault === undefined ? resolve() : reject(new ParleyError('forbidden', { message: fault }))
    })
    this.#link.open()
    try {
      await left
    } finally {
      this.#link.close()
      this.#lines.close()
      const { sessionId, app } = this.#target
      if (this.#wasLetIn) this.#io.err(`To come back: parley chat --app ${app} --session ${sessionId}`)
    }
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
    this.#write(this.#screen.note(`${words}; another message declines it`))
  }

  #show(frame: ControlFrame | Envelope): void {
    this.#write(this.#screen.frame(frame))
    if ('chunk' in frame) return
    if (frame.type === 'error') this.#write(this.#screen.note(frame.message))
    if (frame.type === 'session.ready') this.#wasLetIn = true
    // The status follows; until then this is it.
    if (frame.type === 'ack' && (frame.state === 'started' || frame.state === 'queued')) this.#isProcessing = true
    if (frame.type === 'session.ready' || frame.type === 'session.status') {
      this.#isProcessing = frame.status === 'processing'
      if (!this.#isProcessing) this.#isStopping = false
      this.#ask(frame.pending ?? [])
    }
    this.#leaveWhenDone()
  }

  /** The first one stops the answer, the second leaves. */
  #interrupt(): void {
    if (!this.#isProcessing || this.#isStopping) {
      this.#leave()
      return
    }
    this.#isStopping = true
    this.#link.send({ type: 'run.cancel', all: true })
  }

  #end(): void {
    this.#isEnding = true
    this.#leaveWhenDone()
  }

  /** Not before the server has let us in: who has nothing to say hears all the same that they may not. */
  #leaveWhenDone(): void {
    if (this.#isEnding && this.#wasLetIn && this.#link.settled && !this.#isProcessing) this.#leave()
  }

  #write(text: string): void {
    if (text !== '') this.#io.output.write(text)
  }
}
