"""The console's door: who gets in, what they may do, and what happens to those who would like to.

time limit: 240 s
"""

import datetime
import gzip
import http.client
import json
import os
import re
import socket
import ssl
import threading
import time

import harness as h
from oiwake import Config, Oiwake, Sandbox

PASSWORD = "correct horse battery"
USERS = (("vera", "view"), ("otto", "operate"), ("anna", "admin"), ("app", None))
JSON = {"Content-Type": "application/json"}
POLICY = {
    "Content-Security-Policy":
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def error(self):
        return self.json()["error"]


class Door:
    """A daemon with a console, and how it is asked."""

    def __init__(self, more="", users=USERS, start=True, address="127.0.0.1", net=None):
        self.port = h.free_port()
        config = Config(net, name=f"door{self.port}", dkim=False)
        config.text += (f'\nweb "console" {{\n\taddress = "{address}:{self.port}"\n'
                        f"\tconsole = yes\n{more}\n}}\n")
        config.save()
        self.ours = Oiwake(config, start=False)
        for name, role in users:
            self.add(name, role)
        self.tls = None
        if start:
            self.ours.start()

    def add(self, name, role=None, password=PASSWORD):
        self.ours.cli("user add", *(["--role", role] if role else []), name, input=(password + "\n").encode())

    def connect(self, source=None):
        if self.tls is not None:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=h.PATIENCE, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=h.PATIENCE,
                                          source_address=(source, 0) if source else None)

    def ask(self, method, path, body=None, headers=None, source=None):
        connection = self.connect(source)
        connection.request(method, path, body, headers or {})
        answer = Answer(connection.getresponse())
        connection.close()
        return answer

    def sign_in(self, user, password=PASSWORD, headers=None, source=None):
        return self.ask("POST", "/v1/session", json.dumps({"user": user, "password": password}),
                        {**JSON, **(headers or {})}, source)

    def session(self, user, password=PASSWORD):
        return Session(self, self.sign_in(user, password))


class Session:
    def __init__(self, door, answer):
        h.equal(answer.status, 200, f"sign-in: {answer.body}")
        self.door = door
        self.said = answer.json()
        self.cookie = answer.headers["Set-Cookie"].split(";")[0]

    def headers(self, **more):
        return {"Cookie": self.cookie, "X-Oiwake-CSRF": self.said["csrf"], **JSON, **more}

    def get(self, path):
        return self.door.ask("GET", path, headers={"Cookie": self.cookie})

    def post(self, path, body=None, **more):
        return self.door.ask("POST", path, json.dumps(body or {}), self.headers(**more))

    def listen(self):
        """A stream, after the head of its answer."""
        connection = self.door.connect()
        connection.request("GET", "/v1/live", headers={"Cookie": self.cookie})
        return connection.getresponse(), connection


def event(stream):
    """The next event of a stream; None at its end."""
    name = data = None
    while True:
        line = stream.readline().decode()
        if line == "":
            return None
        line = line.rstrip("\n")
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            data = json.loads(line[6:])
        elif line == "" and name is not None:
            return name, data


def pause(session, **more):
    return session.post("/v1/pause", {"path": "mta", "why": "a look", "seconds": 60}, **more)


# -- signing in ---------------------------------------------------------------------------------


