DROP INDEX followers_host;
