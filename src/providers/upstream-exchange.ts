import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'

/** What is told of a response's body, as the socket brings it. */
export type BodyReader = {
  /** Must not throw. The bytes are the reader's until it returns. */
  readonly chunk: (bytes: Buffer) => void
  /** Once, at the end; with the error of a body that is not whole, or that was left. */
  readonly ended: (error?: Error) => void
}

/** A response's body that nothing has been taken from yet. */
export interface UpstreamBody {
  /** Once. Until then the socket is not read. */
  read(reader: BodyReader): void
  pause(): void
  resume(): void
  /** Ends the transfer where it is; nothing after the end. */
  leave(): void
}

export type Head = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: UpstreamBody }

/** Statuses below it only announce the answer. */
const FIRST_FINAL = 200
/** One for all: an error of its own would take its stack each time. */
const LEFT = new Error('the answer was left')

/**
 * One request and its response, as undici's dispatcher tells of them: from the socket's parser to the reader without a stream
 * between. `head` rejects with the signal's reason, or as the network fails; an abort after it ends the body.
 */
export class UpstreamExchange implements Dispatcher.DispatchHandler, UpstreamBody {
  readonly head: Promise<Head>
  readonly #signal: AbortSignal | undefined
  #resolve: (head: Head) => void = () => undefined
  #reject: (error: unknown) => void = () => undefined
  #controller: Dispatcher.DispatchController | undefined
  #reader: BodyReader | undefined
  #end: { readonly error?: Error } | undefined

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal
    this.head = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (signal?.aborted) this.#onAbort()
    else signal?.addEventListener('abort', this.#onAbort)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#end !== undefined) controller.abort(new Error('left before it began'))
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < FIRST_FINAL) return
    controller.pause()
    this.#resolve({ status, headers, body: this })
  }

  onResponseData(_controller: Dispatcher.DispatchController, bytes: Buffer): void {
    if (this.#end === undefined) this.#reader?.chunk(bytes)
  }

  onResponseEnd(): void {
    this.#finish({})
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#finish({ error })
  }

  read(reader: BodyReader): void {
    this.#reader = reader
    if (this.#end === undefined) this.resume()
    else reader.ended(this.#end.error)
  }

  pause(): void {
    this.#controller?.pause()
  }

  resume(): void {
    this.#controller?.resume()
  }

  leave(): void {
    this.#leave(LEFT)
  }

  readonly #onAbort = (): void => {
    const { reason } = this.#signal ?? {}
    this.#leave(reason instanceof Error ? reason : new Error('aborted', { cause: reason }))
  }

  #leave(error: Error): void {
    if (this.#end !== undefined) return
    this.#finish({ error })
    this.#controller?.abort(error)
  }

  #finish(end: { readonly error?: Error }): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#signal?.removeEventListener('abort', this.#onAbort)
    if (end.error !== undefined) this.#reject(end.error)
    const reader = this.#reader
    this.#reader = undefined
    reader?.ended(end.error)
  }
}
