import * as v from 'valibot'
import type { TextStorage } from './storage.ts'

/** Which App the page talks to and with which key. */
export type Settings = { readonly app: string; readonly key?: string; readonly remember: boolean }

const NAME = 'parley.settings'
const StoredSchema = v.object({ app: v.string(), key: v.optional(v.string()) })
const DEFAULT_APP = 'default'

/** `lasting` is what the person chose to keep on this device, `passing` what goes with the tab. */
export type SettingsStores = { readonly lasting: TextStorage; readonly passing: TextStorage }

export function loadSettings({ lasting, passing }: SettingsStores): Settings {
  for (const [store, remember] of [[passing, false] as const, [lasting, true] as const]) {
    const stored = read(store.get(NAME))
    if (stored !== undefined) return { ...stored, remember }
  }
  return { app: DEFAULT_APP, remember: false }
}

/** A key lies in exactly one place: choosing not to keep it takes it off the device. */
export function saveSettings({ lasting, passing }: SettingsStores, { app, key, remember }: Settings): void {
  const text = JSON.stringify({ app, ...(key === undefined ? {} : { key }) })
  passing.set(NAME, remember ? undefined : text)
  lasting.set(NAME, remember ? text : undefined)
}

function read(text: string | undefined): v.InferOutput<typeof StoredSchema> | undefined {
  if (text === undefined) return undefined
  try {
    return v.parse(StoredSchema, JSON.parse(text))
  } catch {
    // Written by another version, or by hand: as good as nothing.
    return undefined
  }
}
