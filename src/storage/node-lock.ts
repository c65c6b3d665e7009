import { randomBytes } from 'node:crypto'
import type { Fragment, ISql, PendingQuery, Sql } from 'postgres'
import { StoreFault } from './faults.ts'

/** Bytes of a name: as many as an advisory lock's key has. */
const NAME_BYTES = 8
/** Milliseconds for a backend that nobody talks to any more to end. */
const TERMINATE_MS = 1000

/** Key of the lock that all processes which open sessions share. Of two numbers, so that it is never taken for a name. */
const PRESENCE = { space: 4711, key: 1 }
/** Key of the lock of the one process that applies retention. */
export const RETENTION = { space: 4711, key: 2 }
/** Key of the lock that a start takes for a moment, to see whether it stays with its connection. */
export const SESSION_PROBE = { space: 4711, key: 3 }

/** 16 hex digits: the key of an advisory lock, so that pg_locks lists the names of those that live. */
export function makeLockName(): string {
  return randomBytes(NAME_BYTES).toString('hex')
}

/**
 * Takes the session-level lock of this name on the connection. Who else holds it is an earlier connection of this process
 * that the server still keeps: it is ended, with what it may yet have to do.
 */
export async function takeLock(sql: Sql, name: string): Promise<void> {
  const key = BigInt.asIntN(NAME_BYTES * 8, BigInt(`0x${name}`)).toString()
  if (await tryLock(sql, key)) return
  await sql`
    select pg_terminate_backend(l.pid, ${TERMINATE_MS}) from pg_locks l
    where l.locktype = 'advisory' and l.objsubid = 1 and l.granted and l.pid <> pg_backend_pid()
      and ((l.classid::bigint << 32) | l.objid::bigint) = ${key}::bigint
      and l.database = (select oid from pg_database where datname = current_database())`
  if (!(await tryLock(sql, key))) throw new StoreFault('away', 'lock held by another connection')
}

/** Says, for as long as the connection lives, that its process opens sessions of this database. */
export async function joinNodes(sql: Sql): Promise<void> {
  await sql`select pg_advisory_lock_shared(${PRESENCE.space}::integer, ${PRESENCE.key}::integer)`
}

/** The name that a lock of pg_locks `l` has, where it has one: `objsubid` is 1. */
export function lockName(sql: ISql): Fragment {
  return sql`lpad(to_hex(l.classid::bigint), 8, '0') || lpad(to_hex(l.objid::bigint), 8, '0')`
}

/** How many other connections have joined, and the names that are held. Of two that join at once, one at least sees the other. */
export function selectNodes(sql: Sql): PendingQuery<{ others: number; held: string[] }[]> {
  return sql<{ others: number; held: string[] }[]>`
    select
      count(*) filter (where l.objsubid = 2 and l.classid = ${PRESENCE.space}::oid and l.objid = ${PRESENCE.key}::oid
        and l.pid <> pg_backend_pid())::integer as others,
      coalesce(json_agg(${lockName(sql)}) filter (where l.objsubid = 1), '[]') as held
    from pg_locks l
    where l.locktype = 'advisory' and l.granted
      and l.database = (select oid from pg_database where datname = current_database())`
}

/** Milliseconds since the server was started: before that nobody held a lock of it. */
export function selectUptime(sql: Sql): PendingQuery<{ ms: number }[]> {
  return sql<{ ms: number }[]>`
    select (extract(epoch from clock_timestamp() - pg_postmaster_start_time()) * 1000)::float8 as ms`
}

async function tryLock(sql: Sql, key: string): Promise<boolean> {
  const [row] = await sql<{ held: boolean }[]>`select pg_try_advisory_lock(${key}::bigint) as held`
  return row?.held === true
}
