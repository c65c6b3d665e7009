/** The name of this wire, offered and selected as a WebSocket subprotocol, and told in `session.ready`. A change that an old client cannot read gets a new name. */
export const PROTOCOL_VERSION = 'parley.v1'
