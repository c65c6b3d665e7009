/**
 * Bounds of the wire that clients check before they send. The server's own may be lowered by configuration and are told in
 * `session.ready.limits`; these are the defaults and the hard shapes.
 */

/** Bytes. A command is text a person typed plus a few ids; 64 KiB carries the longest with room for escapes. */
export const MAX_INBOUND_FRAME_BYTES = 64 * 1024
/** Bytes. Up to here a frame that is too big earns an error and the connection lives; above it the socket is cut. */
export const MAX_READABLE_FRAME_BYTES = 1024 * 1024
/** Bytes of UTF-8. About 8,000 words: a long pasted page, and still within one frame when every character is escaped. */
export const MAX_MESSAGE_BYTES = 32 * 1024
/** Levels. Our deepest command has 5; the rest is room for opaque payloads. */
export const MAX_JSON_DEPTH = 32
/** Bytes. No frame to a client exceeds it, so that a phone never parses more than this at once. */
export const MAX_OUTBOUND_FRAME_BYTES = 256 * 1024
/** UTF-16 units. Adjacent deltas are merged up to here: even six bytes for each, as escapes may take, fit a frame. */
export const MAX_DELTA_UNITS = 32 * 1024
/** Messages in one snapshot or history page. */
export const MAX_PAGE_MESSAGES = 100
/** Bytes of a tool result on the wire; the model may be given more. What is cut is marked in the message's metadata. */
export const MAX_WIRE_TOOL_RESULT_BYTES = 16 * 1024
/** Characters of a title. One line in a list of sessions. */
export const MAX_TITLE_LENGTH = 200
/** Characters of a model's or wallet's name. */
export const MAX_NAME_LENGTH = 200
/** Frames a minute. A client that keeps sending bad frames is broken; ten show it. */
export const MAX_BAD_FRAMES_PER_MINUTE = 10
