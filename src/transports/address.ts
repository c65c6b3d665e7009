/** Bytes of a v4 address. */
const V4_BYTES = 4
/** The first bytes of a v4 address that came through a v6 socket (RFC 4291 2.5.5.2). */
const V4_MAPPED = '00000000000000000000ffff'
const MAPPED_TEXT = '::ffff:'

/** An address as text: v4-mapped v6 is given as v4, v6 in its short form. */
export function addressText(text: string | undefined): string {
  const address = text ?? ''
  return address.startsWith(MAPPED_TEXT) && address.includes('.') ? address.slice(MAPPED_TEXT.length) : address
}

/** The same for the 4 or 16 bytes in network order that the kernel holds; empty bytes are a peer that has left. */
export function addressFromBytes(bytes: ArrayBuffer): string {
  if (bytes.byteLength === V4_BYTES) {
    const view = new DataView(bytes)
    return `${view.getUint8(0)}.${view.getUint8(1)}.${view.getUint8(2)}.${view.getUint8(3)}`
  }
  const address = Buffer.from(bytes)
  if (address.length === 0) return ''
  const hex = address.toString('hex')
  if (hex.startsWith(V4_MAPPED)) return address.subarray(-V4_BYTES).join('.')
  const groups = hex.match(/.{4}/g) ?? []
  // The URL standard writes a v6 host in its short form (RFC 5952).
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
