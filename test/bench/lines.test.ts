import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import * as fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { EventStream } from '../../bench/load/event-stream.ts'
import type { Wire } from '../../bench/load/line.ts'
import { type Ended, LoadSession, type Sink } from '../../bench/load/session.ts'

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'

function chunked(...texts: string[]): Buffer {
  const chunks = texts.map((text) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
  return Buffer.from(`${HEAD}${chunks.join('')}0\r\n\r\n`)
}

describe('a stream of server-sent events', () => {
  it('is read the same wherever segments and chunks are cut', () => {
    const text = ': open\n\nevent: messages\ndata: {"a":"ü€"}\n\ndata: 1\r\ndata: 2\r\n\r\nid: 7\ndata:x\n\n'
    const expected = [
      ['messages', '{"a":"ü€"}'],
      ['', '1\n2'],
      ['', 'x'],
    ]
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 30 }), (chunk, segment) => {
        const parts = Array.from({ length: Math.ceil(text.length / chunk) }, (_, nth) =>
          text.slice(nth * chunk, (nth + 1) * chunk),
        )
        const bytes = chunked(...parts)
        const read: string[][] = []
        let ends = 0
        const stream = new EventStream({ event: (name, data) => read.push([name, data]), end: () => ends++ })
        for (let at = 0; at < bytes.length; at += segment) stream.read(bytes.subarray(at, at + segment))
        expect(read).toEqual(expected)
        expect(ends).toBe(1)
      }),
    )
  })

  it.each([
    ['a refusal', 'HTTP/1.1 500 Internal Server Error\r\n\r\nno model', 'HTTP/1.1 500 Internal Server Error: no model'],
    ['a body that is not chunked', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc', 'not chunked'],
    ['broken chunks', `${HEAD}xyz\r\n`, 'not chunked as HTTP has it'],
  ])('refuses %s', (_name, text, message) => {
    const stream = new EventStream({ event: () => {}, end: () => {} })
    expect(() => stream.read(Buffer.from(text))).toThrow(message)
  })
})

/** A session that counts; what went wrong is thrown at whoever waits for its run. */
async function sessionAt(server: Server | WebSocketServer, wire: Wire, path = '/') {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server does not listen')
  const { port } = address
  const faults: string[] = []
  let afterAck = 0
  const sink: Sink = {
    token: () => {},
    first: () => {},
    stopped: () => {},
    tokenAfterAck: () => {
      afterAck += 1
    },
    fault: ({ message }) => faults.push(message),
  }
  const session = await LoadSession.open({ port, path, headers: {}, wire }, 'one', undefined, sink)
  const run = (): Promise<Ended> => session.run({ tokens: 3, rate: 0, apart: false, tag: 'test' })
  return { session, run, faults, afterAck: () => afterAck }
}

const servers: (Server | WebSocketServer)[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function answering(
  answer: (body: Readonly<Record<string, unknown>>, response: ServerResponse) => void,
): Promise<Server> {
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    answer(JSON.parse(Buffer.concat(parts).toString()), response)
  }).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return server
}

const say = (response: ServerResponse, ...events: readonly unknown[]): void => {
  for (const event of events) response.write(`data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`)
}

