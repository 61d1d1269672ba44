"""metrics.py - GET /metrics of a daemon with a thousand lanes.

The lanes are of a thousand domains whose host does not answer, so that each has a row of its own in
every family of lanes. Beside the time that the client waits, what the daemon spends on an answer is
shown: by that much, at most, everything else in the core thread is late.
"""

import contextlib
import http.client
import statistics
import time

import harness as h
import oiwake
from wire import tree_cpu

LANES, ROUNDS, LIMIT_MS = 1000, 50, 20
MTA = "\trelay-host = 127.0.0.1\n\tsign = no\n\ttls = none"


def start():
    config = oiwake.Config(None, name="metrics", mta=MTA, smtp_port=h.free_port(), dkim=False,
                           routes="route all to any via mta\n", shapes="shape path mta retry 4h")
    port = h.free_port()
    config.text += f'\nweb "monitor" {{\n\taddress = "127.0.0.1:{port}"\n\tmetrics = yes\n}}\n'
    config.save()
    return oiwake.Oiwake(config), port


def fill(ours):
    with contextlib.closing(h.smtp(ours.port("relay"))) as s:
        for part in range(LANES // 50):
            to = [f"a@d{part}x{i}.test" for i in range(50)]
            s.sendmail("info@news.test", to, h.message(to=to[0]))


def scrape(connection):
    """(seconds, text)"""
    began = time.monotonic()
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    return time.monotonic() - began, text


def lanes(text):
    return sum(l.startswith("oiwake_lane_rate_ratio{") for l in text.splitlines())


def part_metrics():
    """GET /metrics at a thousand lanes."""
    ours, port = start()
    fill(ours)
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as c:
        h.wait_until(lambda: lanes(scrape(c)[1]) == LANES, f"{LANES} lanes in /metrics")
        before = tree_cpu(ours.process.pid)
        answers = [scrape(c) for _ in range(ROUNDS)]
        cpu = (tree_cpu(ours.process.pid) - before) / ROUNDS * 1000
    times = [a[0] * 1000 for a in answers]
    print(f"\nmetrics   {lanes(answers[-1][1])} lanes, {len(answers[-1][1]) / 1024:.0f} KB: "
          f"median {statistics.median(times):.1f} ms, most {max(times):.1f} ms, "
          f"CPU {cpu:.1f} ms each")
    h.check(cpu < LIMIT_MS, f"a scrape costs {LIMIT_MS} ms of CPU or more")
    ours.stop()
