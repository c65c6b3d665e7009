import * as v from 'valibot'
import { type DocumentSearch, type FoundPart, SEARCH_DOCUMENTS } from '../ports/documents.ts'
import type { Tool } from '../ports/tool.ts'
import { toStorable } from '../protocol/text.ts'
import { defineTool } from './define-tool.ts'

/** Characters: a long sentence. It bounds the words that are looked up. */
const MAX_QUERY_LENGTH = 400
/** Parts in one result: of full size they stay below the limit of a tool's result. */
const MAX_PARTS = 10
/** Parts when the model does not say: about 1,500 tokens. */
const DEFAULT_PARTS = 5

const ArgumentsSchema = v.object({
  query: v.pipe(v.string(), v.trim(), v.minLength(1, 'must not be empty'), v.maxLength(MAX_QUERY_LENGTH)),
  parts: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_PARTS)), DEFAULT_PARTS),
})

/** Searches the documents of the App whose session asks: which one that is comes from the call, never from the model (I10). */
export function createDocumentSearch(documents: DocumentSearch): Tool {
  return defineTool({
    name: SEARCH_DOCUMENTS,
    description:
      'Searches the documents that belong to this assistant and gives the parts that fit best, each with its source. ' +
      'Use it before you answer what the documents may tell, and name the document that an answer comes from. ' +
      'Give the words that the text would use, e.g. "return period shoes"; "quoted words" stand together, or between words means either, -word leaves out.',
    parameters: {
      type: 'object',
      properties: {
        query: { type: 'string', minLength: 1, maxLength: MAX_QUERY_LENGTH, description: 'What to look for.' },
        parts: {
          type: 'integer',
          minimum: 1,
          maximum: MAX_PARTS,
          description: `How many parts to give at most; ${DEFAULT_PARTS} when it is left out.`,
        },
      },
      required: ['query'],
    },
    schema: ArgumentsSchema,
    run: async ({ query, parts }, { app }) => describe(await documents.searchDocuments(app, toStorable(query), parts)),
  })
}

function describe(found: readonly FoundPart[]): string {
  if (found.length === 0) return 'No part of the documents has these words. Other words may find more.'
  return found.map((part, index) => `[${index + 1}] ${source(part)}\n${part.text}`).join('\n\n')
}

/** `returns.md > Returns > How long (part 3 of 12)` */
function source({ document, heading, part, parts }: FoundPart): string {
  return `${[document, heading].filter((text) => text !== '').join(' > ')} (part ${part} of ${parts})`
}
