"use strict";

// The panel is not built: what an editor does there is asked of the API that it uses.
module.exports = {
  serveAdminPanel: false,
  autoOpen: false,
  watchIgnoreFiles: [],
  auth: { secret: "a secret of the test that signs sessions" },
  apiToken: { salt: "a salt of the test" },
  transfer: { token: { salt: "another salt of the test" } },
  secrets: { encryptionKey: "0123456789abcdef0123456789abcdef" },
  flags: { nps: false, promoteEE: false },
};
