// A small fediverse server made with Fedify's own federation framework: one actor, everything in memory, on loopback.
// It signs, verifies, fetches and parses with Fedify's code alone; what is written here only wires it up and records.
// follower.mjs drives it from outside the process.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { join } from "node:path";
import { createFederation, getDocumentLoader, MemoryKvStore, parseNodeInfo, signRequest, verifyProof } from "@fedify/fedify";
import {
  Accept, Activity, Collection, Create, Delete, Endpoints, Follow, isActor, Like, Mention, Note, Person, PUBLIC_COLLECTION, Tombstone,
  Undo, Update,
} from "@fedify/vocab";
import { Temporal } from "@js-temporal/polyfill"; // Node 20 has none of its own

const REQUEST_BODY_BYTES_MAX = 1_000_000; // as Mastodon's inbox
const REQUEST_MS_MAX = 10_000; // as Mastodon's read timeout
const COLLECTION_ITEMS_MAX = 100;
const CAVAGE = "draft-cavage-http-signatures-12";
const RFC9421 = "rfc9421";
const NODEINFO_RELS = ["2.1", "2.0"].map((version) => `http://nodeinfo.diaspora.software/ns/schema/${version}`);

/** Starts a peer. `emit` is called with every event that it wants to tell. */
export async function startPeer({ port = 0, origin: seenAs, name = "volger", certificate, firstKnock = RFC9421, acceptFollows = true, emit }) {
  const handler = { handle: (_incoming, answer) => answer.writeHead(503).end() };
  const listener = (incoming, answer) => handler.handle(incoming, answer);
  const server = certificate === undefined ? createHttpServer(listener) : createHttpsServer({
    cert: readFileSync(join(certificate, "server.pem")),
    key: readFileSync(join(certificate, "server.key")),
  }, listener);
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  const chosen = server.address().port;
  const origin = seenAs ?? (certificate === undefined ? `http://127.0.0.1:${chosen}` : `https://localhost:${chosen}`);
  const peer = new Peer({ origin, name, firstKnock, acceptFollows, emit });
  peer.keyPair = await newKeyPair();
  handler.handle = (incoming, answer) => peer.answer(incoming, answer);
  return peer;
}

class Peer {
  #federation;
  #emit;
  #acceptFollows;
  #notes = new Map(); // id in the path → Note or Tombstone
  #followers = new Map(); // actor id → { id, inboxId, endpoints }
  #follows = new Map(); // actor id → the Follow that we sent

