"""signed.py - mail signed with RSA-2048 on its way, beside Postfix with opendkim as its milter.

The relay bench with one more step on both sides: same source, same sink, same key, relaxed/relaxed.
A message of each is verified before anything is timed. Postfix's CPU time is that of its whole
tree and of opendkim.
"""

import os

import harness as h
import oiwake
import peers
import signature
from wire import (MESSAGES, ROUNDS, SESSIONS, Sink, alone_once, finish, postfix_start, relay_once,
                  row, source, tree_cpu)

OPENDKIM = "/usr/sbin/opendkim"
OPENDKIM_CONF = """\
Background no
Mode s
Socket inet:{port}@127.0.0.1
Domain {domain}
Selector {selector}
KeyFile {key}
RequireSafeKeys no
Canonicalization relaxed/relaxed
InternalHosts 127.0.0.1
Syslog no
"""
TIMES, PART = 3.0, 3.0  # the targets: at least so many times the rate, one part in so many of the CPU


def opendkim_start(key):
    """(process, port)."""
    h.need(os.access(OPENDKIM, os.X_OK), "opendkim is not installed")
    port = h.free_port()
    conf = h.work.write("opendkim.conf", OPENDKIM_CONF.format(
        port=port, key=key, domain=oiwake.DKIM_DOMAIN, selector=oiwake.SELECTOR))
    process = h.Process("opendkim", [OPENDKIM, "-f", "-x", conf])
    process.killed = True
    h.wait_until(lambda: listens(port) or not process.running(), "opendkim listens")
    h.check(process.running(), lambda: "opendkim: " + process.stderr())
    return process, port


def listens(port):
    with open("/proc/net/tcp") as f:
        return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
                   for line in list(f)[1:])


def signature_checked(name, into, sink_port, record):
    """Sends one message through; what arrives has one signature, which verifies."""
    folder = peers.open_to_all(h.work.file("arrived." + name))
    os.chmod(folder, 0o777)
    sink = Sink(sink_port, "-d", os.path.join(folder, "m."))
    finish(source(into, 1, False), "smtp-source")
    sink.wait(1, h.PATIENCE)
    sink.stop()
    with open(os.path.join(folder, os.listdir(folder)[0]), "rb") as f:
        data = f.read().replace(b"\n", b"\r\n")
    verifier = signature.import_dkimpy().DKIM(data)
    h.equal(len(signature.split(data)[0]), 1, f"signatures of {name}")
    h.check(verifier.verify(dnsfunc=lambda *_, **__: record), f"{name}'s signature is no good")


def part_signed():
    """RSA-2048 signatures on the way, against Postfix and opendkim."""
    sink_port = h.free_port()
    ours = oiwake.Oiwake(oiwake.bench_config("signed", sink_port, dkim=True))
    top = ours.config.top
    opendkim, milter = opendkim_start(oiwake.dkim_key(top))
    postfix = postfix_start(sink_port, [f"smtpd_milters = inet:127.0.0.1:{milter}",
                                        "milter_default_action = tempfail"])
    products = [
        ("postfix + opendkim", postfix.port,
         lambda: tree_cpu(postfix.master()) + tree_cpu(opendkim.pid)),
        ("oiwake", ours.port("relay"), lambda: tree_cpu(ours.process.pid)),
    ]
    record = oiwake.dkim_record(top).split('"')[1].encode()
    for name, port, _ in products:
        signature_checked(name.split()[0], port, sink_port, record)
    print(f"\nsigned    {MESSAGES} messages of 5 KB, RSA-2048, relaxed/relaxed, {SESSIONS} sessions "
          f"kept open, {ROUNDS} rounds in turn, fsync on; medians")
    print(f"{'':22}{'messages/s':>12}{'range':>16}{'taken in/s':>12}{'CPU ms each':>13}")
    figures, alone, daemon = {name: [] for name, _, _ in products}, [], tree_cpu(opendkim.pid)
    for _ in range(ROUNDS):
        alone.append(alone_once(sink_port, True))
        for name, port, cpu in products:
            figures[name].append(relay_once(port, sink_port, cpu, True))
    daemon = (tree_cpu(opendkim.pid) - daemon) * 1000 / MESSAGES / ROUNDS
    row("  source and sink", [a[0] for a in alone], None, [a[1] for a in alone])
    (rate, cost), (our_rate, our_cost) = (
        row("  " + name, *zip(*[(r[0], r[2], r[1]) for r in rounds]))
        for name, rounds in figures.items())
    print(f"  {'oiwake against them':20}{our_rate / rate:11.1f}x{'':28}"
          f"{'1/%.1f' % (cost / our_cost):>13}")
    print(f"  targets: {TIMES:.0f}x, {said(our_rate / rate >= TIMES)}; 1/{PART:.0f}, "
          f"{said(cost / our_cost >= PART)}; opendkim alone took {daemon:.3f} of their CPU ms")
    postfix.stop()
    ours.stop()


def said(met):
    return "met" if met else "MISSED"