def test_sign_in():
    """Signing in: the cookie's flags, the session, its end; what is wrong is refused"""
    door = Door()
    for path in ("/v1/session", "/v1/status", "/v1/live", "/v1/no-such-thing"):
        answer = door.ask("GET", path)
        h.equal((answer.status, answer.error()), (401, "not signed in"), path)
    for user, password in (("anna", "wrong"), ("nobody", PASSWORD), ("anna", ""), ("", "")):
        answer = door.sign_in(user, password)
        h.equal((answer.status, answer.error()), (401, "wrong name or password"), f"{user}, {password}")
        h.equal(answer.headers["Set-Cookie"], None, "cookie of a refusal")
    answer = door.sign_in("app")
    h.equal(answer.status, 403, "a user without a role")
    h.check("no role" in answer.error(), answer.error())

    answer = door.sign_in("anna", headers={"Accept-Language": "en-GB, ja;q=0.5"})
    cookie = answer.headers["Set-Cookie"]
    h.check(re.fullmatch(rf"oiwake-{door.port}=[0-9a-f]{{64}}; Path=/; HttpOnly; SameSite=Strict", cookie), cookie)
    said = answer.json()
    h.equal((said["user"], said["role"], said["language"]), ("anna", "admin", "en"), "session")
    anna = Session(door, answer)
    h.equal(anna.get("/v1/session").json(), {**said, "language": "ja"}, "session asked for")
    h.equal(anna.get("/v1/status").status, 200, "status")
    other = door.session("anna")
    h.check(other.cookie != anna.cookie and other.said["csrf"] != said["csrf"], "a new token each time")

    ended = anna.post("/v1/session/end")
    h.equal(ended.status, 200, "sign-out")
    h.check("Max-Age=0" in ended.headers["Set-Cookie"], ended.headers["Set-Cookie"])
    h.equal(anna.get("/v1/status").status, 401, "after signing out")
    h.equal(other.get("/v1/status").status, 200, "the other session")
    # A new sign-in in the same browser takes the place of the old one.
    again = door.sign_in("otto", headers={"Cookie": other.cookie})
    h.equal(again.json()["role"], "operate", "role")
    h.equal(other.get("/v1/status").status, 401, "the session before")
    door.ours.log.wait(lambda _: [e for e in door.ours.log.events("console") if e["result"] == "denied"],
                       "a refusal in the log")
    h.check(PASSWORD not in open(door.ours.config.log).read(), "a password in the log")
    door.ours.stop()


def test_sign_in_bodies():
    """What is no sign-in is told so; the daemon goes on"""
    door = Door()
    for body in (b"", b"{", b"[]", b"null", b'{"user":"anna"}', b'{"user":1,"password":"x"}',
                 b'{"user":"anna","password":"x","more":1}', b'{"user":"a","user":"b","password":"x"}',
                 b'{"user":"' + b"a" * 300 + b'","password":"x"}', b'{"user":"anna\\u0000","password":"x"}',
                 b'{"user":"a","password":"' + b"x" * 5000 + b'"}', b"\xff\xfe"):
        answer = door.ask("POST", "/v1/session", body, JSON)
        h.equal(answer.status, 400, body[:40])
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""):
        answer = door.ask("POST", "/v1/session", b"{}", {"Content-Type": kind})
        h.equal(answer.status, 415, kind)
    h.equal(door.sign_in("anna").status, 200, "afterwards")
    door.ours.stop()


def test_guesses():
    """Guesses are slowed down, and neither the other users nor the right password are locked out"""
    door = Door()
    stop = threading.Event()
    tried, crowded = [], []

    def guess():
        while not stop.is_set():
            answer = door.sign_in("anna", "guess", source="127.0.0.2")
            (crowded if answer.status == 429 else tried).append(answer.status)
            if answer.status == 429:
                stop.wait(0.1)

    before = time.monotonic()
    h.equal(door.sign_in("otto").status, 200, "a sign-in before")
    alone = time.monotonic() - before
    began = time.monotonic()
    guessers = [threading.Thread(target=guess) for _ in range(6)]
    for g in guessers:
        g.start()
    h.wait_until(lambda: len(tried) >= 9, "guesses")
    # Whoever else signs in meanwhile does not notice; the one who is guessed at waits for seconds.
    before = time.monotonic()
    h.equal(door.sign_in("otto").status, 200, "another user's sign-in")
    other = time.monotonic() - before
    before = time.monotonic()
    h.equal(door.sign_in("anna").status, 200, "the right password")
    own = time.monotonic() - before
    stop.set()
    for g in guessers:
        g.join()
    seconds = time.monotonic() - began
    h.equal(set(tried), {401}, "answers to guesses")
    h.check(crowded, "no more than two attempts wait for one user from one address")
    # A password costs time, and six others' are looked at besides.
    h.check(other < 2 + 8 * alone, f"the other user waited {other:.1f} s, before them {alone:.1f} s")
    h.check(0.4 < own < 8 + 30 * alone, f"the right password waited {own:.1f} s")
    h.check(len(tried) < 12 + seconds, f"{len(tried)} guesses in {seconds:.1f} s")
    door.ours.stop()


