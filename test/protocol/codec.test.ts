import { describe, expect, it } from 'vitest'
import {
  type DecodedCommand,
  decodeCommand,
  decodeServerFrame,
  encodeControl,
  encodeEvent,
  encodeSyntheticEvent,
  isDeeperThan,
} from '../../src/protocol/codec.ts'
import type { CommandType } from '../../src/protocol/commands.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import { MAX_JSON_DEPTH, MAX_NAME_LENGTH, MAX_PAGE_MESSAGES, MAX_TITLE_LENGTH } from '../../src/protocol/limits.ts'
import { COMMANDS, CONTROL_FRAMES, EVENTS } from './samples.ts'

function decode(frame: unknown): DecodedCommand {
  return decodeCommand(JSON.stringify(frame))
}

/** The command, or the sentence of the refusal. */
function read(frame: unknown): unknown {
  const decoded = decode(frame)
  return decoded.ok ? decoded.command : decoded.error.message
}

const NUL = '\u0000'
const HALF = '\uD800'
const TEXT = 'must be a string or an array of text parts'
const UNSTORABLE = 'must not hold NUL or lone surrogates'

describe('decodeCommand', () => {
  it.each(Object.entries(COMMANDS))('reads %s with every field that it may have', (type, frame) => {
    expect(decode(frame)).toMatchObject({ ok: true, command: { type, id: 'command-1' } })
  })

  it('joins the text parts of a message and says what was left out (P-50)', () => {
    expect(read(COMMANDS['message.send'])).toMatchObject({ content: 'What is 2 + 2?', policy: 'interrupt' })
    expect(read({ type: 'message.send', clientMessageId: 'a', content: ' x ' })).toEqual({
      type: 'message.send',
      clientMessageId: 'a',
      content: ' x ',
      policy: 'enqueue',
    })
  })

  it('fills in the defaults of the other commands', () => {
    expect(read({ type: 'run.cancel' })).toEqual({ type: 'run.cancel', all: false })
    expect(read({ type: 'history.get' })).toEqual({ type: 'history.get', limit: MAX_PAGE_MESSAGES })
    expect(read({ type: 'session.update' })).toEqual({ type: 'session.update' })
    expect(read({ type: 'pong' })).toEqual({ type: 'pong' })
  })

  it('takes fields that it does not know for absent (P-3)', () => {
    expect(read({ type: 'run.cancel', all: true, reason: 'bored' })).toEqual({ type: 'run.cancel', all: true })
  })

  it('trims a title, spells a chain as text, and keeps the null that unbinds a wallet (P-47)', () => {
    expect(read({ type: 'session.update', title: ' Sums ' })).toMatchObject({ title: 'Sums' })
    expect(read({ type: 'session.update', wallet: { address: '0xabc', chain: 1 } })).toMatchObject({
      wallet: { address: '0xabc', chain: '1' },
    })
    expect(read({ type: 'session.update', wallet: null })).toMatchObject({ wallet: null })
  })
})

