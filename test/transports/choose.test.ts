import { afterEach, describe, expect, it, vi } from 'vitest'
import { chooseTransport } from '../../src/transports/choose.ts'
import type * as LoadUws from '../../src/transports/load-uws.ts'
import { loadUws } from '../../src/transports/load-uws.ts'
import { TRANSPORTS } from '../support/transports.ts'

vi.mock('../../src/transports/load-uws.ts', async (original) => {
  const actual = await original<typeof LoadUws>()
  return { ...actual, loadUws: vi.fn(actual.loadUws) }
})

const HEADER_BYTES = 64 * 1024
const MISSING = Object.assign(new Error('Cannot find package at /some/path'), { code: 'ERR_MODULE_NOT_FOUND' })
const NO_BINARY = new Error('This version supports only … /some/path')

describe('chooseTransport', () => {
  afterEach(() => {
    vi.mocked(loadUws).mockClear()
  })

  it('takes uWebSockets.js for auto exactly where its binary is installed', async () => {
    const chosen = await chooseTransport('auto', HEADER_BYTES)
    expect(chosen.name).toBe(TRANSPORTS.at(-1))
    expect(chosen.description).toMatch(
      chosen.name === 'uws' ? /^uWebSockets.js$/ : /^ws, because uWebSockets.js has no/,
    )
    expect(loadUws).toHaveBeenCalledWith(HEADER_BYTES)
  })

  it.each([
    ['is not installed', MISSING],
    [`has no binary for Node ${process.versions.node}`, NO_BINARY],
  ])('takes ws for auto and says why when the library %s', async (why, fault) => {
    vi.mocked(loadUws).mockRejectedValueOnce(fault)
    const chosen = await chooseTransport('auto', HEADER_BYTES)
    expect(chosen.name).toBe('ws')
    expect(chosen.description).toContain(why)
    expect(chosen.description).not.toContain('/some/path')
  })

  it('rejects for uws when it does not load, and names the setting', async () => {
    vi.mocked(loadUws).mockRejectedValueOnce(NO_BINARY)
    await expect(chooseTransport('uws', HEADER_BYTES)).rejects.toThrow(/no binary.*PARLEY_TRANSPORT/)
  })

  it('takes ws as asked without loading the other', async () => {
    expect(await chooseTransport('ws', HEADER_BYTES)).toMatchObject({ name: 'ws', description: 'ws, as configured' })
    expect(loadUws).not.toHaveBeenCalled()
  })

  it.each(TRANSPORTS)('gives a factory that serves (%s)', async (wanted) => {
    const { create, name } = await chooseTransport(wanted, HEADER_BYTES)
    const transport = create(
      { upgrade: () => Promise.reject(new Error('unused')), fetch: async () => new Response(name) },
      {
        webSocketPath: '/ws',
        maxReadableFrameBytes: 1,
        maxBufferedBytes: 1,
        handshakeTimeoutMs: 1000,
        maxHeaderBytes: HEADER_BYTES,
        maxBodyBytes: 1,
      },
      { log: () => undefined, count: () => undefined, observe: () => undefined, gauge: () => undefined },
    )
    expect(transport.name).toBe(wanted)
    const port = await transport.listen('127.0.0.1', 0)
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe(wanted)
    await transport.close()
  })
})
