#!/usr/bin/env python3
"""A real WebSub hub: Flask-WebSub (its version is in requirements.txt) with Celery's queue and worker, in one process on loopback.

hub.py --install   makes the environment that it runs in, if it is not there as requirements.txt says
hub.py             runs; says {"event": "ready", "url": …} when it does, and ends when its standard input closes

A publisher tells it by a POST of hub.mode=publish and hub.topic. It fetches the topic, which must name hub and self in its Link
header, and delivers what it fetched with the headers that it was fetched with, signed by HUB_SIGNATURE (sha512).
"""

import hashlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "heraut"
REQUIREMENTS = HERE / "requirements.txt"
HOME = CACHE / "hub-{}".format(hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16])
PYTHON = HOME / "bin" / "python"
WHOLE = HOME / "whole"


def install():
    """The marker is made last: what was broken off is begun anew."""
    if WHOLE.exists():
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    venv.create(HOME, with_pip=True, clear=True)
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    subprocess.run([*pip, "-r", REQUIREMENTS], check=True)
    WHOLE.touch()


def run():
    from celery import Celery
    from celery.contrib.testing.worker import start_worker
    from flask import Flask
    from flask_websub.hub import Hub, SQLite3HubStorage
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = Flask(__name__)
    app.config["PUBLISH_SUPPORTED"] = True
    queue = Celery("hub", broker="memory://", backend="cache+memory://")
    signature = os.environ.get("HUB_SIGNATURE", "sha512")
    with tempfile.TemporaryDirectory(prefix="heraut-hub-") as folder:
        hub = Hub(SQLite3HubStorage(f"{folder}/hub.sqlite3"), queue, SIGNATURE_ALGORITHM=signature, BACKOFF_BASE=0.2)
        app.register_blueprint(hub.build_blueprint(url_prefix="/hub"))
        server = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with start_worker(queue, pool="threads", concurrency=4, perform_ping_check=False, shutdown_timeout=5):
            print(json.dumps({"event": "ready", "url": f"http://127.0.0.1:{server.port}/hub"}), flush=True)
            sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    if sys.argv[1:] == ["--install"]:
        install()
    elif Path(sys.prefix) == HOME:
        run()
    elif WHOLE.exists():
        os.execv(PYTHON, [PYTHON, __file__])
    else:
        sys.exit("hub.py: its packages are not there; run tests/install, or: tests/hub/hub.py --install")
