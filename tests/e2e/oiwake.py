"""oiwake.py - the product and its fake internet, as a test starts and asks them.

    net = Sandbox()                     # tests/sandbox on free ports
    ours = Oiwake(Config(net))          # `oiwake serve`, ready when this returns
    s = h.smtp(ours.port("relay")); s.sendmail(...)
    net.journal.wait_delivered("taro@docomo.ne.jp")
    ours.stats("path", "carrier")
"""

import contextlib
import http.client
import json
import os
import shutil
import socket
import sqlite3
import tempfile
import time

import harness as h
import postgres

# Where the queue of every test is that says nothing else of it.
ON_POSTGRES = os.environ.get("STORE") == "postgres"


def need_sqlite(why):
    """Of what is SQLite's own; `why` is for whoever reads the list."""
    h.need(not ON_POSTGRES, f"SQLite's own: {why}")


USER, PASSWORD = "app", "correct horse battery"
DKIM_DOMAIN, SELECTOR = "news.test", "s1"

# Everything may go out at once and is tried again soon; a test that wants less says so after these.
# Nothing expires but where a test says so, however long it takes.
QUICK_SHAPES = "connections 5 messages 100 rate 10000/s retry 1s expiry 1h"
CARRIERS = ("docomo", "au", "softbank", "ymobile", "rakuten")

RULES = """\
include "{conf}/carriers.rules"
{routes}
shape default {quick}
{carrier_shapes}
shape group yahoo rate 10000/s retry 1s
{shapes}
"""

ROUTES = """\
route keitai to carrier * via mta pool keitai
route own to domain ordinary.test second.test news.test via mta
route default to any via ses
"""

CONFIG = """\
hostname = "mail.oiwake.test"
{store}state-directory = "{state}"
rules = "{top}/oiwake.rules"
users = "{top}/users"
log = "{top}/oiwake.log"
log-level = {log_level}
admin-socket = "{socket}"
io-threads = {threads}

limits {{
{limits}
}}
tls {{
	certificate = "{top}/cert.pem"
	key = "{top}/key.pem"
}}
listener "submission" {{
	type = submission
	address = "127.0.0.1:{submission}"
}}
listener "submissions" {{
	type = submission
	address = "127.0.0.1:{submissions}"
	tls = implicit
}}
listener "relay" {{
	type = relay
	address = "127.0.0.1:{relay}"
	networks = {{ {networks} }}
}}
listener "inbound" {{
	type = inbound
	address = "127.0.0.1:{inbound}"
}}
source "tokyo1" {{
	hostname = "mx1.oiwake.test"
	address = "127.0.20.1"
}}
pool "keitai" {{
	sources = {{ "tokyo1" }}
}}
path "mta" {{
	type = mta
	pool = keitai
	port = {smtp_port}
	allow-private = yes
	preflight = {preflight}
{mta}
}}
{ses}
{dkim}
dns {{
	servers = {{ "127.0.0.1@{dns_port}" }}
}}
queue {{
{queue}
}}
guard {{
{guard}
}}
"""

SES = """\
path "ses" {{
	type = ses
	transport = smtp
	host = "{host}"
	allow-private = yes
	port = {port}
	ca-file = "{ca}"
	user = "{user}"
	password-file = "{password}"
	rate = {rate}
}}
"""

SES_API = """\
path "ses" {{
	type = ses
	region = "{region}"
	endpoint = "{endpoint}"
	ca-file = "{ca}"
	{credentials}
	configuration-set = "events"
	rate = {rate}
	account-check = 1s
	connections = 20
{more}
}}
sqs "events" {{
	path = ses
	queue = "{queue_url}"
	endpoint = "{endpoint}"
	wait = 2s
{sqs}
}}
"""

STATIC = """\
credentials = static
	access-key = "{access_key}"
	secret-key-file = "{secret}"
"""

# The events of a recipient's final log line; "deferred" and "unread" are those of an attempt.
FINAL = ("delivered", "sent", "bounced", "filtered", "expired", "suppressed", "removed")

