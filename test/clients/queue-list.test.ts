// @vitest-environment happy-dom
import { expect, test } from 'vitest'
import { QueueList } from '../../clients/ui/queue-list.ts'

const waiting = (runId: string) => ({ runId, clientMessageId: runId, content: `words of ${runId}` })

test('a message that waits keeps its row and its button while others go, and what is removed is its own', () => {
  const removed: string[] = []
  const list = new QueueList((runId) => removed.push(runId))
  const buttons = (): HTMLButtonElement[] => [...list.element.querySelectorAll('button')]
  list.update([waiting('r1'), waiting('r2')], [])
  const [, ofSecond] = buttons()
  list.update([waiting('r2'), waiting('r3')], [])
  expect(buttons()).toHaveLength(2)
  expect(buttons()[0]).toBe(ofSecond)
  ofSecond?.click()
  expect(removed).toEqual(['r2'])
  expect(list.element.textContent).not.toContain('words of r1')
  list.update([], [])
  expect(list.element.hidden).toBe(true)
})