# -- what a session may do ----------------------------------------------------------------------


def test_roles():
    """Each role may do what it says; a refusal names both roles"""
    door = Door()
    vera, otto, anna = (door.session(u) for u in ("vera", "otto", "anna"))
    for session in (vera, otto, anna):
        for path in ("/v1/status", "/v1/pauses", "/v1/queue", "/v1/rules"):
            h.equal(session.get(path).status, 200, path)
    refused = pause(vera)
    h.equal((refused.status, refused.error()), (403, "your role is 'view': for this it takes 'operate'"), "view")
    h.equal(otto.get("/v1/pauses").json(), {"rows": []}, "pauses")
    h.equal(pause(otto).status, 200, "operate")
    h.equal(otto.get("/v1/pauses").json()["rows"][0]["who"], "otto by console", "who")
    refused = otto.post("/v1/reload")
    h.equal((refused.status, refused.error()), (403, "your role is 'operate': for this it takes 'admin'"), "reload")
    h.equal(anna.post("/v1/reload").status, 200, "admin")
    door.ours.log.wait(lambda _: any("anna by console" in e["text"] for e in door.ours.log.events("reload")),
                       "who has reloaded")
    h.equal(anna.post("/v1/resume", {"path": "mta"}).status, 200, "admin may operate")
    h.equal(anna.post("/v1/status").status, 405, "method")
    h.equal(anna.get("/v1/nothing").status, 404, "address")
    h.equal(vera.post("/v1/session/end").status, 200, "view may sign out")
    # On the socket nothing has changed.
    door.ours.cli("pause path mta")
    door.ours.cli("resume path mta")
    door.ours.stop()


def test_forged_requests():
    """Another site's page can neither change nor read anything, by whatever name it calls us"""
    door = Door(more='\tnames = { "console.oiwake.test" }')
    anna = door.session("anna")
    token = anna.said["csrf"]
    for csrf in (None, "", "x", token[:-1], token[:-1] + ("0" if token[-1] != "0" else "1"), token + "0",
                 door.session("anna").said["csrf"]):
        headers = anna.headers()
        headers.pop("X-Oiwake-CSRF")
        if csrf is not None:
            headers["X-Oiwake-CSRF"] = csrf
        answer = door.ask("POST", "/v1/pause", b'{"path":"mta"}', headers)
        h.equal(answer.status, 403, f"token {csrf}")
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = door.ask("POST", "/v1/pause", b'{"path":"mta"}', anna.headers(**{"Content-Type": kind}))
        h.equal(answer.status, 415, kind)
    h.equal(anna.get("/v1/pauses").json(), {"rows": []}, "nothing has been paused")

    own = f"127.0.0.1:{door.port}"
    for host in ("evil.test", f"evil.test:{door.port}", "127.0.0.1.evil.test", "10.0.0.1", "",
                 "localhost.evil.test", "127.0.0.1:80:80", "[::1", "[127.0.0.1]x", "console.oiwake.test.evil.test"):
        for path in ("/", "/v1/session", "/app.js"):
            answer = door.ask("GET", path, headers={"Host": host, "Cookie": anna.cookie})
            h.equal(answer.status, 421, f"{host} {path}")
            h.check(host == "" or host.encode() not in answer.body, "what the request said is not repeated")
    for host in (own, f"localhost:{door.port}", "localhost", "LOCALHOST", "[::1]:9000", "127.0.0.2",
                 "console.oiwake.test", "Console.Oiwake.Test:443"):
        answer = door.ask("GET", "/v1/session", headers={"Host": host, "Cookie": anna.cookie})
        h.equal(answer.status, 200, host)
    for origin in ("http://evil.test", "null", "", "http://127.0.0.1", f"http://{own}.evil.test",
                   f"http://evil.test/{own}", f"ftp://{own}"):
        answer = pause(anna, Origin=origin)
        h.equal(answer.status, 403, origin)
    h.equal(pause(anna, Origin=f"http://{own}").status, 200, "our own page")
    # In HTTP/1.0 there need not be a Host; here there must.
    with socket.create_connection(("127.0.0.1", door.port), h.PATIENCE) as s:
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        h.check(b" 421 " in s.makefile("rb").readline(), "a request without Host")
    door.ours.stop()


