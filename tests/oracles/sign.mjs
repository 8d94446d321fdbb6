// Signs webhooks with the libraries of their vendors, from npm: the gateway is judged by what those make.
//
// Each line of standard input is a command; the answer has its number `n`:
//   {"do":"sign","n":1,"by":"@sanity/webhook","secret":"…","path":"/hooks/x","id":"…","at_ms":0,"events":[{…}],"mode":"structured"}
//   {"answer":"sign","n":1,"ok":true,"headers":{…},"body":"…"}
// `events` are the attributes and data of CloudEvents, put into HTTP by the library of CloudEvents: `structured`, `binary` or `batch`.

import { createInterface } from "node:readline";
import { signRequest } from "@contentful/node-apps-toolkit";
import { signatureHelper } from "@kontent-ai/webhook-helper";
import { sign } from "@octokit/webhooks-methods";
import { encodeSignatureHeader, SIGNATURE_HEADER_NAME } from "@sanity/webhook";
import { CloudEvent, HTTP } from "cloudevents";
import { Webhook } from "standardwebhooks";

const message = ({ mode, events }) => {
  const made = events.map((event) => new CloudEvent(event));
  if (mode === "batch") {
    // It reads batches, and writes none.
    return { headers: { "content-type": "application/cloudevents-batch+json" }, body: JSON.stringify(made) };
  }
  const { headers, body } = HTTP[mode](made[0]);
  return { headers, body };
};

// The headers that are added to those of the message.
const signers = {
  standardwebhooks: ({ secret, id, at_ms }, { body }) => ({
    "webhook-id": id,
    "webhook-timestamp": `${Math.floor(at_ms / 1000)}`,
    "webhook-signature": new Webhook(secret).sign(id, new Date(at_ms), body),
  }),
  "@octokit/webhooks-methods": async ({ secret }, { body }) => ({ "x-hub-signature-256": await sign(secret, body) }),
  "@sanity/webhook": async ({ secret, at_ms }, { body }) => ({ [SIGNATURE_HEADER_NAME]: await encodeSignatureHeader(body, at_ms, secret) }),
  "@contentful/node-apps-toolkit": ({ secret, path, at_ms }, { headers, body }) => signRequest(secret, { method: "POST", path, headers, body }, at_ms),
  "@kontent-ai/webhook-helper": ({ secret }, { body }) => ({ "x-kontent-ai-signature": signatureHelper.getHashFromString(body, secret) }),
  // As its manual has it for who wrote the body anew: other ends of lines than what was sent.
  "@kontent-ai/webhook-helper, line ends": ({ secret }, { body }) => {
    return { "x-kontent-ai-signature": signatureHelper.getHashFromString(signatureHelper.replaceLinebreaks(body), secret) };
  },
};

const answer = async (command) => {
  const made = message(command);
  if (command.by.endsWith("line ends")) made.body = JSON.stringify(JSON.parse(made.body), null, 2);
  return { headers: { ...made.headers, ...(await signers[command.by](command, made)) }, body: made.body };
};

console.log(JSON.stringify({ event: "ready" }));
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  const { do: what, n } = command;
  const said = await answer(command).then((made) => ({ ok: true, ...made }), (problem) => ({ ok: false, error: `${problem?.stack}` }));
  console.log(JSON.stringify({ answer: what, n, ...said }));
}
