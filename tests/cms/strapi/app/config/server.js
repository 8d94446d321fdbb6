"use strict";

module.exports = {
  host: "127.0.0.1",
  port: 0,
  app: { keys: ["one key of the test", "another key of the test"] },
  logger: { updates: { enabled: false }, startup: { enabled: false } },
};
