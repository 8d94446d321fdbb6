DROP TABLE uploads;
DROP TABLE client_requests;
DROP TABLE tokens;
