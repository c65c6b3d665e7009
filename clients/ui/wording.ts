import type { ConnectionState } from '../core/connector.ts'
import type { EndEntry } from '../core/entries.ts'

/** What a person can do where a connection does not come back by itself. */
export type Remedy = 'retry' | 'settings' | 'new-chat'

export type Notice = {
  readonly tone: 'calm' | 'warning' | 'danger'
  /** Read out at every change: it stays the same from one attempt to the next. */
  readonly text: string
  /** What the attempts are at: for eyes only. `at`: milliseconds since 1970. */
  readonly attempt?: { readonly at: number } | 'now'
  readonly remedies: readonly Remedy[]
}

/** What happened to the connection and what the client does about it; undefined when there is nothing to say. */
export function noticeOf(connection: ConnectionState, waiting: number, online: boolean): Notice | undefined {
  switch (connection.phase) {
    case 'closed':
      return undefined
    case 'connecting':
      if (connection.why === undefined) return { tone: 'calm', text: 'Connecting…', remedies: [] }
      return cut(connection.why.message, waiting, online, 'now')
    case 'ready':
      if (!connection.draining) return undefined
      return {
        tone: 'calm',
        text: 'The server is about to restart. This conversation goes on in a moment.',
        remedies: [],
      }
    case 'reconnecting':
      return cut(connection.why.message, waiting, online, { at: connection.retryAt })
    case 'refused':
      return refusal(connection)
    default:
      return connection satisfies never
  }
}

function cut(why: string, waiting: number, online: boolean, attempt: Notice['attempt']): Notice {
  const what = online ? why : 'This device is offline'
  const kept = waiting === 0 ? '' : ` ${plural(waiting, 'message')} will be sent then.`
  return { tone: 'warning', text: `${what}. Reconnecting by itself.${kept}`, attempt, remedies: ['retry'] }
}

type Refused = Extract<ConnectionState, { phase: 'refused' }>

const REFUSALS: Readonly<Record<string, { readonly text: string; readonly remedies: readonly Remedy[] }>> = {
  unauthorized: {
    text: 'The server did not accept the key: it is missing, wrong or revoked.',
    remedies: ['settings', 'retry'],
  },
  signed_out: { text: 'You are not signed in on this site. Sign in, then try again.', remedies: ['retry'] },
  app_not_found: { text: 'There is no App of this name on the server.', remedies: ['settings'] },
  origin_not_allowed: { text: 'This site is not among those that may use this key.', remedies: ['settings', 'retry'] },
  session_not_found: { text: 'This conversation is gone: it was deleted, or it is not yours.', remedies: ['new-chat'] },
  too_many_connections: { text: 'This conversation is open in too many places at once.', remedies: ['retry'] },
}

/** What trying again by itself would not cure. */
function refusal({ code, message }: Refused): Notice {
  const known = Object.hasOwn(REFUSALS, code) ? REFUSALS[code] : undefined
  const { text, remedies } = known ?? { text: `${message}.`, remedies: ['retry' as const] }
  return { tone: 'danger', text, remedies }
}

/** What became of a run, where that is worth a word. */
export function endText({ end, answers, waits }: EndEntry): string {
  switch (end.outcome) {
    case 'success':
      return answers.length === 0 && !waits ? 'There is no answer.' : ''
    case 'cancelled':
      return 'Stopped.'
    case 'interrupted':
      return 'Interrupted before it was finished.'
    case 'unfinished':
      return 'Not finished.'
    case 'error':
      return `${end.message ?? 'The answer failed'}${end.message?.endsWith('.') === true ? '' : '.'}`
    default:
      return end satisfies never
  }
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
