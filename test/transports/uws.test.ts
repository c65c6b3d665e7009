import { loadUws } from '../../src/transports/load-uws.ts'
import { createUwsTransport } from '../../src/transports/uws.ts'
import { describeTransport } from '../contracts/transport.ts'
import { describeWith } from '../support/services.ts'

describeWith('uws', 'over uWebSockets.js', () =>
  describeTransport(
    'uws',
    async (handlers, options, telemetry) =>
      createUwsTransport(await loadUws(options.maxHeaderBytes), handlers, options, telemetry),
    // The library ends a socket that breaks the rules without a word.
    { invalidUtf8: 'cut', brokenFrame: 'cut', hugeFrame: 'cut', pipelined: 'cut' },
  ),
)
