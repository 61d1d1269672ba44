"""What rules can say, done by the running daemon: reject, hold, discard, fallbacks, tags, reloads.

time limit: 300 s
"""

import http.client
import json
import re
import signal
import socket
import threading
import time

import harness as h
from oiwake import PASSWORD, USER, Config, Oiwake, Sandbox
from test_outcomes import SENDER, notices, report, send, settled, wait_notice

# What stands before a default by SES, which takes no such addresses.
ODD = "route odd to any and local-part irregular via mta\n"
BY_MTA = "route all to any via mta\n"
BY_SES = ODD + "route all to any via ses\n"


def up(routes, **config):
    net = Sandbox()
    return Oiwake(Config(net, routes=routes, **config)), net


def reload(ours, routes, shapes=""):
    ours.config.write_rules(routes, shapes)
    return ours.cli("reload")


def status(ours):
    """GET /v1/status"""
    connection = http.client.HTTPConnection("oiwake")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(h.PATIENCE)
    connection.sock.connect(ours.config.socket)
    try:
        connection.request("GET", "/v1/status")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def session(ours, listener="relay"):
    s = h.Raw(ours.port(listener))
    s.reply()
    s.command("EHLO client.test", 250)
    return s


def transaction(s, *to, **message):
    """The reply to a message's end."""
    s.command(f"MAIL FROM:<{SENDER}>", 250)
    for address in to:
        s.command(f"RCPT TO:<{address}>", 250)
    s.command("DATA", 354)
    s.send(h.message(**message) + b".\r\n")
    return s.reply()


def wait_event(ours, name, count=1, limit=None, **want):
    """The log lines of that event with these values."""
    def found(_):
        lines = [e for e in ours.log.events(name)
                 if all(e.get(k) == v for k, v in want.items())]
        return lines if len(lines) >= count else None
    return ours.log.wait(found, f"{count} of {name} with {want}", limit)


def row(ours, path):
    return next((r for r in ours.stats("path") if r["path"] == path), None)


def counts(ours, path, *names):
    """Counters of a path; those of a path that never had anything are 0."""
    found = row(ours, path) or {}
    return tuple(found.get(n, 0) for n in names)


def check_sums(ours):
    """accepted = sent + bounced + filtered + expired + suppressed + removed + queued, by every path"""
    for r in ours.stats("path", "rule"):
        gone = sum(r[n] for n in ("sent", "bounced", "filtered", "expired", "suppressed"))
        h.check(r["accepted"] - gone - r.get("removed", 0) == r["queued"] >= 0,
                f"the sum of {r}")


# -- reject ------------------------------------------------------------------------------------

REJECTS = """\
route friend from friend@news.test to never.test via mta
route never to domain never.test reject "100% 'never' <no> \\d ; #{x} $y"
route bulk tag kind=bulk reject "no bulk mail here"
route author header-from domain author.test reject "not with that author"
route large size > 20KB reject "too large for us"
route vip to vip@ordinary.test and tag kind=vip reject "not to the vip"
""" + BY_MTA.replace("all", "rest")


def test_reject_at_rcpt():
    """A recipient that the envelope decides on is refused at RCPT, with the rule's text as it is"""
    ours, net = up(REJECTS)
    s = session(ours)
    s.command(f"MAIL FROM:<{SENDER}>", 250)
    code, text = s.command("RCPT TO:<a@never.test>")
    h.equal((code, text), (550, "5.7.1 100% 'never' <no> \\d ; #{x} $y"), "reply")
    s.command("RCPT TO:<taro@ordinary.test>", 250)
    s.command("DATA", 354)
    s.send(h.message(test_id="others") + b".\r\n")
    h.equal(s.reply()[0], 250, "the message for the others")
    line = wait_event(ours, "rejected")[0]
    h.equal([line[k] for k in ("rule", "from", "to", "client", "listener")],
            ["never", SENDER, "a@never.test", "127.0.0.1", "relay"], "log line")
    h.equal(wait_event(ours, "accepted")[0]["recipients"], "1", "recipients")
    net.journal.wait_delivered("taro@ordinary.test")
    ours.wait_empty()
    h.equal(counts(ours, "mta", "accepted", "sent"), (1, 1), "mta")
    h.check(row(ours, "reject") is None, "the rejected one is counted")
    s.close()
    ours.stop()


