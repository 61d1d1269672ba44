"""Applications that behave badly, and changes while events are on their way (time limit: 300 s).

A receiver of bytes says whatever a test wants, or nothing; whatever it says, the daemon logs it once,
tells on as soon as it may, and ends in time.
"""

import email.utils
import json
import os
import socket
import threading
import time

import harness as h
from oiwake import certificate
from receiver import Handler, HookReceiver
from test_hooks import SECRET, TO, hook, kinds, lines, many, row, send, tag, up

QUICK = {"events": '{ "Delivery" }', "retry": "20ms", "retry-max": "100ms"}


class RawReceiver:
    """Each connection is handed to answer(socket, number), once a whole request has come."""

    def __init__(self, answer):
        self.answer, self.taken = answer, 0
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.sock.getsockname()[1]}/hook"
        self.over = threading.Event()
        h.work.cleanups.append(self.stop)
        threading.Thread(target=self.run, daemon=True).start()

    def stop(self):
        self.over.set()
        self.sock.close()

    def run(self):
        while not self.over.is_set():
            try:
                one, _ = self.sock.accept()
            except OSError:
                return
            self.taken += 1
            threading.Thread(target=self.serve, args=(one, self.taken - 1), daemon=True).start()

    def serve(self, one, number):
        try:
            with one:
                data = b""
                while b"\r\n\r\n" not in data:
                    more = one.recv(65536)
                    if not more:
                        return
                    data += more
                self.answer(one, number)
        except OSError:
            pass


def endless(one, head, chunk, pause, over):
    one.sendall(head)
    while not over.wait(pause):
        one.sendall(chunk)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def reset(one):
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


BAD = {
    "silent": lambda one, over: over.wait(60),
    "a byte at a time": lambda one, over: endless(one, b"HTTP/1.1 200 OK\r\n", b"X", 0.1, over),
    "endless body": lambda one, over: endless(one, b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n",
                                              b"x" * 65536, 0, over),
    "endless header": lambda one, over: endless(one, b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 5000, 0, over),
    "reset": lambda one, over: reset(one),
    "garbage": lambda one, over: one.sendall(b"\0\xff" * 4096),
    "half an answer": lambda one, over: one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"),
    "redirect": lambda one, over: one.sendall(OK.replace(b"200 OK", b"307 No\r\nLocation: http://127.0.0.1:1/")),
    "gone": lambda one, over: one.sendall(OK.replace(b"200 OK", b"410 Gone")),
    "wants a password": lambda one, over: one.sendall(OK.replace(b"200 OK", b"401 No\r\nWWW-Authenticate: Basic")),
}


def test_bad_answers():
    """Silence, trickles, floods, resets, garbage, redirects: told again, logged once, then well"""
    bad = {name: True for name in BAD}
    apps = {}

    def answer(name):
        def say(one, number):
            if bad[name]:
                BAD[name](one, apps[name].over)
            else:
                one.sendall(OK)
        return say

    for name in BAD:
        apps[name] = RawReceiver(answer(name))
    net, ours = up(*(hook(name.replace(" ", "-"), app, timeout="700ms", **QUICK) for name, app in apps.items()))
    send(ours, TO)
    rows = lambda: {r["name"]: r for r in ours.json("events hooks")}
    h.wait_until(lambda: all(r["failed"] >= 2 for r in rows().values()), lambda: f"failures: {rows()}")
    h.check(all(r["why"] and r["failing_since"] for r in rows().values()), lambda: f"{rows()}")
    for name in bad:
        bad[name] = False
    h.wait_until(lambda: all(r["behind"] == 0 for r in rows().values()), lambda: f"{rows()}")
    h.check(all(r["told"] == 1 and not r["why"] for r in rows().values()), lambda: f"{rows()}")
    ours.log.read()
    for name in BAD:
        said = [e["result"] for e in ours.log.events("hook") if e["name"] == name.replace(" ", "-")]
        h.equal(said, ["failing", "well again"], name)
    ours.stop()


def test_stop_among_bad_answers():
    """The end does not wait for any of them"""
    apps = {name: RawReceiver(lambda one, n, name=name: BAD[name](one, apps[name].over)) for name in BAD}
    net, ours = up(*(hook(name.replace(" ", "-"), app, timeout="60s", **QUICK) for name, app in apps.items()),
                   'hook "nowhere" {\n\ttype = webhook\n\turl = "https://nowhere.invalid/"\n\tsecret = "'
                   + SECRET.hex() + '"\n}\n')
    many(ours, 20)
    h.wait_until(lambda: all(a.taken for a in apps.values()), "each was asked")
    began = time.monotonic()
    ours.stop()
    h.check(time.monotonic() - began < 30, "it ends")


def test_untrusted():
    """A certificate that nobody vouches for: nothing is told, and why is said"""
    top = h.work.file("tls")
    os.mkdir(top)
    certificate(top)
    app = HookReceiver(secret=SECRET, tls=(f"{top}/cert.pem", f"{top}/key.pem"))
    net, ours = up(hook("app", app, **QUICK))
    send(ours, TO)
    h.wait_until(lambda: "certificate" in row(ours, "app")["why"], lambda: f"{row(ours, 'app')}")
    h.equal(app.requests, [], "nothing was told")
    ours.stop()


class Says(Handler):
    """With the Retry-After that the receiver says."""

    def send_response(self, status, message=None):
        super().send_response(status, message)
        if status >= 400:
            self.send_header("Retry-After", self.server.receiver.retry_after())


