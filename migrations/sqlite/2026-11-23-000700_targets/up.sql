-- Accounts that an agency has on other servers, to which its posts go too (docs/adr/0021-targets.md). actor_id: only the posts of that
-- actor; none is all actors of the agency. sealed: the access token; none once it is removed. account and limits: what the server last
-- said, as JSON. resting: why nothing is sent until somebody does something.
CREATE TABLE targets (
  id INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  agency_id BIGINT NOT NULL REFERENCES agencies (id),
  actor_id BIGINT REFERENCES actors (id),
  kind TEXT NOT NULL,
  url TEXT NOT NULL,
  visibility TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  provisioned BOOLEAN NOT NULL,
  sealed BLOB,
  account TEXT,
  limits TEXT,
  limits_at BIGINT,
  resting TEXT,
  resting_since BIGINT,
  failures INTEGER NOT NULL DEFAULT 0,
  failing_since BIGINT,
  last_error TEXT,
  last_ok_at BIGINT,
  due_at BIGINT,
  lease_until BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL,
  removed_at BIGINT
);
CREATE UNIQUE INDEX targets_by_name ON targets (name) WHERE removed_at IS NULL;
CREATE INDEX targets_due ON targets (due_at) WHERE due_at IS NOT NULL;

-- A post as it stands there: the id and page of the status, the ids of its pictures. unsure: a request to make it was sent and its
-- answer is not known; tried_revision: what it was to say.
CREATE TABLE target_posts (
  target_id BIGINT NOT NULL REFERENCES targets (id),
  post_id BIGINT NOT NULL REFERENCES posts (id),
  status_id TEXT,
  status_url TEXT,
  media TEXT NOT NULL DEFAULT '[]',
  tried_at BIGINT,
  tried_revision INTEGER,
  unsure BOOLEAN NOT NULL DEFAULT FALSE,
  gone_at BIGINT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (target_id, post_id)
) WITHOUT ROWID;
CREATE INDEX target_posts_by_post ON target_posts (post_id);
CREATE INDEX target_posts_by_status ON target_posts (target_id, status_id) WHERE status_id IS NOT NULL;

-- What is owed to a target, and what became of it: the receipts. In the order of lane, created_at and activity_id.
CREATE TABLE target_deliveries (
  target_id BIGINT NOT NULL REFERENCES targets (id),
  activity_id BIGINT NOT NULL,
  post_id BIGINT NOT NULL REFERENCES posts (id),
  kind TEXT NOT NULL,
  revision INTEGER NOT NULL,
  lane SMALLINT NOT NULL,
  state SMALLINT NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  status INTEGER,
  note TEXT,
  created_at BIGINT NOT NULL,
  settled_at BIGINT,
  PRIMARY KEY (target_id, activity_id)
) WITHOUT ROWID;
CREATE INDEX target_deliveries_owed ON target_deliveries (target_id, lane, created_at, activity_id) WHERE state = 0;
CREATE INDEX target_deliveries_by_post ON target_deliveries (post_id);
