import * as v from 'valibot'
import type { App, AppTool } from '../ports/apps.ts'
import { ParleyError } from '../protocol/errors.ts'
import { AppIdSchema, DEFAULT_APP } from '../protocol/ids.ts'
import { IN_WORDS } from '../protocol/in-words.ts'
import { MAX_NAME_LENGTH } from '../protocol/limits.ts'
import { StorableText } from '../protocol/messages.ts'
import { WALLET_PARAMETERS } from '../protocol/wallet-calls.ts'
import { AppLimitsSchema } from './app-limits.ts'
import { between, ToolName, told } from './fields.ts'
import { buildHttpTool, HttpToolsSchema, httpToolFaults } from './http-tools.ts'
import { buildMcpServer, McpSchema, mcpFaults } from './mcp.ts'

/** Characters: about 16,000 words, more than any model follows. */
const MAX_PREAMBLE = 100_000
/** Tools of one App: providers refuse more, and models choose badly among so many. */
const MAX_TOOLS = 128
/** Models that people may choose from: a menu, not a catalogue. */
const MAX_MODELS = 50
/** Models in line behind one that cannot answer. A person waits while each is asked, so there are few. */
const MAX_FALLBACKS = 5
/** Tokens: above the largest window of any model. */
const MAX_TOKENS = 10_000_000
/** Milliseconds: a day. Who wants an answer to go on longer wants it to go on to its end. */
const MAX_GRACE_MS = 86_400_000

/** Days: a century. Who wants more leaves it out. */
const MAX_RETENTION_DAYS = 36_500

const ModelName = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9-]{1,40}\/[A-Za-z0-9._:/@-]{1,160}$/, 'must be provider/model, such as anthropic/claude-sonnet-5-5'),
)
/** UTF-16 units of a client tool's arguments schema as JSON: providers refuse larger ones. */
const MAX_SCHEMA = 32_768
const MAX_DESCRIPTION = 4096
const ArgumentsSchema = v.pipe(
  v.looseObject({ type: v.literal('object') }),
  v.check((schema) => JSON.stringify(schema).length <= MAX_SCHEMA, `must be shorter than ${MAX_SCHEMA} characters`),
)
/** By name alone, or with whether a person approves each call first. */
const ServerTool = v.strictObject({
  type: told('A tool of the server.', v.literal('builtin')),
  name: told('Its name, such as calculator.', ToolName),
  approval: v.optional(told('ask: a person approves each call first.', v.picklist(['none', 'ask']))),
})
/** The page executes it. */
const ClientTool = v.strictObject({
  type: told('A tool that the page executes.', v.literal('client')),
  name: told('Its name; no other tool of the App has it.', ToolName),
  description: told(
    'What the model reads to choose it.',
    v.pipe(StorableText, v.minLength(1), v.maxLength(MAX_DESCRIPTION)),
  ),
  parameters: v.optional(told('JSON Schema of its arguments, of type object.', ArgumentsSchema)),
  wallet: v.optional(
    told(
      "It asks the person's wallet to send transactions or to sign typed data, as clients of Aomi do.",
      v.picklist(['transaction', 'eip712']),
    ),
  ),
})
const ToolEntry = v.union([ToolName, v.variant('type', [ServerTool, ClientTool])])
const nameOfTool = (tool: v.InferOutput<typeof ToolEntry>): string => (typeof tool === 'string' ? tool : tool.name)

const Tokens = between(1, MAX_TOKENS)

const ModelSchema = v.strictObject({
  default: told('The model that answers, as provider/model.', ModelName),
  allowed: v.optional(
    told('Further models that a session may choose.', v.pipe(v.array(ModelName), v.maxLength(MAX_MODELS))),
  ),
  fallbacks: v.optional(
    told(
      "Asked in order when the chosen model's provider is overloaded or away and nothing has been said yet.",
      v.pipe(v.array(ModelName), v.maxLength(MAX_FALLBACKS)),
    ),
  ),
  maxOutputTokens: v.optional(told('Per request to the model; absent: PARLEY_OUTPUT_TOKENS.', Tokens)),
  contextTokens: v.optional(
    told('History, preamble and tools per request, about; absent: PARLEY_CONTEXT_TOKENS.', Tokens),
  ),
  thinking: v.optional(
    told(
      "Thinking before the answer, for models that have it; absent: the model's own default.",
      v.variant('type', [
        v.strictObject({ type: told('As much as the model sees fit.', v.literal('adaptive')) }),
        v.strictObject({
          type: told('Up to so many tokens.', v.literal('budget')),
          budgetTokens: told('Below maxOutputTokens.', Tokens),
        }),
      ]),
    ),
  ),
})

