import type { LastRun } from '../../src/protocol/frames.ts'
import { type Cancel, isAck, type Journal, type Retry, type Send } from './clients-journal.ts'
import type { Peer } from './clients-peer.ts'
import type { Oracle } from './clients-script.ts'
import type { Heard } from './clients-story.ts'
import type { Line } from './clients-view.ts'

/** All that is known at the end of one session's part of a round. */
export type Outcome = {
  readonly journal: Journal
  readonly oracle: Oracle
  readonly peers: readonly Peer[]
  /** What a client that came fresh was shown, with the run of each message. */
  readonly final: readonly Line[]
}

/** What does not hold in one session: by its people's own acks, by what each client saw, by the model's script. */
export function brokenPromises(outcome: Outcome): string[] {
  return [
    ...stories(outcome),
    ...transcripts(outcome),
    ...answers(outcome),
    ...outcome.journal.sends.flatMap((send) => sendFaults(send, outcome)),
    ...cancels(outcome),
  ]
}

function stories({ peers }: Outcome): string[] {
  return peers.flatMap((peer) => [
    ...peer.faults,
    ...peer.story.faults.map((fault) => `${peer.name}: ${fault}`),
    ...(peer.story.unended === undefined ? [] : [`${peer.name}: I1 never heard the end of ${peer.story.unended}`]),
  ])
}

function transcripts({ peers, final }: Outcome): string[] {
  const expected = JSON.stringify(final)
  return peers.flatMap(({ name, view }) => {
    const seen = JSON.stringify(view.lines)
    return seen === expected ? [] : [`${name}: I6 another transcript: ${difference(seen, expected)}`]
  })
}

/** Each answer in the transcript belongs to the question before it, is there once, and is whole where its run succeeded. */
function answers({ final, oracle, peers }: Outcome): string[] {
  const faults: string[] = []
  const told = new Set<string>()
  let question = ''
  for (const { role, content, id } of final) {
    if (role === 'user') question = content
    if (role !== 'assistant' || content === '') continue
    const script = oracle.scriptOf(content)
    if (script === undefined) {
      faults.push(`message ${id} is of nobody`)
      continue
    }
    if (told.has(script.name)) faults.push(`I6 answer ${script.name} is there twice`)
    told.add(script.name)
    if (!question.includes(`[ask ${script.ask}]`)) faults.push(`answer ${script.name} stands under another question`)
  }
  for (const [runId, end] of endsOf(peers)) if (end === 'success') faults.push(...wholeness(runId, final, oracle))
  return faults
}

/** The server's own ids of messages begin with their run's. */
function wholeness(runId: string, final: readonly Line[], oracle: Oracle): string[] {
  const said = final.filter(({ id, role }) => role === 'assistant' && id.startsWith(`${runId}-`))
  // A later retry may have taken the run out of history.
  if (said.length === 0) return []
  const scripts = said.map(({ content }) => oracle.scriptOf(content))
  const cut = said.filter(({ content }, nth) => scripts[nth]?.text !== content)
  const faults = cut.map(({ id }) => `I6 message ${id} of a run that succeeded is not whole`)
  if (scripts.at(-1)?.final !== true) faults.push(`I6 run ${runId} succeeded without its last answer`)
  return faults
}

/** What an acknowledged send promised (I2), and that a refused one left no trace. */
function sendFaults(send: Send, { journal, oracle, final }: Outcome): string[] {
  const shown = final.filter(({ role, content }) => role === 'user' && content === send.content).length
  const [ack] = send.acks
  const faults: string[] = []
  if (shown > 1) faults.push(`I6 message ${send.id} is there ${shown} times`)
  if (ack === undefined && send.refusedBy === undefined) faults.push(`message ${send.id} never got an answer`)
  if (send.refusedBy !== undefined && (shown > 0 || oracle.answersTo(send.content) > 0))
    faults.push(`message ${send.id} was refused by ${send.refusedBy} and is there`)
  if (ack?.runId !== undefined && shown === 0 && !mayBeGone(ack.runId, send, journal))
    faults.push(`I2 message ${send.id} was acknowledged as run ${ack.runId} (${ack.state}) and is gone`)
  const asked = oracle.answersTo(send.content)
  const retries = journal.retries.filter(({ answer }) => answer === 'cut' || answer === undefined || isAck(answer))
  if (asked > 1 + retries.length) faults.push(`I2 message ${send.id} was answered ${asked} times`)
  return faults
}

/** Somebody took it out of the queue, or asked again for an answer that came before it. */
function mayBeGone(runId: string, send: Send, { cancels, retries }: Journal): boolean {
  const taken = cancels.some(
    (cancel) =>
      (cancel.runId === runId || (cancel.all && mayFollow(cancel, send))) &&
      !(isAck(cancel.answer) && cancel.answer.state === 'noop'),
  )
  const rewound = retries.some((retry) => retry.of !== runId && mayFollow(retry, send))
  return taken || rewound
}

/** It may have been carried out after the send: a line that is silent for a while delivers what was cut on it, too. */
function mayFollow({ answer, answeredAt }: Cancel | Retry, { at }: Send): boolean {
  return isObject(answer) ? isAck(answer) && answeredAt > at : true
}

function isObject(answer: unknown): boolean {
  return typeof answer === 'object'
}

/**
 * A run that was told to be stopped does not succeed. One that another process had may have ended by itself before the word
 * came there (P-63); that it is whole is held like that of all.
 */
function cancels({ journal, peers }: Outcome): string[] {
  const ends = endsOf(peers)
  return journal.cancels.flatMap(({ answer, here }) =>
    here && isAck(answer) && answer.state === 'cancelling' && ends.get(answer.runId ?? '') === 'success'
      ? [`run ${answer.runId} was stopped and succeeded`]
      : [],
  )
}

/** How each run ended, by all who heard it. */
function endsOf(peers: readonly Peer[]): Map<string, Heard> {
  return new Map(peers.flatMap((peer) => [...peer.story.ends]))
}

/** Runs of which two clients heard different ends, in events or in the newest status. */
export function contradictions(peers: readonly Peer[]): string[] {
  const ends = endsOf(peers)
  const last = peers.flatMap(({ view }) => view.standing.lastRun ?? [])
  return [
    ...peers.flatMap(({ name, story }) =>
      [...story.ends].flatMap(([runId, end]) =>
        ends.get(runId) === end
          ? []
          : [`${name}: I1 run ${runId} ended as ${end} here and ${ends.get(runId)} elsewhere`],
      ),
    ),
    ...last.flatMap((run) => {
      const end = ends.get(run.runId)
      return end === undefined || end === heardOf(run)
        ? []
        : [`I1 run ${run.runId} ended as ${end} and is ${run.outcome}`]
    }),
  ]
}

function heardOf({ outcome }: LastRun): Heard {
  return outcome === 'interrupted' ? 'cancelled' : outcome
}

export function difference(seen: string, expected: string): string {
  let at = 0
  while (at < seen.length && seen[at] === expected[at]) at++
  const from = Math.max(0, at - 60)
  return `${seen.slice(from, at + 60)} for ${expected.slice(from, at + 60)}`
}
