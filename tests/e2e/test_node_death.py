"""A node stops, dies, or is to go, at each stage of what it does: what it held goes out once, and it knows its place.

time limit: 300 s
"""

import smtplib
import time
import urllib.error
import urllib.request

import harness as h
from oiwake import Config, Oiwake, Sandbox, nodes
from postgres import Proxy, cluster, database_of
from test_metrics import web

LEASE = 2  # seconds, as tests/e2e/oiwake.py has it
ORDINARY = "user{}@ordinary.test"


def send(ours, *to, **message):
    with h.smtp(ours.port("relay")) as s:
        h.equal(s.sendmail("info@news.test", to, h.message(**message)), {}, "refused at RCPT")


def taken(net, address):
    """How often the world has taken it."""
    return sum(r["to"] == address for _, r in net.journal.recipients())


def states(ours):
    return {r["to"]: r["state"] for r in ours.json("queue list")}


def health(ours, name):
    return {r["node"]: r["health"] for r in ours.json("nodes", status=None)}.get(name)


def two(net, **config):
    """a has what is sent to it in memory, for b is not there until `b.start()`."""
    a, b = nodes(net, **config)
    b.stop()
    return a, b


def joined_anew(a, b):
    h.wait_until(lambda: a.log.events("node-fenced"), "a knows that it has been given up")
    h.wait_until(lambda: len(a.log.events("ready")) == 2, "a has started anew")
    h.wait_until(lambda: health(b, "a") == "ok", "b knows of it")
    h.check(a.process.running(), "the same process")


# -- stopped for longer than the lease ---------------------------------------------------------------

def test_stopped_between_begin_and_dot():
    """SIGSTOP after the store's leave and before the final dot: the other sends, what wakes up does not"""
    net = Sandbox()
    a, b = two(net)
    slow = "slow3000@ordinary.test"  # each reply of its session comes 3 s later
    send(a, slow)
    h.wait_until(lambda: states(a).get(slow) == "sending", "a has begun")
    a.pause()
    b.start()
    h.wait_until(lambda: b.finals(slow), "b has sent it", 60)
    h.equal(taken(net, slow), 1, "taken, while a is stopped")
    a.resume()
    joined_anew(a, b)
    send(a, "after@ordinary.test")
    h.wait_until(lambda: taken(net, "after@ordinary.test") == 1, "mail goes on")
    h.equal(taken(net, slow), 1, "taken in all")
    h.equal([e["event"] for e in a.finals(slow)], [], "what a says of it")
    h.equal(b.total("unread"), 1, "its final dot might have gone out")
    a.wait_empty()


def test_stopped_after_the_dot():
    """SIGSTOP when the final dot is out and the reply is not: sent again, as the one kind that may be"""
    net = Sandbox()
    a, b = two(net)
    silent = "silentdot1-a@second.test"  # is taken, and not answered, once
    send(a, silent)
    h.wait_until(lambda: taken(net, silent) == 1, "a has sent it")
    a.pause()
    b.start()
    h.wait_until(lambda: b.finals(silent), "b has sent it", 60)
    a.resume()
    joined_anew(a, b)
    h.equal(taken(net, silent), 2, "taken")
    h.equal(b.total("unread"), 1, "unread")
    h.equal(b.total("sent"), 1, "sent")


def test_stopped_with_mail_in_memory():
    """SIGSTOP with mail that waits in memory: the other sends all of it, and none is called unread"""
    net = Sandbox()
    a, b = two(net)
    a.cli("pause", "path", "mta")
    waiting = [ORDINARY.format(n) for n in range(20)]
    for to in waiting:
        send(a, to)
    a.pause()
    b.start()
    h.wait_until(lambda: health(b, "a") in ("lost", None), "a is given up", 20 * LEASE)
    b.cli("resume", "path", "mta")
    h.wait_until(lambda: all(taken(net, to) == 1 for to in waiting), "b has sent all")
    a.resume()
    joined_anew(a, b)
    h.equal([taken(net, to) for to in waiting], [1] * 20, "taken")
    h.equal(a.total("unread"), 0, "unread")


def test_stopped_alone():
    """SIGSTOP for longer than the lease where nobody is who could take over: it goes on with what it has"""
    net = Sandbox()
    a, = nodes(net, ("a",))
    slow = "slow3000@ordinary.test"
    send(a, slow)
    h.wait_until(lambda: states(a).get(slow) == "sending", "a has begun")
    a.pause()
    time.sleep(2 * LEASE)  # what is tested is that time passes
    a.resume()
    h.wait_until(lambda: a.finals(slow), "a has sent it", 60)
    a.wait_empty()
    h.equal(taken(net, slow), 1, "taken")
    h.equal(a.log.events("node-fenced"), [], "nobody has given it up")
    h.equal(len(a.log.events("ready")), 1, "starts")


