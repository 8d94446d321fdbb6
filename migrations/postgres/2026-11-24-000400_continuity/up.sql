-- What becomes of actors (docs/adr/0018-own-hosts-and-continuity.md). One without a row is active and has no other account.
-- aliases: ids of its other accounts, a JSON array. followers_then: how many followed at counted_at, when it moved or got its
-- first alias.
CREATE TABLE actor_continuity (
  actor_id BIGINT NOT NULL PRIMARY KEY REFERENCES actors (id),
  state TEXT NOT NULL,
  since BIGINT NOT NULL,
  aliases TEXT NOT NULL,
  moved_to TEXT,
  moved_at BIGINT,
  followers_then BIGINT,
  counted_at BIGINT
);

-- Handles that actors had: they lead to the actor of today, and nobody else gets them.
CREATE TABLE former_handles (
  handle TEXT NOT NULL,
  domain TEXT NOT NULL,
  actor_id BIGINT NOT NULL REFERENCES actors (id),
  until BIGINT NOT NULL,
  PRIMARY KEY (handle, domain)
);
CREATE INDEX former_handles_of_actor ON former_handles (actor_id);

CREATE TRIGGER public_version_of_new_continuity AFTER INSERT ON actor_continuity FOR EACH ROW
  EXECUTE FUNCTION public_version_grows('new', 'actor_id');
CREATE TRIGGER public_version_of_continuity AFTER UPDATE ON actor_continuity FOR EACH ROW
  EXECUTE FUNCTION public_version_grows('new', 'actor_id');