def retried(value, longest):
    """How long a hook waited after that Retry-After."""
    app = HookReceiver(secret=SECRET, answers=lambda r: 503 if r.number == 0 else 204)
    app.retry_after = value if callable(value) else lambda: value
    app.server.RequestHandlerClass = Says
    net, ours = up(hook("app", app, events='{ "Delivery" }', retry="10ms", **{"retry-max": longest}))
    send(ours, TO)
    app.wait_for(lambda r: r.told("Delivery", TO), f"a delivery after {value}")
    # Stopped before it has heard the answer, it would tell the same once more at the next start.
    h.wait_until(lambda: row(ours, "app")["behind"] == 0, "the answer was heard")
    ours.stop()
    h.equal([r.answered for r in app.requests], [503, 204], "one more try")
    return app.requests[1].at - app.requests[0].at


def test_retry_after():
    """As long as the application asks for, and no longer than retry-max"""
    h.check(retried("1", "5s") >= 0.95, "a second")
    h.check(retried(lambda: email.utils.formatdate(time.time() + 3, usegmt=True), "10s") >= 1.5, "until a date")
    for odd in ("999999999999999999999", "-1", "soon", "1e9"):
        h.check(retried(odd, "1s") < 8, odd)


def test_kind_changes_in_flight():
    """A webhook becomes a file while its POSTs are on their way: each event once in the file"""
    ever = threading.Event()
    h.work.cleanups.append(ever.set)
    app = HookReceiver(secret=SECRET, answers=lambda r: ever.wait(60) and 204)
    net, ours = up()
    before = ours.config.text

    def change(text):
        ours.config.text = before + text
        ours.config.save()
        ours.cli("reload")

    change(hook("app", app, connections=4, timeout="60s", events='{ "Delivery" }'))
    h.wait_until(lambda: ours.json("events hooks"), "a hook")
    many(ours, 20)
    app.wait_for(lambda r: len(r.requests) >= 4, "POSTs on their way")
    path = h.work.file("events.json")
    change(hook("app", type="file", file=f'"{path}"', events='{ "Delivery" }'))
    h.wait_until(lambda: os.path.exists(path) and len(lines(path)) == 20, "each of them")
    ever.set()
    h.equal(len({tag(e, "oiwake:id") for e in lines(path)}), 20, "ids")
    change("")
    change(hook("app", type="file", file=f'"{path}"', events='{ "Delivery" }'))
    h.wait_until(lambda: ours.json("events hooks"), "it is back")
    send(ours, TO)
    h.wait_until(lambda: len(lines(path)) == 21, "goes on where it was")
    ours.stop()


def test_secret_changes():
    """Signed with the new secret as soon as it is there"""
    app = HookReceiver(secret=SECRET)
    net, ours = up(hook("app", app, **QUICK))
    send(ours, TO)
    app.wait_for(lambda r: len(r.events()) == 1, "a delivery")
    app.secret = bytes(range(100, 132))
    ours.config.text = ours.config.text.replace(SECRET.hex(), app.secret.hex())
    ours.config.save()
    ours.cli("reload")
    send(ours, TO)
    app.wait_for(lambda r: len(r.events()) == 2, "another")
    h.equal([r.signed for r in app.requests], [True, True], "signed")
    ours.stop()


def test_files():
    """Two hooks of one file, one full, one that became a folder"""
    path, folder = h.work.file("two.json"), h.work.file("folder.json")
    keys = {"type": "file", "retry": "20ms", "retry-max": "100ms"}
    net, ours = up(hook("one", **{**keys, "file": f'"{path}"'}), hook("two", **{**keys, "file": f'"{path}"'}),
                   hook("folder", **{**keys, "file": f'"{folder}"'}),
                   hook("full", **{**keys, "file": '"/dev/full"'}))
    send(ours, TO)
    h.wait_until(lambda: os.path.exists(folder) and len(lines(folder)) == 2, "two lines")
    os.rename(folder, folder + ".1")
    os.mkdir(folder)
    many(ours, 50)
    h.wait_until(lambda: len(lines(path)) == 2 * 102, "each twice, whole lines")
    h.wait_until(lambda: "directory" in row(ours, "folder")["why"], lambda: f"{row(ours, 'folder')}")
    h.check(row(ours, "full")["why"], "no disk")
    os.rmdir(folder)
    h.wait_until(lambda: os.path.exists(folder) and len(lines(folder)) == 100, "the others")
    ours.stop()


def test_one_that_is_stuck():
    """An event that fails for long does not have what came after it told again by a restart"""
    app = HookReceiver(secret=SECRET)
    app.answers = lambda r: 500 if r.events()[0]["mail"]["destination"] == ["odd@docomo.ne.jp"] else 204
    net, ours = up(hook("app", app, **{**QUICK, "retry": "1s", "retry-max": "60s"}))
    send(ours, "odd@docomo.ne.jp")
    app.wait_for(lambda r: len(r.requests) >= 1, "a failure")
    many(ours, 600)
    app.wait_for(lambda r: len(r.events()) >= 600, "the others")
    h.equal(row(ours, "app")["behind"], 1, "one is left")
    ours.stop()
    told = len(app.events())
    app.answers = lambda r: 204
    ours.start()
    app.wait_for(lambda r: r.told("Delivery", "odd@docomo.ne.jp"), "that one")
    send(ours, "last@docomo.ne.jp")
    app.wait_for(lambda r: r.told("Delivery", "last@docomo.ne.jp"), "and the next")
    h.equal(len(app.events()) - told, 2, "told after the restart")
    ours.stop()


def test_many_hooks():
    """Fifty of them, each told of everything"""
    app = HookReceiver(secret=SECRET)
    net, ours = up(*(hook(f"app{i}", app, **QUICK) for i in range(50)))
    many(ours, 20)
    app.wait_for(lambda r: len(r.events()) >= 50 * 20, "all of them")
    h.equal(kinds(app.events()), {"Delivery": 1000}, "each once")
    ours.stop()


if __name__ == "__main__":
    h.main()
