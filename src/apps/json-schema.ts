import { toJsonSchema } from '@valibot/to-json-schema'
import { DefinitionSchema } from './definition.ts'

const DRAFT = 'http://json-schema.org/draft-07/schema#'
const TITLE = "An App's definition (Parley)"

let made: object | undefined

/**
 * The JSON Schema (draft 7, which editors know best) of a definition file. It says all but what stands between fields; what it
 * lets pass may still be refused when it is stored.
 */
export function appJsonSchema(): object {
  const settings = { target: 'draft-07', typeMode: 'input', errorMode: 'ignore' } as const
  made ??= { $schema: DRAFT, title: TITLE, ...toJsonSchema(DefinitionSchema, settings) }
  return made
}
