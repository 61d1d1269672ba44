"""oiwake.py - the product and its fake internet, as a test starts and asks them.

    net = Sandbox()                     # tests/sandbox on free ports
    ours = Oiwake(Config(net))          # `oiwake serve`, ready when this returns
    s = h.smtp(ours.port("relay")); s.sendmail(...)
    net.journal.wait_delivered("taro@docomo.ne.jp")
    ours.stats("path", "carrier")
"""

import json
import os
import shutil
import socket
import tempfile

import harness as h

USER, PASSWORD = "app", "correct horse battery"
DKIM_DOMAIN, SELECTOR = "news.test", "s1"

# Everything may go out at once and is tried again soon; a test that wants less says so after these.
QUICK_SHAPES = "connections 5 messages 100 rate 10000/s retry 1s expiry 2min"
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
state-directory = "{state}"
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
"""

SES = """\
path "ses" {{
	type = ses
	host = "{host}"
	allow-private = yes
	port = {port}
	ca-file = "{ca}"
	user = "{user}"
	password-file = "{password}"
	rate = {rate}
}}
"""

# The events of a recipient's final log line; "deferred" and "unread" are those of an attempt.
FINAL = ("delivered", "sent", "bounced", "filtered", "expired", "removed")

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
                 dkim=True, state=None, dns_port=None, smtp_port=None, preflight="off"):
        self.top = h.work.file(name)
        os.makedirs(self.top, exist_ok=True)
        self.state = state or self.make("state")
        self.path = os.path.join(self.top, "oiwake.conf")
        self.log = os.path.join(self.top, "oiwake.log")
        self.ports = {n: h.free_port() for n in LISTENERS}
        self.socket = short_path(os.path.join(self.top, "admin.sock"))
        certificate(self.top)
        ses = ""
        if net:
            far = net.said["ses"]
            ses = SES.format(host=far["name"], port=far["port"], ca=net.ca,
                             user=far["user"], rate=rate,
                             password=self.write("ses-password", far["password"] + "\n", 0o600))
        else:
            routes = routes.replace("via ses", "via mta")
        key = ""
        if dkim:
            key = 'dkim "%s" {\n\tselector = "%s"\n\tkey = "%s"\n}' % (
                DKIM_DOMAIN, SELECTOR, dkim_key(self.top))
        self.write_rules(routes, shapes)
        self.write("users", "", 0o600)
        self.text = CONFIG.format(
            top=self.top, state=self.state, socket=self.socket, limits=limits, mta=mta, queue=queue,
            ses=ses, dkim=key, threads=threads, log_level=log_level, preflight=preflight,
            networks=", ".join(f'"{n}"' for n in networks),
            smtp_port=smtp_port or (net.said["smtp_port"] if net else 25),
            dns_port=dns_port or (net.said["dns"]["port"] if net else 1), **self.ports)
        self.save()

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


def certificate(top):
    if not os.path.exists(os.path.join(top, "cert.pem")):
        h.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
               "-nodes", "-days", "30", "-subj", "/CN=mail.oiwake.test",
               "-keyout", os.path.join(top, "key.pem"), "-out", os.path.join(top, "cert.pem")])
        os.chmod(os.path.join(top, "key.pem"), 0o600)


def dkim_key(top):
    """A key file; its public half for the zone is in dkim_record()."""
    path = os.path.join(top, "dkim.pem")
    if not os.path.exists(path):
        h.run(["openssl", "genrsa", "-out", path, "2048"])
        os.chmod(path, 0o600)
    return path


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
                      or not self.process.running(), "oiwake is ready", limit)
        h.check(self.process.running(), lambda: "oiwake ended at its start:\n"
                + self.process.stderr()[-4000:] + self.tail())

    def tail(self):
        self.log.read()
        return "\n".join(e["line"] for e in self.log.all[-10:])

    def stop(self, limit=None):
        self.process.stop(limit or h.PATIENCE)

    def kill9(self):
        self.process.kill9()

    def cli(self, command, *args, status=0, input=None):
        return h.run([h.OIWAKE, *command.split(), "-c", self.config.path, *args], status=status,
                     input=input)

    def json(self, command, *args, status=0):
        text = self.cli(command, "--json", *args, status=status).stdout
        return [json.loads(line) for line in text.splitlines()]

    def stats(self, *by):
        return self.json("stats", *(["--by", ",".join(by)] if by else []))

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
        out.wait(lambda lines: "ready" in lines or not self.process.running(), "sandbox is ready")
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


def bench_config(name, sink_port, connections=50, messages=1000, log_level="info", dkim=False):
    """For tests/bench: everything to the sink, but held.test to a port where nobody answers."""
    sign = "yes" if dkim else "no"
    config = Config(None, name=name, dkim=dkim, threads=os.cpu_count(), log_level=log_level,
                    smtp_port=sink_port, limits="\tmax-connections-per-client = 1000",
                    mta=f"\trelay-host = 127.0.0.1\n\tsign = {sign}\n\ttls = none")
    config.text += (f'\npath "dead" {{\n\ttype = mta\n\tpool = keitai\n\tport = {h.free_port()}\n'
                    "\tallow-private = yes\n\trelay-host = 127.0.0.1\n\tsign = no\n}\n")
    config.save()
    config.write("oiwake.rules", "route held to domain held.test via dead\n"
                 "route all to any via mta\n"
                 f"shape default connections {connections} messages {messages} retry 1h expiry 5d\n"
                 "shape path dead retry 4h\n")
    return config
