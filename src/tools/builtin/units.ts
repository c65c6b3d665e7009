import * as v from 'valibot'
import { type Tool, ToolError } from '../../ports/tool.ts'
import { defineTool } from '../define-tool.ts'
import { convertUnit } from './mathematics.ts'

/** Characters: a compound unit such as kg*m^2/s^2 written out. */
const MAX_UNIT_LENGTH = 60
/** Digits that are shown of a result: as many as conversion factors have. */
const SHOWN_DIGITS = 12
const UNIT_PATTERN = /^[A-Za-z°µ][A-Za-z0-9°µ^*/() -]*$/

/** Spellings that people use and mathjs does not know. */
const SPELLINGS: ReadonlyMap<string, string> = new Map([
  ['°c', 'degC'],
  ['°f', 'degF'],
  ['mph', 'mile/hour'],
  ['kph', 'km/hour'],
  ['kmh', 'km/hour'],
  ['km/h', 'km/hour'],
  ['kwh', 'kW hour'],
])

const UnitSchema = v.pipe(v.string(), v.trim(), v.maxLength(MAX_UNIT_LENGTH), v.regex(UNIT_PATTERN, 'is not a unit'))
const ArgumentsSchema = v.object({ value: v.pipe(v.number(), v.finite()), from: UnitSchema, to: UnitSchema })

const unit = { type: 'string', minLength: 1, maxLength: MAX_UNIT_LENGTH } as const

export const unitConverter: Tool = defineTool({
  name: 'unit_converter',
  description:
    'Converts a value between units of the same kind: length, area, volume, mass, time, speed, temperature, energy, power, ' +
    'pressure, force, angle and digital size. Names as in "km", "mile", "lb", "celsius", "fahrenheit", "litre", "gallon", "km/hour", ' +
    '"kWh", "MiB". No currencies.',
  parameters: {
    type: 'object',
    properties: {
      value: { type: 'number' },
      from: { ...unit, description: 'The unit of the value.' },
      to: { ...unit, description: 'The unit of the result.' },
    },
    required: ['value', 'from', 'to'],
  },
  schema: ArgumentsSchema,
  async run({ value, from, to }) {
    const result = await convertUnit(value, spell(from), spell(to))
    if (!Number.isFinite(result)) throw new ToolError('The result is too large.')
    return `${value} ${from} = ${Number(result.toPrecision(SHOWN_DIGITS))} ${to}`
  },
})

function spell(name: string): string {
  return SPELLINGS.get(name.toLowerCase()) ?? name.replaceAll('µ', 'u')
}
