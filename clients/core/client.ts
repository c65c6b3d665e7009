import type { CommandInput } from '../../src/protocol/commands.ts'
import type { ControlFrame, Envelope } from '../../src/protocol/frames.ts'
import type { Wallet } from '../../src/protocol/messages.ts'
import { toStorable } from '../../src/protocol/text.ts'
import { type ConnectionState, Connector, type ConnectorOptions } from './connector.ts'
import { type Conversation, EMPTY_CONVERSATION, type PendingSend, type SendPolicy } from './conversation.ts'
import type { KeptSends } from './kept-sends.ts'
import { Listeners } from './listeners.ts'
import { DONE, type Outcome } from './outcome.ts'
import { type Input, reduce } from './reducer.ts'
import { isCut, NOT_CONNECTED, type Reply, Requests } from './requests.ts'
import { checkSend } from './send-check.ts'
import { toCommand } from './send-command.ts'
import { type ClientTools, ToolRunner } from './tool-runner.ts'

/** Messages asked for at once when going back in history: a few screens. */
const HISTORY_PAGE = 50

/** What the model reads of a call for the browser that a person did not want. */
const DECLINED = 'The person declined this call; it was not made.'

/** Replaced at every change, never changed. */
export type ClientState = {
  readonly connection: ConnectionState
  readonly conversation: Conversation
  readonly loadingOlder: boolean
}

/**
 * `tools`: what the page executes for the model (the App's tools of type `client`). `kept`: where sends outlive the page that
 * the server has yet to take.
 */
export type ClientOptions = ConnectorOptions & { readonly tools?: ClientTools; readonly kept?: KeptSends }

/** One session, kept in step with the server across cuts. Connects when `connect()` is called. */
export function createParleyClient(options: ClientOptions): ParleyClient {
  return new ParleyClient(options)
}

export class ParleyClient {
  readonly #environment: ConnectorOptions['environment']
  readonly #connector: Connector
  readonly #requests = new Requests()
  readonly #tools: ToolRunner
  readonly #listeners = new Listeners()
  readonly #kept: KeptSends | undefined
  #state: ClientState = { connection: { phase: 'closed' }, conversation: EMPTY_CONVERSATION, loadingOlder: false }

