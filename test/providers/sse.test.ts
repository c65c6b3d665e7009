import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { SseParser } from '../../src/providers/sse.ts'

function parse(...chunks: readonly (string | Buffer)[]): string[] {
  const found: string[] = []
  const parser = new SseParser((data) => found.push(data))
  for (const chunk of chunks) parser.read(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
  return found
}

test('data is given event by event, whatever stands around it', () => {
  expect(parse(': hi\nevent: a\nid: 1\ndata: one\n\ndata:two\nretry: 5\n\n\n\n')).toEqual(['one', 'two'])
})

test('lines of one event are joined by a line feed', () => {
  expect(parse('data: one\ndata:  two\n\n')).toEqual(['one\n two'])
})

test('an event without data and one that is not at its end are not given', () => {
  expect(parse('event: ping\n\ndata:\n\ndata: cut\n')).toEqual([])
})

test.each(['', '\n', '\r\n', '\n\n'])('the end of the body ends the last event, once, with %j behind it', (ending) => {
  const found: string[] = []
  const parser = new SseParser((data) => found.push(data))
  parser.read(Buffer.from(`data: one\n\ndata: two${ending}`))
  parser.end()
  expect(found).toEqual(['one', 'two'])
})

test('CRLF ends a line, also when it is split between chunks', () => {
  expect(parse('data: one\r', '\n\r', '\ndata: two\r\n\r\n')).toEqual(['one', 'two'])
})

test('a mark of the byte order before the first line is passed over', () => {
  expect(parse('\u{feff}data: one\n\n')).toEqual(['one'])
})

test('an event is the same wherever its bytes are split', () => {
  fc.assert(
    fc.property(fc.array(fc.json({ noUnicodeString: false })), fc.infiniteStream(fc.nat(9)), (events, cuts) => {
      const bytes = Buffer.from(events.map((event) => `data: ${event}\n\n`).join(''))
      const chunks: Buffer[] = []
      for (let at = 0; at < bytes.length; ) {
        const size = 1 + cuts.next().value
        chunks.push(bytes.subarray(at, at + size))
        at += size
      }
      expect(parse(...chunks)).toEqual(events)
    }),
  )
})

test('a line as long as any may be is whole in however small pieces it comes', () => {
  const text = 'x'.repeat(4 * 1024 * 1024 - 10)
  const bytes = Buffer.from(`data: ${text}\n\ndata: next\n\n`)
  const pieces = Array.from({ length: Math.ceil(bytes.length / 100) }, (_, at) =>
    bytes.subarray(at * 100, (at + 1) * 100),
  )
  expect(parse(...pieces)).toEqual([text, 'next'])
})

test('a line or an event that never ends is refused instead of kept (I7)', () => {
  const megabyte = 'x'.repeat(1024 * 1024)
  expect(() => parse(...Array.from({ length: 6 }, () => megabyte))).toThrow('too long')
  expect(() => parse(...Array.from({ length: 6 }, () => `data: ${megabyte}\n`))).toThrow('too long')
})
