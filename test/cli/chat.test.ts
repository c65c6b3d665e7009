import { EventEmitter } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { chatOn, comeBack } from '../../src/cli/chat.ts'
import { webSocketUrl } from '../../src/cli/chat-link.ts'
import { runCli } from '../../src/cli/cli.ts'
import type { Command } from '../../src/protocol/commands.ts'
import type { Pending, RunOutcome } from '../../src/protocol/frames.ts'
import { ChatServer, RUN, SESSION, type ServerSide } from './chat-server.ts'
import { FakeTerminal } from './fakes.ts'

let server: ChatServer
let terminal: FakeTerminal
let signals: EventEmitter

beforeEach(async () => {
  // Comes back at once.
  vi.spyOn(Math, 'random').mockReturnValue(0)
  server = new ChatServer()
  terminal = new FakeTerminal()
  signals = new EventEmitter()
  await server.listen()
})
afterEach(() => server.close())

function chat(...options: string[]): Promise<number> {
  const argv = ['chat', '--url', server.url, '--session', SESSION, ...options]
  return runCli(argv, terminal, { chat: chatOn(signals) })
}

function backHere(): string {
  return `To come back: parley chat --url ${server.url}/ws --app default --session ${SESSION}`
}

function idOf(command: Command): string {
  if (command.type !== 'message.send') throw new Error(`${command.type} is no send`)
  return command.clientMessageId
}

/** Accepts the next message and begins to answer it. */
async function answer(side: ServerSide, text: string): Promise<string> {
  const clientMessageId = idOf(await side.heard())
  side.say({ type: 'ack', clientMessageId, runId: RUN, state: 'started', duplicate: false })
  side.status('processing')
  side.event({ type: 'RUN_STARTED', threadId: SESSION, runId: RUN }, 1)
  side.event({ type: 'TEXT_MESSAGE_START', messageId: 'm1', role: 'assistant' }, 2)
  side.event({ type: 'TEXT_MESSAGE_CONTENT', messageId: 'm1', delta: text }, 3)
  await terminal.shows(text)
  return clientMessageId
}

function finish(side: ServerSide, outcome: 'success' | 'cancelled' | 'interrupted' = 'success'): void {
  side.event({ type: 'TEXT_MESSAGE_END', messageId: 'm1' }, 90)
  const type = outcome === 'success' ? 'success' : 'cancelled'
  side.event({ type: 'RUN_FINISHED', threadId: SESSION, runId: RUN, outcome: { type } }, 91)
  over(side, outcome)
}

/** Nothing is on any more. */
function over(side: ServerSide, outcome: RunOutcome, runId = RUN): void {
  const status = outcome === 'success' || outcome === 'error' ? 'idle' : 'interrupted'
  side.say({ type: 'session.status', status, queued: 0, queue: [], lastRun: { runId, outcome } })
}