def test_reject_nearly_all():
    """99 of 100 pipelined recipients refused: the session goes on and the other has its mail"""
    ours, net = up(REJECTS)
    s = session(ours)
    to = [f"r{n}@never.test" for n in range(99)]
    to.insert(57, "taro@ordinary.test")
    for test_id in ("first", "second"):
        s.send(f"MAIL FROM:<{SENDER}>\r\n" + "".join(f"RCPT TO:<{t}>\r\n" for t in to) + "DATA\r\n")
        want = [250] + [550] * 57 + [250] + [550] * 42 + [354]
        h.equal([s.reply()[0] for _ in want], want, "replies")
        s.send(h.message(test_id=test_id) + b".\r\n")
        h.equal(s.reply()[0], 250, test_id)
        net.journal.wait_delivered("taro@ordinary.test", test_id)
    ours.wait_empty()
    h.equal(counts(ours, "mta", "accepted", "sent"), (2, 2), "mta")
    s.close()
    ours.stop()


def test_reject_with_a_long_text():
    """All of the text is said, to the client and to the sender of what is queued"""
    text = "".join(f"{n:03}-" for n in range(100))
    rule = f'route no to domain ordinary.test reject "{text}"\n'
    ours, net = up(BY_MTA)
    net.control("set ordinary mood tempmail")
    send(ours, "old@ordinary.test", test_id="old")
    wait_event(ours, "deferred", to="old@ordinary.test")
    reload(ours, rule + BY_MTA)
    net.control("set ordinary mood normal")
    s = session(ours)
    s.command(f"MAIL FROM:<{SENDER}>", 250)
    h.equal(s.command("RCPT TO:<a@ordinary.test>"), (550, "5.7.1 " + text), "reply")
    s.close()
    h.equal(settled(ours, "old@ordinary.test", event="bounced")["reply"], text, "in the log")
    _, recipients = report(wait_notice(net)[0])
    said = "".join(recipients[0]["Diagnostic-Code"].split())
    h.check(text in said, f"the notice says {said}")
    ours.wait_empty()
    ours.stop()


def test_reject_at_the_end_of_data():
    """What only the content decides is refused at the end of DATA: by tag, author, size"""
    ours, net = up(REJECTS)
    s = session(ours)
    for name, message, want in (
            ("tag", {"headers": ["X-SES-MESSAGE-TAGS: a=b, kind=bulk"]}, "no bulk mail here"),
            ("own-tag", {"headers": ["X-Oiwake-Tags: kind=bulk"]}, "no bulk mail here"),
            ("author", {"sender": "Somebody <x@Author.Test>"}, "not with that author"),
            ("size", {"body": ("x" * 70 + "\r\n") * 400}, "too large for us")):
        code, text = transaction(s, "taro@ordinary.test", "jiro@second.test", test_id=name, **message)
        h.equal((code, text), (550, f"5.7.1 {want}"), name)
    for name, message in (("another-tag", {"headers": ["X-SES-MESSAGE-TAGS: kind=bulky"]}),
                          ("author-below", {"sender": "x@sub.author.test"}),
                          ("smaller", {"body": ("x" * 70 + "\r\n") * 100})):
        code, text = transaction(s, "taro@ordinary.test", test_id=name, **message)
        h.equal(code, 250, name)
        net.journal.wait_delivered(test_id=name)
    h.equal(len(wait_event(ours, "rejected", 8)), 8, "lines, one for each recipient")
    h.equal([e.get("tags") for e in ours.log.events("accepted")], ["kind=bulky", None, None],
            "tags in the log")
    ours.wait_empty()
    h.equal(len(net.journal.messages()), 3, "messages that went out")
    h.equal(ours.total("accepted"), 3, "accepted")
    s.close()
    ours.stop()


def test_reject_one_of_three():
    """One of three rejected by the content: the others are delivered, the sender hears of the third"""
    ours, net = up(REJECTS)
    s = session(ours)
    code, text = transaction(s, "taro@ordinary.test", "vip@ordinary.test", "jiro@second.test",
                             test_id="three", headers=["X-Oiwake-Tags: kind=vip"])
    h.equal(code, 250, text)
    for address in ("taro@ordinary.test", "jiro@second.test"):
        net.journal.wait_delivered(address, "three")
    line = settled(ours, "vip@ordinary.test", event="bounced", rule="vip", path="reject", code="550",
                   status="5.7.1", reason="policyviolation")
    h.equal(line["reply"], "not to the vip", "reply")
    notice = wait_notice(net)[0]
    _, recipients = report(notice)
    h.equal([(r["Final-Recipient"], r["Action"], r["Status"]) for r in recipients],
            [("rfc822; vip@ordinary.test", "failed", "5.7.1")], "the notice")
    h.check("not to the vip" in recipients[0]["Diagnostic-Code"], "the rule's text")
    h.check("Remote-MTA" not in recipients[0], "nobody else said that")
    ours.wait_empty()
    h.equal(counts(ours, "reject", "accepted", "bounced", "queued"), (1, 1, 0), "reject")
    h.equal(len(notices(net)), 1, "notices")
    check_sums(ours)
    s.close()
    ours.stop()


