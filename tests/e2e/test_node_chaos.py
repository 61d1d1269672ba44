"""Three nodes on one PostgreSQL under load; nodes, the database and the way to it fail at random, also several at once.

CHAOS_SEED repeats a run's dice, CHAOS_SECONDS sets how long it is stirred (15). time limit: 420 s

Nodes are killed, and stopped for longer than their lease; PostgreSQL is killed whole, and restarted as after a crash;
connections to it are cut, and hang. All nodes send from one address, so docomo's shape and the account's rate are
theirs together. Judged is, by what the clients were told, the sandbox's journal and the event log:

- Whoever was acknowledged has ended, at a peer or by a refusal, and nobody has who was neither acknowledged nor left
  without an answer.
- Who was taken twice has an Unread for each time but one.
- The counters are those of the journal, by each dimension.
- No second has more than docomo's rate. SES, which counts as it does by a bucket of a second's worth, throttled nobody.
- docomo never sees more connections than its shape has. Those of a stopped process count until its lease is over: only
  its kernel could close them, and the others are to go on then.
"""

import collections
import os
import random
import smtplib
import time

import harness as h
from oiwake import Sandbox, nodes
from postgres import Postgres, Proxy, database_of
from test_carriers import most_in_a_window
from test_counters import ROUTES, SENDERS, Senders, counted, ends, expected, templates
from test_restart import UNREAD, events
from test_shared_limits import one_source, refused_by_ses

SEED = int(os.environ.get("CHAOS_SEED") or random.randrange(1 << 32))
SECONDS = float(os.environ.get("CHAOS_SECONDS", "15"))
LEASE = 2  # seconds, as tests/e2e/oiwake.py has it
NAMES = ("a", "b", "c")
RATE, CONNECTIONS = 8, 3  # docomo's
SES_RATE = 15
DIMENSIONS = (["path"], ["carrier"], ["sender"], ["source"], ["rule"],
              ["path", "carrier", "sender", "source", "rule"])


def now_ms():
    """As the journal has it."""
    return int(time.time() * 1000)


def name_of_peer(node):
    """By which a peer knows the node, all having the same address."""
    return f"{node}.oiwake.test"


class Clients(Senders):
    """As Senders, of a service that may refuse at any stage."""

    def send(self, s, to):
        which = random.randrange(len(SENDERS))
        to = [t.replace("@", f"-s{which}@") for t in to]
        if s.mail(SENDERS[which])[0] != 250:
            raise smtplib.SMTPServerDisconnected("refused at MAIL")
        taken = [t for t in to if s.rcpt(t, ["NOTIFY=NEVER"])[0] == 250]
        if s.docmd("DATA")[0] != 354:
            raise smtplib.SMTPServerDisconnected("refused at DATA")
        with self.lock:
            self.doubtful.update(taken)
        s.send(h.message(sender=SENDERS[which], body=to[0] + "\r\n") + b".\r\n")
        code, _ = s.getreply()
        with self.lock:
            if code == 250:
                self.acknowledged.update(taken)
            if code > 0:
                self.doubtful.difference_update(taken)


class Node:
    """One of the three, the way to its database, and whoever watches over it."""

    def __init__(self, ours, way):
        self.ours, self.way = ours, way
        self.name = ours.config.node
        self.stops = []     # ms when it was stopped
        self.starts = 1     # "ready" in its log that is its process's own, at least
        self.away = False   # killed, and not yet started again
        self.stopped = self.hangs = False

    def is_up(self):
        return not self.away and self.ours.process.running()

    def has_begun(self):
        return len(self.ours.log.events("ready")) >= self.starts

    def launch(self):
        self.away = False
        self.starts = len(self.ours.log.events("ready")) + 1
        self.ours.launch()

    def kill(self):
        self.ours.kill9()
        self.away = True
        self.stopped = False

    def stop(self):
        self.stops.append(now_ms())
        self.ours.pause()
        self.stopped = True

    def go_on(self):
        if self.stopped:
            self.ours.resume()
        self.stopped = False

    def let_through(self, cut):
        self.hangs = False
        if cut:
            self.way.cut()
        self.way.resume()

    def tend(self):
        """A start may fail while the database is away, and is tried again; what has begun may not end by itself."""
        if self.away or self.ours.process.running():
            return
        h.check(not self.has_begun(), lambda: f"{self.name} ended by itself:\n" + self.ours.process.stderr()[-2000:]
                + self.ours.tail())
        self.ours.process.killed = True
        self.launch()


