import { randomUUID } from 'node:crypto'
import { WebSocket } from 'ws'
import { decodeServerFrame } from '../../src/protocol/codec.ts'
import type { SessionReady } from '../../src/protocol/frames.ts'
import { offerProtocols } from '../../src/protocol/handshake.ts'
import { formatCursor, parseCursor } from '../../src/protocol/ids.ts'
import { Dice } from '../support/dice.ts'
import { Peer, prescribed } from './clients-peer.ts'
import { portOf, type Stage } from './clients-round.ts'
import { Story } from './clients-story.ts'
import { type Frame, PlainView } from './clients-view.ts'

/** More events than the small log keeps in a run, so that some cursors stand inside what was merged. */
const WORDS = 260
const RATE = 400
/** Milliseconds for anything here to happen. */
const PATIENCE_MS = 30_000
/** Of the cursors that the watcher passed, each so many-th is tried. */
const STRIDE = 9

type Expected = SessionReady['resumed'] | 'tail or snapshot'
type Kind = { readonly what: string; readonly cursor: string | undefined; readonly expected: Expected }

/** Every kind of cursor gets the tail after it or a snapshot, as P-19, P-27 and P-28 say: never an error, never a part. */
export async function playCursors(stage: Stage): Promise<void> {
  const { oracle, seed, transport, figures } = stage
  const where = `seed ${seed} cursors ${transport}`
  const session = randomUUID()
  let letGo = (): void => {}
  const until = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const watcher = new Watcher(stage, session)
  await watcher.ask(oracle.write({ words: WORDS, tokensPerSecond: RATE, until }))
  await watcher.reaches(WORDS - 1)
  const head = watcher.head
  // The answer stands still: what each of them gets now is decided by its cursor alone.
  const kinds = [...odd(head), ...passed(watcher.positions.slice(0, -1))]
  const probes = kinds.map((kind) => new Probe(stage, session, kind, watcher))
  for (const probe of probes) figures.broken(where, await probe.enters())
  letGo()
  await watcher.ends()
  for (const probe of probes) figures.broken(where, await probe.ends())
  figures.add('cursors tried', probes.length)
  figures.add('cursors of an event that got a tail', probes.filter((probe) => probe.got === 'tail').length)
  figures.add('cursors of an event that got a snapshot', probes.filter((probe) => probe.got === 'snapshot').length)
  figures.broken(where, watcher.faults())
}

/** Cursors that nobody was given, and the two ends. */
function odd(head: string): Kind[] {
  const { epoch, seq } = parseCursor(head) ?? { epoch: '', seq: 0 }
  const snapshots: Readonly<Record<string, string | undefined>> = {
    none: undefined,
    'another epoch': formatCursor({ epoch: '0a0a0a0a0a0a', seq }),
    'an epoch in other letters': formatCursor({ epoch: `${epoch}0`, seq }),
    'one ahead': formatCursor({ epoch, seq: seq + 1 }),
    'far ahead': formatCursor({ epoch, seq: 999_999_999_999_999 }),
    huge: `${epoch}-${'9'.repeat(40)}`,
    negative: `${epoch}--${seq}`,
    'a number alone': `${seq}`,
    'an epoch alone': epoch,
    'no number': `${epoch}-`,
    'a fraction': `${epoch}-${seq}.5`,
    'an exponent': `${epoch}-1e3`,
    'a space': `${epoch}-%20${seq}`,
    empty: '',
    'a dash': '-',
    garbage: '%00%ff%f0%9f%99%82%22%7b',
    'a broken escape': '%zz%',
    long: 'x'.repeat(3000),
  }
  return [
    { what: 'head', cursor: head, expected: 'tail' },
    // Before the first event: there is a tail after it as long as nothing was trimmed.
    { what: 'zero', cursor: formatCursor({ epoch, seq: 0 }), expected: 'tail or snapshot' },
    ...Object.entries(snapshots).map(([what, cursor]): Kind => ({ what, cursor, expected: 'snapshot' })),
  ]
}

/** Positions that the watcher passed: a tail, or a snapshot where they stand inside an entry by now or were trimmed. */
function passed(positions: readonly string[]): Kind[] {
  return positions
    .filter((_, nth) => nth % STRIDE === 0)
    .map((cursor) => ({ what: `passed ${cursor}`, cursor, expected: 'tail or snapshot' as const }))
}

/** Reads all of it live, and remembers how the answer stood at each position. */
class Watcher {
  readonly positions: string[] = []
  readonly #views = new Map<string, string>()
  readonly #view = new PlainView()
  readonly #peer: Peer

