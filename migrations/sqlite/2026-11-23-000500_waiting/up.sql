-- How much of each source waits is counted for every request that comes in.
CREATE INDEX hook_deliveries_waiting_of ON hook_deliveries (source_id) WHERE state = 0;