class Trouble:
    """What goes wrong, by dice, and what sets it right again later."""

    def __init__(self, three, db, dice):
        self.three, self.db, self.dice = three, db, dice
        self.done = collections.Counter()
        self.later = []     # [time, function]
        self.db_away = False

    def after(self, low, high, function):
        self.later.append((time.monotonic() + self.dice.uniform(low, high), function))

    def kill(self, node):
        if not node.is_up():
            return
        node.kill()
        self.done["nodes killed"] += 1
        self.after(0, 2 * LEASE, node.launch)

    def stop(self, node):
        if not node.is_up() or node.stopped:
            return
        node.stop()
        self.done["nodes stopped"] += 1
        self.after(1.2 * LEASE, 3 * LEASE, node.go_on)

    def cut(self, node):
        node.way.cut()
        self.done["connections cut"] += 1

    def hang(self, node):
        if node.hangs:
            return
        node.way.stall()
        node.hangs = True
        cut = self.dice.random() < 0.5
        self.done["networks hung"] += 1
        self.after(0.2 * LEASE, 2 * LEASE, lambda: node.let_through(cut))

    def kill_database(self, _):
        if self.db_away:
            return
        self.db.kill9()
        self.db_away = True
        self.done["databases killed"] += 1
        self.after(0, 2 * LEASE, self.start_database)

    def start_database(self):
        self.db.start()
        self.db_away = False

    def restart_database(self, _):
        if self.db_away:
            return
        self.db.restart_immediate()
        self.done["databases restarted"] += 1

    def step(self):
        what = self.dice.choices(
            (self.kill, self.stop, self.cut, self.hang, self.kill_database, self.restart_database),
            (5, 5, 4, 2, 1, 1))[0]
        what(self.dice.choice(self.three))

    def set_right(self, until):
        """What is due by then."""
        due = sorted((x for x in self.later if x[0] <= until), key=lambda x: x[0])
        self.later = [x for x in self.later if x[0] > until]
        for _, function in due:
            function()
        for node in self.three:
            node.tend()

    def stir(self, seconds):
        end = time.monotonic() + seconds
        next_step = time.monotonic()
        while time.monotonic() < end:
            if time.monotonic() >= next_step:
                self.step()
                next_step = time.monotonic() + self.dice.uniform(0.3, 2)
            self.set_right(time.monotonic())
            time.sleep(0.05)

    def end(self):
        self.set_right(float("inf"))

        def all_well():
            self.set_right(float("inf"))
            said = {r["node"]: r["health"] for r in self.three[0].ours.json("nodes", status=None)}
            return all(n.has_begun() for n in self.three) and said == dict.fromkeys(NAMES, "ok")
        h.wait_until(all_well, "all nodes are well", 3 * h.PATIENCE, pause=0.2)


# -- judging -------------------------------------------------------------------------------------------

def most_connections(net, host, three):
    """The most open at once; those of a process that was stopped until its lease was over."""
    stops = {name_of_peer(n.name): n.stops for n in three}
    began = {e["session"]: e["ms"] for e in net.journal.events("connect") if e["host"] == host}
    rows = []
    excused = 0
    for e in net.journal.events("session"):
        if e["host"] != host:
            continue
        first, last = began[e["session"]], e["ms"]
        over = [at + LEASE * 1000 for at in stops.get(e["ehlo"], ()) if first <= at < last]
        excused += any(at < last for at in over)
        rows += [(first, 1), (min([last, *over]), -1)]
    now = most = 0
    for _, change in sorted(rows):
        now += change
        most = max(most, now)
    return most, excused


def empties(ours):
    """Helped as an operator would, for what has failed waits longer each time."""
    ours.cli("queue retry", "--all", status=None)
    return ours.queue_size() == 0


def check_ends(load, ended):
    acknowledged = set().union(*(x.acknowledged for x in load))
    doubtful = set().union(*(x.doubtful for x in load))
    lost = acknowledged - set(ended)
    h.equal(sorted(lost)[:10], [], f"{len(lost)} of {len(acknowledged)} acknowledged and lost")
    stray = set(ended) - acknowledged - doubtful
    h.equal(sorted(stray)[:10], [], f"{len(stray)} were refused to the client and are in the journal")
    return len(acknowledged)


