import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeCommand, decodeServerFrame, isDeeperThan } from '../../src/protocol/codec.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import { MAX_JSON_DEPTH } from '../../src/protocol/limits.ts'
import { COMMANDS } from './samples.ts'

/** Frames of each property; a few hundred milliseconds in all. */
const RUNS = { numRuns: 600 }
const CLIENT_ID = /^[A-Za-z0-9_-]{1,64}$/
/** Stands for what a person wrote: no refusal may repeat it. */
const SECRET = 'correct horse battery staple'

const anyText = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  // Lone surrogates, too.
  fc.array(fc.integer({ min: 0, max: 0xff_ff }), { maxLength: 20 }).map((units) => String.fromCharCode(...units)),
  fc.json(),
)
const anyValue = fc.oneof(fc.jsonValue({ maxDepth: 4 }), anyText, fc.constantFrom(undefined, -0, 1e300, SECRET))
const validText = fc.constantFrom(...Object.values(COMMANDS).map((command) => JSON.stringify(command)))

/** A valid command with one to three of its values, at any depth, replaced, taken out or added to. */
const mutatedCommand = fc
  .tuple(
    fc.constantFrom(...Object.values(COMMANDS)),
    fc.array(fc.tuple(fc.nat(), fc.nat(), anyValue), { minLength: 1, maxLength: 3 }),
  )
  .map(([command, changes]) => {
    const copy: unknown = structuredClone(command)
    for (const [where, key, value] of changes) {
      const nodes = objectsOf(copy)
      const node = nodes[where % nodes.length]
      if (node === undefined) continue
      const keys = [...Object.keys(node), 'id', 'extra', '__proto__']
      Reflect.set(node, keys[key % keys.length] ?? 'extra', value)
    }
    return JSON.stringify(copy)
  })

/** A valid command's text with characters replaced, cut out or put in. */
const mutatedText = fc
  .tuple(validText, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 4 }), anyText), { minLength: 1, maxLength: 3 }))
  .map(([text, edits]) =>
    edits.reduce((edited, [at, length, insert]) => {
      const start = at % (edited.length + 1)
      return edited.slice(0, start) + insert + edited.slice(start + length)
    }, text),
  )

function objectsOf(value: unknown): object[] {
  if (typeof value !== 'object' || value === null) return []
  return [value, ...Object.values(value).flatMap(objectsOf)]
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

/** What holds of every frame, whatever it is. */
function verifyDecoding(text: string): void {
  const decoded = decodeCommand(text)
  // Read again, a command is what it was: nothing is filled in or spelled twice.
  const again = decoded.ok ? decodeCommand(JSON.stringify(decoded.command)) : decoded
  expect(again).toEqual(decoded)
  const error = decoded.ok ? new ParleyError('bad_frame') : decoded.error
  expect(error).toMatchObject({ name: 'ParleyError', code: 'bad_frame' })
  expect(error.message).not.toContain(SECRET)
  for (const id of Object.values(decoded.ok ? {} : decoded.ref)) expect(id).toMatch(CLIENT_ID)
}

describe('decodeCommand answers and never throws (P-10)', () => {
  it.each([
    ['any text', anyText],
    ['any JSON', fc.jsonValue().map((value) => JSON.stringify(value))],
    ['a valid command with changed values', mutatedCommand],
    ['a valid command with changed characters', mutatedText],
  ])('to %s', (_name, frames) => {
    fc.assert(fc.property(frames, verifyDecoding), RUNS)
  })

  it('to JSON of any depth', () => {
    const deep = fc.nat({ max: 100 }).map((levels) => `${'{"a":['.repeat(levels)}7${']}'.repeat(levels)}`)
    fc.assert(fc.property(deep, verifyDecoding), { numRuns: 100 })
  })

  it('and never repeats what a field held', () => {
    const commands = Object.values(COMMANDS).flatMap((command) =>
      Object.keys(command).map((key) => JSON.stringify({ ...command, [key]: { [SECRET]: SECRET } })),
    )
    for (const text of commands) verifyDecoding(text)
  })
})

describe('isDeeperThan', () => {
  it('agrees with a walk of the parsed value (P-11)', () => {
    const values = fc.oneof(fc.jsonValue({ maxDepth: 6 }), fc.json({ maxDepth: 6 }))
    fc.assert(
      fc.property(values, fc.nat({ max: 8 }), (value, limit) => {
        expect(isDeeperThan(JSON.stringify(value), limit)).toBe(depthOf(value) > limit)
      }),
      RUNS,
    )
  })

  it('is true of no command that was read', () => {
    fc.assert(
      fc.property(mutatedText, (text) => {
        expect(decodeCommand(text).ok && isDeeperThan(text, MAX_JSON_DEPTH)).toBe(false)
      }),
      RUNS,
    )
  })
})

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function faultOf(text: string): unknown {
  try {
    decodeServerFrame(text)
    return undefined
  } catch (thrown) {
    return thrown instanceof ParleyError ? thrown.code : thrown
  }
}

describe('decodeServerFrame', () => {
  it('reads or passes over any JSON, and throws bad_frame at the rest (P-3)', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, mutatedCommand), (text) => {
        expect(faultOf(text)).toBe(isJson(text) ? undefined : 'bad_frame')
      }),
      RUNS,
    )
  })
})
