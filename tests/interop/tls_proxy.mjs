// A TLS-terminating reverse proxy in front of a plain-http server on loopback, as an operator's nginx would be.
//
//   node tls_proxy.mjs --to 127.0.0.1:8080 --certificate DIR [--listen 0]
//
// DIR is what certificate.mjs wrote. Prints {"event":"ready","port":N,"url":"https://localhost:N"} once it listens. It may be
// started before the server behind it: until that one answers, clients get 502. Host is passed on as the client sent it,
// X-Forwarded-For and X-Forwarded-Proto are set (never taken from the client), bodies are streamed. Ends when stdin closes.

import { readFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:https";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { to: { type: "string" }, certificate: { type: "string" }, listen: { type: "string", default: "0" } },
});
if (values.to === undefined || values.certificate === undefined) {
  console.error("usage: node tls_proxy.mjs --to 127.0.0.1:PORT --certificate DIR [--listen PORT]");
  process.exit(2);
}
const upstream = new URL(`http://${values.to}`);

const server = createServer({
  cert: readFileSync(join(values.certificate, "server.pem")),
  key: readFileSync(join(values.certificate, "server.key")),
}, forward);

function forward(incoming, answer) {
  const headers = { ...incoming.headers };
  headers["x-forwarded-for"] = incoming.socket.remoteAddress;
  headers["x-forwarded-proto"] = "https";
  const outgoing = request(
    { host: upstream.hostname, port: upstream.port, method: incoming.method, path: incoming.url, headers },
    (response) => {
      answer.writeHead(response.statusCode, response.rawHeaders);
      response.pipe(answer);
    },
  );
  outgoing.on("error", (error) => {
    if (answer.headersSent) return answer.destroy();
    answer.writeHead(502, { "Content-Type": "text/plain" });
    answer.end(`tls_proxy: nothing usable at ${upstream.host}: ${error.message}\n`);
  });
  answer.on("close", () => outgoing.destroy());
  incoming.pipe(outgoing);
}

server.listen(Number(values.listen), "127.0.0.1", () => {
  const { port } = server.address();
  console.log(JSON.stringify({ event: "ready", port, url: `https://localhost:${port}` }));
});
process.stdin.on("end", () => process.exit(0)).resume();
