import { expect, onTestFinished, test, vi } from 'vitest'
import { createAnthropic } from '../../src/providers/anthropic.ts'
import { AnthropicReader } from '../../src/providers/anthropic-reader.ts'
import { createOpenAi } from '../../src/providers/openai.ts'
import { UpstreamProvider } from '../../src/providers/upstream-provider.ts'
import type { MakeReader } from '../../src/providers/upstream-stream.ts'
import { failureOf, requestOf } from '../contracts/provider.ts'
import { shown } from './shown.ts'

function broken() {
  const connect = vi.fn(() => Promise.reject(new Error('no such package')))
  const makeReader: MakeReader = (request, push) => new AnthropicReader(request, push)
  const provider = new UpstreamProvider({ name: 'x', ownKey: 'may', connect, makeReader }, { maxConcurrent: 1 })
  return { connect, provider }
}

test('an SDK is loaded at once where the operator has a key or an address, else with the first request', () => {
  const prepare = vi.spyOn(UpstreamProvider.prototype, 'prepare').mockReturnThis()
  onTestFinished(() => prepare.mockRestore())
  createAnthropic({ baseURL: 'http://127.0.0.1:1', maxConcurrent: 1 })
  createOpenAi({ maxConcurrent: 1 })
  expect(prepare).not.toHaveBeenCalled()
  createAnthropic({ apiKey: 'k', maxConcurrent: 1 })
  createOpenAi({ apiKey: 'k', maxConcurrent: 1 })
  createOpenAi({ baseURL: 'http://127.0.0.1:1', maxConcurrent: 1 })
  expect(prepare).toHaveBeenCalledTimes(3)
  expect(broken().connect).not.toHaveBeenCalled()
})

test('an SDK that is loaded before is not loaded again; that it could not be is told to the request', async () => {
  const { connect, provider } = broken()
  provider.prepare()
  expect(connect).toHaveBeenCalledTimes(1)
  const { error } = await failureOf(provider.stream(requestOf('hi'), new AbortController().signal))
  expect(shown(error)).toContain('no such package')
  expect(connect).toHaveBeenCalledTimes(1)
})
