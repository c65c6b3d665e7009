import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makePdf } from '../documents/make-pdf.ts'
import { LiveClient } from '../support/live-server.ts'
import { ParleyProcess } from '../support/parley-process.ts'

/** Milliseconds for a test that starts processes, one of them with a new data directory. */
const SLOW_MS = 30_000
const APP = { id: 'default', name: 'Shop', preamble: '', model: { default: 'scripted/demo' }, tools: ['calculator'] }

let server: ParleyProcess

beforeAll(async () => {
  server = await ParleyProcess.start()
}, SLOW_MS)
afterAll(() => server.dispose(), SLOW_MS)

async function file(name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(server.path(name), content)
  return server.path(name)
}

/** What the demo answers, in a conversation of its own. */
async function ask(question: string): Promise<string> {
  const client = await LiveClient.connect(Number(new URL(server.url).port), crypto.randomUUID())
  await client.ask(question)
  await client.leave()
  return client.events.map((event) => ('delta' in event ? event.delta : '')).join('')
}

it(
  'a running server finds the documents that the command adds, and no longer those that it deletes',
  async () => {
    await server.command('apps', 'put', await file('app.json', JSON.stringify(APP)))
    await expect.poll(() => ask('look up postage'), { timeout: 5000 }).toContain('does not give me')
    const files = [
      await file('guide.md', '# Costs\nWe pay the postage.'),
      await file('b.pdf', await makePdf([['Postage is free.']])),
    ]
    expect(await server.command('docs', 'add', 'default', ...files)).toMatch(/guide\.md is added.*\nb\.pdf is added/)
    await expect.poll(() => ask('look up postage'), { timeout: 5000 }).toContain('guide.md > Costs (part 1 of 1)')
    expect(await ask('look up postage')).toContain('b.pdf > page 1 (part 1 of 1)\nPostage is free.')
    for (const name of ['guide.md', 'b.pdf']) await server.command('docs', 'delete', 'default', name)
    await expect.poll(() => ask('look up postage'), { timeout: 5000 }).toContain('does not give me')
  },
  SLOW_MS,
)