def test_reject_what_is_queued():
    """What waits in the queue and comes under a reject rule bounces; an open session has it at once"""
    ours, net = up(BY_MTA)
    net.control("set ordinary mood tempmail")
    send(ours, "old@ordinary.test", test_id="old")
    wait_event(ours, "deferred", to="old@ordinary.test")
    s = session(ours)
    s.command(f"MAIL FROM:<{SENDER}>", 250)
    s.command("RCPT TO:<a@ordinary.test>", 250)
    reload(ours, 'route no to domain ordinary.test reject "closed for good"\n' + BY_MTA)
    h.equal(s.command("RCPT TO:<b@ordinary.test>"), (550, "5.7.1 closed for good"), "open session")
    s.close()
    settled(ours, "old@ordinary.test", event="bounced", path="reject", rule="no")
    net.control("set ordinary mood normal")
    wait_notice(net)
    h.equal(net.journal.delivered("old@ordinary.test"), [], "deliveries")
    ours.wait_empty()
    check_sums(ours)
    ours.stop()


# -- hold, discard --------------------------------------------------------------------------------

HELD = "route later to domain second.test hold\n"


def held(ours):
    return ours.json("queue list", "--path", "hold")


def wait_held(ours, count):
    h.wait_until(lambda: len([r for r in held(ours) if r["due"].startswith("9999")]) == count,
                 lambda: f"{count} held: {held(ours)}")


def test_hold():
    """hold keeps mail out of memory, without expiry or delay, until a reload lets it go"""
    # Time enough for the one that was tried to be held.
    shapes = "shape domain second.test retry 1s expiry 6s\nshape domain ordinary.test retry 1s expiry 6s"
    ours, net = up(BY_MTA, queue="delay-notice = 5s", shapes=shapes)
    net.control("set second mood tempmail")
    send(ours, "tried@second.test", sender="tried@news.test", rcpt=["NOTIFY=DELAY,FAILURE"],
         test_id="tried")
    wait_event(ours, "deferred", to="tried@second.test")
    reload(ours, HELD + BY_MTA, shapes)
    for n in range(3):
        send(ours, f"wait-{n}@second.test", sender="held@news.test", rcpt=["NOTIFY=DELAY,FAILURE"],
             test_id=f"wait{n}")
    send(ours, "passes@ordinary.test", "never@ordinary.test", test_id="passes")
    net.journal.wait_delivered("passes@ordinary.test")
    wait_held(ours, 4)
    for r in held(ours):
        h.equal((r["last"], r["rule"], r["state"]), ("held by rule later", "later", "waiting"),
                "listed")
    wait_event(ours, "held", 4, rule="later", path="hold")
    h.equal(counts(ours, "hold", "accepted", "queued", "expired"), (4, 4, 0), "hold")
    check_sums(ours)

    # By then the time of the others is over too.
    settled(ours, "never@ordinary.test", event="expired")
    ours.cli("queue retry", "--path", "hold")
    wait_held(ours, 4)
    h.equal(status(ours)["in_memory"], 0, "in memory")
    net.control("set second mood normal")
    reload(ours, HELD + "route more to third.test via mta\n" + BY_MTA, shapes)
    wait_held(ours, 4)
    h.equal(len(ours.log.events("held")), 4, "lines of those held, told once")
    h.equal(net.journal.delivered(host="second"), [], "deliveries of what is held")

    reload(ours, BY_MTA, shapes)
    for address in ["tried@second.test"] + [f"wait-{n}@second.test" for n in range(3)]:
        net.journal.wait_delivered(address)
        settled(ours, address, event="delivered", rule="all")
    ours.wait_empty()
    h.equal(notices(net, "held@news.test") + notices(net, "tried@news.test"), [], "notices")
    h.equal(counts(ours, "hold", "accepted", "queued"), (0, 0), "hold, afterwards")
    check_sums(ours)
    ours.stop()


