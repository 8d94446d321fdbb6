-- What hosts have shown of the signatures that they take (docs/adr/0016-two-signatures.md). One without a row, or whose row does
-- not hold any more, is sent what every host takes.
-- scheme: 0 draft-cavage, 1 RFC 9421 with RSA, 2 RFC 9421 with Ed25519.
CREATE TABLE host_signatures (
  host TEXT NOT NULL PRIMARY KEY,
  scheme SMALLINT NOT NULL,
  shown_by TEXT NOT NULL,
  shown_at BIGINT NOT NULL,
  holds_until BIGINT NOT NULL,
  refused_at BIGINT
);
