import { describe, expect, it } from 'vitest'
import { addressFromBytes, addressText } from '../../src/transports/address.ts'

const bytes = (hex: string): ArrayBuffer => new Uint8Array(Buffer.from(hex, 'hex')).buffer

describe('an address', () => {
  it.each([
    ['7f000001', '127.0.0.1'],
    ['00000000000000000000ffffc0a80105', '192.168.1.5'],
    ['00000000000000000000000000000001', '::1'],
    ['20010db8000000000000000000000042', '2001:db8::42'],
    ['20010db800010002000300040005ff06', '2001:db8:1:2:3:4:5:ff06'],
    ['', ''],
  ])('of the bytes %s is %s', (hex, text) => {
    expect(addressFromBytes(bytes(hex))).toBe(text)
  })

  it.each([
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['10.0.0.1', '10.0.0.1'],
    ['2001:db8::1', '2001:db8::1'],
    [undefined, ''],
  ])('%s is given as %s', (text, given) => {
    expect(addressText(text)).toBe(given)
  })
})
