-- Places in line (docs/adr/0010-turns.md). Twin: migrations/sqlite, same name. Older binaries keep working on this schema.

-- Receipts lie by activity, so that a fan-out writes pages one after another; what is owed is found by inbox, in turn.
ALTER TABLE deliveries ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;
ALTER TABLE deliveries DROP CONSTRAINT deliveries_pkey;
ALTER TABLE deliveries ADD PRIMARY KEY (activity_id, inbox_id);
DROP INDEX deliveries_of_activity;
DROP INDEX deliveries_open;
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
);

ALTER TABLE posts ADD COLUMN lane SMALLINT NOT NULL DEFAULT 2;
ALTER TABLE posts ADD COLUMN spread BIGINT NOT NULL DEFAULT 0;
