import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { readDefinition } from '../../src/cli/definition-file.ts'
import { FakeTerminal } from './fakes.ts'

const folder = mkdtempSync(join(tmpdir(), 'parley-definition-'))
const path = join(folder, 'shop.json')
afterEach(() => vi.restoreAllMocks())
afterAll(() => rmSync(folder, { recursive: true }))

async function faultOf(file: string): Promise<string> {
  const fault: unknown = await readDefinition(file, new FakeTerminal()).catch((thrown: unknown) => thrown)
  return fault instanceof Error ? fault.message : 'none'
}

describe('a definition file', () => {
  it.each([
    ['{\n  "id": "shop",\n  "token": "hunter2",\n}\n', ': line 4, column 1'],
    ['{"token": "hunter2" "id": 1}', ': line 1, column 21'],
    ['{"token": "hunter2"} more', ': line 1, column 22'],
    ['{"token":', ': it ends too early'],
    // Here V8 quotes the text in the place of a position.
    ['{"token": hunter2}', ''],
  ])('that is not JSON is named with the place, as far as there is one, and not quoted: %j', async (text, place) => {
    writeFileSync(path, text)
    expect(await faultOf(path)).toBe(`${path} is not JSON${place}`)
  })

  it('is told the same place where the engine says line and column itself', async () => {
    writeFileSync(path, '{\n  "id": 1,\n}')
    vi.spyOn(JSON, 'parse').mockImplementationOnce(() => {
      throw new SyntaxError('Expected double-quoted property name in JSON at position 13 (line 3 column 1)')
    })
    expect(await faultOf(path)).toBe(`${path} is not JSON: line 3, column 1`)
  })

  it('that is empty, missing or a folder is told so', async () => {
    writeFileSync(path, ' \n')
    expect(await faultOf(path)).toBe(`${path} is empty`)
    expect(await faultOf(join(folder, 'nope.json'))).toBe(`${join(folder, 'nope.json')}: no such file`)
    expect(await faultOf(folder)).toBe(`${folder}: is a folder`)
  })
})
