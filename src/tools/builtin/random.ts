import { randomInt, randomUUID } from 'node:crypto'
import * as v from 'valibot'
import { type Tool, ToolError } from '../../ports/tool.ts'
import { defineTool } from '../define-tool.ts'

/** Of numbers and of results: the largest range that the operating system's generator takes at once is 2^48. */
const MAX_NUMBER = 1_000_000_000_000
const MAX_COUNT = 100
const MAX_CHOICES = 200
const MAX_CHOICE_LENGTH = 200

const NumberSchema = v.pipe(v.number(), v.integer(), v.minValue(-MAX_NUMBER), v.maxValue(MAX_NUMBER))
const CountSchema = v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_COUNT)), 1)

const ArgumentsSchema = v.variant('kind', [
  v.object({ kind: v.literal('integer'), min: NumberSchema, max: NumberSchema, count: CountSchema }),
  v.object({ kind: v.literal('uuid'), count: CountSchema }),
  v.object({
    kind: v.literal('choice'),
    choices: v.pipe(
      v.array(v.pipe(v.string(), v.maxLength(MAX_CHOICE_LENGTH))),
      v.minLength(1),
      v.maxLength(MAX_CHOICES),
    ),
    count: CountSchema,
  }),
])

const number = { type: 'integer', minimum: -MAX_NUMBER, maximum: MAX_NUMBER } as const

export const random: Tool = defineTool({
  name: 'random',
  description:
    'Draws at random, fairly: "integer" from "min" to "max" (both may come), "uuid" a new identifier, "choice" one of "choices". ' +
    'With "count", so many, each drawn anew.',
  parameters: {
    type: 'object',
    properties: {
      kind: { type: 'string', enum: ['integer', 'uuid', 'choice'] },
      min: number,
      max: number,
      choices: {
        type: 'array',
        items: { type: 'string', maxLength: MAX_CHOICE_LENGTH },
        minItems: 1,
        maxItems: MAX_CHOICES,
      },
      count: { type: 'integer', minimum: 1, maximum: MAX_COUNT },
    },
    required: ['kind'],
  },
  schema: ArgumentsSchema,
  run: (args) => Array.from({ length: args.count }, () => draw(args)).join('\n'),
})

function draw(args: v.InferOutput<typeof ArgumentsSchema>): string {
  switch (args.kind) {
    case 'uuid':
      return randomUUID()
    case 'choice':
      return args.choices[randomInt(args.choices.length)] ?? ''
    case 'integer':
      if (args.min > args.max) throw new ToolError('"min" is above "max".')
      return String(randomInt(args.min, args.max + 1))
  }
}
