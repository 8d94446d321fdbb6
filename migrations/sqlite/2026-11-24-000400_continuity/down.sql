DROP TRIGGER public_version_of_continuity;
DROP TRIGGER public_version_of_new_continuity;
DROP TABLE former_handles;
DROP TABLE actor_continuity;
