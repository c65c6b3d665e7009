import * as v from 'valibot'
import { expect, test } from 'vitest'
import { defineTool } from '../../src/tools/define-tool.ts'
import { CONTEXT, refusalOf, run } from './run.ts'

const seen: unknown[] = []
const tool = defineTool({
  name: 'echo',
  description: 'Echoes.',
  parameters: { type: 'object' },
  schema: v.object({ list: v.array(v.object({ n: v.pipe(v.number(), v.minValue(1, 'must be 1 or more')) })) }),
  run: (args, context) => {
    seen.push(context)
    return JSON.stringify(args)
  },
})

test('a tool gets its checked arguments and the context of the call', async () => {
  expect(await run(tool, { list: [{ n: 1, other: true }], more: 2 })).toBe('{"list":[{"n":1}]}')
  expect(seen).toEqual([CONTEXT])
})

test('wrong arguments are said to the model with their place, three at most', async () => {
  const told = await refusalOf(tool, { list: [{ n: 0 }, { n: -1 }, { n: 0 }, { n: 0 }] })
  expect(told).toBe(
    'The arguments are not right. list.0.n: must be 1 or more; list.1.n: must be 1 or more; list.2.n: must be 1 or more.',
  )
})

test.each([undefined, null, 'text', 7])('arguments that are %j are refused', async (args) => {
  expect(await refusalOf(tool, args)).toMatch(/^The arguments are not right\. /)
})
