-- The schema of Parley's database as a whole, for reading and for a new database. The steps that lead here are in
-- src/storage/migrations; a test proves that both make the same catalog.

-- Enumerated types, not CHECKs: a check is prepared anew in every statement and cost a quarter of a small write.
create type session_status as enum ('idle', 'processing', 'interrupted');
create type title_source as enum ('start', 'model', 'person');
create type run_status as enum ('queued', 'running', 'finished', 'cancelled', 'failed', 'interrupted', 'removed');
create type message_role as enum ('user', 'assistant', 'tool', 'reasoning');
create type key_kind as enum ('secret', 'publishable');
create type change_kind as enum ('key', 'app', 'session', 'account');

create table schema_version (
  version integer not null,
  applied_at timestamptz not null default now()
);

create table accounts (
  id text primary key,
  -- Null: the server's default.
  plan text,
  created_at timestamptz not null default now()
);

create table apps (
  id text primary key,
  definition jsonb not null,
  updated_at timestamptz not null,
  -- Whose it is.
  account text not null default 'default'
);
create index apps_by_account on apps (account, id);

-- Documents of Apps: files as parts that text search finds. They go with their App.
create table documents (
  id text primary key,
  app_id text not null references apps (id) on delete cascade,
  name text not null,
  -- A text search configuration: how the words of the text are reduced to their stems.
  language text not null,
  parts integer not null,
  characters integer not null,
  added_at timestamptz not null
);
create unique index documents_by_name on documents (app_id, name);

create table document_parts (
  document_id text not null references documents (id) on delete cascade,
  part integer not null,
  -- As the document has them, so that the words of many are counted without it.
  app_id text not null,
  language text not null,
  heading text not null,
  text text not null,
  -- Weights: A for the document's name and the headings, D for the text. Without a place: the mark of the App.
  search tsvector not null,
  primary key (document_id, part)
);
create index document_parts_by_word on document_parts using gin (search);

create table keys (
  id text primary key,
  account text not null references accounts (id),
  kind key_kind not null,
  hash text not null,
  label text,
  scopes jsonb not null,
  origins jsonb not null,
  created_at timestamptz not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  -- IP addresses and networks that it may be used from; empty: all.
  addresses jsonb not null default '[]',
  -- 16 bits of a digest of the secret; null: not known, as of publishable keys.
  tag integer,
  -- The key that took its place.
  successor text
);
create index keys_by_account on keys (account, id);

create table key_apps (
  key_id text not null references keys (id) on delete cascade,
  app_id text not null references apps (id) on delete cascade,
  primary key (key_id, app_id)
);
create index key_apps_by_app on key_apps (app_id);

-- app has no foreign key: an App that is deleted leaves its sessions.
create table sessions (
  id uuid primary key,
  app text not null,
  account text,
  user_id text,
  status session_status not null,
  title text,
  title_by title_source,
  wallet jsonb,
  model text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  -- Nobody said: not archived.
  archived boolean,
  -- Whose secrets its runs use, as vault_entries names them; empty: nobody's.
  vault text
);
create index sessions_by_owner on sessions (app, account, user_id, updated_at desc);
-- For the list of a wallet's sessions; most have none.
create index sessions_by_wallet on sessions ((wallet ->> 'address'), updated_at desc) where wallet ->> 'address' is not null;
-- For the list of an account's sessions, newest first. The operator's over all is sorted: an index costs every write.
create index sessions_by_account on sessions (account, updated_at desc, id desc) where account is not null;

create table runs (
  session_id uuid not null references sessions (id) on delete cascade,
  id text not null,
  status run_status not null,
  parent_run_id text,
  replaces text,
  position integer,
  -- A retry or an edit took it out of history. Upserts leave it alone.
  superseded boolean not null default false,
  model text,
  usage jsonb,
  error_code text,
  queued_at timestamptz not null,
  started_at timestamptz,
  ended_at timestamptz,
  node text,
  fence integer not null,
  -- Calls of an ended run that wait for the browser or for a person. They are read and written with their run.
  pending jsonb,
  -- Which key asked for it; null: none.
  key_id text,
  primary key (session_id, id)
);
create unique index runs_one_running on runs (session_id) where status = 'running';
create index runs_queued on runs (session_id) where status = 'queued';
-- Also what keeps two processes from giving one position twice.
create unique index runs_by_position on runs (session_id, position) where position is not null;
-- Usage is counted by days. Rows come in the order of time, so a few bytes for each stretch of pages do.
create index runs_by_time on runs using brin (queued_at) with (autosummarize = on);

-- An answer is written again when its run ends: room is left on the page, so that the new version needs no new index entry.
create table messages (
  session_id uuid not null,
  id text not null,
  run_id text not null,
  index integer not null,
  role message_role not null,
  content text not null,
  tool_calls jsonb,
  tool_call_id text,
  is_error boolean not null default false,
  interrupted boolean not null default false,
  blocks jsonb,
  created_at timestamptz not null,
  primary key (session_id, id),
  foreign key (session_id, run_id) references runs (session_id, id) on delete cascade
) with (fillfactor = 80);
-- Writes match on all three, so that an id that another run took is refused by the primary key instead of moving the message.
create unique index messages_by_run on messages (session_id, run_id, id);

-- What a running answer said after its message was last written: once a second a row is added, instead of all of the text
-- written anew. Only rows that begin at or after the end of the message's content count; they go when the run ends. No foreign
-- key: each would lock a row of another table.
create table message_tails (
  session_id uuid not null,
  run_id text not null,
  message_id text not null,
  start integer not null,
  text text not null,
  primary key (session_id, run_id, message_id, start)
);

-- What the server signs with, made at its first use. All processes on this database share it.
create table secrets (
  name text primary key,
  value text not null,
  created_at timestamptz not null default now()
);

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

-- Tickets that opened a connection: none opens a second. Rows go an hour after the ticket's time.
create table used_tickets (
  id text primary key,
  expires_at timestamptz not null
);
create index used_tickets_by_expiry on used_tickets (expires_at);

-- What other processes must hear of. Rows are removed after a while; see changes.ts.
create table changes (
  id bigint generated always as identity primary key,
  kind change_kind not null,
  ref text not null,
  at timestamptz not null default clock_timestamp()
);
create index changes_by_time on changes (at);

-- Acts of administration, from the command line and over HTTP. Rows go after PARLEY_AUDIT_KEEP.
create table acts (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  -- A key's id, or cli.
  actor text not null,
  account text,
  act text not null,
  target text not null,
  address text,
  -- begun, until it is ok or a code of the error table.
  outcome text not null
);
create index acts_by_account on acts (account, id);
create index acts_by_time on acts (at);

insert into schema_version (version) values (14);
