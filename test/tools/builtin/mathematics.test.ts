import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { ToolError } from '../../../src/ports/tool.ts'
import { calculator } from '../../../src/tools/builtin/calculator.ts'
import { MathThread } from '../../../src/tools/builtin/mathematics.ts'
import { unitConverter } from '../../../src/tools/builtin/units.ts'
import { run } from '../run.ts'

const PATIENCE_MS = 200

/** A thread's program that does this with what it is asked. */
function program(body: string): URL {
  const code = `import { parentPort } from 'node:worker_threads'; parentPort.on('message', ({ id, name, args }) => { ${body} })`
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`)
}

const ended = (asked: Promise<unknown>) =>
  asked.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )

describe('the thread of mathjs', () => {
  it('alone has mathjs: the event loop never waits for it to load', async () => {
    expect(await run(calculator, { expression: '1+1' })).toBe('2')
    expect(await run(unitConverter, { value: 1, from: 'km', to: 'm' })).toBe('1 km = 1000 m')
    const { cache } = createRequire(import.meta.url)
    expect(Object.keys(cache).filter((path) => path.includes('mathjs'))).toEqual([])
  })

  it('answers each of many that ask at once', async () => {
    const sums = Array.from({ length: 50 }, (_, nth) => run(calculator, { expression: `${nth}+1/0.5` }))
    expect(await Promise.all(sums)).toEqual(sums.map((_, nth) => String(nth + 2)))
  })

  it('reads what is as deep as an expression can be', async () => {
    expect(await run(calculator, { expression: `${'-'.repeat(998)}1` })).toBe('1')
    expect(await run(calculator, { expression: `1${'!'.repeat(999)}` })).toBe('1')
    expect(await run(calculator, { expression: `${'1^'.repeat(499)}1` })).toBe('1')
  })

  it('is ended with all that waits for it when it takes too long', async () => {
    const thread = new MathThread(program('for (;;);'), PATIENCE_MS)
    const asked = [ended(thread.ask('parse', 'one')), ended(thread.ask('parse', 'two'))]
    expect(await Promise.all(asked)).toEqual([expect.any(ToolError), expect.any(ToolError)])
  })

  it('begins again after its end, whatever that was', async () => {
    const once = "if (args[0] === 'end') throw new Error('broken'); parentPort.postMessage({ id, result: args[0] })"
    const thread = new MathThread(program(once))
    expect(await thread.ask('parse', 'one')).toBe('one')
    expect(await ended(thread.ask('parse', 'end'))).toMatchObject({ message: 'broken' })
    expect(await thread.ask('parse', 'two')).toBe('two')
  })

  it('is bounded in memory', async () => {
    // Pieces as small as a reader of expressions makes: what comes in large ones can outrun Node 24's bound, which then ends the process.
    const thread = new MathThread(program('let all; for (;;) all = [all, id]'))
    expect(await ended(thread.ask('parse', '1'))).toMatchObject({ code: 'ERR_WORKER_OUT_OF_MEMORY' })
  })
})