LISTENERS = ("submission", "submissions", "relay", "inbound")


def short_path(path):
    """A path for a Unix socket, which may not be long."""
    if len(path) <= 90:
        return path
    short = tempfile.mkdtemp(prefix="oiwake-")
    h.work.cleanups.append(lambda: shutil.rmtree(short, ignore_errors=True))
    return os.path.join(short, os.path.basename(path))


class Config:
    """A folder with all that `oiwake serve` reads. Change .text or write_rules before the start."""

    def __init__(self, net=None, name="oiwake", routes=ROUTES, shapes="", limits="", mta="",
                 queue="", networks=("127.0.0.1",), rate=1000, threads=2, log_level="info",
                 dkim=True, state=None, dns_port=None, smtp_port=None, preflight="off",
                 ses="smtp", ses_more="", sqs="", credentials=None, guard="\tenforce = no",
                 store=None, node=None, sources=(), lease="2s"):
        """Most mail of tests is so bad that the guard would rightly stop it: it only warns unless told otherwise.

        store: the URL of a database that several may share, each a node with a name and sources. None: SQLite, but with
        STORE=postgres in the environment a database of its own."""
        self.top = h.work.file(name)
        os.makedirs(self.top, exist_ok=True)
        self.state = state or self.make("state")
        self.path = os.path.join(self.top, "oiwake.conf")
        self.log = os.path.join(self.top, "oiwake.log")
        self.ports = {n: h.free_port() for n in LISTENERS}
        self.socket = short_path(os.path.join(self.top, "admin.sock"))
        certificate(self.top)
        if net and ses == "api":
            ses = self.ses_api(net, rate, ses_more, sqs, credentials)
        elif net:
            far = net.said["ses"]
            ses = SES.format(host=far["name"], port=far["port"], ca=net.ca,
                             user=far["user"], rate=rate,
                             password=self.write("ses-password", far["password"] + "\n", 0o600))
        else:
            ses = ""
            routes = routes.replace("via ses", "via mta")
        key = ""
        if dkim:
            key = 'dkim "%s" {\n\tselector = "%s"\n\tkey = "%s"\n}' % (
                DKIM_DOMAIN, SELECTOR, dkim_key(self.top))
        self.write_rules(routes, shapes)
        self.write("users", "", 0o600)
        if store is None and ON_POSTGRES:
            store = postgres.cluster().database()
        self.store, self.node = store, node or name
        self.text = CONFIG.format(
            store=self.store_text(sources, lease), top=self.top, state=self.state, socket=self.socket,
            limits=limits, mta=mta, queue=queue, ses=ses, dkim=key, guard=guard, threads=threads, log_level=log_level, preflight=preflight,
            networks=", ".join(f'"{n}"' for n in networks),
            smtp_port=smtp_port or (net.said["smtp_port"] if net else 25),
            dns_port=dns_port or (net.said["dns"]["port"] if net else 1), **self.ports)
        self.save()

    def store_text(self, sources, lease):
        if self.store is None:
            return ""
        named = ", ".join(f'"{s}"' for s in sources)
        return (f'store = "{self.store}"\nnode = "{self.node}"\nlease = {lease}\n'
                + (f"node-sources = {{ {named} }}\n" if named else ""))

    def sql(self, text):
        """Rows that the store's database answers: numbers and texts of SQLite, texts of PostgreSQL."""
        if self.store:
            return postgres.psql(self.store, text)
        with contextlib.closing(sqlite3.connect(os.path.join(self.state, "oiwake.db"))) as db, db:
            return [list(row) for row in db.execute(text)]

    def ses_api(self, net, rate, more, sqs, credentials):
        far = net.said["aws"]
        secret = self.write("ses-secret", far["secret_key"] + "\n", 0o600)
        return SES_API.format(
            ca=net.ca, rate=rate, more=more, sqs=sqs, region=far["region"],
            endpoint=far["endpoint"], queue_url=far["queue_url"],
            credentials=credentials or STATIC.format(access_key=far["access_key"], secret=secret))

    def make(self, name):
        path = os.path.join(self.top, name)
        os.makedirs(path, exist_ok=True)
        return path

    def write(self, name, text, mode=0o644):
        return h.work.write(os.path.join(self.top, name), text, mode)

    def write_rules(self, routes=ROUTES, shapes=""):
        carriers = "\n".join(f"shape carrier {c} {QUICK_SHAPES} recipients 100/session "
                             "recipients 10/message" for c in CARRIERS)
        self.write("oiwake.rules", RULES.format(
            conf=os.path.join(h.ROOT, "conf"), routes=routes, quick=QUICK_SHAPES,
            carrier_shapes=carriers, shapes=shapes))

    def save(self):
        self.write("oiwake.conf", self.text, 0o600)


