"""demo.py - what `make demo` shows: the shipped configuration, in service, on a fake internet.

The sandbox (tests/sandbox) plays DNS, the carriers and Amazon SES, and keeps a journal of what it
received. Clients send what a Japanese service sends, and remember what was answered 250. Some of it
comes back later: by mail from the carriers, by events from Amazon. At the end four independent
records - the clients' ledger, Oiwake's counters and log, the sandbox's journal, and what the
application's webhook was told - must tell the same story, down to the recipient.

Oiwake runs with the sample files of conf/; CHANGES lists each line that had to change to run here.
With STORE=postgres it is three nodes on one database: two have a source each, the third sends by Amazon
alone; clients send to all of them, and what comes back by mail comes to the first.
"""

import collections
import contextlib
import math
import os
import random
import shutil
import signal
import smtplib
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "e2e"))

import harness as h  # noqa: E402
import oiwake  # noqa: E402
import postgres  # noqa: E402
from receiver import HookReceiver, recipients  # noqa: E402

TOP = os.path.join(h.BUILD, "demo")
RECIPIENTS = int(os.environ.get("DEMO_RECIPIENTS", "3000"))  # of DEMO_SECONDS=0
PER_SECOND = 40                                              # otherwise
USER, PASSWORD = "app", "correct horse battery"
OPERATOR = "hanako"
SENDER = "info@news.example.jp"
NODES = {"a": "tokyo1", "b": "tokyo2", "c": "tokyo3"} if oiwake.ON_POSTGRES else {"": ""}
SES_RATE = 400    # recipients per second of the account, as the sandbox keeps it

# Lines of conf/oiwake.conf, and what they are here. {} stand for ports of this run.
CHANGES = (
    ('state-directory = "/var/lib/oiwake"', 'state-directory = "{state}"\n'
     'log = "{name}.log"\nadmin-socket = "{socket}"'),
    ('"oiwake.rules"', '"demo.rules"'),
    ('"*:587"', '"127.0.0.1:{submission}"'),
    ('"*:465"', '"127.0.0.1:{submissions}"'),
    ('"10.0.1.20:25"', '"127.0.0.1:{relay}"'),
    ('"10.0.1.21:25"', '"127.0.0.1:{bounces}"'),
    ('"10.0.1.21"', '"127.0.20.1"'),
    ('"203.0.113.21"', '"127.0.20.1"'),
    ('"10.0.1.22"', '"127.0.20.2"'),
    ('"203.0.113.22"', '"127.0.20.2"'),
    ('type = mta', 'type = mta\n\tport = {smtp}\n\tallow-private = yes'),
    ('type              = ses', 'type = ses\n\tendpoint = "{endpoint}"\n\timds-endpoint = "{imds}"\n'
     '\tca-file = "{ca}"\n\taccount-check = 5s'),
    ('"https://sqs.ap-northeast-1.amazonaws.com/123456789012/ses-events"', '"{queue}"'),
    ('# feedback   = { "fbl" }', 'feedback = { "fbl" }\n\tforward = no\n\trate = 0'),
    ('"10.0.0.2"', '"127.0.0.1@{dns}"'),
)

# What a node's settings say besides, with STORE=postgres; its other lines are the same on all nodes.
NODE = """
store = "{url}"
node = "{name}"
lease = 5s
node-sources = {{ "{source}" }}
"""
TOKYO3 = """
source "tokyo3" {
	address  = "127.0.20.3"
	hostname = "mx3.mail.example.jp"
}

"""

# The application's webhook, which conf/oiwake.conf shows as a comment.
HOOK_SECRET = bytes(range(32))
HOOK = """
hook "app" {
	type = webhook
	url = "%s"
	secret = "%s"
	connections = 20
}
"""

# The page for people, which conf/oiwake.conf shows as a comment as well; and a guard that only warns, for one in a
# hundred of the demonstration's recipients complains, and it would rightly stop such mail.
CONSOLE = """
web "console" {
	address = "127.0.0.1:%d"
	console = yes
	metrics = yes
}
guard {
	enforce = no
}
"""

