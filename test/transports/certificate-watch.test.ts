import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Telemetry } from '../../src/ports/telemetry.ts'
import { CertificateWatch } from '../../src/transports/certificate-watch.ts'
import { makeCertificate } from '../support/certificate.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const [FROM, TO] = [Date.parse('2030-01-01T00:00:00Z'), Date.parse('2030-04-01T00:00:00Z')]

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-certificate-'))
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(folder, { recursive: true })
})

function watch(now: number, to = '20300401000000Z') {
  vi.setSystemTime(now)
  const { cert, key } = makeCertificate('20300101000000Z', to)
  const files = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
  writeFileSync(files.certFile, cert)
  writeFileSync(files.keyFile, key)
  const [log, gauge] = [vi.fn<Telemetry['log']>(), vi.fn<Telemetry['gauge']>()]
  const made = new CertificateWatch(files, { log, gauge, count: () => undefined, observe: () => undefined })
  return { made, gauge, events: () => log.mock.calls.map(([level, event]) => `${level} ${event}`) }
}

describe('the certificate that is served', () => {
  it.each([
    ['expired', TO],
    ['not yet valid', FROM - DAY_MS],
    ['expires soon', TO - 13 * DAY_MS],
  ])('is warned of when it is: %s', (fault, now) => {
    const { made, events } = watch(now)
    expect(events()).toEqual([`warn certificate ${fault}`])
    expect(made.lines).toEqual([`  note       the certificate: ${fault} (valid 2030-01-01 to 2030-04-01)`])
    made.close()
  })

  it('is no matter while it is valid, also one that is made for six days', () => {
    for (const { made, events } of [watch(TO - 20 * DAY_MS), watch(FROM + DAY_MS, '20300107000000Z')]) {
      expect([...events(), ...made.lines]).toEqual([])
      made.close()
    }
  })

  it('is looked at each day, and its end is a metric', () => {
    const { made, events, gauge } = watch(TO - 15 * DAY_MS)
    vi.advanceTimersByTime(2 * DAY_MS)
    expect(events()).toEqual(['warn certificate expires soon'])
    const [name, read] = gauge.mock.calls[0] ?? []
    expect([name, read?.()]).toEqual(['certificate_expires_timestamp_seconds', TO / 1000])
    made.close()
    vi.advanceTimersByTime(2 * DAY_MS)
    expect(events()).toHaveLength(1)
  })
})