/** Each: the command, what is changed in a valid one (undefined leaves the field out), and what the refusal says. */
const BAD: readonly (readonly [CommandType, Record<string, unknown>, string])[] = [
  ['message.send', { clientMessageId: undefined }, 'clientMessageId: is missing'],
  ['message.send', { clientMessageId: '' }, 'clientMessageId: must be 1 to 64'],
  ['message.send', { clientMessageId: 'a'.repeat(65) }, 'clientMessageId: must be 1 to 64'],
  ['message.send', { clientMessageId: 'a b' }, 'clientMessageId: must be 1 to 64'],
  ['message.send', { clientMessageId: 7 }, 'clientMessageId: must be a string'],
  ['message.send', { clientMessageId: null }, 'clientMessageId: must be a string'],
  ['message.send', { content: undefined }, 'content: is missing'],
  ['message.send', { content: '' }, 'content: must not be empty'],
  ['message.send', { content: ' \n\t' }, 'content: must not be empty'],
  ['message.send', { content: [] }, 'content: must not be empty'],
  ['message.send', { content: [{ type: 'text', text: ' ' }] }, 'content: must not be empty'],
  ['message.send', { content: [{ type: 'image', source: {} }] }, `content: ${TEXT}`],
  ['message.send', { content: 7 }, `content: ${TEXT}`],
  ['message.send', { content: `a${NUL}` }, `content: ${UNSTORABLE}`],
  ['message.send', { content: `a${HALF}` }, `content: ${UNSTORABLE}`],
  ['message.send', { content: [{ type: 'text', text: NUL }] }, `content: ${TEXT}`],
  ['message.send', { policy: 'later' }, 'policy: must be one of enqueue, reject, interrupt'],
  ['message.send', { replaces: '' }, 'replaces: must be 1 to 64'],
  ['message.send', { id: 'no spaces' }, 'id: must be 1 to 64'],
  ['run.cancel', { runId: '' }, 'runId: must not be empty'],
  ['run.cancel', { runId: 'r'.repeat(MAX_NAME_LENGTH + 1) }, `runId: must have at most ${MAX_NAME_LENGTH} characters`],
  ['run.cancel', { all: 'yes' }, 'all: must be true or false'],
  ['run.retry', { runId: undefined }, 'runId: is missing'],
  ['run.resume', { resume: undefined }, 'resume: is missing'],
  ['run.resume', { resume: [] }, 'resume: must not be empty'],
  [
    'run.resume',
    { resume: [{ interruptId: 'a', status: 'maybe' }] },
    'resume.0.status: must be one of resolved, cancelled',
  ],
  [
    'run.resume',
    { resume: Array.from({ length: MAX_PAGE_MESSAGES + 1 }, () => ({ interruptId: 'a', status: 'resolved' })) },
    `resume: must have at most ${MAX_PAGE_MESSAGES} entries`,
  ],
  ['tool.claim', { toolCallId: undefined }, 'toolCallId: is missing'],
  ['tool.result', { content: undefined }, 'content: is missing'],
  ['tool.result', { content: NUL }, `content: ${UNSTORABLE}`],
  ['tool.result', { error: HALF }, `error: ${UNSTORABLE}`],
  ['session.update', { title: '  ' }, 'title: must not be empty'],
  [
    'session.update',
    { title: 't'.repeat(MAX_TITLE_LENGTH + 1) },
    `title: must have at most ${MAX_TITLE_LENGTH} characters`,
  ],
  ['session.update', { title: null }, 'title: must be a string'],
  ['session.update', { wallet: { address: 'not an address', chain: 1 } }, 'wallet.address: must be a wallet address'],
  ['session.update', { wallet: { address: '0xabc', chain: -1 } }, 'wallet.chain: must be at least 0'],
  ['session.update', { wallet: { address: '0xabc', chain: 'a b' } }, 'wallet.chain: must be a chain'],
  ['session.update', { wallet: { address: '0xabc' } }, 'wallet.chain: is missing'],
  ['session.update', { model: '' }, 'model: must not be empty'],
  ['history.get', { limit: 0 }, 'limit: must be at least 1'],
  ['history.get', { limit: 1.5 }, 'limit: must be a whole number'],
  ['history.get', { limit: MAX_PAGE_MESSAGES + 1 }, `limit: must be at most ${MAX_PAGE_MESSAGES}`],
  ['history.get', { before: '' }, 'before: must not be empty'],
]

describe('decodeCommand refuses with bad_frame and the name of the field (P-10)', () => {
  it.each(BAD)('%s with %j', (type, change, sentence) => {
    const decoded = decode({ ...COMMANDS[type], ...change })
    expect(decoded).toMatchObject({ ok: false, error: { code: 'bad_frame' } })
    expect(decoded.ok ? '' : decoded.error.message).toContain(sentence)
  })

  it.each([
    ['text that is no JSON', '{"type":"pong"', 'not JSON'],
    ['nothing', '', 'not JSON'],
    ['two values', '{"type":"pong"}{"type":"pong"}', 'not JSON'],
    ['a string', '"pong"', 'not an object'],
    ['a number', '7', 'not an object'],
    ['null', 'null', 'not an object'],
    ['an array', '[{"type":"pong"}]', 'Unknown type'],
    ['an object without a type', '{}', 'Unknown type'],
    ['a type of the wrong type', '{"type":7}', 'Unknown type'],
    ['a type that the server only sends', '{"type":"ack"}', 'Unknown type'],
    ['a type in capitals', '{"type":"PONG"}', 'Unknown type'],
    ['a type that objects inherit', '{"type":"constructor"}', 'Unknown type'],
    ['a RunAgentInput, which is not served', '{"threadId":"t","runId":"r","messages":[]}', 'Unknown type'],
    ['an abort as other clients say it', '{"type":"abort","runId":"r"}', 'Unknown type'],
  ])('%s', (_name, text, sentence) => {
    const decoded = decodeCommand(text)
    expect(decoded).toMatchObject({ ok: false, error: { code: 'bad_frame' } })
    expect(decoded.ok ? '' : decoded.error.message).toContain(sentence)
  })
})

