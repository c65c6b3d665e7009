import { Hono } from 'hono'
import type * as v from 'valibot'
import type { KeyWish } from '../../ports/admin.ts'
import { ParleyError } from '../../protocol/errors.ts'
import type { ExportDesk } from '../export-desk.ts'
import { readInput, readJson, readParameters } from '../input.ts'
import { done, type HttpContext, type HttpEnv, json } from '../responses.ts'
import { type Served, serve } from '../route.ts'
import { type AdministrationParts, withActor } from './enter.ts'
import { accountJson, actJson, appJson, keyJson, nextOf, time } from './json.ts'
import type { KeyBody } from './schemas.ts'
import { conversationRoutes } from './session-routes.ts'
import { ADMIN_ROUTES as ROWS } from './table.ts'

/** Bytes of an App's definition: the longest preamble and dozens of tools with large schemas. */
const MAX_DEFINITION = 1_048_576
/** Bytes of the description of a key: a hundred of everything. */
const MAX_KEY = 131_072
const CREATED = 201
const MS_PER_SECOND = 1000

/** Administration over HTTP: what the command line does, by a key of the account or of the operator. */
export function adminRoutes(parts: AdministrationParts, desk: ExportDesk): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>()
  const conversations = conversationRoutes(parts, desk)
  serve(routes, [...accountRoutes(parts), ...appRoutes(parts), ...keyRoutes(parts), ...conversations])
  return routes
}

function accountRoutes(parts: AdministrationParts): Served[] {
  return [
    withActor(parts, ROWS.listAccounts, async (c, actor, { admin }) => {
      const page = readParameters(ROWS.listAccounts.query, c.req.query())
      const rows = await admin.accounts(actor, page)
      return json({ accounts: rows.map(accountJson), ...nextOf(rows, page) })
    }),
    withActor(parts, ROWS.showAccount, async (c, actor, { admin }) => {
      const { account } = readParameters(ROWS.showAccount.params, c.req.param())
      return json(accountJson(await admin.account(actor, account)))
    }),
    withActor(parts, ROWS.setPlan, async (c, actor, { admin }) => {
      const { account } = readParameters(ROWS.setPlan.params, c.req.param())
      const { plan } = readInput(ROWS.setPlan.body, await readJson(c))
      await admin.setPlan(actor, account, plan)
      return json(accountJson(await admin.account(actor, account)))
    }),
    withActor(parts, ROWS.listActs, async (c, actor, { admin }) => {
      const page = readParameters(ROWS.listActs.query, c.req.query())
      const rows = await admin.acts(actor, page)
      return json({ acts: rows.map(actJson), ...nextOf(rows, page) })
    }),
  ]
}

function appRoutes(parts: AdministrationParts): Served[] {
  return [
    withActor(parts, ROWS.listApps, async (c, actor, { admin }) => {
      const page = readParameters(ROWS.listApps.query, c.req.query())
      const rows = await admin.apps(actor, page)
      return json({ apps: rows.map(appJson), ...nextOf(rows, page) })
    }),
    withActor(parts, ROWS.showApp, async (c, actor, { admin }) => {
      const app = await admin.app(actor, readParameters(ROWS.showApp.params, c.req.param()).app)
      return json({ ...appJson(app), definition: app.definition })
    }),
    withActor(parts, ROWS.putApp, async (c, actor, { admin }) => {
      const id = readParameters(ROWS.putApp.params, c.req.param()).app
      const { account } = readParameters(ROWS.putApp.query, c.req.query())
      const definition = readInput(ROWS.putApp.body, await readJson(c, MAX_DEFINITION))
      if (definition.id !== id) throw new ParleyError('bad_request', { message: 'id: must be the one in the path' })
      const app = await admin.putApp(actor, definition, account)
      return json({ ...appJson(app), definition: app.definition })
    }),
    withActor(parts, ROWS.deleteApp, async (c, actor, { admin }) => {
      await admin.deleteApp(actor, readParameters(ROWS.deleteApp.params, c.req.param()).app)
      return done()
    }),
  ]
}

function keyRoutes(parts: AdministrationParts): Served[] {
  return [
    withActor(parts, ROWS.listKeys, async (c, actor, { admin }) => {
      const page = readParameters(ROWS.listKeys.query, c.req.query())
      const rows = await admin.keys(actor, page)
      return json({ keys: rows.map(keyJson), ...nextOf(rows, page) })
    }),
    withActor(parts, ROWS.createKey, async (c, actor, { admin }) => {
      const wish = readInput(ROWS.createKey.body, await readJson(c, MAX_KEY))
      const { key, facts } = await admin.createKey(actor, toWish(wish))
      return json({ secret: key, key: keyJson(facts) }, CREATED)
    }),
    withActor(parts, ROWS.rotateKey, async (c, actor, { admin }) => {
      const id = readKeyId(c)
      const { overlapSeconds, expiresInSeconds } = readInput(ROWS.rotateKey.body, await readJson(c))
      const rotation = { overlap: overlapSeconds * MS_PER_SECOND, ...lifetimeOf(expiresInSeconds) }
      const { key, facts, oldUntil } = await admin.rotateKey(actor, id, rotation)
      return json({ secret: key, key: keyJson(facts), oldUntil: time(oldUntil) }, CREATED)
    }),
    withActor(parts, ROWS.revokeKey, async (c, actor, { admin }) => {
      await admin.revokeKey(actor, readKeyId(c))
      return done()
    }),
  ]
}

/** An id: a whole key does not belong into an address, which is logged. */
function readKeyId(c: HttpContext): string {
  return readParameters(ROWS.revokeKey.params, c.req.param()).key
}

function toWish({ expiresInSeconds, ...wish }: v.InferOutput<typeof KeyBody>): KeyWish {
  return { ...wish, ...lifetimeOf(expiresInSeconds) }
}

function lifetimeOf(seconds: number | undefined): { readonly lifetime?: number } {
  return seconds === undefined ? {} : { lifetime: seconds * MS_PER_SECOND }
}
