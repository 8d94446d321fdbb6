DROP TRIGGER public_version_of_new_pin;
DROP TRIGGER public_version_of_gone_pin;
DROP TABLE quote_requests;
DROP TABLE pins;
