"""Everything changes under load: hosts, rules, settings, the daemon itself. Nothing is lost.

CHAOS_SEED repeats a run's dice, CHAOS_SECONDS sets how long each test stirs. time limit: 240 s
"""

import collections
import contextlib
import os
import random
import signal
import socket
import threading
import time

import harness as h
from load import Load
from oiwake import ROUTES, Config, Oiwake, Sandbox
from test_restart import BOUNCE, EXPIRED, UNREAD, events

SEED = int(os.environ.get("CHAOS_SEED") or random.randrange(1 << 32))
SECONDS = float(os.environ.get("CHAOS_SECONDS", "6"))
REMOVED = 7  # as the store numbers its events
TEMPLATES = ("user{}@ordinary.test", "user{}@docomo.ne.jp", "user{}@ezweb.ne.jp",
             "user{}@softbank.ne.jp", "user{}@example.com", "user{}@example.net",
             "unknown-{}@ordinary.test", "tempdot1-{}@ordinary.test", "slow20-{}@docomo.ne.jp")
LEAVING = "leaving{}@second.test"  # an operator deletes these

HOSTS = ("docomo", "ezweb", "softbank", "ordinary")
# What ends by itself; nothing of it is a recipient's bounce.
MOODS = ("normal", "normal", "reset", "close", "refuse421", "refuse554", "blackhole", "closedot",
         "rstdot", "tempdot", "tempmail", "busy", "down")
SES_MOODS = ("normal", "normal", "throttle", "quota", "badauth", "authtemp", "temporary", "paused",
             "closedot", "rstdot", "blackhole", "down")

ALL_BY_MTA = """\
route keitai to carrier * via mta pool keitai
route default to any via mta
"""
CARRIERS_BY_SES = """\
route odd to any and local-part irregular via mta
route own to domain ordinary.test second.test news.test via mta
route default to any via ses
"""
BY_ANOTHER = """\
route keitai to carrier docomo via other
route rest to carrier * via mta pool keitai
route own to domain ordinary.test second.test news.test via other
route default to any via ses
"""


def descriptors(ours):
    return len(os.listdir(f"/proc/{ours.process.pid}/fd"))


