-- What systems push to us. A request is a row before it is answered; what follows from it is done later, in the order in which
-- requests of one source came (docs/adr/0012-hooks.md).

-- Secrets of sources, sealed under the master key: by which they sign, the one before while it is replaced, and the token for
-- their API.
CREATE TABLE source_secrets (
  id BIGINT NOT NULL PRIMARY KEY,
  source_id BIGINT NOT NULL REFERENCES sources (id),
  role TEXT NOT NULL,
  sealed BYTEA NOT NULL,
  set_at BIGINT NOT NULL,
  UNIQUE (source_id, role)
);

-- One row per source that was ever pushed to: who works on its requests, and what was refused last.
CREATE TABLE hooks (
  source_id BIGINT NOT NULL PRIMARY KEY REFERENCES sources (id),
  lease_until BIGINT NOT NULL DEFAULT 0,
  refused_at BIGINT,
  refusal TEXT
);

-- state: 0 waiting, 1 done, 2 ignored, 3 failed.
CREATE TABLE hook_deliveries (
  id BIGINT NOT NULL PRIMARY KEY,
  source_id BIGINT NOT NULL REFERENCES sources (id),
  delivery_key TEXT NOT NULL,
  digest TEXT NOT NULL,
  verified_by TEXT NOT NULL,
  headers TEXT NOT NULL,
  query TEXT,
  body BYTEA NOT NULL,
  received_at BIGINT NOT NULL,
  state SMALLINT NOT NULL DEFAULT 0,
  outcome TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  due_at BIGINT NOT NULL,
  UNIQUE (source_id, delivery_key)
);
CREATE INDEX hook_deliveries_waiting ON hook_deliveries (due_at) WHERE state = 0;
CREATE INDEX hook_deliveries_of_source ON hook_deliveries (source_id, id);
CREATE INDEX hook_deliveries_received ON hook_deliveries (received_at);