  constructor({ origin, name, firstKnock, acceptFollows, emit }) {
    this.origin = origin;
    this.name = name;
    this.#emit = emit;
    this.#acceptFollows = acceptFollows;
    this.#federation = createFederation({
      kv: new MemoryKvStore(), // and no queue: an activity is handled before its request is answered
      origin,
      firstKnock,
      allowPrivateAddress: true, // the gateway under test is on loopback
    });
    this.#wire();
  }

  get actorId() {
    return this.context().getActorUri(this.name).href;
  }

  context() {
    return this.#federation.createContext(new URL(this.origin), {});
  }

  #wire() {
    const federation = this.#federation;
    federation.setActorDispatcher("/users/{identifier}", async (ctx, identifier) => {
      if (identifier !== this.name) return null;
      const keys = await ctx.getActorKeyPairs(identifier);
      return new Person({
        id: ctx.getActorUri(identifier),
        preferredUsername: identifier,
        name: `Fedify peer ${identifier}`,
        inbox: ctx.getInboxUri(identifier),
        outbox: ctx.getOutboxUri(identifier),
        followers: ctx.getFollowersUri(identifier),
        endpoints: new Endpoints({ sharedInbox: ctx.getInboxUri() }),
        manuallyApprovesFollowers: false,
        publicKey: keys[0].cryptographicKey,
      });
    }).setKeyPairsDispatcher((_ctx, identifier) => identifier === this.name ? [this.keyPair] : []);
    federation.setOutboxDispatcher("/users/{identifier}/outbox", () => ({ items: [] }));
    federation.setFollowersDispatcher("/users/{identifier}/followers", () => ({ items: [...this.#followers.values()] }));
    federation.setObjectDispatcher(Note, "/notes/{id}", (_ctx, { id }) => {
      const note = this.#notes.get(id);
      return note instanceof Note ? note : null;
    });
    federation.setInboxListeners("/users/{identifier}/inbox", "/inbox")
      .on(Activity, (ctx, activity) => this.#received(ctx, activity))
      .onUnverifiedActivity((ctx, _activity, reason) => {
        ctx.data.refusal = reason.type; // and let Fedify answer 401 itself
      })
      .onError((ctx, error) => {
        ctx.data.problem = error.message;
      })
      .setSharedKeyDispatcher(() => ({ identifier: this.name }));
  }

  /** One HTTP request. What arrives at an inbox is told as one event, after Fedify has answered it. */
  async answer(incoming, answer) {
    try {
      const { request, body } = await toRequest(incoming, this.origin);
      const seen = {};
      const response = await this.#federation.fetch(request, { contextData: seen });
      const text = Buffer.from(await response.arrayBuffer());
      answer.writeHead(response.status, Object.fromEntries(response.headers)).end(text);
      if (request.method === "POST") this.#tellInbox(request, body, response.status, text.toString(), seen);
    } catch (error) {
      if (!answer.headersSent) answer.writeHead(500).end();
      this.#emit({ event: "problem", at: `${incoming.method} ${incoming.url}`, error: error.stack });
    }
  }

  #tellInbox(request, body, status, text, seen) {
    const told = { path: new URL(request.url).pathname, status, signature: signatureForm(request.headers), raw: parsed(body) };
    const wire = { type: told.raw?.type ?? null, id: told.raw?.id ?? null };
    if (seen.received !== undefined) {
      this.#emit({ event: "inbox", verified: true, ...seen.received, ...told, ...(seen.problem && { problem: seen.problem }) });
    } else if (status < 300) {
      this.#emit({ event: "repeated", ...wire, ...told });
    } else {
      this.#emit({ event: "refused", verified: false, reason: seen.refusal ?? seen.problem ?? text, ...wire, ...told });
    }
  }

  /** Fedify calls this only for an activity whose signature it verified and whose signer is its actor. */
  async #received(ctx, activity) {
    const object = await activity.getObject({ ...ctx, suppressError: true });
    ctx.data.received = {
      type: activity.constructor.name,
      id: activity.id?.href ?? null,
      actor: activity.actorId?.href ?? null,
      shared: ctx.recipient === null,
      to: activity.toIds.map((id) => id.href),
      cc: activity.ccIds.map((id) => id.href),
      object: await this.#readAbout(activity, object, ctx),
    };
    if (activity instanceof Follow && this.#acceptFollows) await this.#acceptFollow(ctx, activity);
    if (activity instanceof Undo && object instanceof Follow) this.#followers.delete(activity.actorId.href);
  }

  /** Fedify believes no embedded object of another origin, so what an Accept is about is looked up among what we sent. */
  async #readAbout(activity, object, ctx) {
    if (object !== null) return await readObject(object, ctx);
    const id = activity.objectId?.href ?? null;
    const follow = [...this.#follows.values()].find((sent) => sent.id.href === id);
    return follow === undefined ? { id } : await readObject(follow, ctx);
  }

  async #acceptFollow(ctx, follow) {
    const from = await follow.getActor(ctx);
    if (!isActor(from) || follow.objectId?.href !== this.actorId) return;
    this.#followers.set(from.id.href, { id: from.id, inboxId: from.inboxId, endpoints: from.endpoints });
    const accept = new Accept({ id: this.#newId("accept"), actor: new URL(this.actorId), to: from.id, object: follow });
    // After the answer to the Follow, as real servers do.
    setImmediate(() => this.#send(from, accept).catch((error) => this.#emit({ event: "problem", at: "Accept", error: error.message })));
  }

  // Looking things up: afresh each time. The federation's own loader remembers documents for minutes, as real peers do, which
  // would hide an edit or a withdrawal from a test.

  async lookup(resource) {
    const ctx = this.context();
    const documentLoader = getDocumentLoader({ allowPrivateAddress: true });
    const isUrl = /^https?:/.test(resource);
    const webfinger = isUrl ? null : await ctx.lookupWebFinger(resource);
    if (!isUrl && webfinger === null) throw new Error(`WebFinger of ${resource} gave nothing that Fedify could use`);
    const object = await ctx.lookupObject(resource, { documentLoader });
    if (object === null) throw new Error(`${resource} gave no ActivityStreams object that Fedify could read`);
    return { webfinger, object: await readObject(object, ctx), raw: await object.toJsonLd({ contextLoader: ctx.contextLoader }) };
  }

  /** Walks a collection (outbox, followers, featured) page by page, as Fedify does. */
  async collection(url, limit = COLLECTION_ITEMS_MAX) {
    const ctx = this.context();
    const documentLoader = getDocumentLoader({ allowPrivateAddress: true });
    const collection = await ctx.lookupObject(url, { documentLoader });
    if (!(collection instanceof Collection)) throw new Error(`${url} is not a collection that Fedify could read`);
    const items = [];
    if (limit > 0) {
      for await (const item of ctx.traverseCollection(collection, { documentLoader })) {
        items.push({ type: item.constructor.name, id: item.id?.href ?? null, object: item.objectId?.href ?? null });
        if (items.length >= limit) break;
      }
    }
    return { totalItems: collection.totalItems, items };
  }

  /** Fedify's own look-up refuses private addresses and has no option: so the two fetches are made here, the reading is Fedify's. */
  async nodeinfo(url) {
    const index = await json(new URL("/.well-known/nodeinfo", url));
    const link = index.links.find(({ rel }) => NODEINFO_RELS.includes(rel));
    if (link === undefined) throw new Error(`${url} links to no NodeInfo 2.0 or 2.1`);
    const nodeinfo = parseNodeInfo(await json(link.href));
    if (nodeinfo === null) throw new Error(`${link.href} is no NodeInfo that Fedify could read`);
    return { url: link.href, nodeinfo };
  }

  /** Whether every integrity proof of an activity as it came holds, and whose keys made them. */
  async proof(document) {
    const loaders = { documentLoader: getDocumentLoader({ allowPrivateAddress: true }), contextLoader: this.context().contextLoader };
    const activity = await Activity.fromJsonLd(document, loaders);
    const keys = [];
    for await (const proof of activity.getProofs(loaders)) keys.push(await verifyProof(document, proof, loaders));
    return { verified: keys.length > 0 && !keys.includes(null), controller: keys[0]?.controllerId?.href ?? null };
  }

  // Saying things to one actor. Each returns the attempts made: HTTP status and signature form, in order.

  async follow(actorUrl, { shared } = {}) {
    const actor = await this.#actor(actorUrl);
    const follow = new Follow({ id: this.#newId("follow"), actor: new URL(this.actorId), to: actor.id, object: actor.id });
    this.#follows.set(actor.id.href, follow);
    return await this.#send(actor, follow, shared);
  }

  async unfollow(actorUrl, { shared } = {}) {
    const actor = await this.#actor(actorUrl);
    const follow = this.#follows.get(actor.id.href);
    if (follow === undefined) throw new Error(`this peer never followed ${actorUrl}`);
    const undo = new Undo({ id: this.#newId("undo"), actor: new URL(this.actorId), to: actor.id, object: follow });
    return await this.#send(actor, undo, shared);
  }

  async reply(noteUrl, content, { visibility = "public", shared } = {}) {
    const parent = await this.#object(noteUrl);
    const author = await this.#actor(parent.attributionId.href);
    const reply = this.#note({ content, visibility, inReplyTo: parent.id, mentioned: author });
    return await this.#send(author, this.#create(reply), shared);
  }

  async mention(actorUrl, content, { visibility = "public", shared } = {}) {
    const actor = await this.#actor(actorUrl);
    return await this.#send(actor, this.#create(this.#note({ content, visibility, mentioned: actor })), shared);
  }

  async like(noteUrl, { shared } = {}) {
    const note = await this.#object(noteUrl);
    const author = await this.#actor(note.attributionId.href);
    const like = new Like({ id: this.#newId("like"), actor: new URL(this.actorId), to: author.id, object: note.id });
    return await this.#send(author, like, shared);
  }

  /** Posts to the inbox of `actorUrl` something that must not be believed; `how` is a key of FORGERIES. */
  async tampered(actorUrl, { how = "body", spec, inbox } = {}) {
    const forge = FORGERIES[how];
    if (forge === undefined) throw new Error(`how must be one of: ${Object.keys(FORGERIES).join(", ")}`);
    const actor = await this.#actor(actorUrl);
    const to = inbox ?? (actor.endpoints?.sharedInbox ?? actor.inboxId).href;
    const keyId = (await this.context().getActorKeyPairs(this.name))[0].keyId;
    const attempts = [];
    for (const form of spec === undefined ? [CAVAGE, RFC9421] : [spec]) {
      // An id of its own for each, so that no attempt is taken for a repetition of the one before.
      const create = this.#create(this.#note({ content: "<p>signed content</p>", visibility: "public", mentioned: actor }));
      const body = JSON.stringify(await create.toJsonLd({ contextLoader: this.context().contextLoader }));
      const forged = await forge({ to, body, spec: form, keyId, privateKey: this.keyPair.privateKey });
      const response = await fetch(forged);
      attempts.push({ status: response.status, signature: form, answer: (await response.text()).slice(0, 500) });
    }
    return { how, inbox: to, attempts };
  }

  // Saying things to followers: this is the stand-in for the gateway in the self-test.

  async publish(content) {
    const note = this.#note({ content, visibility: "public" });
    return { ...await this.#send([...this.#followers.values()], this.#create(note), true), note: note.id.href };
  }

  async edit(noteUrl, content) {
    const note = this.#ownNote(noteUrl).clone({ content, updated: Temporal.Now.instant() });
    this.#notes.set(pathId(noteUrl), note);
    const update = new Update({ id: this.#newId("update"), actor: note.attributionId, to: PUBLIC_COLLECTION, object: note });
    return await this.#send([...this.#followers.values()], update, true);
  }

  async withdraw(noteUrl) {
    const note = this.#ownNote(noteUrl);
    const tombstone = new Tombstone({ id: note.id });
    this.#notes.set(pathId(noteUrl), tombstone);
    const gone = new Delete({ id: this.#newId("delete"), actor: note.attributionId, to: PUBLIC_COLLECTION, object: tombstone });
    return await this.#send([...this.#followers.values()], gone, true);
  }

  // What the above are made of.

  #newId(kind) {
    return new URL(`/activities/${kind}-${randomUUID()}`, this.origin);
  }

  #note({ content, visibility, inReplyTo = null, mentioned = null }) {
    const id = randomUUID();
    const mentions = mentioned === null ? [] : [new Mention({ href: mentioned.id, name: `@${mentioned.preferredUsername}` })];
    const direct = mentioned === null ? [] : [mentioned.id];
    const note = new Note({
      id: this.context().getObjectUri(Note, { id }),
      attribution: new URL(this.actorId),
      content,
      replyTarget: inReplyTo,
      published: Temporal.Now.instant(),
      tos: visibility === "public" ? [PUBLIC_COLLECTION, ...direct] : direct,
      tags: mentions,
    });
    this.#notes.set(id, note);
    return note;
  }

  #create(note) {
    return new Create({ id: this.#newId("create"), actor: note.attributionId, tos: note.toIds, object: note, published: note.published });
  }

  #ownNote(url) {
    const note = this.#notes.get(pathId(url));
    if (!(note instanceof Note)) throw new Error(`${url} is not a note of this peer`);
    return note;
  }

  async #object(url) {
    const object = await this.context().lookupObject(url);
    if (object === null) throw new Error(`${url} gave no ActivityStreams object that Fedify could read`);
    if (object.attributionId === null || object.attributionId === undefined) throw new Error(`${url} names no author`);
    return object;
  }

  async #actor(url) {
    const actor = await this.context().lookupObject(url);
    if (!isActor(actor)) throw new Error(`${url} gave no actor that Fedify could read`);
    return actor;
  }

  async #send(recipients, activity, shared = false) {
    const attempts = [];
    const result = { activity: activity.id.href, object: activity.objectId?.href ?? null, delivered: true, attempts };
    await watchingInboxes(attempts, async () => {
      try {
        await this.context().sendActivity({ identifier: this.name }, recipients, activity, { preferSharedInbox: shared, immediate: true });
      } catch (error) {
        Object.assign(result, { delivered: false, error: error.message });
      }
    });
    return result;
  }
}

/** Ways to send what must be refused. `none` alters nothing: the control, which must be accepted. */
const FORGERIES = {
  none: (what) => signed(what),
  body: async (what) => {
    const request = await signed(what);
    return new Request(request.url, { method: "POST", headers: request.headers, body: what.body.replace("signed content", "forged content") });
  },
  unsigned: ({ to, body }) => inboxRequest(to, body),
  "other-key": async (what) => signed({ ...what, privateKey: (await newKeyPair()).privateKey }),
  stale: (what) => signed(what, { currentTime: Temporal.Now.instant().subtract({ hours: 48 }) }),
  "other-actor": (what) => {
    const json = JSON.parse(what.body);
    const other = new URL("/users/iemand-anders", json.actor).href;
    return signed({ ...what, body: JSON.stringify({ ...json, actor: other, object: { ...json.object, attributedTo: other } }) });
  },
};

function inboxRequest(to, body) {
  return new Request(to, { method: "POST", headers: { "Content-Type": "application/activity+json" }, body });
}

async function signed({ to, body, spec, keyId, privateKey }, options = {}) {
  return await signRequest(inboxRequest(to, body), privateKey, keyId, { spec, ...options });
}

/** RSA-2048, as Mastodon's. Fedify's own generator makes 4096 bits, which takes a busy machine up to half a minute. */
function newKeyPair() {
  const algorithm = { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" };
  return crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

// Fedify tells the status of a failed delivery only, and not of each knock: so the requests themselves are watched.
const plainFetch = globalThis.fetch;
let watcher = null;
globalThis.fetch = async (input, init) => {
  const seenBy = watcher;
  const limit = AbortSignal.timeout(REQUEST_MS_MAX);
  const signal = init?.signal ? AbortSignal.any([init.signal, limit]) : limit;
  const response = await plainFetch(input, { ...init, signal });
  if (seenBy !== null && input instanceof Request && input.method === "POST") {
    seenBy.push({ inbox: input.url, status: response.status, signature: signatureForm(input.headers) });
  }
  return response;
};

let sending = Promise.resolve();
async function watchingInboxes(attempts, send) {
  const turn = sending.then(async () => {
    watcher = attempts;
    try {
      await send();
    } finally {
      watcher = null;
    }
  });
  sending = turn.catch(() => {}); // the one who waits for `turn` gets the error
  return await turn;
}

function signatureForm(headers) {
  if (headers.has("signature-input")) return RFC9421;
  return headers.has("signature") ? CAVAGE : null;
}

async function json(url) {
  const response = await fetch(url, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return await response.json();
}

function pathId(url) {
  return new URL(url).pathname.split("/").at(-1);
}

function parsed(body) {
  try {
    return JSON.parse(body.toString());
  } catch {
    return null; // told as null: what arrived was no JSON
  }
}

async function toRequest(incoming, origin) {
  const chunks = [];
  let size = 0;
  for await (const chunk of incoming) {
    size += chunk.length;
    if (size > REQUEST_BODY_BYTES_MAX) throw new Error(`request body over ${REQUEST_BODY_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  const headers = new Headers();
  for (let at = 0; at < incoming.rawHeaders.length; at += 2) headers.append(incoming.rawHeaders[at], incoming.rawHeaders[at + 1]);
  const hasBody = incoming.method !== "GET" && incoming.method !== "HEAD";
  const request = new Request(new URL(incoming.url, origin), { method: incoming.method, headers, ...(hasBody && { body }) });
  return { request, body };
}

/** What Fedify understood of an object: read through its typed properties, not from the JSON. */
async function readObject(object, ctx) {
  const told = { type: object.constructor.name, id: object.id?.href ?? null };
  if (isActor(object)) {
    return {
      ...told,
      name: object.name?.toString() ?? null,
      preferredUsername: object.preferredUsername?.toString() ?? null,
      url: object.url?.href?.href ?? object.url?.href ?? null,
      inbox: object.inboxId?.href ?? null,
      sharedInbox: object.endpoints?.sharedInbox?.href ?? null,
      publicKey: object.publicKeyId?.href ?? null,
    };
  }
  if (object instanceof Activity) return { ...told, actor: object.actorId?.href ?? null, object: object.objectId?.href ?? null };
  const attachments = [];
  for await (const attachment of object.getAttachments({ ...ctx, suppressError: true })) {
    attachments.push({
      type: attachment.constructor.name,
      url: attachment.url?.href?.href ?? attachment.url?.href ?? null,
      mediaType: attachment.mediaType ?? null,
      alt: attachment.name?.toString() ?? null,
    });
  }
  const tags = [];
  for await (const tag of object.getTags({ ...ctx, suppressError: true })) {
    tags.push({ type: tag.constructor.name, name: tag.name?.toString() ?? null, href: tag.href?.href ?? null });
  }
  return {
    ...told,
    content: object.content?.toString() ?? null,
    languages: object.contents.flatMap((content) => content.locale?.toString() ?? []),
    url: object.url?.href?.href ?? object.url?.href ?? null,
    attributedTo: object.attributionId?.href ?? null,
    inReplyTo: object.replyTargetId?.href ?? null,
    published: object.published?.toString() ?? null,
    updated: object.updated?.toString() ?? null,
    to: object.toIds.map((id) => id.href),
    cc: object.ccIds.map((id) => id.href),
    attachments,
    tags,
  };
}
