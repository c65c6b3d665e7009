import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { CommandSchema } from '../../src/protocol/commands.ts'
import { EventSchema } from '../../src/protocol/events.ts'
import { ControlFrameSchema, EnvelopeSchema } from '../../src/protocol/frames.ts'
import { offerProtocols } from '../../src/protocol/handshake.ts'
import { formatCursor } from '../../src/protocol/ids.ts'
import { PROTOCOL_VERSION } from '../../src/protocol/version.ts'
import { describeSchema } from './describe-wire.ts'

/** The wire that each version's name stands for. A name that was released never changes its meaning for an old client (P-97). */
const PINNED: Readonly<Record<string, string>> = {
  'parley.v1': '5353c1c3acbf867e',
}

const advice = (hash: string): string => `The wire is not the one that is pinned as ${PROTOCOL_VERSION}.
If that was not meant: git diff src/protocol.
If it was, ask of clients that are out there (README, P-97):
- They still read all that the server says, and all that they send is still accepted (a new frame, event or command; a new
  optional field): write the rule into src/protocol/README.md and put ${hash} here.
- Anything else (a field gone, renamed, required or narrowed): give PROTOCOL_VERSION a new name, pin it here beside the old
  one, and serve both until the old clients are gone.`

function describeWire() {
  return {
    subprotocols: offerProtocols('<session>', { kind: 'key', key: '<key>' }),
    ticket: offerProtocols('<session>', { kind: 'ticket', ticket: '<ticket>' }),
    cursor: formatCursor({ epoch: '<epoch>', seq: 7 }),
    commands: describeSchema(CommandSchema),
    frames: describeSchema(ControlFrameSchema),
    envelope: describeSchema(EnvelopeSchema),
    events: describeSchema(EventSchema),
  }
}

describe('the wire (P-97)', () => {
  it('is the one that its version was given to', () => {
    const hash = createHash('sha256').update(JSON.stringify(describeWire())).digest('hex').slice(0, 16)
    expect(hash === PINNED[PROTOCOL_VERSION] ? '' : advice(hash)).toBe('')
  })
})

const base = v.object({
  type: v.literal('a'),
  text: v.pipe(v.string(), v.minLength(1)),
  more: v.optional(v.boolean(), false),
})

describe('describeSchema', () => {
  it('says all that a client could notice', () => {
    expect(describeSchema(base)).toEqual({
      object: {
        more: { optional: 'boolean', default: false },
        text: { pipe: ['string', { min_length: 1 }] },
        type: { literal: 'a' },
      },
    })
  })

  it('does not depend on the order in the source', () => {
    const other = v.object({ more: base.entries.more, text: base.entries.text, type: base.entries.type })
    expect(JSON.stringify(describeSchema(other))).toBe(JSON.stringify(describeSchema(base)))
    const [a, b] = [v.object({ type: v.literal('a') }), v.object({ type: v.literal('b') })]
    expect(describeSchema(v.variant('type', [a, b]))).toEqual(describeSchema(v.variant('type', [b, a])))
    expect(describeSchema(v.picklist(['x', 'y']))).toEqual(describeSchema(v.picklist(['y', 'x'])))
  })

  it.each([
    ['a field more', v.object({ ...base.entries, extra: v.string() })],
    ['a field less', v.object({ type: base.entries.type, text: base.entries.text })],
    ['another default', v.object({ ...base.entries, more: v.optional(v.boolean(), true) })],
    ['a required field', v.object({ ...base.entries, more: v.boolean() })],
    ['another bound', v.object({ ...base.entries, text: v.pipe(v.string(), v.minLength(2)) })],
    ['a pattern', v.object({ ...base.entries, text: v.pipe(v.string(), v.regex(/^a$/)) })],
    ['another type', v.object({ ...base.entries, text: v.number() })],
    ['a null', v.object({ ...base.entries, text: v.nullable(base.entries.text) })],
    ['another word', v.object({ ...base.entries, type: v.literal('b') })],
  ])('tells %s apart', (_name, changed) => {
    expect(describeSchema(changed)).not.toEqual(describeSchema(base))
  })

  it('throws at what it does not know', () => {
    expect(() => describeSchema(v.date())).toThrow('does not know the schema date')
    expect(() => describeSchema(v.pipe(v.string(), v.email()))).toThrow('does not know the action email')
    expect(() => describeSchema(undefined)).toThrow(TypeError)
  })
})
