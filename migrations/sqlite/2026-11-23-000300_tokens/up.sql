-- Clients that write to a source (docs/adr/0013-micropub.md).

-- Their tokens: the hash, never the token. scopes: words with a space between them.
CREATE TABLE tokens (
  id INTEGER NOT NULL PRIMARY KEY,
  source_id BIGINT NOT NULL REFERENCES sources (id),
  hash TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  scopes TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  used_at BIGINT,
  revoked_at BIGINT
);
CREATE INDEX tokens_of_source ON tokens (source_id);

-- What clients asked to be made, so that a repetition makes nothing: a key, and the digest of what it stood for.
CREATE TABLE client_requests (
  source_id BIGINT NOT NULL REFERENCES sources (id),
  request_key TEXT NOT NULL,
  digest TEXT NOT NULL,
  item_id BIGINT NOT NULL,
  received_at BIGINT NOT NULL,
  PRIMARY KEY (source_id, request_key)
) WITHOUT ROWID;
CREATE INDEX client_requests_received ON client_requests (received_at);

-- Pictures that clients sent, by the secret name in their address. item_id: where one is used; until then it may go.
CREATE TABLE uploads (
  name TEXT NOT NULL PRIMARY KEY,
  source_id BIGINT NOT NULL REFERENCES sources (id),
  media_id BIGINT NOT NULL REFERENCES media (id),
  item_id BIGINT,
  created_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX uploads_of_source ON uploads (source_id, created_at);
