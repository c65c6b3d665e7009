import * as v from 'valibot'
import { type Tool, ToolError } from '../../ports/tool.ts'
import { defineTool } from '../define-tool.ts'

const MS_PER_DAY = 24 * 60 * 60 * 1000
const DAYS_PER_WEEK = 7
const MONTHS_PER_YEAR = 12
/** Of any unit: ten thousand years in days, and within what a date can hold in the others. */
const MAX_AMOUNT = 4_000_000
const LAST_YEAR = 9999

const DATE_PATTERN = /^\d{4}-\d{2}-\d{2}$/
const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const

const DateSchema = v.pipe(v.string(), v.regex(DATE_PATTERN, 'must look like 2026-12-31'))
const AmountSchema = v.optional(v.pipe(v.number(), v.integer(), v.minValue(-MAX_AMOUNT), v.maxValue(MAX_AMOUNT)), 0)

const ArgumentsSchema = v.variant('operation', [
  v.object({ operation: v.literal('difference'), date: DateSchema, until: DateSchema }),
  v.object({
    operation: v.literal('add'),
    date: DateSchema,
    days: AmountSchema,
    weeks: AmountSchema,
    months: AmountSchema,
    years: AmountSchema,
  }),
])

const amount = { type: 'integer', minimum: -MAX_AMOUNT, maximum: MAX_AMOUNT } as const
const date = { type: 'string', pattern: DATE_PATTERN.source } as const

export const dateCalculator: Tool = defineTool({
  name: 'date_calculator',
  description:
    'Calendar arithmetic. "difference": how long it is from "date" to "until". "add": the date that lies the given days, weeks, ' +
    'months and years after "date", or before it when they are negative; a day that a month does not have becomes its last one.',
  parameters: {
    type: 'object',
    properties: {
      operation: { type: 'string', enum: ['difference', 'add'] },
      date: { ...date, description: 'The first date, as YYYY-MM-DD.' },
      until: { ...date, description: 'The second date of a difference, as YYYY-MM-DD.' },
      days: amount,
      weeks: amount,
      months: amount,
      years: amount,
    },
    required: ['operation', 'date'],
  },
  schema: ArgumentsSchema,
  run(args) {
    const start = parseDate(args.date)
    if (args.operation === 'difference') return describeDifference(start, parseDate(args.until))
    const months = addMonths(start, args.years * MONTHS_PER_YEAR + args.months)
    return describeDate(months + (args.weeks * DAYS_PER_WEEK + args.days) * MS_PER_DAY)
  },
})

/** Midnight UTC of a calendar day: days then all have the same length. */
function parseDate(text: string): number {
  const at = Date.parse(`${text}T00:00:00Z`)
  // Some engines take 2026-02-30 for a day of March.
  if (Number.isNaN(at) || toIso(at) !== text) throw new ToolError(`${text} is not a day of the calendar.`)
  return at
}

function toIso(at: number): string {
  return new Date(at).toISOString().slice(0, 'YYYY-MM-DD'.length)
}

function addMonths(at: number, months: number): number {
  const from = new Date(at)
  const target = new Date(at)
  target.setUTCDate(1)
  target.setUTCMonth(from.getUTCMonth() + months)
  const lastDay = new Date(target)
  lastDay.setUTCMonth(target.getUTCMonth() + 1, 0)
  return target.setUTCDate(Math.min(from.getUTCDate(), lastDay.getUTCDate()))
}

function describeDate(at: number): string {
  const day = new Date(at)
  const year = day.getUTCFullYear()
  if (!(year >= 0 && year <= LAST_YEAR)) throw new ToolError(`The result lies outside the years 0 to ${LAST_YEAR}.`)
  return `${toIso(at)} (${WEEKDAYS[day.getUTCDay()]})`
}

function describeDifference(from: number, to: number): string {
  const days = Math.round((to - from) / MS_PER_DAY)
  const weeks = Math.trunc(days / DAYS_PER_WEEK)
  const rest = Math.abs(days % DAYS_PER_WEEK)
  const more = weeks === 0 ? '' : `, which is ${count(weeks, 'week')}${rest === 0 ? '' : ` and ${count(rest, 'day')}`}`
  return `From ${describeDate(from)} to ${describeDate(to)} it is ${count(days, 'day')}${more}.`
}

function count(value: number, noun: string): string {
  return `${value} ${noun}${Math.abs(value) === 1 ? '' : 's'}`
}
