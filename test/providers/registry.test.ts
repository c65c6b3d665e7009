import { expect, test } from 'vitest'
import { createProviders } from '../../src/providers/registry.ts'
import { createScripted } from '../../src/providers/scripted.ts'

const scripted = createScripted()
const providers = createProviders([scripted])

test.each([
  ['scripted/demo', 'demo'],
  ['scripted/family/model:1', 'family/model:1'],
])('%s is the model %s of its provider', (name, model) => {
  expect(providers.resolve(name)).toEqual({ provider: scripted, model })
})

test.each(['scripted', 'scripted/', '/demo', '', 'anthropic/claude', '__proto__/x'])('%j is no model', (name) => {
  expect(providers.resolve(name)).toBeUndefined()
})

test('two providers of one name are refused', () => {
  expect(() => createProviders([scripted, createScripted()])).toThrow('same name')
})
