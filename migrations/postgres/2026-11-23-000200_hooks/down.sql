DROP TABLE hook_deliveries;
DROP TABLE hooks;
DROP TABLE source_secrets;
