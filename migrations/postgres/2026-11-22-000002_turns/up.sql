-- Places in line (docs/adr/0010-turns.md). Twin: migrations/sqlite, same name. Older binaries keep working on this schema.

-- Receipts lie by activity, so that a fan-out writes pages one after another; what is owed is found by inbox, in turn.
ALTER TABLE deliveries ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;
-- What is owed or held stands at the head of the third lane, news: 2 * 2^60. Turns from 0 on are those of warnings.
UPDATE deliveries SET turn = 2305843009213693952 WHERE state IN (0, 4);
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
-- Who publishes asks for the first one after each.
CREATE INDEX posts_line ON posts (state, lane, id);

-- A process of the version before owes without turns, that is with 0. What it owes is news, and must not go before what its agency
-- owes that inbox already: its Update would overtake a Create of ours. Only on PostgreSQL are there two processes. To be dropped a
-- release later.
CREATE OR REPLACE FUNCTION turn_of_older_process() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.turn := COALESCE((
    SELECT MAX(d.turn) FROM deliveries d
      JOIN activities o ON o.id = d.activity_id JOIN actors p ON p.id = o.actor_id
      JOIN activities n ON n.id = NEW.activity_id JOIN actors q ON q.id = n.actor_id
      WHERE d.inbox_id = NEW.inbox_id AND d.state = 0 AND p.agency_id = q.agency_id), 2305843009213693952);
  RETURN NEW;
END $$;
CREATE TRIGGER turn_of_older_process BEFORE INSERT ON deliveries
  FOR EACH ROW WHEN (NEW.turn = 0) EXECUTE FUNCTION turn_of_older_process();