describe('parley chat', () => {
  it('says a line, streams the answer and leaves after the last one when its input ends', async () => {
    const done = chat()
    const side = await server.accepted()
    side.ready()
    terminal.input.end('Hello\n')
    await answer(side, 'Good day')
    side.event({ type: 'TEXT_MESSAGE_CONTENT', messageId: 'm1', delta: ' to you' }, 4)
    await terminal.shows('Good day to you')
    finish(side)
    expect(await done).toBe(0)
    expect(terminal.screen).toBe('Good day to you\n')
    expect(terminal.errLines).toEqual([backHere()])
  })

  it('offers the session as a subprotocol and the key as a header, never in the address', async () => {
    terminal.env['PARLEY_KEY'] = 'sk_live_abc'
    const done = chat('--app', 'shop')
    const side = await server.accepted()
    expect(side.query.get('app')).toBe('shop')
    expect(side.request.url).not.toContain('sk_live')
    expect(side.request.headers['x-api-key']).toBe('sk_live_abc')
    expect(side.request.headers['sec-websocket-protocol']).toBe(`parley.v1,parley.session.${SESSION}`)
    expect(side.request.headers.origin).toBeUndefined()
    side.ready()
    terminal.input.end()
    expect(await done).toBe(0)
  })

  it('shows tool calls with what they were given and what they gave', async () => {
    const done = chat()
    const side = await server.accepted()
    side.ready()
    terminal.input.write('2+2\n')
    await answer(side, 'Let me see.')
    side.event({ type: 'TOOL_CALL_START', toolCallId: 't', toolCallName: 'calculate' }, 4)
    side.event({ type: 'TOOL_CALL_ARGS', toolCallId: 't', delta: '{"expression":' }, 5)
    side.event({ type: 'TOOL_CALL_ARGS', toolCallId: 't', delta: '"2+2"}' }, 6)
    side.event({ type: 'TOOL_CALL_END', toolCallId: 't' }, 7)
    side.event({ type: 'TOOL_CALL_RESULT', messageId: 'r', toolCallId: 't', content: '4', role: 'tool' }, 8)
    finish(side)
    terminal.input.end()
    expect(await done).toBe(0)
    expect(terminal.screen).toBe('Let me see.\n  calculate {"expression":"2+2"}\n  → 4\n')
  })

  it('asks about calls that wait for a person, and tells the server their word', async () => {
    const done = chat()
    const side = await server.accepted()
    side.ready()
    terminal.input.write('y\n')
    expect(await side.heard()).toMatchObject({ type: 'message.send', content: 'y' })
    const waits = (...calls: readonly (readonly [string, Pending['kind']])[]): void => {
      const pending = calls.map(([toolCallId, kind]) => ({ toolCallId, toolName: 'refund', runId: RUN, kind }))
      side.say({ type: 'session.status', status: 'idle', queued: 0, queue: [], pending })
    }
    waits(['t1', 'approval'], ['t2', 'approval'])
    await terminal.shows('allow refund? y or n')
    terminal.input.write('Yes\n')
    const answer = { status: 'resolved', payload: { approved: true } }
    expect(await side.heard()).toMatchObject({ type: 'run.resume', resume: [{ interruptId: 't1', ...answer }] })
    waits(['t2', 'approval'])
    waits(['t2', 'approval'])
    waits(['t3', 'client'])
    await terminal.shows('refund waits for a page')
    expect(terminal.screen.match(/allow refund/g)).toHaveLength(2)
    terminal.input.write('no\n')
    expect(await side.heard()).toMatchObject({ type: 'message.send', content: 'no' })
    side.close(4403)
    expect(await done).toBe(1)
  })

  it('Ctrl-C stops the answer, a second one leaves', async () => {
    Object.assign(terminal.output, { isTTY: true })
    const done = chat()
    const side = await server.accepted()
    side.ready()
    terminal.input.write('Count\r')
    await answer(side, 'One, two')
    terminal.input.write('\u0003')
    expect(await side.heard()).toMatchObject({ type: 'run.cancel', all: true })
    finish(side, 'cancelled')
    await terminal.shows('stopped')
    terminal.input.write('Again\r')
    await answer(side, 'Three')
    terminal.input.write('\u0003')
    await side.heard()
    terminal.input.write('\u0003')
    expect(await done).toBe(0)
  })

  it('comes back with its cursor, says again what was not acknowledged and goes on where the text stopped', async () => {
    const done = chat()
    const first = await server.accepted()
    first.ready()
    terminal.input.write('Count\n')
    const sent = await answer(first, 'One, ')
    terminal.input.write('And then?\n')
    const unheard = idOf(await first.heard())
    first.cut()
    await terminal.shows('the connection is lost')
    const second = await server.accepted()
    expect(second.query.get('cursor')).toBe('e-3')
    second.ready({ resumed: 'snapshot', seq: 7, status: 'processing', runId: RUN })
    expect(idOf(await second.heard())).toBe(unheard)
    const metadata = { runId: RUN, createdAt: '2026-01-01T00:00:00.000Z' }
    second.say({
      type: 'session.snapshot',
      hasMore: false,
      messages: [
        { id: sent, role: 'user', content: 'Count', metadata },
        { id: 'm1', role: 'assistant', content: 'One, two, ', metadata },
      ],
    })
    second.event({ type: 'RUN_STARTED', threadId: SESSION, runId: RUN })
    second.event({ type: 'TEXT_MESSAGE_START', messageId: 'm1', role: 'assistant' })
    second.event({ type: 'TEXT_MESSAGE_CONTENT', messageId: 'm1', delta: 'three' }, 8)
    await terminal.shows('two, three')
    expect(terminal.screen).toBe('One, \n· the connection is lost; trying again\ntwo, three')
    second.cut()
    const third = await server.accepted()
    expect(third.query.get('cursor')).toBe('e-8')
    third.ready({ resumed: 'tail', seq: 8, status: 'processing' })
    expect(idOf(await third.heard())).toBe(unheard)
    third.say({ type: 'ack', clientMessageId: unheard, runId: 'run-2', state: 'queued', duplicate: true })
    third.event({ type: 'RUN_FINISHED', threadId: SESSION, runId: RUN, outcome: { type: 'success' } }, 9)
    over(third, 'success', 'run-2')
    terminal.input.end()
    expect(await done).toBe(0)
  })

  it('shows what another tab says, and a name that is given', async () => {
    const done = chat()
    const side = await server.accepted()
    side.ready()
    const metadata = { runId: RUN, createdAt: '2026-01-01T00:00:00.000Z' }
    const messages = [{ id: 'other', role: 'user', content: 'From the phone', metadata } as const]
    const input = { threadId: SESSION, runId: RUN, messages, tools: [], context: [] }
    side.event({ type: 'RUN_STARTED', threadId: SESSION, runId: RUN, input }, 1)
    side.say({ type: 'session.updated', title: 'Travel' })
    await terminal.shows('> From the phone\n· title: Travel')
    terminal.input.end()
    expect(await done).toBe(0)
  })

  it('P-14: says nothing before the server is ready, and then once', async () => {
    const done = chat()
    const side = await server.accepted()
    side.say({ type: 'session.updated', title: 'Open' })
    await terminal.shows('title: Open')
    terminal.input.write('Hello\n')
    side.say({ type: 'session.updated', title: 'Typed' })
    await terminal.shows('title: Typed')
    side.ready()
    terminal.input.write('Again\n')
    expect(await side.heard()).toMatchObject({ content: 'Hello' })
    expect(await side.heard()).toMatchObject({ content: 'Again' })
    signals.emit('SIGINT')
    expect(await done).toBe(0)
  })

  it('says as many lines of a file as the session has room for, the next one when an answer has ended', async () => {
    const done = chat()
    const side = await server.accepted()
    side.ready({ limits: { frameBytes: 65_536, messageBytes: 32_768, queuedSends: 0, pageMessages: 100 } })
    terminal.input.end('One\nTwo\n')
    await answer(side, 'Good day')
    const second = side.heard()
    expect(await Promise.race([second, Promise.resolve('nothing yet')])).toBe('nothing yet')
    finish(side)
    const clientMessageId = idOf(await second)
    side.say({ type: 'ack', clientMessageId, runId: 'second', state: 'started', duplicate: false })
    over(side, 'success', 'second')
    expect(await done).toBe(0)
  })

  it('lets nothing that the server says move the terminal', async () => {
    const done = chat()
    const side = await server.accepted()
    side.ready()
    side.raw('not JSON')
    side.raw('{"type":"of.the.future"}')
    side.event({ type: 'TEXT_MESSAGE_CONTENT', messageId: 'm1', delta: 'a\u001b[2J\u009b1mb\r\u0007c\n' }, 1)
    await terminal.shows('a[2J1mbc\n')
    terminal.input.end()
    expect(await done).toBe(0)
  })
})

