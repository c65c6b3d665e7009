import { ToolError } from '../../ports/tool.ts'

/** The largest factorial that a double holds. */
const MAX_FACTORIAL = 170
/** Factors that one call may multiply. */
const MAX_FACTORS = 1000
const DEGREES_PER_TURN = 360
/** Digits that `round` may keep; a double has no more. */
const MAX_DECIMALS = 15

/** A function of numbers, and how many it takes. Each ends after a bounded number of steps, whatever it is given. */
type Entry = { readonly min: number; readonly max: number; readonly of: (...args: readonly number[]) => number }

function one(of: (x: number) => number): Entry {
  return { min: 1, max: 1, of: (x = Number.NaN) => of(x) }
}

function two(of: (x: number, y: number) => number): Entry {
  return { min: 2, max: 2, of: (x = Number.NaN, y = Number.NaN) => of(x, y) }
}

function many(of: (...args: readonly number[]) => number): Entry {
  return { min: 1, max: Number.POSITIVE_INFINITY, of }
}

const total = (...args: readonly number[]): number => args.reduce((sum, x) => sum + x, 0)

/** By mathjs's names for what it parses. */
export const OPERATORS: ReadonlyMap<string, Entry> = new Map([
  ['add', two((x, y) => x + y)],
  ['subtract', two((x, y) => x - y)],
  ['multiply', two((x, y) => x * y)],
  ['divide', two(divide)],
  ['mod', two(modulo)],
  ['pow', two((x, y) => x ** y)],
  ['unaryMinus', one((x) => -x)],
  ['unaryPlus', one((x) => x)],
  ['factorial', one(factorial)],
])

export const FUNCTIONS: ReadonlyMap<string, Entry> = new Map([
  ...(['abs', 'sign', 'sqrt', 'cbrt', 'exp', 'log2', 'log10', 'floor', 'ceil', 'trunc'] as const).map(named),
  ...(['sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'sinh', 'cosh', 'tanh', 'asinh', 'acosh', 'atanh'] as const).map(
    named,
  ),
  ['ln', one(Math.log)],
  ['log', { min: 1, max: 2, of: (x = Number.NaN, base = Math.E) => Math.log(x) / Math.log(base) }],
  ['round', { min: 1, max: 2, of: (x = Number.NaN, decimals = 0) => round(x, decimals) }],
  ['pow', two((x, y) => x ** y)],
  ['mod', two(modulo)],
  ['atan2', two(Math.atan2)],
  ['min', many(Math.min)],
  ['max', many(Math.max)],
  ['hypot', many(Math.hypot)],
  ['sum', many(total)],
  ['mean', many((...args) => total(...args) / args.length)],
  ['median', many(median)],
  ['gcd', two(gcd)],
  ['lcm', two((x, y) => (x === 0 || y === 0 ? 0 : Math.abs(x * y) / gcd(x, y)))],
  ['factorial', one(factorial)],
  ['combinations', two(combinations)],
  ['permutations', two((n, k) => product(whole(n) - whole(k) + 1, n))],
  ['radians', one((x) => (x * 2 * Math.PI) / DEGREES_PER_TURN)],
  ['degrees', one((x) => (x * DEGREES_PER_TURN) / (2 * Math.PI))],
])

export const CONSTANTS: ReadonlyMap<string, number> = new Map([
  ['pi', Math.PI],
  ['tau', 2 * Math.PI],
  ['e', Math.E],
  ['phi', (1 + Math.sqrt(5)) / 2],
])

function named(
  name: 'abs' | 'sign' | 'sqrt' | 'cbrt' | 'exp' | 'log2' | 'log10' | 'floor' | 'ceil' | 'trunc' | Angle,
): readonly [string, Entry] {
  return [name, one(Math[name])]
}

type Angle = 'sin' | 'cos' | 'tan' | 'asin' | 'acos' | 'atan' | 'sinh' | 'cosh' | 'tanh' | 'asinh' | 'acosh' | 'atanh'

/** Calls an entry of a table above; the model is told when it gave too few or too many numbers. */
export function call(name: string, { min, max, of }: Entry, args: readonly number[]): number {
  if (args.length < min || args.length > max)
    throw new ToolError(`"${name}" takes ${min === max ? min : `${min} or more`} numbers.`)
  return of(...args)
}

function divide(x: number, y: number): number {
  if (y === 0) throw new ToolError('Division by zero.')
  return x / y
}

/** Has the sign of the divisor, as in mathematics. */
function modulo(x: number, y: number): number {
  return x - y * Math.floor(divide(x, y))
}

function round(x: number, decimals: number): number {
  const places = whole(decimals)
  if (places > MAX_DECIMALS) throw new ToolError(`At most ${MAX_DECIMALS} decimals.`)
  return Number(`${Math.round(Number(`${x}e${places}`))}e-${places}`)
}

function median(...args: readonly number[]): number {
  const sorted = args.toSorted((x, y) => x - y)
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN
  return (lower + upper) / 2
}

function gcd(x: number, y: number): number {
  let [a, b] = [Math.abs(integer(x)), Math.abs(integer(y))]
  while (b > 0) [a, b] = [b, a % b]
  return a
}

function factorial(n: number): number {
  if (whole(n) > MAX_FACTORIAL) throw new ToolError(`Factorials go up to ${MAX_FACTORIAL}.`)
  return product(2, n)
}

function combinations(n: number, k: number): number {
  const fewer = Math.min(whole(k), whole(n) - k)
  if (fewer < 0) return 0
  let result = 1
  for (let i = 1; i <= bounded(fewer); i += 1) result = (result * (n - fewer + i)) / i
  return Math.round(result)
}

function product(from: number, to: number): number {
  bounded(to - from + 1)
  let result = 1
  for (let factor = from; factor <= to; factor += 1) result *= factor
  return result
}

function bounded(factors: number): number {
  if (factors > MAX_FACTORS) throw new ToolError(`At most ${MAX_FACTORS} factors.`)
  return factors
}

function integer(x: number): number {
  if (!Number.isSafeInteger(x)) throw new ToolError(`${x} is not an integer that can be computed with exactly.`)
  return x
}

function whole(x: number): number {
  if (integer(x) < 0) throw new ToolError(`${x} is negative.`)
  return x
}
