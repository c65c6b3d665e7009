import { nowMicros } from './clock.ts'
import type { Frame, Line, Target } from './line.ts'
import { openLine } from './open-line.ts'
import { CountReader, countText, type Order, orderText, type Reader, TokenReader } from './order.ts'
import type { Place } from './socket.ts'

/** What a run left behind. */
export type Ended = { readonly tokens: number; readonly toolResults: number; readonly stopped: boolean }

/** A run as the client saw it. Times in microseconds of the machine's clock. */
type Run = {
  readonly reader: Reader
  readonly asked: number
  readonly finished: (ended: Ended) => void
  toolResults: number
  /** When it was asked to stop. */
  stopAsked: number | undefined
  cancelRef: string | undefined
  cancelled: boolean
}

/** Where sessions report; times in microseconds. */
export type Sink = {
  /** `latency`: from when the token was due, or written by the upstream, to this client's read; 0 when nobody knows. */
  readonly token: (latency: number) => void
  /** From asking to the first token. */
  readonly first: (latency: number) => void
  /** From asking to stop to the end of the run. */
  readonly stopped: (latency: number) => void
  readonly tokenAfterAck: () => void
  readonly fault: (error: Error) => void
}

/** A session that sends, reads every token in order, can stop, can lose its line and come back. */
export class LoadSession {
  readonly #target: Target
  readonly #sessionId: string
  readonly #sink: Sink
  #wire: Line | undefined
  #ready: () => void = () => {}
  #run: Run | undefined
  #acked: (() => void) | undefined
  #serial = 0
  /** Counts connections: what an earlier one still says is not heard. */
  #line = 0
  #seq = 0
  /** When the server took it in, the first time or again. */
  #since = 0
  /** Where the session stood when this client came, as `cursor` says it to the server. */
  opened = ''
  /** What this client has applied. */
  cursor = ''
  /** How the server took it in: `new`, `snapshot` or `tail`. */
  resumed = ''
  /** What answers, as the server says it. */
  model = ''

  private constructor(target: Target, sessionId: string, sink: Sink) {
    this.#target = target
    this.#sessionId = sessionId
    this.#sink = sink
  }

  static async open(
    target: Target,
    sessionId: string,
    from: Place | undefined,
    sink: Sink,
    prepare: (session: LoadSession) => void = () => {},
  ): Promise<LoadSession> {
    const session = new LoadSession(target, sessionId, sink)
    prepare(session)
    await session.#connect(target.path, from)
    session.opened = session.cursor
    return session
  }

  async #connect(path: string, from: Place | undefined): Promise<void> {
    const { sessionHeader, headers: own } = this.#target
    const line = ++this.#line
    const ready = new Promise<void>((resolve) => {
      this.#ready = resolve
    })
    const headers = sessionHeader ? { ...own, [sessionHeader]: this.#sessionId } : own
    this.#wire = await openLine(
      { ...this.#target, path, headers, ...from },
      {
        frame: (frame) => line === this.#line && this.#read(frame),
        close: (code) => line === this.#line && this.#fail(`the server closed with ${code ?? 'no code'}`),
      },
    )
    if (sessionHeader) await ready
  }

  /** Sends one message; resolves when its run has ended. `asked` is when it was to be sent, where that is not now. */
  run(order: Order, asked: number = nowMicros()): Promise<Ended> {
    return new Promise((resolve) => {
      this.#begin(resolve, asked)
      const id = `${order.tag}-${++this.#serial}`
      const content = this.#target.countsPerSecond === undefined ? orderText(order) : countText(order)
      this.#wire?.ask(id, content)
    })
  }

  /** Sends, and gives the microseconds until the server acknowledged it, once its run has ended. */
  async send(order: Order): Promise<number> {
    const asked = nowMicros()
    const acked = new Promise<number>((resolve) => {
      this.#acked = () => resolve(nowMicros() - asked)
    })
    await this.run(order, asked)
    return acked
  }

