import { sessionTag } from '../../ports/telemetry.ts'
import type { Socket, SocketHandler } from '../../ports/transport.ts'
import { decodeCommand, encodeControl, type FrameRef } from '../../protocol/codec.ts'
import type { Command } from '../../protocol/commands.ts'
import { ParleyError, toParleyError } from '../../protocol/errors.ts'
import type { Event } from '../../protocol/events.ts'
import type { ControlFrame } from '../../protocol/frames.ts'
import type { Cursor } from '../../protocol/ids.ts'
import { fitsUtf8 } from '../../protocol/text.ts'
import type { History } from '../session/history.ts'
import type { Attached, ConnectionHost } from './attached.ts'
import type { Caller } from './caller.ts'
import { dispatch } from './dispatch.ts'
import { errorFrame, refOf } from './error-frame.ts'
import { FrameLimits } from './frame-limits.ts'
import { look } from './look.ts'
import { Outbox } from './outbox.ts'
import { openingFrames, readyFrame, updatedFrame } from './ready.ts'
import { leavePlace, takePlace } from './take-place.ts'
import { tellStanding } from './tell-standing.ts'

const MS_PER_SECOND = 1000
/** Commands of one connection that wait for an answer; above it the client is flooding. */
const MAX_PENDING_COMMANDS = 64

/**
 * One socket's peer, attached to one session. It alone writes frames and closes; handlers return outcomes.
 * Opening: it waits for its history and may only be refused. Live: at the head, in its session's audience. Behind: it reads
 * the log as its socket drains. Next: as behind, and its turn to read is due.
 */
export class Connection implements SocketHandler, Attached {
  readonly caller: Caller
  readonly #host: ConnectionHost
  #outbox: Outbox | undefined
  #state: 'opening' | 'live' | 'behind' | 'next' | 'closed' = 'opening'
  #hasPlace = false
  heardAt = 0
  pingedAt = 0
  askedAt = 0
  #pending = 0
  /** Made at its first frame: most connections listen. */
  #limits: FrameLimits | undefined

  constructor(host: ConnectionHost, caller: Caller) {
    this.#host = host
    this.caller = caller
  }

