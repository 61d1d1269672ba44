"""Nothing acknowledged is lost: stopped and started, and killed two hundred times.

CRASHES sets how often (200). time limit: 900 s
"""

import collections
import os
import random
import threading

import harness as h
from load import Load
from oiwake import Config, Oiwake, Sandbox

CRASHES = int(os.environ.get("CRASHES", "200"))
TEMPLATES = ("user{}@ordinary.test", "user{}@docomo.ne.jp", "user{}@ezweb.ne.jp",
             "user{}@softbank.ne.jp", "user{}@example.com", "unknown-{}@ordinary.test",
             "filtered-{}@docomo.ne.jp", "greylist1-{}@ordinary.test", "closedot1-{}@second.test",
             "tempdot1-{}@second.test")
# As the store numbers them (enum event_type).
BOUNCE, EXPIRED, UNREAD = 3, 5, 8


def events(ours, kind):
    """How often each recipient had an event of this kind, from the store of a stopped oiwake."""
    return {to: int(n) for to, n in ours.config.sql(
        f"SELECT recipient, count(*) FROM event WHERE type = {kind} GROUP BY 1")}


def settle_up(ours, net, load):
    """After a last stop: every promise kept, every duplicate explained. Returns the duplicates."""
    taken = collections.Counter(r["to"] for _, r in net.journal.recipients()
                                if r["to"] != "info@news.test")
    bounced, unread = events(ours, BOUNCE), events(ours, UNREAD)
    lost = load.acknowledged - set(taken) - set(bounced) - set(events(ours, EXPIRED))
    h.equal(sorted(lost)[:10], [], f"{len(lost)} of {len(load.acknowledged)} acknowledged and lost")
    stray = set(taken) - load.acknowledged - load.doubtful
    h.equal(sorted(stray)[:10], [], "in the journal, yet refused to the client")
    twice = {to: n for to, n in taken.items() if n > 1}
    unexplained = {to: n for to, n in twice.items() if n - 1 > unread.get(to, 0)}
    h.equal(dict(list(unexplained.items())[:10]), {},
            f"{len(unexplained)} duplicates not in the state unread, {len(twice)} in all")
    both = [to for to in taken if to in bounced]
    h.equal(both[:10], [], "delivered and bounced")
    return twice, unread


def test_graceful_stop_and_start():
    """SIGTERM under load and start again: nothing lost, nothing twice"""
    net = Sandbox()
    ours = Oiwake(Config(net))
    load = Load(ours.port("relay"), TEMPLATES[:7])
    for n in range(6):
        h.wait_until(lambda: len(load.acknowledged) > 100 * (n + 1), "acknowledged mail")
        ours.stop()
        ours.start()
    load.finish()
    ours.wait_empty(4 * h.PATIENCE)
    counted = ours.total("unread")
    ours.stop()
    twice, _ = settle_up(ours, net, load)
    h.equal(twice, {}, "duplicates")
    h.equal(counted, 0, "unread counted")
    h.note(f"6 stops: {len(load.acknowledged)} recipients acknowledged, all accounted for")


def test_kill_9():
    """Killed at random moments under load: all accounted for, duplicates only where unread"""
    net = Sandbox(keep=False)
    ours = Oiwake(Config(net))
    load = Load(ours.port("relay"), TEMPLATES, threads=3)
    dice = random.Random(20261122)
    moment = threading.Event()
    found = collections.Counter()
    for n in range(CRASHES):
        if n % 10 == 9:  # into the start itself
            moment.wait(dice.uniform(0, 0.1))
        else:
            moment.wait(dice.uniform(0.02, 0.4))
        ours.kill9()
        if n % 10 == 8:
            ours.launch()
        else:
            ours.start()
    load.finish()
    if not ours.process.running():
        ours.start()
    ours.wait_empty(12 * h.PATIENCE)
    rows = ours.stats("path")
    ours.stop()
    for e in ours.log.events("store"):
        for key in ("returned", "unread", "orphans"):
            found[key] += int(e.get(key, 0))
    twice, unread = settle_up(ours, net, load)
    taken = {r["to"] for _, r in net.journal.recipients() if r["to"] != "info@news.test"}
    notices = len([m for m in net.journal.messages() if m["from"] == "" and m["accepted"]])
    h.check(sum(r["sent"] for r in rows) >= len(taken), "fewer counted as sent than arrived")
    h.equal(sum(r["unread"] for r in rows), sum(unread.values()), "unread counted and in the events")
    h.equal(sum(r["accepted"] for r in rows), sum(r[k] for r in rows for k in (
        "sent", "bounced", "filtered", "expired", "suppressed", "removed", "queued")), "balance")
    h.note(f"{CRASHES} kills: {len(load.acknowledged)} recipients acknowledged, {len(taken)} in the "
           f"journal, the others bounced, {notices} notices; {len(twice)} went twice, all of "
           f"them among the {len(unread)} that were unread; after starts: {dict(found)}")


if __name__ == "__main__":
    h.main()
