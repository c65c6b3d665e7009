import * as v from 'valibot'
import type { Conversation } from '../../ports/conversations.ts'
import { DEFAULT_APP } from '../../protocol/ids.ts'
import { MAX_NAME_LENGTH } from '../../protocol/limits.ts'
import { StorableText } from '../../protocol/messages.ts'
import { readInput, readJson } from '../input.ts'
import { charge } from '../rate-limit.ts'
import { accessRequestOf, type HttpContext, json } from '../responses.ts'
import { admitNamed, admitTo, admitToApp, makeFor, storedSession } from './admit.ts'
import type { Aomi } from './parts.ts'
import { namedApp, namedSessionId, sessionIdOf, showsKey } from './request.ts'

const NOT_IMPLEMENTED = 501
const ModelName = v.pipe(StorableText, v.minLength(1), v.maxLength(MAX_NAME_LENGTH))
const ModelBody = v.object({ model: ModelName })

/** `GET /api/control/apps`: names of the Apps that who asks may use. */
export async function apps(c: HttpContext, aomi: Aomi): Promise<Response> {
  // The newer clients, which read more of an App than its name, have another header.
  const names = await aomi.access.appsOf(accessRequestOf(c))
  return json(c.req.header('aomi-app-key') === undefined ? names : names.map((name) => ({ name })))
}

/** The same as the newer clients ask for it. */
export async function describedApps(c: HttpContext, aomi: Aomi): Promise<Response> {
  const names = await aomi.access.appsOf(accessRequestOf(c))
  return json(names.map((name) => ({ name })))
}

/** `GET /api/control/models`: what `model` may choose, the App's default first. */
export async function models(c: HttpContext, aomi: Aomi): Promise<Response> {
  const known = await storedSession(aomi, namedSessionId(c, true))
  const { app } = await admitNamed(c, aomi, known, 'read')
  return json((await aomi.apps.get(app))?.model.allowed ?? [])
}

/** `POST /api/control/model`: the model of the session from its next run on. */
export async function chooseModel(c: HttpContext, aomi: Aomi): Promise<Response> {
  const id = sessionIdOf(c, true)
  const rig = c.req.query('rig')
  const { model } = readInput(ModelBody, rig === undefined ? await readJson(c) : { model: rig })
  const { conversation, created } = await sessionFor(c, aomi, id)
  // One that was made for it is counted.
  if (!created) await charge(c, aomi.access)
  await conversation.update({ model })
  return json({ success: true, rig: model, baml: model, created })
}

/** What the contract has and this server does not do. */
export function notServed(what: string): (c: HttpContext) => Response {
  return () => answerNotServed(what)
}

export function answerNotServed(what: string): Response {
  const body = { error: `This server does not ${what}`, code: 'not_implemented' }
  return json(body, NOT_IMPLEMENTED)
}

async function sessionFor(
  c: HttpContext,
  aomi: Aomi,
  id: string,
): Promise<{ readonly conversation: Conversation; readonly created: boolean }> {
  const known = await storedSession(aomi, id)
  const app = namedApp(c) ?? known?.owner.app ?? DEFAULT_APP
  if (known !== undefined && !showsKey(c) && app === known.owner.app) {
    await admitTo(c, aomi, known, 'write')
    return { conversation: known, created: false }
  }
  const sender = await admitToApp(c, aomi, app, 'write')
  return { conversation: await makeFor(aomi, id, sender, app), created: known === undefined }
}
