import { expect, test, vi } from 'vitest'
import { AnthropicReader } from '../../src/providers/anthropic-reader.ts'
import { UpstreamProvider } from '../../src/providers/upstream-provider.ts'
import type { MakeReader } from '../../src/providers/upstream-stream.ts'
import { failureOf, requestOf } from '../contracts/provider.ts'
import { shown } from './shown.ts'

function broken() {
  const connect = vi.fn(() => Promise.reject(new Error('no such package')))
  const makeReader: MakeReader = ({ model }, push) => new AnthropicReader(model, push)
  const provider = new UpstreamProvider({ name: 'x', ownKey: 'may', connect, makeReader }, { maxConcurrent: 1 })
  return { connect, provider }
}

test('an SDK is loaded with the first request', () => {
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
