"""Which address mail leaves from: stable, by weight, in turn; pauses, drains, warm-ups, over kills.

time limit: 300 s
"""

import collections

import harness as h
from oiwake import DKIM_DOMAIN, Config, Oiwake, Sandbox
from test_outcomes import send, settled

FIRST, SECOND = "127.0.20.1", "127.0.20.2"
PEERS = {"tokyo1": FIRST, "tokyo2": SECOND}
POOL = 'sources = { "tokyo1" }'
TOKYO2 = '''source "tokyo2" {
	hostname = "mx2.oiwake.test"
	address = "127.0.20.2"
%s}
'''
ROUTES = "route all to any via mta\n"
PLAN = "warm-up slow first 5 grow 2 cap 20 %s\nshape domain ordinary.test warm-up slow\n"


def up(weight="", balance="", **config):
    """With two sources in the one pool."""
    net = Sandbox()
    config = Config(net, routes=ROUTES, **config)
    config.text = config.text.replace(POOL, 'sources = { "tokyo1", "tokyo2" }\n' + balance)
    config.text = config.text.replace('pool "keitai"', TOKYO2 % weight + 'pool "keitai"')
    config.save()
    return Oiwake(config), net


def sender(n):
    return f"info@news{n}.test"


def sent_by(net, *to):
    """How many of those recipients came from each source."""
    names = {peer: name for name, peer in PEERS.items()}
    found = collections.Counter()
    for m, r in net.journal.recipients():
        if not to or r["to"] in to:
            found[names[m["peer"].split(":")[0]]] += 1
    return found


def source_of(ours, net, to, n):
    """Sends one, and tells where it left from."""
    before = len(net.journal.delivered(to))
    send(ours, to, sender=sender(n))
    m = net.journal.wait_delivered(to, count=before + 1)[-1]
    peer = m["peer"].split(":")[0]
    return next(name for name, at in PEERS.items() if at == peer)


def waiting(ours):
    return {row["source"]: row["waiting"] for row in ours.json("sources")}


def warm_up(ours, source):
    row = next(r for r in ours.json("sources") if r["source"] == source)
    return [(w["group"], w["day"], w["allowed"], w["sent"]) for w in row["warm_up"]]


# -- choice ------------------------------------------------------------------------------------

def test_stable_by_sender_and_group():
    """Each (sender's domain, group) leaves from one source, after a restart too; both are used"""
    ours, net = up()
    first = {}
    for n in range(12):
        for to in ("a@ordinary.test", "a@docomo.ne.jp"):
            first[n, to] = source_of(ours, net, to, n)
    h.equal(set(first.values()), {"tokyo1", "tokyo2"}, "sources in use")
    ours.stop()
    ours.start()
    for (n, to), source in first.items():
        h.equal(source_of(ours, net, to, n), source, f"source of {sender(n)} to {to}")


def test_weights():
    """Of 200 senders a source of weight 9 has about nine in ten"""
    ours, net = up(weight="\tweight = 9\n")
    for n in range(200):
        send(ours, "a@ordinary.test", sender=sender(n))
    ours.wait_empty()
    found = sent_by(net)
    h.equal(sum(found.values()), 200, "delivered")
    h.check(165 <= found["tokyo2"] <= 195, f"shares are {found}")


def test_in_turn():
    """Round-robin: one sender's messages alternate, and a message's recipients stay together"""
    ours, net = up(balance="balance = round-robin\n")
    for n in range(20):
        send(ours, f"a{n}@ordinary.test", f"b{n}@ordinary.test")
    ours.wait_empty()
    h.equal(sent_by(net), {"tokyo1": 20, "tokyo2": 20}, "recipients by source")
    for n in range(20):
        h.equal(len(sent_by(net, f"a{n}@ordinary.test", f"b{n}@ordinary.test")), 1,
                f"sources of message {n}")


# -- pause and drain ---------------------------------------------------------------------------

