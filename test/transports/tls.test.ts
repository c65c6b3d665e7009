import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, describe, expect, it } from 'vitest'
import { chooseTransport } from '../../src/transports/choose.ts'
import { makeCertificate } from '../support/certificate.ts'
import { SocketClient } from '../support/socket-client.ts'
import { TRANSPORTS } from '../support/transports.ts'
import { OPTIONS, useRig } from './rig.ts'

const folder = mkdtempSync(join(tmpdir(), 'parley-tls-'))
afterAll(() => rmSync(folder, { recursive: true }))

function write(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const { cert, key } = makeCertificate()
const tls = { certFile: write('cert.pem', cert), keyFile: write('key.pem', key) }
const SILENT = { log: () => {}, count: () => {}, observe: () => {}, gauge: () => {} }
const NOBODY = { upgrade: () => Promise.reject(new Error('unused')), fetch: () => Promise.reject(new Error('unused')) }
const BIG = 'x'.repeat(300 * 1024)

describe.each(TRANSPORTS)('%s with a certificate of its own', (name) => {
  const rig = useRig(async (handlers, options, telemetry) => {
    const chosen = await chooseTransport(name, OPTIONS.maxHeaderBytes)
    return chosen.create(handlers, { ...options, tls }, telemetry)
  })

  async function ask(path: string): Promise<{ status: number | undefined; body: string }> {
    const request = get({ host: 'localhost', port: rig().port, path, ca: cert, agent: false })
    const [response] = await once(request, 'response')
    return { status: response.statusCode, body: await text(response) }
  }

  const open = (): Promise<SocketClient> => SocketClient.connect(`wss://localhost:${rig().port}/ws`, { ca: cert })

  it('answers HTTP, large bodies too, and says that it was secure', async () => {
    rig().fetch = async (request, peer) => new Response(`${request.url} ${peer.secure} ${peer.address} ${BIG}`)
    const answer = await ask('/page?a=b')
    expect(answer.status).toBe(200)
    expect(answer.body).toBe(`https://localhost:${rig().port}/page?a=b true 127.0.0.1 ${BIG}`)
  })

  it('opens sockets, takes and sends frames of any size, and broadcasts', async () => {
    const [one, two] = [await open(), await open()]
    expect(rig().requests.map(({ secure }) => secure)).toEqual([true, true])
    one.send(BIG)
    await expect.poll(() => rig().peers[0]?.texts).toEqual([BIG])
    const sockets = await Promise.all(rig().peers.map((peer) => peer.opening))
    for (const socket of sockets) socket.join('group')
    rig().transport.broadcast('group', BIG)
    expect([await one.next(), await two.next()]).toEqual([BIG, BIG])
    sockets[0]?.close(4401, 'unauthorized')
    expect(await one.closed).toEqual({ code: 4401, reason: 'unauthorized' })
    await two.close(1000)
  })

  it('gives nothing to who speaks plain HTTP', async () => {
    const socket = connect(rig().port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    let said = ''
    socket.on('data', (chunk) => {
      said += String(chunk)
    })
    await once(socket, 'close')
    expect(said).not.toContain('HTTP/1.1 200')
  })
})

describe.each(TRANSPORTS)('%s with files that are no certificate and key', (name) => {
  it.each([
    ['a certificate that is not there', { certFile: '/nowhere/cert.pem' }, 'TLS_CERT_FILE'],
    ['a key that is not there', { keyFile: '/nowhere/key.pem' }, 'TLS_KEY_FILE'],
    ['the key of another', { keyFile: write('other.pem', makeCertificate().key) }, 'TLS_CERT_FILE and TLS_KEY_FILE'],
    ['no PEM', { certFile: write('nothing.pem', 'nothing') }, 'TLS_CERT_FILE and TLS_KEY_FILE'],
  ])('says which: %s', async (_what, over, words) => {
    const chosen = await chooseTransport(name, OPTIONS.maxHeaderBytes)
    const options = { ...OPTIONS, tls: { ...tls, ...over } }
    expect(() => chosen.create(NOBODY, options, SILENT)).toThrow(words)
  })
})
