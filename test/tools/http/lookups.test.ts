import { expect, it } from 'vitest'
import { fewAtOnce } from '../../../src/tools/http/lookups.ts'

/** A resolver that answers when it is told to. */
function slow() {
  const asked: string[] = []
  const answers = new Map<string, (addresses: readonly string[]) => void>()
  const lookup = fewAtOnce(2, (name) => {
    asked.push(name)
    return new Promise((resolve) => answers.set(name, resolve))
  })
  return { asked, lookup, answer: (name: string) => answers.get(name)?.([name]) }
}

const NEVER = new AbortController().signal

it('names that nobody answers for leave the process its threads: so many are looked up at once, in their order', async () => {
  const { asked, lookup, answer } = slow()
  const found = ['a', 'b', 'c', 'd'].map((name) => lookup(name, NEVER))
  expect(asked).toEqual(['a', 'b'])
  answer('b')
  expect(await found[1]).toEqual(['b'])
  expect(asked).toEqual(['a', 'b', 'c'])
  answer('c')
  await found[2]
  answer('a')
  answer('d')
  expect(await Promise.all(found)).toEqual([['a'], ['b'], ['c'], ['d']])
})

it('a name that nobody waits for any more takes no turn', async () => {
  const { asked, lookup, answer } = slow()
  const call = new AbortController()
  const on = [lookup('a', NEVER), lookup('b', NEVER)]
  const [gone, next] = [lookup('c', call.signal), lookup('d', NEVER)]
  const late = new Error('late')
  call.abort(late)
  await expect(gone).rejects.toBe(late)
  await expect(lookup('e', call.signal)).rejects.toBe(late)
  answer('a')
  await on[0]
  expect(asked).toEqual(['a', 'b', 'd'])
  answer('b')
  answer('d')
  expect(await next).toEqual(['d'])
})

it('one that is not found gives its place back', async () => {
  const lookup = fewAtOnce(1, (name) => (name === 'a' ? Promise.reject(new Error('not found')) : Promise.resolve([])))
  const [first, second] = [lookup('a', NEVER), lookup('b', NEVER)]
  await expect(first).rejects.toThrow('not found')
  expect(await second).toEqual([])
})
