// Shows that the peers themselves are good, before a gateway is judged by them: two followers talk to each other,
// over http and over https behind the proxy, and refuse each other's forgeries.   node --test selftest.mjs

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { request } from "node:https";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { makeCertificate } from "./certificate.mjs";
import { start } from "./driver.mjs";

const CAVAGE = "draft-cavage-http-signatures-12";
const scratch = mkdtempSync(join(tmpdir(), "heraut-interop-"));
after(() => rmSync(scratch, { recursive: true }));

describe("two Fedify peers over plain http", () => {
  let agency;
  let citizen;
  let note;
  before(async () => {
    [agency, citizen] = await Promise.all([
      start("follower.mjs", ["--name", "gemeente"]),
      start("follower.mjs", ["--name", "burger", "--first-knock", CAVAGE]),
    ]);
  });
  after(async () => {
    await citizen.stop();
    await agency.stop();
  });

  test("a follow is verified and accepted", async () => {
    const answer = await citizen.tell({ do: "follow", actor: agency.ready.actor });
    assert.deepEqual(answer.attempts.map(({ status, signature }) => [status, signature]), [[202, CAVAGE]]);
    const follow = await agency.arrival("Follow");
    assert.equal(follow.actor, citizen.ready.actor);
    assert.equal(follow.signature, CAVAGE);
    const accept = await citizen.arrival("Accept");
    assert.equal(accept.actor, agency.ready.actor);
    assert.deepEqual([accept.object.type, accept.object.id], ["Follow", answer.activity]);
    assert.deepEqual([follow.shared, accept.shared], [false, false]);
    assert.equal(accept.signature, "rfc9421");
    assert.equal(accept.verified, true);
  });

  test("a post reaches the follower's shared inbox and is read by Fedify", async () => {
    note = (await agency.tell({ do: "publish", content: "<p>De brug is dicht.</p>" })).note;
    const create = await citizen.arrival("Create");
    assert.equal(create.shared, true);
    assert.equal(create.object.id, note);
    assert.equal(create.object.content, "<p>De brug is dicht.</p>");
    assert.equal(create.object.attributedTo, agency.ready.actor);
    assert.equal(create.raw.object.type, "Note");
  });

  test("an edit arrives as Update with a later date", async () => {
    await agency.tell({ do: "edit", note, content: "<p>De brug is weer open.</p>" });
    const update = await citizen.arrival("Update");
    assert.equal(update.object.id, note);
    assert.equal(update.object.content, "<p>De brug is weer open.</p>");
    assert.ok(update.object.updated > update.object.published);
  });

  test("a reply and a like arrive, each with what they are about", async () => {
    const { object, delivered } = await citizen.tell({ do: "reply", to: note, content: "<p>Hoe laat?</p>" });
    assert.equal(delivered, true);
    const reply = await agency.arrival("Create");
    assert.equal(reply.object.id, object);
    assert.equal(reply.object.inReplyTo, note);
    assert.deepEqual(reply.object.tags.map(({ type, href }) => [type, href]), [["Mention", agency.ready.actor]]);
    await citizen.tell({ do: "like", object: note, shared: true });
    const like = await agency.arrival("Like");
    assert.deepEqual([like.object.id, like.shared], [note, true]);
  });

  test("a withdrawn post arrives as Delete with a Tombstone, and its page is gone", async () => {
    await agency.tell({ do: "withdraw", note });
    const gone = await citizen.arrival("Delete");
    assert.deepEqual([gone.object.type, gone.object.id], ["Tombstone", note]);
    assert.equal((await citizen.ask({ do: "lookup", resource: note })).ok, false);
  });

  for (const how of ["body", "unsigned", "other-key", "stale", "other-actor"]) {
    test(`a forgery is refused with 401, with either form of signature: ${how}`, async () => {
      const { attempts } = await citizen.tell({ do: "tampered", actor: agency.ready.actor, how });
      assert.deepEqual(attempts.map(({ status, signature }) => [status, signature]), [[401, CAVAGE], [401, "rfc9421"]]);
      for (const { signature } of attempts) {
        const refused = await agency.next((message) => message.event === "refused" && message.id !== null);
        assert.deepEqual([refused.verified, refused.status, refused.type], [false, 401, "Create"]);
        assert.equal(refused.signature, how === "unsigned" ? null : signature);
      }
    });
  }

  test("the same request unaltered is accepted, so the refusals above are about the forgery", async () => {
    const { attempts } = await citizen.tell({ do: "tampered", actor: agency.ready.actor, how: "none" });
    assert.deepEqual(attempts.map(({ status }) => status), [202, 202]);
    for (const _ of attempts) assert.equal((await agency.arrival("Create")).object.content, "<p>signed content</p>");
  });

  test("after an unfollow nothing arrives any more", async () => {
    await citizen.tell({ do: "unfollow", actor: agency.ready.actor });
    assert.equal((await agency.arrival("Undo")).object.type, "Follow");
    const { attempts } = await agency.tell({ do: "publish", content: "<p>Niemand leest dit.</p>" });
    assert.deepEqual(attempts, []);
  });

  test("a command that fails says so", async () => {
    assert.match((await citizen.ask({ do: "dance" })).error, /unknown command/);
    assert.match((await citizen.ask({ do: "follow", actor: "http://127.0.0.1:1/nobody" })).error, /gave no actor/);
  });
});

