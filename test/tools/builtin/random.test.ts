import { expect, test } from 'vitest'
import { random } from '../../../src/tools/builtin/random.ts'
import { refusalOf, run } from '../run.ts'

const draw = async (args: Readonly<Record<string, unknown>>): Promise<string[]> => (await run(random, args)).split('\n')

test('integers lie within their bounds, both of which come', async () => {
  const drawn: string[] = []
  while (!(drawn.includes('1') && drawn.includes('6')))
    drawn.push(...(await draw({ kind: 'integer', min: 1, max: 6, count: 100 })))
  expect(new Set(drawn.filter((each) => !['1', '2', '3', '4', '5', '6'].includes(each)))).toEqual(new Set())
})

test('the widest range is drawn from', async () => {
  const [drawn] = await draw({ kind: 'integer', min: -1e12, max: 1e12 })
  expect(Number.isSafeInteger(Number(drawn))).toBe(true)
})

test('identifiers are new each time', async () => {
  const drawn = await draw({ kind: 'uuid', count: 100 })
  expect(new Set(drawn).size).toBe(100)
  for (const each of drawn) expect(each).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/)
})

test('a choice is one of the choices', async () => {
  expect(['red', 'blue']).toContain((await draw({ kind: 'choice', choices: ['red', 'blue'] }))[0])
})

test('bounds in the wrong order are told', async () => {
  expect(await refusalOf(random, { kind: 'integer', min: 6, max: 1 })).toBe('"min" is above "max".')
})
