import { Latencies } from '../load/latencies.ts'

/** What a load process answers: a number, packed latencies, or an object of such and of maps. */
export type Answered = number | string | { readonly [name: string]: Answered }

/** Several load processes did this at the same time: the longest of them says how long it took. */
const LONGEST = 'seconds'

/** Answers to the parts of one command, as one: counts and histograms add up, maps are joined. */
export function addUp(answers: readonly Answered[]): Answered {
  const [first, ...others] = answers
  if (first === undefined) throw new Error('nobody answered')
  return others.reduce((sum, answer) => addTwo('', sum, answer), first)
}

function addTwo(name: string, one: Answered, other: Answered): Answered {
  if (typeof one === 'number' && typeof other === 'number') return name === LONGEST ? Math.max(one, other) : one + other
  if (typeof one === 'string' && typeof other === 'string') {
    const both = Latencies.decode(one)
    both.merge(Latencies.decode(other))
    return both.encode()
  }
  if (typeof one === 'object' && typeof other === 'object') {
    const names = [...new Set([...Object.keys(one), ...Object.keys(other)])]
    return Object.fromEntries(names.map((key) => [key, addBoth(key, one[key], other[key])]))
  }
  throw new Error(`answers of different kinds: ${typeof one} and ${typeof other}`)
}

function addBoth(name: string, one: Answered | undefined, other: Answered | undefined): Answered {
  if (one === undefined) return other ?? 0
  return other === undefined ? one : addTwo(name, one, other)
}
