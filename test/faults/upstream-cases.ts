import type { ErrorCode } from '../../src/protocol/errors.ts'
import type { Dice } from '../support/dice.ts'
import { httpError, type Reply, stream } from '../support/messages-api.ts'
import {
  answer,
  blockSteps,
  errorEvent,
  event,
  messageStart,
  type Step,
  text,
  thinking,
  toolUse,
} from '../support/messages-api-events.ts'
import type { Size } from './fault.ts'
import { CANARY } from './upstream-canaries.ts'
import { bytesOf, cutAt, fault, ordinary, SILENCE, streamed, type Told } from './upstream-said.ts'

/** One way in which the API lets a run down. */
export type Case = {
  readonly name: string
  /** What it answers, request by request. */
  readonly told: readonly Told[]
  readonly ends: ErrorCode | 'success'
  /** How much was said is not known beforehand: only that client and database have the same. */
  readonly open?: true
}

const MIB = 1024 * 1024
/** Bytes of one event: above what any is read to, and below it. */
const HUGE_EVENT = 10 * MIB
const BIG_EVENT = 3 * MIB
/** A pace at which an endless answer is an answer, until the run's time is over. */
const ENDLESS_TOKENS_PER_SECOND = 300
/** Cuts at places that the dice choose, beside those that are chosen. */
const CUTS: Readonly<Record<Size, number>> = { short: 12, full: 150 }
const GARBAGE_BYTES = 20_000

/** Text of more than one byte a character, reasoning and a call: every kind of place to be cut at. */
const BLOCKS = [
  thinking('let me think — 世界'),
  text(`Grüße 🎉 an die 世界, ${CANARY.words} und mehr`),
  toolUse('toolu_1', 'calculator', { expression: '6*7' }),
]
const WHOLE_STEPS = answer(BLOCKS, { usage: { cache_read_input_tokens: 7, output_tokens: 42 } })
const WHOLE = bytesOf(WHOLE_STEPS)
const AFTER_TOOL = ordinary('It is 42.')

export function casesOf(dice: Dice, size: Size, retryWithin: number): Case[] {
  return [
    ...stalls(),
    ...cuts(dice, CUTS[size]),
    ...refusals(retryWithin),
    ...errorsInside(),
    ...garbage(dice),
    ...misorder(),
    ...floods(),
  ]
}

const one = (name: string, told: Told, ends: Case['ends'], open?: true): Case => ({
  name,
  told: [told],
  ends,
  ...(open && { open }),
})

/** Where a part of the message ends: in the middle of what `mark` begins. */
function inside(mark: string, extra = 0): number {
  const at = WHOLE.indexOf(mark)
  if (at === -1) throw new Error(`the message holds no ${mark}`)
  return at + Buffer.byteLength(mark) + extra
}

/** The byte after the event that holds `mark`. */
function after(mark: string): number {
  return WHOLE.indexOf('\n\n', inside(mark)) + 2
}

const PLACES: readonly (readonly [string, number])[] = [
  ['before the first event', 0],
  ['in the first line', 3],
  ['after message_start', after('message_start')],
  ['in reasoning', after('let')],
  ['in text', after('Grüße')],
  ['in a character of text', inside('Gr', 1)],
  ['in a character of four bytes', inside(' ', 2 + WHOLE.indexOf('🎉') - inside(' '))],
  ['in a line of text', inside('Grüße')],
  ['between line and blank line', after('Grüße') - 1],
  ['in a call', after('content_block_start","index":2')],
  ['in the arguments of a call', after('input_json_delta","partial_json":"{')],
  ['after the call', after('content_block_stop","index":2')],
  ['before message_stop', after('message_delta')],
]

function stalls(): Case[] {
  const held = PLACES.filter(([name]) => /message_start|in reasoning|in text|in the arguments|first event/.test(name))
  return [
    one('stall before headers', fault({ reply: 'silent' }), 'provider_stalled'),
    ...held.map(([name, end]) => one(`stall ${name}`, cutAt(WHOLE, end, 'hold'), 'provider_stalled')),
  ]
}

