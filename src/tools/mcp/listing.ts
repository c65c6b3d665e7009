import * as v from 'valibot'
import type { McpServer } from '../../ports/apps.ts'
import type { ToolSpec } from '../../ports/provider.ts'
import { toStorable } from '../../protocol/text.ts'
import { toolName } from './names.ts'

/** Tools of one server that are offered: models choose badly among many. */
const MAX_TOOLS = 64
/** Characters of a tool's description; the rest is cut. */
const MAX_DESCRIPTION = 2000
/** Characters of its schema as JSON; a tool with a larger one is left out, as half a schema is none. */
const MAX_SCHEMA = 16_000
/** Objects and lists one within another in it. */
const MAX_DEPTH = 32
/** Characters of all that a model is told of one server's tools, with every request: some 16,000 tokens. */
const MAX_CHARACTERS = 64_000

/** As the protocol has a tool, as far as it is read here. The SDK would refuse the whole list for one that is not so. */
const RawTool = v.looseObject({
  name: v.string(),
  title: v.optional(v.string()),
  description: v.optional(v.string()),
  inputSchema: v.looseObject({
    type: v.literal('object'),
    properties: v.optional(v.record(v.string(), v.looseObject({}))),
    required: v.optional(v.array(v.string())),
  }),
})

/** A tool as the model sees it, and what its server calls it. */
export type Found = { readonly spec: ToolSpec; readonly name: string }

/** What is offered of a server's list, and how many tools are not because they are none, too large or too many. */
export function readListing(
  server: McpServer,
  raw: readonly unknown[],
  clean: (text: string) => string,
): { readonly found: readonly Found[]; readonly left: number } {
  const wanted = raw.filter((tool) => server.tools?.some((name) => isObject(tool) && tool['name'] === name) ?? true)
  const found: Found[] = []
  const names = new Set<string>()
  let characters = 0
  for (const tool of wanted) {
    const one = readTool(server, tool, clean)
    const size = one === undefined ? 0 : JSON.stringify(one.spec).length
    if (one === undefined || found.length === MAX_TOOLS || characters + size > MAX_CHARACTERS) continue
    // A second of the same name could take the first one's calls.
    if (names.has(one.spec.name)) continue
    names.add(one.spec.name)
    characters += size
    found.push(one)
  }
  return { found, left: wanted.length - found.length }
}

function readTool(server: McpServer, raw: unknown, clean: (text: string) => string): Found | undefined {
  if (!v.is(RawTool, raw)) return undefined
  const { name, title, description, inputSchema } = raw
  // Its depth first: `JSON.stringify` of what is too deep throws.
  const text = JSON.stringify(storable(inputSchema, MAX_DEPTH))
  const parameters = text === undefined || text.length > MAX_SCHEMA ? undefined : parse(clean(text))
  if (!isObject(parameters)) return undefined
  const said = clean(toStorable(description ?? title ?? name))
    .slice(0, MAX_DESCRIPTION)
    .toWellFormed()
  return { name, spec: { name: toolName(server.name, name), description: said, parameters } }
}

/** Undefined where a secret stood across the parts of the schema. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A copy with only such text in it as every provider takes; undefined when it is too deep. */
function storable(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return toStorable(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth === 0) return undefined
  const entries = Object.entries(value).map(([key, inner]) => [toStorable(key), storable(inner, depth - 1)] as const)
  if (entries.some(([, inner]) => inner === undefined)) return undefined
  return Array.isArray(value) ? entries.map(([, inner]) => inner) : Object.fromEntries(entries)
}
