"""Counted exactly: under load with every outcome and many kills, counters equal the journal, by each dimension.

MESSAGES says how many recipients (10000), KILLS how often it is killed meanwhile (10). time limit: 900 s

Every address is used once, so what became of it is known from the sandbox's journal alone, however often it
was tried: the set of those who were taken is what `sent` counts, that of those refused for good is what
`bounced` and `filtered` count.
"""

import collections
import os
import random

import harness as h
from load import Load
from oiwake import Config, Oiwake, Sandbox

MESSAGES = int(os.environ.get("MESSAGES", "10000"))
KILLS = int(os.environ.get("KILLS", "10"))

ROUTES = """\
route split to carrier docomo via mta 60% ses 40%
route keitai to carrier * via mta pool keitai
route own to domain ordinary.test second.test via mta
route default to any via ses
"""
DOMAINS = {"docomo.ne.jp": "docomo", "ezweb.ne.jp": "au", "softbank.ne.jp": "softbank",
           "ordinary.test": "", "second.test": "", "example.com": ""}
# Whatever the reply, it is not told to the sender: every recipient is one of ours.
WORDS = {"docomo.ne.jp": ("user", "unknown", "filtered"), "ezweb.ne.jp": ("user", "unknown", "filtered"),
         "softbank.ne.jp": ("user", "unknown"), "ordinary.test": ("user", "unknown", "greylist1", "permdot"),
         "second.test": ("user", "tempdot1", "closedot1"),
         "example.com": ("user", "bounce", "complaint", "full", "content")}
SENDERS = ("info@news.test", "shop@shop.test", "mail@example.jp")
FINAL = ("sent", "delivered", "bounced", "filtered", "complained", "returned", "unconfirmed")
# What feedback says of SES's mail, by the word of the address, in any domain (tests/sandbox/main.c).
TOLD = {"bounce": "bounced", "unknown": "bounced", "full": "bounced", "content": "filtered",
        "filtered": "bounced"}


class Senders(Load):
    """Each message is from one of the senders, whose number is in the addresses."""

    def send(self, s, to):
        which = random.randrange(len(SENDERS))
        to = [t.replace("@", f"-s{which}@") for t in to]
        code, _ = s.mail(SENDERS[which])
        h.check(code == 250, f"MAIL: {code}")
        taken = [t for t in to if s.rcpt(t, ["NOTIFY=NEVER"])[0] == 250]
        code, _ = s.docmd("DATA")
        h.check(code == 354, f"DATA: {code}")
        with self.lock:
            self.doubtful.update(taken)
        s.send(h.message(sender=SENDERS[which], body=to[0] + "\r\n") + b".\r\n")
        code, _ = s.getreply()
        with self.lock:
            if code == 250:
                self.acknowledged.update(taken)
            if code > 0:
                self.doubtful.difference_update(taken)


def templates():
    return [f"{word}-{{}}@{domain}" for domain, words in WORDS.items() for word in words
            for _ in range(3 if word == "user" else 1)]


def sender_of(address):
    return SENDERS[int(address.split("@")[0].rsplit("-s", 1)[1])].split("@")[1]


def ends(net):
    """address -> (path, counters) of everybody the journal speaks of."""
    out = {}
    for e in net.journal.events("refused"):
        if e["stage"] == "rcpt" and e["code"] >= 500:
            out[e["to"]] = ("mta", {"bounced"})
    for m in net.journal.messages():
        path = "ses" if m["host"] == "ses" else "mta"
        for r in m["rcpt"]:
            if r["what"] == "refused" and m["code"] >= 500 and r["to"] not in out:
                filtered = m["host"] in ("docomo", "ezweb")  # of all recipients of the message
                out[r["to"]] = (path, {"filtered" if filtered else "bounced"})
    for m, r in net.journal.recipients():
        if m["host"] != "ses":
            out[r["to"]] = ("mta", {"sent", "delivered"})
            continue
        word = r["to"].split("-")[0]
        end = TOLD.get(word)
        out[r["to"]] = ("ses", {"sent", end, "returned"} if end else
                        {"sent", "delivered"} | ({"complained"} if word == "complaint" else set()))
    return out


def expected(ended, *by):
    """By key, what is to be counted."""
    rows = collections.defaultdict(collections.Counter)
    for address, (path, counters) in ended.items():
        domain = address.split("@")[1]
        carrier = DOMAINS[domain]
        rule = "split" if carrier == "docomo" else "keitai" if carrier else \
            "own" if domain in ("ordinary.test", "second.test") else "default"
        key = {"path": path, "carrier": carrier, "sender": sender_of(address), "rule": rule,
               "source": "tokyo1" if path == "mta" else ""}
        rows[tuple(key[b] for b in by)].update(counters)
    return {k: {c: n[c] for c in FINAL if n[c]} for k, n in rows.items()}


def counted(ours, by, *window):
    rows = ours.json("stats", "--by", ",".join(by), *window)
    return {tuple(r[b] for b in by): {c: r[c] for c in FINAL if r[c]} for r in rows}


def run(ours, load):
    dice = random.Random(20261123)
    step = MESSAGES // (KILLS + 1)
    for n in range(KILLS):
        h.wait_until(lambda: len(load.acknowledged) >= step * (n + 1), f"{step * (n + 1)} recipients",
                     12 * h.PATIENCE, pause=dice.uniform(0.01, 0.05))
        ours.kill9()
        ours.start()
    h.wait_until(lambda: len(load.acknowledged) >= MESSAGES, "all of them", 12 * h.PATIENCE)
    load.finish()
    ours.wait_empty(20 * h.PATIENCE)


def test_counters_equal_the_journal():
    """After kills under load each counter, by each dimension and in each window, is what the journal says"""
    net = Sandbox(keep=False)
    net.control("set ses suppressed-reasons ")  # what goes twice is not suppressed the second time
    config = Config(net, ses="api", routes=ROUTES, rate=10000)
    ours = Oiwake(config)
    load = Senders(ours.port("relay"), templates(), recipients=5)
    run(ours, load)
    ended = ends(net)
    missing = load.acknowledged - set(ended)
    h.equal(sorted(missing)[:10], [], f"{len(missing)} acknowledged and not in the journal")
    told = expected(ended, "path")
    h.wait_until(lambda: counted(ours, ["path"]) == told,
                 lambda: f"all feedback: {counted(ours, ['path'])}, want {told}", 4 * h.PATIENCE)
    dimensions = (["carrier"], ["sender"], ["source"], ["rule"], ["path", "carrier", "sender", "source", "rule"])
    for by in dimensions:
        for window in ((), ("--window", "24h"), ("--window", "90d")):
            got, want = counted(ours, by, *window), expected(ended, *by)
            h.equal(got, want, f"by {by} {window}")
    rows = ours.stats("path")
    h.equal(sum(r["accepted"] for r in rows), len(ended), "accepted")
    h.equal(sum(r["unconfirmed"] for r in rows), 0, "unconfirmed")
    # By SES, docomo's words for its filter mean the same as at RCPT (router/ses/event_bounce.c).
    unknown = sum(1 for a, (path, counters) in ended.items() if "bounced" in counters
                  and a.startswith(("unknown", "bounce", "filtered") if path == "ses" else "unknown"))
    h.equal(sum(r["unknown"]["hits"] for r in rows), unknown, "unknown users")
    ours.stop()
    h.note(f"{KILLS} kills: {len(ended)} recipients in the journal, "
           f"{len(load.acknowledged)} acknowledged; counters equal by each dimension")


if __name__ == "__main__":
    h.main()
