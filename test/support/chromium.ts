import { type Browser, chromium } from 'playwright-core'
import { findService } from './services.ts'

/** No sandbox: the suites also run as root and in containers. The rest keeps Chromium off the network and quiet. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Starts the machine's Chromium without a window; the caller closes it. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = findService('chromium')
  if (executablePath === undefined) throw new Error('There is no Chromium')
  return await chromium.launch({ executablePath, args: FLAGS })
}
