DROP TABLE relay_announcements;
DROP TABLE relay_agencies;
DROP TABLE relays;