  constructor(options: ClientOptions) {
    const { environment, tools = {}, kept } = options
    this.#environment = environment
    this.#kept = kept
    this.#tools = new ToolRunner({
      tools,
      environment,
      conversation: () => this.#state.conversation,
      loadOlder: () => void this.loadOlder(),
      ask: (command) => this.#ask(command),
    })
    this.#connector = new Connector(options, {
      onState: (connection) => this.#onConnection(connection),
      onFrame: (frame) => this.#onFrame(frame),
      cursor: () => this.#state.conversation.cursor,
    })
    for (const send of kept?.load() ?? []) this.#apply({ kind: 'send.added', send })
  }

  get state(): ClientState {
    return this.#state
  }

  /** Whether this page makes the calls of that tool. */
  executes(toolName: string): boolean {
    return this.#tools.has(toolName)
  }

  /** Calls back after every change of `state`; gives the way to stop. */
  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener)
  }

  /** Connects now: for the first time, after a refusal, or instead of waiting for the next attempt. */
  connect(): void {
    this.#connector.connect()
  }

  /** Leaves. A run that is on goes on at the server. */
  close(): void {
    this.#connector.close()
  }

  /** Sends a message, or keeps it until there is a connection. A failure is local: nothing was kept. */
  send(text: string, options: { readonly policy?: SendPolicy; readonly replaces?: string } = {}): Outcome {
    const { conversation } = this.#state
    const { policy = 'enqueue', replaces } = options
    const send: PendingSend = {
      id: this.#environment.randomId(),
      text: toStorable(text),
      policy,
      ...(replaces === undefined ? {} : { replaces }),
      behind: conversation.status === 'processing' && policy === 'enqueue',
      delivery: { state: 'waiting' },
    }
    const fault = checkSend(send, conversation)
    if (fault !== undefined) return fault
    this.#apply({ kind: 'send.added', send })
    this.#flush()
    return DONE
  }

  /** Puts `text` in the place of the user message `messageId` and of all that followed it; stops a run that is on. */
  edit(messageId: string, text: string): Outcome {
    return this.send(text, { policy: 'interrupt', replaces: messageId })
  }

  /** Sends a failed message again, under the same id. */
  resend(id: string): void {
    this.#apply({ kind: 'send.delivery', id, delivery: { state: 'waiting' } })
    this.#flush()
  }

  /** Forgets a message that could not be sent. */
  discard(id: string): void {
    this.#apply({ kind: 'send.removed', id })
  }

  /** Stops the run that is on; without a connection, as soon as there is one. */
  async cancel(): Promise<Outcome> {
    const { runId } = this.#state.conversation
    if (runId === undefined) return DONE
    this.#apply({ kind: 'cancelling', runId })
    return await this.#stop(runId)
  }

  removeQueued(runId: string): Promise<Outcome> {
    return this.#request((id) => ({ type: 'run.cancel', id, runId }))
  }

  /** Answers again what run `runId` answered; it and all after it leave the conversation. */
  retry(runId: string): Promise<Outcome> {
    return this.#request((id) => ({ type: 'run.retry', id, runId }))
  }

  /** A person's word to a call that asks first. */
  decide(toolCallId: string, approved: boolean): Promise<Outcome> {
    const answer = { interruptId: toolCallId, status: 'resolved', payload: { approved } } as const
    return this.#request((id) => ({ type: 'run.resume', id, resume: [answer] }))
  }

  /** A call that the browser executes is not made. */
  declineCall(toolCallId: string): Promise<Outcome> {
    return this.#request((id) => ({ type: 'tool.result', id, toolCallId, content: '', error: DECLINED }))
  }

  rename(title: string): Promise<Outcome> {
    return this.#request((id) => ({ type: 'session.update', id, title }))
  }

  setModel(model: string): Promise<Outcome> {
    return this.#request((id) => ({ type: 'session.update', id, model }))
  }

  /** null unbinds. */
  setWallet(wallet: Wallet | null): Promise<Outcome> {
    return this.#request((id) => ({ type: 'session.update', id, wallet }))
  }

  /** Fetches the page of messages before the oldest one held. */
  async loadOlder(): Promise<Outcome> {
    const before = this.#state.conversation.messages[0]?.id
    if (before === undefined || this.#state.loadingOlder) return DONE
    this.#set({ loadingOlder: true })
    const reply = await this.#ask((id) => ({ type: 'history.get', id, before, limit: HISTORY_PAGE }))
    this.#set({ loadingOlder: false })
    if (!reply.ok) return reply
    const { messages = [], hasMore = false } = reply.ack
    this.#apply({ kind: 'history', before, messages, hasMore })
    return DONE
  }

  async #request(command: (id: string) => CommandInput): Promise<Outcome> {
    const reply = await this.#ask(command)
    return reply.ok ? DONE : reply
  }

  async #ask(command: (id: string) => CommandInput): Promise<Reply> {
    const { ref, reply } = this.#requests.open()
    return this.#connector.send(command(ref)) ? await reply : this.#requests.withdraw(ref, NOT_CONNECTED)
  }

  async #stop(runId: string): Promise<Outcome> {
    const outcome = await this.#request((id) => ({ type: 'run.cancel', id, runId }))
    // A cut takes the wish along to the next connection; a refusal ends it.
    if (!outcome.ok && !isCut(outcome)) this.#apply({ kind: 'cancelling', runId: undefined })
    return outcome.ok || isCut(outcome) ? DONE : outcome
  }

  #onFrame(frame: ControlFrame | Envelope): void {
    if ('type' in frame && frame.type === 'ack') this.#requests.acknowledge(frame)
    if ('type' in frame && frame.type === 'error') this.#requests.refuse(frame)
    const { sync } = this.#state.conversation
    this.#apply({ kind: 'frame', frame, at: new Date(this.#environment.now()).toISOString() })
    // The snapshot shows which sends had arrived after all; only the others go out again.
    if (sync.phase === 'snapshot' && this.#state.conversation.sync.phase !== 'snapshot') this.#flush()
  }

  #onConnection(connection: ConnectionState): void {
    if (connection.phase !== 'ready') {
      this.#requests.cutOff()
      this.#tools.cutOff()
      this.#apply({ kind: 'sends.returned' })
    }
    this.#set({ connection })
    if (connection.phase === 'ready') this.#resume()
  }

  /** What was asked for while there was no connection. */
  #resume(): void {
    const { cancelling, runId } = this.#state.conversation
    if (cancelling !== undefined && cancelling === runId) void this.#stop(runId)
    this.#flush()
  }

  #flush(): void {
    const { sync, sends } = this.#state.conversation
    if (sync.phase === 'snapshot') return
    for (const send of sends) {
      if (send.delivery.state !== 'waiting' || !this.#connector.send(toCommand(send))) continue
      this.#apply({ kind: 'send.delivery', id: send.id, delivery: { state: 'sending' } })
    }
  }

  #apply(input: Input): void {
    const { sends } = this.#state.conversation
    const conversation = reduce(this.#state.conversation, input)
    if (conversation.sends !== sends)
      this.#kept?.save(conversation.sends.filter((send) => send.delivery.state !== 'sent'))
    this.#set({ conversation })
  }

  #set(change: Partial<ClientState>): void {
    this.#state = { ...this.#state, ...change }
    this.#listeners.call()
    const { connection, conversation } = this.#state
    if (connection.phase === 'ready' && conversation.sync.phase !== 'snapshot') this.#tools.look()
  }
}