# The shipped routes and shapes hold, but for pace and patience: a demonstration cannot wait hours.
# Two partners are reached by our own MTA, to show what DNS may answer.
RULES = """\
route partner to domain partner.example nullmx.example nx.example servfail.example via mta

include "oiwake.rules"

shape default           retry 2s,3s,5s  expiry 12s
shape carrier docomo    rate 100/s  retry 2s,3s,5s  expiry 12s
shape carrier au        rate 80/s   retry 2s,3s,5s  expiry 12s
shape carrier softbank  rate 60/s   retry 2s,3s,5s  expiry 12s
shape carrier ymobile   rate 40/s   retry 2s,3s,5s  expiry 12s
shape carrier rakuten   rate 20/s   retry 2s,3s,5s  expiry 12s
shape group yahoo       rate 40/s   retry 2s,3s,5s
"""

ZONE = ("mail.example.jp A 127.0.0.1", "mx1.mail.example.jp A 127.0.20.1",
        "mx2.mail.example.jp A 127.0.20.2", "mx3.mail.example.jp A 127.0.20.3", "news.example.jp MX 10 mx.example.com",
        "partner.example MX 10 mx.example.com", "b.example.jp MX 10 mx1.mail.example.jp",
        *(f"mx{n}.mail.example.jp TXT v=spf1 a -all" for n in (1, 2, 3)),
        *(f"{name} TXT v=spf1 ip4:127.0.20.0/30 include:amazonses.com ~all"
          for name in ("news.example.jp", "b.example.jp")),
        "amazonses.com TXT v=spf1 ip4:199.255.192.0/22 -all",
        "_dmarc.example.jp TXT v=DMARC1; p=none; adkim=r; aspf=r", "1.20.0.127.in-addr.arpa PTR mx1.mail.example.jp",
        "2.20.0.127.in-addr.arpa PTR mx2.mail.example.jp", "3.20.0.127.in-addr.arpa PTR mx3.mail.example.jp")

# Which carrier a host of the sandbox is.
CARRIERS = {"docomo": "docomo", "mopera": "docomo", "ezweb": "au", "au": "au",
            "softbank": "softbank", "ymobile": "ymobile", "yahoo": "ymobile", "rakuten": "rakuten"}

# Roughly where the users of a Japanese service are.
DOMAINS = (("docomo.ne.jp", 18), ("ezweb.ne.jp", 13), ("au.com", 2), ("softbank.ne.jp", 6),
           ("i.softbank.jp", 6), ("t.vodafone.ne.jp", 1), ("ymobile.ne.jp", 2), ("yahoo.ne.jp", 1),
           ("rakumail.jp", 1), ("gmail.com", 32), ("example.com", 8), ("example.net", 6),
           ("docomo.co.jp", 1), ("yahoo.co.jp", 3))


class Demo(h.Work):
    """What harness.Work is to a test: a folder, and processes that end with it."""

    def __init__(self):
        if os.path.exists(os.path.join(TOP, "postgres")):  # of a run that was killed
            h.run([postgres.SCRIPT, "remove", os.path.join(TOP, "postgres")])
        shutil.rmtree(TOP, ignore_errors=True)
        os.makedirs(TOP)
        self.path = TOP
        self.processes = []
        self.cleanups = []

    def end(self, keep):
        """Sentences about what ended badly by itself."""
        trouble = [t for p in reversed(self.processes) for t in p.finish()]
        if keep or trouble:
            h.work_show()
            print(f"kept: {os.path.relpath(TOP, h.ROOT)}")
        for cleanup in reversed(self.cleanups):
            cleanup()
        if not keep and not trouble:
            shutil.rmtree(TOP, ignore_errors=True)
        return trouble