def test_cookies():
    """Only the very token is a session; the rest of Cookie is passed over"""
    door = Door()
    anna = door.session("anna")
    name, token = anna.cookie.split("=")
    for cookie in (f"{name}=", f"{name}={token[:-1]}", f"{name}={token}0", f"{name}={token.upper()}"
                   if token.upper() != token else f"{name}=x", f"x{name}={token}", f"{name}x={token}",
                   f'{name}="{token}"', ";" * 5000, f"{name}={'a' * 9000}", "=" * 100, f"{name} ={token}"):
        h.equal(door.ask("GET", "/v1/session", headers={"Cookie": cookie}).status, 401, cookie[:100])
    for cookie in (f"a=b; {name}={token}", f"{name}={token};c=d", f" ; ;{name}={token}", f"b; {name}={token}"):
        h.equal(door.ask("GET", "/v1/session", headers={"Cookie": cookie}).status, 200, cookie[:100])
    door.ours.stop()


def test_session_ends():
    """A session ends when it is not used, when it is old, and when its user is no longer who they were"""
    door = Door(more="\tsession-idle = 3s\n\tsession-life = 1h")
    idle, busy = door.session("anna"), door.session("anna")
    for _ in range(10):
        used = time.monotonic()
        time.sleep(0.5)  # the time that is measured
        status = busy.get("/v1/session").status
        if time.monotonic() - used > 2.5:  # a slow machine has not used it
            busy = door.session("anna")
        else:
            h.equal(status, 200, "one that is used")
    h.equal(idle.get("/v1/session").status, 401, "one that was not used")

    vera = door.session("vera")
    stream, _ = vera.listen()
    h.equal(event(stream)[0], "live", "event")
    door.add("vera", "operate", "another password")
    h.equal(vera.get("/v1/session").status, 401, "after another password")
    h.equal(door.sign_in("vera").status, 401, "the old password")
    h.equal(event(stream), None, "the stream of a session that has ended")
    vera = door.session("vera", "another password")
    h.equal(vera.said["role"], "operate", "role")

    users = os.path.join(door.ours.config.top, "users")
    text = open(users).read()
    door.ours.config.write("users", text.replace(":operate", ":view"), 0o600)
    h.equal(vera.get("/v1/session").status, 401, "after another role")
    vera = door.session("vera", "another password")
    h.equal(vera.said["role"], "view", "role")
    door.ours.cli("user remove", "vera")
    h.equal(vera.get("/v1/session").status, 401, "after being removed")
    door.ours.stop()

    door = Door(more="\tsession-life = 3s")
    end = time.monotonic() + 3  # or later
    anna = door.session("anna")
    h.wait_until(lambda: anna.get("/v1/session").status == 401, "the end of one that is used", pause=0.2)
    h.check(time.monotonic() >= end, "it ended early")
    door.ours.stop()


# -- live ----------------------------------------------------------------------------------------


def test_live():
    """Events come every two seconds, to 64 streams and no more; a stop waits for none of them"""
    door = Door()
    anna = door.session("anna")
    stream, _ = anna.listen()
    h.equal((stream.status, stream.headers["Content-Type"]), (200, "text/event-stream"), "stream")
    name, said = event(stream)
    h.equal(name, "live", "name")
    h.check({"at", "queued", "in_memory", "sending", "connections", "stopping", "store_failed", "lanes", "pauses",
             "guard", "rules", "last_event"} <= set(said), f"keys: {sorted(said)}")
    pause(anna)
    later = event(stream)[1]
    h.equal(later["pauses"], 1, "pauses")
    apart = datetime.datetime.fromisoformat(later["at"][:-1]) - datetime.datetime.fromisoformat(said["at"][:-1])
    h.check(1.5 < apart.total_seconds() < 10, f"{apart} between events")

    streams = [anna.listen() for _ in range(69)]
    h.equal([s.status for s, _ in streams].count(200), 63, "streams besides the first")
    full = next(s for s, _ in streams if s.status != 200)
    h.equal((full.status, json.loads(full.read())["error"]), (503, "too many pages listen already"), "one too many")
    h.equal(anna.get("/v1/status").status, 200, "a question meanwhile")
    for s, connection in streams[:30]:
        connection.close()
        s.close()
    h.wait_until(lambda: anna.listen()[0].status == 200, "room for a new stream", pause=0.3)
    began = time.monotonic()
    door.ours.stop()
    h.check(time.monotonic() - began < 20, f"stopping took {time.monotonic() - began:.1f} s")


