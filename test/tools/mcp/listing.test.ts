import { describe, expect, it } from 'vitest'
import { readListing } from '../../../src/tools/mcp/listing.ts'
import { toolName } from '../../../src/tools/mcp/names.ts'
import { appOf, McpRig, programOf } from './rig.ts'

const NAME = /^[A-Za-z0-9_-]{1,64}$/
const [SERVER] = appOf([{ name: 'files', server: 'world' }]).mcp ?? []
if (SERVER === undefined) throw new Error('no server')
const server = SERVER
const schema = { type: 'object' as const, properties: {} }
const read = (raw: Parameters<typeof readListing>[1], more: object = {}) =>
  readListing({ ...server, ...more }, raw, (text) => text.replaceAll('hunter2', '[secret]'))
const of = (name: string, more: object = {}) => ({ name, inputSchema: schema, ...more })

describe('names of tools', () => {
  it('are those of server and tool, as every provider takes them', () => {
    expect(toolName('files', 'read_file')).toBe('files_read_file')
    for (const odd of ['a.b', 'a/b', 'a b', 'ä', '', 'x'.repeat(128)]) expect(toolName('files', odd)).toMatch(NAME)
  })

  it('do not collide, also where they had to be changed, and stay what they are', () => {
    const tools = ['a.b', 'a/b', 'a_b', 'a b', 'x'.repeat(60), 'x'.repeat(61), `${'x'.repeat(60)}y`]
    expect(new Set(tools.map((tool) => toolName('files', tool))).size).toBe(tools.length)
    expect(toolName('a', 'b_c')).not.toBe(toolName('a-b', 'c'))
    expect(toolName('files', 'a.b')).toBe(toolName('files', 'a.b'))
  })
})

describe('what is offered of a list', () => {
  it('is what the App names, under the names that models know', () => {
    const { found, left } = read([of('a'), of('b'), of('c.d')], { tools: ['a', 'c.d'] })
    expect(found.map(({ name }) => name)).toEqual(['a', 'c.d'])
    expect(found[0]?.spec).toEqual({ name: 'files_a', description: 'a', parameters: schema })
    expect(left).toBe(0)
  })

  it('has bounds: tools, characters of a description, of a schema, of all, depth', () => {
    const many = Array.from({ length: 100 }, (_, nth) => of(`t${nth}`))
    expect(read(many)).toMatchObject({ found: { length: 64 }, left: 36 })
    expect(read([of('a', { description: 'x'.repeat(9000) })]).found[0]?.spec.description).toHaveLength(2000)
    const wide = { ...schema, properties: { a: { description: 'x'.repeat(16_000) } } }
    expect(read([of('a', { inputSchema: wide }), of('b')]).found.map(({ name }) => name)).toEqual(['b'])
    let deep: object = {}
    for (let depth = 0; depth < 40; depth++) deep = { items: deep }
    expect(read([of('a', { inputSchema: { ...schema, properties: { deep } } })]).found).toEqual([])
    const large = { ...schema, properties: { a: { description: 'x'.repeat(15_000) } } }
    expect(read(many.map((tool) => ({ ...tool, inputSchema: large }))).found).toHaveLength(4)
  })

  it('is what is a tool: one that is not takes none of the others with it', () => {
    let endless: object = {}
    for (let depth = 0; depth < 50_000; depth++) endless = { a: endless }
    const bad = [{ type: 'array' }, undefined, { ...schema, properties: { a: true } }, { ...schema, a: endless }]
    const raw = [...bad.map((inputSchema) => ({ ...of('bad'), inputSchema })), null, 'text', {}, of('good')]
    expect(read(raw)).toMatchObject({ found: [{ name: 'good' }], left: 7 })
  })

  it('is text that every provider takes, without secrets; a second tool of a name is none', () => {
    const bad = 'a\ud800b\u0000hunter2'
    const inputSchema = { ...schema, properties: { a: { description: bad } } }
    const { found, left } = read([of('a', { description: bad, inputSchema }), of('a')])
    expect(JSON.stringify(found)).not.toMatch(/hunter2|\\ud800|\\u0000/)
    expect(found).toHaveLength(1)
    expect(left).toBe(1)
  })
})

it('pages of a list are read to a bound', async () => {
  const tools = Array.from({ length: 30 }, (_, nth) => of(`more${nth}`))
  const rig = new McpRig({ programs: { world: programOf({ tools, pageSize: 4 }) } })
  const names = await rig.names(appOf([{ name: 'files', server: 'world' }]))
  expect(names).toHaveLength(40)
  expect(names.at(-1)).toBe('files_more28')
})

it('two servers of an App, and its own tools, keep their names', async () => {
  const tools = [of('order.state'), of('documents')]
  const rig = new McpRig({ programs: { world: programOf({ tools }) } })
  const own = {
    name: 'one_echo',
    description: 'Is the App’s own.',
    parameters: schema,
    method: 'GET',
    url: 'https://api.example.com/',
  }
  const servers = ['one', 'two', 'search'].map((name) => ({
    name,
    server: 'world',
    tools: ['echo', 'order.state', 'documents'],
  }))
  const names = await rig.names(appOf(servers, { httpTools: [own] }))
  expect(new Set(names).size).toBe(names.length)
  expect(names).toEqual(expect.arrayContaining(['two_echo', 'search_echo', 'two_documents']))
  expect(names).not.toContain('one_echo')
  expect(names).not.toContain('search_documents')
})

it('approval is for all tools of a server, or for those that are named', async () => {
  const rig = new McpRig({ programs: { world: programOf() } })
  const asks = async (approval: unknown) => {
    const listed = await rig.listed(appOf([{ name: 'files', server: 'world', tools: ['echo', 'env'], approval }]))
    return listed.map(({ ask }) => ask)
  }
  expect(await asks('ask')).toEqual([true, true])
  expect(await asks(['env'])).toEqual([false, true])
  expect(await asks('none')).toEqual([false, false])
})
