"""fairness.py - one-time passwords of one sender behind the bulk mail of another.

The sandbox's docomo is paced; most of what is queued for it waits for hours. Every one-time password
is timed by Oiwake's log, from its 250 at the listener to the carrier's 250, first on an empty queue
and then behind the bulk.
"""

import os
import statistics
import time

import harness as h
import oiwake
from wire import finish, source

BULK = int(os.environ.get("BENCH_BULK", "100000"))
PASSWORDS = 100
EVERY = 0.1
RATE = 50
SAME, OTHERS = "docomo.ne.jp", ("ezweb.ne.jp", "softbank.ne.jp", "rakumail.jp", "yahoo.ne.jp")
SHAPES = f"""\
shape group docomo connections 2 messages 100 recipients 100/session recipients 1/message rate {RATE}/s
"""


def part_fairness():
    """One-time passwords behind a hundred thousand bulk recipients."""
    net = oiwake.Sandbox(keep=False)
    ours = oiwake.Oiwake(oiwake.Config(net, name="fairness", shapes=SHAPES))
    print(f"\nfairness  {PASSWORDS} one-time passwords of one sender, one every {EVERY * 1000:.0f} ms, "
          f"half to a carrier paced at {RATE}/s;\n          ms from the listener's 250 to the "
          f"carrier's, which takes one every {1000 / RATE:.0f} ms")
    print(f"{'':34}{'p50':>10}{'p99':>10}{'most':>10}")
    empty = passwords(ours, net, "a")
    table("on an empty queue", empty)
    start = time.monotonic()
    finish(source(ours.port("relay"), BULK // 100, True, sessions=10, recipients=100,
                  to=f"bulk@{SAME}"), "smtp-source")
    took = time.monotonic() - start
    before = ours.queue_size()
    behind = passwords(ours, net, "b")
    table(f"behind {before} bulk recipients", behind)
    print(f"          the bulk was queued in {took:.1f} s; {ours.queue_size()} of it were left at the "
          "end")
    ours.kill9()


def passwords(ours, net, name):
    """Sends them all; {domain: [ms of each]}."""
    start, to = time.monotonic(), []
    with h.smtp(ours.port("relay")) as s:
        for i in range(PASSWORDS):
            to.append(f"{name}-{i}@{OTHERS[i // 2 % len(OTHERS)] if i % 2 else SAME}")
            h.wait_until(lambda i=i: time.monotonic() >= start + i * EVERY, "the time", pause=0.001)
            s.sendmail("otp@bank.test", [to[-1]], h.message(sender="otp@bank.test", to=to[-1]))
    wanted = set(to)
    ours.log.wait(lambda _: wanted <= {e["to"] for e in ours.log.events("delivered")},
                  lambda: f"delivery of all; {ours.tail()}", 120.0)
    net.journal.wait(lambda _: wanted <= {r["to"] for _, r in net.journal.recipients()},
                     "all of them in the sandbox's journal")
    times = {True: [], False: []}
    for e in ours.log.events("delivered"):
        if e["to"] in wanted:
            times[e["to"].endswith(SAME)].append(float(e["delay"]) * 1000)
    h.equal(len(times[True]) + len(times[False]), PASSWORDS, "passwords delivered")
    return times


def table(title, times):
    print(f"  {title}")
    for same, where in ((True, "to the paced carrier"), (False, "to other carriers")):
        cut = statistics.quantiles(times[same], n=100, method="inclusive")
        print(f"    {where:30}{cut[49]:10.0f}{cut[98]:10.0f}{max(times[same]):10.0f}", flush=True)
