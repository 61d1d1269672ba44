"""bench.py - Oiwake beside Postfix on this machine, between Postfix's own smtp-source and smtp-sink.

Both keep their queue in the same directory, both sync to disk, both send to the same sink without
DNS. They take turns, round by round, so that whatever else the machine does meets both. CPU time is
that of all processes of a product: utime + stime of its master and of every child, those that have
ended included, since each was waited for.
"""

import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import harness as h  # noqa: E402
import oiwake  # noqa: E402
import peers  # noqa: E402
from latency import answer_times  # noqa: E402
from rules import part_rules  # noqa: E402
from signing import part_dkim  # noqa: E402

MESSAGES = int(os.environ.get("BENCH_MESSAGES", "10000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
QUEUE = int(os.environ.get("BENCH_QUEUE", "1000000"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "20"))
SESSIONS = 50
SIZE = 5120
LIMIT = 1200.0
TICKS = os.sysconf("SC_CLK_TCK")


# -- processor time ----------------------------------------------------------------------------

def stat_times(pid):
    """(own and waited-for CPU seconds, parent) of a process."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return sum(int(x) for x in fields[11:15]) / TICKS, int(fields[1])


def tree_cpu(root):
    """CPU seconds of a process, its living descendants and all children they have waited for."""
    times, children = {}, {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                times[int(name)], parent = stat_times(name)
                children.setdefault(parent, []).append(int(name))
            except (FileNotFoundError, ProcessLookupError):
                pass
    total, todo = 0.0, [root]
    while todo:
        pid = todo.pop()
        total += times.get(pid, 0.0)
        todo += children.get(pid, [])
    return total


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


# -- source and sink ---------------------------------------------------------------------------

class Sink:
    """smtp-sink with its running counters in a file, which tells when it has how many messages."""

    number = 0

    def __init__(self, port):
        Sink.number += 1
        self.port = port
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        path = h.work.file(f"sink.{Sink.number}")
        with open(path, "wb") as out:
            self.popen = subprocess.Popen(
                ["smtp-sink", *user, "-c", "-m", "1000", f"127.0.0.1:{port}", "1000"],
                stdin=subprocess.DEVNULL, stdout=out, preexec_fn=h.die_with_parent)
        self.counters = open(path, "rb")
        h.wait_until(self.answers, "smtp-sink listens", 10)

    answers = peers.Postfix.answers

    def messages(self):
        """From lines such as `sess=50 quit=0 mesg=123`, the last whole one."""
        self.counters.seek(max(0, os.fstat(self.counters.fileno()).st_size - 200))
        found = re.findall(rb"mesg=(\d+)\s", self.counters.read())
        return int(found[-1]) if found else 0

    def wait(self, count, limit=1200.0):
        h.wait_until(lambda: self.messages() >= count,
                     lambda: f"{count} messages at the sink, it has {self.messages()}",
                     limit, pause=0.005)
        h.equal(self.messages(), count, "messages at the sink")

    def stop(self):
        self.popen.kill()
        self.popen.wait()
        self.counters.close()


def source(port, count, keep, sessions=SESSIONS, recipients=1, to="someone@sink.test"):
    argv = ["smtp-source", "-s", str(sessions), "-l", str(SIZE), "-m", str(count),
            "-f", "info@news.test", "-t", to, "-M", "source.test"]
    if keep:
        argv.append("-d")
    if recipients > 1:
        argv += ["-r", str(recipients)]
    return subprocess.Popen(argv + [f"127.0.0.1:{port}"], stdin=subprocess.DEVNULL,
                            preexec_fn=h.die_with_parent)


def finish(process, what):
    if process.wait(LIMIT) != 0:
        raise h.Failed(f"{what} ended with status {process.returncode}")


def relay_once(into, sink_port, cpu, keep):
    """MESSAGES through a product; (messages/s until the sink has all, its CPU ms per message,
    messages/s taken in)."""
    sink = Sink(sink_port)
    before = cpu()
    start = time.monotonic()
    finish(source(into, MESSAGES, keep), "smtp-source")
    taken = time.monotonic() - start
    sink.wait(MESSAGES)
    took = time.monotonic() - start
    used = cpu() - before
    sink.stop()
    return MESSAGES / took, used * 1000 / MESSAGES, MESSAGES / taken


def alone_once(sink_port, keep):
    """Source and sink without anything between: (messages/s, their CPU ms per message)."""
    before = children_cpu()
    sink = Sink(sink_port)
    start = time.monotonic()
    finish(source(sink_port, MESSAGES, keep), "smtp-source")
    sink.wait(MESSAGES)
    took = time.monotonic() - start
    sink.stop()
    return MESSAGES / took, (children_cpu() - before) * 1000 / MESSAGES


# -- the products ------------------------------------------------------------------------------

def postfix_start(sink_port):
    return peers.Postfix(h.work.file("postfix"), [
        f"default_transport = smtp:[127.0.0.1]:{sink_port}",
        "default_process_limit = 200",
        "initial_destination_concurrency = 50",
        "default_destination_concurrency_limit = 100",
        "smtpd_client_connection_count_limit = 0",
        "smtpd_client_connection_rate_limit = 0",
        "in_flow_delay = 0",
        "smtp_tls_security_level = none",
        "smtpd_tls_security_level = none",
    ])


def oiwake_start(sink_port, name="oiwake"):
    return oiwake.Oiwake(oiwake.bench_config(name, sink_port))


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


def row(name, rates, taken, cpus):
    rate, cpu = statistics.median(rates), statistics.median(cpus)
    took_in = f"{statistics.median(taken):12.0f}" if taken else f"{'':12}"
    spread = f"{min(rates):.0f}-{max(rates):.0f}"
    print(f"{name:22}{rate:12.0f}{spread:>16}{took_in}{cpu:13.3f}", flush=True)
    return rate, cpu


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
         "dkim": part_dkim}


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
