import { parseArgs } from 'node:util'
import { PEERS, type Peer } from '../contenders/peer-list.ts'
import { BenchError } from './options.ts'

export type PeerOptions = {
  /** Scenarios, as they were typed; none: all, or all that are quick. */
  readonly names: readonly string[]
  readonly peers: readonly Peer[]
  readonly rounds: number
  readonly quick: boolean
  readonly loaders: number
  readonly json: string | undefined
  readonly help: boolean
}

const MOST_ROUNDS = 100
const MOST_LOADERS = 64
const ROUNDS = 3

export const HELP = `npm run bench:peers -- [scenario...] [options]
scenarios: full, paced, stop, connections, capacity; all when none is named (--quick: the first three)

  --quick          two minutes: one round, less of everything
  --rounds N       how often, ${ROUNDS} by default, with --quick once
  --only A,B       of ${PEERS.map(({ name }) => name).join(', ')}
  --loaders N      load processes, 1 by default: for machines with more than two cores
  --json FILE      every figure and sample`

const OPTIONS = {
  quick: { type: 'boolean' },
  rounds: { type: 'string' },
  only: { type: 'string' },
  loaders: { type: 'string' },
  json: { type: 'string' },
  help: { type: 'boolean' },
} as const

export function readPeerOptions(args: readonly string[]): PeerOptions {
  const { values, positionals } = parse(args)
  const quick = values.quick === true
  return {
    names: positionals,
    peers: values.only === undefined ? PEERS : values.only.split(',').map(peerNamed),
    rounds: whole('rounds', values.rounds, MOST_ROUNDS) ?? (quick ? 1 : ROUNDS),
    quick,
    loaders: whole('loaders', values.loaders, MOST_LOADERS) ?? 1,
    json: values.json,
    help: values.help === true,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: OPTIONS })
  } catch (error) {
    const [said = ''] = (error instanceof Error ? error.message : String(error)).split('. ')
    throw new BenchError(`${said}; --help lists what there is`)
  }
}

function peerNamed(name: string): Peer {
  const found = PEERS.find((peer) => peer.name.toLowerCase() === name.trim().toLowerCase())
  if (found === undefined) throw new BenchError(`no ${name}: ${PEERS.map((peer) => peer.name).join(', ')}`)
  return found
}

function whole(name: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > most)
    throw new BenchError(`--${name} is a whole number from 1 to ${most}`)
  return value
}