function cuts(dice: Dice, count: number): Case[] {
  const last = WHOLE.indexOf('event: message_stop')
  const rolled = Array.from({ length: count }, (): readonly [string, number] => {
    const end = dice.below(last)
    return [`at byte ${end}`, end]
  })
  return [...PLACES, ...rolled].map(([name, end]) => {
    const how = dice.pick(['cut', 'end'] as const)
    return one(
      `${how === 'cut' ? 'cut' : 'end without message_stop'} ${name}`,
      cutAt(WHOLE, end, how),
      'provider_error',
    )
  })
}

/** Answers before any stream. `tries`: how often what is overloaded and names no time is asked within the stall's bound. */
function refusals(tries: number): Case[] {
  const times = (count: number, reply: Reply): Told[] => Array.from({ length: count }, () => fault(reply))
  const error = (status: number, headers?: Readonly<Record<string, string>>): Reply =>
    httpError(status, `${CANARY.body} at https://internal.example`, headers)
  const after = (status: number, seconds: number): Reply => error(status, { 'retry-after': String(seconds) })
  const html = (status: number, headers = {}): Reply => ({
    reply: 'raw',
    status,
    contentType: 'text/html',
    body: `<html>${CANARY.body}`,
    headers,
  })
  const redirect = html(307, { location: `https://internal.example/${CANARY.body}` })
  const recovered = (name: string, reply: Reply): Case => ({
    name,
    told: [fault(reply), ordinary('Here I am.')],
    ends: 'success',
  })
  const final = (status: number, ends: ErrorCode, count: number): Case => ({
    name: `${status}`,
    told: times(count, error(status)),
    ends,
  })
  return [
    final(400, 'provider_error', 1),
    final(401, 'provider_misconfigured', 1),
    final(403, 'provider_misconfigured', 1),
    final(404, 'provider_misconfigured', 1),
    // Asked once more, with a shorter history.
    final(413, 'context_too_long', 2),
    final(500, 'provider_error', 3),
    ...[429, 529].flatMap((status) => [
      { name: `${status} with Retry-After`, told: times(3, after(status, 1)), ends: 'provider_overloaded' as const },
      one(`${status} with a long Retry-After`, fault(after(status, 600)), 'provider_overloaded'),
      recovered(`${status} with Retry-After, then an answer`, after(status, 1)),
      recovered(`${status} without Retry-After, then an answer`, error(status)),
      ...(tries > 2
        ? [
            {
              name: `${status} without Retry-After`,
              told: times(tries, error(status)),
              ends: 'provider_overloaded' as const,
            },
          ]
        : []),
    ]),
    { name: 'HTML with 502', told: times(3, html(502)), ends: 'provider_error' },
    one('HTML with 200', fault(html(200)), 'provider_error'),
    one('HTML with 403', fault(html(403)), 'provider_misconfigured'),
    one('redirect', fault(redirect), 'provider_error'),
    { name: 'socket cut before headers', told: times(3, { reply: 'refuse' }), ends: 'provider_error' },
    recovered('socket cut before headers, then an answer', { reply: 'refuse' }),
  ]
}

function errorsInside(): Case[] {
  const first = [messageStart(), ...blockSteps(text('Half of it'), 0).slice(0, -1)]
  const overloaded = errorEvent('overloaded_error', CANARY.body)
  return [
    one('overloaded_error as the first event', streamed([], [overloaded]), 'provider_overloaded'),
    one('overloaded_error after message_start', streamed([messageStart()], [overloaded]), 'provider_overloaded'),
    one('overloaded_error in text', streamed(first, [overloaded]), 'provider_overloaded'),
    one(
      'rate_limit_error in text',
      streamed(first, [errorEvent('rate_limit_error', CANARY.body)]),
      'provider_overloaded',
    ),
    one('api_error in text', streamed(first, [errorEvent('api_error', CANARY.body)]), 'provider_error'),
  ]
}

function raw(bytes: string | Uint8Array): Step {
  return { step: 'send', bytes, token: false }
}

