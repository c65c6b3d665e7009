import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { offerProtocols } from '../../src/protocol/handshake.ts'
import { makeCertificate } from '../support/certificate.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { SocketClient } from '../support/socket-client.ts'

/** Milliseconds for a test that starts processes, one of them with a new data directory. */
const SLOW_MS = 30_000

const folder = mkdtempSync(join(tmpdir(), 'parley-tls-'))
const { cert, key } = makeCertificate()
const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
let server: ParleyProcess

beforeAll(async () => {
  writeFileSync(certFile, cert)
  writeFileSync(keyFile, key)
  server = await ParleyProcess.start({
    TLS_CERT_FILE: certFile,
    TLS_KEY_FILE: keyFile,
    PARLEY_REQUIRE_HTTPS: 'on',
  })
}, SLOW_MS)
afterAll(async () => {
  await server.dispose()
  rmSync(folder, { recursive: true })
}, SLOW_MS)

const port = (): string => new URL(server.url).port

describe('a server with a certificate of its own, where HTTPS is required', () => {
  it('says its address with https', () => {
    expect(server.said.join('\n')).toContain(`Parley is ready: https://127.0.0.1:${port()}\n`)
  })

  it('serves the page and the API, and tells browsers to come by nothing else', async () => {
    for (const [path, words] of [
      ['/', '<title>Parley</title>'],
      ['/v1/sessions', '"sessions"'],
    ]) {
      const request = get({ host: 'localhost', port: port(), path, ca: cert, agent: false })
      const [response] = await once(request, 'response')
      expect(response.statusCode).toBe(200)
      expect(response.headers['strict-transport-security']).toBe('max-age=31536000')
      expect(await text(response)).toContain(words)
    }
  })

  it('opens sockets', async () => {
    const protocols = offerProtocols(randomUUID())
    const socket = await SocketClient.connect(`wss://localhost:${port()}/ws`, { ca: cert, protocols })
    expect(await socket.next()).toContain('"session.ready"')
    await socket.close(1000)
  })

  it('is healthy for its container', async () => {
    const env = { ...process.env, PORT: port(), TLS_CERT_FILE: certFile }
    const check = promisify(execFile)(process.execPath, ['scripts/healthcheck.mjs'], { env })
    expect(await check).toMatchObject({ stdout: '', stderr: '' })
  })
})

it(
  'a certificate that cannot be read ends the start, before there is a database, with its variable',
  async () => {
    const start = ParleyProcess.start({ TLS_CERT_FILE: '/nowhere/cert.pem', TLS_KEY_FILE: keyFile })
    await expect(start).rejects.toThrow('TLS_CERT_FILE names a file that cannot be read: /nowhere/cert.pem')
  },
  SLOW_MS,
)
