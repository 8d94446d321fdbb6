"use strict";

module.exports = {
  connection: { client: "postgres", connection: { connectionString: process.env.HERAUT_TEST_DATABASE }, pool: { min: 0, max: 5 } },
};
