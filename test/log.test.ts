import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { Log } from '../src/log.ts'
import type { LogLevel } from '../src/ports/telemetry.ts'
import { METRICS, sessionTag } from '../src/ports/telemetry.ts'
import { ParleyError } from '../src/protocol/errors.ts'
import { StoreFault } from '../src/storage/faults.ts'

const LineSchema = v.looseObject({ level: v.string(), time: v.string(), msg: v.string() })

class Lines {
  readonly texts: string[] = []
  write(text: string): void {
    this.texts.push(text)
  }
}

function openLog(level: LogLevel | 'silent' = 'debug') {
  const destination = new Lines()
  const log = new Log({ level, destination })
  return { log, texts: destination.texts, last: () => v.parse(LineSchema, JSON.parse(destination.texts.at(-1) ?? '')) }
}

const SESSION = '550e8400-e29b-41d4-a716-446655440000'
const SECRETS = ['hunter2', 'tell nobody', 'sk_live_abcdefgh1234_', 'sk-ant-', SESSION, 'eyJhbGciOi']

function expectNoSecret(text: string): void {
  for (const secret of SECRETS) expect(text).not.toContain(secret)
}

describe('a log line', () => {
  it('is one flat object of level, time, msg and the fields', () => {
    const { log, last } = openLog()
    log.log('info', 'run ended', {
      session: sessionTag(SESSION),
      status: 'finished',
      ms: 12,
      ok: true,
      none: undefined,
    })
    expect(last()).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      msg: 'run ended',
      session: '550e8400',
      status: 'finished',
      ms: 12,
      ok: true,
    })
  })

  it('below the level is not made: its fields are not even read', () => {
    const { log, texts } = openLog('warn')
    const fields = {
      get dear(): string {
        throw new Error('was read')
      },
    }
    log.log('info', 'run ended', fields)
    log.log('debug', 'run ended', fields)
    expect(texts).toEqual([])
    expect(() => log.log('warn', 'run ended', fields)).toThrow('was read')
  })

  it('of no level is written when the log is silent', () => {
    const { log, texts } = openLog('silent')
    for (const level of ['debug', 'info', 'warn', 'error'] as const) log.log(level, 'x')
    expect(texts).toEqual([])
  })

  it.each([
    { note: `a whole id ${SESSION}` },
    { note: SESSION.toUpperCase() },
    { note: 'key sk_live_abcdefgh1234_abcdefghijklmnopqrstuvwxyz' },
    { note: 'parley.v1, parley.ticket.eyJhbGciOi' },
    { note: 'Bearer eyJhbGciOi.x.y' },
    { note: 'sk-ant-api03-abcdef' },
    { note: 'postgres://me:hunter2@db/parley' },
    { password: 'hunter2' },
    { apiKey: 'hunter2' },
    { key: 'hunter2' },
    { text: 'tell nobody' },
    { reconnectToken: 'hunter2' },
  ])('I11: holds no credential, text or whole session id: %j', (fields) => {
    const { log, texts } = openLog()
    log.log('info', 'x', fields)
    expect(texts).toHaveLength(1)
    expectNoSecret(texts[0]?.toLowerCase() ?? '')
  })

  it('keeps its own level, time and msg, and no field is longer than a name', () => {
    const { log, last, texts } = openLog()
    log.log('info', 'x', { level: 'error', msg: 'y', time: 'z', long: 'a'.repeat(5000) })
    expect(last()).toMatchObject({ level: 'info', msg: 'x' })
    expect(texts[0]?.length).toBeLessThan(500)
  })
})

/** As a driver or SDK throws: the class has a name of its own and fields that say too much. */
class PostgresError extends Error {
  readonly code = '23505'
  readonly query = 'insert … tell nobody'
  readonly parameters = ['hunter2']
  readonly detail = 'Key (id)=(tell nobody) already exists'
}
class APIError extends Error {
  readonly status = 529
  readonly error = { message: 'tell nobody' }
  readonly headers = { authorization: 'hunter2' }
}

