import { expect, it } from 'vitest'
import { buildApp, parseDefinition } from '../../src/apps/definition.ts'

const APP = { id: 'shop', name: 'Shop', preamble: '', model: { default: 'scripted/demo' } }
const WEB = { name: 'web', url: 'https://mcp.example.com/mcp', headers: { Authorization: 'Bearer {secret:MCP_TOKEN}' } }
const FILES = { name: 'files', server: 'files' }

function faultOf(...mcp: unknown[]): string {
  try {
    parseDefinition({ ...APP, mcp })
    return ''
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown)
  }
}

it('the MCP servers of a definition are stored as they were written, and built with their defaults', () => {
  const written = [{ ...WEB, tools: ['search'], approval: ['delete'] }, FILES]
  const definition = parseDefinition({ ...APP, mcp: written })
  expect(JSON.parse(JSON.stringify(definition)).mcp).toEqual(written)
  expect(buildApp(definition, { maxOutputTokens: 1, contextTokens: 1 }).mcp).toEqual([
    {
      name: 'web',
      at: {
        kind: 'http',
        url: 'https://mcp.example.com/mcp',
        headers: [{ name: 'Authorization', value: ['Bearer ', { secret: 'MCP_TOKEN' }] }],
      },
      tools: ['search'],
      ask: ['delete'],
      timeoutMs: 30_000,
      maxBytes: 262_144,
      context: [],
    },
    {
      name: 'files',
      at: { kind: 'program', program: 'files' },
      ask: false,
      timeoutMs: 30_000,
      maxBytes: 262_144,
      context: [],
    },
  ])
})

it.each([
  [{ ...FILES, command: 'sh' }, 'mcp.0.command: unknown field'],
  [{ ...FILES, args: ['-c', 'id'] }, 'mcp.0.args: unknown field'],
  [{ ...FILES, env: { A: 'b' } }, 'mcp.0.env: unknown field'],
  [{ name: 'files', server: '/bin/sh' }, 'mcp.0.server: must be 1 to 64 of'],
  [{ name: 'files', server: 'sh -c id' }, 'mcp.0.server: must be 1 to 64 of'],
  [{ name: 'files', server: '../files' }, 'mcp.0.server: must be 1 to 64 of'],
  [{ name: 'files' }, 'mcp.0.url: must stand there, or server, and not both'],
  [{ ...WEB, server: 'files' }, 'mcp.0.url: must stand there, or server, and not both'],
  [{ ...FILES, headers: {} }, 'mcp.0.headers: are for servers with a url'],
  [{ ...WEB, name: 'my_files' }, 'mcp.0.name: must be 1 to 24 of'],
  [{ ...WEB, name: 'x'.repeat(25) }, 'mcp.0.name: must be 1 to 24 of'],
  [{ ...WEB, url: 'file:///etc/passwd' }, 'mcp.0.url: must begin with https://'],
  [{ ...WEB, url: 'https://ann:pw@example.com/' }, 'mcp.0.url: must not hold a name or password'],
  [{ ...WEB, url: 'https://example.com/{id}' }, 'mcp.0.url: must hold no braces'],
  [{ ...WEB, headers: { Host: 'a' } }, 'mcp.0.headers.Host: is set by Parley'],
  [{ ...WEB, headers: { 'Mcp-Session-Id': 'a' } }, 'mcp.0.headers.Mcp-Session-Id: is set by Parley'],
  [{ ...WEB, headers: { A: 'b\r\nc: d' } }, 'mcp.0.headers.A: must be of printable ASCII'],
  [
    { ...WEB, headers: { A: '{person:B}' } },
    'mcp.0.headers.A: may not hold {person:NAME}: the connection is one for all who use the App',
  ],
  [{ ...WEB, timeoutMs: 1 }, 'mcp.0.timeoutMs: must be at least 100'],
  [{ ...WEB, maxBytes: 50_000_000 }, 'mcp.0.maxBytes: must be at most 1048576'],
  [{ ...WEB, context: ['key'] }, 'mcp.0.context.0: must be one of user, wallet'],
])('refuses %j', (server, fault) => {
  expect(faultOf(server)).toContain(fault)
})

it('refuses two servers of one name, and more than eight', () => {
  expect(faultOf(FILES, { ...WEB, name: 'files' })).toBe('mcp.1.name: another server of the App has it')
  expect(faultOf(...Array.from({ length: 9 }, (_, nth) => ({ ...WEB, name: `a${nth}` })))).toContain(
    'mcp: must have at most 8 entries',
  )
})