function garbage(dice: Dice): Case[] {
  const start = [messageStart(), ...blockSteps(text('So far so good'), 0).slice(0, -1)]
  const noise = Uint8Array.from({ length: GARBAGE_BYTES }, () => dice.below(256))
  const unknown = event({ type: 'weather', forecast: CANARY.body })
  const odd = event({ type: 'content_block_delta', index: 0, delta: { type: 'smell_delta', smell: CANARY.body } })
  const whole = answer([text('All is well.')])
  return [
    one('garbage bytes', streamed([], [raw(noise)]), 'provider_error'),
    one('garbage bytes in text', streamed(start, [raw(noise)]), 'provider_error'),
    one(
      'garbage JSON',
      streamed(start, [raw(`data: {"type":"content_block_delta",${CANARY.body}\n\n`)]),
      'provider_error',
    ),
    one('null as an event', streamed(start, [raw('data: null\n\n')]), 'provider_error'),
    one(
      'a delta without a delta',
      streamed(start, [event({ type: 'content_block_delta', index: 0 })]),
      'provider_error',
    ),
    one(
      'text that is a number',
      streamed(start, [event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 7 } })]),
      'provider_error',
    ),
    {
      name: 'unknown events',
      told: [streamed([...whole.slice(0, 2), unknown, ...whole.slice(2, 4), odd, ...whole.slice(4)])],
      ends: 'success',
    },
  ]
}

function misorder(): Case[] {
  const start = [messageStart(), ...blockSteps(text('In order'), 0)]
  const stop = event({ type: 'message_stop' })
  const never = blockSteps(text('nowhere'), 9).slice(1, 2)
  const again = blockSteps(text('twice'), 0).slice(0, 1)
  const twice = [messageStart(), ...answer([text('Said once.')])]
  return [
    one('message_stop first', streamed([], [stop]), 'provider_error'),
    one('message_stop without a reason', streamed(start, [stop]), 'provider_error'),
    one('message_stop in a block', streamed(start.slice(0, -1), [stop]), 'provider_error'),
    one('a delta of a block that never started', streamed(start, never), 'provider_error'),
    one(
      'the end of a block that never started',
      streamed(start, [event({ type: 'content_block_stop', index: 9 })]),
      'provider_error',
    ),
    one('a block opened twice', streamed(start.slice(0, -1), again), 'provider_error'),
    one('message_start twice', streamed(twice), 'success'),
    {
      name: 'a call whose arguments are no JSON',
      told: [
        streamed(answer([{ type: 'tool_use', id: 'toolu_9', name: 'calculator', deltas: ['{"expression": '] }])),
        AFTER_TOOL,
      ],
      ends: 'success',
    },
    { name: 'a call, then an answer', told: [streamed(WHOLE_STEPS), AFTER_TOOL], ends: 'success' },
    {
      name: 'a call, then a cut',
      told: [
        streamed(WHOLE_STEPS),
        streamed([messageStart(), ...blockSteps(text('It is'), 0).slice(0, -1)], [{ step: 'cut' }]),
      ],
      ends: 'provider_error',
    },
  ]
}

function* endless(): Generator<Step> {
  yield messageStart()
  const [start, ...deltas] = blockSteps(text(' on and on and on and on'), 0).slice(0, -1)
  if (start !== undefined) yield start
  for (;;) yield* deltas
}

function* flood(): Generator<Step> {
  yield messageStart()
  const [start, ...deltas] = blockSteps({ type: 'text', deltas: ['x'.repeat(10_000)] }, 0).slice(0, -1)
  if (start !== undefined) yield start
  for (;;) yield* deltas
}

function floods(): Case[] {
  const start = [messageStart(), ...blockSteps(text('Before the flood'), 0).slice(0, -1)]
  const delta = (size: number): Step =>
    event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'x'.repeat(size) } })
  const big: Step[] = [...start, delta(BIG_EVENT), ...answer([text('')]).slice(-3)]
  const unending = (steps: Iterable<Step>, tokensPerSecond?: number): Told => ({
    reply: stream(steps, tokensPerSecond === undefined ? {} : { tokensPerSecond }),
    said: { ...SILENCE, tokens: { input: 25, output: 1 } },
  })
  return [
    one('10 MB in one event', streamed(start, [delta(HUGE_EVENT)]), 'provider_error'),
    one('10 MB in one line that is no event', streamed(start, [raw(`: ${'x'.repeat(HUGE_EVENT)}`)]), 'provider_error'),
    one('3 MB in one event', streamed(big), 'success'),
    one('an endless answer', unending(endless(), ENDLESS_TOKENS_PER_SECOND), 'run_limit', true),
    one('an endless answer at full speed', unending(flood()), 'run_limit', true),
  ]
}
