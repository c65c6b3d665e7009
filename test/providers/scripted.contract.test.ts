import { createScripted } from '../../src/providers/scripted.ts'
import { testProvider } from '../contracts/provider.ts'

testProvider('scripted', async () => ({
  provider: createScripted({ tokensPerSecond: Number.POSITIVE_INFINITY }),
  ask: {
    text: 'hello',
    reasoning: 'think about rain',
    tools: 'calculate 2+2 and 3*7',
    endless: 'count from 1 to 9000',
    silent: 'stall',
    failing: 'fail',
  },
  settled: async () => undefined,
  sent: () => 0,
  close: async () => undefined,
}))
