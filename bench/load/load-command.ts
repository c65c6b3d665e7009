import type { LatencySummary } from './latencies.ts'
import type { Target } from './line.ts'

/** What the bench asks of its load processes. */
export type LoadCommand =
  | {
      readonly do: 'open'
      readonly target: Target
      readonly count: number
      readonly sessionIds?: readonly string[]
      /** The time to `session.ready` is what is measured; else latencies are of tokens. */
      readonly timed?: boolean
    }
  /** Every session sends at once and reads its answer. */
  | { readonly do: 'burst'; readonly tokens: number; readonly apart: boolean }
  /** Every session starts an endless paced answer, spread over one token's time and `spreadMs`. */
  | { readonly do: 'pace'; readonly rate: number; readonly tokens: number; readonly spreadMs: number }
  /** Every session sends, one after the other within `spreadMs`, and reads its whole answer. */
  | { readonly do: 'ask'; readonly tokens: number; readonly spreadMs: number }
  /** The first session sends, all read its answer. Resolves when every one of them has all of it. */
  | ({ readonly do: 'watch' } & Watched)
  /** As `watch`, but goes on meanwhile: until `cancel`. */
  | ({ readonly do: 'watch on' } & Watched)
  /** Where the first session stood when it came. */
  | { readonly do: 'cursor' }
  /** So many clients at once, from before the answer that was watched: resolves when each has all of it. */
  | ({ readonly do: 'resume' } & Resumed)
  /** One connection after the other, each to `session.ready`. */
  | { readonly do: 'enter'; readonly target: Target; readonly sessionIds: readonly string[] }
  /** What came since the last `window`. */
  | { readonly do: 'window' }
  /** What came since the last `tick`. */
  | { readonly do: 'tick' }
  /** Every session sends, stops at a random moment and sends again, for `seconds`. */
  | { readonly do: 'stops'; readonly rate: number; readonly seconds: number }
  /** Every session stops its answer and waits for the end of the run. */
  | { readonly do: 'cancel' }
  /** People come, talk, stop, lose their line, come back and go. */
  | ({ readonly do: 'mix' } & Mix)
  /** Clients with keys of their own come, over `spreadMs`, and try until they are let in. */
  | ({ readonly do: 'knock' } & KnockCommand)
  /** Wrong keys, by the clock. */
  | ({ readonly do: 'guess' } & GuessCommand)
  /** The state of every session by HTTP, by the clock. */
  | ({ readonly do: 'poll' } & PollCommand)
  /** The first session sends by its WebSocket, and somebody else by HTTP, in turns. */
  | ({ readonly do: 'chats' } & ChatsCommand)
  | { readonly do: 'leave' }

type Watched = {
  readonly rate: number
  readonly tokens: number
  /** The first session of another load process sends. */
  readonly elsewhere?: boolean
}

export type KnockCommand = { readonly target: Target; readonly keys: readonly string[]; readonly spreadMs: number }

export type GuessCommand = {
  readonly target: Target
  /** Of keys that exist. */
  readonly keyIds: readonly string[]
  readonly perSecond: number
  readonly seconds: number
}

export type PollCommand = {
  readonly target: Target
  readonly sessionIds: readonly string[]
  /** Of each session. */
  readonly perSecond: number
  readonly seconds: number
}

/** `times`: as `Latencies.encode` writes them. */
export type PollResult = {
  readonly polls: number
  readonly unchanged: number
  readonly bytes: number
  readonly times: string
}

export type ChatsCommand = { readonly target: Target; readonly sessionId: string; readonly count: number }
export type ChatsResult = { readonly posts: string; readonly sends: string }

export type Resumed = {
  readonly target: Target
  readonly sessionId: string
  readonly cursor: string
  readonly count: number
  readonly tokens: number
}

export type Mix = {
  readonly target: Target
  readonly seed: number
  readonly seconds: number
  /** People who come in a second, at the busiest hour. */
  readonly arrivals: number
  /** Tokens per second of an answer, where the bench's own upstream plays it. */
  readonly rate: number
  /** The shape of a day, or the same all the time. */
  readonly shape: 'day' | 'even'
  /** Some answers call a tool first. */
  readonly tools: boolean
}

/** What load processes answer; several answers of a kind add up. */
export type BurstResult = { readonly tokens: number; readonly seconds: number }
export type StopsResult = {
  /** Tag of the request -> time of asking to stop, in microseconds of the machine's clock. */
  readonly asked: Readonly<Record<string, number>>
  readonly tokensAfterAck: number
  /** From asking to stop to the end of the run, as `Latencies.encode` writes it. */
  readonly ended: string
}
export type KnockResult = {
  readonly served: number
  /** Gave up. */
  readonly lost: number
  /** Tries that were sent away. */
  readonly refused: number
  readonly seconds: number
  /** From the first try of each, packed. */
  readonly times: string
}
export type GuessResult = {
  /** By status and whether the id is that of a key: `401 (known id)` was hashed. */
  readonly answers: Readonly<Record<string, number>>
  readonly skipped: number
  readonly seconds: number
}
export type AskResult = BurstResult & { readonly firsts: string }
export type MixResult = {
  readonly people: number
  readonly mostAtOnce: number
  readonly runs: number
  readonly tokens: number
  readonly stopped: number
  readonly cut: number
  readonly tools: number
  readonly tokensAfterAck: number
  /** Latencies, packed: from the moment that was planned. */
  readonly connects: string
  readonly firsts: string
  readonly stops: string
  readonly backs: string
  /** How late the load's own timers were: contained in `connects` and `firsts`. */
  readonly lateness: string
}
export type WindowResult = { readonly tokens: number; readonly latency: LatencySummary }

/** The part of one of `of` load processes, the `nth`; undefined where it has none. */
export function partOf(command: LoadCommand, nth: number, of: number): LoadCommand | undefined {
  switch (command.do) {
    case 'open': {
      const [from, to] = stretchOf(command.count, nth, of)
      const { sessionIds, ...rest } = command
      return { ...rest, count: to - from, ...(sessionIds ? { sessionIds: sessionIds.slice(from, to) } : {}) }
    }
    case 'resume': {
      const [from, to] = stretchOf(command.count, nth, of)
      return { ...command, count: to - from }
    }
    case 'watch':
    case 'watch on':
      return nth === 0 ? command : { ...command, elsewhere: true }
    case 'knock': {
      const [from, to] = stretchOf(command.keys.length, nth, of)
      return { ...command, keys: command.keys.slice(from, to) }
    }
    case 'poll': {
      const [from, to] = stretchOf(command.sessionIds.length, nth, of)
      return { ...command, sessionIds: command.sessionIds.slice(from, to) }
    }
    case 'guess':
      return { ...command, perSecond: command.perSecond / of }
    case 'mix':
      return { ...command, seed: command.seed + nth, arrivals: command.arrivals / of }
    case 'cursor':
    case 'enter':
    case 'chats':
      return nth === 0 ? command : undefined
    default:
      return command
  }
}

/** One session is the first one's: it sends. */
function stretchOf(count: number, nth: number, of: number): readonly [from: number, to: number] {
  return [Math.ceil((count * nth) / of), Math.ceil((count * (nth + 1)) / of)]
}