def aside():
    """In a process group of their own, so that Ctrl-C is for this script only."""
    os.setpgrp()
    h.libc.prctl(h.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Config:
    """conf/ in build/demo, with CHANGES; the attributes are those that oiwake.Oiwake wants."""

    def __init__(self, net, hook, node, url):
        self.top, self.node, self.store = TOP, node, url
        self.name = f"oiwake-{node}" if node else "oiwake"
        self.path = h.work.file(self.name + ".conf")
        self.log = h.work.file(self.name + ".log")
        self.state = h.work.file(f"state-{node}" if node else "state")
        self.socket = oiwake.short_path(h.work.file(self.name + ".sock"))
        self.ports = {n: h.free_port() for n in ("submission", "submissions", "relay", "bounces", "console")}
        if not os.path.exists(h.work.file("users")):
            self.write_shared()
        self.write_settings(net, hook)
        os.makedirs(self.state)

    def write_shared(self):
        """What is the same on every node."""
        self.keys()
        h.work.write("users", "", 0o600)
        h.work.write("return-path.key", "a secret of the demo's\n", 0o600)
        h.work.write("demo.rules", RULES)
        for name in ("oiwake.rules", "carriers.rules"):
            shutil.copy(os.path.join(h.ROOT, "conf", name), TOP)

    def keys(self):
        for folder in ("tls", "dkim"):
            os.makedirs(h.work.file(folder), exist_ok=True)
        oiwake.certificate(TOP)
        oiwake.dkim_key(TOP)
        os.rename(h.work.file("cert.pem"), h.work.file("tls/mail.example.jp.chain.pem"))
        os.rename(h.work.file("key.pem"), h.work.file("tls/mail.example.jp.key.pem"))
        shutil.copy(h.work.file("dkim.pem"), h.work.file("dkim/example.jp.s1.pem"))

    def write_settings(self, net, hook):
        with open(os.path.join(h.ROOT, "conf", "oiwake.conf"), encoding="utf-8") as f:
            text = f.read()
        aws = net.said["aws"]
        values = {"socket": self.socket, "name": self.name, "state": os.path.basename(self.state),
                  "ca": net.ca, "smtp": net.said["smtp_port"],
                  "endpoint": aws["endpoint"], "imds": aws["imds"], "queue": aws["queue_url"],
                  "dns": net.said["dns"]["port"], **self.ports}
        for old, new in CHANGES:
            h.check(old in text, f"conf/oiwake.conf has no line with {old}")
            for name, value in values.items():
                new = new.replace("{%s}" % name, str(value))
            text = text.replace(old, new)
        text += HOOK % (hook.url, hook.secret.hex()) + CONSOLE % self.ports["console"]
        if self.node:
            text = text.replace('\npool "keitai" {', TOKYO3 + 'pool "keitai" {')
            text = NODE.format(url=self.store, name=self.node, source=NODES[self.node]) + text
        h.work.write(self.name + ".conf", text, 0o600)


# -- what is sent ------------------------------------------------------------------------------

def people():
    """Addresses that exist, without end."""
    dice = random.Random(1)
    names, weights = zip(*DOMAINS)
    number = 0
    while True:
        number += 1
        yield f"user.{number}@{dice.choices(names, weights)[0]}"


def troubles(n):
    """Messages whose recipients show what can happen; n makes their addresses new."""
    yield "one for both paths", [f"taro.{n}@docomo.ne.jp", f"taro.{n}@gmail.com"]
    yield "irregular local part", [f"a..b{n}@docomo.ne.jp"]
    yield "unknown user", [f"unknown-{n}@{('docomo.ne.jp', 'ezweb.ne.jp', 'softbank.ne.jp')[n % 3]}"]
    yield "the user's filter", [f"filtered-{n}@{('docomo.ne.jp', 'au.com')[n % 2]}"]
    yield "greylisting", [f"greylist1-{n}@{('partner.example', 'docomo.ne.jp')[n % 2]}"]
    yield "told of by Amazon", [f"{('bounce', 'complaint', 'full')[n % 3]}.{n}@example.net"]
    yield "told later, by mail", [f"{('laterunknown', 'laterfull', 'complaint')[n % 3]}-{n}@ezweb.ne.jp"]
    if n % 3 == 0:
        yield "full mailbox", [f"full-{n}@docomo.ne.jp"]
        yield "domain without mail", [f"info.{n}@nullmx.example"]
        yield "domain that is not", [f"info.{n}@nx.example"]
    if n % 10 == 5:
        yield "DNS does not answer", [f"info.{n}@servfail.example"]
        yield "reply never came", [f"closedot1-{n}@partner.example"]


def mail():
    """(listener, subject, recipients) without end, about 100 recipients a round."""
    everyone = people()
    n = 0
    while True:
        for _ in range(3):
            yield "relay", "newsletter", [next(everyone) for _ in range(20)]
        for subject, to in troubles(n):
            yield "relay", subject, to
        for _ in range(30):
            yield "submission", "one-time password", [next(everyone)]
        n += 1


class Clients:
    """Threads that send mail() and write down every recipient that was answered 250. Each has its node."""

    def __init__(self, ports, recipients, pace):
        self.left, self.pace = recipients, pace
        self.source = mail()
        self.lock = threading.Lock()
        self.ledger = {}        # (message id, recipient) -> what kind of mail it was
        self.messages = collections.Counter()
        self.refused = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(ports[i % len(ports)],), daemon=True)
                        for i in range(4)]
        for thread in self.threads:
            thread.start()

    def running(self):
        return any(t.is_alive() for t in self.threads)

    def finish(self):
        self.over.set()
        for thread in self.threads:
            thread.join(h.PATIENCE)

    def next(self):
        with self.lock:
            if self.left <= 0 or self.over.is_set():
                return None
            job = next(self.source)
            self.left -= len(job[2])
            return job

    def run(self, ports):
        sessions = {}
        try:
            while job := self.next():
                listener, subject, to = job
                if listener not in sessions:
                    sessions[listener] = self.connect(listener, ports[listener])
                self.send(sessions[listener], listener, subject, to)
                if self.pace:
                    self.over.wait(self.pace * len(to) * len(self.threads))
        except (OSError, smtplib.SMTPException) as why:
            self.refused.append(str(why))
        for session in sessions.values():
            with contextlib.suppress(OSError, smtplib.SMTPException):
                session.quit()

    def connect(self, listener, port):
        if listener == "submission":
            return h.smtp(port, tls=True, user=USER, password=PASSWORD)
        return h.smtp(port)

    def send(self, s, listener, subject, to):
        s.mail(SENDER)
        taken = []
        for address in to:
            code, text = s.rcpt(address)
            if code == 250:
                taken.append(address)
            else:
                self.refused.append(f"{address}: {code} {text.decode()}")
        code, text = s.data(h.message(subject, SENDER, to[0]))
        if code != 250:
            self.refused.append(f"{code} {text.decode()}")
            return
        with self.lock:
            self.messages[listener] += 1
            self.ledger.update({(text.decode().split()[-1], a): subject for a in taken})