test("an acct: handle behind the TLS proxy is found, followed, verified, and refuses forgeries", async () => {
  const { ca } = makeCertificate(scratch);
  const behind = await freePort();
  const proxy = await start("tls_proxy.mjs", ["--to", `127.0.0.1:${behind}`, "--certificate", scratch]);
  const [agency, citizen] = await Promise.all([
    start("follower.mjs", ["--name", "gemeente", "--port", `${behind}`, "--origin", proxy.ready.url], { ca }),
    start("follower.mjs", ["--name", "burger", "--certificate", scratch], { ca }),
  ]);
  try {
    assert.equal(agency.ready.acct, `acct:gemeente@localhost:${proxy.ready.port}`);
    const found = await citizen.tell({ do: "lookup", resource: agency.ready.acct });
    assert.equal(found.webfinger.subject, agency.ready.acct);
    assert.equal(found.object.id, agency.ready.actor);
    await citizen.tell({ do: "follow", actor: agency.ready.actor });
    assert.equal((await citizen.arrival("Accept")).verified, true);
    const { totalItems, items } = await citizen.tell({ do: "collection", url: `${agency.ready.actor}/followers` });
    assert.deepEqual([totalItems, items.length], [null, 1]);
    const statuses = async (how) => {
      const { attempts } = await citizen.tell({ do: "tampered", actor: agency.ready.actor, how });
      return attempts.map(({ status }) => status);
    };
    assert.deepEqual([await statuses("none"), await statuses("body")], [[202, 202], [401, 401]]);
  } finally {
    await citizen.stop();
    await agency.stop();
    await proxy.stop();
  }
});

test("without the certificate authority nothing is found", async () => {
  const { ca } = makeCertificate(scratch);
  const [agency, citizen] = await Promise.all([
    start("follower.mjs", ["--certificate", scratch], { ca }),
    start("follower.mjs"),
  ]);
  try {
    assert.equal((await citizen.ask({ do: "lookup", resource: agency.ready.acct })).ok, false);
  } finally {
    await citizen.stop();
    await agency.stop();
  }
});

test("the TLS proxy keeps Host, tells who calls, streams bodies, and answers 502 while nothing is behind it", async () => {
  const { ca } = makeCertificate(scratch);
  const behind = createServer((incoming, answer) => {
    answer.setHeader("Seen", JSON.stringify([incoming.headers.host, incoming.headers["x-forwarded-proto"], incoming.headers["x-forwarded-for"]]));
    incoming.pipe(answer);
  });
  const { port } = await new Promise((resolve) => behind.listen(0, "127.0.0.1", () => resolve(behind.address())));
  const proxy = await start("tls_proxy.mjs", ["--to", `127.0.0.1:${port}`, "--certificate", scratch]);
  try {
    const body = "x".repeat(300_000);
    const { headers, text } = await fetchTrusting(ca, `${proxy.ready.url}/echo?a=1`, body);
    assert.equal(text, body);
    assert.deepEqual(JSON.parse(headers.seen), [`localhost:${proxy.ready.port}`, "https", "127.0.0.1"]);
    behind.close();
    behind.closeAllConnections();
    assert.equal((await fetchTrusting(ca, proxy.ready.url, "")).status, 502);
  } finally {
    behind.close();
    await proxy.stop();
  }
});

async function freePort() {
  const probe = createServer();
  const { port } = await new Promise((resolve) => probe.listen(0, "127.0.0.1", () => resolve(probe.address())));
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function fetchTrusting(ca, url, body) {
  return await new Promise((resolve, reject) => {
    const call = request(url, { method: "POST", ca: readFileSync(ca), headers: { "X-Forwarded-For": "203.0.113.9" } }, async (response) => {
      let text = "";
      for await (const chunk of response.setEncoding("utf8")) text += chunk;
      resolve({ status: response.statusCode, headers: response.headers, text });
    });
    call.on("error", reject);
    call.end(body);
  });
}
