DROP TRIGGER public_version_of_new_pin ON pins;
DROP TRIGGER public_version_of_gone_pin ON pins;
DROP TABLE quote_requests;
DROP TABLE pins;
