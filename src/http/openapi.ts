import { toJsonSchema } from '@valibot/to-json-schema'
import { Hono } from 'hono'
import * as v from 'valibot'
import { ADMIN_ROUTES } from './admin/table.ts'
import { SCHEMA_ROUTES } from './app-schema.ts'
import { AUTH_ROUTES } from './auth-test.ts'
import { EXPORT_ROUTES } from './export.ts'
import { API_HEADERS, type HttpEnv } from './responses.ts'
import { type Answer, type Fields, type RouteSpec, serve } from './route.ts'
import { SESSION_ROUTES } from './sessions.ts'
import { TICKET_ROUTES } from './tickets.ts'
import { USER_ROUTES } from './users.ts'
import { WholeResponse } from './whole-response.ts'

const OPENAPI_ROUTES = {
  openApi: {
    id: 'openApi',
    method: 'GET',
    path: '/v1/openapi.json',
    summary: 'This document',
    needs: 'none',
    answers: { 200: { about: 'OpenAPI 3.1', schema: v.looseObject({ openapi: v.string() }) } },
  },
} as const satisfies Readonly<Record<string, RouteSpec>>

/** Says what `/v1` serves. `administered`: `/v1/admin`, too. */
export function openApiRoutes(administered: boolean): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>()
  let text: string | undefined
  const handle = (): Response => {
    text ??= JSON.stringify(describe(administered))
    return new WholeResponse(text, { headers: { ...API_HEADERS, 'content-type': 'application/json' } })
  }
  serve(routes, [{ spec: OPENAPI_ROUTES.openApi, handle }])
  return routes
}

const ErrorBody = v.strictObject({
  error: v.strictObject({
    code: v.string(),
    message: v.string(),
    /** Seconds. */
    retry_after: v.optional(v.number()),
  }),
})

const ABOUT = 'Conversations with LLM assistants. The WebSocket and the meaning of error codes: src/protocol/README.md.'
const SECURITY = [{ key: [] }, { bearer: [] }]

function describe(administered: boolean): object {
  const sessions = { ...SESSION_ROUTES, ...EXPORT_ROUTES, ...USER_ROUTES }
  const common: readonly RouteSpec[] = Object.values({
    ...SCHEMA_ROUTES,
    ...AUTH_ROUTES,
    ...sessions,
    ...TICKET_ROUTES,
  })
  const administration: readonly RouteSpec[] = administered ? Object.values(ADMIN_ROUTES) : []
  const paths: Record<string, Record<string, object>> = {}
  for (const spec of [...common, ...Object.values(OPENAPI_ROUTES), ...administration])
    paths[spec.path] = { ...paths[spec.path], [spec.method.toLowerCase()]: operation(spec) }
  return {
    openapi: '3.1.1',
    info: { title: 'Parley', version: '1', description: ABOUT },
    paths,
    components: {
      securitySchemes: {
        key: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        bearer: { type: 'http', scheme: 'bearer' },
      },
      schemas: { Error: toSchema(ErrorBody, 'output') },
    },
  }
}

function operation(spec: RouteSpec): object {
  const answers = Object.entries(spec.answers).map(([status, answer]) => [status, response(answer)])
  const { body, needs } = spec
  return {
    operationId: spec.id,
    summary: spec.summary,
    ...(typeof needs === 'string' ? {} : { description: `Needs a key with the scope ${needs.join(' or ')}.` }),
    security: needs === 'none' ? [] : SECURITY,
    parameters: [...parameters('path', spec.params), ...parameters('query', spec.query)],
    ...(body === undefined ? {} : { requestBody: { required: true, content: jsonContent(toSchema(body, 'input')) } }),
    responses: {
      ...Object.fromEntries(answers),
      default: {
        description: 'A refusal',
        content: jsonContent({ $ref: '#/components/schemas/Error' }),
      },
    },
  }
}

function response({ about, schema, type }: Answer): object {
  if (schema !== undefined) return { description: about, content: jsonContent(toSchema(schema, 'output')) }
  return { description: about, ...(type === undefined ? {} : { content: { [type]: { schema: { type: 'string' } } } }) }
}

function parameters(place: 'path' | 'query', fields: Fields | undefined): object[] {
  return Object.entries(fields?.entries ?? {}).map(([name, field]) => {
    return { name, in: place, required: field.type !== 'optional', schema: toSchema(field, 'input') }
  })
}

function jsonContent(schema: object): object {
  return { 'application/json': { schema } }
}

/** What only code can check is left out: the server is stricter than its document, never the other way round. */
function toSchema(schema: v.GenericSchema, typeMode: 'input' | 'output'): object {
  const { $schema: _, ...rest } = toJsonSchema(schema, { target: 'draft-2020-12', typeMode, errorMode: 'ignore' })
  return rest
}
