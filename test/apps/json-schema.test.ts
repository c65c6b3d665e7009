import { readdirSync, readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { describe, expect, it } from 'vitest'
import { parseDefinition } from '../../src/apps/definition.ts'
import { appJsonSchema } from '../../src/apps/json-schema.ts'

const ROOT = new URL('../../', import.meta.url)
const APP = { id: 'shop', name: 'Shop', preamble: '', model: { default: 'scripted/demo' } }
const fits = new Ajv({ strict: false }).compile(appJsonSchema())

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(new URL(path, ROOT), 'utf8'))
}

function isStored(definition: unknown): boolean {
  try {
    parseDefinition(definition)
    return true
  } catch {
    return false
  }
}

/** Places of fields that say nothing of themselves. What a client tool's schema holds is not ours to describe. */
function untold(schema: unknown, path = ''): string[] {
  if (typeof schema !== 'object' || schema === null || path.endsWith('.parameters')) return []
  return Object.entries(schema).flatMap(([key, inner]: [string, unknown]) => {
    if (key !== 'properties') return untold(inner, path)
    return Object.entries({ ...Object(inner) }).flatMap(([name, field]: [string, unknown]) => {
      const text: unknown = Reflect.get(Object(field), 'description')
      const isTold = typeof text === 'string' && text.length > 5
      return [...(isTold ? [] : [`${path}.${name}`]), ...untold(field, `${path}.${name}`)]
    })
  })
}

describe('the JSON Schema of a definition', () => {
  it('is docs/app.schema.json (else: npm run --silent parley -- apps schema > docs/app.schema.json)', () => {
    expect(readJson('docs/app.schema.json')).toEqual(JSON.parse(JSON.stringify(appJsonSchema())))
  })

  it('describes every field', () => {
    expect(untold(appJsonSchema())).toEqual([])
    expect(untold({ properties: { a: { description: 'Is told.', properties: { b: {} } } } })).toEqual(['.a.b'])
  })

  it.each(readdirSync(new URL('examples/', ROOT)).filter((name) => name.endsWith('-app.json')))(
    'takes examples/%s',
    (name) => {
      const definition = readJson(`examples/${name}`)
      expect({ fits: fits(definition), faults: fits.errors }).toEqual({ fits: true, faults: null })
      expect(isStored(definition)).toBe(true)
    },
  )

  it.each([
    { ...APP, $schema: 'https://chat.example.com/v1/app.schema.json' },
    { ...APP, tools: ['calculator', { type: 'client', name: 'locate', description: 'Where.' }] },
    { ...APP, model: { ...APP.model, thinking: { type: 'budget', budgetTokens: 4000 } } },
    { ...APP, mcp: [{ name: 'files', server: 'files', approval: ['delete'], context: ['user'] }] },
    { ...APP, id: 'Shop' },
    { ...APP, colour: 'red' },
    { ...APP, $schema: 1 },
    { ...APP, name: '' },
    { ...APP, model: {} },
    { ...APP, model: { default: 'gpt' } },
    { ...APP, tools: [{ type: 'shell', name: 'sh' }] },
    { ...APP, mcp: [{ name: 'files', server: 'files', command: 'sh' }] },
    { ...APP, mcp: [{ name: 'files', server: '/bin/sh' }] },
    { ...APP, httpTools: [{ name: 'a' }] },
    { ...APP, stopAfterDisconnectMs: -1 },
    { ...APP, aomi: { keyless: 'all' } },
    'text',
  ])('judges as the server does: %j', (definition) => {
    expect(fits(definition)).toBe(isStored(definition))
  })
})
