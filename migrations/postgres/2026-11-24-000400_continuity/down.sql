DROP TRIGGER public_version_of_continuity ON actor_continuity;
DROP TRIGGER public_version_of_new_continuity ON actor_continuity;
DROP TABLE former_handles;
DROP TABLE actor_continuity;
