-- Two processes that had a session open at once could give one position twice. From here on the index refuses the second.
-- Nobody may give one between the numbering and the index.
lock table runs in share row exclusive mode;

-- What is doubled keeps its order: by position, then as the runs started. Other sessions are left alone.
update runs set position = numbered.place
from (
  select session_id, id, row_number() over (partition by session_id order by position, started_at, queued_at, id) as place
  from runs
  where position is not null
    and session_id in (select session_id from runs where position is not null group by session_id, position having count(*) > 1)
) numbered
where runs.session_id = numbered.session_id and runs.id = numbered.id and runs.position <> numbered.place;

drop index runs_by_position;
create unique index runs_by_position on runs (session_id, position) where position is not null;
