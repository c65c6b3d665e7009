import { describe, expect, it } from 'vitest'
import { buildApp, parseDefinition } from '../../src/apps/definition.ts'
import { ParleyError } from '../../src/protocol/errors.ts'

const DEFAULTS = { maxOutputTokens: 100, contextTokens: 1000 }
const SMALL = { id: 'shop', name: 'Shop', preamble: 'Sell.', model: { default: 'anthropic/claude-sonnet-5-5' } }

function fault(input: unknown): string {
  try {
    parseDefinition(input)
  } catch (thrown) {
    if (thrown instanceof ParleyError && thrown.code === 'invalid_value') return thrown.message
    throw thrown
  }
  throw new Error('was not refused')
}

describe('the definition of an App', () => {
  it('may leave out what the server has a default for', () => {
    expect(buildApp(parseDefinition(SMALL), DEFAULTS)).toEqual({
      id: 'shop',
      name: 'Shop',
      preamble: 'Sell.',
      model: {
        default: 'anthropic/claude-sonnet-5-5',
        allowed: ['anthropic/claude-sonnet-5-5'],
        maxOutputTokens: 100,
        contextTokens: 1000,
      },
      tools: [],
    })
  })

  it('a client tool that asks a wallet has the usual arguments where it names none', () => {
    const tools = [
      { type: 'client', name: 'send', description: 'Sends.', wallet: 'transaction' },
      { type: 'client', name: 'sign', description: 'Signs.', wallet: 'eip712', parameters: { type: 'object' } },
    ]
    const [send, sign] = buildApp(parseDefinition({ ...SMALL, tools }), DEFAULTS).tools
    expect(send).toMatchObject({ kind: 'client', wallet: 'transaction', spec: { parameters: { type: 'object' } } })
    expect(JSON.stringify(send)).toContain('transactions')
    expect(sign).toMatchObject({ wallet: 'eip712', spec: { parameters: { type: 'object' } } })
    expect(fault({ ...SMALL, tools: [{ ...tools[0], wallet: 'seed' }] })).toContain('tools')
  })

  it('may say everything; the default model is always allowed, and nothing twice', () => {
    const whole = {
      ...SMALL,
      $schema: './app.schema.json',
      model: { ...SMALL.model, allowed: ['scripted/demo', 'scripted/demo'], maxOutputTokens: 5, contextTokens: 50 },
      tools: [
        'clock',
        'clock',
        { type: 'builtin', name: 'calculate', approval: 'ask' },
        { type: 'client', name: 'locate', description: 'Where' },
      ],
      stopAfterDisconnectMs: 0,
      aomi: { keyless: 'read' },
    }
    expect(buildApp(parseDefinition(whole), DEFAULTS)).toMatchObject({
      model: { allowed: ['anthropic/claude-sonnet-5-5', 'scripted/demo'], maxOutputTokens: 5, contextTokens: 50 },
      tools: [
        { kind: 'server', name: 'clock', ask: false },
        { kind: 'server', name: 'calculate', ask: true },
        { kind: 'client', spec: { name: 'locate', description: 'Where', parameters: { type: 'object' } } },
      ],
      stopAfterDisconnectMs: 0,
      aomi: { keyless: 'read' },
    })
  })

  it('may name models of several providers, and who is in line', () => {
    const models = ['openai/gpt-5.4-mini', 'openai/qwen3:8b', 'openai/Qwen/Qwen3-8B', 'openai/@cf/meta/llama-3.1-8b']
    const model = { ...SMALL.model, allowed: models, fallbacks: [...models, ...models.slice(0, 1)] }
    expect(buildApp(parseDefinition({ ...SMALL, model }), DEFAULTS).model).toMatchObject({
      allowed: ['anthropic/claude-sonnet-5-5', ...models],
      fallbacks: models,
    })
  })

  it('the stored default App stays open to who knows a session’s id, unless it says otherwise', () => {
    const aomiOf = (over: object) => buildApp(parseDefinition({ ...SMALL, id: 'default', ...over }), DEFAULTS).aomi
    expect(aomiOf({})).toEqual({ keyless: 'full' })
    expect(aomiOf({ aomi: { keyless: 'off' } })).toEqual({ keyless: 'off' })
  })

  it.each([
    [{ ...SMALL, id: 'No Name' }, 'id: must be a lower-case name'],
    [{ ...SMALL, name: ' ' }, 'name: '],
    [{ ...SMALL, name: 7 }, 'name: must be a string'],
    [{ ...SMALL, preamble: undefined }, 'preamble: is missing'],
    [{ ...SMALL, preamble: 'a\u0000b' }, 'preamble: must not hold NUL'],
    [{ ...SMALL, colour: 'red' }, 'colour: unknown field'],
    [{ ...SMALL, model: { ...SMALL.model, max_tokens: 5 } }, 'model.max_tokens: unknown field'],
    [{ ...SMALL, model: { default: 'claude' } }, 'model.default: must be provider/model'],
    [{ ...SMALL, model: { ...SMALL.model, fallbacks: ['gpt'] } }, 'model.fallbacks.0: must be provider/model'],
    [{ ...SMALL, model: { ...SMALL.model, fallbacks: Array(6).fill('a/b') } }, 'model.fallbacks: '],
    [{ ...SMALL, model: { ...SMALL.model, maxOutputTokens: 0 } }, 'model.maxOutputTokens: '],
    [{ ...SMALL, tools: ['clock', { type: 'builtin', name: 'clock' }] }, 'tools: two tools have the same name'],
    [{ ...SMALL, tools: [{ type: 'client', name: 'locate' }] }, 'tools.0: description: is missing'],
    [{ ...SMALL, tools: [{ type: 'shell', name: 'rm' }] }, 'tools.0: type: must be one of builtin, client'],
    [{ ...SMALL, tools: ['a b'] }, 'tools.0: must be'],
    [{ ...SMALL, stopAfterDisconnectMs: -1 }, 'stopAfterDisconnectMs: '],
    [[], 'id: is missing'],
    ['x', 'the definition: '],
  ])('is refused with the place of the fault: %j', (input, message) => {
    expect(fault(input)).toContain(message)
  })

  it('may limit what the App takes of the server, field by field', () => {
    const limits = { connections: 5, connectionsPerSession: 1, runsAtOnce: 2, queuedSends: 0, tokensPerDay: 1e9 }
    expect(buildApp(parseDefinition({ ...SMALL, limits }), DEFAULTS).limits).toEqual(limits)
    expect(buildApp(parseDefinition({ ...SMALL, limits: { runsAtOnce: 1 } }), DEFAULTS).limits).toEqual({
      runsAtOnce: 1,
    })
    const wrong = { connections: 0, runsAtOnce: 1.5, queuedSends: 1001, tokensPerDay: -1, perHour: 1 }
    const told = fault({ ...SMALL, limits: wrong })
    for (const field of Object.keys(wrong)) expect(told).toContain(`limits.${field}: `)
  })

  it('tells all its faults at once', () => {
    const message = fault({ ...SMALL, id: 'X', colour: 'red', tools: [1] })
    for (const place of ['id:', 'colour:', 'tools.0:']) expect(message).toContain(place)
  })

  it.each(['temperature', 'top_p', 'top_k'])('with %s for an Anthropic model is refused in plain words', (field) => {
    expect(fault({ ...SMALL, model: { ...SMALL.model, [field]: 0.5 } })).toBe(
      `model.${field}: Anthropic's API refuses sampling settings; leave it out`,
    )
    const other = { ...SMALL, model: { default: 'scripted/demo', [field]: 0.5 } }
    expect(fault(other)).toBe(`model.${field}: unknown field`)
  })
})
