"""A gateway that only records: what was posted to it, byte for byte, and answers what it is told to."""

import json
import os
import subprocess
import sys
import threading
import time
import venv
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STANDARDWEBHOOKS = "1.1.0"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "heraut"


def verifier():
    """The project's own library of Standard Webhooks, from PyPI: a wheel of plain Python can be imported as it is."""
    wheel = CACHE / f"standardwebhooks-{STANDARDWEBHOOKS}-py3-none-any.whl"
    if not wheel.exists():
        # Debian's own Python has no pip.
        python = CACHE / "venv" / "bin" / "python"
        if not python.exists():
            CACHE.mkdir(parents=True, exist_ok=True)
            venv.create(CACHE / "venv", with_pip=True)
        pip = [python, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*pip, f"standardwebhooks=={STANDARDWEBHOOKS}", "-d", CACHE], check=True)
    sys.path.insert(0, str(wheel))
    from standardwebhooks.webhooks import Webhook
    return Webhook


class Sink:
    def __init__(self, secret):
        self.verify = verifier()(secret).verify
        self.lock = threading.Lock()
        self.requests = []  # of all: (event, status)
        self.problems = []
        self.answers = []  # (status, headers) of the next requests; then 202
        self.delay = 0.0
        self.server = None
        self.port = 0
        self.open()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hooks/website"

    def open(self):
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status, headers = sink.take(self.path, dict(self.headers), body)
                answer = json.dumps({"receipt": "r-1"} if status < 300 else {"status": status, "detail": "as the test wants"}).encode()
                self.send_response(status)
                for name, value in {"content-type": "application/json", "content-length": str(len(answer)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            def do_GET(self):
                sink.problems.append(f"GET {self.path}")
                self.send_error(404)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()

    def close(self):
        """From now on nobody listens there."""
        self.server.shutdown()
        self.server.server_close()

    def take(self, path, headers, body):
        headers = {name.lower(): value for name, value in headers.items()}
        try:
            event = self.verify(body, headers)
            if headers["webhook-id"] != event["id"]:
                raise ValueError("webhook-id is not the event's id")
            if not headers["content-type"].startswith("application/cloudevents+json"):
                raise ValueError(f"content type {headers['content-type']}")
            if path != "/hooks/website":
                raise ValueError(f"path {path}")
        except Exception as problem:
            self.problems.append(repr(problem))
            return 401, {}
        time.sleep(self.delay)
        with self.lock:
            status, further = self.answers.pop(0) if self.answers else (202, {})
            self.requests.append((event, status))
        return status, further

    def clear(self):
        with self.lock:
            self.requests.clear()
            self.problems.clear()
            self.answers.clear()
        self.delay = 0.0

    def accepted(self):
        """The events that were acknowledged, in the order in which they came."""
        with self.lock:
            return [event for event, status in self.requests if status == 202]
