"""stats.py - how long counters of 90 days, 50 carriers and 20 senders take to be added up.

A store is filled with a row per day, carrier and sender (bench_stats.c), and a daemon is asked over
its Unix socket: how long a client waits for the whole answer, and the CPU time that the daemon spends on
it, which is what other work on the machine leaves alone. Beside it: the command, which reads the
answer and prints a table.
"""

import http.client
import json
import os
import socket
import statistics
import time

import harness as h
import oiwake
from wire import tree_cpu

ROUNDS, LIMIT_MS = 15, 200
BENCH_STATS = os.path.join(h.BUILD, "bin", "bench_stats")
QUESTIONS = (
    ("stats by path,carrier,sender", "/v1/stats?by=path,carrier,sender&window=90d", LIMIT_MS),
    ("stats by path", "/v1/stats?by=path&window=90d", LIMIT_MS),
    ("stats of one carrier by sender", "/v1/stats?by=sender&window=90d&carrier=carrier7", LIMIT_MS),
    ("reasons by path,carrier", "/v1/reasons?by=path,carrier&window=90d", None),
    ("series by path,carrier, by the day", "/v1/series?by=path,carrier&window=90d", None),
    ("compare", "/v1/compare?window=90d", None),
)


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("oiwake")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def ask(path, url):
    """(seconds, the answer's text)"""
    connection = Unix(path)
    began = time.monotonic()
    connection.request("GET", url)
    text = connection.getresponse().read()
    took = time.monotonic() - began
    connection.close()
    return took, text


def part_stats():
    """Counters of 90 days."""
    config = oiwake.Config(None, name="stats", dkim=False, routes="route all to any via mta\n")
    filled = int(h.run([BENCH_STATS, config.state], limit=120).stdout)
    size = os.path.getsize(os.path.join(config.state, "oiwake.db")) / 2**20
    ours = oiwake.Oiwake(config)
    print(f"\nstats     {filled} rows by the day, 90 days x 50 carriers x 20 senders, {size:.0f} MB")
    for name, url, limit in QUESTIONS:
        before = tree_cpu(ours.process.pid)
        answers = [ask(config.socket, url) for _ in range(ROUNDS)]
        cpu = (tree_cpu(ours.process.pid) - before) / ROUNDS * 1000
        times = [took * 1000 for took, _ in answers]
        rows = len(json.loads(answers[-1][1])["rows"])
        print(f"          {name}: median {statistics.median(times):.0f} ms, most {max(times):.0f} ms, "
              f"CPU {cpu:.0f} ms, {rows} rows, {len(answers[-1][1]) / 1024:.0f} KB")
        h.check(rows > 0, f"no rows of {url}")
        h.check(limit is None or cpu < limit, f"{name} takes {limit} ms of CPU or more")
    times = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        ours.cli("stats --by path,carrier,sender --window 90d")
        times.append((time.monotonic() - began) * 1000)
    print(f"          `oiwake stats --by path,carrier,sender --window 90d`: median "
          f"{statistics.median(times):.0f} ms, most {max(times):.0f} ms")
    ours.stop()
