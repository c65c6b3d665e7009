import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { LiveClient } from '../support/live-server.ts'
import { MessagesApi } from '../support/messages-api.ts'
import { CANARY } from './upstream-canaries.ts'
import { ordinary } from './upstream-said.ts'
import type { Script } from './upstream-script.ts'
import { within } from './watched-server.ts'

/** Requests that the retry policy allows for one answer. */
const TRIES = 3
const KEY = 'case-dead.'
/** Milliseconds for the end of a request to be seen at both of its ends. */
const LET_GO_MS = 2000

/** Nobody listens at the API's address; then something that speaks no HTTP; then the API again. */
export async function checkDeadPort(port: number, api: MessagesApi, script: Script) {
  const violations: string[] = []
  const upstreamPort = Number(new URL(api.url).port)
  const client = await LiveClient.connect(port, randomUUID())
  const ends = async (content: string): Promise<string> => {
    await client.ask(content)
    const last = client.events.at(-1)
    return last?.type === 'RUN_ERROR' ? (last.code ?? '') : (last?.type ?? '')
  }
  const expect = (what: string, is: string | number, should: string | number): void => {
    if (is !== should) violations.push(`${what}: ${is}, not ${should}`)
  }
  await api.close()
  expect('connection refused', await ends(`${KEY} ${CANARY.words}`), 'provider_error')

  let met = 0
  const sockets = new Set<Socket>()
  const stranger = createServer((socket) => {
    met++
    socket.on('error', () => undefined)
    sockets.add(socket)
    socket.end(`\u0015\u0003\u0001 ${CANARY.body}\r\n\r\n`)
  })
  stranger.listen(upstreamPort, '127.0.0.1')
  await once(stranger, 'listening')
  expect('no HTTP upstream', await ends('and now?'), 'provider_error')
  expect('no HTTP upstream: connections', met, TRIES)
  stranger.close()
  for (const socket of sockets) socket.destroy()
  await once(stranger, 'close')

  const back = await MessagesApi.listen({ ...script.options, port: upstreamPort })
  script.set(KEY, [ordinary('Back again.').reply])
  expect('the API is back', await ends('and now?'), 'RUN_FINISHED')
  expect('the API is back: requests', script.requests(KEY).length, 1)
  await within(LET_GO_MS, () => back.open === 0)
  expect('the API is back: requests left open', back.open, 0)
  await back.close()
  return { violations, frames: client.socket.frames, ways: 2, runs: 3 }
}