def test_pause_and_resume():
    """A paused path, source or group holds what is for it, over a restart, until it is resumed"""
    ours, net = up()
    for kind, name in (("path", "mta"), ("group", "Ordinary.test")):
        to = f"{kind}@ordinary.test"
        ours.cli("pause", kind, name, "--why", "the other side asks")
        send(ours, to)
        send(ours, f"{kind}@second.test")
        h.wait_until(lambda: sum(waiting(ours).values()) == (2 if kind == "path" else 1),
                     "held mail")
        if kind == "group":
            net.journal.wait_delivered(f"{kind}@second.test")
        ours.kill9()
        ours.start()
        rows = ours.json("pauses")
        h.equal([(r["kind"], r["name"], r["why"], r["until"]) for r in rows],
                [(kind, name.lower() if kind == "group" else name, "the other side asks", None)],
                "pauses after a restart")
        h.wait_until(lambda: sum(waiting(ours).values()) > 0, "held mail in memory again")
        h.equal(net.journal.delivered(to), [], "delivered while paused")
        ours.cli("resume", kind, name)
        net.journal.wait_delivered(to)
        h.equal(ours.json("pauses"), [], "pauses")
    ours.wait_empty()
    h.equal(len(ours.log.events("paused")), 2, "lines in the log")
    h.equal(len(ours.log.events("resumed")), 2, "lines in the log")
    h.check("nothing is paused" in ours.cli("pauses").stdout, "the listing")


def test_pause_for_a_time():
    """A pause with a time ends by itself"""
    ours, net = up()
    ours.cli("pause", "path", "mta", "--for", "8s")
    h.check("until" in ours.cli("pause").stdout, "the listing")
    send(ours, "a@ordinary.test")
    h.wait_until(lambda: sum(waiting(ours).values()) == 1, "held mail")
    h.equal(net.journal.delivered(), [], "delivered while paused")
    net.journal.wait_delivered("a@ordinary.test")
    h.check(ours.log.events("resumed"), "the log tells of the end")


def test_time_runs_while_paused():
    """Who waits behind a pause is told of the delay, and of the end when its time is over"""
    ours, net = up(queue="delay-notice = 1s", shapes="shape domain ordinary.test expiry 8s\n")
    ours.cli("pause", "group", "ordinary.test", "--why", "secret")
    send(ours, "late@ordinary.test", sender=f"late@{DKIM_DOMAIN}")
    notices = net.journal.wait_delivered(f"late@{DKIM_DOMAIN}", count=2)
    settled(ours, "late@ordinary.test", event="expired")
    h.equal(len(notices), 2, "notices")
    h.equal(ours.total("expired"), 1, "expired")
    h.equal(net.journal.delivered("late@ordinary.test"), [], "delivered while paused")


def test_paused_source():
    """New mail takes the other source; what waited already stays"""
    ours, net = up()
    n = next(n for n in range(50) if source_of(ours, net, "a@ordinary.test", n) == "tokyo1")
    ours.cli("pause", "group", "ordinary.test")
    send(ours, "stays@ordinary.test", sender=sender(n))
    h.wait_until(lambda: waiting(ours)["tokyo1"] == 1, "held mail")
    ours.cli("pause", "source", "tokyo1")
    ours.cli("resume", "group", "ordinary.test")
    h.equal(source_of(ours, net, "new@ordinary.test", n), "tokyo2", "source of new mail")
    h.equal(net.journal.delivered("stays@ordinary.test"), [], "delivered while paused")
    ours.cli("resume", "source", "tokyo1")
    net.journal.wait_delivered("stays@ordinary.test")
    h.equal(sent_by(net, "stays@ordinary.test"), {"tokyo1": 1}, "source of what waited")
    h.equal(source_of(ours, net, "new@ordinary.test", n), "tokyo1", "source after that")


def test_drain():
    """A drained source's mail leaves from the other, what waits included, until it is resumed"""
    ours, net = up()
    mine = [n for n in range(20) if source_of(ours, net, "a@ordinary.test", n) == "tokyo1"]
    h.check(mine, "no sender leaves from tokyo1")
    ours.cli("pause", "group", "ordinary.test")
    for n in mine:
        send(ours, f"waits{n}@ordinary.test", sender=sender(n))
    h.wait_until(lambda: waiting(ours)["tokyo1"] == len(mine), "held mail")
    ours.cli("drain", "tokyo1", "--why", "goes home")
    h.equal(waiting(ours), {"tokyo1": 0, "tokyo2": len(mine)}, "waiting after the drain")
    ours.cli("drain", "tokyo2", status=1)
    ours.kill9()
    ours.start()
    h.equal([r["state"] for r in ours.json("sources")], ["drained", "open"], "states")
    ours.cli("resume", "group", "ordinary.test")
    ours.wait_empty()
    h.equal(sent_by(net, *(f"waits{n}@ordinary.test" for n in mine)), {"tokyo2": len(mine)},
            "sources of what waited")
    h.equal(source_of(ours, net, "new@ordinary.test", mine[0]), "tokyo2", "source of new mail")
    ours.cli("resume", "source", "tokyo1")
    h.equal(source_of(ours, net, "new@ordinary.test", mine[0]), "tokyo1", "source after that")


