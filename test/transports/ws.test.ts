import { describe, expect, it } from 'vitest'
import { createWsTransport } from '../../src/transports/ws.ts'
import { describeTransport } from '../contracts/transport.ts'
import { handshake, RawPeer } from './raw-peer.ts'
import { type MakeTransport, OPTIONS, useRig } from './rig.ts'

const make: MakeTransport = async (handlers, options, telemetry) => createWsTransport(handlers, options, telemetry)

describeTransport('ws', make, { invalidUtf8: 1007, brokenFrame: 1002, hugeFrame: 4413, pipelined: 'served' })

describe('the ws transport', () => {
  // The other library's bound is its own: 10 seconds.
  const rig = useRig((handlers, _options, telemetry) =>
    make(handlers, { ...OPTIONS, handshakeTimeoutMs: 100 }, telemetry),
  )

  it('ends a connection whose headers are not whole in time', async () => {
    const raw = await RawPeer.connect(rig().port)
    raw.write('GET /ws HTTP/1.1\r\nHost: a\r\nX-Slow: ')
    expect(await raw.until('\r\n\r\n')).toMatch(/^HTTP\/1.1 408/)
    raw.socket.end()
    await raw.closed
  })

  it('I7: reads little of a peer that talks on before it was let in', async () => {
    rig().verdict = () => new Promise(() => undefined)
    const raw = await RawPeer.connect(rig().port)
    raw.write(handshake('/ws'))
    await expect.poll(() => rig().requests.length).toBe(1)
    // More than the buffers of two kernels hold.
    for (let sent = 0; sent < 32; sent++) raw.write(Buffer.alloc(1024 * 1024))
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(raw.socket.writableLength).toBeGreaterThan(0)
    raw.socket.destroy()
  })
})
