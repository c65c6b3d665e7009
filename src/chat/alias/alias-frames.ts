import type { AliasFrame } from '../../protocol/aliases.ts'
import { ParleyError } from '../../protocol/errors.ts'
import type { Caller } from '../connection/caller.ts'
import type { Core } from '../core.ts'
import { runCancel } from '../handlers/run-cancel.ts'
import { aliasAnswers } from './alias-answers.ts'
import { aliasSend } from './alias-send.ts'

/** What one connection's frames do. Rejects with what is to be told about the frame's run. */
export class AliasFrames {
  readonly #core: Core
  readonly #caller: Caller
  readonly #wanted: Set<string>
  readonly #replay: (runId: string) => Promise<void>
  /** Sends that are being stored, by their run. */
  readonly #sending = new Map<string, { aborted: boolean }>()

  /** `wanted`: the runs that the connection is told of; `replay` tells what there is of a run, and what comes. */
  constructor(core: Core, caller: Caller, wanted: Set<string>, replay: (runId: string) => Promise<void>) {
    this.#core = core
    this.#caller = caller
    this.#wanted = wanted
    this.#replay = replay
  }

  async handle(frame: AliasFrame, readOnly: boolean): Promise<void> {
    if (frame.kind === 'abort') return this.#abort(frame.runId)
    if (readOnly) throw new ParleyError('bad_frame', { message: 'This connection only resumes a run' })
    this.#core.access.require(this.#caller.principal, 'write')
    const sending = { aborted: false }
    this.#sending.set(frame.runId, sending)
    try {
      const [core, caller] = [this.#core, this.#caller]
      const { ack, after } = await (frame.kind === 'run'
        ? aliasSend(core, caller, frame)
        : aliasAnswers(core, caller, frame))
      const { runId = frame.runId, duplicate = false } = ack
      if (!sending.aborted && duplicate && !this.#wanted.has(runId)) await this.#replay(runId)
      else if (!sending.aborted) this.#wanted.add(runId)
      after?.()
      if (sending.aborted) await this.#cancel(runId)
    } finally {
      this.#sending.delete(frame.runId)
    }
  }

  /** P-108: nothing more is told of the run: its client takes it for ended, and a later end for that of its next run. */
  async #abort(runId: string): Promise<void> {
    this.#core.access.require(this.#caller.principal, 'write')
    this.#wanted.delete(runId)
    const sending = this.#sending.get(runId)
    if (sending === undefined) return this.#cancel(runId)
    // What is still being stored is stopped when it has started.
    sending.aborted = true
  }

  async #cancel(runId: string): Promise<void> {
    const { after } = await runCancel(this.#caller.session, { type: 'run.cancel', runId, all: false })
    after?.()
  }
}
