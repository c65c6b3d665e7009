import { describe } from 'vitest'
import { type MakeTransport, useRig } from '../transports/rig.ts'
import { backpressure } from '../transports/sections/backpressure.ts'
import { closing } from '../transports/sections/closing.ts'
import { type FrameTraits, frames } from '../transports/sections/frames.ts'
import { groups } from '../transports/sections/groups.ts'
import { handshakes } from '../transports/sections/handshake.ts'
import { httpFraming } from '../transports/sections/http-framing.ts'
import { httpRequests } from '../transports/sections/http-requests.ts'
import { httpResponses } from '../transports/sections/http-responses.ts'
import { type ListenTraits, listening } from '../transports/sections/listening.ts'

export type TransportTraits = FrameTraits & ListenTraits

/** What every implementation of the Transport port has to do. `traits`: the few things that are the library's to decide. */
export function describeTransport(name: string, make: MakeTransport, traits: TransportTraits): void {
  describe(`transport ${name}`, () => {
    const rig = useRig(make)
    handshakes(rig)
    frames(rig, traits)
    backpressure(rig)
    groups(rig)
    closing(rig)
    httpRequests(rig)
    httpFraming(rig)
    httpResponses(rig)
    listening(rig, traits)
  })
}
