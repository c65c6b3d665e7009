import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Ports below those that kernels give to outgoing connections (32768 and up on Linux, 49152 elsewhere). A client that knocks while
 * its server is away could be given the server's own port, reach itself by it, and keep the server from coming back.
 */
const FIRST = 20_000
const END = 32_000
const ATTEMPTS = 100

/** A port of 127.0.0.1 on which nobody listens, for a server that may be stopped and started there. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = randomInt(FIRST, END)
    if (await isFree(port)) return port
  }
  throw new Error(`no port is free from ${FIRST} to ${END}`)
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}
