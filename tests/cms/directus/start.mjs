// A real Directus on loopback:   node start.mjs DIR DATABASE_URL
//
// DIR is made, DATABASE_URL is an empty PostgreSQL database. Prints one line when it serves, and ends when its standard input does:
//   {"event":"ready","url":"http://127.0.0.1:N","version":"10.13.4","admin":"…","token":"…"}
// `admin` is a bearer token of an administrator, `token` one that may only read the collection `news` and the files.
//
// Its app is not there, and nothing is sent off the machine: no telemetry, no look for updates.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import Module, { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import "../quiet.mjs";

const [dir, database] = process.argv.slice(2);
if (!database) {
  console.error("usage: node start.mjs DIR DATABASE_URL");
  process.exit(2);
}
process.noDeprecation = true;
process.stdin.on("end", () => process.exit(0)).resume();
const here = fileURLToPath(new URL(".", import.meta.url));
const home = resolve(dir);
mkdirSync(join(home, "uploads"), { recursive: true });
mkdirSync(join(home, "extensions"));
writeFileSync(join(home, "package.json"), "{}\n");
process.chdir(home);

const port = await new Promise((found) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port: free } = server.address();
    server.close(() => found(free));
  });
});
const url = `http://127.0.0.1:${port}`;
const admin = "a-token-of-the-administrator";
Object.assign(process.env, {
  DB_CLIENT: "pg",
  DB_CONNECTION_STRING: database,
  HOST: "127.0.0.1",
  PORT: `${port}`,
  PUBLIC_URL: url,
  KEY: "a key of the test",
  SECRET: "a secret of the test",
  ADMIN_EMAIL: "redactie@example.org",
  ADMIN_PASSWORD: "Redactie123",
  ADMIN_TOKEN: admin,
  TELEMETRY: "false",
  SERVE_APP: "false",
  STORAGE_LOCAL_ROOT: join(home, "uploads"),
  EXTENSIONS_PATH: join(home, "extensions"),
  // Otherwise its flows do not speak to the machine that they run on.
  IMPORT_IP_DENY_LIST: "",
  // On a busy machine it would answer 503 to who sets it up.
  PRESSURE_LIMITER_ENABLED: "false",
  LOG_LEVEL: "error",
  LOG_STYLE: "raw",
});

const api = join(here, "node_modules/@directus/api/dist");
const quiet = ["--no-deprecation", "--import", new URL("../quiet.mjs", import.meta.url).href];
execFileSync(process.execPath, [...quiet, join(api, "cli/run.js"), "bootstrap"], { stdio: ["ignore", "ignore", "inherit"] });

const { _resolveFilename: found } = Module;
Module._resolveFilename = (name, ...rest) => (name === "isolated-vm" ? join(here, "sandbox.cjs") : found(name, ...rest));
await import(join(api, "start.js"));

const ask = async (path, data) => {
  const headers = { authorization: `Bearer ${admin}`, "content-type": "application/json" };
  const reply = await fetch(url + path, { method: data ? "POST" : "GET", headers, body: data && JSON.stringify(data) });
  if (!reply.ok) throw new Error(`${path}: ${reply.status} ${await reply.text()}`);
  return (await reply.json().catch(() => ({}))).data;
};
for (;;) {
  if (await fetch(`${url}/server/ping`).then((reply) => reply.ok, () => false)) break;
  await new Promise((later) => setTimeout(later, 50));
}

// The collection, as its editor would make it: a status, dates that Directus keeps, a picture.
const field = (name, type, special) => ({ field: name, type, meta: { special: special ? [special] : null } });
await ask("/collections", {
  collection: "news",
  schema: {},
  meta: { singleton: false },
  fields: [
    { field: "id", type: "integer", schema: { is_primary_key: true, has_auto_increment: true } },
    { ...field("status", "string"), schema: { default_value: "draft" } },
    field("slug", "string"),
    field("title", "string"),
    field("summary", "text"),
    field("body", "text"),
    field("language", "string"),
    field("tags", "json", "cast-json"),
    field("date_created", "timestamp", "date-created"),
    field("date_updated", "timestamp", "date-updated"),
    field("image", "uuid", "file"),
  ],
});
await ask("/relations", { collection: "news", field: "image", related_collection: "directus_files" });
const role = await ask("/roles", { name: "Heraut" });
const token = "a-token-that-may-read-the-news";
await ask("/users", { email: "heraut@example.org", password: "Heraut12345", role: role.id, token });
for (const [who, collection] of [[role.id, "news"], [role.id, "directus_files"], [null, "directus_files"]]) {
  await ask("/permissions", { role: who, collection, action: "read", permissions: {}, fields: ["*"] });
}
const { version } = createRequire(join(here, "package.json"))("directus/package.json");
console.log(JSON.stringify({ event: "ready", url, version, admin, token }));
