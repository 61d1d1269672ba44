"""lanes.py - ten thousand lanes with one message each beside ten lanes with as many in all.

Every destination is a domain with an MX of its own in the sandbox's DNS; every message goes out in a
session of its own, so that the number of lanes is the only difference. One more destination takes
connections and never says a word. The path is paused while the mail comes in, so that what waiting
costs and what delivering costs are seen apart. The first batch looks every domain up; for the second
one they are known.
"""

import os
import socket
import threading
import time

import harness as h
import oiwake
from wire import tree_cpu

LANES = int(os.environ.get("BENCH_LANES", "10000"))
FEW = 10
CLIENTS = 8
STUCK, STUCK_AT, STUCK_MAIL = "stuck.test", "127.0.10.90", 50
REST, SECONDS = 3.0, 60.0  # of waiting; for the delivery of a batch, then it is given up
ROUTES = "route all to any via mta\n"
SHAPES = "shape path mta connections 5 messages 1 recipients 1/message rate 100000/s retry 1h expiry 5d\n"
MTA = "\tsign = no\n\ttls = none\n\tmax-connections = 50"


class Wordless:
    """A host that takes connections and says nothing: the kernel answers for it."""

    def __init__(self, port):
        self.sock = socket.socket()
        self.sock.bind((STUCK_AT, port))
        self.sock.listen(1024)
        h.work.cleanups.append(self.sock.close)


def send(port, addresses):
    """A message to each, from one session."""
    with h.Raw(port) as s:
        s.reply()
        s.command("EHLO lanes.test", 250)
        for to in addresses:
            s.send(f"MAIL FROM:<info@news.test>\r\nRCPT TO:<{to}>\r\nDATA\r\n")
            codes = [s.reply()[0] for _ in range(3)]
            h.equal(codes, [250, 250, 354], f"replies for {to}")
            s.send(h.message(to=to) + b".\r\n")
            h.equal(s.reply()[0], 250, f"the reply to the message to {to}")


def send_all(port, addresses):
    threads = [threading.Thread(target=send, args=(port, addresses[i::CLIENTS]), daemon=True)
               for i in range(CLIENTS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


class Case:
    """A daemon of its own, with its sandbox, and what was measured."""

    def __init__(self, lanes):
        domains = [f"d{i}.lanes.test" for i in range(lanes)]
        self.to = [f"someone{i}@{domains[i % lanes]}" for i in range(LANES)]
        self.net = oiwake.Sandbox(
            zone=[f"{d} MX 10 mx.example.com" for d in domains]
            + [f"{STUCK} MX 10 mx.{STUCK}", f"mx.{STUCK} A {STUCK_AT}"], ttl=3600, keep=False)
        Wordless(self.net.said["smtp_port"])
        self.ours = oiwake.Oiwake(oiwake.Config(
            self.net, name=f"lanes.{lanes}", routes=ROUTES, shapes=SHAPES, mta=MTA, dkim=False,
            queue="\tmemory = 100000", limits="\tmax-connections-per-client = 1000"))
        send(self.ours.port("relay"), [f"{i}@{STUCK}" for i in range(STUCK_MAIL)])
        self.batches = [self.batch()]
        if self.batches[0]["came"] == LANES:
            self.batches.append(self.batch())
        self.ours.kill9()
        self.net.process.kill9()

    def batch(self):
        ours, figures = self.ours, {}
        ours.cli("pause", "path", "mta")
        memory, cpu = ours.process.status("VmRSS"), tree_cpu(ours.process.pid)
        send_all(ours.port("relay"), self.to)
        figures["taken in"] = (tree_cpu(ours.process.pid) - cpu) * 1000 / LANES
        figures["memory"] = (ours.process.status("VmRSS") - memory) / LANES
        figures["rest"] = at_rest(ours)
        had, cpu, start = self.arrived(), tree_cpu(ours.process.pid), time.monotonic()
        ours.cli("resume", "path", "mta")
        h.wait_until(lambda: self.arrived() - had >= LANES or time.monotonic() - start > SECONDS,
                     "delivery", 2 * SECONDS, pause=0.05)
        came = figures["came"] = self.arrived() - had
        figures["rate"] = came / (time.monotonic() - start)
        figures["delivered"] = (tree_cpu(ours.process.pid) - cpu) * 1000 / max(came, 1)
        return figures

    def arrived(self):
        return self.net.control("get ordinary")["messages"]


def at_rest(ours):
    """CPU ms of a second in which nothing happens."""
    cpu, start = tree_cpu(ours.process.pid), time.monotonic()
    h.wait_until(lambda: time.monotonic() - start >= REST, "the time", pause=0.1)
    return (tree_cpu(ours.process.pid) - cpu) * 1000 / (time.monotonic() - start)


ROWS = (
    ("resident, KB for each message", "memory", ".2f"),
    ("CPU ms each, taken in", "taken in", ".3f"),
    ("CPU ms a second, all waiting", "rest", ".1f"),
    ("CPU ms each, delivered", "delivered", ".3f"),
    ("delivered/s", "rate", ".0f"),
    (f"delivered within {SECONDS:.0f} s", "came", ".0f"),
)


def part_lanes():
    """Ten thousand lanes, one of them stuck."""
    few, many = Case(FEW), Case(LANES)
    print(f"\nlanes     {LANES} messages in {FEW} and in {LANES} lanes, beside one that is stuck; a "
          "session for each")
    for number, title in enumerate(("domains are new", "domains are known")):
        if number >= min(len(few.batches), len(many.batches)):
            break
        print(f"  {title:32}{f'{FEW} lanes':>12}{f'{LANES} lanes':>14}{'ratio':>10}")
        for text, key, form in ROWS:
            a, b = few.batches[number][key], many.batches[number][key]
            ratio = f"{b / a:.2f}" if a > 0 else "-"
            print(f"    {text:30}{a:12{form}}{b:14{form}}{ratio:>10}")
    extra = (many.batches[0]["memory"] - few.batches[0]["memory"]) * 1024 * LANES / (LANES - FEW)
    print(f"  a lane takes {extra:.0f} bytes, beside its message")
