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
