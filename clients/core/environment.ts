/** A timer's name, as `setTimeout` of the environment gave it. */
export type Timer = unknown

/** What the client needs of the world around it; tests own all of it. */
export interface Environment {
  /** Milliseconds since 1970. Wall time: it goes on while a laptop sleeps. */
  now(): number
  setTimeout(run: () => void, ms: number): Timer
  clearTimeout(timer: Timer): void
  /** From 0 to below 1. */
  random(): number
  /** A new id for a message: 1 to 64 of `[A-Za-z0-9_-]`. */
  randomId(): string
  /** False when the device says that it has no network at all. */
  online(): boolean
  /** Calls back when the device gets or loses its network; gives the way to stop. */
  onNetworkChange(listener: () => void): () => void
  /** Calls back when somebody comes back to the page, whose timers may have stood still meanwhile; gives the way to stop. */
  onReturn(listener: () => void): () => void
  openSocket: OpenSocket
}

export type SocketHandlers = {
  readonly onMessage: (text: string) => void
  /** Once, whoever closed; also when the socket never opened. */
  readonly onClose: (code: number) => void
}

export interface Socket {
  send(text: string): void
  close(): void
}

/** Opens a WebSocket; never throws. */
export type OpenSocket = (url: string, protocols: readonly string[], handlers: SocketHandlers) => Socket
