-- One number per actor that grows with every change of what the public can read of it; actor 0 stands for what is of no one
-- actor. Triggers, so that no writer can forget it, an older binary included (docs/adr/0008-kept-answers.md).
-- Two plain statements each: an ON CONFLICT of the statement that fires a trigger would take the place of one in its body.

CREATE TABLE public_versions (
  actor_id INTEGER NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL
);

CREATE TRIGGER public_version_of_new_post AFTER INSERT ON posts
WHEN NEW.state IN ('published', 'withdrawn') BEGIN
  INSERT INTO public_versions (actor_id, version) SELECT NEW.actor_id, 0
    WHERE NOT EXISTS (SELECT 1 FROM public_versions WHERE actor_id = NEW.actor_id);
  UPDATE public_versions SET version = version + 1 WHERE actor_id = NEW.actor_id;
END;

CREATE TRIGGER public_version_of_post AFTER UPDATE ON posts
WHEN OLD.state IN ('published', 'withdrawn') OR NEW.state IN ('published', 'withdrawn') BEGIN
  INSERT INTO public_versions (actor_id, version) SELECT NEW.actor_id, 0
    WHERE NOT EXISTS (SELECT 1 FROM public_versions WHERE actor_id = NEW.actor_id);
  UPDATE public_versions SET version = version + 1 WHERE actor_id = NEW.actor_id;
END;

CREATE TRIGGER public_version_of_gone_post AFTER DELETE ON posts BEGIN
  INSERT INTO public_versions (actor_id, version) SELECT OLD.actor_id, 0
    WHERE NOT EXISTS (SELECT 1 FROM public_versions WHERE actor_id = OLD.actor_id);
  UPDATE public_versions SET version = version + 1 WHERE actor_id = OLD.actor_id;
END;

CREATE TRIGGER public_version_of_new_actor AFTER INSERT ON actors BEGIN
  INSERT INTO public_versions (actor_id, version) SELECT NEW.id, 0
    WHERE NOT EXISTS (SELECT 1 FROM public_versions WHERE actor_id = NEW.id);
  UPDATE public_versions SET version = version + 1 WHERE actor_id = NEW.id;
END;

CREATE TRIGGER public_version_of_actor AFTER UPDATE ON actors BEGIN
  INSERT INTO public_versions (actor_id, version) SELECT NEW.id, 0
    WHERE NOT EXISTS (SELECT 1 FROM public_versions WHERE actor_id = NEW.id);
  UPDATE public_versions SET version = version + 1 WHERE actor_id = NEW.id;
END;

CREATE TRIGGER public_version_of_key AFTER UPDATE ON actor_keys BEGIN
  INSERT INTO public_versions (actor_id, version) SELECT COALESCE(NEW.actor_id, 0), 0
    WHERE NOT EXISTS (SELECT 1 FROM public_versions WHERE actor_id = COALESCE(NEW.actor_id, 0));
  UPDATE public_versions SET version = version + 1 WHERE actor_id = COALESCE(NEW.actor_id, 0);
END;

CREATE TRIGGER public_version_of_agency AFTER UPDATE ON agencies
WHEN NEW.name <> OLD.name OR NEW.domain <> OLD.domain BEGIN
  INSERT INTO public_versions (actor_id, version) SELECT 0, 0
    WHERE NOT EXISTS (SELECT 1 FROM public_versions WHERE actor_id = 0);
  UPDATE public_versions SET version = version + 1 WHERE actor_id = 0;
END;

CREATE TRIGGER public_version_of_proof AFTER UPDATE ON proofs
WHEN NEW.evidence IS NOT OLD.evidence OR NEW.held_at IS NOT OLD.held_at OR NEW.checked_at IS NOT OLD.checked_at
  OR NEW.failure IS NOT OLD.failure BEGIN
  INSERT INTO public_versions (actor_id, version) SELECT NEW.actor_id, 0
    WHERE NOT EXISTS (SELECT 1 FROM public_versions WHERE actor_id = NEW.actor_id);
  UPDATE public_versions SET version = version + 1 WHERE actor_id = NEW.actor_id;
END;
