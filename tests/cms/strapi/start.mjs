// A real Strapi on loopback:   node start.mjs DIR DATABASE_URL
//
// DIR is made, DATABASE_URL is an empty PostgreSQL database. Prints one line when it serves, and ends when its standard input does:
//   {"event":"ready","url":"http://127.0.0.1:N","version":"5.54.0","admin":"…","token":"…"}
// `admin` is the bearer token of an editor for the API that the panel uses, `token` one that may only read press releases.
//
// Strapi's panel is neither built nor served, and nothing is sent off the machine: no telemetry, no look for updates, no licence.

import { cpSync, readFileSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import "../quiet.mjs";

const [dir, database] = process.argv.slice(2);
if (!database) {
  console.error("usage: node start.mjs DIR DATABASE_URL");
  process.exit(2);
}
const here = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const app = resolve(dir);
cpSync(join(here, "app"), app, { recursive: true });
symlinkSync(join(here, "node_modules"), join(app, "node_modules"));
process.chdir(app);
Object.assign(process.env, {
  // In production it refuses webhooks to addresses inside the network.
  NODE_ENV: "development",
  STRAPI_TELEMETRY_DISABLED: "true",
  HERAUT_TEST_DATABASE: database,
});
process.noDeprecation = true;
process.stdin.on("end", () => process.exit(0)).resume();

const { createStrapi } = createRequire(join(app, "package.json"))("@strapi/core");
const strapi = await createStrapi({ appDir: app, distDir: app, autoReload: false, serveAdminPanel: false }).start();
const url = `http://127.0.0.1:${strapi.server.httpServer.address().port}`;

// What the panel asks for when it is opened for the first time.
const ask = async (path, data, bearer) => {
  const headers = { "content-type": "application/json", ...(bearer && { authorization: `Bearer ${bearer}` }) };
  const reply = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(data) });
  if (!reply.ok) throw new Error(`${path}: ${reply.status} ${await reply.text()}`);
  return (await reply.json()).data;
};
const person = { firstname: "Rina", lastname: "Redacteur", email: "redactie@voorbeeldstad.example", password: "Redactie123" };
const { token: admin } = await ask("/admin/register-admin", person);
await ask("/i18n/locales", { name: "Nederlands", code: "nl", isDefault: true }, admin);
const permissions = ["find", "findOne"].map((action) => `api::press-release.press-release.${action}`);
const { accessKey: token } = await ask("/admin/api-tokens", { name: "heraut", description: "", type: "custom", permissions, lifespan: null }, admin);
const { version } = JSON.parse(readFileSync(join(here, "node_modules/@strapi/core/package.json")));
console.log(JSON.stringify({ event: "ready", url, version, admin, token }));
