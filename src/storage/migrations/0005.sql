-- What the server signs with, made at its first use. All processes on this database share it.
create table secrets (
  name text primary key,
  value text not null,
  created_at timestamptz not null default now()
);

-- Tickets that opened a connection: none opens a second. Rows go an hour after the ticket's time.
create table used_tickets (
  id text primary key,
  expires_at timestamptz not null
);
create index used_tickets_by_expiry on used_tickets (expires_at);
