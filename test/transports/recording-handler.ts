import type { Socket, SocketHandler } from '../../src/ports/transport.ts'

/** The core's side of one socket: keeps what it is told, and every call that the port forbids. */
export class RecordingHandler implements SocketHandler {
  readonly texts: string[] = []
  readonly opening: Promise<Socket>
  readonly closing: Promise<number>
  /** Calls that were nested, before `opened` or after `closed`. */
  readonly violations: string[] = []
  binaries = 0
  signs = 0
  drains = 0
  onReceived: (text: string) => void = () => undefined
  onOpened: (socket: Socket) => void = () => undefined
  #waiting: (() => void)[] = []
  #resolveOpen: (socket: Socket) => void = () => undefined
  #resolveClose: (code: number) => void = () => undefined
  #state: 'new' | 'open' | 'closed' = 'new'
  #depth = 0

  constructor() {
    this.opening = new Promise((resolve) => {
      this.#resolveOpen = resolve
    })
    this.closing = new Promise((resolve) => {
      this.#resolveClose = resolve
    })
  }

  opened(socket: Socket): void {
    if (this.#state !== 'new') this.violations.push('opened twice')
    this.#state = 'open'
    this.#call('opened', () => this.onOpened(socket))
    this.#resolveOpen(socket)
  }

  received(text: string): void {
    this.#call('received', () => {
      this.texts.push(text)
      this.onReceived(text)
    })
  }

  receivedBinary(): void {
    this.#call('receivedBinary', () => this.binaries++)
  }

  alive(): void {
    this.#call('alive', () => this.signs++)
  }

  drained(): void {
    this.#call('drained', () => this.drains++)
  }

  closed(code: number): void {
    this.#call('closed', () => undefined)
    this.#state = 'closed'
    this.#resolveClose(code)
  }

  get everOpened(): boolean {
    return this.#state !== 'new'
  }

  /** Resolves when `condition` holds, asked after every call. */
  async when(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
      })
    }
  }

  #call(name: string, body: () => void): void {
    if (this.#state !== 'open') this.violations.push(`${name} while ${this.#state}`)
    if (this.#depth > 0) this.violations.push(`${name} inside another call`)
    this.#depth++
    body()
    this.#depth--
    for (const wake of this.#waiting.splice(0)) wake()
  }
}
