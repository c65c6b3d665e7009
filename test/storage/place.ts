import type { NetConnectOpts } from 'node:net'
import { join } from 'node:path'
import type { Connection } from '../../src/storage/connection.ts'

const POSTGRES_PORT = 5432

/** Where a connection leads, and its address with another host and port. */
export function placeOf(connection: Connection): { target: NetConnectOpts; through: (port: number) => string } {
  if (!('url' in connection)) {
    const { socketDir, port, user, database } = connection
    const target = { path: join(socketDir, `.s.PGSQL.${port}`) }
    return { target, through: (own) => `postgres://${user}@127.0.0.1:${own}/${database}` }
  }
  const url = new URL(connection.url)
  const target = { host: url.hostname, port: Number(url.port || POSTGRES_PORT) }
  return { target, through: (own) => Object.assign(new URL(url), { hostname: '127.0.0.1', port: String(own) }).href }
}
