import { assert, boolean, constant, constantFrom, oneof, property, string } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answerOf, toResult } from '../../clients/core/tool-answer.ts'
import { decodeCommand } from '../../src/protocol/codec.ts'
import { utf8Length } from '../../src/protocol/text.ts'

const FRAME_BYTES = 1024
const MARK = '[The result was longer and is cut here.]'

describe('what a tool of the page made of a call', () => {
  it('is told in a command that the server takes, whatever its text (P-7, P-11)', () => {
    const text = oneof(
      string({ unit: 'binary', maxLength: 1500 }),
      constantFrom('\0', '\ud800', '"', '\u0001', 'é', '😀').map((unit) => unit.repeat(5000)),
      constant(`${'\u0001'.repeat(300)}${'a'.repeat(5000)}`),
    )
    assert(
      property(text, boolean(), (content, failed) => {
        const answer = failed ? { content: '', error: content } : { content }
        const frame = JSON.stringify(toResult('c1', 't1', answer, FRAME_BYTES))
        expect(utf8Length(frame)).toBeLessThanOrEqual(FRAME_BYTES)
        const decoded = decodeCommand(frame)
        if (!decoded.ok || decoded.command.type !== 'tool.result') throw new Error('refused')
        expect('error' in decoded.command).toBe(failed)
      }),
    )
  })

  it('is told as it is where it fits, and is cut no more than it has to be', () => {
    expect(toResult('c1', 't1', { content: 'Bern' }, FRAME_BYTES)).toEqual({
      type: 'tool.result',
      id: 'c1',
      toolCallId: 't1',
      content: 'Bern',
    })
    const frame = JSON.stringify(toResult('c1', 't1', { content: 'a'.repeat(5000) }, FRAME_BYTES))
    expect(frame).toContain(`aaa\\n${MARK}`)
    expect(utf8Length(frame)).toBe(FRAME_BYTES)
  })

  it.each([
    [new Error('not allowed'), 'not allowed'],
    // As of `navigator.geolocation`, which throws no `Error`.
    [{ code: 1, message: 'User denied Geolocation' }, 'User denied Geolocation'],
    ['no', 'no'],
    [undefined, 'undefined'],
    [Object.create(null), 'The tool failed.'],
  ])('is an error with its message where it threw: %j', (thrown, error) => {
    expect(answerOf(thrown)).toEqual({ content: '', error })
  })
})
