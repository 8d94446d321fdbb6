"""Signs webhooks with the libraries from PyPI. Commands and answers as in sign.mjs."""

import json
import sys
import traceback
from datetime import datetime, timezone

from cloudevents.core.bindings import http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from standardwebhooks.webhooks import Webhook


def event(given):
    attributes = {name: value for name, value in given.items() if name != "data"}
    attributes["time"] = datetime.fromisoformat(attributes["time"])
    return CloudEvent({"specversion": "1.0", **attributes}, given["data"])


def message(mode, events):
    made = [event(given) for given in events]
    if mode == "batch":
        # It has no form for batches.
        bodies = [http.to_structured(one, JSONFormat()).body.decode() for one in made]
        return {"content-type": "application/cloudevents-batch+json"}, f"[{','.join(bodies)}]"
    encode = {"structured": http.to_structured, "binary": http.to_binary}[mode]
    encoded = encode(made[0], JSONFormat())
    return dict(encoded.headers), encoded.body.decode()


def answer(command):
    headers, body = message(command["mode"], command["events"])
    at = datetime.fromtimestamp(command["at_ms"] // 1000, tz=timezone.utc)
    signature = Webhook(command["secret"]).sign(command["id"], at, body)
    headers |= {"webhook-id": command["id"], "webhook-timestamp": str(command["at_ms"] // 1000), "webhook-signature": signature}
    return {"ok": True, "headers": headers, "body": body}


print(json.dumps({"event": "ready"}), flush=True)
for line in sys.stdin:
    command = json.loads(line)
    try:
        said = answer(command)
    except Exception:
        said = {"ok": False, "error": traceback.format_exc()}
    print(json.dumps({"answer": command["do"], "n": command["n"], **said}), flush=True)
