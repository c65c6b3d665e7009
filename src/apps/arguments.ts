import Ajv2020, { type ErrorObject } from 'ajv/dist/2020.js'
import safeRegex from 'safe-regex2'

/** Characters of a schema as JSON: what a model reads with every request. */
const MAX_SCHEMA_CHARACTERS = 16_000
/** Characters of a fault that a model is told. */
const MAX_FAULT = 300

type Schema = Readonly<Record<string, unknown>>
type Fault = (args: unknown) => string | undefined

/** The schema as it is told and checked: a member that it does not name is refused unless it says otherwise. */
export function closeSchema(schema: Schema): Schema {
  return { additionalProperties: false, ...schema }
}

/** Compiles a JSON Schema (2020-12) of a call's arguments; throws an Error that says what is wrong with the schema. */
export function compileArguments(schema: Schema): Fault {
  if (JSON.stringify(schema).length > MAX_SCHEMA_CHARACTERS)
    throw new Error(`has more than ${MAX_SCHEMA_CHARACTERS} characters`)
  if (schema['type'] !== 'object') throw new Error('its type must be "object"')
  assertPatterns(schema)
  // An instance for each: it remembers every schema that it has seen.
  const ajv = new Ajv2020({
    strict: true,
    allowUnionTypes: true,
    validateFormats: false,
    ownProperties: true,
    logger: false,
  })
  const validate = ajv.compile(closeSchema(schema))
  return (args) => (validate(args) ? undefined : describe(validate.errors?.[0]))
}

function describe(error: ErrorObject | undefined): string {
  const { instancePath = '', message = 'do not fit', params = {} } = error ?? {}
  const extra: unknown = params['additionalProperty']
  const place = instancePath === '' ? 'arguments' : instancePath.slice(1).replaceAll('/', '.')
  return `${place}: ${message}${typeof extra === 'string' ? ` (${extra})` : ''}`.slice(0, MAX_FAULT)
}

/** Some patterns take longer than the world for a text of forty characters, and whoever talks to the model chooses the text. */
function assertPatterns(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    const patterns = key === 'pattern' ? [inner] : key === 'patternProperties' ? Object.keys({ ...inner }) : []
    for (const pattern of patterns)
      if (typeof pattern === 'string' && !safeRegex(pattern)) throw new Error(`the pattern ${pattern} may take forever`)
    assertPatterns(inner)
  }
}
