import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { freePort } from './free-port.ts'

const PORTS = 200
/** The least that kernels give to outgoing connections where nobody has set another. */
const USUAL = 32_768

test('a port of a server is none that the kernel gives to a client of it', async () => {
  const ports = await Promise.all(Array.from({ length: PORTS }, freePort))
  expect(Math.max(...ports)).toBeLessThan(leastOfClients())
  const server = createServer().listen(ports[0], '127.0.0.1')
  await once(server, 'listening')
  server.close()
})

function leastOfClients(): number {
  if (process.platform !== 'linux') return USUAL
  return Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s/)[0])
}
