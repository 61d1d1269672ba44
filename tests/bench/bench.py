"""bench.py - Oiwake beside Postfix on this machine, between Postfix's own smtp-source and smtp-sink.

Both keep their queue in the same directory, both sync to disk, both send to the same sink without
DNS. They take turns, round by round, so that whatever else the machine does meets both. CPU time is
that of all processes of a product: utime + stime of its master and of every child, those that have
ended included, since each was waited for.
"""

import os
import platform
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import harness as h  # noqa: E402
from churn import part_churn  # noqa: E402
from fairness import part_fairness  # noqa: E402
from feedback import part_feedback  # noqa: E402
from lanes import part_lanes  # noqa: E402
from latency import answer_times  # noqa: E402
from metrics import part_metrics  # noqa: E402
from nodes import part_nodes  # noqa: E402
from reports import part_reports  # noqa: E402
from rules import part_rules  # noqa: E402
from ses import part_ses  # noqa: E402
from signed import part_signed  # noqa: E402
from signing import part_dkim  # noqa: E402
from stats import part_stats  # noqa: E402
from wire import (  # noqa: E402
    MESSAGES, ROUNDS, SESSIONS, SIZE, Sink, alone_once, finish, oiwake_start, postfix_start,
    relay_once, row, source, tree_cpu)

QUEUE = int(os.environ.get("BENCH_QUEUE", "1000000"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "20"))


# -- the parts ---------------------------------------------------------------------------------

def machine():
    with open("/proc/cpuinfo") as f:
        cpu = next((l.split(":")[1].strip() for l in f if l.startswith("model name")), "?")
    mem = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    at = h.run(["df", "--output=fstype,source", h.BUILD]).stdout.split()[-2:]
    version = h.run(["git", "-C", h.ROOT, "describe", "--always", "--dirty"], status=None)
    print(f"machine   {os.cpu_count()} x {cpu}, {mem:.0f} GiB, Linux {platform.release()}")
    print(f"disk      {' on '.join(at)}, a 4 KiB write and its fsync take "
          f"{sync_time() * 1000:.2f} ms (median of 200)")
    print(f"oiwake    {version.stdout.strip() or 'no git'}")
    postfix = h.run(["postconf", "-dh", "mail_version"], status=None).stdout.strip()
    print(f"postfix   {postfix}, from Debian's package")


def sync_time():
    path = h.work.file("sync")
    times = []
    with open(path, "wb") as f:
        for _ in range(200):
            start = time.monotonic()
            f.write(b"x" * 4096)
            f.flush()
            os.fsync(f.fileno())
            times.append(time.monotonic() - start)
    os.unlink(path)
    return statistics.median(times)


def part_relay():
    """Against Postfix, from smtp-source to smtp-sink."""
    sink_port = h.free_port()
    postfix = postfix_start(sink_port)
    ours = oiwake_start(sink_port)
    products = [
        ("postfix", postfix.port, lambda: tree_cpu(postfix.master())),
        ("oiwake", ours.port("relay"), lambda: tree_cpu(ours.process.pid)),
    ]
    print(f"\nrelay     {MESSAGES} messages of 5 KB, {SESSIONS} sessions, {ROUNDS} rounds in turn, "
          "fsync on; medians")
    print(f"{'':22}{'messages/s':>12}{'range':>16}{'taken in/s':>12}{'CPU ms each':>13}")
    for mode, keep in (("session per message", False), ("sessions kept open", True)):
        figures = {name: [] for name, _, _ in products}
        alone = []
        for _ in range(ROUNDS):
            alone.append(alone_once(sink_port, keep))
            for name, port, cpu in products:
                figures[name].append(relay_once(port, sink_port, cpu, keep))
        print(mode)
        row("  source and sink", [a[0] for a in alone], None, [a[1] for a in alone])
        middle = {}
        for name, rounds in figures.items():
            middle[name] = row("  " + name, *zip(*[(r[0], r[2], r[1]) for r in rounds]))
        rate = middle["oiwake"][0] / middle["postfix"][0]
        cpu = middle["postfix"][1] / max(middle["oiwake"][1], 1e-9)
        print(f"  {'oiwake against postfix':20}{rate:11.1f}x{'':28}{'1/%.1f' % cpu:>13}")
    print(f"  oiwake's resident memory: {ours.process.status('VmRSS') / 1024:.0f} MB now, "
          f"{ours.process.status('VmHWM') / 1024:.0f} MB at most")
    postfix.stop()
    ours.stop()


