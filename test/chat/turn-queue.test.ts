import { expect, test, vi } from 'vitest'
import { TurnQueue } from '../../src/chat/turn-queue.ts'
import { turns } from '../support/turns.ts'

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
  let now = 0
  vi.spyOn(performance, 'now').mockImplementation(() => now)
  const queue = new TurnQueue()
  const done: string[] = []
  for (const name of ['a', 'b', 'c'])
    queue.add(() => {
      done.push(name)
      now += 8
      if (name === 'a') queue.add(() => done.push('late'))
    })
  setImmediate(() => done.push('|'))
  await turns(1)
  expect(done).toEqual(['a', 'b', '|'])
  await turns(3)
  expect(done).toEqual(['a', 'b', '|', 'c', 'late'])
  vi.restoreAllMocks()
})
