import { NOT_ASKED, PARLEY, type Peer, RELAY } from '../contenders/peer-list.ts'
import type { PeerScenario } from '../scenarios/peers.ts'
import type { Sample } from '../scenarios/scenario.ts'
import { drawTable, RATIO_DIGITS, shown } from './report.ts'
import { ratiosOf, type Spread, spreadOf, valuesOf } from './rounds.ts'

/** What a server did in a scenario, round by round; a round that broke has no sample but a reason. */
export type PeerRun = { readonly name: string; readonly samples: readonly Sample[]; readonly broken: readonly string[] }

export type PeerCell = {
  readonly key: string
  /** Undefined where nothing is known. */
  readonly spread: Spread | undefined
  /** To R's of the same round; undefined where no round has both or R's is zero, and where it says nothing. */
  readonly ratio: Spread | undefined
}

export type PeerRow = { readonly name: string; readonly cells: readonly PeerCell[]; readonly notes: readonly string[] }

/** What `--json` writes. */
export type PeerReport = {
  readonly machine: string
  /** ISO 8601. */
  readonly began: string
  readonly command: string
  readonly peers: readonly Pick<Peer, 'name' | 'brings'>[]
  readonly notAsked: string
  readonly scenarios: Readonly<
    Record<string, { readonly title: string; readonly rows: readonly PeerRow[]; readonly runs: readonly PeerRun[] }>
  >
}

export function rowsOf({ metrics }: Pick<PeerScenario, 'metrics'>, runs: readonly PeerRun[]): PeerRow[] {
  const relay = runs.find(({ name }) => name === RELAY)
  return runs.map(({ name, samples, broken }) => ({
    name,
    cells: metrics.map(({ key, ratio }) => ({
      key,
      spread: spreadOf(valuesOf(samples, key)),
      ratio: ratio === true ? spreadOf(ratiosOf(samples, relay?.samples ?? [], key)) : undefined,
    })),
    notes: [...new Set([...broken.map((reason) => `BROKE: ${reason}`), ...samples.flatMap(({ notes }) => notes)])],
  }))
}

/** Each metric with a ratio has a column more. */
export function peerTable(scenario: PeerScenario, rows: readonly PeerRow[]): string {
  const head = scenario.metrics.flatMap(({ label, ratio }) => (ratio === true ? [label, '/ R'] : [label]))
  const lines = rows.map(({ name, cells }) => [
    name,
    ...scenario.metrics.flatMap(({ key, digits, ratio }) => {
      const cell = cells.find((one) => one.key === key)
      const value = shown(cell?.spread, digits) || '-'
      return ratio === true ? [value, shown(cell?.ratio, RATIO_DIGITS) || '-'] : [value]
    }),
  ])
  const notes = rows.flatMap(({ name, notes }) => notes.map((note) => `* ${name}: ${note}`))
  return [`## ${scenario.title}`, '', drawTable(['', ...head], lines), ...notes, ''].join('\n')
}

/** What stands beside the numbers. */
export function beside(peers: readonly Peer[]): string {
  return [
    '## What each of them does for it',
    '',
    drawTable(
      ['', 'brings'],
      peers.map(({ name, brings }) => [name, brings]),
    ),
    `* Not asked of anyone but ${PARLEY}: ${NOT_ASKED}.`,
    '',
  ].join('\n')
}
