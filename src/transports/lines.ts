import type { Server } from 'node:http'
import type { Http2SecureServer, ServerHttp2Session } from 'node:http2'
import type { Duplex } from 'node:stream'

/** The open connections of a server, whichever HTTP they speak: node keeps track of those of HTTP/1.1 only. */
export class Lines {
  readonly server: Server | Http2SecureServer
  readonly #connections = new Set<Duplex>()
  readonly #sessions = new Set<ServerHttp2Session>()

  constructor(server: Server | Http2SecureServer) {
    this.server = server
    server.on('connection', (connection: Duplex) => {
      this.#connections.add(connection)
      connection.once('close', () => this.#connections.delete(connection))
    })
    server.on('session', (session: ServerHttp2Session) => {
      this.#sessions.add(session)
      session.once('close', () => this.#sessions.delete(session))
    })
  }

  /** No new ones; idle ones end, the others with what is under way. */
  leave(): void {
    this.server.close()
    for (const session of this.#sessions) session.close()
  }

  cut(): void {
    for (const connection of this.#connections) connection.destroy()
  }
}