def test_hold_gives_time():
    """What is let go after its time is over has all of it again, not one try"""
    shapes = "shape domain second.test expiry 1s\nshape domain ordinary.test expiry 1s"
    ours, net = up(HELD + BY_MTA, shapes=shapes)
    net.control("set all mood tempmail")
    send(ours, "a@second.test", test_id="held")
    wait_held(ours, 1)
    # By then the time of the one that is held is over too.
    send(ours, "b@ordinary.test", test_id="never")
    settled(ours, "b@ordinary.test", event="expired")
    reload(ours, BY_MTA)
    wait_event(ours, "deferred", 2, to="a@second.test")
    net.control("set all mood normal")
    net.journal.wait_delivered("a@second.test")
    ours.wait_empty()
    h.equal(ours.total("expired"), 1, "expired")
    ours.stop()


def test_hold_across_a_restart():
    """What is held stays so over a restart, and goes when the rules changed meanwhile"""
    ours, net = up(HELD + BY_MTA)
    send(ours, "a@second.test", "b@second.test", test_id="held")
    wait_held(ours, 2)
    ours.stop()
    ours.start()
    wait_held(ours, 2)
    one = held(ours)[0]
    ours.cli("queue delete", one["id"])
    wait_held(ours, 1)
    ours.kill9()
    ours.config.write_rules(BY_MTA)
    ours.start()
    rest = "b@second.test" if one["to"][0] == "a" else "a@second.test"
    net.journal.wait_delivered(rest)
    ours.wait_empty()
    h.equal(len(net.journal.delivered(host="second")), 1, "deliveries")
    h.equal(ours.total("removed"), 1, "removed")
    check_sums(ours)
    ours.stop()


def test_many_held():
    """Thousands held and looked at again cost no memory, and other mail goes on"""
    ours, net = up(HELD + BY_MTA, queue="memory = 500")
    with h.smtp(ours.port("relay")) as s:
        for n in range(40):
            s.sendmail(SENDER, [f"u{n}x{i}@second.test" for i in range(50)], h.message())
    limit = 5 * h.PATIENCE
    h.wait_until(lambda: counts(ours, "hold", "queued") == (2000,) and status(ours)["in_memory"] == 0,
                 "2000 held", limit, pause=0.2)
    reload(ours, HELD + "route more to third.test via mta\n" + BY_MTA)
    most = 0
    for n in range(20):
        send(ours, f"between-{n}@ordinary.test", test_id="between")
        most = max(most, status(ours)["in_memory"])
    net.journal.wait_delivered(test_id="between", count=20)
    h.check(most <= 600, f"{most} in memory")
    reload(ours, "route later to domain second.test discard\n" + BY_MTA)
    ours.wait_empty(limit)
    h.equal(counts(ours, "discard", "accepted", "sent"), (2000, 2000), "discard")
    h.equal(len(net.journal.delivered()), 20, "deliveries")
    check_sums(ours)
    ours.stop()


def test_discard():
    """discard accepts and drops, as a path of type discard does"""
    ours, net = up("route gone to domain second.test discard\n"
                   "route same to domain third.test via discard\n" + BY_MTA)
    send(ours, "a@second.test", "b@third.test", "c@ordinary.test", test_id="some")
    net.journal.wait_delivered("c@ordinary.test")
    settled(ours, "a@second.test", event="delivered", path="discard", rule="gone")
    settled(ours, "b@third.test", event="delivered", path="discard", rule="same")
    ours.wait_empty()
    h.equal(len(net.journal.messages()), 1, "messages")
    h.equal(counts(ours, "discard", "accepted", "sent"), (2, 2), "discard")
    check_sums(ours)
    ours.stop()


# -- conditions ------------------------------------------------------------------------------------

def ses_tags(data):
    """What SES is told beside our own id, which is in all that goes there; in lower case."""
    fields = re.findall(rb"^x-ses-message-tags:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)", data, re.M)
    tags = {tag.strip().decode() for field in fields for tag in field.split(b",")}
    return {tag for tag in tags if not tag.startswith("oiwake-id=")}


