import { X509Certificate } from 'node:crypto'
import type { Telemetry } from '../ports/telemetry.ts'
import type { TlsFiles } from '../ports/transport.ts'
import { readCertificate } from './certificate.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** Milliseconds before its end in which a certificate should have been renewed: what renews them does so a month ahead. */
const SOON_MS = 14 * DAY_MS
/** Of their whole time, for those that are made for a few days only. */
const SOON_PART = 1 / 4

/** Looks at the dates of the certificate that is served, at the start and each day: clients refuse one that is out of date. */
export class CertificateWatch {
  readonly #from: number
  readonly #to: number
  readonly #telemetry: Telemetry
  readonly #timer: NodeJS.Timeout

  /** @throws Error as `readCertificate` */
  constructor(files: TlsFiles, telemetry: Telemetry) {
    const { validFrom, validTo } = new X509Certificate(readCertificate(files).cert)
    this.#from = Date.parse(validFrom)
    this.#to = Date.parse(validTo)
    this.#telemetry = telemetry
    telemetry.gauge('certificate_expires_timestamp_seconds', () => this.#to / 1000)
    this.#tell()
    this.#timer = setInterval(() => this.#tell(), DAY_MS).unref()
  }

  /** What is amiss with it now, in words; undefined when nothing is. */
  get fault(): string | undefined {
    const now = Date.now()
    if (now >= this.#to) return 'expired'
    if (now < this.#from) return 'not yet valid'
    return this.#to - now < Math.min(SOON_MS, (this.#to - this.#from) * SOON_PART) ? 'expires soon' : undefined
  }

  /** For whoever starts the server. */
  get lines(): string[] {
    const { fault } = this
    return fault === undefined
      ? []
      : [`  note       the certificate: ${fault} (valid ${day(this.#from)} to ${day(this.#to)})`]
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #tell(): void {
    const { fault } = this
    if (fault === undefined) return
    const fields = { from: new Date(this.#from).toISOString(), to: new Date(this.#to).toISOString() }
    this.#telemetry.log('warn', `certificate ${fault}`, fields)
  }
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 'yyyy-mm-dd'.length)
}
