-- Times are epoch milliseconds, UTC. Ids are minted by us (docs/adr/0002-ids.md). Twin: migrations/postgres, same name.

CREATE TABLE agencies (
  id INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  domain TEXT NOT NULL,
  provisioned BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE actors (
  id INTEGER NOT NULL PRIMARY KEY,
  agency_id BIGINT NOT NULL REFERENCES agencies (id),
  handle TEXT NOT NULL UNIQUE,
  handle_domain TEXT NOT NULL,
  kind TEXT NOT NULL,
  language TEXT NOT NULL,
  profile TEXT NOT NULL,
  url TEXT NOT NULL UNIQUE,
  provisioned BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

-- actor_id is null for the instance actor.
CREATE TABLE actor_keys (
  id INTEGER NOT NULL PRIMARY KEY,
  actor_id BIGINT REFERENCES actors (id),
  kind TEXT NOT NULL,
  public TEXT NOT NULL,
  sealed BLOB NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX actor_keys_one ON actor_keys (COALESCE(actor_id, 0), kind);

CREATE TABLE proofs (
  actor_id INTEGER NOT NULL PRIMARY KEY REFERENCES actors (id),
  evidence TEXT,
  held_at BIGINT,
  checked_at BIGINT,
  failure TEXT,
  due_at BIGINT NOT NULL,
  lease_until BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX proofs_due ON proofs (due_at);

CREATE TABLE sources (
  id INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  actor_id BIGINT NOT NULL REFERENCES actors (id),
  kind TEXT NOT NULL,
  settings TEXT NOT NULL,
  provisioned BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  etag TEXT,
  last_modified TEXT,
  reader INTEGER NOT NULL DEFAULT 0,
  politeness TEXT,
  usual_interval BIGINT,
  baseline_at BIGINT,
  polled_at BIGINT,
  ok_at BIGINT,
  newest_item_at BIGINT,
  failures INTEGER NOT NULL DEFAULT 0,
  failure TEXT,
  stopped TEXT,
  stale_since BIGINT,
  due_at BIGINT NOT NULL,
  lease_until BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX sources_due ON sources (due_at);

CREATE TABLE items (
  id INTEGER NOT NULL PRIMARY KEY,
  source_id BIGINT NOT NULL REFERENCES sources (id),
  source_key TEXT NOT NULL,
  canonical_url TEXT,
  digest TEXT NOT NULL,
  source_version BIGINT,
  state TEXT NOT NULL,
  post_id BIGINT,
  content TEXT NOT NULL,
  first_seen_at BIGINT NOT NULL,
  last_seen_at BIGINT NOT NULL,
  edited_at BIGINT,
  edits_day BIGINT NOT NULL DEFAULT 0,
  edits_count INTEGER NOT NULL DEFAULT 0,
  gone_at BIGINT,
  gone_check_at BIGINT,
  withdrawn_here BOOLEAN NOT NULL DEFAULT FALSE,
  UNIQUE (source_id, source_key)
);
CREATE INDEX items_url ON items (canonical_url);
CREATE INDEX items_post ON items (post_id);

CREATE TABLE item_aliases (
  source_id BIGINT NOT NULL REFERENCES sources (id),
  alias TEXT NOT NULL,
  item_id BIGINT NOT NULL REFERENCES items (id),
  PRIMARY KEY (source_id, alias)
);

CREATE TABLE posts (
  id INTEGER NOT NULL PRIMARY KEY,
  actor_id BIGINT NOT NULL REFERENCES actors (id),
  source_id BIGINT REFERENCES sources (id),
  state TEXT NOT NULL,
  reason TEXT,
  due_at BIGINT,
  content TEXT NOT NULL,
  revision INTEGER NOT NULL,
  published_at BIGINT,
  updated_at BIGINT,
  withdrawn_at BIGINT,
  created_at BIGINT NOT NULL
);
CREATE INDEX posts_due ON posts (state, due_at);
CREATE INDEX posts_of_actor ON posts (actor_id, state, published_at);

-- What a published post says next, before it is sent: an edit or a withdrawal that waits for a proof or a person.
CREATE TABLE post_changes (
  post_id INTEGER NOT NULL PRIMARY KEY REFERENCES posts (id),
  kind TEXT NOT NULL,
  content TEXT,
  reason TEXT,
  due_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE post_revisions (
  post_id BIGINT NOT NULL REFERENCES posts (id),
  revision INTEGER NOT NULL,
  content TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (post_id, revision)
);

CREATE TABLE media (
  id INTEGER NOT NULL PRIMARY KEY,
  post_id BIGINT,
  source_url TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  media_type TEXT NOT NULL,
  extension TEXT NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  blurhash TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX media_of_post ON media (post_id);

CREATE TABLE activities (
  id INTEGER NOT NULL PRIMARY KEY,
  actor_id BIGINT NOT NULL REFERENCES actors (id),
  post_id BIGINT REFERENCES posts (id),
  kind TEXT NOT NULL,
  bytes BLOB NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX activities_of_post ON activities (post_id);

CREATE TABLE hosts (
  host TEXT NOT NULL PRIMARY KEY,
  failures INTEGER NOT NULL DEFAULT 0,
  open_until BIGINT NOT NULL DEFAULT 0
);

-- due_at is null when nothing is owed. One row per remote inbox is all that a dead host costs the scheduler.
CREATE TABLE inboxes (
  id INTEGER NOT NULL PRIMARY KEY,
  url TEXT NOT NULL UNIQUE,
  host TEXT NOT NULL,
  due_at BIGINT,
  lease_until BIGINT NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  failing_since BIGINT,
  parked_at BIGINT,
  last_ok_at BIGINT,
  last_status INTEGER,
  last_error TEXT,
  created_at BIGINT NOT NULL
);
CREATE INDEX inboxes_due ON inboxes (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX inboxes_host ON inboxes (host);

-- state: 0 owed, 1 delivered, 2 refused, 3 gave up, 4 held. Rows stay as receipts.
CREATE TABLE deliveries (
  inbox_id BIGINT NOT NULL REFERENCES inboxes (id),
  activity_id BIGINT NOT NULL REFERENCES activities (id),
  state SMALLINT NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  status INTEGER,
  error TEXT,
  created_at BIGINT NOT NULL,
  settled_at BIGINT,
  PRIMARY KEY (inbox_id, activity_id)
) WITHOUT ROWID;
CREATE INDEX deliveries_of_activity ON deliveries (activity_id);
CREATE INDEX deliveries_open ON deliveries (inbox_id, activity_id) WHERE state IN (0, 4);

CREATE TABLE followers (
  id INTEGER NOT NULL PRIMARY KEY,
  actor_id BIGINT NOT NULL REFERENCES actors (id),
  url TEXT NOT NULL,
  host TEXT NOT NULL,
  inbox_id BIGINT NOT NULL REFERENCES inboxes (id),
  follow_id TEXT,
  created_at BIGINT NOT NULL,
  UNIQUE (actor_id, url)
);
CREATE INDEX followers_inbox ON followers (actor_id, inbox_id);
CREATE INDEX followers_url ON followers (url);

CREATE TABLE remote_actors (
  url TEXT NOT NULL PRIMARY KEY,
  document TEXT NOT NULL,
  key_id TEXT,
  fetched_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX remote_actors_key ON remote_actors (key_id);

CREATE TABLE messages (
  id INTEGER NOT NULL PRIMARY KEY,
  actor_id BIGINT NOT NULL REFERENCES actors (id),
  post_id BIGINT,
  url TEXT NOT NULL,
  author_url TEXT NOT NULL,
  author_handle TEXT NOT NULL,
  author_name TEXT NOT NULL,
  html TEXT NOT NULL,
  language TEXT,
  visibility TEXT NOT NULL,
  in_reply_to TEXT,
  published_at BIGINT NOT NULL,
  updated_at BIGINT,
  deleted_at BIGINT,
  received_at BIGINT NOT NULL,
  UNIQUE (url, actor_id)
);
CREATE INDEX messages_author ON messages (author_url);

CREATE TABLE reactions (
  id INTEGER NOT NULL PRIMARY KEY,
  activity_url TEXT,
  kind TEXT NOT NULL,
  post_id BIGINT NOT NULL REFERENCES posts (id),
  author_url TEXT NOT NULL,
  content TEXT,
  created_at BIGINT NOT NULL,
  UNIQUE (post_id, author_url, kind)
);
CREATE INDEX reactions_activity ON reactions (activity_url);
CREATE INDEX reactions_author ON reactions (author_url);

CREATE TABLE quotes (
  id INTEGER NOT NULL PRIMARY KEY,
  post_id BIGINT NOT NULL REFERENCES posts (id),
  author_url TEXT NOT NULL,
  quote_url TEXT NOT NULL,
  revoked_at BIGINT,
  created_at BIGINT NOT NULL,
  UNIQUE (post_id, quote_url)
);

CREATE TABLE blocks (
  actor_id BIGINT NOT NULL REFERENCES actors (id),
  url TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (actor_id, url)
);

-- Ids of inbound activities, kept against replays.
CREATE TABLE seen_activities (
  url TEXT NOT NULL PRIMARY KEY,
  received_at BIGINT NOT NULL
);
CREATE INDEX seen_activities_age ON seen_activities (received_at);

-- Remote objects that were deleted: a Create that arrives after its Delete is ignored.
CREATE TABLE deleted_objects (
  url TEXT NOT NULL PRIMARY KEY,
  deleted_at BIGINT NOT NULL
);

CREATE TABLE audit (
  id INTEGER NOT NULL PRIMARY KEY,
  at BIGINT NOT NULL,
  who TEXT NOT NULL,
  act TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL
);
CREATE INDEX audit_at ON audit (at);