describe('an answer over server-sent events', () => {
  it('of AG-UI is read token by token, and asked for as its clients do', async () => {
    const bodies: unknown[] = []
    const server = await answering((body, response) => {
      bodies.push(body)
      say(response, { type: 'RUN_STARTED' }, { type: 'TEXT_MESSAGE_CONTENT', delta: '0 1 ' })
      say(response, { type: 'TEXT_MESSAGE_CONTENT', delta: '2 ' }, { type: 'RUN_FINISHED' })
      response.end()
    })
    const { run, faults } = await sessionAt(server, 'ag-ui')
    expect(await run()).toMatchObject({ tokens: 3, stopped: false })
    expect(await run()).toMatchObject({ tokens: 3 })
    expect(faults).toEqual([])
    expect(bodies).toMatchObject([{ messages: [{ role: 'user' }], tools: [], context: [] }, {}])
  })

  it('of the AI SDK ends with its finish', async () => {
    const server = await answering((_, response) => {
      say(response, { type: 'start' }, { type: 'text-delta', delta: '0 ' }, { type: 'text-delta', delta: '1 ' })
      say(response, { type: 'finish' }, '[DONE]')
      response.end()
    })
    const { run, faults } = await sessionAt(server, 'ai-sdk')
    expect(await run()).toMatchObject({ tokens: 2 })
    expect(faults).toEqual([])
  })

  it('of LangGraph ends with its response', async () => {
    const server = await answering((_, response) => {
      response.write('event: metadata\r\ndata: {"run_id":"1"}\r\n\r\n')
      response.write('event: messages\r\ndata: [{"content":"0 "},{}]\r\n\r\n')
      response.write('event: messages\r\ndata: [{"content":[{"type":"text","text":"1 "}]},{}]\r\n\r\n')
      response.end()
    })
    const { run, faults } = await sessionAt(server, 'langgraph')
    expect(await run()).toMatchObject({ tokens: 2 })
    expect(faults).toEqual([])
  })

  it('is stopped by closing its connection, and another may follow', async () => {
    let gone = 0
    const server = await answering((_, response) => {
      response.on('close', () => {
        gone += 1
      })
      say(response, { type: 'TEXT_MESSAGE_CONTENT', delta: '0 ' })
    })
    const { session, run, faults } = await sessionAt(server, 'ag-ui')
    for (const nth of [1, 2]) {
      const ended = run()
      await expect.poll(() => session.tokens).toBe(1)
      session.stop()
      expect(await ended).toMatchObject({ tokens: 1, stopped: true })
      await expect.poll(() => gone).toBe(nth)
    }
    expect(faults).toEqual([])
  })

  it.each([
    ['a token out of order', { type: 'TEXT_MESSAGE_CONTENT', delta: '0 2 ' }, 'token 1 expected, got "2"'],
    ['an error of the run', { type: 'RUN_ERROR', message: 'overloaded' }, 'run error: overloaded'],
    [
      'a response that ends too early',
      { type: 'TEXT_MESSAGE_CONTENT', delta: '0 ' },
      'the response ended before the end',
    ],
  ])('with %s is a fault', async (_name, event, message) => {
    const server = await answering((_, response) => {
      say(response, event)
      response.end()
    })
    const { run, faults } = await sessionAt(server, 'ag-ui')
    void run()
    await expect.poll(() => faults[0]).toContain(message)
  })
})

describe('a line to Socket.IO', () => {
  it('connects, asks, answers pings, and stops with an acknowledgement', async () => {
    const said: string[] = []
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    servers.push(server)
    server.on('connection', (socket) => {
      socket.send('0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000}')
      socket.on('message', (data: Buffer) => {
        const text = data.toString()
        said.push(text)
        if (text === '40') socket.send('40{"sid":"y"}')
        if (text.startsWith('42["ask"')) for (const delta of ['0 ', '1 ']) socket.send(`42["token","${delta}"]`)
        if (text.startsWith('42["ask"')) socket.send('2')
        // A token that comes too late, between the acknowledgement and the end.
        if (text.includes('["stop"]')) for (const late of ['430[]', '42["token","2 "]', '42["done"]']) socket.send(late)
      })
    })
    await once(server, 'listening')
    const { session, run, faults, afterAck } = await sessionAt(server, 'socket.io')
    const ended = run()
    await expect.poll(() => said.at(-1)).toBe('3')
    session.stop()
    expect(await ended).toMatchObject({ tokens: 3, stopped: true })
    expect(said.at(-1)).toBe('420["stop"]')
    expect(afterAck()).toBe(1)
    expect(faults).toEqual([])
    session.leave()
  })
})
