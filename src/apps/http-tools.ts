import * as v from 'valibot'
import type { HttpTool } from '../ports/apps.ts'
import { SEARCH_DOCUMENTS } from '../ports/documents.ts'
import { StorableText } from '../protocol/messages.ts'
import { closeSchema, compileArguments } from './arguments.ts'
import { between, MAX_URL, ToolName, told } from './fields.ts'
import { buildHeaders, HeadersSchema, headerFaults } from './headers.ts'
import { parseUrl, urlFault } from './templates.ts'

/** Of one App: models choose badly among many. */
const MAX_HTTP_TOOLS = 32
/** Objects in the `parameters` of all tools of one App: each takes a quarter of a millisecond to compile, and nothing else runs meanwhile. */
const MAX_SCHEMA_OBJECTS = 1000
/** Characters: what a model is told of a tool, with every request. */
const MAX_DESCRIPTION = 2000
/** Characters, and members one within another. */
const MAX_POINTER = 500
/** Milliseconds. A person waits; services that take longer than a minute need another way than a tool call. */
const [MIN_TIMEOUT_MS, MAX_TIMEOUT_MS, DEFAULT_TIMEOUT_MS] = [100, 60_000, 10_000]
/** Bytes of an answer. The result that a model gets has a smaller bound of its own, but JSON must be read whole. */
const [MIN_BYTES, MAX_BYTES, DEFAULT_BYTES] = [100, 4_194_304, 262_144]

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** One entry of `httpTools` in a definition file. */
export const HttpToolsSchema = v.pipe(
  v.array(
    v.strictObject({
      name: told('No other tool of the App has it.', ToolName),
      description: told(
        'What the model reads to choose it.',
        v.pipe(StorableText, v.trim(), v.minLength(1), v.maxLength(MAX_DESCRIPTION)),
      ),
      parameters: told(
        'JSON Schema (2020-12) of the arguments, of type object. Members it does not name are refused.',
        v.record(v.string(), v.unknown()),
      ),
      method: told('Arguments go into the query of GET and DELETE, else into a JSON body.', v.picklist(METHODS)),
      url: told('The address, with {argument} in path or query.', v.pipe(v.string(), v.maxLength(MAX_URL))),
      headers: v.optional(told('Sent along; a value may hold {secret:NAME}.', HeadersSchema)),
      result: v.optional(
        told(
          'A JSON pointer to the part of the answer that the model gets; absent: all of it.',
          v.pipe(
            StorableText,
            v.maxLength(MAX_POINTER),
            v.regex(/^(?:\/(?:[^~/]|~[01])*)+$/, 'must be a JSON pointer such as /items/0/name'),
          ),
        ),
      ),
      timeoutMs: v.optional(
        told(`Milliseconds for all of it; default ${DEFAULT_TIMEOUT_MS}.`, between(MIN_TIMEOUT_MS, MAX_TIMEOUT_MS)),
      ),
      maxBytes: v.optional(told(`Of the answer; default ${DEFAULT_BYTES}.`, between(MIN_BYTES, MAX_BYTES))),
      approval: v.optional(told('ask: a person approves each call first.', v.picklist(['none', 'ask']))),
    }),
  ),
  v.maxLength(MAX_HTTP_TOOLS),
)

type Definition = v.InferOutput<typeof HttpToolsSchema>[number]

/** What the schema cannot say: each fault with its place. `others`: the names of the App's other tools. */
export function httpToolFaults(tools: readonly Definition[], others: readonly string[]): string[] {
  const objects = tools.reduce((sum, { parameters }) => sum + countObjects(parameters), 0)
  if (objects > MAX_SCHEMA_OBJECTS)
    return [`httpTools: the parameters of all tools are ${objects} objects, more than ${MAX_SCHEMA_OBJECTS}`]
  const taken = new Set([...others, SEARCH_DOCUMENTS])
  return tools.flatMap((tool, index) => {
    const isTaken = taken.has(tool.name)
    taken.add(tool.name)
    const faults = { ...(isTaken ? { name: 'another tool of the App has it' } : {}), ...partFaults(tool) }
    return Object.entries(faults).map(([part, fault]) => `httpTools.${index}.${part}: ${fault}`)
  })
}

function partFaults({ parameters, url, headers = {} }: Definition): Record<string, string> {
  const faults: [string, string | undefined][] = [
    ['parameters', schemaFault(parameters)],
    ['url', urlFault(url, parameters)],
    ...headerFaults(headers),
  ]
  return Object.fromEntries(faults.flatMap(([part, fault]) => (fault === undefined ? [] : [[part, fault]])))
}

/** However deep they are. */
function countObjects(value: unknown): number {
  const left = [value]
  let count = 0
  while (left.length > 0) {
    const next = left.pop()
    if (typeof next !== 'object' || next === null) continue
    if (!Array.isArray(next)) count++
    for (const inner of Object.values(next)) left.push(inner)
  }
  return count
}

function schemaFault(parameters: Definition['parameters']): string | undefined {
  try {
    compileArguments(parameters)
    return undefined
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : 'is no JSON Schema'
  }
}

/** The tool that a checked definition describes. */
export function buildHttpTool(definition: Definition): HttpTool {
  const { name, description, parameters, method, url, headers = {}, result, timeoutMs, maxBytes } = definition
  return {
    name,
    description,
    parameters: closeSchema(parameters),
    fault: compileArguments(parameters),
    method,
    url: parseUrl(url),
    headers: buildHeaders(headers),
    ...(result === undefined ? {} : { pointer: parsePointer(result) }),
    timeoutMs: timeoutMs ?? DEFAULT_TIMEOUT_MS,
    maxBytes: maxBytes ?? DEFAULT_BYTES,
    ask: definition.approval === 'ask',
  }
}

/** RFC 6901. */
function parsePointer(text: string): string[] {
  return text
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}
