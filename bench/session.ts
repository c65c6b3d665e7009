import { nowMicros } from './clock.ts'
import { type Order, orderText, TokenReader } from './order.ts'
import { LoadSocket, type Place } from './socket.ts'

/** Where a load session connects and how it names itself. */
export type Target = {
  readonly port: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** The header that carries the session id, where the server knows sessions; it then says `session.ready`. */
  readonly sessionHeader?: string
}

/** Both servers speak `{chunk}` with AG-UI events and bare control frames; R numbers nothing. */
type Frame = {
  readonly epoch?: string
  readonly seq?: number
  readonly resumed?: string
  readonly chunk?: { readonly type: string; readonly delta?: string; readonly message?: string }
  readonly type?: string
  readonly code?: string
  readonly message?: string
  readonly ref?: string
}

/** A run as the client saw it. */
type Run = {
  readonly reader: TokenReader
  readonly finished: () => void
  cancelRef: string | undefined
  cancelled: boolean
}

/** Where sessions report; `latency` in microseconds from the upstream's write to this client's read. */
export type Sink = {
  token: (latency: number) => void
  tokenAfterAck: () => void
  fault: (error: Error) => void
}

/** A session that sends, reads every token in order, and can stop. */
export class LoadSession {
  readonly #sink: Sink
  #socket: LoadSocket | undefined
  #ready: () => void = () => {}
  #run: Run | undefined
  #serial = 0
  /** Where the session stood when this client came, as `cursor` says it to the server. */
  cursor = ''
  /** How the server took it in: `new`, `snapshot` or `tail`. */
  resumed = ''

  private constructor(sink: Sink) {
    this.#sink = sink
  }

  static async open(
    target: Target,
    sessionId: string,
    from: Place | undefined,
    sink: Sink,
    prepare: (session: LoadSession) => void = () => {},
  ): Promise<LoadSession> {
    const session = new LoadSession(sink)
    prepare(session)
    const ready = new Promise<void>((resolve) => {
      session.#ready = resolve
    })
    const headers = target.sessionHeader ? { ...target.headers, [target.sessionHeader]: sessionId } : target.headers
    const place = { port: target.port, path: target.path, headers, ...from }
    session.#socket = await LoadSocket.open(place, {
      text: (text) => session.#read(text),
      close: (code) => session.#fail(`the server closed with ${code ?? 'no code'}`),
    })
    if (target.sessionHeader) await ready
    return session
  }

  /** Sends one message; resolves when its run has ended. */
  run(order: Order): Promise<void> {
    return new Promise((resolve) => {
      this.#run = { reader: new TokenReader(), finished: resolve, cancelRef: undefined, cancelled: false }
      const id = `${order.tag}-${++this.#serial}`
      const message = { type: 'message.send', id, clientMessageId: id, content: orderText(order) }
      this.#socket?.send(JSON.stringify(message))
    })
  }

  /** Reads the next run, which someone else asks for; resolves when it has ended. */
  watch(): Promise<void> {
    return new Promise((resolve) => {
      this.#run = { reader: new TokenReader(), finished: resolve, cancelRef: undefined, cancelled: false }
    })
  }

  get tokens(): number {
    return this.#run?.reader.next ?? 0
  }

  /** Asks to stop; returns the time of asking. */
  stop(): number {
    const id = `stop-${++this.#serial}`
    if (this.#run) this.#run.cancelRef = id
    this.#socket?.send(JSON.stringify({ type: 'run.cancel', id }))
    return nowMicros()
  }

  leave(): void {
    this.#ready = () => {}
    this.#socket?.destroy()
    this.#socket = undefined
  }

  #read(text: string): void {
    const frame: Frame = JSON.parse(text)
    if (frame.chunk) this.#chunk(frame.chunk)
    else this.#control(frame)
  }

  #chunk(chunk: NonNullable<Frame['chunk']>): void {
    const run = this.#run
    switch (chunk.type) {
      case 'TEXT_MESSAGE_CONTENT': {
        if (!run) return this.#fail('a token without a run')
        if (run.cancelled) this.#sink.tokenAfterAck()
        const now = nowMicros()
        run.reader.read(chunk.delta ?? '', (stamp) => this.#sink.token(stamp > 0 ? now - stamp : 0))
        return
      }
      case 'RUN_FINISHED':
        run?.finished()
        return
      case 'RUN_ERROR':
        this.#fail(`run error: ${chunk.message}`)
    }
  }

  #control(frame: Frame): void {
    switch (frame.type) {
      case 'session.ready':
        this.cursor = `${frame.epoch}-${frame.seq}`
        this.resumed = frame.resumed ?? ''
        this.#ready()
        return
      case 'ack':
        if (this.#run?.cancelRef !== undefined && frame.ref === this.#run.cancelRef) this.#run.cancelled = true
        return
      case 'error':
        this.#fail(`error frame: ${frame.code} ${frame.message}`)
    }
  }

  #fail(reason: string): void {
    if (this.#socket) this.#sink.fault(new Error(reason))
  }
}