  /** Reads the next run, which someone else asks for; resolves when it has ended. */
  watch(): Promise<Ended> {
    return new Promise((resolve) => this.#begin(resolve, nowMicros()))
  }

  #begin(finished: (ended: Ended) => void, asked: number): void {
    const rate = this.#target.countsPerSecond
    const reader = rate === undefined ? new TokenReader() : new CountReader(1_000_000 / rate, nowMicros)
    const fresh = { toolResults: 0, stopAsked: undefined, cancelRef: undefined, cancelled: false }
    this.#run = { reader, asked, finished, ...fresh }
  }

  get tokens(): number {
    return this.#run?.reader.next ?? 0
  }

  /** Asks to stop; returns the time of asking. */
  stop(): number {
    const id = `stop-${++this.#serial}`
    const now = nowMicros()
    if (this.#run) {
      this.#run.cancelRef = id
      this.#run.stopAsked = now
    }
    this.#wire?.stop(id)
    return now
  }

  /** Comes back after `leave` with what it has; throws unless the server goes on from exactly there. */
  async back(from: Place | undefined): Promise<void> {
    const { path } = this.#target
    await this.#connect(`${path}${path.includes('?') ? '&' : '?'}cursor=${this.cursor}`, from)
    if (this.resumed !== 'tail') throw new Error(`came back with a cursor and got "${this.resumed}", no tail`)
  }

  /** Without a word to the server, as a line that is cut. */
  leave(): void {
    this.#line += 1
    this.#ready = () => {}
    this.#wire?.destroy()
    this.#wire = undefined
  }

  #read(frame: Frame): void {
    if (frame.chunk) this.#numbered(frame.id, frame.chunk)
    else this.#control(frame)
  }

  #numbered(id: string | undefined, chunk: NonNullable<Frame['chunk']>): void {
    if (id !== undefined) {
      const seq = Number(id.slice(id.lastIndexOf('-') + 1))
      if (!(seq > this.#seq)) return this.#fail(`event ${seq} after event ${this.#seq}`)
      this.#seq = seq
      this.cursor = id
    }
    try {
      this.#chunk(chunk)
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error))
    }
  }

  #chunk(chunk: NonNullable<Frame['chunk']>): void {
    const run = this.#run
    switch (chunk.type) {
      case 'TEXT_MESSAGE_CONTENT': {
        if (!run) return this.#fail('a token without a run')
        if (run.cancelled) this.#sink.tokenAfterAck()
        const now = nowMicros()
        const { asked, reader } = run
        reader.read(chunk.delta ?? '', (number, due) => {
          if (number === 0) this.#sink.first(now - asked)
          // What was due while this client was away waited for the client.
          this.#sink.token(due > this.#since ? now - due : 0)
        })
        return
      }
      case 'TOOL_CALL_RESULT':
        if (run) run.toolResults += 1
        return
      case 'RUN_FINISHED':
        if (!run) return
        if (run.stopAsked !== undefined) this.#sink.stopped(nowMicros() - run.stopAsked)
        run.finished({ tokens: run.reader.next, toolResults: run.toolResults, stopped: run.stopAsked !== undefined })
        return
      case 'RUN_ERROR':
        this.#fail(`run error: ${chunk.message}`)
    }
  }

  #control(frame: Frame): void {
    switch (frame.type) {
      case 'session.ready':
        this.#seq = frame.seq ?? 0
        this.cursor = `${frame.epoch}-${frame.seq}`
        this.resumed = frame.resumed ?? ''
        this.model = frame.model ?? ''
        this.#since = nowMicros()
        this.#ready()
        return
      case 'ack':
        this.#acked?.()
        this.#acked = undefined
        if (this.#run?.cancelRef !== undefined && frame.ref === this.#run.cancelRef) this.#run.cancelled = true
        return
      case 'error':
        this.#fail(`error frame: ${frame.code} ${frame.message}`)
    }
  }

  #fail(reason: string): void {
    if (this.#wire) this.#sink.fault(new Error(reason))
  }
}