def test_conditions():
    """Tags, the authenticated user and the listener choose the path; tags stay where they belong"""
    ours, net = up(ODD + "route tagged tag campaign=spring via ses\n"
                   f"route byuser user {USER} via ses\n"
                   "route door listener relay and tag door=relay via ses\n" + BY_MTA)
    ours.add_user()
    send(ours, "a@ordinary.test", test_id="plain",
         headers=["X-SES-MESSAGE-TAGS: campaign=summer", "X-Oiwake-Tags: other=1,",
                  "\tmore=2", "x-oiwake-note: 3"])
    send(ours, "b@ordinary.test", test_id="tag",
         headers=["X-SES-MESSAGE-TAGS: x=y, campaign=spring", "X-Oiwake-Tags: other=1"])
    send(ours, "c@ordinary.test", test_id="door", headers=["X-Oiwake-Tags: door=relay"])
    with h.smtp(ours.port("submission"), tls=True, user=USER, password=PASSWORD) as s:
        s.sendmail(SENDER, ["d@ordinary.test"], h.message(test_id="user"))
    for test_id, host, want_tags in (
            ("plain", "ordinary", set()),
            ("tag", "ses", {"x=y", "campaign=spring", "other=1"}),
            ("door", "ses", {"door=relay"}), ("user", "ses", set())):
        message = net.journal.wait_delivered(test_id=test_id)[0]
        h.equal(message["host"], host, f"host of {test_id}")
        data = net.message_bytes(message).lower()
        h.check(b"oiwake-tags" not in data and b"oiwake-note" not in data and b"more=2" not in data,
                f"our own fields left with {test_id}: {data}")
        h.equal(ses_tags(data), want_tags, f"SES's tags in {test_id}")
        h.equal(data.count(b"oiwake-id="), 1 if host == "ses" else 0, f"our tag in {test_id}")
    ours.wait_empty()
    h.equal({e["to"][0]: e["rule"] for e in wait_event(ours, "sent", 3)},
            {"b": "tagged", "c": "door", "d": "byuser"}, "rules")
    ours.stop()


def test_quote_and_raw():
    """A rule's quote or raw goes before what the shape says of irregular local parts"""
    routes = ("route raw-ones from raw@news.test to carrier docomo via mta raw\n"
              "route quoted-ones from quoted@news.test to carrier docomo via mta quote\n" + BY_MTA)
    ours, net = up(routes)
    for shape, plain in (("raw", "a..b@docomo.ne.jp"), ("quote", '"a..b"@docomo.ne.jp')):
        reload(ours, routes, f"shape domain docomo.ne.jp {shape}")
        for sender, want in (("raw", "a..b@docomo.ne.jp"), ("quoted", '"a..b"@docomo.ne.jp'),
                             ("plain", plain)):
            test_id = f"{shape}-{sender}"
            send(ours, "a..b@docomo.ne.jp", sender=f"{sender}@news.test", test_id=test_id)
            message = net.journal.wait_delivered(test_id=test_id)[0]
            h.equal([r["to"] for r in message["rcpt"]], [want], test_id)
    ours.wait_empty()
    ours.stop()


# -- fallbacks -------------------------------------------------------------------------------------

def send_until(ours, net, host, name):
    """Sends one after the other until one arrives at that host: the others took the fallback."""
    end = time.monotonic() + 3 * h.PATIENCE
    n = 0
    while time.monotonic() < end:
        test_id = f"{name}{n}"
        send(ours, f"{test_id}@ordinary.test", test_id=test_id)
        if net.journal.wait_delivered(test_id=test_id)[0]["host"] == host:
            return n
        n += 1
    raise h.Failed(f"{n} messages and none at {host}")


def once_each(net):
    got = [(m["x_test_id"], r["to"]) for m, r in net.journal.recipients() if m["from"]]
    h.equal(len(got), len(set(got)), f"deliveries without duplicates: {sorted(got)}")


