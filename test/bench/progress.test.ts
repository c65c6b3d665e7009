import { describe, expect, it } from 'vitest'
import type { Point } from '../../bench/rig/point.ts'
import { describePoint, Progress } from '../../bench/rig/progress.ts'

const POINT: Point = {
  at: 12.3,
  seconds: 1,
  measured: true,
  tokens: 10_012.4,
  handshakes: 0,
  errors: 0,
  latency: { p50: 0.4712, p99: 123.4, max: 200 },
  server: { cores: 0.482, rss: 143.2 },
  load: 0.611,
}

function screen(isTTY: boolean) {
  const written: string[] = []
  let now = 0
  const out = { isTTY, columns: 40, write: (text: string) => written.push(text) }
  return { written, progress: new Progress(out, () => now), pass: (ms: number) => (now += ms) }
}

describe('the progress of a measurement', () => {
  it('says rate, latencies, errors, and what server and load take', () => {
    expect(describePoint(POINT)).toBe(
      '12 s · 10,012 tokens/s · p50 0.471 p99 123 ms · 0 errors · server 0.48 cores 143 MiB · load 0.61 cores',
    )
  })

  it('says handshakes where those are the work, and leaves out what is not known', () => {
    const { server: _server, latency: _latency, ...rest } = POINT
    expect(describePoint({ ...rest, measured: false, tokens: 0, handshakes: 700 })).toBe(
      '12 s (warm-up) · 700 handshakes/s · 0 errors · load 0.61 cores',
    )
  })

  it('is one line that changes on a terminal, and no wider than that', () => {
    const { written, progress } = screen(true)
    progress.show('paced', POINT)
    progress.show('paced', POINT)
    progress.end()
    expect(written).toHaveLength(3)
    expect(written.every((text) => text.startsWith('\r\u001B[2K') && !text.includes('\n'))).toBe(true)
    expect(written[0]?.length).toBeLessThanOrEqual('\r\u001B[2K'.length + 39)
  })

  it('is a line every five seconds elsewhere, and at once for the next measurement', () => {
    const { written, progress, pass } = screen(false)
    for (let second = 0; second < 11; second++) {
      progress.show('paced', POINT)
      pass(1000)
    }
    expect(written).toHaveLength(3)
    expect(written.every((text) => text.endsWith('\n') && !text.includes('\r'))).toBe(true)
    progress.end()
    progress.show('stop', POINT)
    expect(written[3]).toMatch(/^stop · /)
  })
})
