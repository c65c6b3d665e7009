import { expect, it } from 'vitest'
import { ToolError } from '../../../src/ports/tool.ts'
import { Calls } from '../../../src/tools/http/calls.ts'

/** Calls that are on until they are ended. */
function hanging(most: number) {
  const calls = new Calls(most)
  const ends: (() => void)[] = []
  const begin = (app: string) => calls.count(app, () => new Promise<void>((end) => ends.push(end)))
  return { begin, ends }
}

it('one App has half of them at most', async () => {
  const { begin, ends } = hanging(4)
  const own = [begin('shop'), begin('shop')]
  await expect(begin('shop')).rejects.toBeInstanceOf(ToolError)
  for (const end of ends) end()
  await Promise.all(own)
})

it('Apps that take what they can get leave another its turn', async () => {
  const { begin, ends } = hanging(12)
  const greedy = ['shop', 'bank', 'cafe']
  const made: Promise<unknown>[] = []
  for (let round = 0; round < 12; round++) for (const app of greedy) made.push(begin(app).catch(() => undefined))
  const before = ends.length
  const late = begin('late')
  expect(ends.length - before).toBe(1)
  for (const end of ends) end()
  await Promise.all([...made, late])
})

it('none is begun where none is free', async () => {
  const { begin, ends } = hanging(2)
  const on = [begin('shop'), begin('bank')]
  await expect(begin('cafe')).rejects.toBeInstanceOf(ToolError)
  for (const end of ends) end()
  await Promise.all(on)
})

it('the place of one that has ended, or failed, is free', async () => {
  const calls = new Calls(2)
  for (let n = 0; n < 3; n++) {
    expect(await calls.count('shop', async () => n)).toBe(n)
    await expect(calls.count('shop', () => Promise.reject(new Error('away')))).rejects.toThrow('away')
  }
})
