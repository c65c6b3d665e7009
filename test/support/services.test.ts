import { describe, expect, it, vi } from 'vitest'
import { checkServices, findService } from './services.ts'
import { NO_UWS } from './transports.ts'

const NOWHERE = '/nonexistent/chromium'

function lines(...runs: Parameters<typeof checkServices>[0]): string[] {
  const said: string[] = []
  checkServices(runs, (line) => said.push(line))
  // Whether that is there is not the run's to say.
  return said.filter((line) => !line.includes(NO_UWS))
}

describe('services beyond npm', () => {
  it('says in one line what is left out and how to run it, when a service is absent', () => {
    vi.stubEnv('PARLEY_TEST_REQUIRE', '')
    vi.stubEnv('PARLEY_TEST_DATABASE_URL', 'postgres://localhost/test')
    vi.stubEnv('CHROMIUM_PATH', NOWHERE)
    expect(lines('postgres', 'chromium')).toEqual([
      expect.stringMatching(/^Not run: the browser suites.*npm run test:browser/),
    ])
  })

  it('says nothing when all that the run includes is there', () => {
    vi.stubEnv('PARLEY_TEST_REQUIRE', 'postgres,chromium')
    vi.stubEnv('PARLEY_TEST_DATABASE_URL', 'postgres://localhost/test')
    vi.stubEnv('CHROMIUM_PATH', process.execPath)
    expect(lines('postgres', 'chromium')).toEqual([])
    expect(findService('chromium')).toBe(process.execPath)
  })

  it('fails when the run requires a service that is absent', () => {
    vi.stubEnv('PARLEY_TEST_REQUIRE', 'chromium')
    vi.stubEnv('CHROMIUM_PATH', NOWHERE)
    expect(() => lines('chromium')).toThrow(/asks for chromium, which is not there/)
  })

  it('fails when the run requires a service that does not exist', () => {
    vi.stubEnv('PARLEY_TEST_REQUIRE', 'postgres,oracle')
    expect(() => lines('postgres')).toThrow(/no known service: oracle/)
  })
})