# -- files ---------------------------------------------------------------------------------------


def test_files():
    """Files: types, entity tags, gzip or not, HEAD; headers on everything"""
    door = Door()
    page = door.ask("GET", "/")
    h.check(page.body.startswith(b"<!doctype html>"), page.body[:100])
    folder = os.path.join(h.ROOT, "router", "http", "console")
    names = sorted(n for n in os.listdir(folder) if n.endswith((".js", ".css", ".html")))
    h.check("app.js" in names and "app.css" in names, f"{names}")
    for name in [*names, "uplot.js", "uplot.css", "licences.txt"]:
        plain = door.ask("GET", f"/{name}")
        h.equal(plain.status, 200, name)
        if name in names:
            h.check(plain.body == open(os.path.join(folder, name), "rb").read(), f"{name} is another one")
        for key, value in {**POLICY, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}.items():
            h.equal(plain.headers[key], value, f"{key} of {name}")
        h.check(plain.headers["Content-Type"].startswith({"js": "text/javascript", "css": "text/css",
                "html": "text/html", "txt": "text/plain"}[name.split(".")[-1]]), plain.headers["Content-Type"])
        zipped = door.ask("GET", f"/{name}", headers={"Accept-Encoding": "br, gzip;q=0.9"})
        h.equal(zipped.headers["Content-Encoding"], "gzip", name)
        h.check(gzip.decompress(zipped.body) == plain.body, f"{name} is another one as gzip")
        tag = plain.headers["ETag"]
        for given in (tag, f'"x", W/{tag}', "*"):
            same = door.ask("GET", f"/{name}", headers={"If-None-Match": given})
            h.equal((same.status, same.body, same.headers["ETag"]), (304, b"", tag), f"{name} {given}")
        h.equal(door.ask("GET", f"/{name}", headers={"If-None-Match": '"x"'}).status, 200, name)
        head = door.ask("HEAD", f"/{name}")
        h.equal((head.status, head.body, head.headers["ETag"]), (200, b"", tag), f"HEAD {name}")
    h.equal(door.ask("GET", "/app.js", headers={"Accept-Encoding": "gzip;q=0, br"}).headers["Content-Encoding"],
            None, "gzip refused")
    h.check(b"uplot" in door.ask("GET", "/licences.txt").body, "licences")
    for path in ("/../users", "/..%2fusers", "//app.js", "/console.c", "/package.json", "/nothing", "/app.js/",
                 "/%00", "/app.js%00", "*"):
        h.check(door.ask("GET", path).status in (400, 404), path)
    h.equal(door.ask("POST", "/app.js", b"").status, 405, "POST")
    anna = door.session("anna")
    for answer in (anna.get("/v1/status"), anna.get("/v1/nothing"), door.ask("GET", "/nothing"),
                   door.ask("GET", "/v1/status"), door.ask("GET", "/", headers={"Host": "evil.test"})):
        for key, value in {**POLICY, "Cache-Control": "no-store"}.items():
            h.equal(answer.headers[key], value, f"{key} of {answer.status}")
        h.equal(answer.headers["Strict-Transport-Security"], None, "on loopback")
    door.ours.stop()


# -- bad clients ---------------------------------------------------------------------------------


