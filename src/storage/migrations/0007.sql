-- Documents of Apps: files as parts that text search finds. They go with their App.
create table documents (
  id text primary key,
  app_id text not null references apps (id) on delete cascade,
  name text not null,
  -- A text search configuration: how the words of the text are reduced to their stems.
  language text not null,
  parts integer not null,
  characters integer not null,
  added_at timestamptz not null
);
create unique index documents_by_name on documents (app_id, name);

create table document_parts (
  document_id text not null references documents (id) on delete cascade,
  part integer not null,
  -- As the document has them, so that the words of many are counted without it.
  app_id text not null,
  language text not null,
  heading text not null,
  text text not null,
  -- Weights: A for the document's name and the headings, D for the text. Without a place: the mark of the App.
  search tsvector not null,
  primary key (document_id, part)
);
create index document_parts_by_word on document_parts using gin (search);