# -- what happened -----------------------------------------------------------------------------

class Records:
    """The sandbox's journal and Oiwake's log, read as they grow and kept as counts only."""

    def __init__(self, net, nodes):
        self.journal, self.logs = net.journal, [n.log for n in nodes]
        self.delivered = collections.Counter()      # by (path, carrier)
        self.twice = collections.Counter()          # taken, but the reply never came
        self.back = {}                              # recipient -> what came back by mail, and was taken
        self.findings = []                          # the witness saw something wrong
        self.finals = {}                            # (message id, recipient) -> its final line
        self.again = []                             # final lines that were not the first
        self.taken = {}                             # message id -> recipients, whoever sent it
        self.notices = set()                        # ids of our own reports to senders

    def read(self):
        for entry in self.journal.read():
            self.witness(entry)
        for log in self.logs:
            for entry in log.read():
                if entry.get("event") in oiwake.FINAL:
                    self.final(entry)
                elif entry.get("event") == "accepted":
                    self.taken[entry["id"]] = int(entry["recipients"])
            log.all.clear()
        self.journal.all.clear()

    def witness(self, e):
        if "bad" in e or e["event"] == "withdrawn":
            self.findings.append(f"{e['host']}: {e.get('bad', e['event'])}")
        if e["event"] == "return" and e["accepted"]:
            self.back[e["of"]] = e["kind"]
        if e["event"] != "message" or not e["accepted"]:
            return
        way = ("ses", "") if e["host"] == "ses" else ("mta", CARRIERS.get(e["host"], ""))
        count = sum(r["accepted"] for r in e["rcpt"])
        self.delivered[way] += count
        if e["what"] != "delivered":
            self.twice[way] += count
        if e["dkim"] != ([] if way[0] == "ses" else ["example.jp"]):
            self.findings.append(f"{e['host']}: signed by {e['dkim']}")

    def final(self, e):
        if e["from"] == "":
            self.notices.add(e["id"])
            return
        key = e["id"].split(".")[0], e["to"]
        if key in self.finals:
            self.again.append(e["line"])
        event, reason = e["event"], e.get("reason", "")
        plain = event in ("sent", "delivered") or reason in ("", event)
        self.finals[key] = event if plain else f"{event} ({reason})"


