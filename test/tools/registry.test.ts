import { expect, test } from 'vitest'
import { BUILTIN_TOOLS } from '../../src/tools/builtin.ts'
import { createTools } from '../../src/tools/registry.ts'

const names = (wanted: readonly string[]): string[] =>
  createTools(BUILTIN_TOOLS)
    .resolve(wanted)
    .map(({ spec }) => spec.name)

test('tools are given in the order of the names, and unknown ones are left out', () => {
  expect(names(['random', 'nothing', '__proto__', 'calculator'])).toEqual(['random', 'calculator'])
})

test('two tools of one name are refused', () => {
  expect(() => createTools([...BUILTIN_TOOLS, ...BUILTIN_TOOLS])).toThrow('same name')
})
