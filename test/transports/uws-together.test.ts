import { expect, it } from 'vitest'
import { Closings, UwsSocket } from '../../src/transports/uws-socket.ts'
import { RecordingHandler } from './recording-handler.ts'

const LONG = 'x'.repeat(60_000)
/** Bytes of the library's room. */
const ROOM = 16 * 1024

type Sent = { readonly text: string; readonly behind: number }

/** The library's socket, which notes how many bytes a frame found before it in the room of a cork. */
class CorkedSocket {
  readonly sent: Sent[] = []
  #room: number | undefined

  send(text: string): number {
    this.sent.push({ text, behind: this.#room ?? 0 })
    if (this.#room !== undefined) this.#room += Buffer.byteLength(text)
    return 1
  }

  cork(work: () => void): void {
    this.#room = 0
    work()
    this.#room = undefined
  }

  getBufferedAmount(): number {
    return 0
  }

  ping(): number {
    return 1
  }

  subscribe(): boolean {
    return true
  }

  unsubscribe(): boolean {
    return true
  }

  getTopics(): string[] {
    return []
  }

  end(): void {}
  close(): void {}
}

function open(): { readonly library: CorkedSocket; readonly socket: UwsSocket } {
  const library = new CorkedSocket()
  const socket = new UwsSocket(new RecordingHandler(), new Closings())
  socket.opened(library)
  return { library, socket }
}

/** What the library would keep a buffer for: frames that have no room behind others. */
function kept({ sent }: CorkedSocket): readonly Sent[] {
  return sent.filter(({ text, behind }) => behind > 0 && behind + Buffer.byteLength(text) >= ROOM)
}

it.each([
  ['a long frame behind a short one', ['{"a":1}', LONG, '{"b":2}']],
  ['many short ones', Array.from({ length: 500 }, (_, nth) => `{"event":${nth},"text":"${'€'.repeat(60)}"}`)],
  ['nearly as many as there is room for', ['€'.repeat(4999), '€', '€'.repeat(4999)]],
])('I7: %s, said together, leave nothing behind in memory and keep their order', (_what, texts) => {
  const { library, socket } = open()
  const results: string[] = []
  socket.together(() => {
    for (const text of texts) results.push(socket.send(text))
  })
  expect(new Set(results)).toEqual(new Set(['sent']))
  expect(library.sent.map(({ text }) => text)).toEqual(texts)
  expect(kept(library)).toEqual([])
})

it('short frames that are said together leave in one cork', () => {
  const { library, socket } = open()
  socket.together(() => {
    socket.send('a')
    socket.together(() => socket.send('b'))
    socket.send('c')
  })
  expect(library.sent).toEqual([
    { text: 'a', behind: 0 },
    { text: 'b', behind: 1 },
    { text: 'c', behind: 2 },
  ])
})
