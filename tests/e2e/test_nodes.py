"""Several nodes on one database: one queue, whoever took the mail and whoever sends it.

time limit: 300 s
"""

import collections
import contextlib
import os
import socket
import time

import harness as h
from load import Load
from oiwake import RULES, Oiwake, Sandbox, nodes
from postgres import Proxy, cluster, database_of
from test_restart import settle_up

LEASE = 2  # seconds, as tests/e2e/oiwake.py has it
LONG = "60s"  # where nobody is to be given up because the machine is slow
ORDINARY = "user{}@ordinary.test"


def ready(ours):
    """It listens: a node that has begun anew may be known to others before."""
    def listens():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", ours.port("relay"))):
            return True
        return False

    h.wait_until(listens, "it listens")


def send(ours, *to, **message):
    ready(ours)
    with h.smtp(ours.port("relay")) as s:
        h.equal(s.sendmail("info@news.test", to, h.message(**message)), {}, "refused at RCPT")


def finals(address, *all_nodes):
    return [(n.config.node, e["event"]) for n in all_nodes for e in n.finals(address)]


def wait_final(address, *all_nodes, limit=None):
    """The one node and event that ended it."""
    h.wait_until(lambda: finals(address, *all_nodes), f"{address} has ended", limit)
    ended = finals(address, *all_nodes)
    h.equal(len(ended), 1, f"ends of {address}: {ended}")
    return ended[0]


def delivered_once(net, addresses):
    taken = collections.Counter(r["to"] for _, r in net.journal.recipients())
    h.equal({a: taken[a] for a in addresses if taken[a] != 1}, {}, "not taken exactly once")


def by_name(ours):
    return {row["node"]: row for row in ours.json("nodes", status=None)}  # 1 while one of them is lost


# -- one queue -----------------------------------------------------------------------------------

def test_one_queue():
    """Listing, statistics and nodes are the same from both; what one took the other sends when it is gone"""
    net = Sandbox()
    a, b = nodes(net)
    net.control("set ordinary mood tempmail")
    waiting = [ORDINARY.format(n) for n in range(20)]
    for to in waiting:
        send(a, to)
    h.wait_until(lambda: a.queue_size() == 20, "all are queued")
    h.wait_until(lambda: a.stats("path", "carrier") == b.stats("path", "carrier"), "the same statistics")
    listed = [sorted(r["to"] for r in n.json("queue list")) for n in (a, b)]
    h.equal(listed, [sorted(waiting)] * 2, "the queue from both")
    for n in (a, b):
        # A node says of itself by its beats.
        h.wait_until(lambda: [row["sources"] for _, row in sorted(by_name(n).items())] == [["tokyo1"], ["tokyo2"]],
                     lambda: f"the sources of both: {by_name(n)}")
        rows = by_name(n)
        h.equal(sorted(rows), ["a", "b"], "nodes")
        h.equal([rows[name]["health"] for name in "ab"], ["ok", "ok"], "health")
    a.stop()
    net.control("set ordinary mood normal")
    b.wait_empty()
    delivered_once(net, waiting)
    h.equal([wait_final(to, a, b)[0] for to in waiting], ["b"] * 20, "who delivered")
    a.start()
    h.equal(a.stats("path"), b.stats("path"), "after all")


def test_load_on_both():
    """Load on both, one stopped and started meanwhile: nothing is lost, and nothing twice"""
    net = Sandbox()
    a, b = nodes(net, lease=LONG)
    loads = [Load(n.port("relay"), (f"user{{}}{n.config.node}@ordinary.test",), threads=2) for n in (a, b)]
    for _ in range(3):
        before = sum(len(load.acknowledged) for load in loads)
        h.wait_until(lambda: sum(len(load.acknowledged) for load in loads) > before + 150, "acknowledged mail")
        a.stop()
        a.start()
    for load in loads:
        load.finish()
    b.wait_empty(4 * h.PATIENCE)
    delivered_once(net, loads[0].acknowledged | loads[1].acknowledged)
    h.equal(a.stats("path", "carrier"), b.stats("path", "carrier"), "statistics")


def test_sources_are_of_nodes():
    """Mail goes to a node that has a source of its pool, whichever took it"""
    net = Sandbox()

    def pool_of_b(config):
        config.text = config.text.replace('sources = { "tokyo1", "tokyo2" }', 'sources = { "tokyo2" }')

    a, b = nodes(net, each=pool_of_b)
    keitai = [f"user{n}@docomo.ne.jp" for n in range(5)]
    for to in keitai:
        send(a, to)
    for to in keitai:
        h.equal(wait_final(to, a, b), ("b", "delivered"), f"who sent to {to}")
    h.equal({m["peer"] for m, _ in net.journal.recipients()}, {"127.0.20.2"}, "where it came from")


# -- feedback ----------------------------------------------------------------------------------------

def test_feedback_on_the_other_node():
    """What Amazon tells one node of mail that the other sent settles it, and both count it"""
    net = Sandbox()

    def deaf(config):
        """Only b asks the queue of events."""
        if config.node == "a":
            start = config.text.index('sqs "events" {')
            config.text = config.text[:start] + config.text[config.text.index("}\n", start) + 2:]

    routes = "route odd to any and local-part irregular via mta\nroute all to any via ses\n"
    a, b = nodes(net, each=deaf, ses="api", routes=routes)
    net.control("set events late on")
    b.stop()  # so that it is a who sends
    send(a, "bounce@example.com", "user1@example.com")
    h.wait_until(lambda: a.total("sent") == 2, "a has sent")
    b.start()
    net.control("set events late off")
    h.wait_until(lambda: a.total("returned") == 1 and a.total("delivered") == 1, "what was told is counted")
    h.equal((b.total("bounced"), b.total("delivered")), (1, 1), "on b")
    h.equal(a.stats("path"), b.stats("path"), "statistics")
    suppressed = [[r["address"] for r in n.json("suppress list")] for n in (a, b)]
    h.equal(suppressed, [["bounce@example.com"]] * 2, "suppressed on both")


