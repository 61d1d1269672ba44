"""An operator holds what waits: nothing but an operator lets it go.

time limit: 200 s
"""

import time

import harness as h
from oiwake import DKIM_DOMAIN, Config, Oiwake, Sandbox

SENDER = f"info@{DKIM_DOMAIN}"
ROUTES = """\
route stay to domain stay.test hold
route own to domain ordinary.test second.test via mta
route keitai to carrier * via mta pool keitai
route default to any via ses
"""


def up(**config):
    net = Sandbox()
    config.setdefault("routes", ROUTES)
    return Oiwake(Config(net, **config)), net


def send(ours, *to, **message):
    with h.smtp(ours.port("relay")) as s:
        h.equal(s.sendmail(SENDER, to, h.message(**message)), {}, "refused at RCPT")


def rows(ours, *selectors):
    return ours.json("queue list", *selectors)


def states(ours):
    return {r["to"]: r["state"] for r in rows(ours)}


def changed(ours, command, *selectors, status=0):
    return ours.json(command, *selectors, status=status)[0]["changed"]


def test_hold_and_release():
    """Held in memory and in the store, through reloads and kill -9, until it is retried; who and why are shown"""
    ours, net = up(shapes="shape domain ordinary.test connections 1 rate 1/h retry 1s\n"
                   "shape domain second.test retry 1h")
    net.control("set second mood tempmail")
    many = [f"r{n}@ordinary.test" for n in range(20)]
    send(ours, *many, "jiro@second.test", "rule@stay.test", test_id="held")
    ours.log.wait(lambda _: ours.attempts("deferred", "jiro@second.test")
                  and ours.attempts("held", "rule@stay.test"), "all have settled")
    waiting = [r["to"] for r in rows(ours) if r["to"].endswith("ordinary.test")]
    h.check(len(waiting) >= 18, f"most wait in memory for the pace: {waiting}")
    ours.cli("queue hold", "--domain", "ordinary.test", status=2)
    h.equal(ours.json("queue hold", "--domain", "ordinary.test", "--dry-run")[0]["would_change"], len(waiting), "dry")
    h.check("held" not in states(ours).values(), "a dry run changes nothing")
    h.equal(changed(ours, "queue hold", "--sender", SENDER, "--why", "bad batch\x07"), len(waiting) + 2, "held")
    h.equal(set(states(ours).values()), {"held"}, "states")
    row = rows(ours, "--to", many[-1])[0]
    h.equal((row["held"]["who"], row["held"]["why"], row["path"]), ("root", "bad batch?", "mta"), f"{row}")
    line = ours.log.events("queue")[-1]
    h.equal((line["what"], line["changed"], line["who"], line["why"], line["sender"]),
            ("held", str(len(waiting) + 2), "root", "bad batch?", SENDER), line["line"])
    h.equal(sum(lane["waiting"] for lane in ours.json("queue lanes")), 0, "none is left in memory")
    h.equal(changed(ours, "queue hold", "--all", "--why", "bad batch\x07", status=1), 0, "held so already")
    ours.cli("reload")
    ours.kill9()
    ours.start()
    ours.cli("reload")
    send(ours, "next@second.test", test_id="next")
    ours.log.wait(lambda _: ours.attempts("deferred", "next@second.test"), "others are tried")
    h.equal([s for a, s in states(ours).items() if a != "next@second.test"], ["held"] * (len(waiting) + 2), "still")
    net.control("set second mood normal")
    h.equal(changed(ours, "queue retry", "--to", "jiro@second.test"), 1, "released")
    net.journal.wait_delivered("jiro@second.test")
    h.equal(len([m for m in net.journal.delivered() for r in m["rcpt"] if r["to"] in waiting]), 0, "the others stay")
    h.check("by root since" in ours.cli("queue show", row["id"]).stdout, "shown")
    h.equal(changed(ours, "queue delete", "--domain", "ordinary.test"), len(waiting), "deleted while held")
    h.equal(changed(ours, "queue retry", "--path", "hold"), 1, "held by its rule again")
    h.wait_until(lambda: rows(ours, "--to", "rule@stay.test")[0]["held"] is None, "no operator's any more")
    ours.stop()


def test_no_unjust_expiry():
    """Time does not count while it is held: what was let go has the time that it had left"""
    ours, net = up(shapes="shape domain ordinary.test retry 1s expiry 3s")
    net.control("set ordinary mood tempmail")
    send(ours, "patient@ordinary.test", test_id="patient")
    ours.log.wait(lambda _: ours.attempts("deferred", "patient@ordinary.test"), "an attempt")
    h.wait_until(lambda: changed(ours, "queue hold", "--to", "patient@ordinary.test", "--why", "wait",
                                 status=None) == 1, "held")
    before = rows(ours)[0]
    held = time.monotonic()
    h.wait_until(lambda: time.monotonic() - held > 4, "longer than its expiry")
    h.equal(ours.finals("patient@ordinary.test"), [], "no end while it is held")
    net.control("set ordinary mood normal")
    ours.cli("queue retry", "--to", "patient@ordinary.test")
    net.journal.wait_delivered("patient@ordinary.test")
    ours.log.wait(lambda _: ours.finals("patient@ordinary.test"), "its end")
    h.equal([e["event"] for e in ours.finals("patient@ordinary.test")], ["delivered"], f"its end; {before}")
    ours.stop()


def test_not_while_the_dot_is_out():
    """What a session has in hand is not held, and not said to be"""
    ours, net = up()
    send(ours, "silentdot@ordinary.test", test_id="gone")
    h.wait_until(lambda: list(states(ours).values()) == ["sending"], "its final dot is out")
    h.equal(changed(ours, "queue hold", "--all", "--why", "too late", status=1), 0, "held")
    row = rows(ours)[0]
    h.equal((row["state"], row["held"]), ("sending", None), f"{row}")
    h.equal(changed(ours, "queue hold", row["id"], "--why", "too late", status=1), 0, "held by its id")
    ours.kill9()


h.main()