class Told:
    """What the application's webhook was told, each event once: its type, its recipients, its reason."""

    def __init__(self):
        self.events, self.unsigned = {}, 0
        self.hook = HookReceiver(self.take, HOOK_SECRET)

    def take(self, request):
        event = request.events()[0]
        reason = event["mail"]["tags"].get("oiwake:reason", [""])[0]
        self.events[request.headers["webhook-id"]] = event["eventType"], recipients(event), reason
        self.unsigned += not request.signed
        self.hook.requests.clear()  # what is said of them is kept
        return 204

    def about(self, *kinds):
        return {to for kind, about, _ in self.events.values() if not kinds or kind in kinds for to in about}

    def afterwards(self):
        """Recipient -> what was told of him after his mail had gone."""
        said = {"Bounce": ", then bounced (%s)", "Complaint": ", then complained%.0s"}
        return {to: said[kind] % reason for kind, about, reason in self.events.values()
                for to in about if kind in said}


COUNTERS = ("accepted", "sent", "bounced", "filtered", "expired", "queued")


class Screen:
    """One line per path, written over itself on a terminal; every few seconds elsewhere."""

    def __init__(self):
        self.start = time.monotonic()
        self.shown = -math.inf
        self.rows = None
        self.lines = 0
        self.terminal = sys.stdout.isatty()

    def show(self, rows, last=False):
        now = time.monotonic()
        if last and rows == self.rows or not rows:
            return
        if not self.terminal and not last and now - self.shown < 5:
            return
        if self.terminal and self.lines:
            print(f"\033[{self.lines}A", end="")
        self.shown, self.rows, self.lines = now, rows, len(rows) + 1
        end = "\033[K\n" if self.terminal else "\n"
        print(f"  {now - self.start:5.0f} s    " + "".join(f"{c:>9}" for c in COUNTERS)
              + "   (deferred)", end=end)
        for row in rows:
            print(f"  {row['path']:10}" + "".join(f"{row[c]:9}" for c in COUNTERS)
                  + f"{row['deferred']:13}", end=end)
        sys.stdout.flush()


# -- the account -------------------------------------------------------------------------------

ENDS = ("sent", "bounced", "filtered", "expired", "suppressed", "removed", "queued")


def checks(clients, records, rows, queue):
    """(holds, sentence) of each thing that must be true."""
    total = sum(r["accepted"] for r in rows)
    ours = {message for message, _ in clients.ledger}
    yours = sum(count for message, count in records.taken.items() if message not in ours)
    notices = total - len(clients.ledger) - yours
    waiting = {key for q in queue if (key := (q["id"].split(".")[0], q["to"]))[0] in ours}
    waiting_notices = {q["id"] for q in queue if not q["from"]}
    yield not clients.refused, (
        f"clients: {sum(clients.messages.values())} messages answered 250, "
        f"{len(clients.ledger)} recipients, {len(clients.refused)} refused"
        + "".join(f"\n         {why}" for why in clients.refused[:3]))
    yield notices == len(records.notices | waiting_notices), (
        f"accepted {total} = {len(clients.ledger)} of the clients + {notices} reports to the sender"
        + (f" + {yours} of yours" if yours else ""))
    ends = {name: sum(r.get(name, 0) for r in rows) for name in ENDS}
    back = sum(r["returned"] for r in rows)
    yield all(r["accepted"] + r["returned"] == sum(r.get(name, 0) for name in ENDS) for r in rows), (
        f"accepted {total} + {back} returned = " + " + ".join(f"{ends[n]} {n}" for n in ENDS))
    ses = [r for r in rows if r["path"] == "ses"]
    told, sent = (sum(sum(r[n] for n in names) for r in ses)
                  for names in (("delivered", "returned"), ("sent",)))
    yield told == sent, f"Amazon told what became of {told} of the {sent} that it took"
    ways = {(r["path"], r["carrier"] or ""): r for r in rows}
    yield set(records.delivered) <= set(ways) and all(
        records.delivered[w] == r["sent"] + records.twice[w] for w, r in ways.items()), (
        f"journal: {sum(records.delivered.values())} deliveries = {ends['sent']} sent"
        + f" + {sum(records.twice.values())} taken without a reply, for each path and carrier")
    yield sum(records.twice.values()) == sum(r["unread"] for r in rows), (
        f"those without a reply are counted as unread: {sum(r['unread'] for r in rows)}")
    settled = {key for key in records.finals if key[0] in ours}
    yield settled | waiting == set(clients.ledger) and not settled & waiting and (
        not records.again), (
        f"of {len(clients.ledger)} recipients answered 250, {len(settled)} have one final log line, "
        f"{len(waiting)} are queued")
    yield not records.findings, (
        "witness: carrier mail is signed, SES mail is not, no protocol error"
        if not records.findings else f"witness: {records.findings[:3]}")