def shared(name, make):
    """A folder that make(path) has filled, today, for all tests: keys take their time."""
    path = os.path.join(h.BUILD, "keys", time.strftime(f"{name}-%Y%m%d"))
    if not os.path.isdir(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        part = tempfile.mkdtemp(dir=os.path.dirname(path))
        make(part)
        try:
            os.rename(part, path)
        except OSError:  # somebody was faster
            shutil.rmtree(part)
    return path


def take(folder, name, top):
    """A copy of a shared key file in the folder of a test."""
    path = os.path.join(top, name)
    if not os.path.exists(path):
        shutil.copy(os.path.join(folder, name), path)
        os.chmod(path, 0o600)
    return path


def make_certificate(top):
    h.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
           "-nodes", "-days", "30", "-subj", "/CN=mail.oiwake.test",
           "-keyout", os.path.join(top, "key.pem"), "-out", os.path.join(top, "cert.pem")])


def certificate(top):
    folder = shared("certificate", make_certificate)
    for name in ("key.pem", "cert.pem"):
        take(folder, name, top)


def dkim_key(top):
    """A key file; its public half for the zone is in dkim_record()."""
    folder = shared("dkim", lambda part: h.run(
        ["openssl", "genrsa", "-out", os.path.join(part, "dkim.pem"), "2048"]))
    return take(folder, "dkim.pem", top)


def dkim_record(top):
    der = h.run(["openssl", "rsa", "-in", dkim_key(top), "-pubout", "-outform", "PEM"]).stdout
    public = "".join(l for l in der.splitlines() if "-----" not in l)
    return f'{SELECTOR}._domainkey.{DKIM_DOMAIN} TXT "v=DKIM1; k=rsa; p={public}"'


