import { randomUUID } from 'node:crypto'
import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { routesOf } from '../../src/http/app.ts'
import { openGate } from '../access/fakes.ts'
import { answered } from '../contracts/store-rows.ts'
import { SOON } from '../contracts/store-subject.ts'
import { AdminRig, definition } from './admin/rig.ts'
import { NO_ADMINISTRATION } from './fake-administration.ts'

const Document = v.looseObject({
  openapi: v.string(),
  paths: v.record(
    v.string(),
    v.record(
      v.string(),
      v.looseObject({ operationId: v.string(), responses: v.record(v.string(), v.looseObject({})) }),
    ),
  ),
})
type Document = v.InferOutput<typeof Document>

const operationsOf = ({ paths }: Document) =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
  )

let rig: AdminRig
let document: Document
beforeAll(async () => {
  rig = await AdminRig.open()
  const answer = await fetch(`http://127.0.0.1:${rig.server.port}/v1/openapi.json`)
  document = v.parse(Document, await answer.json())
})
afterAll(() => rig.close())

/** Routes below `/v1` that the code has, as `GET /v1/sessions/{id}`. */
function served(): string[] {
  const { access, telemetry } = openGate()
  const { routes } = routesOf({
    metricsPublic: false,
    requireHttps: false,
    isKnownHost: () => true,
    ready: async () => [],
    metricsText: async () => '',
    sessions: {
      list: async () => [],
      rename: async () => {},
      delete: async () => {},
      deleteEmpty: async () => {},
      deleteUser: async () => ({ deleted: 0, complete: true }),
    },
    exports: { exportSessions: async function* () {} },
    access,
    telemetry,
    administration: NO_ADMINISTRATION,
    appSchema: () => ({}),
    assets: '/nonexistent',
  })
  const own = routes.filter(({ method, path }) => method !== 'ALL' && path.startsWith('/v1/'))
  return own.map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
}

describe('GET /v1/openapi.json', () => {
  it('has every route below /v1 that is served, and no other', () => {
    const names = operationsOf(document).map(({ name }) => name)
    expect(names.toSorted()).toEqual(served().toSorted())
    expect(names.length).toBeGreaterThan(20)
  })

  it('is OpenAPI 3.1, with ids of operations that are used once', async () => {
    const validator = new Validator()
    const result = await validator.validate(structuredClone(document))
    expect(result.errors ?? []).toEqual([])
    expect([result.valid, validator.version]).toEqual([true, '3.1'])
    const ids = operationsOf(document).map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
    // The validator does find what is wrong.
    expect((await new Validator().validate({ ...structuredClone(document), paths: { x: 1 } })).valid).toBe(false)
  })

  it('holds schemas that answers of the server match', async () => {
    const key = await rig.admin({ scopes: ['read', 'write', 'delete', 'admin'] })
    const write = answered({ app: 'shop', account: 'acme' })
    await rig.server.store.commit(write, SOON)
    const id = write.sessionId
    const { id: other } = await rig.key({ scopes: ['read'], label: 'other' })
    const ajv = new Ajv2020({ strict: false, validateFormats: false })
    ajv.addSchema({ ...document, $id: 'doc' })
    const asked: readonly (readonly [string, string, string, object?])[] = [
      ['GET /v1/auth/test', '/v1/auth/test', '200'],
      ['GET /v1/sessions', '/v1/sessions?app=shop', '200'],
      ['PATCH /v1/sessions/{id}', `/v1/sessions/${id}?app=shop`, '200', { title: 'A title' }],
      ['PATCH /v1/sessions/{id}', `/v1/sessions/${randomUUID()}?app=shop`, 'default', { title: 'A title' }],
      ['POST /v1/tickets', '/v1/tickets?app=shop', '201', { session: randomUUID(), user: 'ann' }],
      ['GET /v1/openapi.json', '/v1/openapi.json', '200'],
      ['GET /v1/admin/accounts', '/v1/admin/accounts', 'default'],
      ['GET /v1/admin/accounts/{account}', '/v1/admin/accounts/acme', '200'],
      ['GET /v1/admin/apps', '/v1/admin/apps', '200'],
      ['GET /v1/admin/apps/{app}', '/v1/admin/apps/shop', '200'],
      ['PUT /v1/admin/apps/{app}', '/v1/admin/apps/shop', '200', definition('shop')],
      ['GET /v1/admin/keys', '/v1/admin/keys', '200'],
      ['POST /v1/admin/keys', '/v1/admin/keys', '201', { apps: ['shop'] }],
      ['POST /v1/admin/keys/{key}/rotate', `/v1/admin/keys/${other}/rotate`, '201', {}],
      ['GET /v1/admin/sessions', '/v1/admin/sessions', '200'],
      ['GET /v1/admin/sessions/{session}', `/v1/admin/sessions/${id}`, '200'],
      ['GET /v1/admin/usage', '/v1/admin/usage', '200'],
      ['GET /v1/admin/audit', '/v1/admin/audit', '200'],
    ]
    for (const [name, path, status, body] of asked) {
      const [method = '', route = ''] = name.split(' ')
      const answer = await fetch(`http://127.0.0.1:${rig.server.port}${path}`, {
        method,
        headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      expect([name, status === 'default' ? answer.status >= 400 : answer.status]).toEqual([
        name,
        status === 'default' ? true : Number(status),
      ])
      const place = ['paths', route, method.toLowerCase(), 'responses', status, 'content', 'application/json', 'schema']
      const pointer = place.map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).map(encodeURIComponent)
      const holds = ajv.compile({ $ref: `doc#/${pointer.join('/')}` })
      expect([name, holds(await answer.json()), holds.errors]).toEqual([name, true, null])
    }
  })
})