def part_answer():
    """Time from end of data to its 250 at 500 messages a second."""
    sink_port = h.free_port()
    ours = oiwake_start(sink_port)
    sink = Sink(sink_port)
    times, late = answer_times(ours.port("relay"), 500, SECONDS, SIZE, SESSIONS)
    print(f"\nanswer    {len(times)} messages at 500/s over {SESSIONS} open sessions, from the final "
          f"dot to 250")
    cut = statistics.quantiles(times, n=1000)
    print(f"          median {cut[499] * 1000:.1f} ms, p90 {cut[899] * 1000:.1f} ms, "
          f"p99 {cut[989] * 1000:.1f} ms, p99.9 {cut[998] * 1000:.1f} ms, "
          f"most {max(times) * 1000:.1f} ms; {late} were sent late by the generator")
    ours.stop()
    sink.stop()


def part_queue():
    """A queue of a million recipients: memory, start and intake."""
    sink_port = h.free_port()
    ours = oiwake_start(sink_port, name="queue")
    print(f"\nqueue     {QUEUE} recipients for a host that does not answer")
    empty = intake_rate(ours)
    start = time.monotonic()
    finish(source(ours.port("relay"), QUEUE // 100, True, recipients=100, to="held@held.test"),
           "smtp-source")
    took = time.monotonic() - start
    print(f"          filled at {QUEUE / took:.0f} recipients/s, 100 per message; "
          f"oiwake says {ours.queue_size()} are queued")
    memory("while they wait", ours)
    full = intake_rate(ours)
    print(f"          intake {full:.0f} messages/s beside them, {empty:.0f} on an empty queue: "
          f"{full / empty:.2f}")
    finish(source(ours.port("relay"), 100, True, to="first@sink.test"), "smtp-source")
    ours.stop()
    sink = Sink(sink_port)
    start = time.monotonic()
    ours.start()
    ready = time.monotonic() - start
    h.wait_until(sink.messages, "a delivery after the start", 120.0, pause=0.005)
    first = time.monotonic() - start
    print(f"          started again: ready after {ready:.2f} s, first delivery after {first:.2f} s")
    memory("after the start", ours)
    ours.stop()
    sink.stop()


def intake_rate(ours):
    """Messages a second taken in, while their delivery is no concern (nobody answers)."""
    count = min(MESSAGES, 10000)
    start = time.monotonic()
    finish(source(ours.port("relay"), count, True, to="held@held.test"), "smtp-source")
    return count / (time.monotonic() - start)


def memory(when, ours):
    print(f"          resident {when}: {ours.process.status('VmRSS') / 1024:.0f} MB, "
          f"at most {ours.process.status('VmHWM') / 1024:.0f} MB")


PARTS = {"relay": part_relay, "answer": part_answer, "queue": part_queue, "rules": part_rules,
         "dkim": part_dkim, "signed": part_signed, "fairness": part_fairness, "lanes": part_lanes,
         "ses": part_ses, "feedback": part_feedback, "reports": part_reports,
         "metrics": part_metrics, "stats": part_stats, "nodes": part_nodes,
         "churn": part_churn}


def main():
    wanted = sys.argv[1:] or list(PARTS)
    for name in wanted:
        if name not in PARTS:
            sys.exit(f"no part '{name}'; there are {', '.join(PARTS)}")
    failed = False
    h.work_start("test_bench")
    machine()
    for name in wanted:
        try:
            PARTS[name]()
        except (h.Failed, h.Skip, subprocess.TimeoutExpired) as why:
            failed = True
            print(f"{name}: {why}")
    h.work_end(keep=failed)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
