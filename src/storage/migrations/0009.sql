-- The plan that somebody gave an account; null: the server's default. Until now nobody could give one, and nothing asked for it.
alter table accounts alter column plan drop not null, alter column plan drop default;
update accounts set plan = null;
-- Servers hear of an account that gets another plan.
alter type change_kind add value 'account';
