import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildApp, parseDefinition } from '../../src/apps/definition.ts'
import { ToolError } from '../../src/ports/tool.ts'
import { buildRequest } from '../../src/tools/http/request.ts'
import { definitionOf, PARAMETERS } from '../tools/http/service.ts'

const APP = { id: 'shop', name: 'Shop', preamble: '', model: { default: 'scripted/demo' }, tools: ['calculator'] }
const TOOL = {
  name: 'order_status',
  description: 'Looks an order up.',
  parameters: PARAMETERS,
  method: 'GET',
  url: 'https://api.example.com/orders/{id}',
  headers: { Authorization: 'Bearer {secret:ORDERS_TOKEN}' },
}

function faultOf(...tools: unknown[]): string {
  try {
    parseDefinition({ ...APP, httpTools: tools })
    return ''
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown)
  }
}

/** A schema of one argument. */
const one = (schema: unknown) => ({ type: 'object', properties: { id: schema }, required: ['id'] })

describe('the http tools of a definition', () => {
  it('have 1,000 objects in their parameters together, each of which is compiled', () => {
    const anyOf = (count: number) => Array.from({ length: count }, (_, value) => ({ const: value }))
    const tool = (nth: number, values: number) => {
      const properties = { id: { type: 'string' }, other: { anyOf: anyOf(values) } }
      return { ...TOOL, name: `t${nth}`, parameters: { type: 'object', properties, required: ['id'] } }
    }
    const enough = Array.from({ length: 32 }, (_, nth) => tool(nth, 27))
    expect(faultOf(...enough)).toBe('')
    expect(faultOf(...enough.slice(1), tool(0, 36))).toContain(
      'httpTools: the parameters of all tools are 1001 objects, more than 1000',
    )
  })

  it('may be as deep as they like and are refused in words', () => {
    const deep: unknown = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)
    expect(faultOf({ ...TOOL, parameters: one({ const: deep }) })).toContain('httpTools.0.parameters: ')
  })

  it('are stored as they were written, and built with their defaults', () => {
    const definition = parseDefinition({ ...APP, httpTools: [{ ...TOOL, result: '/a~1b/~0c' }] })
    expect(JSON.parse(JSON.stringify(definition)).httpTools).toEqual([{ ...TOOL, result: '/a~1b/~0c' }])
    expect(buildApp(definition, { maxOutputTokens: 1, contextTokens: 1 }).httpTools).toMatchObject([
      {
        name: 'order_status',
        url: ['https://api.example.com/orders/', { argument: 'id' }],
        headers: [{ name: 'Authorization', value: ['Bearer ', { secret: 'ORDERS_TOKEN' }] }],
        pointer: ['a/b', '~c'],
        timeoutMs: 10_000,
        maxBytes: 262_144,
      },
    ])
  })

  it.each([
    [{ method: 'TRACE' }, 'httpTools.0.method: must be one of GET, POST, PUT, PATCH, DELETE'],
    [{ url: undefined }, 'httpTools.0.url: is missing'],
    [{ colour: 'red' }, 'httpTools.0.colour: unknown field'],
    [{ name: 'a b' }, 'httpTools.0.name: must be 1 to 64 of'],
    [{ name: 'calculator' }, 'httpTools.0.name: another tool of the App has it'],
    [{ name: 'search_documents' }, 'httpTools.0.name: another tool of the App has it'],
    [{ description: ' ' }, 'httpTools.0.description: '],
    [{ timeoutMs: 60_001 }, 'httpTools.0.timeoutMs: must be at most 60000'],
    [{ maxBytes: 1e9 }, 'httpTools.0.maxBytes: must be at most 4194304'],
    [{ result: 'a/b' }, 'httpTools.0.result: must be a JSON pointer'],
    [{ result: '/a~2' }, 'httpTools.0.result: must be a JSON pointer'],
    [{ url: 'orders/{id}' }, 'httpTools.0.url: must be an address'],
    [{ url: 'ftp://example.com/{id}' }, 'httpTools.0.url: must begin with https://'],
    [{ url: 'https://user:pw@example.com/{id}' }, 'httpTools.0.url: must not hold a name or password'],
    [{ url: 'https://example.com/{id}#a' }, 'httpTools.0.url: must have no part after #'],
    [{ url: 'https://{id}.example.com/' }, 'httpTools.0.url: must have no argument before the path'],
    [{ url: 'https://example.com:{id}/' }, 'httpTools.0.url: must be an address'],
    [{ url: 'https://example.com{id}/' }, 'httpTools.0.url: must have no argument before the path'],
    [{ url: '{id}://example.com/' }, 'httpTools.0.url: must '],
    [
      { url: 'https://Example.com/a/../{id}' },
      'httpTools.0.url: must be written as browsers write it, such as https://example.com/x',
    ],
    [{ url: 'https://example.com/{order}' }, 'httpTools.0.url: {order} is not among the properties'],
    [{ url: 'https://example.com/{__proto__}' }, 'httpTools.0.url: {__proto__} is not among the properties'],
    [{ parameters: { ...PARAMETERS, required: [] } }, 'httpTools.0.url: {id} must be required'],
    [{ parameters: one({ type: 'array' }) }, 'httpTools.0.url: {id} must be of type string'],
    [{ parameters: { type: 'array' } }, 'httpTools.0.parameters: its type must be "object"'],
    [
      { parameters: one({ type: 'string', minLenght: 1 }) },
      'httpTools.0.parameters: strict mode: unknown keyword: "minLenght"',
    ],
    [{ parameters: one({ type: 'strin' }) }, 'httpTools.0.parameters: schema is invalid'],
    [{ parameters: one({ type: 'string', pattern: '(' }) }, 'httpTools.0.parameters: '],
    [{ parameters: one({ type: 'string', pattern: '^(a+)+$' }) }, 'the pattern ^(a+)+$ may take forever'],
    [{ parameters: one({ type: 'string', anyOf: [{ pattern: '(x+x+)+y' }] }) }, 'may take forever'],
    [{ parameters: { ...PARAMETERS, $async: true } }, 'httpTools.0.parameters: unknown keyword: "$async"'],
    [
      { parameters: one({ $ref: 'https://example.com/schema.json' }) },
      "httpTools.0.parameters: can't resolve reference",
    ],
    [{ parameters: one({ type: 'string', description: 'x'.repeat(16_000) }) }, 'has more than 16000 characters'],
    [{ headers: { Host: 'internal' } }, 'httpTools.0.headers.Host: is set by Parley'],
    [{ headers: { 'Content-Length': '0' } }, 'httpTools.0.headers.Content-Length: is set by Parley'],
    [{ headers: { 'X-A': 'a\r\nHost: b' } }, 'httpTools.0.headers.X-A: must be of printable ASCII'],
    [{ headers: { 'X A': 'a' } }, 'httpTools.0.headers.X A: is no name of a header'],
    [{ headers: { 'X-A': '{id}' } }, 'httpTools.0.headers.X-A: may hold {secret:NAME}'],
    [{ headers: { 'X-A': '{secret:lower}' } }, 'httpTools.0.headers.X-A: may hold {secret:NAME}'],
    [
      { headers: Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`x-${n}`, ''])) },
      'httpTools.0.headers: must be at most 20',
    ],
  ])('%j are refused with the place and the reason', (fields, reason) => {
    expect(faultOf({ ...TOOL, ...fields })).toContain(reason)
  })

  it('are refused with all their faults at once, and when two have one name', () => {
    expect(faultOf(TOOL, { ...TOOL, url: 'x' })).toBe(
      'httpTools.1.name: another tool of the App has it; httpTools.1.url: must be an address such as https://api.example.com/orders/{order}',
    )
    expect(faultOf(...Array.from({ length: 33 }, (_, n) => ({ ...TOOL, name: `t${n}` })))).toContain(
      'httpTools: must have at most 32 entries',
    )
  })

  it('of a schema that goes deep are refused or taken, never a crash', () => {
    let schema: unknown = { type: 'string' }
    for (let depth = 0; depth < 2000; depth++) schema = { not: schema }
    expect(() => faultOf({ ...TOOL, parameters: one(schema) })).not.toThrow()
  })
})

