import * as v from 'valibot'
import { type Tool, ToolError } from '../../ports/tool.ts'
import { defineTool } from '../define-tool.ts'
import { CONSTANTS, call, FUNCTIONS, OPERATORS } from './arithmetic.ts'
import { parseExpression, type Step } from './mathematics.ts'

/** Characters: a page of sums. It bounds the cost of parsing, too. */
const MAX_EXPRESSION_LENGTH = 1000
/** Parentheses within one another: more than anyone writes, and far from the end of the parser's stack. */
const MAX_NESTING = 50
/** Digits that are shown of a result: one fewer than doubles have, so that 0.1+0.2 is 0.3. */
const SHOWN_DIGITS = 15

/** What people and models write for the signs that the parser knows. */
const SPELLINGS: readonly (readonly [RegExp, string])[] = [
  [/\*\*/g, '^'],
  [/[×·]/g, '*'],
  [/÷/g, '/'],
  [/[−–]/g, '-'],
  [/π/g, 'pi'],
  [/√\s*(?=\()/g, 'sqrt'],
]

const ArgumentsSchema = v.object({
  expression: v.pipe(v.string(), v.trim(), v.minLength(1, 'must not be empty'), v.maxLength(MAX_EXPRESSION_LENGTH)),
})

export const calculator: Tool = defineTool({
  name: 'calculator',
  description:
    'Evaluates one arithmetic expression with real numbers, e.g. "2*(3+4)^2", "sqrt(2)/3", "15/100*80", "5!" or "round(2/3, 4)". ' +
    `Operators: + - * / ^ ! and mod. Functions: ${[...FUNCTIONS.keys()].join(', ')}. Constants: ${[...CONSTANTS.keys()].join(', ')}. ` +
    'Angles are in radians; radians(x) converts from degrees. No variables, units or dates.',
  parameters: {
    type: 'object',
    properties: {
      expression: { type: 'string', minLength: 1, maxLength: MAX_EXPRESSION_LENGTH, description: 'The expression.' },
    },
    required: ['expression'],
  },
  schema: ArgumentsSchema,
  run: async ({ expression }) => format(await evaluate(expression)),
})

/**
 * mathjs only reads the expression; what it read is computed here, by tables that hold nothing but numbers. So no name can
 * reach anything, and no step takes long.
 */
async function evaluate(expression: string): Promise<number> {
  const spelled = SPELLINGS.reduce((text, [from, to]) => text.replace(from, to), expression)
  checkNesting(spelled)
  return compute(await parseExpression(spelled))
}

function checkNesting(text: string): void {
  let depth = 0
  for (const character of text) {
    if (character === '(') depth += 1
    if (character === ')') depth -= 1
    if (depth > MAX_NESTING) throw new ToolError(`At most ${MAX_NESTING} parentheses within one another.`)
  }
}

function compute(steps: readonly Step[]): number {
  const results: number[] = []
  for (const step of steps) results.push(computeStep(step, results))
  return results.at(-1) ?? Number.NaN
}

/** Takes what it needs from the end of the results so far. */
function computeStep(step: Step, results: number[]): number {
  switch (step.kind) {
    case 'constant':
      if (typeof step.value !== 'number') throw new ToolError('Only numbers can be computed with.')
      return step.value
    case 'name':
      return valueOf(step.name)
    case 'operator':
      return apply(OPERATORS, step.name, results.splice(results.length - step.takes))
    case 'function':
      return apply(FUNCTIONS, step.name, results.splice(results.length - step.takes))
    case 'other':
      throw new ToolError('Only numbers, operators and functions can be computed with.')
  }
}

function valueOf(name: string): number {
  const value = CONSTANTS.get(name)
  if (value === undefined) throw new ToolError(`"${name}" is not a number that I know.`)
  return value
}

function apply(table: typeof FUNCTIONS, name: string, args: readonly number[]): number {
  const entry = table.get(name)
  if (entry === undefined) throw new ToolError(`"${name}" is not an operation that I know.`)
  return call(name, entry, args)
}

function format(result: number): string {
  if (Number.isNaN(result)) throw new ToolError('The result is not a real number.')
  const rounded = Number(result.toPrecision(SHOWN_DIGITS))
  // Rounding may go beyond the largest number, too.
  if (!Number.isFinite(rounded)) throw new ToolError('The result is too large.')
  // Beyond the safe integers the last digits would be made up.
  if (Math.abs(result) > Number.MAX_SAFE_INTEGER) return rounded.toExponential()
  const shown = Number.isInteger(result) ? result : rounded
  return String(shown === 0 ? 0 : shown)
}
