import { expect, test } from 'vitest'
import type { AppTool } from '../../src/ports/apps.ts'
import { BUILTIN_TOOLS } from '../../src/tools/builtin.ts'
import { createTools } from '../../src/tools/registry.ts'
import { definitionOf } from './http/service.ts'

const named = (name: string): AppTool => ({ kind: 'server', name, ask: false })

const names = (wanted: readonly string[]): string[] =>
  createTools(BUILTIN_TOOLS)
    .resolve({ tools: wanted.map(named) })
    .map(({ spec }) => spec.name)

test('tools are given in the order of the names, and unknown ones are left out', () => {
  expect(names(['random', 'nothing', '__proto__', 'calculator'])).toEqual(['random', 'calculator'])
})

test('two tools of one name are refused', () => {
  expect(() => createTools([...BUILTIN_TOOLS, ...BUILTIN_TOOLS])).toThrow('same name')
})

test('I10: an App has its own tools beside those that it names, and no other App has them', () => {
  const url = 'https://api.example.com/{id}'
  const made: string[] = []
  const tools = createTools(BUILTIN_TOOLS, (definition) => {
    made.push(definition.name)
    return { spec: definition, execute: async () => definition.name }
  })
  const mine = { tools: [named('random')], httpTools: [definitionOf({ name: 'mine', url })] }
  const theirs = { tools: [named('mine')], httpTools: [definitionOf({ name: 'theirs', url })] }
  expect(tools.resolve(mine).map(({ spec }) => spec.name)).toEqual(['random', 'mine'])
  expect(tools.resolve(theirs).map(({ spec }) => spec.name)).toEqual(['theirs'])
  expect(made).toEqual(['mine', 'theirs'])
})
