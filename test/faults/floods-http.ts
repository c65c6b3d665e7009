import { connect } from 'node:net'
import type { Flood } from './flood.ts'
import { within } from './watched-server.ts'

const REQUESTS = { short: 40, full: 400 } as const
const AT_ONCE = 20
const KIB = 1024
const MIB = 1024 * KIB
/** Bytes, four times the default of PARLEY_HEADER_SIZE. */
const HEADER_BYTES = 1 * MIB
/** Bytes, far above the default of PARLEY_BODY_SIZE; as many are offered, not all are taken. */
const BODY_BYTES = 32 * MIB
const PIECE = Buffer.alloc(64 * KIB, 'x')
/** Milliseconds that a request may take to be refused. */
const ANSWER_MS = 15_000
/** Bodies that come a byte a second, and for how long they are waited for: the transports give up after 30 s. */
const SLOW_BODIES = 100
const SLOW_MS = 60_000
const DROP_MS = 1000
const TARGET = '/v1/sessions/0b9f7c1e-5d0a-4c1b-9f1e-2f6a3c8d7e10'
const HEAD = `PATCH ${TARGET} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n`

type Kind = { readonly head: string; readonly bytes: number; readonly wanted: RegExp; readonly chunked?: true }

/** A status, or an end without one: a peer that is still sending may lose the answer to a reset. */
const KINDS: Readonly<Record<string, Kind>> = {
  'headers too big': { head: `${HEAD}X-Big: `, bytes: HEADER_BYTES, wanted: /^(431|400|413|cut)$/ },
  'a body too big, declared': {
    head: `${HEAD}Content-Length: ${BODY_BYTES}\r\n\r\n`,
    bytes: BODY_BYTES,
    wanted: /^(413|cut)$/,
  },
  'a body without an end': {
    head: `${HEAD}Transfer-Encoding: chunked\r\n\r\n`,
    bytes: BODY_BYTES,
    wanted: /^(413|cut)$/,
    chunked: true,
  },
}

/** Requests that are too big are refused, and what is not read is not kept. */
export async function floodHttp(flood: Flood): Promise<void> {
  const { server, size, notes } = flood
  for (const [name, kind] of Object.entries(KINDS)) {
    const answers = new Map<string, number>()
    let left: number = REQUESTS[size]
    const press = async (): Promise<void> => {
      while (left-- > 0) {
        const answer = await offer(server.port, kind)
        answers.set(answer, (answers.get(answer) ?? 0) + 1)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, press))
    notes.add(name, [...answers].map(([answer, times]) => `${times} x ${answer}`).join(', '))
    for (const [answer, times] of answers) if (!kind.wanted.test(answer)) notes.broken(`${name}: ${times} x ${answer}`)
  }
  if (size === 'full') await holdBodies(flood)
}

/** Sends as long as the server takes it; gives the status of its answer, or how it ended. */
function offer(port: number, { head, bytes, chunked }: Kind): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    let answer = ''
    let sent = 0
    const timer = setTimeout(() => end('not answered'), ANSWER_MS)
    const end = (how: string): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? how)
    }
    const pour = (): void => {
      while (sent < bytes && socket.writable) {
        sent += PIECE.length
        if (chunked) socket.write(`${PIECE.length.toString(16)}\r\n`)
        const more = socket.write(PIECE)
        if (chunked) socket.write('\r\n')
        if (!more) return
      }
    }
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
      // The head is all that is looked at.
      if (answer.includes('\r\n\r\n')) end('')
    })
    socket.on('drain', pour).on('error', () => end('cut'))
    socket.once('close', () => end('cut'))
    socket.once('connect', () => {
      socket.write(head)
      pour()
    })
  })
}

/** Bodies that come a byte a second do not hold their connections for ever. */
async function holdBodies({ server, notes }: Flood): Promise<void> {
  let ended = 0
  const sockets = Array.from({ length: SLOW_BODIES }, () => {
    const socket = connect({ port: server.port, host: '127.0.0.1' })
    socket.write(`${HEAD}Content-Length: 100000\r\n\r\n{`)
    socket.resume().on('error', () => socket.destroy())
    socket.once('close', () => ended++)
    return socket
  })
  const talk = setInterval(() => {
    for (const socket of sockets) if (socket.writable) socket.write(' ')
  }, DROP_MS)
  await within(SLOW_MS, () => ended === SLOW_BODIES)
  clearInterval(talk)
  notes.add(`bodies a byte a second, ended of ${SLOW_BODIES}`, ended)
  if (ended < SLOW_BODIES) notes.broken(`${SLOW_BODIES - ended} bodies of a byte a second are still waited for`)
  for (const socket of sockets) socket.destroy()
}
