import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { NOT_ASKED, PARLEY, PEERS, RELAY } from '../../bench/contenders/peer-list.ts'
import { beside, type PeerRun, peerTable, rowsOf } from '../../bench/report/peer-report.ts'
import { BenchError } from '../../bench/rig/options.ts'
import { readPeerOptions } from '../../bench/rig/peer-options.ts'
import { MOST_SESSIONS, nextLevel } from '../../bench/scenarios/capacity.ts'
import { type PeerScenario, peerScenarios } from '../../bench/scenarios/peers.ts'

const FOLDER = new URL('../../bench/peers/', import.meta.url)
/** What several peers import. */
const SHARED = ['http.mjs', 'model.mjs', 'langgraph-graph.mjs']
const EXACT = /^\d+\.\d+\.\d+$/

const read = (path: string): string => readFileSync(new URL(path, FOLDER), 'utf8')
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.mjs'))
const sample = (values: Readonly<Record<string, number>>, ...notes: string[]) => ({ values, notes })

describe('the peers', () => {
  it('are listed, each with its file, in the list and in the README', () => {
    const listed = PEERS.flatMap(({ file }) => (file === undefined ? [] : [file]))
    expect(listed.toSorted()).toEqual(files.filter((name) => !SHARED.includes(name)).toSorted())
    const readme = read('../README.md')
    expect(listed.filter((file) => !readme.includes(`\`${file}\``))).toEqual([])
  })

  it('have packages of their own, pinned, that all are imported', () => {
    const { dependencies }: { readonly dependencies: Readonly<Record<string, string>> } = JSON.parse(
      read('package.json'),
    )
    expect(Object.values(dependencies).filter((version) => !EXACT.test(version))).toEqual([])
    const imported = new Set(
      files.flatMap((name) => [...read(name).matchAll(/from '([^.'][^']*)'/g)].map(([, from = '']) => from)),
    )
    const packages = [...imported]
      .filter((from) => !from.startsWith('node:'))
      .map((from) =>
        from
          .split('/')
          .slice(0, from.startsWith('@') ? 2 : 1)
          .join('/'),
      )
    // A package that another needs beside itself is not imported here.
    const besides = ['@langchain/core']
    expect([...new Set([...packages, ...besides])].toSorted()).toEqual(Object.keys(dependencies).toSorted())
  })

  it('are not installed with Parley, and their lock names no host', () => {
    const own = readFileSync(new URL('../../package.json', FOLDER), 'utf8')
    expect(own).not.toContain('socket.io')
    const lock: { readonly packages: Readonly<Record<string, { readonly resolved?: string }>> } = JSON.parse(
      read('package-lock.json'),
    )
    expect(Object.values(lock.packages).filter(({ resolved }) => resolved !== undefined)).toEqual([])
  })
})

