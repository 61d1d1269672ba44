"""wire.py - one measurement of mail through a product: source, sink, and the processor time between.

The source and the sink are Postfix's own smtp-source and smtp-sink.
"""

import os
import re
import resource
import statistics
import subprocess
import time

import harness as h
import oiwake
import peers

MESSAGES = int(os.environ.get("BENCH_MESSAGES", "10000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
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

    def __init__(self, port, *more):
        Sink.number += 1
        self.port = port
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        path = h.work.file(f"sink.{Sink.number}")
        with open(path, "wb") as out:
            self.popen = subprocess.Popen(
                ["smtp-sink", *user, *more, "-c", "-m", "1000", f"127.0.0.1:{port}", "1000"],
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

def postfix_start(sink_port, more=(), name="postfix"):
    return peers.Postfix(h.work.file(name), [
        f"default_transport = smtp:[127.0.0.1]:{sink_port}",
        "default_process_limit = 200",
        "initial_destination_concurrency = 50",
        "default_destination_concurrency_limit = 100",
        "smtpd_client_connection_count_limit = 0",
        "smtpd_client_connection_rate_limit = 0",
        "in_flow_delay = 0",
        "smtp_tls_security_level = none",
        "smtpd_tls_security_level = none",
        *more,
    ])


def oiwake_start(sink_port, name="oiwake"):
    return oiwake.Oiwake(oiwake.bench_config(name, sink_port))


def row(name, rates, taken, cpus):
    rate, cpu = statistics.median(rates), statistics.median(cpus)
    took_in = f"{statistics.median(taken):12.0f}" if taken else f"{'':12}"
    spread = f"{min(rates):.0f}-{max(rates):.0f}"
    print(f"{name:22}{rate:12.0f}{spread:>16}{took_in}{cpu:13.3f}", flush=True)
    return rate, cpu