class Oiwake:
    def __init__(self, config, start=True):
        h.need_program(h.OIWAKE)
        self.config = config
        self.process = None
        open(config.log, "ab").close()
        self.log = h.LogLines(config.log)
        if start:
            self.start()

    def port(self, listener):
        return self.config.ports[listener]

    def launch(self):
        self.process = h.Process("oiwake", [h.OIWAKE, "serve", "-c", self.config.path])

    def start(self, limit=None):
        """Serves and is ready when this returns."""
        before = len(self.log.events("ready"))
        self.launch()
        self.log.wait(lambda _: len(self.log.events("ready")) > before
                      or not self.process.running(), "oiwake is ready", limit, self.process)
        h.check(self.process.running(), lambda: "oiwake ended at its start:\n"
                + self.process.stderr()[-4000:] + self.tail())

    def tail(self):
        self.log.read()
        return "\n".join(e["line"] for e in self.log.all[-10:])

    def stop(self, limit=None):
        self.process.stop(limit or h.PATIENCE)

    def kill9(self):
        self.process.kill9()

    def pause(self):
        self.process.pause()

    def resume(self):
        self.process.resume()

    def cli(self, command, *args, status=0, input=None):
        return h.run([h.OIWAKE, *command.split(), "-c", self.config.path, *args], status=status,
                     input=input)

    def json(self, command, *args, status=0):
        text = self.cli(command, "--json", *args, status=status).stdout
        return [json.loads(line) for line in text.splitlines()]

    def all_told(self):
        """Who reads events from one to the next is told of none that an older transaction of the whole server may
        come before. After this, of all that was committed before it."""
        if self.config.store:
            postgres.await_older_transactions(self.config.store)

    def ask(self, url):
        """The answer of the admin API, as the command line would get it; that costs a process each time."""
        try:
            with contextlib.closing(http.client.HTTPConnection("localhost", timeout=h.PATIENCE)) as c:
                c.sock = socket.socket(socket.AF_UNIX)
                c.sock.settimeout(h.PATIENCE)
                c.sock.connect(self.config.socket)
                c.request("GET", url)
                answer = c.getresponse()
                text = answer.read().decode()
        except (OSError, http.client.HTTPException) as why:
            raise h.Failed(f"{url}: {why}") from why
        h.equal(answer.status, 200, f"status of {url}, which says {text}")
        return json.loads(text)

    def stats(self, *by):
        """The rows of `oiwake stats --json`."""
        return self.ask("/v1/stats" + ("?by=" + ",".join(by) if by else ""))["rows"]

    def total(self, counter):
        return sum(row[counter] for row in self.stats("path"))

    def finals(self, address):
        """The final log lines of a recipient: there may be only one per message."""
        self.log.read()
        return [e for e in self.log.all if e.get("event") in FINAL and e.get("to") == address]

    def attempts(self, event, address):
        return [e for e in self.log.events(event) if e.get("to") == address]

    def queue_size(self):
        return self.total("queued")

    def wait_empty(self, limit=None):
        h.wait_until(lambda: self.queue_size() == 0,
                     lambda: f"an empty queue, {self.queue_size()} are left", limit, pause=0.1)

    def add_user(self, name=USER, password=PASSWORD):
        self.cli("user add", name, input=(password + "\n").encode())


TOKYO1 = 'source "tokyo1" {\n\thostname = "mx1.oiwake.test"\n\taddress = "127.0.20.1"\n}\n'


def nodes(net, names=("a", "b"), store=None, start=True, each=None, **config):
    """An Oiwake for each name, all on one store. The first has the source tokyo1 (127.0.20.1), the second tokyo2, and
    so on; the pool has all. each(config): what else its settings are to say."""
    store = store or postgres.cluster().database()
    sources = [f"tokyo{n}" for n in range(1, len(names) + 1)]
    text = "".join(TOKYO1.replace("tokyo1", s).replace("mx1", f"mx{n}").replace("20.1", f"20.{n}")
                   for n, s in enumerate(sources, 1))
    up = []
    for name, source in zip(names, sources):
        c = Config(net, name=name, store=store, sources=(source,), **config)
        c.text = c.text.replace(TOKYO1, text).replace(
            'sources = { "tokyo1" }\n}', "sources = { %s }\n}" % ", ".join(f'"{s}"' for s in sources))
        if each:
            each(c)
        c.save()
        up.append(Oiwake(c, start=start))
    return up


class Journal(h.JsonLines):
    """What the sandbox received; its lines are described in tests/sandbox/main.c."""

    def events(self, name):
        self.read()
        return [e for e in self.all if e["event"] == name]

    def messages(self):
        """Every message whose data began, accepted or not."""
        return self.events("message")

    def recipients(self):
        """(message, recipient) of every recipient taken, withdrawn ones left out."""
        withdrawn = {e["message"] for e in self.events("withdrawn")}
        for m in self.messages():
            if m["accepted"] and m["seq"] not in withdrawn:
                for r in m["rcpt"]:
                    if r["accepted"]:
                        yield m, r

    def delivered(self, address=None, test_id=None, host=None):
        return [m for m, r in self.recipients() if address in (None, r["to"])
                and test_id in (None, m["x_test_id"]) and host in (None, m["host"])]

    def wait_delivered(self, address=None, test_id=None, count=1, limit=None):
        """The messages, one for each recipient taken."""
        return self.wait(lambda _: len(self.delivered(address, test_id)) >= count
                         and self.delivered(address, test_id),
                         lambda: f"{count} for {address or test_id} in the journal, there are "
                         f"{len(self.delivered(address, test_id))}", limit)

    def refused(self, address):
        """Refusals at RCPT, and messages refused later, with this recipient."""
        return [e for e in self.all if e.get("to") == address or e["event"] == "message"
                and not e["accepted"] and address in [r["to"] for r in e["rcpt"]]]

    def wait_refused(self, address, count=1, limit=None):
        return self.wait(lambda _: len(self.refused(address)) >= count and self.refused(address),
                         f"{count} refusals of {address} in the journal", limit)


