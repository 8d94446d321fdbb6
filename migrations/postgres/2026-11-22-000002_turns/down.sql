DROP TRIGGER turn_of_older_process ON deliveries;
DROP FUNCTION turn_of_older_process;
DROP INDEX deliveries_owed;
DROP INDEX deliveries_held;
ALTER TABLE deliveries DROP CONSTRAINT deliveries_pkey;
ALTER TABLE deliveries ADD PRIMARY KEY (inbox_id, activity_id);
ALTER TABLE deliveries DROP COLUMN turn;
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