/** What an App's definition file holds. Unknown fields are refused: a misspelt limit would not hold. */
export const DefinitionSchema = v.strictObject({
  $schema: v.optional(told('Lets editors find the schema of this file; Parley ignores it.', v.string())),
  id: told('The name in ?app= and --app.', AppIdSchema),
  name: told('For people.', v.pipe(StorableText, v.trim(), v.minLength(1), v.maxLength(MAX_NAME_LENGTH))),
  preamble: told('The system prompt; empty for none.', v.pipe(StorableText, v.maxLength(MAX_PREAMBLE))),
  model: told('Which models answer, and with how much.', ModelSchema),
  tools: v.optional(
    v.pipe(
      // Before the transform: what comes after it is not the file's any more.
      told(
        'Tools of the server by their names, with or without approval, and tools that the page executes.',
        v.array(ToolEntry),
      ),
      v.maxLength(MAX_TOOLS),
      v.transform((tools) => tools.filter((tool, at) => tools.indexOf(tool) === at)),
      v.check((tools) => new Set(tools.map(nameOfTool)).size === tools.length, 'two tools have the same name'),
    ),
  ),
  httpTools: v.optional(told('Tools that are requests to your services.', HttpToolsSchema)),
  mcp: v.optional(told('MCP servers whose tools the App offers.', McpSchema)),
  limits: v.optional(
    told("What the App may take of the server, in the place of the server's own figures.", AppLimitsSchema),
  ),
  stopAfterDisconnectMs: v.optional(
    told(
      'Milliseconds after which a running answer that nobody watches is stopped; absent: it runs to its end.',
      between(0, MAX_GRACE_MS),
    ),
  ),
  retention: v.optional(
    told(
      'How long conversations are kept; absent: for good.',
      v.strictObject({
        days: told('Sessions that nobody wrote to for so many days are deleted.', between(1, MAX_RETENTION_DAYS)),
      }),
    ),
  ),
  aomi: v.optional(
    told(
      'For clients of Aomi.',
      v.strictObject({
        keyless: v.optional(
          told(
            'What they may do without the key in a session whose random id they know.',
            v.picklist(['off', 'read', 'full']),
          ),
        ),
        simulate: v.optional(told('A tool of the server that simulates transactions.', ToolName)),
        walletProof: v.optional(told('A wallet is bound by a signature only.', v.boolean())),
      }),
    ),
  ),
})

/** As in the file: what has a default may be left out and then follows the server's own. */
export type AppDefinition = v.InferOutput<typeof DefinitionSchema>

/** The server's numbers for what a definition leaves out. */
export type AppDefaults = { readonly maxOutputTokens: number; readonly contextTokens: number }

/** Reads a definition; throws `invalid_value` whose message names every fault with its place in the file. */
export function parseDefinition(input: unknown): AppDefinition {
  const sampling = samplingFault(input)
  if (sampling !== undefined) throw new ParleyError('invalid_value', { message: sampling })
  const parsed = v.safeParse(DefinitionSchema, input, IN_WORDS)
  const faults = parsed.success ? beyondSchema(parsed.output) : parsed.issues.map(describe)
  if (!parsed.success || faults.length > 0) throw new ParleyError('invalid_value', { message: faults.join('; ') })
  return parsed.output
}

function beyondSchema({ tools = [], httpTools = [], mcp = [] }: AppDefinition): string[] {
  return [...httpToolFaults(httpTools, tools.map(nameOfTool)), ...mcpFaults(mcp)]
}

/** The App that a definition describes. The default model is always among those allowed. */
export function buildApp(definition: AppDefinition, defaults: AppDefaults): App {
  const { model, httpTools, mcp, limits, stopAfterDisconnectMs } = definition
  const aomi = aomiOf(definition)
  return {
    id: definition.id,
    name: definition.name,
    preamble: definition.preamble,
    model: {
      default: model.default,
      allowed: [...new Set([model.default, ...(model.allowed ?? [])])],
      maxOutputTokens: model.maxOutputTokens ?? defaults.maxOutputTokens,
      contextTokens: model.contextTokens ?? defaults.contextTokens,
      ...(model.fallbacks === undefined ? {} : { fallbacks: [...new Set(model.fallbacks)] }),
      ...(model.thinking === undefined ? {} : { thinking: model.thinking }),
    },
    tools: (definition.tools ?? []).map(toTool),
    ...(httpTools === undefined ? {} : { httpTools: httpTools.map(buildHttpTool) }),
    ...(mcp === undefined ? {} : { mcp: mcp.map(buildMcpServer) }),
    ...(aomi === undefined ? {} : { aomi }),
    ...(limits === undefined ? {} : { limits }),
    ...(stopAfterDisconnectMs === undefined ? {} : { stopAfterDisconnectMs }),
  }
}

function aomiOf({ id, aomi }: AppDefinition): App['aomi'] {
  const standard = id === DEFAULT_APP ? OPEN : SHUT
  if (aomi === undefined) return id === DEFAULT_APP ? OPEN : undefined
  const { keyless, simulate, walletProof } = aomi
  return {
    keyless: keyless ?? standard.keyless,
    ...(simulate === undefined ? {} : { simulate }),
    ...(walletProof === true ? { walletProof } : {}),
  }
}

function toTool(tool: v.InferOutput<typeof ToolEntry>): AppTool {
  if (typeof tool === 'string') return { kind: 'server', name: tool, ask: false }
  if (tool.type === 'builtin') return { kind: 'server', name: tool.name, ask: tool.approval === 'ask' }
  const { name, description, wallet } = tool
  const standard = wallet === undefined ? { type: 'object' } : WALLET_PARAMETERS[wallet]
  const spec = { name, description, parameters: tool.parameters ?? standard }
  return { kind: 'client', spec, ...(wallet === undefined ? {} : { wallet }) }
}

/** Who made a session in the App that needs no key has nothing but its id. */
const OPEN = { keyless: 'full' } as const
const SHUT = { keyless: 'off' } as const
const SAMPLING = ['temperature', 'top_p', 'top_k', 'topP', 'topK']
const LooseModel = v.looseObject({ model: v.looseObject({ default: v.string() }) })

/** Deserves its own sentence: every other server takes these fields. */
function samplingFault(input: unknown): string | undefined {
  if (!v.is(LooseModel, input)) return undefined
  const { model } = input
  const field = SAMPLING.find((name) => Object.hasOwn(model, name))
  if (field === undefined || !model.default.startsWith('anthropic/')) return undefined
  return `model.${field}: Anthropic's API refuses sampling settings; leave it out`
}

function describe(issue: v.BaseIssue<unknown>): string {
  return `${v.getDotPath(issue) ?? 'the definition'}: ${issue.message}`
}
