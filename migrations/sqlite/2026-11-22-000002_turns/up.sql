-- Places in line (docs/adr/0010-turns.md). Twin: migrations/postgres, same name. Older binaries keep working on this schema.

-- Receipts lie by activity, so that a fan-out writes pages one after another; what is owed is found by inbox, in turn.
CREATE TABLE new_deliveries (
  activity_id BIGINT NOT NULL REFERENCES activities (id),
  inbox_id BIGINT NOT NULL REFERENCES inboxes (id),
  turn BIGINT NOT NULL DEFAULT 0,
  state SMALLINT NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  status INTEGER,
  error TEXT,
  created_at BIGINT NOT NULL,
  settled_at BIGINT,
  PRIMARY KEY (activity_id, inbox_id)
) WITHOUT ROWID;
-- What is owed or held stands at the head of the third lane, news: 2 * 2^60. Turns from 0 on are those of warnings.
INSERT INTO new_deliveries (activity_id, inbox_id, turn, state, attempts, status, error, created_at, settled_at)
  SELECT activity_id, inbox_id, CASE WHEN state IN (0, 4) THEN 2305843009213693952 ELSE 0 END, state, attempts, status, error,
    created_at, settled_at FROM deliveries ORDER BY activity_id, inbox_id;
DROP TABLE deliveries;
ALTER TABLE new_deliveries RENAME TO deliveries;
CREATE INDEX deliveries_owed ON deliveries (inbox_id, turn) WHERE state = 0;
CREATE INDEX deliveries_held ON deliveries (activity_id, inbox_id) WHERE state = 4;

-- Not null while the inbox waits in line; null when nothing is owed, while it is leased, and while it waits for due_at.
ALTER TABLE inboxes ADD COLUMN turn BIGINT;
CREATE INDEX inboxes_line ON inboxes (turn) WHERE turn IS NOT NULL;
CREATE INDEX inboxes_timed ON inboxes (due_at) WHERE turn IS NULL AND due_at IS NOT NULL;
DROP INDEX inboxes_due;

-- Per agency and lane, the place after its last delivery. Agency 0: the place that is served now.
CREATE TABLE turns (
  agency_id BIGINT NOT NULL,
  lane SMALLINT NOT NULL,
  next BIGINT NOT NULL,
  PRIMARY KEY (agency_id, lane)
) WITHOUT ROWID;

ALTER TABLE posts ADD COLUMN lane SMALLINT NOT NULL DEFAULT 2;
ALTER TABLE posts ADD COLUMN spread BIGINT NOT NULL DEFAULT 0;
-- Who publishes asks for the first one after each.
CREATE INDEX posts_line ON posts (state, lane, id);
