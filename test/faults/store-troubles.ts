import type { FaultDatabase } from './store-database.ts'
import type { StoreProxy, Way } from './store-proxy.ts'

export type Rig = { readonly proxy: StoreProxy; readonly database: FaultDatabase }

/** One way for Postgres to be away. */
export type Trouble = {
  readonly name: string
  /** Nothing can be saved while it lasts. Else single statements fail, and all goes on around them. */
  readonly away: boolean
  /** Needs a server that may be stopped. */
  readonly owned: boolean
  begin(rig: Rig): Promise<void>
  end(rig: Rig): Promise<void>
}

/** Milliseconds by which a slow server's answers are late. */
const SLOW_MS = 2000
/** Of what Postgres says, what is cut in the middle. */
const CUT_SHARE = 0.1
/** Of the statements, those that fail. */
const FAIL_SHARE = 0.1

/**
 * A disk that is really full needs a file system of its own, which takes rights that few have. What Postgres then says to its
 * clients is this: reads go on, a write that needs a new page fails with 53100. A log that cannot be written ends the server,
 * which is another of these troubles.
 */
const DISK_FULL = `
  create function parley_fault_disk_full() returns trigger language plpgsql as
    $$ begin raise exception 'made by a fault' using errcode = 'disk_full'; end $$;
  create trigger parley_fault before insert or update on sessions for each statement execute function parley_fault_disk_full();
  create trigger parley_fault before insert or update on runs for each statement execute function parley_fault_disk_full();
  create trigger parley_fault before insert or update on messages for each statement execute function parley_fault_disk_full()`
const DISK_EMPTIED = 'drop function if exists parley_fault_disk_full() cascade'

function onTheWay(name: string, way: Way, away: boolean): Trouble {
  const open = { kind: 'open' } as const
  return {
    name,
    away,
    owned: false,
    begin: ({ proxy }) => proxy.behave(way),
    end: ({ proxy }) => proxy.behave(open),
  }
}

export const TROUBLES: readonly [Trouble, ...Trouble[]] = [
  onTheWay('refusing connections', { kind: 'refusing' }, true),
  onTheWay('accepting and saying nothing', { kind: 'silent' }, true),
  {
    name: 'paused',
    away: true,
    owned: true,
    begin: async ({ database }) => database.signalAll('SIGSTOP'),
    end: async ({ database }) => database.signalAll('SIGCONT'),
  },
  {
    name: 'stopped and started',
    away: true,
    owned: true,
    begin: ({ database }) => database.stop(),
    end: ({ database }) => database.start(),
  },
  onTheWay('slow by seconds', { kind: 'slow', ms: SLOW_MS }, true),
  {
    name: 'disk full',
    away: true,
    owned: false,
    begin: ({ database }) => database.look(async (sql) => void (await sql.unsafe(DISK_FULL))),
    end: ({ database }) => database.look(async (sql) => void (await sql.unsafe(DISK_EMPTIED))),
  },
  onTheWay('cut in the middle of an answer', { kind: 'cutting', share: CUT_SHARE }, false),
  onTheWay('failing one statement in ten', { kind: 'failing', share: FAIL_SHARE }, false),
]
