import { generateKeyPairSync, sign } from 'node:crypto'

const [INTEGER, BITS, OCTETS, OID, UTF8, TIME, SEQUENCE, SET] = [0x02, 0x03, 0x04, 0x06, 0x0c, 0x18, 0x30, 0x31]
/** Tags of fields of a certificate: its version, its extensions; and in a list of names: a DNS name, an IP address. */
const [VERSION, EXTENSIONS, DNS_NAME, IP_ADDRESS] = [0xa0, 0xa3, 0x82, 0x87]
const [ECDSA_WITH_SHA256, COMMON_NAME, ALT_NAMES] = ['2a8648ce3d040302', '550403', '551d11']

/** One item of DER: tag, length, content. */
function der(tag: number, ...parts: readonly (Buffer | string)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'hex') : part)))
  const size = content.length
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}

function pem(kind: string, body: Buffer): string {
  return `-----BEGIN ${kind}-----\n${body.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END ${kind}-----\n`
}

/**
 * A certificate for localhost and 127.0.0.1 that signs itself, and its key, both in PEM; made anew for each caller. Its times
 * are those of ASN.1: `20200101000000Z`.
 */
export function makeCertificate(
  from = '20200101000000Z',
  to = '21200101000000Z',
): { readonly cert: string; readonly key: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const algorithm = der(SEQUENCE, der(OID, ECDSA_WITH_SHA256))
  const name = der(SEQUENCE, der(SET, der(SEQUENCE, der(OID, COMMON_NAME), der(UTF8, Buffer.from('localhost')))))
  const time = (text: string): Buffer => der(TIME, Buffer.from(text))
  const names = der(SEQUENCE, der(DNS_NAME, Buffer.from('localhost')), der(IP_ADDRESS, '7f000001'))
  const body = der(
    SEQUENCE,
    der(VERSION, der(INTEGER, '02')),
    der(INTEGER, '01'),
    algorithm,
    name,
    der(SEQUENCE, time(from), time(to)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(EXTENSIONS, der(SEQUENCE, der(SEQUENCE, der(OID, ALT_NAMES), der(OCTETS, names)))),
  )
  const mark = der(BITS, '00', sign('sha256', body, privateKey))
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
  return { cert: pem('CERTIFICATE', der(SEQUENCE, body, algorithm, mark)), key: String(key) }
}