def hook_checks(told, clients, records):
    """What the application was told, beside the others' records."""
    kinds = collections.Counter(kind for kind, _, _ in told.events.values())
    settled = {key[1] for key in records.finals if key in clients.ledger}
    yield settled <= told.about() and not told.unsigned, (
        f"webhook: {len(told.events)} signed events about {len(settled)} recipients: "
        + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    yield set(records.back) <= told.about("Bounce", "Complaint"), (
        f"the carriers told of {len(records.back)} later, by mail, and the application was told of each: "
        + ", ".join(f"{count} {kind}" for kind, count in collections.Counter(records.back.values()).most_common()))


def say_kinds(clients, records, told):
    kinds, later = {}, told.afterwards()
    for key, kind in clients.ledger.items():
        end = records.finals.get(key, "queued")
        if end in ("sent", "delivered"):
            end += later.get(key[1], "")
        kinds.setdefault(kind, collections.Counter())[end] += 1
    for kind, ends in sorted(kinds.items(), key=lambda k: -k[1].total()):
        print(f"  {ends.total():6} {kind:22}"
              + "; ".join(f"{count} {end}" for end, count in ends.most_common()))


def say_witness(rows, records):
    """The counters beside the journal."""
    print(f"\n  {'path':8}{'carrier':12}{'sent':>8}{'unread':>8}{'journal':>10}")
    for r in rows:
        way = (r["path"], r["carrier"] or "")
        print(f"  {r['path']:8}{r['carrier'] or '-':12}{r['sent']:8}{r['unread']:8}"
              f"{records.delivered[way]:10}")


def account(ours, told, clients, records):
    """Prints the account; whether all of it holds."""
    rows = ours.stats("path", "carrier")
    queue = ours.json("queue list", "--limit", "10000")
    records.read()
    print("\n$ oiwake stats --by path,carrier")
    print(ours.cli("stats", "--by", "path,carrier").stdout, end="")
    print("\nWhat Oiwake counted as sent, and what the sandbox's journal says it received:")
    say_witness(rows, records)
    print("\nWhat was sent, and what became of it (sent: Amazon SES took it; delivered: the carrier's\n"
          "or another server took it):\n")
    say_kinds(clients, records, told)
    print()
    good = True
    for holds, sentence in (*checks(clients, records, rows, queue),
                            *hook_checks(told, clients, records)):
        good &= holds
        print(f"  {'ok ' if holds else 'NOT'}  {sentence}")
    print("\nEvery recipient is accounted for." if good else "\nNOT every recipient is accounted for.")
    return good


# -- the whole ---------------------------------------------------------------------------------

HINTS = """\
Traffic flows until {until}. Meanwhile, in another shell:

  export OIWAKE_CONF={conf}
  swaks --server 127.0.0.1 --port {relay} --from {sender} --to taro@docomo.ne.jp
  {oiwake} explain a..b@docomo.ne.jp info@docomo.co.jp
  {oiwake} queue list
  {oiwake} stats --by carrier,path
  {oiwake} events --follow
  {oiwake} suppress list
  {oiwake} guard
  {oiwake} top
  tail -f {log}

Or look at it in a browser, as {user} with the password "{password}":

  http://127.0.0.1:{console}/

docomo refuses connections for a while (then look at the queue, and set it back to normal):

  {sandbox} --control {control} --tell 'set docomo mood refuse421'
  {sandbox} --control {control} --tell 'set docomo mood normal'
"""


def start():
    print("A fake internet on loopback: DNS, carriers, Amazon SES; and Oiwake between them.\n"
          "Its settings are conf/oiwake.conf and conf/oiwake.rules, with addresses, ports and pace\n"
          f"changed to run here; they are in {os.path.relpath(TOP, h.ROOT)} while this runs.\n")
    net = oiwake.Sandbox(zone=ZONE, verified="example.jp,news.example.jp", ttl=60, keep=False,
                         args=("--ses-rate", str(SES_RATE)))
    told = Told()
    url = postgres.cluster().database() if oiwake.ON_POSTGRES else None
    configs = [Config(net, told.hook, node, url) for node in NODES]
    for line in (f"to 127.0.0.1:{configs[0].ports['bounces']}", "complaints fbl@b.example.jp", "delay 1000"):
        net.control("set returns " + line)
    net.control("zone " + oiwake.dkim_record(TOP).replace(oiwake.DKIM_DOMAIN, "example.jp"))
    nodes = [oiwake.Oiwake(config) for config in configs]
    ours = nodes[0]
    ours.add_user(USER, PASSWORD)
    ours.cli("user add", "--role", "admin", OPERATOR, input=(PASSWORD + "\n").encode())
    print("$ oiwake check")
    print(ours.cli("check").stdout)
    print("$ oiwake doctor news.example.jp")
    print(ours.cli("doctor", "news.example.jp").stdout)
    print("$ oiwake ses status --check")
    print(ours.cli("ses status", "--check").stdout)
    print("$ oiwake explain taro@docomo.ne.jp")
    print(ours.cli("explain", "taro@docomo.ne.jp").stdout)
    if url:
        print("$ oiwake nodes")
        print(ours.cli("nodes").stdout)
    return net, nodes, told


def hints(net, ours, seconds):
    print(HINTS.format(
        until="Ctrl-C" if seconds is None else f"{seconds} s have passed", sender=SENDER,
        conf=ours.config.path, relay=ours.port("relay"), log=ours.config.log,
        console=ours.port("console"), user=OPERATOR, password=PASSWORD,
        oiwake=os.path.relpath(h.OIWAKE), sandbox=os.path.relpath(h.SANDBOX),
        control=net.control_path))


def untold(rows, net, ours):
    """Amazon, a carrier or Oiwake has not told yet what became of some mail."""
    return (any(r["path"] == "ses" and r["sent"] > r["delivered"] + r["returned"] for r in rows)
            or net.control("get returns")["waiting"] > 0
            or any(r["behind"] for r in ours.json("events hooks") if r["name"] == "app"))


def watch(ours, records, screen, going, seconds):
    """Shows what happens while going(rows), at most so long."""
    end = time.monotonic() + seconds
    while True:
        rows = ours.stats("path")
        records.read()
        over = not going(rows) or time.monotonic() > end
        screen.show(rows)
        if over:
            return
        time.sleep(0.5)


def run(seconds):
    """The demo; whether all is accounted for. seconds: 0 for one load, None for no end."""
    net, nodes, told = start()
    ours = nodes[0]
    if seconds != 0:
        hints(net, ours, seconds)
    records = Records(net, nodes)
    clients = Clients([n.config.ports for n in nodes], RECIPIENTS if seconds == 0 else math.inf,
                      0 if seconds == 0 else 1 / PER_SECOND)
    screen = Screen()
    try:
        watch(ours, records, screen, lambda _: clients.running(),
              {0: 120, None: math.inf}.get(seconds, seconds))
    except KeyboardInterrupt:
        print("\nNo more traffic; what is queued has a little time to go out.")
        screen.lines = 0
    clients.finish()
    watch(ours, records, screen, lambda rows: any(r["queued"] for r in rows)
          or untold(rows, net, ours), 60)
    screen.show(ours.stats("path"), last=True)
    good = account(ours, told, clients, records)
    if seconds == 0 and ours.queue_size():
        print("The queue is not empty.")
        good = False
    for node in nodes:
        node.stop()
    net.process.stop()
    return good


def main():
    seconds = os.environ.get("DEMO_SECONDS")
    h.die_with_parent = aside
    h.work = Demo()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    good = stopped = False
    try:
        good = run(int(seconds) if seconds else None)
    except h.Failed as why:
        print(f"\n{why}")
    except (KeyboardInterrupt, SystemExit):
        print("\nstopped")
        stopped = True
    finally:
        trouble = h.work.end(keep=not good and not stopped)
    for line in trouble:
        print(line)
    sys.exit(0 if good and not trouble else 1)


if __name__ == "__main__":
    main()
