import { Hono } from 'hono'
import { API_HEADERS, type HttpEnv, refuseMethod } from './responses.ts'

export type AppSchemaParts = {
  /** The JSON Schema of an App's definition. */
  readonly appSchema: () => object
}

const PATH = '/v1/app.schema.json'
/** Five minutes: an editor asks at each file, and a new release still shows soon. */
const CACHE = 'public, max-age=300'

/** For editors, which have no key: it says nothing of any App. */
export function appSchemaRoutes({ appSchema }: AppSchemaParts): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>()
  const headers = { ...API_HEADERS, 'cache-control': CACHE, 'content-type': 'application/schema+json; charset=utf-8' }
  routes.get(PATH, () => new Response(JSON.stringify(appSchema()), { headers }))
  routes.all(PATH, refuseMethod('GET, HEAD'))
  return routes
}
