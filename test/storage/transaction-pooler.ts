import { createServer, connect as dial, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Connection } from '../../src/storage/connection.ts'
import { listen } from '../support/listen.ts'
import { placeOf } from './place.ts'

/** How a server says that it is ready, and in no transaction. */
const READY = Buffer.from('Z\0\0\0\x05I')

/** Which of the connections that nobody has is given next. */
export type Order = 'newest first' | 'in turn'

/**
 * A pooler in transaction mode; gives its address. Each client brings one connection to the server, which then is everybody's: who
 * says something has one of them up to the end of the transaction.
 */
export async function listenAsPooler(connection: Connection, order: Order): Promise<string> {
  const { target, through } = placeOf(connection)
  const free: Socket[] = []
  /** By client. */
  const held = new Map<Socket, Socket>()
  const hold = (client: Socket, server: Socket | undefined): Socket => {
    if (server === undefined) throw new Error('all connections are held')
    server.on('data', (bytes: Buffer) => {
      client.write(bytes)
      if (!bytes.subarray(-READY.length).equals(READY)) return
      server.removeAllListeners('data')
      held.delete(client)
      free.push(server)
    })
    held.set(client, server)
    return server
  }
  const pooler = createServer((client) => {
    hold(client, dial(target))
    client.on('data', (bytes: Buffer) => {
      const server = held.get(client) ?? hold(client, order === 'in turn' ? free.shift() : free.pop())
      // An end is the client's own.
      if (bytes[0] !== 'X'.charCodeAt(0)) server.write(bytes)
    })
    client.on('close', () => held.get(client)?.destroy())
    client.on('error', () => undefined)
  })
  onTestFinished(() => {
    pooler.close()
    for (const server of free) server.destroy()
  })
  return through(await listen(pooler))
}
