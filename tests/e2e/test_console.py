"""The console in a real browser: Debian's Chromium without a window, driven by playwright-core.

Each file of tests/e2e/console is a test: a daemon with both paths, some mail and a user of each role,
then the walks of that file. What the pages looked like is kept in tests/console of the build folder.

one thread; time limit: 900 s
"""

import json
import os
import shutil

import harness as h
from oiwake import ROUTES, Config, Oiwake, Sandbox

FOLDER = os.path.join(h.ROOT, "tests", "e2e", "console")
MODULES = os.path.join(h.ROOT, "build", "node", "node_modules")
CHROMIUM = "/usr/bin/chromium"
SHOTS = os.path.join(h.BUILD, "tests", "console")
PASSWORD = "console test password"
USERS = {"view": "viewer", "operate": "operator", "admin": "chief"}

WEB = """\
web "console" {{
	address = "127.0.0.1:{port}"
	console = yes
}}
"""

# A split, so that there is something to compare.
SPLIT = "route compare from domain second.test to carrier docomo via mta 50% ses 50%\n"

# What is refused there for now waits, so that no session has any of it in hand: that is not held nor deleted.
SHAPES = "shape domain second.test retry 1h"

TO_MTA = [f"user{i}@{domain}" for domain in ("docomo.ne.jp", "ezweb.ne.jp", "softbank.ne.jp", "ordinary.test")
          for i in range(6)]
TO_SES = [f"user{i}@example.com" for i in range(12)]


def need_browser():
    h.need(shutil.which("node"), "node is not installed")
    h.need(os.access(CHROMIUM, os.X_OK), f"{CHROMIUM} is not installed")
    for name in ("playwright-core", "axe-core"):
        h.need(os.path.isdir(os.path.join(MODULES, name)), f"{name} is not there (tests/deps node)")


def start():
    """A daemon by whose both paths mail has gone, and some has come back."""
    net = Sandbox(keep=False)
    config = Config(net, routes=SPLIT + ROUTES, shapes=SHAPES, guard="")
    config.port = h.free_port()
    config.text += WEB.format(port=config.port)
    config.save()
    ours = Oiwake(config, start=False)
    for role, user in USERS.items():
        ours.cli("user add", user, "--role", role, input=(PASSWORD + "\n").encode())
    ours.start()
    with h.smtp(ours.port("relay")) as s:
        for to in (TO_MTA, TO_SES):
            s.sendmail("info@news.test", to, h.message())
        s.sendmail("info@second.test", [f"split{i}@docomo.ne.jp" for i in range(20)], h.message())
        s.sendmail("info@news.test", ["unknown-1@docomo.ne.jp"], h.message())
    ours.wait_empty()
    return ours


def settings(ours):
    return {
        "url": f"http://127.0.0.1:{ours.config.port}", "relay": ours.port("relay"),
        "program": h.OIWAKE, "config": ours.config.path, "rules": os.path.join(ours.config.top, "oiwake.rules"),
        "modules": MODULES, "chromium": CHROMIUM, "shots": SHOTS, "users": USERS, "password": PASSWORD,
        "patience": int(h.PATIENCE * 1000),
    }


def walk(name):
    """Runs one file of walks; what it says is shown when it fails, and its notes always."""
    need_browser()
    ours = start()
    done = h.run(["node", os.path.join(FOLDER, name + ".mjs")], status=None, limit=300,
                 env={"OIWAKE_CONSOLE": json.dumps(settings(ours))})
    for line in done.stdout.splitlines():
        if line.startswith("# note: "):
            print(line, flush=True)
    h.check(done.returncode == 0, f"{done.stdout[-8000:]}{done.stderr[-4000:]}")
    ours.stop()


def add_tests():
    for file in sorted(os.listdir(FOLDER)):
        name, suffix = os.path.splitext(file)
        if suffix == ".mjs" and name != "frame":
            def test(name=name):
                walk(name)
            test.__doc__ = f"The walks of console/{file}"
            globals()[f"test_{name}"] = test


add_tests()

if __name__ == "__main__":
    h.note(f"screenshots are kept in {os.path.relpath(SHOTS, h.ROOT)}")
    h.main()