ZONE = (
    "ordinary.test MX 10 mx.example.com", "second.test MX 10 mx2.example.com",
    "news.test MX 10 mx.example.com", "mail.oiwake.test A 127.0.0.1",
    "mx1.oiwake.test A 127.0.20.1",
)


class Sandbox:
    """tests/sandbox: DNS, carriers, an ordinary MX, SES; all at loopback addresses of their own."""

    def __init__(self, zone=(), args=(), verified="*", ttl=1, keep=True):
        h.need_program(h.SANDBOX)
        name = f"sandbox{len(h.work.processes)}"
        zone_path = h.work.write(f"{name}.zone", "".join(z + "\n" for z in (*ZONE, *zone)))
        self.ca = h.work.file(f"{name}.ca.pem")
        self.keep = h.work.file(f"{name}.kept") if keep else None
        self.control_path = short_path(h.work.file(f"{name}.control"))
        self.argv = [
            h.SANDBOX, "--journal", h.work.write(f"{name}.journal", ""),
            *(("--keep", self.keep) if keep else ()), "--zone", zone_path, "--control", self.control_path, "--write-ca", self.ca,
            "--ses-verified", verified, "--ttl", str(ttl), *args]
        self.journal = Journal(h.work.file(f"{name}.journal"))
        self.process = h.Process("sandbox", self.argv)
        out = h.Lines(self.process.out_path)
        self.said = json.loads(self.wait_ready(out))

    def wait_ready(self, out):
        out.wait(lambda lines: "ready" in lines or not self.process.running(), "sandbox is ready",
                 process=self.process)
        h.check(self.process.running(), lambda: "sandbox: " + self.process.stderr()[-2000:])
        return next(l for l in out.all if l.startswith("{"))

    def control(self, line):
        """The answer to one control line: parsed when it is JSON."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(h.PATIENCE)
            s.connect(self.control_path)
            s.sendall(line.encode() + b"\n")
            with s.makefile("r") as f:
                answer = f.readline().strip()
        h.check(not answer.startswith("error"), f"sandbox: {line!r}: {answer}")
        return json.loads(answer) if answer.startswith("{") else answer

    def message_bytes(self, message):
        with open(os.path.join(self.keep, f"{message['seq']}.eml"), "rb") as f:
            return f.read()


def bench_config(name, sink_port, connections=50, messages=1000, log_level="info", dkim=False, **more):
    """For tests/bench: everything to the sink, but held.test to a port where nobody answers."""
    sign = "yes" if dkim else "no"
    config = Config(None, name=name, dkim=dkim, threads=os.cpu_count(), log_level=log_level,
                    smtp_port=sink_port, limits="\tmax-connections-per-client = 1000",
                    mta=f"\trelay-host = 127.0.0.1\n\tsign = {sign}\n\ttls = none", **more)
    config.text += (f'\npath "dead" {{\n\ttype = mta\n\tpool = keitai\n\tport = {h.free_port()}\n'
                    "\tallow-private = yes\n\trelay-host = 127.0.0.1\n\tsign = no\n}\n")
    config.save()
    config.write("oiwake.rules", "route held to domain held.test via dead\n"
                 "route all to any via mta\n"
                 f"shape default connections {connections} messages {messages} retry 1h expiry 5d\n"
                 "shape path dead retry 4h\n")
    return config
