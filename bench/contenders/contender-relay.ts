import { join } from 'node:path'
import { freePort } from '../../test/support/free-port.ts'
import { SERVER_CORE, startNode, stopProcess } from '../rig/processes.ts'
import { type Start, untilAnswers } from './contender.ts'

/** Starts R. */
export const startRelay: Start = async (place) => {
  const { upstreamUrl, outDir } = place
  const port = await freePort()
  const child = startNode(
    SERVER_CORE,
    ['--expose-gc', '--import', join(outDir, 'probe.js'), join(outDir, 'relay.js')],
    {
      PORT: String(port),
      ANTHROPIC_BASE_URL: upstreamUrl,
      ANTHROPIC_API_KEY: 'bench',
    },
  )
  // R serves no HTTP: any answer means that it listens.
  await untilAnswers(`http://127.0.0.1:${port}/`, child, () => true)
  return {
    name: 'R',
    process: child,
    target: { port, path: '/ws', headers: {} },
    databasePid: undefined,
    store: undefined,
    restart: async () => {
      await stopProcess(child)
      return startRelay(place)
    },
    stop: () => stopProcess(child),
  }
}
