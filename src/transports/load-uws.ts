import type * as Library from 'uWebSockets.js'

/** The part of the library that is used. */
export type UwsLibrary = Pick<
  typeof Library,
  'App' | 'SSLApp' | 'DISABLED' | 'us_listen_socket_close' | 'us_socket_local_port'
>

declare module 'uWebSockets.js' {
  interface TemplatedApp {
    /** Taken by the library, missing in its types. */
    listen(
      host: string,
      port: number,
      options: ListenOptions,
      callback: (socket: us_listen_socket | false) => void,
    ): TemplatedApp
  }
}

/** Bytes of request line and headers that the library allows, and what it was loaded with. */
let loaded: { readonly library: Promise<UwsLibrary>; readonly maxHeaderBytes: number } | undefined

/**
 * Loads the binary. The library reads the size of its header buffer once, from the environment, when it is loaded.
 * @throws Error when there is no binary for this version of Node and this machine, or the optional package was left out
 */
export function loadUws(maxHeaderBytes: number): Promise<UwsLibrary> {
  if (loaded === undefined) {
    process.env['UWS_HTTP_MAX_HEADERS_SIZE'] = String(maxHeaderBytes)
    loaded = { library: import('uWebSockets.js'), maxHeaderBytes }
  }
  return loaded.library
}

/** Bytes of headers that the loaded library allows; undefined before. */
export function loadedHeaderBytes(): number | undefined {
  return loaded?.maxHeaderBytes
}
