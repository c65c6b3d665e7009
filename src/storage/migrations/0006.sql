-- Tool calls that an ended run left open: for the browser to execute, or for a person to approve. Read and written with their run.
alter table runs add column pending jsonb;
