import { isRandomSessionId } from '../../src/protocol/ids.ts'

/** The session that the address names. It stands behind the `#`, which browsers send to no server. */
export function sessionInAddress(): string | undefined {
  const id = location.hash.slice(1).toLowerCase()
  return isRandomSessionId(id) ? id : undefined
}

/** Puts a session into the address: as a step that the back button undoes, or in the place of the one before. */
export function showInAddress(id: string, how: 'step' | 'replace'): void {
  if (how === 'step') history.pushState(null, '', `#${id}`)
  else history.replaceState(null, '', `#${id}`)
}

/** The App that a link to this page asks for, as `?app=support`. Keys are never read from an address. */
export function appInAddress(): string | undefined {
  return new URLSearchParams(location.search).get('app') ?? undefined
}
