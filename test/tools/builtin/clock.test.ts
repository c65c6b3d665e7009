import { expect, test } from 'vitest'
import { createClock } from '../../../src/tools/builtin/clock.ts'
import { refusalOf, run } from '../run.ts'

const clock = createClock(() => Date.UTC(2026, 10, 22, 23, 5, 9))

test.each([
  [{ timeZone: 'Europe/Paris' }, 'Monday, 23 November 2026, 00:05:09 (Europe/Paris, GMT+01:00)'],
  [{ timeZone: 'America/New_York' }, 'Sunday, 22 November 2026, 18:05:09 (America/New_York, GMT-05:00)'],
  [{ timeZone: 'Asia/Kolkata' }, 'Monday, 23 November 2026, 04:35:09 (Asia/Kolkata, GMT+05:30)'],
])('the time for %j is %s', async (args, expected) => {
  expect(await run(clock, args)).toBe(expected)
})

test('the zone is UTC when none is asked for', async () => {
  expect(await run(clock, {})).toMatch(/^Sunday, 22 November 2026, 23:05:09 \(UTC, GMT/)
})

test.each(['Paris', 'Europe/Atlantis', '../etc', '+25:00'])('the zone %s is said to be none', async (timeZone) => {
  expect(await refusalOf(clock, { timeZone })).toContain('not an IANA time zone')
})
