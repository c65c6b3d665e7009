import type { HeaderPair } from './plain-headers.ts'

/** What became of a frame: written, waiting in the socket's buffer, or lost because the buffer's limit was reached. */
export type SendResult = 'sent' | 'queued' | 'dropped'

/**
 * One WebSocket, open until `closed` was called on its handler; every method is a no-op after that. Text must be well formed
 * (JSON.stringify makes it so): an adapter need not look.
 */
export interface Socket {
  send(text: string): SendResult
  /** The short frames that `work` sends leave in one write of the kernel. */
  together(work: () => void): void
  /** Bytes that wait in this process for the peer. */
  buffered(): number
  /**
   * Sends what waits and a close frame; the peer's answer is awaited within a bound, then the socket is cut. `closed` is
   * called in a task of its own right after, and `send` drops from now on.
   */
  close(code: number, reason: string): void
  /** Sends a protocol ping. */
  ping(): void
  /** A member gets what is broadcast to the group. */
  join(group: string): void
  leave(group: string): void
}

/** What the core does with one socket. Calls are never nested and never come before `opened` or after `closed`. */
export interface SocketHandler {
  opened(socket: Socket): void
  /** A text frame. Above the readable limit the adapter cuts the socket itself (4413). */
  received(text: string): void
  /** A binary frame, which this protocol has none of. */
  receivedBinary(): void
  /** A protocol ping or pong came: the peer is alive. */
  alive(): void
  /** The socket's buffer shrank. */
  drained(): void
  closed(code: number): void
}

/** The handshake, copied: valid after any await. Header names are lower case. */
export type HandshakeRequest = {
  readonly path: string
  readonly query: string
  readonly header: (name: string) => string | undefined
  /** The peer's address as the kernel names it; v4-mapped v6 is given as v4. */
  readonly address: string
  readonly secure: boolean
}

export type Refusal = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type HandshakeVerdict =
  | { readonly accept: true; readonly protocol?: string; readonly handler: SocketHandler }
  | { readonly accept: false; readonly refusal: Refusal }

/** Who sent an HTTP request. */
export type Peer = {
  readonly address: string
  readonly secure: boolean
  /** Its requests share one connection (HTTP/2): browsers bound those of HTTP/1.1 by six. */
  readonly multiplexed?: true
}

/** A response that is all there: its text, or nothing (null) where its status has no body or the request was a HEAD. */
export type Answer = {
  readonly status: number
  readonly headers: readonly HeaderPair[]
  readonly content: string | null
}

export type TransportHandlers = {
  /** Must not throw; the peer may leave before it resolves, then nothing is opened. */
  upgrade(request: HandshakeRequest): Promise<HandshakeVerdict>
  /** Must not throw. `request.signal` aborts when the client leaves. Bodies stream both ways, with backpressure. */
  fetch(request: Request, peer: Peer): Promise<Response | Answer>
}

/** Paths of files in PEM form: the certificate with those between it and its root, and its key. */
export type TlsFiles = { readonly certFile: string; readonly keyFile: string }

export type TransportOptions = {
  readonly webSocketPath: string
  /** Bytes of one inbound frame above which the socket is cut. */
  readonly maxReadableFrameBytes: number
  /** Bytes that may wait for one peer before frames are dropped; above the core's own outbox limit. */
  readonly maxBufferedBytes: number
  /** Milliseconds from accept to the end of the request's headers. */
  readonly handshakeTimeoutMs: number
  /** Bytes of request line and headers. */
  readonly maxHeaderBytes: number
  /** Bytes of an HTTP request's body; above: 413. */
  readonly maxBodyBytes: number
  /** TLS ends here; absent: in front of us, or there is none. */
  readonly tls?: TlsFiles
}

/** Sockets and HTTP on one port. */
export interface Transport {
  readonly name: 'ws' | 'uws'
  /** Resolves with the port in use (0 asks for any free one). Rejects when the address is taken. */
  listen(host: string, port: number): Promise<number>
  /** To every member of the group; encoded once. A member whose buffer it does not fit is closed as slow (4503): it may not miss a frame (I6). */
  broadcast(group: string, text: string): void
  /** Refuses new sockets and connections; what is open stays. */
  stopListening(): void
  /** Lets HTTP requests that are being answered end for a second, then cuts what is left. */
  close(): Promise<void>
}
