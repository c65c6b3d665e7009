// @vitest-environment happy-dom
import { describe, expect, it } from 'vitest'
import { shortTime, TimeLabel } from '../../clients/ui/time-label.ts'

const NOW = new Date(2026, 5, 15, 12, 0)

describe('when something was said', () => {
  it('is the time today, with the day before that, with the year in another', () => {
    const today = shortTime(new Date(2026, 5, 15, 9, 7), NOW)
    expect(today).toMatch(/9\D07/)
    expect(today).not.toMatch(/15|2026/)
    const earlier = shortTime(new Date(2026, 5, 14, 9, 7), NOW)
    expect(earlier).toMatch(/14/)
    expect(earlier).not.toMatch(/2026/)
    expect(shortTime(new Date(2025, 5, 15, 9, 7), NOW)).toMatch(/2025/)
  })

  it('says nothing of what is no time', () => {
    const label = new TimeLabel()
    label.set('2026-06-15T09:07:00.000Z')
    expect(label.element.hidden).toBe(false)
    expect(label.element.getAttribute('datetime')).toBe('2026-06-15T09:07:00.000Z')
    label.set('yesterday')
    expect(label.element.hidden).toBe(true)
    label.set(undefined)
    expect(label.element.hidden).toBe(true)
  })
})
