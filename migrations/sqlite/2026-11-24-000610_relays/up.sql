-- Relays that pass posts on (docs/adr/0020-relays.md). url: as it was named, the inbox of a relay of Mastodon's style, the actor of one
-- of LitePub's. follow_number: of our Follow, in its id. follow_back: the relay's own Follow, as JSON, until it is answered.
CREATE TABLE relays (
  id INTEGER NOT NULL PRIMARY KEY,
  url TEXT NOT NULL UNIQUE,
  style TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  actor_url TEXT,
  inbox_id BIGINT REFERENCES inboxes (id),
  follow_number BIGINT,
  follow_back TEXT,
  asked_at BIGINT,
  answered_at BIGINT,
  failures INTEGER NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL,
  due_at BIGINT,
  lease_until BIGINT NOT NULL DEFAULT 0
);

-- For which agencies.
CREATE TABLE relay_agencies (
  relay_id BIGINT NOT NULL REFERENCES relays (id),
  agency_id BIGINT NOT NULL REFERENCES agencies (id),
  provisioned BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (relay_id, agency_id)
) WITHOUT ROWID;

-- Posts that a relay of LitePub's style is still to be told of.
CREATE TABLE relay_announcements (
  relay_id BIGINT NOT NULL REFERENCES relays (id),
  post_id BIGINT NOT NULL REFERENCES posts (id),
  created_at BIGINT NOT NULL,
  PRIMARY KEY (relay_id, post_id)
) WITHOUT ROWID;
