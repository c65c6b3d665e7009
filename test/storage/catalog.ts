import type { Sql } from 'postgres'

/** Everything that a schema is made of, as lines of text in a fixed order. */
export async function readCatalog(sql: Sql): Promise<string[]> {
  const rows = await sql<{ line: string }[]>`
    with tables as (
      select oid, relname, relkind, reloptions from pg_class
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'S', 'v', 'i')
    )
    select concat_ws(' ', relkind, relname, reloptions::text) as line from tables
    union all
    select concat_ws(' ', 'column', relname, attname, format_type(atttypid, atttypmod), attnotnull, attidentity,
      attcompression, attstorage, pg_get_expr(adbin, adrelid), attnum)
    from tables join pg_attribute a on attrelid = tables.oid and attnum > 0 and not attisdropped and relkind in ('r', 'v')
    left join pg_attrdef on adrelid = attrelid and adnum = attnum
    union all
    select concat_ws(' ', 'index', pg_get_indexdef(oid)) from tables where relkind = 'i'
    union all
    select concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid))
    from pg_constraint where connamespace = 'public'::regnamespace
    union all
    select concat_ws(' ', 'enum', typname, (select string_agg(enumlabel, ',' order by enumsortorder) from pg_enum where enumtypid = t.oid))
    from pg_type t where typnamespace = 'public'::regnamespace and typtype = 'e'
    union all
    select concat_ws(' ', 'function', pg_get_functiondef(oid)) from pg_proc
    where pronamespace = 'public'::regnamespace and prokind = 'f'
    union all
    select concat_ws(' ', 'trigger', pg_get_triggerdef(oid)) from pg_trigger where not tgisinternal
    order by line`
  return rows.map(({ line }) => line)
}
