import type { ResponseSink } from './http-response.ts'

/** Tells who asks for it that the client has left; nobody asks for most requests. */
export class Leave {
  readonly #sink: ResponseSink
  #controller: AbortController | undefined
  #gone = false

  constructor(sink: ResponseSink) {
    this.#sink = sink
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#gone) this.#controller.abort()
      else this.#sink.onGone(() => this.now())
    }
    return this.#controller.signal
  }

  now(): void {
    this.#gone = true
    this.#controller?.abort()
  }
}
