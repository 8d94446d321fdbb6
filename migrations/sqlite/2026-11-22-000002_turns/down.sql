CREATE TABLE old_deliveries (
  inbox_id BIGINT NOT NULL REFERENCES inboxes (id),
  activity_id BIGINT NOT NULL REFERENCES activities (id),
  state SMALLINT NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  status INTEGER,
  error TEXT,
  created_at BIGINT NOT NULL,
  settled_at BIGINT,
  PRIMARY KEY (inbox_id, activity_id)
) WITHOUT ROWID;
INSERT INTO old_deliveries SELECT inbox_id, activity_id, state, attempts, status, error, created_at, settled_at FROM deliveries;
DROP TABLE deliveries;
ALTER TABLE old_deliveries RENAME TO deliveries;
CREATE INDEX deliveries_of_activity ON deliveries (activity_id);
CREATE INDEX deliveries_open ON deliveries (inbox_id, activity_id) WHERE state IN (0, 4);

DROP INDEX inboxes_line;
DROP INDEX inboxes_timed;
ALTER TABLE inboxes DROP COLUMN turn;
CREATE INDEX inboxes_due ON inboxes (due_at) WHERE due_at IS NOT NULL;
DROP TABLE turns;
DROP INDEX posts_line;
ALTER TABLE posts DROP COLUMN lane;
ALTER TABLE posts DROP COLUMN spread;
