import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { TurnQueue } from '../../src/chat/turn-queue.ts'
import { turns } from '../support/turns.ts'

let now = 0
beforeEach(() => {
  now = 0
  vi.spyOn(performance, 'now').mockImplementation(() => now)
})
afterEach(() => {
  vi.restoreAllMocks()
})

test('pieces have their turn in the order in which they came, and what a piece adds comes after them', async () => {
  const queue = new TurnQueue()
  const done: string[] = []
  queue.add(() => {
    done.push('a')
    queue.add(() => done.push('a again'))
  })
  queue.add(() => done.push('b'))
  expect(done).toEqual([])
  await turns(3)
  expect(done).toEqual(['a', 'b', 'a again'])
})

test('a turn ends when its time is over; what is left has the next one, before what was added meanwhile', async () => {
  const queue = new TurnQueue()
  const done: string[] = []
  for (const name of ['a', 'b', 'c'])
    queue.add(() => {
      done.push(name)
      now += 3
      if (name === 'a') queue.add(() => done.push('late'))
    })
  setImmediate(() => done.push('|'))
  await turns(1)
  expect(done).toEqual(['a', 'b', '|'])
  await turns(3)
  expect(done).toEqual(['a', 'b', '|', 'c', 'late'])
})

test('a turn ends when as much as it may hand over was handed over, and says so to what could be done at once', async () => {
  const queue = new TurnQueue()
  const done: string[] = []
  const spend = (name: string) => () => {
    done.push(name)
    queue.spend(1024 * 1024)
  }
  for (const name of ['a', 'b', 'c', 'd', 'e']) queue.run(spend(name))
  expect(done).toEqual(['a', 'b'])
  setImmediate(() => done.push('|'))
  await turns(1)
  expect(done).toEqual(['a', 'b', 'c', 'd', '|'])
  queue.run(spend('f'))
  await turns(3)
  expect(done).toEqual(['a', 'b', 'c', 'd', '|', 'e', 'f'])
  queue.run(spend('g'))
  expect(done.at(-1)).toBe('g')
})
