import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { dateCalculator } from '../../../src/tools/builtin/dates.ts'
import { refusalOf, run } from '../run.ts'

const add = (date: string, more: Readonly<Record<string, number>>): Promise<string> =>
  run(dateCalculator, { operation: 'add', date, ...more })
const difference = (date: string, until: string): Promise<string> =>
  run(dateCalculator, { operation: 'difference', date, until })

test.each([
  ['2026-01-31', { months: 1 }, '2026-02-28 (Saturday)'],
  ['2024-02-29', { years: 1 }, '2025-02-28 (Friday)'],
  ['2024-02-29', { years: 4 }, '2028-02-29 (Tuesday)'],
  ['2026-11-22', { days: 10, weeks: 1 }, '2026-12-09 (Wednesday)'],
  ['2026-03-01', { days: -1 }, '2026-02-28 (Saturday)'],
  ['2026-03-31', { months: -1 }, '2026-02-28 (Saturday)'],
  ['2026-01-15', { months: -13 }, '2024-12-15 (Sunday)'],
  ['2026-01-01', {}, '2026-01-01 (Thursday)'],
])('%s and %j is %s', async (date, more, expected) => {
  expect(await add(date, more)).toBe(expected)
})

test.each([
  [
    '2026-01-01',
    '2026-12-25',
    'From 2026-01-01 (Thursday) to 2026-12-25 (Friday) it is 358 days, which is 51 weeks and 1 day.',
  ],
  ['2026-12-25', '2026-12-18', 'From 2026-12-25 (Friday) to 2026-12-18 (Friday) it is -7 days, which is -1 week.'],
  ['2026-03-28', '2026-03-30', 'From 2026-03-28 (Saturday) to 2026-03-30 (Monday) it is 2 days.'],
  ['2026-01-01', '2026-01-02', 'From 2026-01-01 (Thursday) to 2026-01-02 (Friday) it is 1 day.'],
])('the difference of %s and %s is told in days and weeks', async (date, until, expected) => {
  expect(await difference(date, until)).toBe(expected)
})

test.each(['2026-02-30', '2026-13-01', '2025-02-29', '2026-00-10'])('%s is said to be no day', async (date) => {
  expect(await refusalOf(dateCalculator, { operation: 'add', date })).toBe(`${date} is not a day of the calendar.`)
})

test.each([{ years: 9000 }, { years: -4_000_000 }, { days: 4_000_000 }, { months: 4_000_000 }])(
  '%j beyond the calendar is said to be',
  async (more) => {
    expect(await refusalOf(dateCalculator, { operation: 'add', date: '2026-01-01', ...more })).toContain(
      'outside the years',
    )
  },
)

test('days that are added are the days of the difference', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 1_000_000 }), async (days) => {
      const later = (await add('1900-01-01', { days })).slice(0, 10)
      expect(await difference('1900-01-01', later)).toContain(`it is ${days} day`)
    }),
  )
})
