import { Hono } from 'hono'
import { API_HEADERS, type HttpEnv } from './responses.ts'
import { type RouteSpec, serve } from './route.ts'
import { WholeResponse } from './whole-response.ts'

export type AppSchemaParts = {
  /** The JSON Schema of an App's definition. */
  readonly appSchema: () => object
}

const TYPE = 'application/schema+json'
/** Five minutes: an editor asks at each file, and a new release still shows soon. */
const CACHE = 'public, max-age=300'

export const SCHEMA_ROUTES = {
  appSchema: {
    id: 'appSchema',
    method: 'GET',
    path: '/v1/app.schema.json',
    summary: 'The JSON Schema of an App’s definition, for editors',
    needs: 'none',
    answers: { 200: { about: 'The schema', type: TYPE } },
  },
} as const satisfies Readonly<Record<string, RouteSpec>>

/** For editors, which have no key: it says nothing of any App. */
export function appSchemaRoutes({ appSchema }: AppSchemaParts): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>()
  const headers = { ...API_HEADERS, 'cache-control': CACHE, 'content-type': `${TYPE}; charset=utf-8` }
  const handle = (): Response => new WholeResponse(JSON.stringify(appSchema()), { headers })
  serve(routes, [{ spec: SCHEMA_ROUTES.appSchema, handle }])
  return routes
}
