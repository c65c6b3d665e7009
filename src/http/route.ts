import type { Hono } from 'hono'
import type * as v from 'valibot'
import type { Scope } from '../ports/keys.ts'
import type { HttpContext, HttpEnv } from './responses.ts'
import { refuseMethod } from './responses.ts'
import { withoutBody } from './without-body.ts'

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** What one status says. Without a schema the answer has no body, or one of another type than JSON. */
export type Answer = { readonly about: string; readonly schema?: v.GenericSchema; readonly type?: string }

/** Schemas of objects whose fields are parameters of a request. */
export type Fields = v.GenericSchema & { readonly entries: Readonly<Record<string, v.GenericSchema>> }

/** One route of `/v1`: what it is served by and what the OpenAPI document says of it. */
export type RouteSpec = {
  readonly id: string
  readonly method: Method
  /** With its parameters as `{name}`. */
  readonly path: string
  readonly summary: string
  /** What a key needs; `key`: a good one; `none`: nobody is asked for one. Several: any of them. */
  readonly needs: 'none' | 'key' | readonly Scope[]
  readonly params?: Fields
  readonly query?: Fields
  readonly body?: v.GenericSchema
  readonly answers: Readonly<Record<number, Answer>>
}

export type Served = { readonly spec: RouteSpec; readonly handle: (c: HttpContext) => Response | Promise<Response> }

/** Mounts routes as their rows say; other methods of their paths are refused. */
export function serve(routes: Hono<HttpEnv>, served: readonly Served[]): void {
  const methods = new Map<string, Method[]>()
  for (const { spec, handle } of served) {
    const path = spec.path.replaceAll(/\{(\w+)\}/g, ':$1')
    routes.on(spec.method, path, (c) => (c.req.method === 'HEAD' ? withoutBody(handle(c)) : handle(c)))
    methods.set(path, [...(methods.get(path) ?? []), spec.method])
  }
  for (const [path, known] of methods) routes.all(path, refuseMethod(allowed(known)))
}

function allowed(methods: readonly Method[]): string {
  return methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : method)).join(', ')
}