def test_fallback_ses_to_mta():
    """A closed ses path: its mail goes by mta, and by ses again when that works"""
    ours, net = up(ODD + "route all to any via ses configuration-set main fallback mta\n",
                   queue="probe = 1s")
    send(ours, "first@ordinary.test", test_id="first")
    h.equal(net.journal.wait_delivered(test_id="first")[0]["host"], "ses", "while it works")
    net.control("set ses mood badauth")
    net.control("cut ses")
    with h.smtp(ours.port("relay")) as s:
        for n in range(20):
            s.sendmail(SENDER, [f"closed-{n}@ordinary.test"], h.message(test_id=f"closed{n}"))
    for n in range(20):
        message = net.journal.wait_delivered(test_id=f"closed{n}")[0]
        h.equal(message["host"], "ordinary", f"host of closed{n}")
        line = settled(ours, f"closed-{n}@ordinary.test", event="delivered", path="mta", rule="all")
        h.equal(line.get("fallback"), "ses", "fallback in the log")
        h.check(b"configuration-set" not in net.message_bytes(message).lower(), "SES's word at an MX")
    # Nobody is lost to the tries that a closed path needs.
    wait_event(ours, "path_closed")
    send_until(ours, net, "ordinary", "still")
    net.control("set ses mood normal")
    send_until(ours, net, "ses", "again")
    wait_event(ours, "path_open")
    send(ours, "last@ordinary.test", test_id="last")
    h.equal(net.journal.wait_delivered(test_id="last")[0]["host"], "ses", "after it opened")
    ours.wait_empty()
    once_each(net)
    h.equal(ours.total("bounced") + ours.total("expired"), 0, "bounced or expired")
    check_sums(ours)
    ours.stop()


def test_fallback_mta_to_ses():
    """An mta path whose source address is gone: what SES can carry goes there, the rest waits"""
    # Said to be this machine's: else, of many, it would be another's, and waited for.
    ours, net = up("route all to any via mta fallback ses\n", queue="probe = 1s", sources=("tokyo1",))
    right = ours.config.text
    ours.config.text = right.replace('"127.0.20.1"', '"192.0.2.77"')
    h.check(ours.config.text != right, "no source to take away")
    ours.config.save()
    ours.cli("reload")
    for n in range(5):
        send(ours, f"closed-{n}@ordinary.test", test_id=f"closed{n}")
    send(ours, "a..b@docomo.ne.jp", test_id="odd")
    send(ours, "null@ordinary.test", sender="", test_id="null")
    for n in range(5):
        h.equal(net.journal.wait_delivered(test_id=f"closed{n}")[0]["host"], "ses",
                f"host of closed{n}")
        h.equal(settled(ours, f"closed-{n}@ordinary.test", path="ses").get("fallback"), "mta",
                "fallback in the log")
    wait_event(ours, "path_closed", 3, path="mta")
    for test_id in ("odd", "null"):
        h.equal(net.journal.delivered(test_id=test_id), [], f"deliveries of {test_id}")
    h.equal(ours.queue_size(), 2, "those that wait")
    ours.config.text = right
    ours.config.save()
    ours.cli("reload")
    h.equal(net.journal.wait_delivered(test_id="odd")[0]["host"], "docomo", "host of the odd one")
    h.equal(net.journal.wait_delivered(test_id="null")[0]["host"], "ordinary", "host of the notice")
    send_until(ours, net, "ordinary", "again")
    ours.wait_empty()
    once_each(net)
    check_sums(ours)
    ours.stop()


def test_fallback_of_both_closed():
    """Two paths that stand in for each other, both closed: mail waits, and goes once"""
    ours, net = up(ODD + "route all to any via ses fallback mta\n", queue="probe = 1s", sources=("tokyo1",))
    right = ours.config.text
    ours.config.text = right.replace('"127.0.20.1"', '"192.0.2.77"')
    ours.config.save()
    net.control("set ses mood badauth")
    ours.cli("reload")
    for n in range(5):
        send(ours, f"wait-{n}@ordinary.test", test_id=f"wait{n}")
    wait_event(ours, "path_closed", 2, path="mta")
    wait_event(ours, "path_closed", 2, path="ses")
    h.equal(ours.queue_size(), 5, "those that wait")
    h.equal(net.journal.messages(), [], "messages")
    net.control("set ses mood normal")
    for n in range(5):
        h.equal(net.journal.wait_delivered(test_id=f"wait{n}")[0]["host"], "ses", f"host of wait{n}")
    net.control("set ses mood badauth")
    net.control("cut ses")
    for n in range(5):
        send(ours, f"then-{n}@ordinary.test", test_id=f"then{n}")
    closed = len(wait_event(ours, "path_closed", path="ses"))
    wait_event(ours, "path_closed", closed + 1, path="ses")
    ours.config.text = right
    ours.config.save()
    ours.cli("reload")
    for n in range(5):
        h.equal(net.journal.wait_delivered(test_id=f"then{n}")[0]["host"], "ordinary",
                f"host of then{n}")
    wait_event(ours, "path_open")
    ours.wait_empty()
    once_each(net)
    check_sums(ours)
    ours.stop()


