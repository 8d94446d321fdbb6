-- The proof ladder and the registers that it asks (docs/adr/0015-proof-ladder.md).

-- level: how high it reached when it last held. ends_at: when a register says that it ends. steps: all that was asked, as JSON.
ALTER TABLE proofs ADD COLUMN level SMALLINT;
ALTER TABLE proofs ADD COLUMN ends_at BIGINT;
ALTER TABLE proofs ADD COLUMN steps TEXT;

-- As which organisation an agency stands in registers: a URI. A table of its own, so that older processes write agencies as ever.
CREATE TABLE agency_organisations (
  agency_id INTEGER NOT NULL PRIMARY KEY REFERENCES agencies (id),
  organisation TEXT NOT NULL
);

-- The registers of the configuration. generation: which of their entries count; a new one is written beside the old one and takes
-- its place at once, when all of it is there.
CREATE TABLE registers (
  name TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  place TEXT NOT NULL,
  every_ms BIGINT NOT NULL,
  generation BIGINT NOT NULL DEFAULT 0,
  entries BIGINT NOT NULL DEFAULT 0,
  odd BIGINT NOT NULL DEFAULT 0,
  sha256 TEXT,
  etag TEXT,
  last_modified TEXT,
  read_at BIGINT,
  checked_at BIGINT,
  failure TEXT,
  due_at BIGINT NOT NULL,
  lease_until BIGINT NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- kind: 0 a domain (at: when it was given up), 1 an organisation (at: when it ends), 2 an account. key: the domain, the URI, the
-- address, as they are compared.
CREATE TABLE register_entries (
  register TEXT NOT NULL REFERENCES registers (name),
  generation BIGINT NOT NULL,
  n BIGINT NOT NULL,
  kind SMALLINT NOT NULL,
  key TEXT NOT NULL,
  organisation TEXT,
  name TEXT,
  at BIGINT,
  PRIMARY KEY (register, generation, n)
) WITHOUT ROWID;
CREATE INDEX register_entries_key ON register_entries (key, kind);
