import { truncateUtf8 } from '../protocol/text.ts'

/** Bytes of a close frame's reason (RFC 6455 5.5): 125 less the code. */
const MAX_REASON_BYTES = 123
const FIN_TEXT = 0x81
const FIN_PING = 0x89
const MAX_SHORT = 125
const MAX_MEDIUM = 0xffff
const MEDIUM = 126
const LONG = 127
const SHORT_HEADER = 2
const MEDIUM_HEADER = 4
const LONG_HEADER = 10
/** Bytes by which the low half of a 64 bit length is behind the frame's start. */
const LONG_LOW_HALF = 6

/** An empty ping. Never written to. */
export const PING_FRAME = Buffer.from([FIN_PING, 0])

/** A whole unmasked text frame in one buffer: one write for it, and the same buffer for every member of a group. */
export function textFrame(text: string): Buffer {
  const size = Buffer.byteLength(text)
  const header = size <= MAX_SHORT ? SHORT_HEADER : size <= MAX_MEDIUM ? MEDIUM_HEADER : LONG_HEADER
  const frame = Buffer.allocUnsafe(header + size)
  frame[0] = FIN_TEXT
  frame[1] = size <= MAX_SHORT ? size : size <= MAX_MEDIUM ? MEDIUM : LONG
  if (header === MEDIUM_HEADER) frame.writeUInt16BE(size, SHORT_HEADER)
  if (header === LONG_HEADER) {
    // No frame of ours needs the high half.
    frame.writeUInt32BE(0, SHORT_HEADER)
    frame.writeUInt32BE(size, LONG_LOW_HALF)
  }
  frame.write(text, header)
  return frame
}

/** `reason` as a close frame can carry it. */
export function closeReason(reason: string): string {
  return truncateUtf8(reason, MAX_REASON_BYTES)
}