def stir(dice, step, low=0.05, high=0.4):
    """Calls step until the time is over."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        step()
        time.sleep(dice.uniform(low, high))


def change_mood(net, dice):
    where = dice.choice((*HOSTS, "ses", "dns"))
    moods = {"ses": SES_MOODS, "dns": ("normal", "normal", "dead", "servfail")}.get(where, MOODS)
    net.control(f"set {where} mood {dice.choice(moods)}")
    if dice.random() < 0.1:
        net.control("cut " + dice.choice(("all", *HOSTS)))


def calm(net):
    net.control("set all mood normal")
    net.control("set ses mood normal")
    net.control("set dns mood normal")
    net.control("cut all")


def drain(ours):
    """Until the queue is empty, helped as an operator would."""
    def emptied():
        ours.cli("queue retry", "--all", status=None)
        return ours.queue_size() == 0
    h.wait_until(emptied, lambda: f"an empty queue, {ours.queue_size()} are left", 2 * h.PATIENCE,
                 pause=0.5)


def settle_up(ours, net, load):
    """With oiwake stopped: every promise kept, every duplicate explained. Returns the duplicates."""
    taken = collections.Counter(r["to"] for _, r in net.journal.recipients()
                                if r["to"] != "info@news.test")
    ends = {k: events(ours, k) for k in (BOUNCE, EXPIRED, REMOVED)}
    unread = events(ours, UNREAD)
    lost = load.acknowledged - set(taken).union(*ends.values())
    h.equal(sorted(lost)[:10], [], f"{len(lost)} of {len(load.acknowledged)} acknowledged and lost")
    stray = set(taken) - load.acknowledged - load.doubtful
    h.equal(sorted(stray)[:10], [], "in the journal, yet refused to the client")
    twice = {to: n for to, n in taken.items() if n > 1}
    silent = {to: n for to, n in twice.items() if n - 1 > unread.get(to, 0)}
    h.equal(dict(list(silent.items())[:10]), {},
            f"{len(silent)} duplicates not in the state unread, {len(twice)} in all")
    both = [to for to in taken if to not in unread and any(to in e for e in ends.values())]
    h.equal(both[:10], [], "delivered and ended otherwise")
    return twice


def balance(ours):
    rows = ours.stats("path")
    h.equal(sum(r["accepted"] for r in rows), sum(r[k] for r in rows for k in (
        "sent", "bounced", "filtered", "expired", "suppressed", "removed", "queued")), "balance")
    h.equal([r for r in rows if any(v < 0 for v in r.values() if isinstance(v, int))], [],
            "rows below nothing")
    return rows


class Operators:
    """Threads that ask and change the queue without pause, and one that talks rubbish."""

    def __init__(self, ours, seed):
        self.ours, self.over, self.wrong = ours, threading.Event(), []
        self.done = collections.Counter()
        self.threads = [threading.Thread(target=self.guard, args=(f, random.Random(seed)), daemon=True)
                        for f in (self.look, self.change, self.babble)]
        for t in self.threads:
            t.start()

    def guard(self, work, dice):
        try:
            while not self.over.is_set():
                work(dice)
                self.done[work.__name__] += 1
        except Exception as e:  # told by finish, in the test's own thread
            self.wrong.append(f"{work.__name__}: {e!r}")

    def look(self, dice):
        rows = self.ours.json("queue list", "--limit", str(dice.choice((1, 20, 1000))))
        self.ours.stats(*dice.sample(("path", "carrier", "sender", "source", "rule"), 2))
        if rows:
            # It may have gone meanwhile: 1 is an answer as well.
            done = self.ours.cli("queue show", dice.choice(rows)["id"], status=None)
            h.check(done.returncode in (0, 1), f"queue show: {done.returncode}: {done.stderr}")

    def change(self, dice):
        what = dice.choice((("delete", "--domain", "second.test"), ("retry", "--all"),
                            ("retry", "--path", "ses"), ("retry", "--carrier", "docomo")))
        done = self.ours.cli("queue " + what[0], *what[1:], status=None)
        h.check(done.returncode in (0, 1), f"queue {what}: {done.returncode}: {done.stderr}")

    def babble(self, dice):
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(self.ours.config.socket)
                s.sendall(dice.choice((
                    b"\0" * 3000, b"GET " + b"/" * 70000, dice.randbytes(2000) + b"\r\n\r\n",
                    b"GET /v1/stats HTTP/1.1\r\n\r\n", b"GET /v1/queue?limit=-1 HTTP/1.1\r\n\r\n",
                    b"POST /v1/queue/delete HTTP/1.1\r\nContent-Length: 3\r\n\r\n{]}",
                    b"POST /v1/queue/retry HTTP/1.1\r\nContent-Length: 999\r\n\r\n{",
                    b"GET /v1/queue HTTP/1.1\r\n\r\nGET /v1/stats HTTP/1.1\r\n\r\n" * 5)))
                if dice.random() < 0.5:
                    s.settimeout(0.05)
                    with contextlib.suppress(TimeoutError):
                        s.recv(100)
        time.sleep(0.02)

    def finish(self):
        self.over.set()
        for t in self.threads:
            t.join(h.PATIENCE)
            h.check(not t.is_alive(), "an operator hangs")
        h.equal(self.wrong, [], "operators' troubles")


def test_moods():
    """Hosts, SES and DNS change their moods, operators change the queue: all accounted for"""
    h.note(f"CHAOS_SEED={SEED}")
    dice = random.Random(SEED)
    net = Sandbox(keep=False)
    ours = Oiwake(Config(net))
    net.control("set second mood down")
    load = Load(ours.port("relay"), (*TEMPLATES, LEAVING), pace=0.01)
    h.wait_until(lambda: len(load.acknowledged) > 100, "acknowledged mail")
    operators = Operators(ours, SEED)
    stir(dice, lambda: change_mood(net, dice))
    operators.finish()
    load.finish()
    calm(net)
    net.control("set second mood down")
    ours.cli("queue delete", "--domain", "second.test", status=None)
    net.control("set second mood normal")
    drain(ours)
    rows = balance(ours)
    ours.stop()
    twice = settle_up(ours, net, load)
    h.note(f"{len(load.acknowledged)} recipients acknowledged, all accounted for; "
           f"{sum(r['removed'] for r in rows)} removed, {sum(r['bounced'] for r in rows)} bounced, "
           f"{len(twice)} went twice, all of them unread; operators: {dict(operators.done)}")


def test_reload():
    """Rules and paths change under load, paths go and come: nothing lost, nothing twice"""
    h.note(f"CHAOS_SEED={SEED}")
    dice = random.Random(SEED)
    net = Sandbox(keep=False, zone=("example.com MX 10 mx.example.com",
                                    "example.net MX 10 mx.example.com"))
    config = Config(net)
    ours = Oiwake(config)
    plain = config.text
    at, end = plain.index('path "ses"'), plain.index("}\n", plain.index('path "ses"')) + 2
    without_ses = plain[:at] + plain[end:]
    other = plain.replace('path "ses"', 'path "other" {\n\ttype = mta\n\tpool = keitai\n\tport = '
                          f'{net.said["smtp_port"]}\n\tallow-private = yes\n\tpreflight = off\n}}\npath "ses"')
    worlds = ((plain, ROUTES), (plain, CARRIERS_BY_SES), (without_ses, ALL_BY_MTA),
              (other, BY_ANOTHER), (other, ROUTES))
    load = Load(ours.port("relay"), TEMPLATES, pace=0.01)
    seen = collections.Counter()

    def change():
        config.text, routes = worlds[dice.randrange(len(worlds))]
        broken = dice.random() < 0.1
        config.save()
        config.write_rules(routes + ("route nowhere to any via nothing\n" if broken else ""))
        if dice.random() < 0.5:
            ours.process.popen.send_signal(signal.SIGHUP)
            seen["by signal"] += 1
        else:
            ours.cli("reload", status=1 if broken else 0)
            seen["refused" if broken else "by command"] += 1

    h.wait_until(lambda: len(load.acknowledged) > 100, "acknowledged mail")
    stir(dice, change, 0.0, 0.25)
    load.finish()
    config.text = plain
    config.save()
    config.write_rules(ROUTES)
    ours.cli("reload")
    drain(ours)
    before = descriptors(ours)
    rows = balance(ours)
    ours.stop()
    h.equal(settle_up(ours, net, load), {}, "duplicates")
    h.equal(sum(r["unread"] for r in rows), 0, "unread counted")
    h.check(before < 100, f"{before} descriptors are open with nothing to do")
    h.note(f"{len(load.acknowledged)} recipients acknowledged, all accounted for; reloads: "
           f"{dict(seen)}; sent by path: {({r['path']: r['sent'] for r in rows})}")


def test_stops():
    """Stopped at random moments while hosts misbehave, and started again: nothing lost"""
    h.note(f"CHAOS_SEED={SEED}")
    dice = random.Random(SEED)
    net = Sandbox(keep=False)
    ours = Oiwake(Config(net, queue="\tstop-timeout = 2s"))
    load = Load(ours.port("relay"), TEMPLATES, pace=0.005)
    stops = 0

    def stop():
        nonlocal stops
        for _ in range(dice.randrange(5)):
            change_mood(net, dice)
        if dice.random() < 0.2:
            ours.process.popen.send_signal(signal.SIGHUP)
        ours.stop()
        ours.start()
        stops += 1

    stir(dice, stop, 0.0, 0.6)
    load.finish()
    calm(net)
    drain(ours)
    balance(ours)
    ours.stop()
    twice = settle_up(ours, net, load)
    h.note(f"{stops} stops: {len(load.acknowledged)} recipients acknowledged, all accounted for; "
           f"{len(twice)} went twice, all of them unread")


if __name__ == "__main__":
    h.main()
