import type { AppStore } from '../ports/store.ts'
import { DEFAULT_APP } from '../protocol/ids.ts'
import { type CliIo, plain } from './command.ts'

/** A note and no fault: sessions and usage outlive their App, and `default` answers without being stored. */
export async function noteMissing(apps: Pick<AppStore, 'getApp'>, io: CliIo, app: string | undefined): Promise<void> {
  if (app === undefined || app === DEFAULT_APP) return
  if ((await apps.getApp(app)) === undefined) io.err(`No App ${plain(app)} is stored`)
}
