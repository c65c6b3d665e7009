import { sessionTag } from '../../ports/telemetry.ts'
import type { Socket, SocketHandler } from '../../ports/transport.ts'
import { type AliasQuery, decodeAlias, encodeAliasError, FROM_START } from '../../protocol/aliases.ts'
import { ERRORS, ParleyError, toParleyError } from '../../protocol/errors.ts'
import { parseCursor } from '../../protocol/ids.ts'
import type { Attached, ConnectionHost } from '../connection/attached.ts'
import type { Caller } from '../connection/caller.ts'
import { FrameLimits } from '../connection/frame-limits.ts'
import { Outbox } from '../connection/outbox.ts'
import { leavePlace, takePlace } from '../connection/take-place.ts'
import { AliasFrames } from './alias-frames.ts'
import { endOfGone, findRun, isOnElsewhere, placeIn, tellRun } from './catch-up.ts'
import { RunFilter } from './run-filter.ts'

/** Frames of one connection that wait to be handled; above it the client is flooding. */
const MAX_PENDING_FRAMES = 64
/** A resumed run was told to its end (RFC 6455: normal closure); any other code is a drop to this wire's client. */
const DONE = 1000
const NO_SUCH_RUN = ERRORS.session_not_found.close

/**
 * A peer that speaks TanStack AI's wire. It never joins the audience: it always reads the log, of which it gets the runs that
 * it started or asked for and nothing else (P-106). A conversation lives as long as its client; a resumption ends with its run.
 */
export class AliasConnection implements SocketHandler, Attached {
  readonly caller: Caller
  readonly #host: ConnectionHost
  readonly #query: AliasQuery
  readonly #limits: FrameLimits
  #outbox: Outbox | undefined
  #state: 'opening' | 'live' | 'closed' = 'opening'
  #hasPlace = false
  heardAt = 0
  pingedAt = 0
  askedAt = 0
  #pending = 0
  readonly #filter = new RunFilter()
  readonly #frames: AliasFrames

  constructor(host: ConnectionHost, caller: Caller, query: AliasQuery) {
    this.#host = host
    this.caller = caller
    this.#query = query
    this.#frames = new AliasFrames(host.core, caller, this.#filter.wanted, (runId) => this.#catchUp(runId, false))
    this.#limits = new FrameLimits(host.core)
  }

