import { readFile } from 'node:fs/promises'
import { ParleyError } from '../protocol/errors.ts'
import { type CliIo, plain } from './command.ts'
import { fileFault } from './file-fault.ts'

/** The JSON of a file; `-` is standard input. What is wrong is said with the file's name and the place in it. */
export async function readDefinition(file: string, io: CliIo): Promise<unknown> {
  if (file === '-') return parse(await readInput(io), 'standard input')
  const text = await readFile(file, 'utf8').catch((thrown: unknown) => {
    throw fileFault(file, thrown)
  })
  return parse(text, plain(file))
}

async function readInput({ input }: CliIo): Promise<string> {
  let text = ''
  for await (const chunk of input) text += String(chunk)
  return text
}

function parse(text: string, name: string): unknown {
  if (text.trim() === '') throw new ParleyError('invalid_value', { message: `${name} is empty` })
  try {
    return JSON.parse(text)
  } catch (thrown) {
    const place = placeOf(text, thrown instanceof Error ? thrown.message : '')
    throw new ParleyError('invalid_value', { message: `${name} is not JSON${place === '' ? '' : `: ${place}`}` })
  }
}

/** As far as V8 says it. Not its words: they quote what the file holds. */
function placeOf(text: string, told: string): string {
  if (told.startsWith('Unexpected end')) return 'it ends too early'
  const position = /JSON at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(told)?.[1]
  if (position === undefined) return ''
  const before = text.slice(0, Number(position)).split('\n')
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`
}
