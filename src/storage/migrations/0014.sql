-- For the lists of administration, newest first: an account's, and the operator's over all.
create index sessions_by_account on sessions (account, updated_at desc, id desc) where account is not null;
create index sessions_by_time on sessions (updated_at desc, id desc);
