import type { Change } from '../../ports/store.ts'
import type { Aomi } from './parts.ts'

/** What this contract keeps of sessions beside the memory tier goes when they are deleted, in whichever process. */
export function forgetDeleted({ changes, memos, texts }: Aomi): void {
  changes.subscribe((change: Change) => {
    if (change.kind === 'session' && change.removed === true) {
      memos.forget(change.id)
      texts.forget(change.id)
    } else if (change.kind === 'everything') {
      // A deletion may be among what was missed. The one is said again by its client, the other made again.
      memos.clear()
      texts.clear()
    }
  })
}
