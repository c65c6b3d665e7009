-- Apps belong to accounts. Those from before are of the account that keys are of when nobody names one.
alter table apps add column account text not null default 'default';
create index apps_by_account on apps (account, id);
create index keys_by_account on keys (account, id);

-- Which key asked for the run; null: none, or it was before this column.
alter table runs add column key_id text;
-- Usage is counted by days. Rows come in the order of time, so a few bytes for each stretch of pages do.
create index runs_by_time on runs using brin (queued_at) with (autosummarize = on);

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
