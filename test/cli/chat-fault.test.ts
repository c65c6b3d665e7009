import { once } from 'node:events'
import { createServer as createPlain, type Server, type Socket } from 'node:net'
import { createServer as createTls } from 'node:tls'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { explainFault } from '../../src/cli/chat-fault.ts'
import { makeCertificate } from '../support/certificate.ts'
import { FakeTerminal } from './fakes.ts'

/** Milliseconds that the first word of a server may take. */
const FIRST_WORD_MS = 10_000
const servers: Server[] = []
const sockets = new Set<Socket>()

afterEach(async () => {
  vi.useRealTimers()
  for (const socket of sockets) socket.destroy()
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

/** Its address; a connection that fails is the client's business. */
async function listen(server: Server): Promise<string> {
  servers.push(server)
  server.on('connection', (socket) => sockets.add(socket.on('error', () => undefined)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return address === null || typeof address === 'string' ? '' : `127.0.0.1:${address.port}`
}

async function chat(url: string): Promise<string> {
  vi.spyOn(Math, 'random').mockReturnValue(0)
  const terminal = new FakeTerminal()
  expect(await terminal.run('chat', '--url', url)).toBe(1)
  expect(terminal.errLines).toHaveLength(1)
  return terminal.errLines.join()
}

describe('parley chat that cannot connect says why', () => {
  it('where what is there speaks no TLS', async () => {
    const host = await listen(createPlain((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')))
    expect(await chat(`wss://${host}`)).toBe(`parley chat: no TLS with ${host} (EPROTO); ws:// goes without`)
  })

  it('where the certificate is not trusted', async () => {
    const host = await listen(createTls(makeCertificate()))
    const why = `the certificate of ${host} is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)`
    expect(await chat(`wss://${host}`)).toBe(`parley chat: ${why}`)
  })

  it('where what is there is no WebSocket', async () => {
    const host = await listen(createPlain((socket) => socket.end('SSH-2.0\r\n')))
    expect(await chat(`ws://${host}`)).toBe(`parley chat: cannot connect to ${host} (HPE_INVALID_CONSTANT)`)
  })

  it('where nothing comes for 10 s', async () => {
    const silent = createPlain()
    const host = await listen(silent)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const terminal = new FakeTerminal()
    const done = terminal.run('chat', '--url', `ws://${host}`)
    await once(silent, 'connection')
    vi.advanceTimersByTime(FIRST_WORD_MS)
    await terminal.shows('no connection; trying again')
    vi.advanceTimersByTime(0)
    await once(silent, 'connection')
    vi.advanceTimersByTime(FIRST_WORD_MS)
    expect(await done).toBe(1)
    expect(terminal.errLines).toEqual([`parley chat: ${host} does not answer`])
  })
})

describe('a fault of a connection', () => {
  const place = new URL('wss://ann:pw@chat.example:7443/ws?key=sk_live_abc')
  it.each([
    ['ENOTFOUND', 'cannot resolve chat.example'],
    ['EAI_AGAIN', 'cannot resolve chat.example'],
    ['ECONNREFUSED', 'nobody listens at chat.example:7443'],
    ['ETIMEDOUT', 'chat.example:7443 does not answer'],
    ['CERT_HAS_EXPIRED', 'the certificate of chat.example:7443 is not trusted (CERT_HAS_EXPIRED)'],
    [
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'the certificate of chat.example:7443 is not trusted (UNABLE_TO_VERIFY_LEAF_SIGNATURE)',
    ],
    ['EPROTO', 'no TLS with chat.example:7443 (EPROTO); ws:// goes without'],
    ['EHOSTUNREACH', 'cannot connect to chat.example:7443 (EHOSTUNREACH)'],
  ])('%s is told as: %s', (code, words) => {
    expect(explainFault(Object.assign(new Error('long words'), { code }), place)).toBe(words)
  })

  it('without a code is told by its message', () => {
    const fault = new Error('Server sent no subprotocol')
    expect(explainFault(fault, place)).toBe('cannot connect to chat.example:7443: Server sent no subprotocol')
  })
})
