-- People put sessions out of sight. A column that may be null: it is added without rewriting the table.
alter table sessions add column archived boolean;
-- For the list of a wallet's sessions; most have none.
create index sessions_by_wallet on sessions ((wallet ->> 'address'), updated_at desc) where wallet ->> 'address' is not null;