describe('the schema of a tool', () => {
  it('whose parts are named again and again is compiled in the time of a small one', () => {
    const many = (count: number, schema: unknown) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`p${n}`, schema]))
    const part = { type: 'object', properties: many(100, { type: 'string', minLength: 1 }) }
    const parameters = { ...one({ type: 'string' }), $defs: { part } }
    const properties = { ...parameters.properties, ...many(350, { $ref: '#/$defs/part' }) }
    expect(faultOf({ ...TOOL, parameters: { ...parameters, properties } })).toBe('')
  })
})

describe('the arguments of a call', () => {
  const url = 'https://api.example.com/orders'
  const NAMED = { $defs: { id: { $id: 'https://example.com/id', type: 'string' } }, ...one({ $ref: '#/$defs/id' }) }

  it.each([
    ['that a pattern would read for ever', one({ type: 'string', pattern: '^(a|a)*$' }), { id: `${'a'.repeat(60)}!` }],
    ['that a schema within itself would read for ever', forked(), { id: nested(40) }],
  ])('%s are refused', (_what, parameters, args) => {
    const { fault } = definitionOf({ url, parameters })
    expect(fault(args)).toBe('arguments: take too long to be checked')
    expect(fault({ id: 'a' })).not.toBe('arguments: take too long to be checked')
  })

  it('are checked by their own schema where two have parts of one name', () => {
    const other = { ...NAMED, $defs: { id: { $id: 'https://example.com/id', type: 'number' } } }
    const [texts, numbers] = [definitionOf({ url, parameters: NAMED }), definitionOf({ url, parameters: other })]
    expect([texts.fault({ id: 'a' }), texts.fault({ id: 1 })]).toEqual([undefined, 'id: must be string'])
    expect([numbers.fault({ id: 'a' }), numbers.fault({ id: 1 })]).toEqual(['id: must be number', undefined])
  })

  /** Each level is looked at in two ways, each of which looks at the next in two. */
  function forked(): unknown {
    const again = { $ref: '#/$defs/node' }
    const node = { type: 'object', properties: { id: { anyOf: [again, again, { type: 'string', maxLength: 1 }] } } }
    return { ...one({ anyOf: [again, { type: 'string' }] }), $defs: { node } }
  }

  function nested(depth: number): unknown {
    return depth === 0 ? 'long' : { id: nested(depth - 1) }
  }
})

