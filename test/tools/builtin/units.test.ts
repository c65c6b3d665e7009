import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ToolError } from '../../../src/ports/tool.ts'
import { unitConverter } from '../../../src/tools/builtin/units.ts'
import { refusalOf, run } from '../run.ts'

const convert = (value: number, from: string, to: string): Promise<string> => run(unitConverter, { value, from, to })

test.each([
  [5, 'km', 'mile', '5 km = 3.10685596119 mile'],
  [100, 'celsius', 'fahrenheit', '100 celsius = 212 fahrenheit'],
  [-40, '°C', '°F', '-40 °C = -40 °F'],
  [60, 'mph', 'km/h', '60 mph = 96.56064 km/h'],
  [1, 'kWh', 'J', '1 kWh = 3600000 J'],
  [2, 'lb', 'kg', '2 lb = 0.90718474 kg'],
  [1, 'MiB', 'byte', '1 MiB = 1048576 byte'],
  [3, 'µm', 'nm', '3 µm = 3000 nm'],
  [1, 'hectare', 'm^2', '1 hectare = 10000 m^2'],
])('%d %s in %s', async (value, from, to, expected) => {
  expect(await convert(value, from, to)).toBe(expected)
})

test.each([
  ['km', 'kg', 'Units do not match'],
  ['parsec', 'm', 'not found'],
  ['eur', 'usd', 'not found'],
])('%s in %s is said to be impossible', async (from, to, message) => {
  expect(await refusalOf(unitConverter, { value: 1, from, to })).toContain(message)
})

test('a result that no number holds is said to be', async () => {
  expect(await refusalOf(unitConverter, { value: 1e308, from: 'km', to: 'nm' })).toBe('The result is too large.')
})

test('the converter gives a result or a ToolError for whatever units it is given', async () => {
  const name = fc.stringMatching(/^[A-Za-z°µ][A-Za-z0-9^*/() -]{0,30}$/)
  const known = fc.constantFrom(
    'm',
    'km^2',
    'kg*m/s^2',
    'm^999999999',
    'degC',
    'bit',
    'constructor',
    '__proto__',
    'toString',
    'm/0',
  )
  await fc.assert(
    fc.asyncProperty(fc.double(), fc.oneof(name, known), fc.oneof(name, known), async (value, from, to) => {
      const refused = await convert(value, from, to).then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      expect(refused === undefined || refused instanceof ToolError).toBe(true)
    }),
    { numRuns: 1000 },
  )
})
