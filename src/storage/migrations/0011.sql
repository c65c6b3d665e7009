-- Whose secrets the session's runs use; empty: nobody's. A column that may be null: it is added without rewriting the table.
alter table sessions add column vault text;
-- Secrets that people left with the server, each sealed with a key that is not in this table.
create table vault_entries (
  vault text not null,
  name text not null,
  sealed text not null,
  -- No account keeps it: it goes when it was not put for a while.
  passing boolean not null,
  updated_at timestamptz not null default now(),
  primary key (vault, name)
);
create index vault_entries_passing on vault_entries (updated_at) where passing;
