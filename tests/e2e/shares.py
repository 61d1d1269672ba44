"""shares.py - what many nodes send under common limits: the nodes of tests/bench/bench_shares.c, and what their journal
says.

    fifty = Nodes(url, [Budget("r", limit=100, period=1.0)])
    n = fifty.start(seconds=60)         # one more
    fifty.kill(n)                       # -9
    fifty.wait()
    worst(fifty.events("r"), 1.0)       # the most in any sliding window
"""

import contextlib
import dataclasses
import os
import signal
import subprocess
import time

import harness as h

PROGRAM = os.path.join(h.BUILD, "bin", "bench_shares")


@dataclasses.dataclass
class Budget:
    name: str
    limit: int
    period: float           # seconds; 0: so many open at once
    per_second: int = 0     # that each node wants; 0: always more
    length: float = 0.03    # seconds that one is on its way at most

    def text(self):
        return f"{self.name}:{self.limit}:{round(self.period * 1000)}:{self.per_second}:{round(self.length * 1000)}"


@dataclasses.dataclass
class Event:
    at: float
    node: str
    change: int


class Nodes:
    def __init__(self, url, budgets):
        self.url = url
        self.budgets = budgets
        self.journal = h.work.file("journal")
        self.running = {}
        self.killed = {}    # node: time.time() of its end
        self.stops = []     # (node, time.time())
        self.number = 0
        h.work.cleanups.append(self.kill_all)

    def start(self, seconds):
        self.number += 1
        name = f"n{self.number}"
        self.running[name] = subprocess.Popen(
            [PROGRAM, self.url, name, str(seconds), self.journal] + [b.text() for b in self.budgets],
            stderr=open(h.work.file(f"{name}.err"), "w", encoding="utf-8"))
        return name

    def start_all(self, n, seconds):
        """One after the other, for to join takes a lock."""
        for _ in range(n):
            name = self.start(seconds)
            h.wait_until(lambda: self.has_begun(name), f"{name} has begun", 60, pause=0.05)

    def has_begun(self, name):
        h.check(self.running[name].poll() is None, f"{name} has ended")
        return f" {name} ".encode() in self.tail()

    def tail(self):
        with contextlib.suppress(FileNotFoundError), open(self.journal, "rb") as f:
            f.seek(max(0, f.seek(0, os.SEEK_END) - 100000))
            return f.read()
        return b""

    def stop(self, name):
        if not self.is_fenced(name):
            self.stops.append((name, time.time()))
        self.running[name].send_signal(signal.SIGSTOP)

    def go_on(self, name):
        self.running[name].send_signal(signal.SIGCONT)

    def given_up(self):
        """node: time.time() when it was stopped, of those that were told afterwards that they had been given up."""
        return {name: at for name, at in self.stops if self.is_fenced(name)}

    def is_fenced(self, name):
        with open(h.work.file(f"{name}.err"), encoding="utf-8") as f:
            return "node-fenced" in f.read()

    def kill(self, name):
        p = self.running.pop(name)
        p.kill()
        p.wait()
        self.killed[name] = time.time()

    def kill_all(self):
        for name in list(self.running):
            self.kill(name)

    def wait(self):
        """They end by themselves, and well."""
        for name, p in self.running.items():
            h.equal(p.wait(timeout=120), 0, name)
        self.running = {}

    def events(self, budget):
        with open(self.journal, encoding="ascii") as f:
            rows = [line.split() for line in f]
        return [Event(int(at) / 1e6, node, int(change)) for at, node, name, change in rows if name == budget]


def worst(events, period):
    """The most in any window of that length."""
    times = sorted(e.at for e in events)
    first = most = 0
    for i, at in enumerate(times):
        while at - times[first] >= period:
            first += 1
        most = max(most, i - first + 1)
    return most


def most_open(events, killed, given_up):
    """The most at once; what a node that was killed had open ended with it. So it does when a node is stopped until it
    has been given up: while it does not run, only a peer can end what it has open."""
    ends = killed | given_up
    events = [e for e in events if e.at <= ends.get(e.node, e.at)]
    rows = [(e.at, e.change) for e in events]
    for node, at in ends.items():
        rows.append((at, -sum(e.change for e in events if e.node == node)))
    now = most = 0
    for _, change in sorted(rows):
        now += change
        most = max(most, now)
    return most


def used(events, since, until, limit, period):
    """Of what might have been, 0 to 1."""
    n = sum(1 for e in events if since <= e.at < until)
    return n / (limit * (until - since) / period)
