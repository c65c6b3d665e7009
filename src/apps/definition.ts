import * as v from 'valibot'
import type { App } from '../ports/apps.ts'
import { ParleyError } from '../protocol/errors.ts'
import { AppIdSchema } from '../protocol/ids.ts'
import { MAX_NAME_LENGTH } from '../protocol/limits.ts'
import { StorableText } from '../protocol/messages.ts'

/** Characters: about 16,000 words, more than any model follows. */
const MAX_PREAMBLE = 100_000
/** Tools of one App: providers refuse more, and models choose badly among so many. */
const MAX_TOOLS = 128
/** Models that people may choose from: a menu, not a catalogue. */
const MAX_MODELS = 50
/** Tokens: above the largest window of any model. */
const MAX_TOKENS = 10_000_000
/** Milliseconds: a day. Who wants an answer to go on longer wants it to go on to its end. */
const MAX_GRACE_MS = 86_400_000

const ModelName = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9-]{1,40}\/[A-Za-z0-9._:/-]{1,160}$/, 'must be provider/model, such as anthropic/claude-sonnet-5-5'),
)
const ToolName = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 _ -'))
const Tokens = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_TOKENS))

/** What an App's definition file holds. Unknown fields are refused: a misspelt limit would not hold. */
const DefinitionSchema = v.strictObject({
  /** Lets editors find the file's schema. */
  $schema: v.optional(v.string()),
  id: AppIdSchema,
  name: v.pipe(StorableText, v.trim(), v.minLength(1), v.maxLength(MAX_NAME_LENGTH)),
  preamble: v.pipe(StorableText, v.maxLength(MAX_PREAMBLE)),
  model: v.strictObject({
    default: ModelName,
    allowed: v.optional(v.pipe(v.array(ModelName), v.maxLength(MAX_MODELS))),
    maxOutputTokens: v.optional(Tokens),
    contextTokens: v.optional(Tokens),
    /** Extended thinking, for models that have it: as much as the model sees fit, or a budget below `maxOutputTokens`. */
    thinking: v.optional(
      v.variant('type', [
        v.strictObject({ type: v.literal('adaptive') }),
        v.strictObject({ type: v.literal('budget'), budgetTokens: Tokens }),
      ]),
    ),
  }),
  tools: v.optional(v.pipe(v.array(ToolName), v.maxLength(MAX_TOOLS))),
  stopAfterDisconnectMs: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_GRACE_MS))),
  aomi: v.optional(v.strictObject({ keyless: v.picklist(['off', 'read', 'full']) })),
})

/** As in the file: what has a default may be left out and then follows the server's own. */
export type AppDefinition = v.InferOutput<typeof DefinitionSchema>

/** The server's numbers for what a definition leaves out. */
export type AppDefaults = { readonly maxOutputTokens: number; readonly contextTokens: number }

/** Reads a definition; throws `invalid_value` whose message names every fault with its place in the file. */
export function parseDefinition(input: unknown): AppDefinition {
  const sampling = samplingFault(input)
  if (sampling !== undefined) throw new ParleyError('invalid_value', { message: sampling })
  const parsed = v.safeParse(DefinitionSchema, input)
  if (parsed.success) return parsed.output
  throw new ParleyError('invalid_value', { message: parsed.issues.map(describe).join('; ') })
}

/** The App that a definition describes. The default model is always among those allowed. */
export function buildApp(definition: AppDefinition, defaults: AppDefaults): App {
  const { model, stopAfterDisconnectMs } = definition
  const aomi = definition.aomi ?? (definition.id === DEFAULT_APP ? OPEN : undefined)
  return {
    id: definition.id,
    name: definition.name,
    preamble: definition.preamble,
    model: {
      default: model.default,
      allowed: [...new Set([model.default, ...(model.allowed ?? [])])],
      maxOutputTokens: model.maxOutputTokens ?? defaults.maxOutputTokens,
      contextTokens: model.contextTokens ?? defaults.contextTokens,
      ...(model.thinking === undefined ? {} : { thinking: model.thinking }),
    },
    tools: [...new Set(definition.tools)],
    ...(aomi === undefined ? {} : { aomi }),
    ...(stopAfterDisconnectMs === undefined ? {} : { stopAfterDisconnectMs }),
  }
}

/** Who made a session in the App that needs no key has nothing but its id. */
const DEFAULT_APP = 'default'
const OPEN = { keyless: 'full' } as const
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
  const path = v.getDotPath(issue) ?? 'the definition'
  if (issue.type === 'strict_object' && issue.expected === 'never') return `${path}: unknown field`
  if (issue.received === 'undefined') return `${path}: is missing`
  if (issue.type === 'regex' || issue.type === 'check') return `${path}: ${issue.message}`
  return `${path}: expected ${issue.expected ?? issue.type}, received ${issue.received}`
}
