import type { Place } from './socket.ts'

/** How clients speak to a server; Parley, R and the relay on `ws` take the same frames. */
export type Wire = 'websocket' | 'socket.io' | 'ag-ui' | 'ai-sdk' | 'langgraph'

/** Where a load session connects and how it names itself. */
export type Target = {
  /** Without one: 127.0.0.1. */
  readonly host?: string
  readonly port: number
  /** TLS. */
  readonly secure?: boolean
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** The header that carries the session id, where the server knows sessions; it then says `session.ready`. */
  readonly sessionHeader?: string
  /** Numbers per second of a model that only counts: the server is not the bench's, and neither is its model. */
  readonly countsPerSecond?: number
  /** Without one: `websocket`. */
  readonly wire?: Wire
}

/** What a server says: `{chunk}` with AG-UI events and bare control frames. Parley alone numbers. */
export type Frame = {
  readonly id?: string
  readonly epoch?: string
  readonly seq?: number
  readonly resumed?: string
  readonly model?: string
  readonly chunk?: {
    readonly type: string
    readonly delta?: string
    readonly message?: string
    readonly content?: string
  }
  readonly type?: string
  readonly code?: string
  readonly message?: string
  readonly ref?: string
}

/** A client's line to a server, in the server's own protocol; what comes is told as frames. */
export interface Line {
  /** Asks the model. */
  ask(id: string, content: string): void
  /** Stops the answer that runs; the end of the run is told, and an `ack` of `id` where the server has one. */
  stop(id: string): void
  /** Leaves at once. */
  destroy(): void
}

export interface LineEvents {
  readonly frame: (frame: Frame) => void
  readonly close: (code: number | undefined) => void
}

export type LineTarget = Target & Partial<Place>
