import { expect, it, test } from 'vitest'
import type { FoundPart } from '../../src/ports/documents.ts'
import { utf8Length } from '../../src/protocol/text.ts'
import { createDocumentSearch } from '../../src/tools/search-documents.ts'
import { fits } from './json-schema.ts'
import { CONTEXT, refusalOf, run } from './run.ts'

const PART: FoundPart = { document: 'returns.md', heading: 'Returns > Costs', part: 3, parts: 12, text: 'We pay.' }

/** A search that gives `found` and remembers what it was asked. */
function searching(...found: FoundPart[]) {
  const asked: unknown[][] = []
  const searchDocuments = async (...args: unknown[]) => {
    asked.push(args)
    return found
  }
  return { tool: createDocumentSearch({ searchDocuments }), asked }
}

it('gives parts with their source, the best first', async () => {
  const { tool } = searching(PART, { ...PART, document: 'a.txt', heading: '', part: 1, parts: 1 })
  expect(await run(tool, { query: 'costs' })).toBe(
    '[1] returns.md > Returns > Costs (part 3 of 12)\nWe pay.\n\n[2] a.txt (part 1 of 1)\nWe pay.',
  )
})

it('says when there is nothing', async () => {
  expect(await run(searching().tool, { query: 'costs' })).toContain('No part')
})

it('I10: takes the App from the call, whatever the model says', async () => {
  const { tool, asked } = searching(PART)
  const args = { query: ' costs ', parts: 2, app: 'other', appId: 'other', sessionId: 'x' }
  await tool.execute(args, { ...CONTEXT, app: 'mine' })
  expect(asked).toEqual([['mine', 'costs', 2]])
})

it('passes on nothing that the store does not take', async () => {
  const { tool, asked } = searching()
  await run(tool, { query: 'a\0b\uD800' })
  expect(asked).toEqual([['default', 'a\uFFFDb\uFFFD', 5]])
})

it('stays within a tool result with ten full parts of any script', async () => {
  const full = { ...PART, document: '書'.repeat(200), heading: '題'.repeat(200), text: '文'.repeat(1600) }
  const result = await run(searching(...Array.from({ length: 10 }, () => full)).tool, { query: 'x', parts: 10 })
  expect(utf8Length(result)).toBeLessThanOrEqual(64 * 1024)
})

test.each([{ query: 'x' }, { query: 'x'.repeat(400), parts: 10 }])('takes %j', async (args) => {
  const { tool } = searching(PART)
  expect(fits(tool.spec.parameters, args)).toBe(true)
  await run(tool, args)
})

test.each([
  {},
  { query: '' },
  { query: 7 },
  { query: 'x'.repeat(401) },
  { query: 'x', parts: 0 },
  { query: 'x', parts: 11 },
  'x',
])('refuses %j', async (args) => {
  const { tool } = searching(PART)
  expect(fits(tool.spec.parameters, args)).toBe(false)
  expect(await refusalOf(tool, args)).toContain('The arguments are not right.')
})