  get outbox(): Outbox {
    if (this.#outbox === undefined) throw new ParleyError('internal_error')
    return this.#outbox
  }

  opened(socket: Socket): void {
    const { core } = this.#host
    const { session } = this.caller
    this.#outbox = new Outbox(socket, session.log, core.settings, (epoch, entry) => this.#filter.encode(epoch, entry))
    this.heardAt = this.pingedAt = core.uptime()
    this.#host.add(this)
    try {
      takePlace(core, this.caller)
      this.#hasPlace = true
      this.#host.pin(session)
      this.#host.makeRoom(this.caller)
      session.attach(this)
    } catch (thrown) {
      return this.end(toParleyError(thrown))
    }
    if (this.#query.offset === undefined) this.#fromHead()
    else void this.#resume(this.#query.runId, this.#query.offset).catch((thrown) => this.end(toParleyError(thrown)))
  }

  received(text: string): void {
    const { core } = this.#host
    this.heardAt = core.uptime()
    if (this.#state === 'closed') return
    // A frame holds the whole conversation, so it may be longer than a command and counts for as many as it is long (P-103).
    const wait = this.#limits.take(Math.ceil(text.length / core.settings.frameBytes))
    if (this.#limits.flooding) return this.end(new ParleyError('rate_limit_exceeded'))
    const decoded = decodeAlias(text)
    if (!decoded.ok) return this.#badFrame(decoded.error, decoded.runId)
    const { frame } = decoded
    if (wait > 0 || this.#pending >= MAX_PENDING_FRAMES)
      return this.#refuse(new ParleyError('rate_limit_exceeded'), frame.runId)
    core.telemetry.count('commands_total', 1, frame.kind)
    this.#pending++
    void this.#frames
      .handle(frame, this.#query.offset !== undefined)
      .then(() => this.moved())
      .catch((thrown: unknown) => this.#refuse(toParleyError(thrown), frame.runId))
      .finally(() => this.#pending--)
  }

  receivedBinary(): void {
    this.heardAt = this.#host.core.uptime()
    this.#badFrame(new ParleyError('bad_frame', { message: 'Frames are text' }), undefined)
  }

  alive(): void {
    this.heardAt = this.#host.core.uptime()
  }

  drained(): void {
    this.moved()
  }

  closed(code: number): void {
    if (this.#state === 'closed') return
    this.#leave()
    this.#host.core.telemetry.count('connections_closed_total', 1, String(code))
  }

  /** This wire has no control frames. */
  tell(): void {}

  slow(): void {
    this.end(new ParleyError('slow_consumer'))
  }

  fellBehind(): void {}

  /** Another process has the run, or had one: its client comes back with its offset. */
  replaced(): void {
    this.end(new ParleyError('overloaded'))
  }

  taken(runIds: ReadonlySet<string>): void {
    if ([...this.#filter.wanted].some((runId) => runIds.has(runId))) this.replaced()
  }

  /** What may pass later is only a drop: the client comes back with its offset. Else its runs end here (P-107). */
  end(error: ParleyError): void {
    if (this.#state === 'closed') return
    if (!error.retryable)
      for (const runId of this.#filter.wanted)
        this.outbox.socket.send(encodeAliasError(error.code, runId, error.message))
    this.#close(error.closeCode, error.code)
    if (error.code === 'internal_error') this.#report('connection ended', error)
  }

  /** Reads on in the log, as far as the socket takes it, and ends with what it was opened for. */
  moved(): void {
    if (this.#state !== 'live' || !this.#readOn()) return
    // A send that was taken out of the queue has no events at all.
    for (const runId of this.#filter.wanted) {
      const end = endOfGone(this.caller.session, runId)
      if (end === undefined) continue
      this.#filter.wanted.delete(runId)
      this.#send(end)
    }
    if (this.#query.offset !== undefined && this.#filter.wanted.size === 0) this.#close(DONE, 'done')
  }

  /** True when nothing is left to read. */
  #readOn(): boolean {
    const result = this.outbox.pump()
    if (result === 'gap') this.slow()
    if (result === 'more') this.#host.core.turns.add(() => this.moved())
    if (result === 'caught-up') this.outbox.fallBehind(this.caller.session.log.head)
    return result === 'caught-up'
  }

  /** As `#readOn`, at once: what comes next takes the place of what it reads. */
  #readAll(): boolean {
    let result = this.outbox.pump()
    while (result === 'more') result = this.outbox.pump()
    return result === 'caught-up'
  }

  #live(): void {
    if (this.#state === 'closed') return
    this.#state = 'live'
    this.moved()
  }

  #fromHead(): void {
    const { session } = this.caller
    session.active?.flush()
    this.#filter.inside = session.active?.runId
    this.outbox.fallBehind(session.log.head)
    this.#live()
  }

  /** P-105: what follows the offset, where the log still has it, else all that there is of the run. */
  async #resume(runId: string, offset: string): Promise<void> {
    const { session } = this.caller
    const cursor = offset === FROM_START ? undefined : parseCursor(offset)
    session.active?.flush()
    const place = cursor === undefined ? 'lost' : placeIn(session, runId, cursor)
    if (cursor === undefined || place === 'lost') return this.#catchUp(runId, offset !== FROM_START)
    this.#filter.wanted.add(runId)
    this.#filter.inside = place === 'inside' ? runId : undefined
    this.outbox.fallBehind(cursor)
    this.#live()
  }

  async #catchUp(runId: string, withHistory: boolean): Promise<void> {
    const { session } = this.caller
    const found = await findRun(session, runId)
    const history = await session.history()
    if (this.#state === 'closed') return
    // No await from here on: what is told and the place in the log that it stands for belong together.
    session.active?.flush()
    if (isOnElsewhere(session, runId, found.row)) return this.replaced()
    if (this.#state === 'live' && !this.#readAll()) return this.slow()
    const told = tellRun(session, runId, found, history, withHistory)
    if (told === undefined) return this.#noSuchRun(runId)
    this.outbox.open(told.frames, session.log.head)
    if (!told.isOver) this.#filter.wanted.add(runId)
    this.#fromHead()
  }

  /** Who asks for the whole of a run that is not there learns it by the close alone: its client then forgets the run. */
  #noSuchRun(runId: string): void {
    if (this.#query.offset !== FROM_START) this.#refuse(new ParleyError('not_found'), runId)
    if (this.#query.offset !== undefined) this.#close(NO_SUCH_RUN, 'not_found')
  }

  #send(frame: string): void {
    if (this.#state !== 'closed' && !this.outbox.send(frame)) this.slow()
  }

  #badFrame(error: ParleyError, runId: string | undefined): void {
    if (this.#limits.bad()) this.end(error)
    else this.#refuse(error, runId)
  }

  #refuse(error: ParleyError, runId: string | undefined): void {
    this.#host.core.telemetry.count('errors_total', 1, error.code)
    if (error.code === 'internal_error') this.#report('command failed', error)
    this.#send(encodeAliasError(error.code, runId, error.message))
  }

  #report(event: string, { cause }: ParleyError): void {
    this.#host.core.telemetry.log('error', event, { session: sessionTag(this.caller.session.id) }, cause)
  }

  #close(code: number, reason: string): void {
    if (this.#state === 'closed') return
    this.#leave()
    this.outbox.socket.close(code, reason)
    this.#host.core.telemetry.count('connections_closed_total', 1, String(code))
  }

  #leave(): void {
    this.#state = 'closed'
    this.caller.session.detach(this)
    this.#host.remove(this)
    if (this.#hasPlace) leavePlace(this.#host.core, this.caller)
  }
}
