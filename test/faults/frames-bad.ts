import { COMMANDS } from '../protocol/samples.ts'
import type { Dice } from '../support/dice.ts'
import type { TransportName } from '../support/transports.ts'
import { clientFrame, OPCODE } from '../transports/raw-peer.ts'

const KIB = 1024
/** Bytes: the limits of P-11, and a little to both sides of them. */
const FRAME_BYTES = 64 * KIB
const READABLE_BYTES = 1024 * KIB
/** Levels: P-11 allows 32. */
const MAX_LEVELS = 200
/** Prepared frames of each kind: made once, so that the flood is the server's work and not ours. */
const PREPARED = 200
const PREPARED_FATAL = 60
const PREPARED_LARGE = 12
/** The share of bad frames that are large: each costs what thousands of others cost. */
const LARGE_SHARE = 0.01
const MAX_EDITS = 3
const RESERVED_BIT = 0x40
const LONGEST_CONTROL = 125

const NONSENSE: readonly [string, ...string[]] = [
  '',
  ' ',
  'null',
  'true',
  '"message.send"',
  '[]',
  '1e999',
  '{"type":',
  '{"type":"__proto__"}',
  '{"type":"constructor","id":"x"}',
  '{"__proto__":{"type":"pong"},"type":5}',
  '{"type":"session.ready"}',
  '{"type":"message.unsend","id":"x"}',
  '{"type":"message.send","id":"x"}',
  '{"type":"message.send","id":"x","clientMessageId":"a","content":"\\ud800"}',
  '{"type":"message.send","id":"x","clientMessageId":"a","content":"a\\u0000b"}',
  '{"type":"message.send","id":"x","clientMessageId":"../../etc","content":"x"}',
  '{"type":"history.get","id":"x","limit":1e9}',
  '{"type":"run.cancel","id":"x","all":"yes"}',
  '{"type":"session.update","id":"x","title":""}',
]
const CANCEL = '{"type":"run.cancel","id":"x"}'

/** `ends`: the server must end the connection at once. */
export type FatalFrame = { readonly name: string; readonly bytes: Buffer; readonly ends: boolean }

/** uws takes what follows a head for the mask, whether there is one or not: then it waits for the rest, or reads garbage. */
const UNCHECKED_BY_UWS = 'no mask'

/** What breaks RFC 6455 (5.1 to 5.5, 8.1) or is above all that is read. */
const FATAL: Readonly<Record<string, (dice: Dice) => Buffer>> = {
  [UNCHECKED_BY_UWS]: () => clientFrame(CANCEL, { masked: false }),
  'a reserved opcode': (dice) => clientFrame(CANCEL, { opcode: 3 + dice.below(5) }),
  'a reserved opcode for control': (dice) => clientFrame(CANCEL, { opcode: 11 + dice.below(5) }),
  'a reserved bit': () => clientFrame(CANCEL, { opcode: RESERVED_BIT | OPCODE.text }),
  'a ping in pieces': () => clientFrame('', { opcode: OPCODE.ping, fin: false }),
  'a long ping': (dice) => clientFrame(Buffer.alloc(LONGEST_CONTROL + 1 + dice.below(100)), { opcode: OPCODE.ping }),
  'a continuation of nothing': () => clientFrame(CANCEL, { opcode: OPCODE.continuation }),
  'a message within a message': () => Buffer.concat([clientFrame('{"type":', { fin: false }), clientFrame(CANCEL)]),
  'bad UTF-8': () => clientFrame(Buffer.from([0x22, 0xc3, 0x28, 0xff, 0x22])),
  'a frame above 1 MiB': (dice) => clientFrame(Buffer.alloc(READABLE_BYTES + 1 + dice.below(READABLE_BYTES), 'x')),
  'a head that promises 4 MiB': () => clientFrame('', { length: 4 * READABLE_BYTES }),
}
const TYPES = Object.values(COMMANDS)

/**
 * Frames that no client should send. Those that carry an id carry `x`: what is said to it is not counted, as some of what
 * is changed at random is a command all the same.
 */
export class BadFrames {
  readonly #dice: Dice
  readonly #transport: TransportName
  readonly #small: readonly Buffer[]
  readonly #large: readonly Buffer[]
  readonly #fatal: readonly FatalFrame[]

  constructor(dice: Dice, transport: TransportName) {
    this.#dice = dice
    this.#transport = transport
    this.#small = Array.from({ length: PREPARED }, () => this.#makeSmall())
    this.#large = Array.from({ length: PREPARED_LARGE }, () => {
      const size = FRAME_BYTES + 1 + dice.below(READABLE_BYTES - FRAME_BYTES)
      return clientFrame(Buffer.alloc(size, dice.pick(['x', '[', '"', '{"a":'])))
    })
    this.#fatal = Array.from({ length: PREPARED_FATAL }, () => this.#makeFatal())
  }

  /** Earns an error, and the connection lives (P-10, P-11). */
  next(): Buffer {
    const from = this.#dice.chance(LARGE_SHARE) ? this.#large : this.#small
    return from[this.#dice.below(from.length)] ?? Buffer.alloc(0)
  }

  /** Ends the connection: it breaks RFC 6455, or is above all that is read. */
  fatal(): FatalFrame {
    return this.#fatal[this.#dice.below(this.#fatal.length)] ?? this.#makeFatal()
  }

  #makeSmall(): Buffer {
    const dice = this.#dice
    switch (dice.below(5)) {
      case 0:
        return clientFrame(dice.pick(NONSENSE))
      case 1:
        return clientFrame(nested(1 + dice.below(MAX_LEVELS)))
      case 2:
        return clientFrame(this.#bytes(dice.below(300)), { opcode: OPCODE.binary })
      default:
        return clientFrame(this.#mutated())
    }
  }

  #makeFatal(): FatalFrame {
    const dice = this.#dice
    const kinds = Object.entries(FATAL)
    const [name = '', make] = kinds[dice.below(kinds.length)] ?? []
    const ends = this.#transport !== 'uws' || name !== UNCHECKED_BY_UWS
    return { name, bytes: make?.(dice) ?? Buffer.alloc(0), ends }
  }

  /** A command's text with characters replaced, cut out or put in. */
  #mutated(): string {
    let text = JSON.stringify({ ...TYPES[this.#dice.below(TYPES.length)], id: 'x' })
    for (let edits = 1 + this.#dice.below(MAX_EDITS); edits > 0; edits--) {
      const at = this.#dice.below(text.length)
      const insert = this.#dice.pick(['', '"', '{', '}', '\\', '\u0000', 'ü', '0', ',', 'null'])
      text = text.slice(0, at) + insert + text.slice(at + this.#dice.below(4))
    }
    return text
  }

  #bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.#dice.below(256)))
  }
}

function nested(levels: number): string {
  return `${'{"a":['.repeat(levels)}7${']}'.repeat(levels)}`
}
