import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ToolError } from '../../../src/ports/tool.ts'
import { calculator } from '../../../src/tools/builtin/calculator.ts'
import { refusalOf, run } from '../run.ts'

const calculate = (expression: string): Promise<string> => run(calculator, { expression })

describe('the calculator', () => {
  test.each([
    ['2+2', '4'],
    ['2*(3+4)^2', '98'],
    ['-2^2', '-4'],
    ['2^3^2', '512'],
    ['2**10', '1024'],
    ['0.1+0.2', '0.3'],
    ['1/3', '0.333333333333333'],
    ['15/100*80', '12'],
    ['10%', '0.1'],
    ['-7 mod 3', '2'],
    ['5!', '120'],
    ['2 pi', '6.28318530717959'],
    ['π', '3.14159265358979'],
    ['6×7−2÷1', '40'],
    ['√(16)', '4'],
    ['sqrt(2)^2', '2'],
    ['log(8, 2)', '3'],
    ['ln(e)', '1'],
    ['round(2/3, 4)', '0.6667'],
    ['round(-2.5)', '-2'],
    ['sin(radians(30))', '0.5'],
    ['degrees(pi)', '180'],
    ['mean(1, 2, 6)', '3'],
    ['median(5, 1, 3, 2)', '2.5'],
    ['median(3)', '3'],
    ['max(1, 2) + min(3, 4)', '5'],
    ['gcd(12, 18)', '6'],
    ['lcm(4, 6)', '12'],
    ['lcm(0, 6)', '0'],
    ['combinations(49, 6)', '13983816'],
    ['combinations(3, 5)', '0'],
    ['permutations(5, 2)', '20'],
    ['1e3 + 0x10', '1016'],
    ['0 * -1', '0'],
    ['2^64', '1.84467440737096e+19'],
    ['9007199254740991', '9007199254740991'],
  ])('says that %s is %s', async (expression, result) => {
    expect(await calculate(expression)).toBe(result)
  })

  test('adds up the 200 numbers of a long expression', async () => {
    expect(await calculate(Array.from({ length: 200 }, (_, i) => i + 1).join('+'))).toBe('20100')
  })

  test.each([
    ['1/0', 'Division by zero.'],
    ['1 mod 0', 'Division by zero.'],
    ['sqrt(-1)', 'The result is not a real number.'],
    ['10^400', 'The result is too large.'],
    ['-1.7976931348623151e+308', 'The result is too large.'],
    ['9^9^9^9', 'The result is too large.'],
    ['171!', 'Factorials go up to 170.'],
    ['2.5!', '2.5 is not an integer that can be computed with exactly.'],
    ['(-3)!', '-3 is negative.'],
    ['combinations(1e9, 5e8)', 'At most 1000 factors.'],
    ['permutations(1e15, 1e14)', 'At most 1000 factors.'],
    ['round(1, 400)', 'At most 15 decimals.'],
    ['sin()', '"sin" takes 1 numbers.'],
    ['log(1, 2, 3)', '"log" takes 1 or more numbers.'],
    ['2 +', 'Unexpected end of expression (char 4).'],
    ['x + 1', '"x" is not a number that I know.'],
    ['5 km', '"km" is not a number that I know.'],
    ['i', '"i" is not a number that I know.'],
    ['1 > 2', '"larger" is not an operation that I know.'],
    ['1; 2', 'Only numbers, operators and functions can be computed with.'],
    ['[1, 2]', 'Only numbers, operators and functions can be computed with.'],
    ['"1" + 1', 'Only numbers can be computed with.'],
    ['# nothing', 'Only numbers can be computed with.'],
    [`${'('.repeat(51)}1${')'.repeat(51)}`, 'At most 50 parentheses within one another.'],
  ])('says of %s: %s', async (expression, message) => {
    expect(await refusalOf(calculator, { expression })).toBe(message)
  })

  test.each([
    'import("fs")',
    'import({a: 1})',
    'config({})',
    'createUnit("x")',
    'evaluate("1")',
    'parse("1")',
    'simplify("1")',
    'derivative("x", "x")',
    'f(x) = x',
    'a = 1',
    'sqrt.constructor("return process")()',
    'cos.constructor("return 1")()',
    '"".constructor',
    'constructor(1)',
    'toString()',
    '__proto__',
    'process.exit(1)',
    'ones(1e9)',
    'range(1, 1e9)',
    '1:1e9',
    'map([1], f(x)=x)',
    'randomInt(5)',
  ])('computes nothing of %s', async (expression) => {
    expect(await refusalOf(calculator, { expression })).not.toBe('')
  })
})

/** Texts that look like expressions, right and wrong. */
const part = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom('+', '-', '*', '/', '^', '!', '%', ' mod ', '(', ')', ',', ' ', '.', 'e', 'pi'),
  },
  { weight: 3, arbitrary: fc.integer().map(String) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'sqrt(',
      'factorial(',
      'combinations(',
      'permutations(',
      'gcd(',
      'max(',
      'log(',
      'round(',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '[',
      ']',
      '{',
      '}',
      ':',
      ';',
      '=',
      '"',
      "'",
      '?',
      '#',
      '\n',
      'a.b',
      'true',
      'null',
      'NaN',
      'Infinity',
      'km',
      '->',
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 8 }) },
  { weight: 1, arbitrary: fc.double().map(String) },
)
const expression = fc.oneof(
  fc.array(part, { maxLength: 120 }).map((parts) => parts.join('')),
  fc.tuple(part, fc.nat(900)).map(([text, times]) => text.repeat(times).slice(0, 1000)),
  fc.string({ unit: 'binary', maxLength: 200 }),
)

test('the calculator gives a number or a ToolError for whatever it is given, and always ends', async () => {
  const globals = Object.keys(globalThis).length
  await fc.assert(
    fc.asyncProperty(expression, async (text) => {
      const result = await calculate(text).catch((thrown: unknown) => {
        if (thrown instanceof ToolError) return '0'
        throw thrown
      })
      expect(Number.isFinite(Number(result))).toBe(true)
    }),
    { numRuns: 3000, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: true },
  )
  expect(Object.keys(globalThis)).toHaveLength(globals)
}, 30_000)
