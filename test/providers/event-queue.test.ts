import { expect, test, vi } from 'vitest'
import { EventQueue } from '../../src/providers/event-queue.ts'

const done = { value: undefined, done: true }

test('events come in order, to a reader that waits and to one that comes later', async () => {
  const queue = new EventQueue<string>(() => undefined)
  const first = queue.next()
  queue.push('a')
  queue.push('b')
  queue.push('c')
  expect([await first, await queue.next(), await queue.next()].map(({ value }) => value)).toEqual(['a', 'b', 'c'])
})

test('the end comes after the events that wait, and stays', async () => {
  const queue = new EventQueue<string>(() => undefined)
  queue.push('a')
  queue.end({})
  queue.push('late')
  queue.end({ error: new Error('late') })
  expect([await queue.next(), await queue.next(), await queue.next()]).toEqual([
    { value: 'a', done: false },
    done,
    done,
  ])
})

test('an error rejects once, then the queue is done', async () => {
  const waiting = new EventQueue<string>(() => undefined)
  const pending = waiting.next()
  waiting.end({ error: new Error('cut') })
  await expect(pending).rejects.toThrow('cut')
  expect(await waiting.next()).toEqual(done)
  const later = new EventQueue<string>(() => undefined)
  later.end({ error: undefined })
  await expect(later.next()).rejects.toBeUndefined()
  expect(await later.next()).toEqual(done)
})

test('the writer is told when the reader has caught up, and not before', async () => {
  const onEmpty = vi.fn<() => void>()
  const queue = new EventQueue<number>(onEmpty)
  queue.push(1)
  queue.push(2)
  await queue.next()
  expect([onEmpty.mock.calls.length, queue.empty]).toEqual([0, false])
  await queue.next()
  expect([onEmpty.mock.calls.length, queue.empty]).toEqual([1, true])
})
