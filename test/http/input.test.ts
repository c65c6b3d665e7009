import { Hono } from 'hono'
import { beforeEach, describe, expect, it } from 'vitest'
import { readJson } from '../../src/http/input.ts'
import { type HttpEnv, respondError } from '../../src/http/responses.ts'
import type { LogLevel, Telemetry } from '../../src/ports/telemetry.ts'
import { ParleyError } from '../../src/protocol/errors.ts'

const logged: LogLevel[] = []
const counted: unknown[] = []
const telemetry: Telemetry = {
  log: (level) => void logged.push(level),
  count: (_name, _by, label) => void counted.push(label),
  observe: () => undefined,
  gauge: () => undefined,
}

/** Sends a body that breaks off after its first bytes. */
async function send(fault: Error): Promise<Response> {
  const routes = new Hono<HttpEnv>()
  routes.onError((thrown) => respondError(thrown, telemetry))
  routes.post('/', async (c) => Response.json(await readJson(c)))
  let parts = 0
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => (parts++ === 0 ? controller.enqueue(Buffer.from('{')) : controller.error(fault)),
  })
  const headers = { 'content-type': 'application/json' }
  return routes.fetch(new Request('http://a/', { method: 'POST', headers, body, duplex: 'half' }))
}

describe('the JSON body of a request', () => {
  beforeEach(() => {
    logged.length = counted.length = 0
  })

  it('that its sender does not finish is a bad request, not a fault of ours', async () => {
    expect((await send(new Error('aborted'))).status).toBe(400)
    expect([logged, counted]).toEqual([['debug'], ['bad_request']])
  })

  it('that the transport finds too large is told as such', async () => {
    expect((await send(new ParleyError('message_too_large'))).status).toBe(413)
    expect([logged, counted]).toEqual([[], ['message_too_large']])
  })
})
