-- Pinned posts, and requests to quote that wait for a person (FEP-044f).

CREATE TABLE pins (
  post_id INTEGER NOT NULL PRIMARY KEY REFERENCES posts (id),
  actor_id BIGINT NOT NULL REFERENCES actors (id),
  pinned_at BIGINT NOT NULL
);
CREATE INDEX pins_of_actor ON pins (actor_id, pinned_at);

-- id: also that of the authorization, once there is one. request: what the answer embeds, as JSON.
CREATE TABLE quote_requests (
  id INTEGER NOT NULL PRIMARY KEY,
  post_id BIGINT NOT NULL REFERENCES posts (id),
  author_url TEXT NOT NULL,
  quote_url TEXT NOT NULL,
  request TEXT NOT NULL,
  inbox_id BIGINT NOT NULL REFERENCES inboxes (id),
  created_at BIGINT NOT NULL,
  UNIQUE (post_id, quote_url)
);

CREATE TRIGGER public_version_of_new_pin AFTER INSERT ON pins BEGIN
  INSERT INTO public_versions (actor_id, version) SELECT NEW.actor_id, 0
    WHERE NOT EXISTS (SELECT 1 FROM public_versions WHERE actor_id = NEW.actor_id);
  UPDATE public_versions SET version = version + 1 WHERE actor_id = NEW.actor_id;
END;
CREATE TRIGGER public_version_of_gone_pin AFTER DELETE ON pins BEGIN
  INSERT INTO public_versions (actor_id, version) SELECT OLD.actor_id, 0
    WHERE NOT EXISTS (SELECT 1 FROM public_versions WHERE actor_id = OLD.actor_id);
  UPDATE public_versions SET version = version + 1 WHERE actor_id = OLD.actor_id;
END;
