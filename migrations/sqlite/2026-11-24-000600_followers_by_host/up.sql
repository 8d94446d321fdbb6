-- The followers of an actor on one host: what their server is told a digest of (FEP-8fcf, docs/adr/0019-readers.md).
CREATE INDEX followers_host ON followers (actor_id, host, id);
