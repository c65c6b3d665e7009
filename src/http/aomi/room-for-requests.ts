import type { Aomi } from './parts.ts'

/**
 * Streams that one browser may hold over HTTP/1.1. It has six connections to a host: with a stream for each thread that was
 * visited its polls would wait, so one is left for them.
 */
const MOST_OF_ONE = 5

/**
 * Ends the oldest streams of sessions in which nothing is on, until the wallet of `sessionId` holds no more at `address` than
 * it may. Their clients come again when they show the thread. Without a wallet nobody tells one browser of an office from another.
 */
export async function makeRoom({ streams, conversations }: Aomi, address: string, sessionId: string): Promise<void> {
  const there = streams.at(address)
  if (there.length <= MOST_OF_ONE) return
  const wallet = await walletOf(conversations, sessionId)
  if (wallet === undefined) return
  const wallets = await Promise.all(there.map(async (one) => walletOf(conversations, one.sessionId)))
  const own = there.filter((_, nth) => wallets[nth] === wallet)
  let beyond = own.length - MOST_OF_ONE
  for (const one of own) {
    if (beyond <= 0) return
    if (one.sessionId === sessionId || (await isBusy(conversations, one.sessionId))) continue
    one.stream.end()
    beyond--
  }
}

async function walletOf(conversations: Aomi['conversations'], sessionId: string): Promise<string | undefined> {
  return (await conversations.find(sessionId))?.record.wallet?.address.toLowerCase()
}

async function isBusy(conversations: Aomi['conversations'], sessionId: string): Promise<boolean> {
  const runs = await (await conversations.find(sessionId))?.runs()
  return runs !== undefined && runs.length > 0
}