def test_sessions_that_fail_together():
    """Sessions that meet the same trouble together close their path once, and rest once"""
    ours, net = up(ODD + "route own to domain ordinary.test via mta\nroute all to any via ses\n",
                   queue="probe = 60s", shapes="shape domain ordinary.test retry 1min")
    net.control("set ses mood badauth")
    net.control("set ordinary mood close")
    for domain, event in (("second.test", "path_closed"), ("ordinary.test", "lane_rests")):
        with h.smtp(ours.port("relay")) as s:
            for n in range(20):
                s.sendmail(SENDER, [f"a{n}@{domain}"], h.message())
        wait_event(ours, event)
        h.wait_until(lambda: status(ours)["connections"] == 0, "no connections")
        h.equal([e["failures"] for e in ours.log.events(event)], ["1"], event)
    ours.stop()


def test_fallback_never_of_unread():
    """Final dot sent, reply unread: it waits for its own path, whatever the rule says"""
    ours, net = up(ODD + "route all to any via ses fallback mta\n", queue="probe = 1s")
    net.control("set ses mood closedot")
    send(ours, "unread@ordinary.test", test_id="unread")
    wait_event(ours, "unread", to="unread@ordinary.test")
    net.control("set ses mood badauth")
    net.control("cut ses")
    send(ours, "other@ordinary.test", test_id="other")
    h.equal(net.journal.wait_delivered(test_id="other")[0]["host"], "ordinary", "host of the other")
    wait_event(ours, "path_closed", 3, path="ses")
    h.equal(net.journal.delivered(test_id="unread", host="ordinary"), [], "by the fallback")
    net.control("set ses mood normal")
    hosts = [m["host"] for m in net.journal.wait_delivered(test_id="unread", count=2)]
    h.equal(set(hosts), {"ses"}, "hosts")
    ours.wait_empty()
    check_sums(ours)
    ours.stop()


def test_fallback_hold():
    """fallback hold: waits for its path without expiring and without a word to the sender"""
    ours, net = up(ODD + "route patient to domain second.test via ses fallback hold\n"
                   "route all to any via ses\n", queue="probe = 1s\ndelay-notice = 1s",
                   shapes="shape path ses retry 1s expiry 3s")
    net.control("set ses mood badauth")
    for to, sender in (("p@second.test", "patient"), ("q@ordinary.test", "hasty")):
        send(ours, to, sender=f"{sender}@news.test", rcpt=["NOTIFY=DELAY,FAILURE"], test_id=sender)
    settled(ours, "q@ordinary.test", event="expired")
    wait_notice(net, to="hasty@news.test")
    closed = len(ours.log.events("path_closed"))
    wait_event(ours, "path_closed", closed + 2)
    h.equal(ours.finals("p@second.test"), [], "final lines")
    net.control("set ses mood normal")
    h.equal(net.journal.wait_delivered(test_id="patient")[0]["host"], "ses", "host")
    ours.wait_empty()
    settled(ours, "p@second.test", event="sent")
    h.equal(notices(net, "patient@news.test"), [], "notices")
    check_sums(ours)
    ours.stop()


# -- reloads, hostile patterns ---------------------------------------------------------------------

def test_hostile_pattern():
    """A pattern made to take for ever is given up, counted and told of, and other mail goes on"""
    ours, net = up('route evil to /^(a+)+$/ reject "you never match"\n' + BY_MTA)
    evil = "a" * 60 + "@ordinary.test"
    took = []

    def flood():
        with h.smtp(ours.port("relay")) as s:
            for n in range(20):
                s.sendmail("evil@evil.test", [f"{'a' * (20 + i)}@ordinary.test" for i in range(40)],
                           h.message(test_id="flood"))

    thread = threading.Thread(target=flood)
    thread.start()
    for n in range(20):
        began = time.monotonic()
        send(ours, f"quick-{n}@second.test", test_id="quick")
        took.append(time.monotonic() - began)
    thread.join()
    net.journal.wait_delivered(test_id="quick", count=20)
    net.journal.wait_delivered(evil[60 - 40:], test_id="flood", count=20, limit=3 * h.PATIENCE)
    ours.wait_empty(3 * h.PATIENCE)
    h.check(max(took) < 15 or h.SANITIZED, f"a message between them took {max(took):.1f} s")
    counted = status(ours)["pattern_limits"]
    lines = ours.log.events("pattern_limit")
    h.check(counted >= 20 * 30, f"{counted} counted")
    h.check(0 < len(lines) < counted / 10, f"{len(lines)} lines for {counted}")
    h.equal({e["rule"] for e in lines}, {"evil"}, "rule in the log")
    h.equal(ours.log.events("rejected"), [], "rejected by the evil rule")
    ours.stop()