describe('the ref of a refused frame (P-5)', () => {
  it.each([
    ['both ids', { type: 'message.send', id: 'a', clientMessageId: 'b' }, { ref: 'a', clientMessageId: 'b' }],
    ['the id of an unknown type', { type: 'nothing', id: 'a' }, { ref: 'a' }],
    ['the readable one of two', { type: 'message.send', id: 'a b', clientMessageId: 'b' }, { clientMessageId: 'b' }],
    ['nothing when neither can be read', { type: 'message.send', id: 7, clientMessageId: '' }, {}],
    ['nothing of an array', [{ id: 'a' }], {}],
    ['nothing of null', null, {}],
  ])('says %s', (_name, frame, ref) => {
    const decoded = decode(frame)
    expect(decoded).toMatchObject({ ok: false })
    expect(decoded.ok ? undefined : decoded.ref).toEqual(ref)
  })

  it('says nothing of a frame that is too deep or not JSON', () => {
    const deep = `{"id":"a","x":${'['.repeat(MAX_JSON_DEPTH)}${']'.repeat(MAX_JSON_DEPTH)}}`
    for (const text of [deep, '{"id":"a"'])
      expect(decodeCommand(text)).toMatchObject({ ok: false, ref: {}, error: { code: 'bad_frame' } })
  })
})

describe('the depth of a frame (P-11)', () => {
  const nested = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`

  it('is served up to the limit and refused above it', () => {
    const payload = (levels: number): string =>
      `{"type":"run.resume","resume":[{"interruptId":"a","status":"resolved","payload":${nested(levels)}}]}`
    const around = 3
    expect(decodeCommand(payload(MAX_JSON_DEPTH - around))).toMatchObject({ ok: true })
    const refused = decodeCommand(payload(MAX_JSON_DEPTH - around + 1))
    expect(refused.ok ? '' : refused.error.message).toBe(`JSON nests deeper than ${MAX_JSON_DEPTH}`)
  })

  it('is bounded before anything is parsed', () => {
    const refused = decodeCommand('['.repeat(1_000_000))
    expect(refused.ok ? '' : refused.error.message).toContain('deeper')
  })

  it.each([
    ['brackets in a string do not count', '"[[[["', 0, false],
    ['a quote that is escaped does not end a string', '"\\"[[["', 0, false],
    ['a backslash that is escaped does end one', '"\\\\"[', 0, true],
    ['objects and arrays count alike', '{"a":[{}]}', 2, true],
    ['closed brackets do not add up', '[[],[],[]]', 2, false],
  ])('%s', (_name, text, limit, deeper) => {
    expect(isDeeperThan(text, limit)).toBe(deeper)
  })
})

describe('server frames (P-2)', () => {
  it.each(Object.entries(CONTROL_FRAMES))('%s comes out of the codec as it went in', (_type, frame) => {
    expect(decodeServerFrame(encodeControl(frame))).toEqual(frame)
  })

  it.each(EVENTS.map((event) => [event.type, event] as const))('%s travels in an envelope (P-4)', (_type, event) => {
    expect(decodeServerFrame(encodeEvent('3f9c2a7b41d0', 17, event))).toEqual({ id: '3f9c2a7b41d0-17', chunk: event })
    expect(decodeServerFrame(encodeSyntheticEvent(event))).toEqual({ chunk: event })
  })

  it('passes over frames and events of a newer server (P-3)', () => {
    expect(decodeServerFrame('{"type":"session.moved"}')).toBeUndefined()
    expect(decodeServerFrame('{"id":"e-1","chunk":{"type":"STEP_STARTED","stepName":"a"}}')).toBeUndefined()
    expect(decodeServerFrame('{"type":"ping","at":7}')).toEqual({ type: 'ping' })
  })

  it('throws at what is no JSON', () => {
    expect(() => decodeServerFrame('{')).toThrow(ParleyError)
  })
})
