import { ERRORS } from '../protocol/errors.ts'

/** A frame above the readable limit. */
export const FRAME_TOO_LARGE = ERRORS.frame_too_large.close
/** A frame for a group did not fit a member's buffer: it would miss it, so it has to come back with its cursor (I6). */
export const SLOW_CONSUMER = ERRORS.slow_consumer.close
export const SLOW_REASON = 'slow_consumer'
export const TOO_LARGE_REASON = 'frame_too_large'
/** The socket ended without a close frame (RFC 6455 7.1.5). */
export const ABNORMAL = 1006
/** The peer's close frame had no code. */
export const NO_STATUS = 1005
/**
 * Milliseconds that a closing socket is given: what waits for it has to leave first, then the peer has to answer. A phone on
 * a bad line takes in the outbox's 1 MiB in this time at 1.7 Mbit/s; whoever is slower finds its place again by cursor.
 */
export const CLOSE_TIMEOUT_MS = 5000
