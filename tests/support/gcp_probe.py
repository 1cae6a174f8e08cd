"""Functions that write down how they were called and do as a message tells them; for tests of the stand-in."""

import json
import os
import signal
import time
from pathlib import Path

FOLDER = Path(os.environ["PROBE_FOLDER"])

if os.environ.get("TREFOIL_SERVICE", "tick") == os.environ.get("PROBE_BROKEN"):
    raise RuntimeError("this function was told not to start")


def receive(request):
    body = request.get_data()
    call = {
        "service": os.environ["TREFOIL_SERVICE"],
        "path": request.full_path,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "body": body.decode(),
        "environment": dict(os.environ),
        "process": os.getppid(),
    }
    note(call)
    told = json.loads(body).get("message", {}).get("attributes", {}) if body.startswith(b"{") else {}
    if told.get("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(float(told.get("sleep", 0)))
    return "as told", int(told.get("answer", 204))


def tick(request):
    headers = {name.lower(): value for name, value in request.headers.items()}
    note({"service": "tick", "headers": headers, "environment": dict(os.environ)})
    return "", 204


def note(call):
    written = FOLDER / f"{time.time_ns()}-{os.getpid()}.writing"
    written.write_text(json.dumps(call))
    written.rename(written.with_suffix(".json"))