describe('parley chat is told to stop', () => {
  it('SIGINT stops the answer without a terminal; it leaves when that has ended', async () => {
    const done = chat()
    const side = await server.accepted()
    side.ready()
    terminal.input.end('Count\n')
    await answer(side, 'One, two')
    signals.emit('SIGINT')
    expect(await side.heard()).toMatchObject({ type: 'run.cancel', all: true })
    finish(side, 'cancelled')
    expect(await done).toBe(1)
    expect(terminal.screen).toBe('One, two\n· stopped\n')
    expect(terminal.errLines).toEqual([backHere(), 'parley chat: not every message got a whole answer'])
  })

  it('a second SIGINT leaves, and nobody listens to signals any more', async () => {
    const done = chat()
    const side = await server.accepted()
    side.ready()
    terminal.input.write('Count\n')
    await answer(side, 'One, two')
    signals.emit('SIGINT')
    await side.heard()
    signals.emit('SIGINT')
    expect(await done).toBe(0)
    expect(terminal.errLines).toEqual([backHere()])
    expect(signals.eventNames()).toEqual([])
  })

  it('a stop that the lost connection did not carry is said again', async () => {
    const done = chat()
    const first = await server.accepted()
    first.ready()
    terminal.input.write('Count\n')
    await answer(first, 'One, two')
    first.cut()
    await terminal.shows('the connection is lost')
    signals.emit('SIGINT')
    const second = await server.accepted()
    second.ready({ resumed: 'tail', seq: 3, status: 'processing', runId: RUN })
    expect(await second.heard()).toMatchObject({ type: 'run.cancel', all: true })
    signals.emit('SIGINT')
    expect(await done).toBe(0)
  })

  it('SIGTERM leaves at once, and it is no success', async () => {
    const done = chat()
    const side = await server.accepted()
    side.ready()
    terminal.input.write('Count\n')
    await answer(side, 'One, two')
    signals.emit('SIGTERM')
    expect(await done).toBe(1)
    expect(terminal.screen).toBe('One, two\n')
    expect(terminal.errLines).toEqual([backHere(), 'parley chat: told to stop (SIGTERM)'])
    expect(signals.eventNames()).toEqual([])
  })

  it('it leaves when nobody reads its output', async () => {
    const done = chat()
    const side = await server.accepted()
    side.ready()
    terminal.input.write('Count\n')
    await answer(side, 'One, two')
    terminal.output.destroy(new Error('write EPIPE'))
    expect(await done).toBe(1)
    expect(terminal.errLines).toEqual([backHere(), 'parley chat: nobody reads what is answered'])
  })
})

