import { createContext, Script } from 'node:vm'
import Ajv2020, { type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import safeRegex from 'safe-regex2'

/** Characters of a schema as JSON: what a model reads with every request. */
const MAX_SCHEMA_CHARACTERS = 16_000
/** Characters of a fault that a model is told. */
const MAX_FAULT = 300
/** Milliseconds for a check of one call's arguments. Usual ones take a thousandth of it; nothing else runs meanwhile. */
const CHECK_MS = 100

type Schema = Readonly<Record<string, unknown>>
type Fault = (args: unknown) => string | undefined

/** The schema as it is told and checked: a member that it does not name is refused unless it says otherwise. */
export function closeSchema(schema: Schema): Schema {
  return { additionalProperties: false, ...schema }
}

const ajv = new Ajv2020({
  strict: true,
  allowUnionTypes: true,
  validateFormats: false,
  ownProperties: true,
  logger: false,
  // Nothing of one schema is known to the next: each may name its parts as another does.
  addUsedSchema: false,
  // A part that is named a hundred times would be compiled as often, and what comes of it be polished for a minute.
  inlineRefs: false,
  code: { optimize: false },
})
const compiled = new WeakMap<Schema, ValidateFunction>()

/** Compiles a JSON Schema (2020-12) of a call's arguments; throws an Error that says what is wrong with the schema. */
export function compileArguments(schema: Schema): Fault {
  const validate = compiled.get(schema) ?? compile(schema)
  compiled.set(schema, validate)
  return (args) => {
    try {
      return withinTime(() => validate(args)) === true ? undefined : describe(validate.errors?.[0])
    } catch (thrown) {
      if (Reflect.get(Object(thrown), 'code') === LATE) return 'arguments: take too long to be checked'
      throw thrown
    }
  }
}

function compile(schema: Schema): ValidateFunction {
  if (JSON.stringify(schema).length > MAX_SCHEMA_CHARACTERS)
    throw new Error(`has more than ${MAX_SCHEMA_CHARACTERS} characters`)
  if (schema['type'] !== 'object') throw new Error('its type must be "object"')
  // It would make the check a promise, which is neither true nor false.
  if ('$async' in schema) throw new Error('unknown keyword: "$async"')
  assertPatterns(schema)
  const closed = closeSchema(schema)
  try {
    return ajv.compile(closed)
  } finally {
    ajv.removeSchema(closed)
  }
}

const LATE = 'ERR_SCRIPT_EXECUTION_TIMEOUT'
const place = { work: (): unknown => undefined }
const CONTEXT = createContext(place)
const WORK = new Script('work()')

/** Throws an error of the code LATE. The engine ends what runs, whatever it is in: a pattern, or a schema within itself. */
function withinTime(work: () => unknown): unknown {
  place.work = work
  return WORK.runInContext(CONTEXT, { timeout: CHECK_MS })
}

function describe(error: ErrorObject | undefined): string {
  const { instancePath = '', message = 'do not fit', params = {} } = error ?? {}
  const extra: unknown = params['additionalProperty']
  const place = instancePath === '' ? 'arguments' : instancePath.slice(1).replaceAll('/', '.')
  return `${place}: ${message}${typeof extra === 'string' ? ` (${extra})` : ''}`.slice(0, MAX_FAULT)
}

/**
 * Some patterns take longer than the world for a text of forty characters, and whoever talks to the model chooses the text. Most
 * are told here, where the definition is stored; the others are stopped.
 */
function assertPatterns(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    const patterns = key === 'pattern' ? [inner] : key === 'patternProperties' ? Object.keys({ ...inner }) : []
    for (const pattern of patterns)
      if (typeof pattern === 'string' && !safeRegex(pattern)) throw new Error(`the pattern ${pattern} may take forever`)
    assertPatterns(inner)
  }
}