def test_bad_clients():
    """Garbage, long headers, large bodies, half requests: an answer or the door, and mail flows on"""
    net = Sandbox()
    door = Door(net=net, more="\tmax-connections = 40")
    anna = door.session("anna")
    for data in (b"\x00" * 1000, b"GET / HTTP/9.9\r\n\r\n", b"<script>alert(1)</script> / HTTP/1.1\r\n\r\n",
                 b"GET /<script>x</script> HTTP/1.1\r\nHost: <b>\r\n\r\n", b"\r\n" * 500,
                 b"GET / HTTP/1.1\r\nX: " + b"a" * 100000 + b"\r\n\r\n",
                 b"POST /v1/pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                 b"POST /v1/pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n",
                 b"POST /v1/pause HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                 b"GET http://[::/ HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00"):
        with socket.create_connection(("127.0.0.1", door.port), h.PATIENCE) as s:
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                got = b""
                while chunk := s.recv(65536):
                    got += chunk
                h.check(b"<script>" not in got and b"<b>" not in got, f"reflected: {got[:200]}")
            except OSError:
                pass  # hung up on
    try:
        answer = door.ask("POST", "/v1/pause", b'{"path":"' + b"a" * 100000 + b'"}', anna.headers())
        h.equal(answer.status, 413, "a large body")
        h.check("65536" in answer.error(), answer.error())
        answer = door.ask("POST", "/v1/rules/check", b"a" * (6 << 20), anna.headers())
        h.equal(answer.status, 413, "a very large body")
    except ConnectionError:
        pass  # cut off while it was sent

    idle = [socket.create_connection(("127.0.0.1", door.port), h.PATIENCE) for _ in range(80)]
    for s in idle[::2]:
        try:
            s.sendall(b"GET /v1/live HTTP/1.1\r\nHost: loc")
        except ConnectionError:
            pass
    with h.smtp(door.ours.port("relay")) as s:
        s.sendmail("news@news.test", ["a@ordinary.test"], "From: news@news.test\r\nSubject: x\r\n\r\nhello\r\n")
    net.journal.wait_delivered("a@ordinary.test")
    for s in idle:
        s.close()
    h.wait_until(lambda: works(anna), "an answer afterwards", pause=0.3)
    door.ours.stop()


def test_memory():
    """Large bodies that are never finished take so much memory and no more"""
    door = Door()
    anna = door.session("anna")

    def resident():
        with open(f"/proc/{door.ours.process.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    before = resident()
    head = b"POST /v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n"
    clients = [socket.create_connection(("127.0.0.1", door.port), h.PATIENCE) for _ in range(40)]
    for s in clients:
        try:
            s.sendall(head + b" " * 4900000)
        except OSError:
            pass
        s.setblocking(False)
    h.wait_until(lambda: sum(map(is_cut_off, clients)) > 20, "most clients are cut off")
    after = resident()
    h.check(after - before < 150_000, f"{before} kB before, {after} kB after")
    for s in clients:
        s.close()
    h.wait_until(lambda: works(anna), "an answer afterwards", pause=0.3)
    h.equal(door.sign_in("otto").status, 200, "a sign-in afterwards")
    door.ours.stop()


def is_cut_off(client):
    try:
        return client.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def works(session):
    try:
        return session.get("/v1/status").status == 200
    except (OSError, http.client.HTTPException):
        return False


def test_slow_reader():
    """A stream that is not read, and one that is cut off, do not disturb the others"""
    door = Door()
    anna = door.session("anna")
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    slow.connect(("127.0.0.1", door.port))
    slow.sendall(f"GET /v1/live HTTP/1.1\r\nHost: localhost\r\nCookie: {anna.cookie}\r\n\r\n".encode())
    stream, _ = anna.listen()
    for _ in range(3):
        h.equal(event(stream)[0], "live", "the one that reads")
    h.equal(anna.get("/v1/status").status, 200, "a question meanwhile")
    slow.close()
    door.ours.stop()


def test_reload():
    """A console that is set up otherwise is so after a restart; one as it was is not spoken of"""
    door = Door()
    h.check("web listeners" not in door.ours.cli("reload").stdout, "nothing has changed")
    door.ours.config.text = door.ours.config.text.replace("\tconsole = yes\n",
                                                          '\tconsole = yes\n\tnames = { "a.test" }\n')
    door.ours.config.save()
    h.check("web listeners: in force after a restart" in door.ours.cli("reload").stdout, "names have changed")
    h.equal(door.ask("GET", "/", headers={"Host": "a.test"}).status, 421, "before")
    anna = door.session("anna")
    door.ours.stop()
    door.ours.start()
    h.equal(door.ask("GET", "/", headers={"Host": "a.test"}).status, 200, "after")
    h.equal(anna.get("/v1/session").status, 401, "a session of before")
    door.ours.stop()


# -- TLS and settings ----------------------------------------------------------------------------


def test_tls():
    """With TLS the cookie is Secure and bound to the host, and Origin must be https"""
    door = Door(start=False)
    top = door.ours.config.top
    door.ours.config.text = door.ours.config.text.replace(
        "\tconsole = yes\n", f'\tconsole = yes\n\tcertificate = "{top}/cert.pem"\n\tkey = "{top}/key.pem"\n')
    door.ours.config.save()
    door.ours.start()
    door.tls = ssl.create_default_context()
    door.tls.check_hostname = False
    door.tls.verify_mode = ssl.CERT_NONE
    answer = door.sign_in("anna")
    cookie = answer.headers["Set-Cookie"]
    h.check(re.fullmatch(rf"__Host-oiwake-{door.port}=[0-9a-f]{{64}}; Path=/; HttpOnly; SameSite=Strict; Secure",
                         cookie), cookie)
    anna = Session(door, answer)
    h.equal(pause(anna, Origin=f"http://127.0.0.1:{door.port}").status, 403, "the page in clear")
    h.equal(pause(anna, Origin=f"https://127.0.0.1:{door.port}").status, 200, "our own page")
    stream, _ = anna.listen()
    h.equal(event(stream)[0], "live", "a stream in TLS")
    with socket.create_connection(("127.0.0.1", door.port), h.PATIENCE) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        h.check(b"HTTP/1.1 200" not in s.recv(1000), "in clear")
    h.equal(door.ask("GET", "/").status, 200, "afterwards")
    door.ours.stop()


def test_settings():
    """Settings that cannot be are told with their line; user list shows roles"""
    cases = (
        ('address = "127.0.0.1:0"', "serves nothing"),
        ('address = "127.0.0.1:0"\n\tserve = sns\n\tconsole = yes', "serves sns and the console"),
        ('address = "0.0.0.0:0"\n\tconsole = yes', None),
        ('address = "127.0.0.1:0"\n\tmetrics = yes\n\tnames = "a.test"', "names: goes with console = yes"),
        ('address = "127.0.0.1:0"\n\tconsole = yes\n\tnames = "a b"', "names: not a host name"),
        ('address = "127.0.0.1:0"\n\tconsole = yes\n\tusers = "none"', "users: cannot open"),
        ('address = "127.0.0.1:0"\n\tconsole = maybe', "console"),
        ('address = "127.0.0.1:0"\n\tconsole = yes\n\tsession-idle = 1ms', "session-idle"),
    )
    ours = Oiwake(Config(None, dkim=False), start=False)
    text = ours.config.text
    for section, why in cases:
        ours.config.text = text + f'\nweb "w" {{\n\t{section}\n}}\n'
        ours.config.save()
        said = ours.cli("check", status=1 if why else 0).stderr
        h.check(why is None or re.search(rf"oiwake\.conf:\d+:.*{why}", said), f"{section}: {said}")
    ours.config.text = text
    ours.config.save()
    for name, role in USERS:
        ours.cli("user add", *(["--role", role] if role else []), name, input=b"x\n")
    ours.cli("user add", "anna", input=b"another\n")
    h.equal([(u["user"], u["role"]) for u in ours.json("user list")],
            [("anna", "admin"), ("app", "none"), ("otto", "operate"), ("vera", "view")], "users and roles")
    ours.cli("user add --role king", "x", input=b"x\n", status=2)
    ours.cli("user remove --role view", "anna", status=2)
    ours.cli("user list --console", status=1)
    ours.config.write("users", "a:$y$x:king\n", 0o600)
    h.check("a role is view, operate or admin" in ours.cli("check", status=1).stderr, "a role that is none")
    ours.config.write("consoles", "", 0o600)
    ours.config.write("users", "", 0o600)
    ours.config.text = text + '\nweb "w" {\n\taddress = "127.0.0.1:0"\n\tconsole = yes\n\tusers = "consoles"\n}\n'
    ours.config.save()
    ours.cli("user add --console --role view", "v", input=b"x\n")
    h.equal(len(ours.json("user list")), 0, "users of mail")
    h.equal(len(ours.json("user list --console")), 1, "users of the console")


if __name__ == "__main__":
    h.main()
