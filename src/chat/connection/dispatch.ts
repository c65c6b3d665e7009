import type { Scope } from '../../ports/keys.ts'
import type { Command, CommandType } from '../../protocol/commands.ts'
import type { Core } from '../core.ts'
import { historyGet } from '../handlers/history-get.ts'
import { messageSend } from '../handlers/message-send.ts'
import { runCancel } from '../handlers/run-cancel.ts'
import { runResume } from '../handlers/run-resume.ts'
import { runRetry } from '../handlers/run-retry.ts'
import { sessionUpdate } from '../handlers/session-update.ts'
import { toolClaim } from '../handlers/tool-claim.ts'
import { toolResult } from '../handlers/tool-result.ts'
import type { Caller, Outcome } from './caller.ts'

const SCOPES: Readonly<Record<CommandType, Scope>> = {
  'message.send': 'write',
  'run.cancel': 'write',
  'run.retry': 'write',
  'run.resume': 'write',
  'tool.claim': 'write',
  'tool.result': 'write',
  'session.update': 'write',
  'history.get': 'read',
  pong: 'read',
}

/** Authorises (I9) and handles one command. Rejects with the error that answers it. */
export async function dispatch(core: Core, caller: Caller, command: Command): Promise<Outcome> {
  core.access.require(caller.principal, SCOPES[command.type])
  switch (command.type) {
    case 'message.send':
      return messageSend(core, caller, command)
    case 'run.cancel':
      return runCancel(caller.session, command)
    case 'run.retry':
      return runRetry(core, caller, command)
    case 'session.update':
      await core.access.charge(caller.principal)
      return sessionUpdate(caller, command)
    case 'history.get':
      return historyGet(caller.session, command)
    case 'run.resume':
      return runResume(core, caller, command)
    case 'tool.claim':
      return toolClaim(core, caller, command)
    case 'tool.result':
      return toolResult(core, caller, command)
    case 'pong':
      return { ack: {} }
  }
}