# -- nodes that die ------------------------------------------------------------------------------------

def test_killed():
    """kill -9 of a node under load: the other sends what it held; duplicates only of final dots"""
    net = Sandbox()
    a, b = nodes(net)
    load = Load(a.port("relay"), (ORDINARY, "user{}@docomo.ne.jp", "unknown-{}@ordinary.test"))
    h.wait_until(lambda: len(load.acknowledged) > 300, "acknowledged mail")
    a.kill9()
    load.finish()
    h.wait_until(lambda: sorted(by_name(b)) == ["b"], "b knows that a is gone")
    b.wait_empty(4 * h.PATIENCE)
    b.stop()
    settle_up(b, net, load)


def test_paused_longer_than_its_lease():
    """SIGSTOP for longer than the lease: the other sends; what wakes up sends nothing that it lost, and joins anew"""
    net = Sandbox()
    a, b = nodes(net)
    epoch = by_name(a)["a"]["started"]
    net.control("set ordinary delay 3000")  # so that a has begun with them
    waiting = [ORDINARY.format(n) for n in range(30)]
    for to in waiting:
        send(a, to)
    a.pause()
    net.control("set ordinary delay 0")
    h.wait_until(lambda: sorted(by_name(b)) == ["b"], "b knows that a is gone")
    h.wait_until(lambda: sum(len(b.finals(to)) for to in waiting) == 30, "b has sent all", 10 * LEASE)
    a.resume()
    h.wait_until(lambda: by_name(b).get("a", {}).get("health") == "ok" and by_name(b)["a"]["started"] != epoch,
                 "a has joined anew", 10 * LEASE)
    delivered_once(net, waiting)
    send(a, "after@ordinary.test")
    wait_final("after@ordinary.test", a, b)


def test_partitioned():
    """A node that cannot reach the database loses its leases, sends nothing that others do, and comes back"""
    net = Sandbox()
    db = cluster()
    url = db.database()
    way = Proxy(db.port)

    def by_proxy(config):
        if config.node == "a":
            config.text = config.text.replace(url, db.url(database_of(url), way.port))

    a, b = nodes(net, store=url, each=by_proxy)
    net.control("set ordinary mood tempmail")
    waiting = [ORDINARY.format(n) for n in range(30)]
    b.pause()
    for to in waiting:
        send(a, to)
    way.stall()
    b.resume()
    time.sleep(LEASE)  # what is tested is that time passes
    net.control("set ordinary mood normal")
    h.wait_until(lambda: sum(len(b.finals(to)) for to in waiting) == 30, "b has sent all", 10 * LEASE)
    way.resume()
    h.wait_until(lambda: by_name(b).get("a", {}).get("health") == "ok", "a is back", 20 * LEASE)
    delivered_once(net, waiting)
    send(a, "after@ordinary.test")
    wait_final("after@ordinary.test", a, b)


# -- operators ------------------------------------------------------------------------------------------

def test_what_an_operator_does_on_one():
    """Pauses, suppression, holding and retrying on one node are in force on the other"""
    net = Sandbox()
    a, b = nodes(net)
    a.cli("suppress add", "gone@ordinary.test", "--why", "a trap")
    send(b, "gone@ordinary.test")
    h.equal(wait_final("gone@ordinary.test", a, b)[1], "suppressed", "what b did")
    a.cli("pause", "path", "mta", "--why", "a test")
    h.wait_until(lambda: b.json("pauses"), "b knows of the pause")
    for n in (a, b):
        send(n, f"user{n.config.node}@ordinary.test")
    h.equal((a.queue_size(), [m for m in net.journal.messages() if m["from"]]), (2, []), "both wait")
    h.equal(b.json("queue hold", "--domain", "ordinary.test", "--why", "later")[0]["changed"], 2, "held from b")
    b.cli("resume", "path", "mta")
    h.wait_until(lambda: not a.json("pauses"), "a knows that it may go on")
    h.equal({r["state"] for r in a.json("queue list")}, {"held"}, "states as a sees them")
    h.equal(a.json("queue retry", "--domain", "ordinary.test")[0]["changed"], 2, "retried from a")
    a.wait_empty()
    delivered_once(net, ["usera@ordinary.test", "userb@ordinary.test"])


def test_rules_reach_every_node():
    """Rules that are put in force on one node are in force on the other, without its files having changed"""
    net = Sandbox()
    a, b = nodes(net)
    path = os.path.join(a.config.top, "oiwake.rules")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    h.check("{routes}" in RULES and "route own" in text, "rules as tests/e2e/oiwake.py has them")
    a.config.write("oiwake.rules", text.replace("route own to domain", "route nobody to domain none.test hold\n"
                                                "route own to domain"))
    a.cli("reload")
    h.wait_until(lambda: len({r["ruleset"] for r in by_name(b).values()}) == 1 and
                 "nobody" in b.cli("explain", "x@none.test").stdout, "b has the rules of a")


def test_name_taken():
    """A second node of a name that lives says so, and does not start"""
    net = Sandbox(keep=False)
    url = cluster().database()
    a, = nodes(net, ("a",), store=url)
    other, = nodes(net, ("other",), store=url, start=False, node="a")
    other.launch()
    other.process.killed = True
    h.wait_until(lambda: not other.process.running(), "it ends")
    h.equal(other.process.popen.returncode, 1, "status")
    h.check("'a'" in other.process.stderr(), other.process.stderr())
    h.equal(sorted(by_name(a)), ["a"], "nodes")


if __name__ == "__main__":
    h.main()
