import { DEFAULT_APP } from '../access/principals.ts'
import type { AppStore } from '../ports/store.ts'
import { type CliIo, plain } from './command.ts'

/** Those of `ids` that name no stored App. */
export async function notStored(apps: Pick<AppStore, 'getApp'>, ids: readonly string[]): Promise<string[]> {
  const missing: string[] = []
  for (const id of ids) if ((await apps.getApp(id)) === undefined) missing.push(id)
  return missing
}

/** A note and no fault: sessions outlive their App, and `default` answers without being stored. */
export async function noteMissing(apps: Pick<AppStore, 'getApp'>, io: CliIo, app: string | undefined): Promise<void> {
  if (app === undefined || app === DEFAULT_APP) return
  for (const id of await notStored(apps, [app])) io.err(`No App ${plain(id)} is stored`)
}
