-- The root under which new actors of an agency get their ids; null is server.public_url (docs/adr/0018-own-hosts-and-continuity.md).
ALTER TABLE agencies ADD COLUMN host TEXT;