  constructor({ server, oracle, seed }: Stage, session: string) {
    const dice = new Dice(seed)
    const view = this.#view
    const note = (frame: Frame): void => this.#note(frame)
    this.#peer = new Peer({
      name: 'watcher',
      port: portOf(server),
      session,
      oracle,
      wait: prescribed(() => dice.next()),
      view: {
        see: (frame) => {
          view.see(frame)
          note(frame)
        },
        get cursor() {
          return view.cursor
        },
        get standing() {
          return view.standing
        },
        get lines() {
          return view.lines
        },
      },
    })
    this.#peer.connect()
  }

  get head(): string {
    return this.positions.at(-1) ?? ''
  }

  get whole(): string {
    return this.answer()
  }

  /** The answer as it stood at a position; without one, as it stands now. */
  answer(at?: string): string {
    return at === undefined ? answerOf(this.#view) : (this.#views.get(at) ?? '')
  }

  async ask(content: string): Promise<void> {
    await this.#peer.until(() => this.#peer.ready, PATIENCE_MS)
    await this.#peer.ask((id) => ({ type: 'message.send', id, clientMessageId: randomUUID(), content }))
  }

  async reaches(words: number): Promise<void> {
    const reached = await this.#peer.until(() => this.whole.split(' ').length >= words, PATIENCE_MS)
    if (!reached) throw new Error(`the answer stands at ${this.whole.length} characters`)
  }

  async ends(): Promise<void> {
    await this.#peer.until(() => this.#peer.atRest, PATIENCE_MS)
  }

  faults(): string[] {
    this.#peer.leave()
    return [...this.#peer.faults, ...this.#peer.story.faults]
  }

  #note(frame: Frame): void {
    if (!('chunk' in frame) || frame.id === undefined) return
    this.positions.push(frame.id)
    this.#views.set(frame.id, this.whole)
  }
}

/** One handshake with one cursor, and what it got to the end of the run. */
class Probe {
  got: SessionReady['resumed'] | undefined
  readonly #kind: Kind
  readonly #watcher: Watcher
  readonly #socket: WebSocket
  readonly #story = new Story()
  readonly #frames: Frame[] = []
  #heard = (): void => {}

  constructor({ server }: Stage, session: string, kind: Kind, watcher: Watcher) {
    this.#kind = kind
    this.#watcher = watcher
    this.#story.asks(kind.cursor === undefined ? undefined : parseCursor(kind.cursor))
    const query = kind.cursor === undefined ? '' : `&cursor=${kind.cursor}`
    const url = `ws://127.0.0.1:${portOf(server)}/ws?app=default${query}`
    this.#socket = new WebSocket(url, offerProtocols(session), { perMessageDeflate: false })
    this.#socket.on('message', (data) => {
      const frame = Buffer.isBuffer(data) ? decodeServerFrame(data.toString()) : undefined
      if (frame !== undefined) this.#frames.push(frame)
      this.#heard()
    })
    // What is wrong shows in what it got.
    this.#socket.on('error', () => this.#heard())
  }

  async enters(): Promise<string[]> {
    await this.#until(() => this.#frames.some((frame) => 'type' in frame && frame.type === 'session.ready'))
    const [ready] = this.#frames
    if (ready === undefined || !('type' in ready) || ready.type !== 'session.ready')
      return [`${this.#kind.what}: got ${JSON.stringify(ready)} for a session`]
    this.got = ready.resumed
    return this.#kind.expected.includes(ready.resumed) ? [] : [`${this.#kind.what}: P-27, P-28 got ${ready.resumed}`]
  }

  /** Held against what the watcher saw: what it had at this cursor, and what came here, are the whole answer. */
  async ends(): Promise<string[]> {
    await this.#until(() => this.#frames.some((frame) => 'chunk' in frame && frame.chunk.type === 'RUN_FINISHED'))
    this.#socket.terminate()
    const view = new PlainView()
    for (const frame of this.#frames) view.see(frame)
    const deltas = this.#frames.flatMap((frame) =>
      'chunk' in frame && 'delta' in frame.chunk ? frame.chunk.delta : [],
    )
    const said = this.got === 'tail' ? this.#watcher.answer(this.#kind.cursor) + deltas.join('') : answerOf(view)
    return said === this.#watcher.whole
      ? []
      : [`${this.#kind.what}: I6 a part of the answer: ${said.length} characters`]
  }

  async #until(holds: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, PATIENCE_MS)
      this.#heard = () => {
        if (!holds() && this.#socket.readyState <= WebSocket.OPEN) return
        clearTimeout(timer)
        resolve()
      }
      this.#heard()
    })
  }
}

function answerOf(view: PlainView): string {
  return view.lines
    .filter(({ role }) => role === 'assistant')
    .map(({ content }) => content)
    .join('')
}
