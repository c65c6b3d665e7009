import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { CLOSE_TIMEOUT_MS } from '../../src/transports/close-codes.ts'
import { Closings, UwsSocket } from '../../src/transports/uws-socket.ts'
import { RecordingHandler } from './recording-handler.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

it('I7: of those who were closed together and read nothing, four are cut in a turn, the first ones first', () => {
  const closings = new Closings()
  const cut: number[] = []
  for (let nth = 0; nth < 10; nth++) {
    const socket = new UwsSocket(new RecordingHandler(), closings)
    const close = (): void => {
      cut.push(nth)
      closings.gone(socket)
    }
    closings.add(socket, { ws: { getBufferedAmount: () => 1, end: () => {}, close }, code: 4408, reason: 'dead' })
  }
  vi.advanceTimersByTime(CLOSE_TIMEOUT_MS - 1)
  expect(cut).toEqual([])
  vi.advanceTimersByTime(1)
  expect(cut).toEqual([0, 1, 2, 3])
  vi.advanceTimersToNextTimer()
  expect(cut).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  vi.advanceTimersToNextTimer()
  expect(cut).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  expect(vi.getTimerCount()).toBe(0)
})
