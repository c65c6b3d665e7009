import { existsSync } from 'node:fs'
import { describe } from 'vitest'
import { findUws, NO_UWS } from './transports.ts'

/**
 * What a suite may need beyond the npm packages that every Node can load. Embedded Postgres and `ws` are such: every `npm test`
 * runs them. Suites that take a database take it from the run's global setup; with `PARLEY_TEST_DATABASE_URL` that is the
 * given server, so the same suites run there.
 */
const SERVICES = {
  postgres: {
    what: 'the storage suites on a Postgres server (they run on the embedded one)',
    how: 'PARLEY_TEST_DATABASE_URL=postgres://user@host/db npm run test:postgres',
    find: () => process.env['PARLEY_TEST_DATABASE_URL'] || undefined,
  },
  chromium: {
    what: 'the browser suites',
    how: 'npm run test:browser with Chromium at /usr/bin/chromium or at CHROMIUM_PATH',
    find: findChromium,
  },
  uws: {
    what: `the suites on the uws transport (${NO_UWS})`,
    how: 'npm ci && npm test with Node 20 or 22',
    find: findUws,
  },
} as const

export type Service = keyof typeof SERVICES

const DEFAULT_CHROMIUM = '/usr/bin/chromium'

function findChromium(): string | undefined {
  const given = process.env['CHROMIUM_PATH']
  if (given) return existsSync(given) ? given : undefined
  return existsSync(DEFAULT_CHROMIUM) ? DEFAULT_CHROMIUM : undefined
}

/** Services that this run must have: `PARLEY_TEST_REQUIRE=postgres,chromium`. An unknown name is a mistake, not a wish. */
function required(): ReadonlySet<string> {
  const names = (process.env['PARLEY_TEST_REQUIRE'] ?? '').split(',').filter((name) => name !== '')
  const unknown = names.filter((name) => !Object.hasOwn(SERVICES, name))
  if (unknown.length > 0) throw new Error(`PARLEY_TEST_REQUIRE names no known service: ${unknown.join(', ')}`)
  return new Set(names)
}

/** The address of the Postgres server, or the path of the others; undefined when the run has none. */
export function findService(service: Service): string | undefined {
  return SERVICES[service].find()
}

/**
 * Says once what a run leaves out and how to run it; throws when the run requires what the machine lacks.
 * @param runs the services whose suites this run's configuration includes
 */
export function checkServices(runs: readonly Service[], say: (line: string) => void = console.log): void {
  const must = required()
  for (const [name, { what, how, find }] of Object.entries(SERVICES)) {
    const found = find() !== undefined
    if (!found && must.has(name))
      throw new Error(`PARLEY_TEST_REQUIRE asks for ${name}, which is not there. Run: ${how}`)
    if (!found || !runs.some((run) => run === name)) say(`Not run: ${what}. To run: ${how}`)
  }
}

/** A suite that needs a service: left out of a run that lacks it (said once by `checkServices`), run otherwise. */
export function describeWith(service: Service, name: string, suite: (where: string) => void): void {
  const where = findService(service)
  if (where === undefined) describe.skip(name, () => suite(''))
  else describe(name, () => suite(where))
}
