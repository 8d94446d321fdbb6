-- Pinned posts, and requests to quote that wait for a person (FEP-044f).

CREATE TABLE pins (
  post_id BIGINT NOT NULL PRIMARY KEY REFERENCES posts (id),
  actor_id BIGINT NOT NULL REFERENCES actors (id),
  pinned_at BIGINT NOT NULL
);
CREATE INDEX pins_of_actor ON pins (actor_id, pinned_at);

-- id: also that of the authorization, once there is one. request: what the answer embeds, as JSON.
CREATE TABLE quote_requests (
  id BIGINT NOT NULL PRIMARY KEY,
  post_id BIGINT NOT NULL REFERENCES posts (id),
  author_url TEXT NOT NULL,
  quote_url TEXT NOT NULL,
  request TEXT NOT NULL,
  inbox_id BIGINT NOT NULL REFERENCES inboxes (id),
  created_at BIGINT NOT NULL,
  UNIQUE (post_id, quote_url)
);

CREATE TRIGGER public_version_of_new_pin AFTER INSERT ON pins FOR EACH ROW
  EXECUTE FUNCTION public_version_grows('new', 'actor_id');
CREATE TRIGGER public_version_of_gone_pin AFTER DELETE ON pins FOR EACH ROW
  EXECUTE FUNCTION public_version_grows('old', 'actor_id');
