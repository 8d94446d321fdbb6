// Makes a throwaway certificate authority and a server certificate for loopback.
//
//   node certificate.mjs DIR [more.host.names …]
//
// Writes DIR/ca.pem (to be trusted: NODE_EXTRA_CA_CERTS, net.extra_ca_file), DIR/server.pem (certificate and chain) and
// DIR/server.key, valid for a day, for localhost, 127.0.0.1 and the names given. The authority's own key is not kept.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Writes the three files into `dir` and returns their paths. */
export function makeCertificate(dir, names = []) {
  mkdirSync(dir, { recursive: true });
  const scratch = mkdtempSync(join(tmpdir(), "heraut-ca-"));
  try {
    const caKey = join(scratch, "ca.key");
    const request = join(scratch, "server.csr");
    const extensions = join(scratch, "server.ext");
    const paths = { ca: join(dir, "ca.pem"), certificate: join(dir, "server.pem"), key: join(dir, "server.key") };
    const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

    openssl("req", "-x509", ...newKey, "-keyout", caKey, "-out", paths.ca, "-days", "1", "-subj", "/CN=Heraut test CA",
      "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign");
    openssl("req", ...newKey, "-keyout", paths.key, "-out", request, "-subj", "/CN=localhost");
    const subjects = ["DNS:localhost", "IP:127.0.0.1", ...names.map((name) => `DNS:${name}`)].join(",");
    writeFileSync(extensions, `basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=${subjects}\n`);
    openssl("x509", "-req", "-in", request, "-CA", paths.ca, "-CAkey", caKey, "-CAcreateserial", "-days", "1",
      "-extfile", extensions, "-out", paths.certificate);
    writeFileSync(paths.certificate, readFileSync(paths.certificate, "utf8") + readFileSync(paths.ca, "utf8"));
    return paths;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function openssl(...args) {
  try {
    execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
  } catch (error) {
    throw new Error(`openssl ${args[0]} failed: ${error.stderr ?? error.message}`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [dir, ...names] = process.argv.slice(2);
  if (dir === undefined) {
    console.error("usage: node certificate.mjs DIR [more.host.names …]");
    process.exit(2);
  }
  console.log(JSON.stringify(makeCertificate(dir, names)));
}