describe('the cause of a failure', () => {
  it('is logged by type, code, status and places in our files', () => {
    const { log, last } = openLog()
    log.log('error', 'request failed', {}, new PostgresError('duplicate'))
    expect(last()['cause']).toEqual({
      type: 'PostgresError',
      code: '23505',
      stack: expect.arrayContaining([expect.stringMatching(/^at .*log\.test\.ts/)]),
    })
    log.log('error', 'request failed', {}, new APIError('x'))
    expect(last()['cause']).toMatchObject({ type: 'APIError', status: 529 })
  })

  it('that a store or a provider gives names its kind, its code and the request at the provider’s', () => {
    const { log, last } = openLog()
    log.log('error', 'x', {}, new StoreFault('conflict', 'tell nobody', { code: '23505' }))
    expect(last()['cause']).toMatchObject({ type: 'StoreFault', kind: 'conflict', code: '23505' })
    const known = { status: 529, kind: 'overloaded_error', requestId: 'req_011CSHoEeqs5C35K2UUqR7Fy' }
    log.log('error', 'x', {}, Object.assign(new Error('x'), known, { detail: 'tell nobody' }))
    expect(last()['cause']).toEqual({ type: 'Error', ...known, stack: expect.any(Array) })
  })

  it('is followed to what caused it, not for ever', () => {
    const { log, last } = openLog()
    const loop = new Error('a')
    loop.cause = loop
    log.log('error', 'x', {}, new ParleyError('internal_error', { cause: new TypeError('y', { cause: loop }) }))
    expect(last()['cause']).toMatchObject({
      type: 'ParleyError',
      code: 'internal_error',
      cause: { type: 'TypeError', cause: { type: 'Error', cause: { type: 'Error' } } },
    })
  })

  const multiline = new Error('tell nobody\n    at tell nobody (file:///hunter2.js:1:1)\n    at hunter2 (/a.js:1:1)')
  const renamed = Object.assign(new Error('x'), {
    name: 'tell nobody',
    code: 'tell nobody hunter2',
    kind: 'tell nobody',
    requestId: `req_${SESSION}`,
  })
  const disguised = new Error('first')
  disguised.message = 'second'
  disguised.stack = `Error: tell nobody hunter2\n${disguised.stack ?? ''}`

  it.each([
    ['a message', new Error('tell nobody')],
    ['a message that looks like frames of a stack', multiline],
    ['a name and a code', renamed],
    ['a stack whose message was changed', disguised],
    ['parameters and details of a statement', new PostgresError('tell nobody')],
    ['the body and headers of a provider', new APIError('529 {"error":"tell nobody"}')],
    ['what a parser quotes', parseFault()],
    ['several at once', new AggregateError([new Error('hunter2')], 'tell nobody')],
    ['a string', 'tell nobody'],
    ['an object', { password: 'hunter2' }],
  ])('I11: gives nothing away by %s', (_what, cause) => {
    const { log, texts } = openLog()
    log.log('error', 'x', {}, new ParleyError('internal_error', { cause }))
    log.log('error', 'x', {}, cause)
    expect(texts).toHaveLength(2)
    for (const text of texts) expectNoSecret(text)
  })
})

function parseFault(): unknown {
  try {
    return JSON.parse('tell nobody')
  } catch (fault) {
    return fault
  }
}

describe('metrics', () => {
  it('hold every row of the table under parley_, and the process’s own with the event loop’s delay', async () => {
    const text = await openLog().log.metricsText()
    for (const [name, { kind, help }] of Object.entries(METRICS)) {
      expect(text).toContain(`# TYPE parley_${name} ${kind}`)
      expect(text).toContain(`# HELP parley_${name} ${help}`)
    }
    expect(text).toContain('parley_nodejs_eventloop_lag_p99_seconds')
    expect(text).toContain('parley_process_resident_memory_bytes')
  })

  it('count by label, observe, and read gauges when they are scraped', async () => {
    const { log } = openLog()
    let open = 1
    log.gauge('connections', () => open)
    log.count('connections_closed_total', 1, '4429')
    log.count('connections_closed_total', 2, '4429')
    log.count('runs_started_total')
    log.observe('run_seconds', 0.2)
    open = 7
    const text = await log.metricsText()
    expect(text).toContain('parley_connections 7')
    expect(text).toContain('parley_connections_closed_total{code="4429"} 3')
    expect(text).toContain('parley_runs_started_total 1')
    expect(text).toContain('parley_run_seconds_count 1')
  })

  it('of two logs in one process do not mix', async () => {
    const [one, other] = [openLog().log, openLog().log]
    one.count('runs_started_total')
    expect(await other.metricsText()).toContain('parley_runs_started_total 0')
  })
})
