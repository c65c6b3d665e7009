import { describe, expect, it, vi } from 'vitest'
import { RequestBody } from '../../src/transports/http-body.ts'

const LIMIT = 200 * 1024
const PART = 50 * 1024
const MIB = 1024 * 1024

function bodyOf(declared = 0): {
  readonly body: RequestBody
  readonly source: { pause: () => void; resume: () => void; cut: () => void }
} {
  const source = { pause: vi.fn<() => void>(), resume: vi.fn<() => void>(), cut: vi.fn<() => void>() }
  return { body: new RequestBody(LIMIT, declared, source), source }
}

describe('RequestBody', () => {
  it('pauses its source when the handler does not read, and resumes it when it does', async () => {
    const { body, source } = bodyOf()
    body.push(new Uint8Array(PART))
    expect(source.pause).not.toHaveBeenCalled()
    body.push(new Uint8Array(PART))
    body.push(new Uint8Array(PART))
    expect(source.pause).toHaveBeenCalledTimes(1)
    expect(source.resume).not.toHaveBeenCalled()
    const reader = body.stream.getReader()
    for (let part = 0; part < 3; part++) await reader.read()
    expect(source.resume).toHaveBeenCalledTimes(1)
  })

  it('fails its stream at once when it grows over the limit, and reports when it has ended', async () => {
    const { body, source } = bodyOf()
    const reading = new Response(body.stream).text()
    body.push(new Uint8Array(LIMIT))
    expect(body.exceeded).toBe(false)
    body.push(new Uint8Array(1))
    expect(body.exceeded).toBe(true)
    await expect(reading).rejects.toMatchObject({ code: 'message_too_large' })
    body.end()
    expect(await body.tooLarge).toMatchObject({ status: 413 })
    expect([body.endless, vi.mocked(source.cut).mock.calls.length]).toEqual([false, 0])
  })

  it('reports without waiting when the declared length is more than it would throw away', async () => {
    const { body } = bodyOf(100 * MIB)
    expect(body.endless).toBe(true)
    expect(await body.tooLarge).toMatchObject({ code: 'message_too_large' })
  })

  it('cuts a client that goes on sending after it was told', async () => {
    const { body, source } = bodyOf()
    for (let sent = 0; sent < 5; sent++) body.push(new Uint8Array(MIB))
    expect(await body.tooLarge).toMatchObject({ code: 'message_too_large' })
    expect(source.cut).not.toHaveBeenCalled()
    for (let sent = 0; sent < 5; sent++) body.push(new Uint8Array(MIB))
    expect(source.cut).toHaveBeenCalled()
  })

  it('lets the rest flow when it is discarded', () => {
    const { body, source } = bodyOf()
    for (let part = 0; part < 3; part++) body.push(new Uint8Array(PART))
    body.discard()
    expect(source.resume).toHaveBeenCalledTimes(1)
    body.push(new Uint8Array(PART))
    body.end()
  })

  it('lets the rest flow when its reader cancels', async () => {
    const { body, source } = bodyOf()
    for (let part = 0; part < 3; part++) body.push(new Uint8Array(PART))
    await body.stream.cancel()
    expect(source.resume).toHaveBeenCalledTimes(1)
  })

  it('fails its stream when the sender leaves half-way', async () => {
    const { body } = bodyOf()
    const reading = new Response(body.stream).text()
    body.push(new Uint8Array(1))
    body.fail(new Error('gone'))
    await expect(reading).rejects.toThrow('gone')
  })
})
