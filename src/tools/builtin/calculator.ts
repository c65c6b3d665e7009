import type { MathJsInstance, MathNode } from 'mathjs'
import * as v from 'valibot'
import { type Tool, ToolError } from '../../ports/tool.ts'
import { defineTool } from '../define-tool.ts'
import { CONSTANTS, call, FUNCTIONS, OPERATORS } from './arithmetic.ts'
import { loadMathjs } from './mathjs.ts'

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
  run: ({ expression }) => format(evaluate(loadMathjs(), expression)),
})

/**
 * mathjs only reads the expression; what it read is computed here, by tables that hold nothing but numbers. So no name can
 * reach anything, and no step takes long.
 */
function evaluate(math: MathJsInstance, expression: string): number {
  const spelled = SPELLINGS.reduce((text, [from, to]) => text.replace(from, to), expression)
  checkNesting(spelled)
  return compute(math, parse(math, spelled))
}

/** The parser's own message says where it stopped. */
function parse(math: MathJsInstance, text: string): MathNode {
  try {
    return math.parse(text)
  } catch (thrown) {
    throw new ToolError(thrown instanceof Error ? `${thrown.message}.` : 'This is not an expression.', {
      cause: thrown,
    })
  }
}

function checkNesting(text: string): void {
  let depth = 0
  for (const character of text) {
    if (character === '(') depth += 1
    if (character === ')') depth -= 1
    if (depth > MAX_NESTING) throw new ToolError(`At most ${MAX_NESTING} parentheses within one another.`)
  }
}

function compute(math: MathJsInstance, node: MathNode): number {
  if (math.isConstantNode(node)) {
    if (typeof node.value !== 'number') throw new ToolError('Only numbers can be computed with.')
    return node.value
  }
  if (math.isParenthesisNode(node)) return compute(math, node.content)
  if (math.isSymbolNode(node)) {
    const value = CONSTANTS.get(node.name)
    if (value === undefined) throw new ToolError(`"${node.name}" is not a number that I know.`)
    return value
  }
  if (math.isOperatorNode(node)) return apply(math, OPERATORS, node.fn, node.args)
  if (math.isFunctionNode(node))
    return apply(math, FUNCTIONS, math.isSymbolNode(node.fn) ? node.fn.name : '', node.args)
  throw new ToolError('Only numbers, operators and functions can be computed with.')
}

function apply(math: MathJsInstance, table: typeof FUNCTIONS, name: string, args: readonly MathNode[]): number {
  const entry = table.get(name)
  if (entry === undefined) throw new ToolError(`"${name}" is not an operation that I know.`)
  return call(
    name,
    entry,
    args.map((arg) => compute(math, arg)),
  )
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
