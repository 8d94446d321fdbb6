-- Keys of actors beside those that sign now, which are in actor_keys: those that will, and those that did
-- (docs/adr/0016-two-signatures.md). The ids of both tables are of one kind: a key keeps its id, for which it is sealed.
CREATE TABLE other_keys (
  id INTEGER NOT NULL PRIMARY KEY,
  actor_id BIGINT NOT NULL REFERENCES actors (id),
  serial INTEGER NOT NULL,
  kind TEXT NOT NULL,
  public TEXT NOT NULL,
  sealed BLOB NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (actor_id, serial, kind)
);

-- One row per actor whose keys were ever rotated. serial: of the keys that sign now; next_serial and switch_at: while others are
-- announced; farewell: the activity that tells of the switch and is signed by the keys before.
CREATE TABLE key_rotations (
  actor_id INTEGER NOT NULL PRIMARY KEY REFERENCES actors (id),
  serial INTEGER NOT NULL,
  next_serial INTEGER,
  switch_at BIGINT,
  switched_at BIGINT,
  farewell BIGINT
);
CREATE INDEX key_rotations_due ON key_rotations (switch_at) WHERE switch_at IS NOT NULL;
