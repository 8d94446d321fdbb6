-- Subscriptions at the hubs that feeds name (docs/adr/0014-websub.md). Of a source at most one is wanted; others are being ended, or
-- were, and are remembered for a while so that what still comes is answered 410.
-- `path_hash` is the SHA-256 of the secret end of the callback's path; that end and the secret of the signature are in `sealed`.
CREATE TABLE websub_subscriptions (
  id INTEGER NOT NULL PRIMARY KEY,
  source_id BIGINT NOT NULL REFERENCES sources (id),
  hub TEXT NOT NULL,
  topic TEXT NOT NULL,
  -- Whether what is delivered is what a poll reads; else a delivery only makes us look.
  whole BOOLEAN NOT NULL,
  path_hash TEXT NOT NULL UNIQUE,
  sealed BLOB NOT NULL,
  wanted BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  asked_at BIGINT,
  live_since BIGINT,
  holds_until BIGINT,
  ended_at BIGINT,
  failures INTEGER NOT NULL DEFAULT 0,
  problem TEXT,
  due_at BIGINT NOT NULL,
  lease_until BIGINT NOT NULL DEFAULT 0,
  delivered_at BIGINT,
  deliveries BIGINT NOT NULL DEFAULT 0,
  refused_at BIGINT,
  refusal TEXT,
  refusals BIGINT NOT NULL DEFAULT 0,
  looked_at BIGINT,
  missed_at BIGINT,
  missed BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX websub_wanted ON websub_subscriptions (source_id) WHERE wanted;
CREATE INDEX websub_due ON websub_subscriptions (due_at) WHERE ended_at IS NULL;