def test_what_is_said_of_mistakes():
    """Unknown names are told the known ones; what is not paused is not resumed"""
    ours, _ = up()
    for argv, status, text in (
            (("pause", "path", "mtb"), 1, "there is no path 'mtb' but mta, ses"),
            (("drain", "osaka"), 1, "there is no source 'osaka' but tokyo1, tokyo2"),
            (("pause", "group", "x" * 256), 1, "with a name"),
            (("pause", "path", "mta", "--why", "x" * 1001), 1, "a text of up to 1000 bytes"),
            (("resume", "source", "tokyo1"), 1, "source 'tokyo1' is not paused or drained"),
            (("pause", "road", "mta"), 2, "expected path, source or group"),
            (("pause", "path", "mta", "--for", "2 weeks"), 2, "--for takes a time"),
            (("pause", "path", "mta", "--for", "367d"), 2, "--for takes a time"),
            (("sources", "hot", "tokyo1"), 2, "expected nothing, or warm or new"),
            (("sources", "warm", "osaka"), 1, "there is no source 'osaka'")):
        said = ours.cli(argv[0], *argv[1:], status=status).stderr
        h.check(text in said, f"{argv}: {said!r}")
    h.equal(ours.json("pauses"), [], "pauses")


# -- warm-up -----------------------------------------------------------------------------------

def test_overflow():
    """First 5: exactly 5 leave from the new source, over a stop and a kill; the rest elsewhere"""
    ours, net = up(shapes=PLAN % "overflow")
    ours.cli("sources", "warm", "tokyo2")
    for n in range(200):
        send(ours, f"u{n}@ordinary.test", sender=sender(n))
        if n == 3:
            ours.wait_empty()
            ours.stop()
            ours.start()
        if n == 8:
            ours.wait_empty()
            ours.kill9()
            ours.start()
    ours.wait_empty()
    to = [f"u{n}@ordinary.test" for n in range(200)]
    h.equal(sent_by(net, *to), {"tokyo1": 5, "tokyo2": 195}, "recipients by source")
    h.equal(warm_up(ours, "tokyo1"), [("ordinary.test", 1, 5, 5)], "progress")
    # All at once from a stand: no more than the day allows, even so.
    ours.cli("sources", "new", "tokyo1", "--group", "ordinary.test")
    ours.cli("pause", "path", "mta")
    for n in range(40):
        send(ours, f"v{n}@ordinary.test", sender=sender(n))
    h.wait_until(lambda: sum(waiting(ours).values()) == 40, "held mail")
    ours.cli("resume", "path", "mta")
    ours.wait_empty()
    h.equal(sent_by(net, *(f"v{n}@ordinary.test" for n in range(40))),
            {"tokyo1": 5, "tokyo2": 35}, "recipients by source")
    h.check("ordinary.test" in ours.cli("sources").stdout, "the listing")


def test_wait():
    """With `wait` the rest stays for the next day, over a stop and a kill"""
    ours, net = up(shapes=PLAN % "wait")
    ours.cli("drain", "tokyo2")
    for n in range(12):
        send(ours, f"u{n}@ordinary.test", sender=sender(n))
        if n == 2:
            ours.wait_empty()
            ours.kill9()
            ours.start()
    h.wait_until(lambda: sum(sent_by(net).values()) == 5 and waiting(ours)["tokyo1"] == 7,
                 lambda: f"5 sent and 7 waiting: {sent_by(net)} {waiting(ours)}")
    for end in (ours.stop, ours.kill9):
        end()
        ours.start()
        h.wait_until(lambda: waiting(ours)["tokyo1"] == 7, "the rest in memory again")
        send(ours, "elsewhere@second.test")
        settled(ours, "elsewhere@second.test", event="delivered")
        ours.log.read()
        ours.log.all.clear()
        h.equal(sent_by(net)["tokyo1"], 5 + len(net.journal.delivered("elsewhere@second.test")),
                "sent")
    ours.cli("sources", "warm", "tokyo1", "--group", "ordinary.test")
    ours.wait_empty()


if __name__ == "__main__":
    h.main()
