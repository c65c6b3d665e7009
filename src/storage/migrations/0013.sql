-- The key that took the place of this one: it is rotated once, as its expiry is the end of the overlap from then on. Null: none, or
-- it was rotated before this column.
alter table keys add column successor text;
