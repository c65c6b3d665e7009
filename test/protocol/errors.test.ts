import { describe, expect, it } from 'vitest'
import { check } from '../../src/protocol/check.ts'
import {
  ERRORS,
  type ErrorCode,
  isRetryableClose,
  ParleyError,
  toErrorBody,
  toParleyError,
} from '../../src/protocol/errors.ts'
import { AppIdSchema } from '../../src/protocol/ids.ts'

type Row = { readonly status: number; readonly close?: number; readonly retryable: boolean; readonly message: string }

const rows: readonly (readonly [string, Row])[] = Object.entries(ERRORS)
const closing = rows.flatMap(([code, row]) => (row.close === undefined ? [] : [{ code, ...row, close: row.close }]))

/** Close codes of the registry, which are not 4000 + status. */
const REGISTERED: Readonly<Record<string, number>> = { draining: 1012, overloaded: 1013 }
const FINAL_BUT_FOR = [4408, 4429]

describe('the error table (P-85)', () => {
  it.each(rows)('%s: an HTTP status, a sentence, a name', (code, { status, message }) => {
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(600)
    expect(code).toMatch(/^[a-z]+(?:_[a-z]+)*$/)
    expect(message).toMatch(/^[A-Z].{9,80}$/)
  })

  it.each(closing)('$code closes with 4000 + its status, or with its registered code', ({ code, status, close }) => {
    expect(close).toBe(REGISTERED[code] ?? 4000 + status)
  })

  it.each(closing)('$code: $close is final exactly when it must not be retried (P-24)', ({ close, retryable }) => {
    expect(isRetryableClose(close)).toBe(retryable)
    const final = close >= 4400 && close < 4500 && !FINAL_BUT_FOR.includes(close)
    expect(retryable).toBe(!final)
  })

  it('never means both by one close code', () => {
    const verdicts = new Map<number, Set<boolean>>()
    for (const { close, retryable } of closing) verdicts.set(close, (verdicts.get(close) ?? new Set()).add(retryable))
    expect([...verdicts.values()].filter((verdict) => verdict.size > 1)).toEqual([])
  })
})

describe('isRetryableClose (P-24)', () => {
  it.each([
    [1000, true],
    [1001, true],
    [1006, true],
    [1012, true],
    [1013, true],
    [4399, true],
    [4400, false],
    [4408, true],
    [4429, true],
    [4499, false],
    [4500, true],
    [4503, true],
  ])('%i: %s', (code, retryable) => {
    expect(isRetryableClose(code)).toBe(retryable)
  })
})

const isCode = (text: string): text is ErrorCode => text in ERRORS
const CODES = Object.keys(ERRORS).filter(isCode)

describe('ParleyError', () => {
  it.each(CODES)('%s carries its row', (code) => {
    const error = new ParleyError(code)
    const row: Row = ERRORS[code]
    expect(error).toMatchObject({ code, message: row.message, status: row.status, retryable: row.retryable })
    expect(error.closeCode).toBe(row.close ?? 4500)
    expect(error.retryAfterMs).toBeUndefined()
  })

  it('takes another sentence, a time to come back and a cause that stays inside', () => {
    const cause = new Error('password authentication failed')
    const error = new ParleyError('store_unavailable', { message: 'Not now', retryAfterMs: 1500, cause })
    expect(error).toMatchObject({ message: 'Not now', retryAfterMs: 1500, cause })
    expect(JSON.stringify(toErrorBody(error))).not.toContain('password')
  })
})

describe('toParleyError', () => {
  it('keeps a row', () => {
    const error = new ParleyError('forbidden')
    expect(toParleyError(error)).toBe(error)
  })

  it.each([[new Error('SELECT 1')], ['a string'], [undefined], [null]])('wraps %s as a bug, cause kept', (thrown) => {
    const error = toParleyError(thrown)
    expect(error).toMatchObject({ code: 'internal_error', message: ERRORS.internal_error.message })
    expect(error.cause).toBe(thrown)
  })
})

describe('toErrorBody (P-23)', () => {
  it('says code and sentence', () => {
    expect(toErrorBody(new ParleyError('app_not_found'))).toEqual({
      error: { code: 'app_not_found', message: 'No such App' },
    })
  })

  it.each([
    [1, 1],
    [1000, 1],
    [1001, 2],
    [60_000, 60],
  ])('rounds %i ms up to %i s', (retryAfterMs, seconds) => {
    expect(toErrorBody(new ParleyError('rate_limit_exceeded', { retryAfterMs })).error.retry_after).toBe(seconds)
  })
})

describe('check', () => {
  it('gives what the schema reads', () => {
    expect(check(AppIdSchema, 'default', 'app')).toBe('default')
  })

  it('throws bad_request with the name and the fault, never the value', () => {
    const thrown = (): unknown => check(AppIdSchema, 'sk_live_secret', 'app')
    expect(thrown).toThrow(expect.objectContaining({ code: 'bad_request' }))
    expect(thrown).toThrow('app: must be a lower-case name of letters, digits and hyphens')
  })
})
