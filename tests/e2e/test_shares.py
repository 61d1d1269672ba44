"""Fifty nodes under common limits: no sliding window of any of them ever has more, also while nodes die; and they are
used, and fairly.

time limit: 300 s
"""

import collections
import random
import time

import harness as h
from postgres import Postgres
from shares import Budget, Nodes, most_open, used, worst

FAST = Budget("fast", limit=300, period=1.0)
SLOW = Budget("slow", limit=1, period=1.0)
FEW = Budget("few", limit=20, period=5.0)
LONG = Budget("long", limit=600, period=20.0)
LINES = Budget("lines", limit=7, period=0, length=0.5)
DEMAND = Budget("demand", limit=200, period=1.0, per_second=3)
ALL = [FAST, SLOW, FEW, LONG, LINES, DEMAND]


def check_limits(nodes):
    for b in ALL:
        events = nodes.events(b.name)
        most = worst(events, b.period) if b.period else most_open(events, nodes.killed, nodes.given_up())
        h.note(f"{b.name}: {len(events)}, at most {most} of {b.limit}")
        h.check(most <= b.limit, f"{b.name}: {most} of {b.limit}")


def per_node(nodes, budget, since, until):
    counts = collections.Counter(e.node for e in nodes.events(budget.name)
                                 if since <= e.at < until and e.change > 0)
    return [counts[n] for n in sorted(nodes.running)]


def test_fifty():
    """Fifty nodes for 40 seconds: every limit holds in every window, is used, and evenly"""
    db = Postgres(h.work.file("postgres"), settings=("max_connections = 300",))
    nodes = Nodes(db.database(), ALL)
    nodes.start_all(50, seconds=250)
    time.sleep(5)
    since = time.time()
    time.sleep(40)
    until = time.time()
    shares = {b.name: used(nodes.events(b.name), since, until, b.limit, b.period) for b in ALL if b.period}
    h.note("used: " + ", ".join(f"{name} {share:.1%}" for name, share in shares.items()))
    even = per_node(nodes, FAST, since, until)
    h.note(f"fast, by node: {min(even)} to {max(even)}")
    waits = per_node(nodes, SLOW, since, until)
    h.note(f"slow, by node: {min(waits)} to {max(waits)}")
    nodes.kill_all()
    check_limits(nodes)
    h.check(shares["fast"] >= 0.9, "the limit is used")
    h.check(max(even) <= 1.3 * min(even), "everybody has as much")


def test_trouble():
    """Nodes are killed, stopped for longer than their lease, and begin, for 40 seconds: every limit holds"""
    db = Postgres(h.work.file("postgres"), settings=("max_connections = 300",))
    nodes = Nodes(db.database(), ALL)
    nodes.start_all(12, seconds=120)
    until = time.time() + 40
    stopped = {}
    while time.time() < until:
        time.sleep(random.uniform(0.5, 1.5))
        name = random.choice(sorted(nodes.running))
        for other, at in list(stopped.items()):
            if at < time.time():
                nodes.go_on(other)
                del stopped[other]
        if name in stopped:
            continue
        if random.random() < 0.3:
            nodes.stop(name)
            stopped[name] = time.time() + random.choice((1, 3, 8))
        else:
            nodes.kill(name)
            nodes.start(seconds=120)
    nodes.kill_all()
    h.note(f"{len(nodes.killed)} nodes were killed")
    check_limits(nodes)


if __name__ == "__main__":
    h.main()