def check_duplicates(net, unread):
    """Returns them."""
    taken = collections.Counter(r["to"] for _, r in net.journal.recipients())
    twice = {to: n for to, n in taken.items() if n > 1}
    silent = {to: n for to, n in twice.items() if n - 1 > unread.get(to, 0)}
    h.equal(dict(list(silent.items())[:10]), {}, f"{len(silent)} duplicates not in the state unread, of {len(twice)}")
    return twice


def check_counters(ours, ended, unread):
    told = expected(ended, "path")
    h.wait_until(lambda: counted(ours, ["path"]) == told,
                 lambda: f"all feedback: {counted(ours, ['path'])}, want {told}", 4 * h.PATIENCE)
    for by in DIMENSIONS:
        h.equal(counted(ours, by), expected(ended, *by), f"by {by}")
    rows = ours.stats("path")
    h.equal(sum(r["accepted"] for r in rows), len(ended), "accepted")
    h.equal(sum(r["queued"] + r["expired"] + r["suppressed"] + r["removed"] for r in rows), 0, "other ends")
    h.equal(sum(r["unread"] for r in rows), sum(unread.values()), "unread, counted and in the event log")


def check_limits(net, three):
    most = most_in_a_window(net, "docomo", 1000)
    connections, excused = most_connections(net, "docomo", three)
    h.note(f"at most {most}/s of {RATE} and {connections} connections of {CONNECTIONS} at docomo ({excused} of stopped "
           "processes outlived its lease)")
    h.check(most <= RATE, f"docomo: {most} in a second")
    h.check(connections <= CONNECTIONS, f"docomo: {connections} connections")
    h.equal(refused_by_ses(net), [], "refused by SES, for its rate")


# -- the three ------------------------------------------------------------------------------------------

def up(net, db):
    url = db.database()
    ways = {name: Proxy(db.port) for name in NAMES}

    def each(config):
        one_source(config)
        config.text = config.text.replace(url, db.url(database_of(url), ways[config.node].port)).replace(
            'hostname = "mx1.oiwake.test"', f'hostname = "{name_of_peer(config.node)}"')

    three = nodes(net, NAMES, store=url, each=each, routes=ROUTES, ses="api", rate=0,
                  shapes=f"shape group docomo rate {RATE}/s connections {CONNECTIONS} messages 5\n")
    return [Node(n, ways[n.config.node]) for n in three]


def test_three_nodes():
    """Three nodes, killed, stopped and cut off, on a database that dies: nothing lost, no limit exceeded"""
    h.note(f"CHAOS_SEED={SEED}")
    net = Sandbox(keep=False, zone=[f"{name_of_peer(n)} A 127.0.20.1" for n in NAMES])
    net.control("set ses suppressed-reasons ")  # what goes twice is not suppressed the second time
    net.control(f"set ses rate {SES_RATE}")
    net.control("set docomo delay 30")
    db = Postgres(h.work.file("postgres"))
    three = up(net, db)
    load = [Clients(n.ours.port("relay"), [t.replace("-{}", f"-{n.name}-{{}}") for t in templates()],
                    threads=2, pace=0.15) for n in three]
    for x in load:
        h.wait_until(lambda: len(x.acknowledged) > 20, "acknowledged mail")
    trouble = Trouble(three, db, random.Random(SEED))
    trouble.stir(SECONDS)
    trouble.end()
    for x in load:
        x.finish()
    ours = three[0].ours
    # What waits for a rate is proportional to how long it was stirred.
    h.wait_until(lambda: empties(ours), lambda: f"an empty queue, {ours.queue_size()} are left",
                 4 * h.PATIENCE + 2 * SECONDS, pause=0.5)
    ended = ends(net)
    acknowledged = check_ends(load, ended)
    unread = events(ours, UNREAD)
    twice = check_duplicates(net, unread)
    check_counters(ours, ended, unread)
    check_limits(net, three)
    for n in three:
        n.ours.stop()
    h.note(f"{SECONDS:.0f} s: {dict(trouble.done)}; {acknowledged} recipients acknowledged, {len(ended)} in the "
           f"journal, {len(twice)} went twice, all of them unread; {sum(unread.values())} unread")


if __name__ == "__main__":
    h.main()