def test_broken_reload():
    """A set that does not load: the running one stays, mail flows, the error is shown and logged"""
    ours, net = up(BY_MTA)
    ours.config.write_rules("route all to any via nothing\n")
    done = ours.cli("reload", status=1)
    h.check("oiwake.rules:2:" in done.stderr and "unknown path 'nothing'" in done.stderr, done.stderr)
    ours.config.write_rules("route none to any and any via\nroute wrong to carrier docono via mta\n")
    done = ours.cli("reload", status=1)
    for word in ("oiwake.rules:2:", "oiwake.rules:3:", "'docono'"):
        h.check(word in done.stderr, f"no {word} in {done.stderr}")
    h.check("'docono', did you mean 'docomo'?" in done.stderr, done.stderr)
    line = wait_event(ours, "reload", level="error")[0]
    h.check("oiwake.rules:" in line["line"], line["line"])
    ours.process.popen.send_signal(signal.SIGHUP)
    wait_event(ours, "reload", 3, level="error")
    send(ours, "taro@ordinary.test", test_id="flows")
    net.journal.wait_delivered(test_id="flows")
    version = settled(ours, "taro@ordinary.test", rule="all")["ruleset"]

    # And a good one with a warning is in force, and says so.
    ours.config.write_rules(BY_MTA + "route late to domain second.test via mta\n")
    ours.process.popen.send_signal(signal.SIGHUP)
    wait_event(ours, "reload", level="info")
    send(ours, "jiro@ordinary.test", test_id="after")
    h.check(settled(ours, "jiro@ordinary.test")["ruleset"] != version, "the old rules")
    warning = wait_event(ours, "rules", level="warn")[0]
    h.check("can never match" in warning["line"], warning["line"])
    done = ours.cli("reload")
    h.check("can never match" in done.stdout + done.stderr, "no warning for the one who asked")
    who = [r["who"] for r in ours.json("rules history")]
    h.check("SIGHUP" in who and "start" in who, f"the history says {who}")
    ours.wait_empty()
    ours.stop()


def test_many_signals():
    """Signals that come faster than reloads share one, and the last set is in force"""
    ours, net = up(BY_MTA)
    h.wait_until(lambda: [r["who"] for r in ours.json("rules history")] == ["start"], "what it began with is recorded")
    for n in range(300):
        if n == 150:
            ours.config.write_rules(BY_SES)
        ours.process.popen.send_signal(signal.SIGHUP)
        time.sleep(0.001)  # the kernel makes one of those that meet
    send(ours, "a@ordinary.test", test_id="a")
    h.check(len(ours.log.events("reload")) < 150, "a reload for each signal")
    h.wait_until(lambda: [r["who"] for r in ours.json("rules history")].count("SIGHUP") == 1,
                 "the new set in the history")
    send(ours, "b@ordinary.test", test_id="b")
    h.equal(net.journal.wait_delivered(test_id="b")[0]["host"], "ses", "host")
    ours.wait_empty()
    ours.stop()


def test_queued_mail_follows_a_reload():
    """Mail that waits goes by the new rules at its next attempt, and is counted there"""
    ours, net = up(BY_MTA)
    net.control("set ordinary mood tempmail")
    send(ours, "a@ordinary.test", test_id="queued")
    wait_event(ours, "deferred", to="a@ordinary.test")
    h.equal(counts(ours, "mta", "accepted", "queued"), (1, 1), "before")
    with h.smtp(ours.port("relay")) as s:
        reload(ours, BY_SES)
        s.sendmail(SENDER, ["b@ordinary.test"], h.message(test_id="open"))
    for test_id in ("queued", "open"):
        h.equal(net.journal.wait_delivered(test_id=test_id)[0]["host"], "ses", f"host of {test_id}")
    ours.wait_empty()
    h.equal(counts(ours, "mta", "accepted", "queued"), (0, 0), "mta")
    h.equal(counts(ours, "ses", "accepted", "sent"), (2, 2), "ses")
    check_sums(ours)
    ours.stop()


if __name__ == "__main__":
    h.main()
