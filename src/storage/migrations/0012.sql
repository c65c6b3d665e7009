-- 16 bits of a digest of the key's secret, by which a wrong one is refused before it is hashed. Null: not known, as of
-- publishable keys and of those that were not used since this column.
alter table keys add column tag integer;
