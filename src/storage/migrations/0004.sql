-- From where a key may be used: IP addresses and networks; empty: from everywhere.
alter table keys add column addresses jsonb not null default '[]';
