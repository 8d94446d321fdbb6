DROP TABLE register_entries;
DROP TABLE registers;
DROP TABLE agency_organisations;
ALTER TABLE proofs DROP COLUMN steps;
ALTER TABLE proofs DROP COLUMN ends_at;
ALTER TABLE proofs DROP COLUMN level;
