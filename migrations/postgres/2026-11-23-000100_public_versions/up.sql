-- One number per actor that grows with every change of what the public can read of it; actor 0 stands for what is of no one
-- actor. Triggers, so that no writer can forget it, an older binary included (docs/adr/0008-kept-answers.md). A row per actor
-- and not one for all: the row stays locked until its transaction ends, and agencies must not wait for each other.

CREATE TABLE public_versions (
  actor_id BIGINT NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL
);

CREATE OR REPLACE FUNCTION public_version_grows() RETURNS TRIGGER AS $$
DECLARE
  whose BIGINT;
BEGIN
  whose := CASE TG_ARGV[0]
    WHEN 'old' THEN (to_jsonb(OLD) ->> TG_ARGV[1])::BIGINT
    WHEN 'new' THEN (to_jsonb(NEW) ->> TG_ARGV[1])::BIGINT
  END;
  INSERT INTO public_versions (actor_id, version) VALUES (COALESCE(whose, 0), 1)
    ON CONFLICT (actor_id) DO UPDATE SET version = public_versions.version + 1;
  RETURN NULL;
END
$$ LANGUAGE plpgsql;

CREATE TRIGGER public_version_of_new_post AFTER INSERT ON posts FOR EACH ROW
  WHEN (NEW.state IN ('published', 'withdrawn')) EXECUTE FUNCTION public_version_grows('new', 'actor_id');
CREATE TRIGGER public_version_of_post AFTER UPDATE ON posts FOR EACH ROW
  WHEN (OLD.state IN ('published', 'withdrawn') OR NEW.state IN ('published', 'withdrawn'))
  EXECUTE FUNCTION public_version_grows('new', 'actor_id');
CREATE TRIGGER public_version_of_gone_post AFTER DELETE ON posts FOR EACH ROW
  EXECUTE FUNCTION public_version_grows('old', 'actor_id');
CREATE TRIGGER public_version_of_new_actor AFTER INSERT ON actors FOR EACH ROW
  EXECUTE FUNCTION public_version_grows('new', 'id');
CREATE TRIGGER public_version_of_actor AFTER UPDATE ON actors FOR EACH ROW
  EXECUTE FUNCTION public_version_grows('new', 'id');
CREATE TRIGGER public_version_of_key AFTER UPDATE ON actor_keys FOR EACH ROW
  EXECUTE FUNCTION public_version_grows('new', 'actor_id');
CREATE TRIGGER public_version_of_agency AFTER UPDATE ON agencies FOR EACH ROW
  WHEN (NEW.name <> OLD.name OR NEW.domain <> OLD.domain) EXECUTE FUNCTION public_version_grows('none', '');
CREATE TRIGGER public_version_of_proof AFTER UPDATE ON proofs FOR EACH ROW
  WHEN (NEW.evidence IS DISTINCT FROM OLD.evidence OR NEW.held_at IS DISTINCT FROM OLD.held_at
    OR NEW.checked_at IS DISTINCT FROM OLD.checked_at OR NEW.failure IS DISTINCT FROM OLD.failure)
  EXECUTE FUNCTION public_version_grows('new', 'actor_id');
