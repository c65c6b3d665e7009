import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { tellCrowd } from '../../src/chat/connection/tell-crowd.ts'
import { EventBuffer } from '../../src/chat/run/event-buffer.ts'
import { TurnQueue } from '../../src/chat/turn-queue.ts'
import { turns } from '../support/turns.ts'

const KIB = 1024
// A turn's time is not what is looked at.
beforeEach(() => {
  vi.spyOn(performance, 'now').mockReturnValue(0)
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** Of the answers here, in KiB. */
const LENGTH = 64

/** Runs that have an answer to tell, each in pieces of 8 KiB. */
function answers(queue: TurnQueue, count: number, members: number) {
  const told = Array.from({ length: count }, () => '')
  const said = told.map((_, nth) => String.fromCharCode('a'.charCodeAt(0) + nth).repeat(LENGTH * KIB))
  const buffers = said.map((text, nth) => {
    const buffer = new EventBuffer((events) => {
      for (const event of events) if ('delta' in event) told[nth] += event.delta
    })
    for (let at = 0; at < text.length; at += 8 * KIB)
      buffer.delta('TEXT_MESSAGE_CONTENT', `${nth}`, text.slice(at, at + 8 * KIB))
    return buffer
  })
  return { told, said, buffers, tell: () => buffers.map((buffer) => tellCrowd(buffer, members, queue)) }
}

const all = (told: readonly (Promise<void> | undefined)[]) => Promise.all(told.map((one) => Promise.resolve(one)))
const lengths = (told: readonly string[]) => told.map(({ length }) => length / KIB)

test('a few who watch are told all at once', () => {
  const few = answers(new TurnQueue(), 3, 7)
  expect(few.tell()).toEqual([undefined, undefined, undefined])
  expect(few.told).toEqual(few.said)
})

test('I7: crowds are told a frame in a turn each, of all crowds together no more than a turn may hand over', async () => {
  const many = answers(new TurnQueue(), 4, 100)
  const end = all(many.tell())
  // What was joined before anybody knew of a crowd are frames of 32 KiB; 2 MiB are one of them to a hundred.
  const steps = [lengths(many.told)]
  for (let turn = 0; turn < 4; turn++) {
    await turns(1)
    steps.push(lengths(many.told))
  }
  expect(steps).toEqual([
    [32, 0, 0, 0],
    [64, 0, 0, 0],
    [64, 32, 0, 0],
    [64, 32, 32, 0],
    [64, 32, 32, 32],
  ])
  await end
  expect(many.told).toEqual(many.said)
})

test('I7: who is told by itself does not wait for a crowd', async () => {
  const queue = new TurnQueue()
  const crowd = answers(queue, 1, 1000)
  const alone = answers(queue, 1, 1)
  const told = crowd.tell()
  expect(alone.tell()).toEqual([undefined])
  expect(alone.told).toEqual(alone.said)
  expect(lengths(crowd.told)).toEqual([32])
  await all(told)
  expect(crowd.told).toEqual(crowd.said)
})

test('the larger a crowd, the shorter its frames; a few get the longest again', async () => {
  const queue = new TurnQueue()
  const sizes: number[] = []
  const buffer = new EventBuffer((events) => {
    for (const event of events) if ('delta' in event) sizes.push(event.delta.length)
  })
  const say = () => {
    for (let nth = 0; nth < 64; nth++) buffer.delta('TEXT_MESSAGE_CONTENT', 'a', '.'.repeat(KIB))
  }
  for (const members of [64, 100, 1000]) {
    await tellCrowd(buffer, members, queue)
    say()
    await tellCrowd(buffer, members, queue)
    sizes.push(0)
  }
  await tellCrowd(buffer, 1, queue)
  say()
  await tellCrowd(buffer, 1, queue)
  const rows = sizes
    .join(' ')
    .split(' 0')
    .map((row) => Math.max(...row.trim().split(' ').map(Number)) / KIB)
  expect(rows).toEqual([16, 10, 8, 32])
})

test('a sink that fails is the run that tells, not the loop', async () => {
  const buffer = new EventBuffer(() => {
    throw new Error('no log')
  })
  buffer.delta('TEXT_MESSAGE_CONTENT', 'a', 'text')
  await expect(tellCrowd(buffer, 100, new TurnQueue())).rejects.toThrow('no log')
})