describe('parley chat with input that ends', () => {
  it('exits with 1 where an answer failed, and says so once', async () => {
    const done = chat()
    const side = await server.accepted()
    side.ready()
    terminal.input.end('Hello\n')
    await answer(side, 'Well')
    side.event({ type: 'RUN_ERROR', message: 'The model could not answer', code: 'provider_error' }, 9)
    over(side, 'error')
    expect(await done).toBe(1)
    expect(terminal.screen).toBe('Well\n· the run failed: The model could not answer\n')
  })

  it('exits with 1 where the server stopped an answer, and says so once', async () => {
    const done = chat()
    const side = await server.accepted()
    side.ready()
    terminal.input.end('Count\n')
    await answer(side, 'One, two')
    finish(side, 'interrupted')
    expect(await done).toBe(1)
    expect(terminal.screen).toBe('One, two\n· the answer was interrupted\n')
  })

  it('exits with 1 where a crash cut an answer, after all that was saved of it', async () => {
    const done = chat()
    const first = await server.accepted()
    first.ready()
    terminal.input.end('Count\n')
    const sent = await answer(first, 'One, two')
    first.cut()
    const second = await server.accepted()
    const lastRun = { runId: RUN, outcome: 'interrupted' } as const
    second.ready({ resumed: 'snapshot', epoch: 'f', status: 'interrupted', lastRun })
    const metadata = { runId: RUN, createdAt: '2026-01-01T00:00:00.000Z' }
    second.say({
      type: 'session.snapshot',
      hasMore: false,
      messages: [
        { id: sent, role: 'user', content: 'Count', metadata },
        { id: 'm1', role: 'assistant', content: 'One, two, three', metadata: { ...metadata, interrupted: true } },
      ],
    })
    expect(await done).toBe(1)
    expect(terminal.screen).toBe(
      'One, two\n· the connection is lost; trying again\n, three\n· the answer was interrupted\n',
    )
  })

  it('stays until the rest of an answer that ended meanwhile was told', async () => {
    const done = chat()
    const first = await server.accepted()
    first.ready()
    terminal.input.end('Count\n')
    await answer(first, 'One, two')
    first.cut()
    const second = await server.accepted()
    second.ready({ resumed: 'tail', seq: 91, lastRun: { runId: RUN, outcome: 'success' } })
    second.event({ type: 'TEXT_MESSAGE_CONTENT', messageId: 'm1', delta: ', three' }, 89)
    finish(second)
    expect(await done).toBe(0)
    expect(terminal.screen).toContain(', three\n')
  })

  it.each([
    ['that may come again', 'queue_full', true],
    ['that may not', 'message_too_large', false],
  ])('exits with 1 where a message was refused in a way %s', async (_way, code, retryable) => {
    const done = chat()
    const side = await server.accepted()
    side.ready()
    terminal.input.end('Hello\n')
    side.say({ type: 'error', code, message: 'Not now', retryable, clientMessageId: idOf(await side.heard()) })
    expect(await done).toBe(1)
    expect(terminal.screen).toBe('· Not now\n')
  })

  it('says again to the next server what a draining one turned away', async () => {
    const done = chat()
    const first = await server.accepted()
    first.ready()
    terminal.input.end('Hello\n')
    const draining = { type: 'error', code: 'draining', message: 'The server is restarting', retryable: true } as const
    const clientMessageId = idOf(await first.heard())
    first.say({ ...draining, clientMessageId })
    first.close(1012)
    const second = await server.accepted()
    second.ready()
    await answer(second, 'Good day')
    finish(second)
    expect(await done).toBe(0)
  })

  it('exits with 1 where a message is longer than any that the server reads', async () => {
    const done = chat()
    const side = await server.accepted()
    terminal.input.end(`${'x'.repeat(65_536)}\n`)
    side.ready()
    expect(await done).toBe(1)
    expect(terminal.screen).toBe('· The message is too long\n')
  })

  it('exits with 0 where a person at a keyboard ended it', async () => {
    Object.assign(terminal.input, { isTTY: true })
    const done = chat()
    const side = await server.accepted()
    side.ready()
    terminal.input.write('Hello\n')
    await answer(side, 'Well')
    side.event({ type: 'RUN_ERROR', message: 'The model could not answer', code: 'provider_error' }, 9)
    over(side, 'error')
    await terminal.shows('the run failed')
    terminal.input.end()
    expect(await done).toBe(0)
  })
})

