DROP TABLE target_deliveries;
DROP TABLE target_posts;
DROP TABLE targets;
