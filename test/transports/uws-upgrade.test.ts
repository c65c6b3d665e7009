import type { TemplatedApp } from 'uWebSockets.js'
import { expect, it } from 'vitest'
import { loadUws, type UwsLibrary } from '../../src/transports/load-uws.ts'
import { createUwsTransport } from '../../src/transports/uws.ts'
import { describeWith } from '../support/services.ts'
import { useRig } from './rig.ts'

/** What the library calls from an upgrade until the end of its cork. */
const called: unknown[] = []

/** The library itself, noting those. */
function listening(library: UwsLibrary): UwsLibrary {
  const watched = (app: TemplatedApp): TemplatedApp => {
    const ws = app.ws.bind(app)
    app.ws = (pattern, behavior) => {
      called.push(behavior.open)
      return ws(pattern, {
        ...behavior,
        upgrade: (res, req, context) => {
          const cork = res.cork.bind(res)
          res.cork = (work) => {
            called.push(work)
            return cork(work)
          }
          return behavior.upgrade?.(res, req, context)
        },
      })
    }
    return app
  }
  return { ...library, App: (...options) => watched(library.App(...options)) }
}

describeWith('uws', 'an upgrade on uws', () => {
  const rig = useRig(async (handlers, options, telemetry) =>
    createUwsTransport(listening(await loadUws(options.maxHeaderBytes)), handlers, options, telemetry),
  )

  it('runs no code of ours until its cork has ended', async () => {
    await rig().open()
    expect(called).toHaveLength(2)
    expect(called.map(String)).toEqual(called.map(() => expect.stringContaining('[native code]')))
  })
})
