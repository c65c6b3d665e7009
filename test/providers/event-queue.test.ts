import { expect, test, vi } from 'vitest'
import { EventQueue } from '../../src/providers/event-queue.ts'

const done = { value: undefined, done: true }
const values = (results: readonly IteratorResult<readonly unknown[], undefined>[]) => results.map(({ value }) => value)

test('what was pushed in one turn comes together, in order, to a reader that waits and to one that comes later', async () => {
  const queue = new EventQueue<string>(() => undefined)
  const first = queue.next()
  queue.push('a')
  queue.push('b')
  expect(values([await first])).toEqual([['a', 'b']])
  queue.push('c')
  queue.push('d')
  expect(values([await queue.next()])).toEqual([['c', 'd']])
})

test('what is forgotten before its turn is over leaves the reader waiting', async () => {
  const queue = new EventQueue<string>(() => undefined)
  const first = queue.next()
  queue.push('a')
  queue.clear()
  await Promise.resolve()
  queue.push('b')
  expect(await first).toEqual({ value: ['b'], done: false })
})

test('what a stop forgets in the turn in which it came is never heard', async () => {
  const queue = new EventQueue<string>(() => undefined)
  const first = queue.next()
  queue.push('a')
  queue.clear()
  queue.end({ error: new Error('stopped') })
  await expect(first).rejects.toThrow('stopped')
  expect(await queue.next()).toEqual(done)
})

test('the end comes after the events that wait, and stays', async () => {
  const queue = new EventQueue<string>(() => undefined)
  queue.push('a')
  queue.end({})
  queue.push('late')
  queue.end({ error: new Error('late') })
  expect([await queue.next(), await queue.next(), await queue.next()]).toEqual([
    { value: ['a'], done: false },
    done,
    done,
  ])
})

test('an end also delivers what was pushed before it to a reader that waits', async () => {
  const queue = new EventQueue<string>(() => undefined)
  const first = queue.next()
  queue.push('a')
  queue.end({ error: new Error('cut') })
  expect(await first).toEqual({ value: ['a'], done: false })
  await expect(queue.next()).rejects.toThrow('cut')
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

test('the writer is told when the reader has caught up', async () => {
  const onEmpty = vi.fn<() => void>()
  const queue = new EventQueue<number>(onEmpty)
  queue.push(1)
  queue.push(2)
  expect([onEmpty.mock.calls.length, queue.empty]).toEqual([0, false])
  await queue.next()
  expect([onEmpty.mock.calls.length, queue.empty]).toEqual([1, true])
})
