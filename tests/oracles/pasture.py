"""Servers of other people's making, from PyPI: fediverse-pasture, on bovine. They speak draft-cavage, and verify what is sent to them.

Its actors: alice and dean send unsigned; bob and emily have signatures verified at their inbox; claire and frank also when their document
is read. Commands and answers as in sign.mjs:

  {"do": "judge", "actor": URL}                    pasture's own verdict on an actor: for each of its actors whether it could read the
                                                   actor and post to its inbox, and whether WebFinger leads back to it
  {"do": "follow", "actor": URL, "by": "claire"}   → {"status": 202, "activity": id}
  {"do": "tampered", "actor": URL, "by": "claire", "how": "none" | "body" | "date" | "path"}
                                                   what was signed is changed before it is sent → {"status": 401, "answer": …}

Events: {"event": "inbox", "activity": {…}} for what came into an inbox after its signature was verified.
"""

import asyncio
import json
import logging
import os
import secrets
import socket
import sys
import tempfile
import traceback
from datetime import datetime, timedelta, timezone
from urllib.parse import urlparse

# On being imported bovine makes a file where it stands.
scratch = tempfile.TemporaryDirectory(prefix="heraut-pasture-")
os.chdir(scratch.name)

import aiohttp
from bovine.crypto.helper import content_digest_sha256
from bovine.crypto.http_signature import HttpSignature
from bovine.crypto.types import CryptographicSecret
from fediverse_pasture.data_provider.generate import generate_one_actor, generate_possible_actors
from fediverse_pasture.data_provider import bovine_actor_for_actor_data
from fediverse_pasture.server import BlueprintForActors
from fediverse_pasture.server.verify_actor import ActorVerifier
from fediverse_pasture.types import Message
from quart import Quart

ACTIVITY = "application/activity+json"
logging.disable(logging.CRITICAL)


def say(message):
    print(json.dumps(message), flush=True)


def http_date(at):
    return at.strftime("%a, %d %b %Y %H:%M:%S GMT")


class Pasture:
    def __init__(self, domain):
        self.domain = domain
        self.actors = generate_possible_actors() + [generate_one_actor()]

    def app(self):
        async def arrived(activity):
            say({"event": "inbox", "activity": activity})

        app = Quart(__name__)
        app.register_blueprint(BlueprintForActors(self.actors, on_inbox=arrived).blueprint)
        return app

    def id_of(self, name):
        return f"http://{self.domain}/{name}"

    async def judge(self, command):
        message = Message()
        verifier = ActorVerifier(
            actor_list=self.actors, remote_uri=command["actor"], message=message, domain=self.domain, timeout=20
        )
        return {"verdict": await verifier.verify(), "steps": [str(step) for step in message.steps]}

    async def inbox_of(self, session, actor, by):
        me, _ = bovine_actor_for_actor_data(self.id_of(by), self.named(by))
        await me.init(session=session)
        return (await me.get(actor))["inbox"]

    def named(self, name):
        return next(actor for actor in self.actors if actor.actor_name == name)

    async def follow(self, command):
        return await self.send(command, "Follow", "none")

    async def tampered(self, command):
        return await self.send(command, "Follow", command["how"])

    async def send(self, command, kind, how):
        by = command["by"]
        id = f"{self.id_of(by)}/{secrets.token_urlsafe(8)}"
        context = "https://www.w3.org/ns/activitystreams"
        activity = {"@context": context, "type": kind, "id": id, "actor": self.id_of(by), "object": command["actor"]}
        body = json.dumps(activity).encode()
        secret = CryptographicSecret.from_pem(f"{self.id_of(by)}#main", self.named(by).key_pairs[0].private)
        async with aiohttp.ClientSession() as session:
            inbox = await self.inbox_of(session, command["actor"], by)
            url = urlparse(inbox)
            at = datetime.now(timezone.utc)
            signed_path = "/elders" if how == "path" else url.path
            fields = {"host": url.netloc, "date": http_date(at), "digest": content_digest_sha256(body, prefix="SHA-256")}
            fields["content-type"] = ACTIVITY
            signature = HttpSignature().with_field("(request-target)", f"post {signed_path}")
            for name, value in fields.items():
                signature = signature.with_field(name, value)
            headers = {**fields, "signature": signature.sign_for_http_draft(secret)}
            if how == "date":
                headers["date"] = http_date(at - timedelta(seconds=60))
            if how == "body":
                body = body.replace(b'"Follow"', b'"Follow" ')
            async with session.post(inbox, data=body, headers=headers) as response:
                return {"status": response.status, "activity": id, "answer": await response.text()}


async def main():
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    pasture = Pasture(f"127.0.0.1:{port}")
    ended = asyncio.Event()
    server = asyncio.create_task(pasture.app().run_task(host="127.0.0.1", port=port, shutdown_trigger=ended.wait))
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{pasture.id_of('alice')}", headers={"accept": ACTIVITY}):
                    break
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)
    say({"event": "ready", "domain": pasture.domain})
    commands = {"judge": pasture.judge, "follow": pasture.follow, "tampered": pasture.tampered}
    while line := await asyncio.to_thread(sys.stdin.readline):
        command = json.loads(line)
        try:
            said = {"ok": True, **await commands[command["do"]](command)}
        except Exception:
            said = {"ok": False, "error": traceback.format_exc()}
        say({"answer": command["do"], "n": command["n"], **said})
    ended.set()
    await server


asyncio.run(main())
