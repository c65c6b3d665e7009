import * as v from 'valibot'
import { type Tool, ToolError } from '../../ports/tool.ts'
import { defineTool } from '../define-tool.ts'

/** Characters. The longest name in the IANA database has 32. */
const MAX_ZONE_LENGTH = 64
const DEFAULT_ZONE = 'UTC'

const ArgumentsSchema = v.object({
  timeZone: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_ZONE_LENGTH))),
})

/** @param now milliseconds since 1970 */
export function createClock(now: () => number): Tool {
  return defineTool({
    name: 'current_time',
    description: 'Tells the current date, weekday and time in a time zone.',
    parameters: {
      type: 'object',
      properties: {
        timeZone: {
          type: 'string',
          minLength: 1,
          maxLength: MAX_ZONE_LENGTH,
          description: 'An IANA name such as "Europe/Paris" or "America/New_York"; UTC when it is left out.',
        },
      },
      required: [],
    },
    schema: ArgumentsSchema,
    run: ({ timeZone }) => describeTime(now(), timeZone ?? DEFAULT_ZONE),
  })
}

/** In words, with the offset: models are bad at working out weekdays and zones. */
const PARTS = {
  weekday: 'long',
  year: 'numeric',
  month: 'long',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
  timeZoneName: 'longOffset',
} as const

function describeTime(at: number, timeZone: string): string {
  const part = new Map(
    formatOf(timeZone)
      .formatToParts(at)
      .map(({ type, value }) => [type, value]),
  )
  const day = `${part.get('weekday')}, ${part.get('day')} ${part.get('month')} ${part.get('year')}`
  return `${day}, ${part.get('hour')}:${part.get('minute')}:${part.get('second')} (${timeZone}, ${part.get('timeZoneName')})`
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-GB', { timeZone, ...PARTS })
  } catch (thrown) {
    throw new ToolError('This is not an IANA time zone; one looks like "Europe/Paris".', { cause: thrown })
  }
}
