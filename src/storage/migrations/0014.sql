-- For the list of an account's sessions, newest first. The operator's over all is sorted: an index costs every write.
create index sessions_by_account on sessions (account, updated_at desc, id desc) where account is not null;
