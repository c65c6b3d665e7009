import { describe, expect, test } from 'vitest'
import { ToolError } from '../../src/ports/tool.ts'
import { BUILTIN_TOOLS } from '../../src/tools/builtin.ts'
import { fits } from './json-schema.ts'
import { run } from './run.ts'

/** What a tool's JSON Schema and its own check both have to take, and both have to refuse. */
const EXAMPLES: Readonly<Record<string, { readonly good: readonly unknown[]; readonly bad: readonly unknown[] }>> = {
  current_time: {
    good: [{}, { timeZone: 'Asia/Tokyo' }],
    bad: [null, { timeZone: 7 }, { timeZone: '' }, { timeZone: 'x'.repeat(65) }],
  },
  calculator: {
    good: [{ expression: '1' }, { expression: `${'1+'.repeat(499)}1` }],
    bad: [{}, { expression: '' }, { expression: 1 }, { expression: '1'.repeat(1001) }, 'text'],
  },
  unit_converter: {
    good: [{ value: 1.5, from: 'km', to: 'mile' }],
    bad: [
      { value: '1', from: 'km', to: 'm' },
      { value: 1, from: 'km' },
      { value: 1, from: '', to: 'm' },
      { value: 1, from: 'k'.repeat(61), to: 'm' },
    ],
  },
  date_calculator: {
    good: [
      { operation: 'difference', date: '2026-01-01', until: '2026-02-01' },
      { operation: 'add', date: '2026-01-01', days: -1, months: 2 },
    ],
    bad: [
      { operation: 'multiply', date: '2026-01-01' },
      { operation: 'add' },
      { operation: 'add', date: '1.1.2026' },
      { operation: 'add', date: '2026-01-01', days: 1.5 },
      { operation: 'add', date: '2026-01-01', years: 4_000_001 },
    ],
  },
  random: {
    good: [{ kind: 'integer', min: 1, max: 6, count: 3 }, { kind: 'uuid' }, { kind: 'choice', choices: ['a', 'b'] }],
    bad: [
      { kind: 'letter' },
      { kind: 'integer', min: 0.5, max: 6 },
      { kind: 'uuid', count: 101 },
      { kind: 'choice', choices: [] },
      { kind: 'choice', choices: [7] },
    ],
  },
}

test('every tool has examples, a name that models accept and a description', () => {
  expect(BUILTIN_TOOLS.map(({ spec }) => spec.name)).toEqual(Object.keys(EXAMPLES))
  for (const { spec } of BUILTIN_TOOLS) {
    expect(spec.name).toMatch(/^[a-z_]{1,64}$/)
    expect(spec.description.length).toBeGreaterThan(20)
  }
})

describe.each(BUILTIN_TOOLS.map((tool) => [tool.spec.name, tool] as const))('%s', (name, tool) => {
  test.each([...(EXAMPLES[name]?.good ?? [])])('takes %j by its schema and by its own check', async (args) => {
    expect(fits(tool.spec.parameters, args)).toBe(true)
    expect(await run(tool, args)).not.toBe('')
  })

  test.each([...(EXAMPLES[name]?.bad ?? [])])('refuses %j by its schema and by its own check', async (args) => {
    expect(fits(tool.spec.parameters, args)).toBe(false)
    await expect(run(tool, args)).rejects.toThrow(ToolError)
    await expect(run(tool, args)).rejects.toThrow('The arguments are not right.')
  })
})
