import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { linesOf } from '../../../src/tools/mcp/stdio-lines.ts'

async function* chunksOf(...texts: readonly (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text)
}

async function read(chunks: AsyncIterable<Buffer>, maxBytes = 100): Promise<string[]> {
  const lines: string[] = []
  for await (const line of linesOf(chunks, maxBytes)) lines.push(line)
  return lines
}

it('lines are whole, however they come, and none is empty', async () => {
  const [head, tail] = [Buffer.from('{"a":"ü').subarray(0, -1), Buffer.from('ü"}\n').subarray(1)]
  const chunks = chunksOf('one\ntw', 'o\r\n\n', '  \nthree\n', head, tail, 'without an end')
  expect(await read(chunks)).toEqual(['one', 'two', 'three', '{"a":"ü"}'])
})

it('a line at the bound is read, one byte over is refused, also without an end', async () => {
  expect(await read(chunksOf(`${'x'.repeat(100)}\n`))).toEqual(['x'.repeat(100)])
  await expect(read(chunksOf(`${'x'.repeat(101)}\n`))).rejects.toThrow('more than 100 bytes')
  await expect(read(chunksOf('x'.repeat(60), 'x'.repeat(60)))).rejects.toThrow('more than 100 bytes')
})

it('a process that writes without end leaves the event loop its turns', async () => {
  let turns = 0
  const others = new AbortController()
  void (async () => {
    for (; !others.signal.aborted; turns++) await turn()
  })()
  expect(await read(chunksOf('{}\n'.repeat(400)))).toHaveLength(400)
  others.abort()
  expect(turns).toBeGreaterThan(20)
})
