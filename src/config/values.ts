import { inspect } from 'node:util'
import ipaddr from 'ipaddr.js'
import * as v from 'valibot'

const MASK = '[secret]'
const MAX_PORT = 65_535

/** A value that no print, log line or JSON shows; `reveal` is for the one place that needs it. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return MASK
  }

  toJSON(): string {
    return MASK
  }

  [inspect.custom](): string {
    return MASK
  }
}

/** How one kind of variable is read. `allowed` completes the sentence "allowed: …". */
export type Kind<T> = {
  readonly schema: v.GenericSchema<string, T>
  readonly allowed: string
  /** The value must not be repeated in a fault. */
  readonly secret?: boolean
}

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const

function readUnits(units: Readonly<Record<string, number>>): (text: string) => number {
  return (text) => {
    const [, digits, unit] = /^(\d{1,9}(?:\.\d{1,3})?)\s?([A-Za-z]{1,3})$/.exec(text.trim()) ?? []
    return digits === undefined || unit === undefined ? Number.NaN : Number(digits) * (units[unit] ?? Number.NaN)
  }
}

/** `500ms`, `25s`, `10m`, `12h`, `90d` -> milliseconds; NaN when it is none of them. */
export const parseDuration = readUnits(MS)
/** `512B`, `64KiB`, `1MiB` -> bytes; NaN when it is none of them. */
const parseSize = readUnits(BYTES)

function within(read: (text: string) => number, min: number, max: number): v.GenericSchema<string, number> {
  return v.pipe(
    v.string(),
    v.transform(read),
    v.check((value) => Number.isInteger(value) && value >= min && value <= max),
  )
}

export function count(min: number, max: number): Kind<number> {
  const read = (text: string) => (/^\d{1,15}$/.test(text.trim()) ? Number(text) : Number.NaN)
  return { schema: within(read, min, max), allowed: `${min} to ${max}` }
}

export function duration(min: string, max: string): Kind<number> {
  const schema = within(parseDuration, parseDuration(min), parseDuration(max))
  return { schema, allowed: `${min} to ${max}, with its unit` }
}

export function size(min: string, max: string): Kind<number> {
  const schema = within(parseSize, parseSize(min), parseSize(max))
  return { schema, allowed: `${min} to ${max}, with its unit` }
}

export function choice<const O extends readonly [string, ...string[]]>(...options: O): Kind<O[number]> {
  return { schema: v.pipe(v.string(), v.trim(), v.picklist(options)), allowed: options.join(', ') }
}

export const SWITCH: Kind<boolean> = {
  schema: v.pipe(
    v.string(),
    v.trim(),
    v.picklist(['on', 'off']),
    v.transform((word) => word === 'on'),
  ),

  allowed: 'on, off',
}

export function text(pattern: RegExp, allowed: string): Kind<string> {
  return { schema: v.pipe(v.string(), v.trim(), v.regex(pattern)), allowed }
}

export function list(test: (item: string) => boolean, allowed: string): Kind<readonly string[]> {
  const schema = v.pipe(
    v.string(),
    v.transform((line): readonly string[] =>
      line
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    ),
    v.check((items) => items.every(test)),
  )
  return { schema, allowed: `${allowed}, separated by commas` }
}

export function secret(test: (value: string) => boolean, allowed: string): Kind<Secret> {
  const schema = v.pipe(
    v.string(),
    v.trim(),
    v.check(test),
    v.transform((value) => new Secret(value)),
  )
  return { schema, allowed, secret: true }
}

/** True for a URL with one of these schemes (each with its colon). */
export function isUrl(value: string, ...schemes: readonly string[]): boolean {
  return URL.canParse(value) && schemes.includes(new URL(value).protocol)
}

/** True for `*` and for an exact web origin: scheme, host and, when it is not the usual one, port. */
export function isOriginEntry(value: string): boolean {
  if (value === '*') return true
  return !value.includes('*') && isUrl(value, 'http:', 'https:') && new URL(value).origin === value.toLowerCase()
}

/** True for an IP address or a network in CIDR form. */
export function isNetwork(value: string): boolean {
  return ipaddr.isValid(value) || ipaddr.isValidCIDR(value)
}

/** True for a host name or address (IPv6 in brackets) as addresses have it, with or without a port. */
export function isHostEntry(value: string): boolean {
  const [, host, port = '0'] = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/.exec(value) ?? []
  if (host === undefined || Number(port) > MAX_PORT || !URL.canParse(`http://${host}`)) return false
  return new URL(`http://${host}`).hostname === host
}
