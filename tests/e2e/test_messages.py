"""What happened to mail: every attempt, reply and event of an address, a sender, an id.

time limit: 240 s
"""

import http.client
import json
import socket
import sqlite3
import time
import urllib.parse

import harness as h
from oiwake import DKIM_DOMAIN, Config, Oiwake, Sandbox, need_sqlite

SENDER = f"info@{DKIM_DOMAIN}"
ROUTES = """\
route keitai to carrier * via mta pool keitai
route stay to domain stay.test hold
route own to domain ordinary.test second.test via mta
route default to any via ses
"""


def up(**config):
    net = Sandbox()
    config.setdefault("routes", ROUTES)
    return Oiwake(Config(net, **config)), net


def send(ours, *to, sender=SENDER, **message):
    with h.smtp(ours.port("relay")) as s:
        h.equal(s.sendmail(sender, to, h.message(**message)), {}, "refused at RCPT")


def ask(ours, path):
    """Status and answer of the admin API."""
    connection = http.client.HTTPConnection("oiwake", timeout=h.PATIENCE)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(h.PATIENCE)
    connection.sock.connect(ours.config.socket)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    return answer.status, body


def messages(ours, **query):
    status, body = ask(ours, "/v1/messages?" + urllib.parse.urlencode(query))
    h.equal(status, 200, f"{query}: {body}")
    return body


def one(ours, to):
    rows = messages(ours, to=to)["rows"]
    h.equal(len(rows), 1, f"rows of {to}: {rows}")
    return rows[0]


def kinds(row):
    return [e["event"] for e in row["events"]]


def every_page(ours, **query):
    rows, after = [], None
    while True:
        page = messages(ours, **query, **({"after": after} if after else {}))
        rows += page["rows"]
        h.equal(page["more"], page["next"] is not None, "more")
        if not page["more"]:
            return rows
        h.check(page["next"] != after, f"no way forward from {after}")
        after = page["next"]


