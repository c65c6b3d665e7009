import { describe, expect, it } from 'vitest'
import type { ConnectionState } from '../../clients/core/connector.ts'
import { endText, noticeOf } from '../../clients/ui/wording.ts'
import { ERRORS, isRetryableClose } from '../../src/protocol/errors.ts'

const WHY = { code: 'connection_lost', message: 'The connection was lost' }
const waiting: ConnectionState = { phase: 'reconnecting', attempt: 2, inMs: 900, retryAt: 5, why: WHY }

describe('what is said about the connection', () => {
  it('is nothing while all is well', () => {
    expect(noticeOf({ phase: 'ready', draining: false }, 0, true)).toBeUndefined()
  })

  it('is what happened, what the client does, and when', () => {
    const notice = noticeOf(waiting, 0, true)
    expect(notice).toMatchObject({
      text: 'The connection was lost. Reconnecting by itself.',
      attempt: { at: 5 },
      remedies: ['retry'],
    })
    expect(noticeOf(waiting, 0, false)?.text).toMatch(/^This device is offline\./)
    expect(noticeOf(waiting, 2, true)?.text).toContain('2 messages')
    const trying: ConnectionState = { phase: 'connecting', attempt: 2, why: WHY }
    expect(noticeOf(trying, 0, true)).toEqual({ ...notice, attempt: 'now' })
    expect(noticeOf({ phase: 'ready', draining: true }, 0, true)?.text).toContain('restart')
  })

  it('is the server’s own word for a code that it alone knows, whatever that is called', () => {
    for (const code of ['brand_new', 'constructor', 'toString'])
      expect(noticeOf({ phase: 'refused', code, message: 'No more' }, 0, true)).toMatchObject({
        text: 'No more.',
        remedies: ['retry'],
      })
  })

  it('names a way out of every refusal that is final', () => {
    for (const [code, row] of Object.entries(ERRORS)) {
      if (!('close' in row) || isRetryableClose(row.close)) continue
      const notice = noticeOf({ phase: 'refused', code, message: row.message }, 0, true)
      expect(notice?.text).not.toBe('')
      expect(notice?.remedies.length).toBeGreaterThan(0)
    }
  })
})

describe('what is said at the end of a run', () => {
  const end = { kind: 'end' as const, id: 'end:r1', runId: 'r1', isLast: true, waits: false, answers: ['a1'] }

  it('is nothing after an answer, and the reason where there is none', () => {
    expect(endText({ ...end, end: { outcome: 'success' } })).toBe('')
    expect(endText({ ...end, answers: [], end: { outcome: 'success' } })).not.toBe('')
    expect(endText({ ...end, answers: [], waits: true, end: { outcome: 'success' } })).toBe('')
    expect(endText({ ...end, end: { outcome: 'cancelled' } })).toBe('Stopped.')
    expect(endText({ ...end, end: { outcome: 'unfinished' } })).toBe('Not finished.')
    expect(endText({ ...end, end: { outcome: 'error', message: 'The model is overloaded' } })).toBe(
      'The model is overloaded.',
    )
    expect(endText({ ...end, end: { outcome: 'error' } })).not.toContain('undefined')
  })
})