describe('the line to come back', () => {
  it.each([
    ['the host', 'localhost:PORT', 'ws://localhost:PORT/ws'],
    ['no key or password', 'ann:pw@127.0.0.1:PORT/parley/ws?key=sk_live_abc', 'ws://127.0.0.1:PORT/parley/ws'],
  ])('names %s', async (_what, place, shown) => {
    const { port } = new URL(server.url)
    const url = `ws://${place.replace('PORT', port)}`
    const done = chat('--url', url, '--key', 'sk_live_abc')
    const side = await server.accepted()
    side.ready()
    terminal.input.end()
    expect(await done).toBe(0)
    expect(terminal.errLines).toEqual([
      `To come back: parley chat --url ${shown.replace('PORT', port)} --app default --session ${SESSION}`,
    ])
  })

  it('leaves out the address that is the default', () => {
    const target = { url: 'ws://127.0.0.1:8080/ws', app: 'default', sessionId: SESSION }
    expect(comeBack(target)).toBe(`To come back: parley chat --app default --session ${SESSION}`)
  })
})

describe('parley chat is refused', () => {
  it('over HTTP with what the server says', async () => {
    server.refusal = { status: 401, body: '{"error":{"code":"unauthorized","message":"Invalid or missing API key"}}' }
    expect(await chat()).toBe(1)
    expect(terminal.errLines).toEqual(['parley chat: Invalid or missing API key'])
  })

  it('over HTTP by someone else with the status', async () => {
    server.refusal = { status: 404, body: '<html>' }
    expect(await chat()).toBe(1)
    expect(terminal.errLines).toEqual(['parley chat: refused (HTTP 404)'])
  })

  it('also where there is nothing to say', async () => {
    server.refusal = { status: 401, body: '{"error":{"code":"unauthorized","message":"Invalid or missing API key"}}' }
    terminal.input.end()
    expect(await chat()).toBe(1)
    expect(terminal.errLines).toEqual(['parley chat: Invalid or missing API key'])
  })

  it('by an error frame and a final close', async () => {
    const done = chat()
    const side = await server.accepted()
    side.say({ type: 'error', code: 'forbidden', message: 'Not here', retryable: false })
    side.close(4403)
    expect(await done).toBe(1)
    expect(terminal.errLines).toEqual(['parley chat: Not here'])
  })

  it('by nobody at all after a second try', async () => {
    const { url } = server
    await server.close()
    expect(await terminal.run('chat', '--url', url)).toBe(1)
    expect(terminal.errLines).toEqual([`parley chat: nobody listens at ${new URL(url).host}`])
    expect(terminal.screen).toBe('· no connection; trying again\n')
    await server.listen()
  })

  it.each([
    ['--url', 'not an address'],
    ['--url', 'ftp://example.com'],
    ['--app', 'No App'],
    ['--session', '7'],
  ])('before it begins for a bad %s', async (option, value) => {
    expect(await terminal.run('chat', option, value)).toBe(2)
    expect(terminal.errLines[0]).toContain(option)
  })
})

describe('the address of a server', () => {
  it.each([
    ['http://127.0.0.1:8080', 'ws://127.0.0.1:8080/ws'],
    ['https://chat.example.com/', 'wss://chat.example.com/ws'],
    ['wss://example.com/parley/ws', 'wss://example.com/parley/ws'],
  ])('%s is reached at %s', (text, url) => {
    expect(webSocketUrl(text)).toBe(url)
  })
})