def test_given_up_and_cut_off():
    """Given up by others, and no way to the database to join again: it tries until there is one"""
    net = Sandbox()
    db = cluster()
    url = db.database()
    way = Proxy(db.port)

    def by_proxy(config):
        config.text = config.text.replace(url, db.url(database_of(url), way.port))

    a, = nodes(net, ("a",), store=url, each=by_proxy)
    way.refusing = True  # what is connected stays so: it hears of it
    a.config.sql("UPDATE node SET buried = 1")
    h.wait_until(lambda: sum("cannot join" in e["text"] for e in a.log.events("node-fenced")) > 1, "it has tried twice")
    way.resume()
    h.wait_until(lambda: len(a.log.events("ready")) == 2, "it has started anew")
    h.check(a.process.running(), "the same process")
    send(a, "after@ordinary.test")
    a.wait_empty()
    h.equal(taken(net, "after@ordinary.test"), 1, "taken")


# -- killed ------------------------------------------------------------------------------------------

def test_killed_at_each_stage():
    """kill -9 before and after the final dot: the other sends, each once but where the dot was out"""
    net = Sandbox()
    a, b = two(net)
    slow, silent, held = "slow3000@ordinary.test", "silentdot1-k@second.test", "user1@docomo.ne.jp"
    a.cli("pause", "group", "docomo")
    send(a, held)
    send(a, silent)
    send(a, slow)
    h.wait_until(lambda: states(a).get(slow) == "sending", "a has begun")
    h.wait_until(lambda: taken(net, silent) == 1, "a has sent one")
    a.kill9()
    b.start()
    h.wait_until(lambda: health(b, "a") is None, "a is buried", 20 * LEASE)
    b.cli("resume", "group", "docomo")
    b.wait_empty(60)
    h.equal([taken(net, to) for to in (held, silent, slow)], [1, 2, 1], "taken")
    h.equal(b.total("unread"), 2, "unread")


def test_killed_and_started_at_once():
    """kill -9 and a start right away: it need not wait for its lease, and has what it held"""
    net = Sandbox()
    a, b = nodes(net, lease="60s")
    b.pause()  # it takes nothing, and is not given up for so short
    a.cli("pause", "path", "mta")
    for n in range(5):
        send(a, ORDINARY.format(n))
    a.kill9()
    began = time.monotonic()
    a.start(30)
    h.check(time.monotonic() - began < 30, "it waited for its own lease")
    found = a.log.events("store")[-1]
    h.equal((int(found["queued"]), int(found["returned"]), int(found["unread"])), (5, 5, 0), "found")
    a.cli("resume", "path", "mta")
    a.wait_empty()
    b.resume()
    h.equal([taken(net, ORDINARY.format(n)) for n in range(5)], [1] * 5, "taken")
    h.equal(a.log.events("node-fenced") + b.log.events("node-fenced"), [], "given up")


# -- one that is to go -------------------------------------------------------------------------------

def ready(port):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=h.PATIENCE).status
    except urllib.error.HTTPError as e:
        return e.code


def refused(ours):
    """What a client is told."""
    try:
        with h.smtp(ours.port("relay")):
            return None
    except smtplib.SMTPConnectError as e:
        return (e.smtp_code, e.smtp_error.decode())


def test_drain():
    """A drained node gives back what waits, takes nothing, says so, and works again when it is to stay"""
    net = Sandbox()
    a, b = two(net)
    a.cli("pause", "group", "ordinary.test")
    waiting = [ORDINARY.format(n) for n in range(20)]
    for to in waiting:
        send(a, to)
    a.cli("drain", "--wait")
    h.equal(refused(a), (421, "4.3.2 this node takes no more mail, try another"), "what a client is told")
    h.equal(health(a, "a"), "draining", "health")
    h.equal({r["node"]: r["leases"] for r in a.json("nodes")}["a"], 0, "what it holds")
    h.equal(set(states(a).values()), {"waiting"}, "nobody holds any")
    b.start()
    b.cli("resume", "group", "ordinary.test")
    h.wait_until(lambda: all(b.finals(to) for to in waiting), "b has sent all")
    h.equal([taken(net, to) for to in waiting], [1] * 20, "taken")
    b.cli("drain", "node", "a", "--undo")
    h.wait_until(lambda: refused(a) is None, "a takes mail again")
    h.equal(health(b, "a"), "ok", "health")
    b.cli("drain", "node", "b")
    b.cli("drain", "node", "nobody", status=1)
    h.wait_until(lambda: health(a, "b") == "draining", "b goes")
    send(a, "after@ordinary.test")
    h.wait_until(lambda: a.finals("after@ordinary.test"), "a sends")


def test_drain_of_the_only_one():
    """Without a database of many there is one node, which can be drained as well"""
    net = Sandbox()
    config = Config(net)
    port = web(config)
    ours = Oiwake(config)
    h.equal(ready(port), 200, "/readyz")
    row, = ours.json("nodes")
    h.equal((row["health"], row["leases"]), ("ok", 0), "it is well")
    ours.cli("drain", "--wait")
    h.check(refused(ours), "it takes no mail")
    h.equal(ready(port), 503, "/readyz")
    h.equal(ours.json("nodes")[0]["health"], "draining", "health")
    ours.cli("drain", "node", row["node"], "--undo")
    h.wait_until(lambda: refused(ours) is None, "it takes mail again")
    ours.cli("drain", "--wait", "--undo", status=2)
    ours.cli("drain", "node", "other", status=1)


if __name__ == "__main__":
    h.main()