describe('the report beside peers', () => {
  const scenario: PeerScenario = {
    name: 'x',
    title: 'X',
    metrics: [
      { key: 'cpu', label: 'CPU', digits: 1, ratio: true },
      { key: 'after', label: 'after', digits: 0 },
    ],
    takes: () => true,
    measure: () => Promise.reject(new Error('not measured here')),
  }
  const ONCE = { least: 1, median: 1, most: 1 }
  const runs: readonly PeerRun[] = [
    {
      name: RELAY,
      samples: [sample({ cpu: 8, after: 0 }), sample({ cpu: 12, after: 0 }), sample({ cpu: 10, after: 0 })],
      broken: [],
    },
    {
      name: PARLEY,
      samples: [sample({ cpu: 4, after: 0 }), sample({ cpu: 9, after: 0 }), sample({ cpu: 5, after: 0 })],
      broken: [],
    },
    // Of its rounds only the third went through.
    {
      name: 'ws',
      samples: [{ ...sample({ cpu: 30, after: Number.NaN }, 'a note'), round: 3 }],
      broken: ['token 3 expected, got "5"'],
    },
    { name: 'AG-UI', samples: [], broken: ['answered 500'] },
  ]

  it('has least, median and most, also of the ratios to R in the same round', () => {
    const cells = rowsOf(scenario, runs).map(({ cells: [cpu] }) => [cpu?.spread, cpu?.ratio])
    expect(cells).toEqual([
      [{ least: 8, median: 10, most: 12 }, ONCE],
      [
        { least: 4, median: 5, most: 9 },
        { least: 0.5, median: 0.5, most: 0.75 },
      ],
      [
        { least: 30, median: 30, most: 30 },
        { least: 3, median: 3, most: 3 },
      ],
      [undefined, undefined],
    ])
  })

  it('has no ratio where R was not measured, or measured nothing', () => {
    const ratios = (of: readonly PeerRun[]) => rowsOf(scenario, of).map(({ cells: [cpu] }) => cpu?.ratio)
    expect(ratios(runs.slice(1, 2))).toEqual([undefined])
    expect(ratios([{ name: RELAY, samples: [sample({ cpu: 0 })], broken: [] }, ...runs.slice(1, 2)])).toEqual([
      undefined,
      undefined,
    ])
  })

  it('shows what broke as broken, and what is not known as a dash', () => {
    const text = peerTable(scenario, rowsOf(scenario, runs))
    expect(text).toMatch(/^\| Parley +\| 4\.0 - 5\.0 - 9\.0 +\| 0\.50 - 0\.50 - 0\.75 +\| 0 +\|$/m)
    expect(text).toMatch(/^\| ws +\| 30\.0 +\| 3\.00 +\| - +\|$/m)
    expect(text).toMatch(/^\| AG-UI +\| - +\| - +\| - +\|$/m)
    expect(text).toContain('* ws: BROKE: token 3 expected, got "5"\n* ws: a note')
    expect(text).toContain('* AG-UI: BROKE: answered 500')
  })

  it('says beside the numbers what each brings, and what was asked of none', () => {
    const text = beside(PEERS)
    expect(PEERS.filter(({ name, brings }) => !text.includes(name) || !text.includes(brings))).toEqual([])
    expect(text).toContain(NOT_ASKED)
  })
})

describe('the search for the most sessions', () => {
  it.each([1, 2, 7, 40, 150, 333, MOST_SESSIONS - 1])('ends within 12 %% below %i, whatever it begins with', (most) => {
    for (const first of [1, 10, 150, MOST_SESSIONS]) {
      const held: number[] = []
      const failed: number[] = []
      for (let level = nextLevel(first, held, failed); level !== undefined; level = nextLevel(first, held, failed)) {
        ;(level <= most ? held : failed).push(level)
        expect(held.length + failed.length).toBeLessThan(20)
      }
      const found = Math.max(...held)
      expect(found).toBeLessThanOrEqual(most)
      expect(found).toBeGreaterThanOrEqual(Math.floor(most / 1.12) - 1)
    }
  })

  it('ends where nothing holds, and where everything does', () => {
    expect(nextLevel(5, [], [5, 2, 1])).toBeUndefined()
    expect(nextLevel(5, [MOST_SESSIONS], [])).toBeUndefined()
  })
})

describe('what is asked of it', () => {
  it('is everything three times, or once and less', () => {
    expect(readPeerOptions([])).toMatchObject({ rounds: 3, quick: false, peers: PEERS, names: [] })
    expect(readPeerOptions(['full', '--quick'])).toMatchObject({ rounds: 1, quick: true, names: ['full'] })
    expect(readPeerOptions(['--only', 'r,Parley,ai sdk']).peers.map(({ name }) => name)).toEqual([
      'R',
      'Parley',
      'AI SDK',
    ])
    expect(peerScenarios(true).map(({ name }) => name)).toEqual(peerScenarios(false).map(({ name }) => name))
  })

  it.each([['--rounds', '0'], ['--rounds', 'x'], ['--only', 'nobody'], ['--nope']])('is not %s %s', (...args) => {
    expect(() => readPeerOptions(args)).toThrow(BenchError)
  })
})
