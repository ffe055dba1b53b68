-- One table, its primary key and four indexes: what it takes to answer by id, by time, by actor, by type and by target.
CREATE TABLE events (
  tenant     text        NOT NULL,
  id         uuid        NOT NULL,
  type       text        NOT NULL,
  source     text        NOT NULL,
  time       timestamptz NOT NULL,
  actor_id   text,
  target_ids text[]      NOT NULL,
  outcome    text,
  doc        jsonb       NOT NULL,
  PRIMARY KEY (tenant, id)
);
CREATE INDEX events_time   ON events (tenant, time DESC);
CREATE INDEX events_actor  ON events (tenant, actor_id, time DESC);
CREATE INDEX events_type   ON events (tenant, type, time DESC);
CREATE INDEX events_target ON events USING gin (target_ids);
