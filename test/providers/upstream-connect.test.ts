import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { TLSSocket } from 'node:tls'
import { buildConnector, Client } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { connectUpstream } from '../../src/providers/upstream-connect.ts'
import { makeCertificate } from '../support/certificate.ts'

const PIECES = 200

/** Says its own path over and over, a piece in each turn of the loop; how its connection came to be is a header. */
const answer: RequestListener = (request, response) => {
  const { socket, url = '' } = request
  response.setHeader('x-resumed', String(socket instanceof TLSSocket && socket.isSessionReused()))
  const speak = async (): Promise<void> => {
    for (let piece = 0; piece < PIECES; piece++) {
      response.write(url)
      await turn()
    }
    response.end()
  }
  void speak()
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  return portOf(server)
}

function portOf(server: NetServer): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening')
  return address.port
}

/** A way in of our own, and one more that only knows the certificate. */
async function upstream(secure: boolean): Promise<() => Client> {
  const { cert, key } = makeCertificate()
  const port = await listen(secure ? createSecureServer({ cert, key }, answer) : createServer(answer))
  const connect = connectUpstream((options) => buildConnector({ ...options, ca: cert }))
  return () => {
    const client = new Client(`${secure ? 'https' : 'http'}://localhost:${port}`, { connect })
    onTestFinished(() => client.destroy())
    return client
  }
}

async function ask(client: Client, path: string): Promise<{ readonly text: string; readonly resumed: unknown }> {
  const { body, headers } = await client.request({ path, method: 'GET' })
  return { text: await body.text(), resumed: headers['x-resumed'] }
}

describe.each([
  ['http', false],
  ['https', true],
])('sockets of %s that are read into one buffer', (_, secure) => {
  test('give each answer what it was sent, in order', async () => {
    const open = await upstream(secure)
    const paths = Array.from({ length: 20 }, (_each, nth) => `/${String(nth).repeat(40)}`)
    const answers = await Promise.all(paths.map((path) => ask(open(), path)))
    expect(answers.map(({ text }) => text)).toEqual(paths.map((path) => path.repeat(PIECES)))
  })

  test('tell of a server that is not there', async () => {
    const server = secure ? createSecureServer() : createServer()
    const port = await listen(server)
    server.close()
    const connect = connectUpstream(buildConnector)
    const client = new Client(`${secure ? 'https' : 'http'}://127.0.0.1:${port}`, { connect })
    onTestFinished(() => client.destroy())
    await expect(ask(client, '/')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})

/** As one socket takes it: head, body and the end, which is the only sign that the body is whole. */
async function speaker(say: (socket: Socket) => void): Promise<Client> {
  const server = createNetServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n')
      say(socket)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const client = new Client(`http://127.0.0.1:${portOf(server)}`, { connect: connectUpstream(buildConnector) })
  onTestFinished(() => client.destroy())
  return client
}

describe('an answer whose reader stops now and then', () => {
  test('comes whole and in order', async () => {
    const lines = Array.from({ length: 100_000 }, (_, nth) => `line ${nth} of many\n`)
    const client = await speaker((socket) => {
      for (let at = 0; at < lines.length; at += 500) socket.write(lines.slice(at, at + 500).join(''))
      socket.end()
    })
    const { body } = await client.request({ path: '/', method: 'GET' })
    let [text, pieces] = ['', 0]
    for await (const piece of body) {
      text += String(piece)
      if (pieces++ % 5 === 0) await turn()
    }
    expect(text).toBe(lines.join(''))
    expect(pieces).toBeGreaterThan(10)
  })

  test('is not cut when its end comes while nobody reads', async () => {
    const said = 'x'.repeat(300_000)
    const client = await speaker((socket) => socket.end(said))
    const { body } = await client.request({ path: '/', method: 'GET' })
    for (let nth = 0; nth < 50; nth++) await turn()
    expect(await body.text()).toBe(said)
  })
})

test('a TLS session is taken up again by the next connection to its host', async () => {
  const open = await upstream(true)
  expect((await ask(open(), '/first')).resumed).toBe('false')
  expect((await ask(open(), '/second')).resumed).toBe('true')
})