  get outbox(): Outbox {
    if (this.#outbox === undefined) throw new ParleyError('internal_error')
    return this.#outbox
  }

  opened(socket: Socket): void {
    const { core } = this.#host
    this.#outbox = new Outbox(socket, this.caller.session.log, core.settings)
    this.heardAt = this.pingedAt = core.uptime()
    this.#host.add(this)
    try {
      takePlace(core, this.caller)
      this.#hasPlace = true
      this.#host.pin(this.caller.session)
      this.#host.makeRoom(this.caller)
      this.caller.session.attach(this)
      if (!this.#resume(this.caller.cursor)) this.#look()
    } catch (thrown) {
      this.end(toParleyError(thrown))
    }
  }

  received(text: string): void {
    const { core } = this.#host
    this.heardAt = core.uptime()
    if (this.#state === 'closed') return
    if (!fitsUtf8(text, core.settings.frameBytes)) return this.#badFrame(new ParleyError('frame_too_large'), {})
    const decoded = decodeCommand(text)
    if (!decoded.ok) return this.#badFrame(decoded.error, decoded.ref)
    core.telemetry.count('commands_total', 1, decoded.command.type)
    if (decoded.command.type !== 'pong') this.#command(decoded.command)
  }

  receivedBinary(): void {
    this.heardAt = this.#host.core.uptime()
    this.#badFrame(new ParleyError('bad_frame', { message: 'Frames are text' }), {})
  }

  alive(): void {
    this.heardAt = this.#host.core.uptime()
  }

  drained(): void {
    if (this.#state === 'behind') this.#goOn('run')
  }

  closed(code: number): void {
    if (this.#state !== 'closed') this.#leave(code)
  }

  /** Sends one of our frames, in order with everything before it; a drain is told behind the first (P-25). */
  tell(frame: ControlFrame): void {
    if (this.#state === 'opening' && frame.type === 'server.draining') return
    if (this.#state !== 'closed' && !this.outbox.send(encodeControl(frame))) this.slow()
  }

  slow(): void {
    this.end(new ParleyError('slow_consumer'))
  }

  fellBehind(): void {
    this.#state = 'behind'
    this.outbox.fallBehind(this.caller.session.log.head)
  }

  /** Tells the verdict and closes with its code. */
  end(error: ParleyError): void {
    if (this.#state === 'closed') return
    const { socket } = this.outbox
    this.#leave(error.closeCode)
    socket.send(encodeControl(errorFrame(error, {})))
    socket.close(error.closeCode, error.code)
    this.#logFault('connection ended', error)
  }

  #leave(code: number): void {
    this.#state = 'closed'
    this.#host.core.telemetry.count('connections_closed_total', 1, String(code))
    this.caller.session.detach(this)
    this.#host.remove(this)
    if (this.#hasPlace) leavePlace(this.#host.core, this.caller)
  }

  #look(): void {
    const shown = look(this.caller.session, (history) => this.#show(history))
    void shown?.catch((thrown: unknown) => this.end(toParleyError(thrown)))
  }

  /** Says `session.ready`, brings the client to the head and makes it live. The snapshot and the position it stands for belong together. */
  #show(history: History): void {
    if (this.#state === 'closed') return
    const { session } = this.caller
    const run = session.active
    run?.flush()
    const page = history.page(run?.snapshotRows(), session.untold)
    const isNew = !session.stored && page.messages.length === 0
    this.outbox.socket.together(() => {
      this.tell(readyFrame(this.caller, this.#host.core.settings, session.log.head, isNew ? 'new' : 'snapshot'))
      this.tell({ type: 'session.snapshot', ...page })
    })
    this.#begin(run?.opening() ?? [])
  }

  /** P-29: what is open in the run that is on, then what follows. Live at once where the socket takes all of it. */
  #begin(opening: readonly Event[]): void {
    if (this.#state === 'closed') return
    this.outbox.open(openingFrames(opening), this.caller.session.log.head)
    const result = this.outbox.pump()
    if (result === 'caught-up') return this.#join()
    this.#state = 'behind'
    if (result === 'more') this.#goOn('add')
  }

  /** The tail after the cursor, when the log still has it. */
  #resume(cursor: Cursor | undefined): boolean {
    const { session } = this.caller
    session.active?.flush()
    if (cursor === undefined || session.log.read(cursor, 0).kind === 'gap') return false
    this.tell(readyFrame(this.caller, this.#host.core.settings, cursor, 'tail'))
    if (this.#state === 'closed') return true
    this.#state = 'behind'
    this.outbox.fallBehind(cursor)
    this.#goOn('run')
    return true
  }

  /** Catches up by its share, as far as the socket takes it; at the head it is told how things stand now. */
  #pump(): void {
    const result = this.outbox.pump()
    if (result === 'gap') this.slow()
    if (result === 'more') this.#goOn('add')
    if (result !== 'caught-up') return
    const { session, app } = this.caller
    this.tell(updatedFrame(session, app))
    this.tell(session.statusFrame())
    this.#join()
  }

  /** Many sockets drain at once: each has its turn. */
  #goOn(how: 'add' | 'run'): void {
    this.#state = 'next'
    this.#host.core.turns[how](() => {
      if (this.#state !== 'next') return
      this.#state = 'behind'
      this.#pump()
    })
  }

  #join(): void {
    if (this.#state === 'closed') return
    this.#state = 'live'
    this.caller.session.audience.join(this, this.caller.session.watchers)
  }

  #command(command: Command): void {
    const ref = refOf(command)
    if (this.#state === 'opening')
      return this.#refuse(new ParleyError('bad_frame', { message: 'Wait for session.ready' }), ref)
    const wait = this.#frameLimits().take()
    if (wait > 0 || this.#pending >= MAX_PENDING_COMMANDS) {
      const error = new ParleyError('rate_limit_exceeded', { retryAfterMs: Math.max(wait, MS_PER_SECOND) })
      return this.#frameLimits().flooding ? this.end(error) : this.#refuse(error, ref)
    }
    this.#pending++
    void this.#answer(command, ref)
  }

  async #answer(command: Command, ref: FrameRef): Promise<void> {
    try {
      const outcome = await dispatch(this.#host.core, this.caller, command)
      this.tell({ type: 'ack', ...(command.id === undefined ? {} : { ref: command.id }), ...outcome.ack })
      outcome.after?.()
    } catch (thrown) {
      this.#refuse(toParleyError(thrown), ref)
    } finally {
      this.#pending--
      void tellStanding(this.#host.core, this, command.type)
    }
  }

  #refuse(error: ParleyError, ref: FrameRef): void {
    this.#host.core.telemetry.count('errors_total', 1, error.code)
    this.#logFault('command failed', error)
    this.tell(errorFrame(error, ref))
  }

  #logFault(event: string, { code, cause }: ParleyError): void {
    if (code !== 'internal_error') return
    this.#host.core.telemetry.log('error', event, { session: sessionTag(this.caller.session.id) }, cause)
  }

  #frameLimits(): FrameLimits {
    this.#limits ??= new FrameLimits(this.#host.core)
    return this.#limits
  }

  #badFrame(error: ParleyError, ref: FrameRef): void {
    if (this.#frameLimits().bad()) this.end(error)
    else this.#refuse(error, ref)
  }
}