describe('the address of a call', () => {
  const tool = definitionOf({
    url: 'https://api.example.com/v1/{id}/lines?key={id}',
    parameters: one({ type: 'string' }),
  })

  it('keeps its origin, its path and its query whatever the argument holds', () => {
    const argument = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.webUrl(),
      fc
        .array(fc.constantFrom('.', '..', '/', '\\', '%2e', '?', '#', '@', ':', '\t', '\n', '\0', '\uD800', 'a'))
        .map((all) => all.join('')),
    )
    fc.assert(
      fc.property(argument, (id) => {
        const url = addressOf(id)
        expect(url === undefined).toBe(['', '.', '..'].includes(id))
        if (url === undefined) return
        expect(url.origin).toBe('https://api.example.com')
        const [, version, segment = '', lines, ...more] = url.pathname.split('/')
        expect([version, lines, more]).toEqual(['v1', 'lines', []])
        const meant = id.replaceAll('\0', '\uFFFD').toWellFormed()
        expect(decodeURIComponent(segment)).toBe(meant)
        expect([...url.searchParams]).toEqual([['key', meant]])
        expect(url.hash).toBe('')
      }),
      { numRuns: 1000 },
    )
  })

  /** Undefined when the argument is refused. */
  function addressOf(id: string): URL | undefined {
    try {
      return buildRequest(tool, { id }, { operator: new Map(), own: new Map() }).url
    } catch (thrown) {
      if (thrown instanceof ToolError) return undefined
      throw thrown
    }
  }
})
