// A real fediverse server of one actor, made with Fedify, driven by lines of JSON. For tests, on loopback only.
//
//   node follower.mjs [--port 0] [--name volger] [--certificate DIR] [--first-knock rfc9421|draft-cavage-http-signatures-12]
//                     [--origin https://localhost:N] [--silent-to-follows] [--log debug]
//
// With --certificate (what certificate.mjs wrote) it speaks https as https://localhost:PORT, otherwise http as
// http://127.0.0.1:PORT. To trust such a certificate of the gateway's: NODE_EXTRA_CA_CERTS=DIR/ca.pem.
// --origin: as which it is seen, when tls_proxy.mjs stands in front of it.
// It answers Follows with Accept, unless --silent-to-follows. --log debug: Fedify's own log on standard error.
//
// First line out:   {"event":"ready","url":"http://127.0.0.1:40001","actor":"…/users/volger","inbox":"…","sharedInbox":"…","acct":"acct:volger@…"}
//
// Commands in, one JSON object per line; every one is answered by {"answer":<do>,"n":<n of the command>,"ok":true,…} or
// {"answer":<do>,"n":…,"ok":false,"error":"…"}. They are done one after the other.
//
//   {"do":"lookup","resource":"acct:nieuws@localhost:8443"}   or an https URL → {"webfinger":{…},"object":{…},"raw":{…}}
//   {"do":"collection","url":"…/outbox","limit":20}           → {"totalItems":3,"items":[{"type":"Create","id":…,"object":…}]}
//   {"do":"nodeinfo","url":"https://localhost:8443/"}         → {"url":…,"nodeinfo":{…}}
//   {"do":"proof","document":{…}}                             FEP-8b32, judged by Fedify → {"verified":true,"controller":"https://…/ap/a/1"}
//   {"do":"follow","actor":"https://…/ap/a/1"}                → {"activity":id,"delivered":true,"attempts":[{"inbox":…,"status":202,"signature":"rfc9421"}]}
//   {"do":"unfollow","actor":…}                                 an Undo of that Follow; answer as above
//   {"do":"reply","to":"https://…/ap/o/7","content":"<p>…</p>","visibility":"public"|"direct"}
//                                                               Create{Note} with inReplyTo and a Mention of the author; "object" is the new note's id
//   {"do":"mention","actor":…,"content":…,"visibility":…}       Create{Note} with a Mention
//   {"do":"like","object":"https://…/ap/o/7"}
//        These five go to the actor's own inbox; with "shared":true to its shared inbox.
//   {"do":"tampered","actor":…,"how":"body","spec":"rfc9421","inbox":…}
//                                                               → {"attempts":[{"status":401,"signature":"rfc9421","answer":"…"}]}
//        how: body (altered after signing), unsigned, other-key (not the one published), stale (two days ago),
//        other-actor (signed by us, says to be somebody else), none (unaltered: the control, to be accepted).
//        spec: default is one attempt with each form of signature. inbox: default is the shared inbox.
//   {"do":"publish","content":…} {"do":"edit","note":…,"content":…} {"do":"withdraw","note":…}
//                                                               Create, Update, Delete to this peer's own followers
//   {"do":"quit"}                                               or close standard input
//
// When a knock with one form of signature is refused, Fedify tries the other: then "attempts" has two entries.
//
// Events out, whenever something arrives at an inbox:
//   {"event":"inbox","verified":true,"type":"Create","id":…,"actor":…,"shared":true,"to":[…],"cc":[…],"object":{…},
//    "status":202,"signature":"draft-cavage-http-signatures-12","path":"/inbox","raw":{…}}
//        Fedify verified the signature and the signer is the actor; "object" is what Fedify understood, "raw" the JSON as it came.
//   {"event":"repeated",…}   an activity id that this inbox has had before (Fedify answers 202 and does nothing)
//   {"event":"refused","verified":false,"status":401,"reason":"invalidSignature",…}
//   {"event":"problem","at":…,"error":…}   something went wrong in this peer itself

import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { configure, getStreamSink } from "@logtape/logtape";
import { startPeer } from "./peer.mjs";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: process.env.FOLLOWER_PORT ?? "0" },
    name: { type: "string", default: "volger" },
    certificate: { type: "string" },
    origin: { type: "string" },
    "first-knock": { type: "string", default: "rfc9421" },
    "silent-to-follows": { type: "boolean", default: false },
    log: { type: "string" },
  },
});

if (values.log !== undefined) {
  const stderr = new WritableStream({ write: (chunk) => void process.stderr.write(chunk) });
  await configure({
    sinks: { stderr: getStreamSink(stderr) },
    loggers: [
      { category: "fedify", sinks: ["stderr"], lowestLevel: values.log },
      { category: ["logtape", "meta"], sinks: ["stderr"], lowestLevel: "warning" },
    ],
  });
}

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

const peer = await startPeer({
  port: Number(values.port),
  name: values.name,
  certificate: values.certificate,
  origin: values.origin,
  firstKnock: values["first-knock"],
  acceptFollows: !values["silent-to-follows"],
  emit: say,
});

const COMMANDS = {
  lookup: ({ resource }) => peer.lookup(resource),
  collection: ({ url, limit }) => peer.collection(url, limit),
  nodeinfo: ({ url }) => peer.nodeinfo(url),
  proof: ({ document }) => peer.proof(document),
  follow: ({ actor, shared }) => peer.follow(actor, { shared }),
  unfollow: ({ actor, shared }) => peer.unfollow(actor, { shared }),
  reply: ({ to, content, visibility, shared }) => peer.reply(to, content, { visibility, shared }),
  mention: ({ actor, content, visibility, shared }) => peer.mention(actor, content, { visibility, shared }),
  like: ({ object, shared }) => peer.like(object, { shared }),
  tampered: ({ actor, how, spec, inbox }) => peer.tampered(actor, { how, spec, inbox }),
  publish: ({ content }) => peer.publish(content),
  edit: ({ note, content }) => peer.edit(note, content),
  withdraw: ({ note }) => peer.withdraw(note),
};

const { object } = await peer.lookup(peer.actorId);
say({
  event: "ready",
  url: peer.origin,
  actor: peer.actorId,
  inbox: object.inbox,
  sharedInbox: object.sharedInbox,
  acct: `acct:${peer.name}@${new URL(peer.origin).host}`,
});

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === "") continue;
  const done = await obey(line);
  if (done === "quit") break;
}
process.exit(0); // and with it the server, whatever its connections are doing

async function obey(line) {
  let command = {};
  try {
    command = JSON.parse(line);
    if (command.do === "quit") {
      say({ answer: "quit", n: command.n, ok: true });
      return "quit";
    }
    const act = COMMANDS[command.do];
    if (act === undefined) throw new Error(`unknown command; known: ${Object.keys(COMMANDS).join(", ")}, quit`);
    say({ answer: command.do, n: command.n, ok: true, ...await act(command) });
  } catch (error) {
    say({ answer: command.do ?? null, n: command.n, ok: false, error: error.message });
  }
  return "next";
}
