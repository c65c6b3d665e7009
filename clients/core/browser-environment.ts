import type { Environment, Socket, SocketHandlers } from './environment.ts'

/** The close code of a socket that was never opened, as the platform has it. */
const CLOSED_ABNORMALLY = 1006
const UUID_BYTES = 16
/** Milliseconds, some 24 days. Timers of the platform that are set for longer go off at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** The environment of a page. */
export const browserEnvironment: Environment = {
  now: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, Math.min(ms, MAX_TIMER_MS)),
  clearTimeout: (timer) => {
    if (typeof timer === 'number') clearTimeout(timer)
  },
  random: () => Math.random(),
  randomId: randomUuid,
  online: () => navigator.onLine,
  onNetworkChange(listener) {
    addEventListener('online', listener)
    addEventListener('offline', listener)
    return () => {
      removeEventListener('online', listener)
      removeEventListener('offline', listener)
    }
  },
  onReturn(listener) {
    const onVisible = (): void => {
      if (document.visibilityState === 'visible') listener()
    }
    document.addEventListener('visibilitychange', onVisible)
    addEventListener('focus', listener)
    addEventListener('pageshow', listener)
    return () => {
      document.removeEventListener('visibilitychange', onVisible)
      removeEventListener('focus', listener)
      removeEventListener('pageshow', listener)
    }
  },
  openSocket,
}

/** A version 4 UUID. Also on pages without HTTPS, where `crypto.randomUUID` does not exist. */
export function randomUuid(): string {
  if ('randomUUID' in crypto) return crypto.randomUUID()
  const bytes = new Uint8Array(UUID_BYTES)
  fillRandom(bytes)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

function fillRandom(bytes: Uint8Array<ArrayBuffer>): void {
  crypto.getRandomValues(bytes)
}

function openSocket(url: string, protocols: readonly string[], handlers: SocketHandlers): Socket {
  let socket: WebSocket
  try {
    socket = new WebSocket(url, [...protocols])
  } catch {
    // A url that the platform refuses: told as a socket that closed, after the caller has its hands on it.
    queueMicrotask(() => handlers.onClose(CLOSED_ABNORMALLY))
    return { send: () => undefined, close: () => undefined }
  }
  socket.addEventListener('message', (event: MessageEvent<unknown>) => {
    if (typeof event.data === 'string') handlers.onMessage(event.data)
  })
  socket.addEventListener('close', (event) => handlers.onClose(event.code))
  return {
    send: (text) => socket.send(text),
    close: () => socket.close(),
  }
}