def test_stories():
    """Delivered, deferred first, bounced, suppressed, sent by SES: each attempt, its reply, its rule"""
    ours, net = up()
    ours.cli("suppress add", "barred@ordinary.test", "--why", "asked by telephone")
    send(ours, "taro@docomo.ne.jp", "greylist2-x@ordinary.test", "unknown@ordinary.test",
         "barred@ordinary.test", "someone@elsewhere.example", test_id="stories", subject="Sale")
    ours.wait_empty()
    row = one(ours, "Taro@DOCOMO.ne.jp")
    version = ours.json("rules history")[0]["version"]
    h.equal((row["state"], row["path"], row["carrier"], row["rule"], row["ruleset"], row["from"], row["queued"]),
            ("delivered", "mta", "docomo", "keitai", version, SENDER, False), f"{row}")
    h.equal(kinds(row), ["Delivery"], "events")
    h.equal((row["events"][0]["code"], row["events"][0]["source"]), (250, "tokyo1"), f"{row}")
    h.check(row["message_id"].startswith("<") and row["suppression"] == [], f"{row}")
    row = one(ours, "greylist2-x@ordinary.test")
    h.equal((row["state"], kinds(row)), ("delivered", ["Deferred", "Deferred", "Delivery"]), f"{row}")
    h.equal([e["code"] // 100 for e in row["events"]], [4, 4, 2], "replies")
    h.equal({e["rule"] for e in row["events"]}, {"own"}, "rule of each attempt")
    row = one(ours, "unknown@ordinary.test")
    h.equal((row["state"], kinds(row), row["events"][0]["reason"]), ("bounced", ["Bounce"], "userunknown"), f"{row}")
    h.equal([s["cause"] for s in row["suppression"]], ["userunknown"], "what holds for it")
    row = one(ours, "barred@ordinary.test")
    h.equal((row["state"], kinds(row)), ("suppressed", ["Suppressed"]), f"{row}")
    h.equal(row["suppression"][0]["evidence"], "asked by telephone", "why it is on the list")
    row = one(ours, "someone@elsewhere.example")
    h.equal((row["state"], row["path"], kinds(row)), ("sent", "ses", ["Send"]), f"{row}")
    h.check(row["remote_id"], "SES's id")
    h.equal([r["to"] for r in messages(ours, id=row["remote_id"])["rows"]], [row["to"]], "by SES's id")
    h.equal(len(messages(ours, id=row["id"])["rows"]), 5, "by our id")
    h.equal([r["to"] for r in messages(ours, id=f"{row['id']}.{row['index']}")["rows"]], [row["to"]], "one of it")
    h.equal(len(messages(ours, id=row["message_id"])["rows"]), 5, "by its Message-ID")
    h.equal(len(messages(ours, id=row["message_id"].strip("<>"))["rows"]), 5, "without its brackets")
    for sender in (SENDER, SENDER.upper(), DKIM_DOMAIN, "@" + DKIM_DOMAIN):
        h.equal(len(every_page(ours, **{"from": sender})), 5, f"from {sender}")
    h.equal(every_page(ours, **{"from": f"other@{DKIM_DOMAIN}"}), [], "from another")
    shown = ours.cli("messages", "greylist2-x@ordinary.test").stdout
    h.equal(shown.count(" Deferred "), 2, shown)
    h.check("rule own of rule set" in shown and "delivered" in shown, shown)
    h.check("asked by telephone" in ours.cli("messages", "barred@ordinary.test").stdout, "the CLI tells why")
    h.equal([r["to"] for r in ours.json("messages", "taro@docomo.ne.jp")], ["taro@docomo.ne.jp"], "--json")
    ours.all_told()
    told = [e["eventType"] for e in ours.json("events", "--limit", "100")]
    h.check("Deferred" not in told, f"no application is told of attempts: {told}")
    ours.stop()


def test_queued():
    """What waits is shown first, with why: held by a rule, held by an operator, deferred"""
    ours, net = up(shapes="shape domain ordinary.test retry 1h expiry 5d")
    send(ours, "jiro@ordinary.test", test_id="first")
    ours.wait_empty()
    net.control("set ordinary mood tempmail")
    send(ours, "jiro@ordinary.test", "rule@stay.test", test_id="second")
    ours.log.wait(lambda _: ours.attempts("deferred", "jiro@ordinary.test"), "a deferral")
    ours.log.wait(lambda _: ours.attempts("held", "rule@stay.test"), "held by its rule")
    rows = messages(ours, to="jiro@ordinary.test")["rows"]
    h.equal([(r["state"], r["queued"]) for r in rows], [("waiting", True), ("delivered", False)], f"{rows}")
    h.equal((rows[0]["attempts"], kinds(rows[0])), (1, ["Deferred"]), f"{rows[0]}")
    h.check(rows[0]["last"].startswith("4") and rows[0]["due"] and rows[0]["expires"], f"{rows[0]}")
    row = one(ours, "rule@stay.test")
    h.equal((row["path"], row["state"], kinds(row)), ("hold", "waiting", []), f"{row}")
    h.check("held by rule stay" in row["last"], f"{row}")
    ours.cli("queue hold", "--to", "jiro@ordinary.test", "--why", "ask the sender first")
    row = messages(ours, to="jiro@ordinary.test")["rows"][0]
    h.equal((row["state"], row["held"]["who"], row["held"]["why"]), ("held", "root", "ask the sender first"), f"{row}")
    h.check("by root since" in ours.cli("messages", "jiro@ordinary.test").stdout, "the CLI tells who")
    page = messages(ours, to="jiro@ordinary.test", limit=1)
    h.equal((len(page["rows"]), page["rows"][0]["queued"]), (1, True), "the first page")
    h.equal([r["queued"] for r in every_page(ours, to="jiro@ordinary.test", limit=1)], [True, False], "page by page")
    ours.stop()


def test_addresses():
    """Irregular addresses as carriers have them, and one that was never seen"""
    ours, net = up()
    send(ours, '"a..b"@docomo.ne.jp', '"c.."@ezweb.ne.jp', test_id="irregular")
    ours.wait_empty()
    for address in ("a..b@docomo.ne.jp", "A..B@docomo.ne.jp", "c..@ezweb.ne.jp"):
        row = one(ours, address)
        h.equal((row["to"], row["state"]), (address.lower(), "delivered"), f"{row}")
    empty = {"rows": [], "more": False, "next": None, "suppression": []}
    h.equal(messages(ours, to="never@docomo.ne.jp"), empty, "never seen")
    h.check("nothing is known" in ours.cli("messages", "never@docomo.ne.jp", status=1).stdout, "the CLI says so")
    ours.cli("suppress add", "never@docomo.ne.jp", "--why", "a trap")
    h.check("a trap" in ours.cli("messages", "never@docomo.ne.jp", status=1).stdout, "what holds for it all the same")
    ours.stop()


def put_events(ours, address, first, n, per_recipient=1):
    """Into the log, as if they had been told long ago."""
    with sqlite3.connect(f"{ours.config.state}/oiwake.db") as db:
        now = int(time.time() * 1000)
        db.executemany(
            "INSERT INTO event(at, message, idx, type, sender, recipient, path, carrier, grp, source, rule,"
            " code, enhanced, stage, reason, text, peer, remote_id, ruleset)"
            " VALUES(?, ?, 0, ?, 'news.test', ?, 'mta', '', 'x', '', 'own', 250, '', '', '', 'ok', '', '', 'r')",
            [(now, first + i // per_recipient, 2 if per_recipient == 1 else 11,
              address if i % 2 == 0 or per_recipient > 1 else f"other{i}@ordinary.test") for i in range(n)])


def test_many_events():
    """10,000 events of one address: paged without one lost or twice, with filters and before there are any"""
    need_sqlite("elsewhere an index finds what here filters do, and events have numbers of their transactions")
    ours, net = up()
    ours.stop()
    base = 1 << 40
    put_events(ours, "often@ordinary.test", base, 20000)
    put_events(ours, "opener@ordinary.test", base + 30000, 10000, per_recipient=5000)
    ours.start()
    rows = every_page(ours, to="often@ordinary.test", limit=200)
    h.equal(len(rows), 10000, "rows while the filters are being made")
    h.equal(len({r["id"] for r in rows}), 10000, "messages")
    for _ in range(12):
        send(ours, "tick@ordinary.test")
        ours.wait_empty()
    with sqlite3.connect(f"{ours.config.state}/oiwake.db") as db:
        h.equal(db.execute("SELECT count(*) FROM event_whom").fetchone()[0], 30, "filters")
    began = time.monotonic()
    rows = every_page(ours, to="OFTEN@ordinary.test", limit=200)
    h.equal((len(rows), len({r["id"] for r in rows})), (10000, 10000), "rows, and messages")
    h.equal([r["id"] for r in rows], sorted((r["id"] for r in rows), reverse=True), "newest first")
    rows = every_page(ours, to="opener@ordinary.test")
    h.equal(len(rows), 2, "two recipients of 5,000 events each")
    for row in rows:
        h.equal((len(row["events"]), row["more_events"]), (100, True), "the latest events")
    h.equal(len(every_page(ours, to="tick@ordinary.test")), 12, "rows of the newest")
    h.equal(every_page(ours, to="never@ordinary.test"), [], "never seen")
    h.check(time.monotonic() - began < h.PATIENCE, "in good time")
    h.equal(len(ours.json("messages", "often@ordinary.test", "--limit", "250")), 250, "the CLI reads on")
    ours.stop()


def test_hostile():
    """Whatever is asked gets an answer, and nothing in it is believed"""
    ours, net = up()
    for query in ("", "to=", "to=a@b&id=x", "to=" + "a" * 2000, "id=x&limit=0", "id=x&limit=99999", "to=a&limit=-1",
                  "to=a&after=x", "to=a&after=e0", "to=a&after=q", "to=a&after=i0000000000000.1", "id=a&after=e5",
                  "to=a&since=yesterday", "to=a&after=e99999999999999999999"):
        status, body = ask(ours, "/v1/messages?" + query)
        h.equal(status, 400, f"{query}: {body}")
        h.check(body["error"], query)
    for query in ("to=%27%20OR%201=1--", "to=%00", "to=%ff%fe", "to=%0d%0aX:y", "from=%25", "id=%3Cx%3E", "id=../../etc",
                  "id=0000000000000", "to=a%5Cb@c", "to=@", "from=@", "to=a&after=e9223372036854775807",
                  "to=a&after=q0000000000000.0", "id=a@b&after=i0000000000000.0", "from=a@", "to=%F0%9F%93%A7@x"):
        status, body = ask(ours, "/v1/messages?" + query)
        h.check(status in (200, 400), f"{query}: {status} {body}")
        h.equal(body.get("rows", []), [], query)
    ours.cli("messages", status=2)
    ours.cli("messages", "a@b", "--id", "x", status=2)
    ours.cli("messages", "a@b", "--limit", "x", status=2)
    ours.cli("messages", "a@b\x1b[2J", status=1)
    ours.stop()


h.main()
