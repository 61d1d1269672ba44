"""The guard: a bad list of one sender is stopped before a carrier or Amazon does it, and nobody else is.

The journal of the sandbox says what went out; Oiwake's log, events and commands must tell the same story.

time limit: 300 s
"""

import time

import harness as h
from oiwake import PASSWORD, USER, Config, Oiwake, Sandbox

BAD, GOOD = "bad.test", "good.test"
SCOPE = f"path=mta carrier=docomo sender={BAD}"
ROUTES = "route all to any via mta\n"
BY_SES = "route odd to any and local-part irregular via mta\nroute all to any via ses\n"
# Slow enough that what is on its way when the guard sees it is little.
PACED = "shape group docomo rate 100/s\n"


def up(*settings, routes=ROUTES, shapes=PACED, user=False, **config):
    net = Sandbox()
    config = Config(net, routes=routes, shapes=shapes, guard="\n".join(settings), **config)
    ours = Oiwake(config, start=not user)
    if user:
        ours.add_user()
        ours.start()
    return ours, net


def people(n, bad=0.1, domain="docomo.ne.jp", name="user"):
    """Of each ten, the first is unknown; or as many as that."""
    every = round(1 / bad) if bad else 0
    return [f"{'unknown-' if every and i % every == 0 else ''}{name}-{i}@{domain}" for i in range(n)]


def send(ours, sender, to, listener="relay", tls=False):
    login = {"tls": True, "user": USER, "password": PASSWORD} if tls else {}
    with h.smtp(ours.port(listener), **login) as s:
        for i in range(0, len(to), 50):
            s.sendmail(f"info@{sender}", to[i:i + 50], h.message())


def actions(ours, mail=None):
    return [e["action"] for e in ours.log.events("guard") if mail in (None, e["mail"])]


def wait_action(ours, action, mail=SCOPE, count=1, limit=None):
    ours.log.wait(lambda _: actions(ours, mail).count(action) >= count,
                  lambda: f"{action} of {mail}, there was {actions(ours)}", limit)
    return [e for e in ours.log.events("guard") if e["mail"] == mail and e["action"] == action][-1]


def tried(ours, sender, path="mta"):
    return sum(r["attempted"] for r in ours.stats("path", "sender")
               if (r["path"], r["sender"]) == (path, sender))


def levels(ours):
    """Of whom is not well."""
    return [r for r in ours.json("guard") if "level" in r]


def queued(ours, sender):
    return ours.json("queue list", "--sender", sender, "--limit", "10000")


# -- a carrier --------------------------------------------------------------------------------

def test_bad_list_of_one_sender():
    """One sender's list with 10 % unknown is stopped at docomo; another's goes; resume, restart, again"""
    ours, net = up("minimum-volume = 100", "pause = 1h")
    send(ours, BAD, people(800))
    good = people(60, bad=0, name="friend")
    send(ours, GOOD, good)

    said = wait_action(ours, "paused")
    h.check(said["why"].startswith(f"unknown-user rate of {BAD} to docomo by mta ")
            and said["why"].endswith(", pause at 2 %"), f"the evidence: {said['why']}")
    for to in good:
        net.journal.wait_delivered(to)
    # What was on its way goes; the rest does not.
    h.wait_until(lambda: not [r for r in queued(ours, BAD) if r["path"] == "mta"],
                 "what is left is held", pause=0.1)
    before = tried(ours, BAD)
    h.check(50 <= before <= 350, f"{before} of 800 went out before the guard stopped it")
    h.equal(len(queued(ours, BAD)), 800 - before, "held")
    h.equal(actions(ours), ["paused"], "what the guard did, and no more")

    check_shown(ours, said["why"])
    check_restart(ours, net, before)

    # An operator lets it go on: it is judged anew, and stopped again, for longer.
    ours.cli("resume mail", *SCOPE.split())
    wait_action(ours, "resumed")
    wait_action(ours, "paused", count=2)
    h.wait_until(lambda: not [r for r in queued(ours, BAD) if r["path"] == "mta"],
                 "what is left is held again", pause=0.1)
    h.check(before + 50 <= tried(ours, BAD) <= before + 350, f"{tried(ours, BAD)} have gone out")
    row, = levels(ours)
    began, ends = (time.strptime(row[k][:19], "%Y-%m-%dT%H:%M:%S") for k in ("since", "until"))
    h.equal(round(time.mktime(ends) - time.mktime(began)), 7200, "seconds of the second pause")


def check_shown(ours, why):
    """In every place that tells of it."""
    row, = levels(ours)
    h.equal((row["name"], row["level"], row["kind"]), (SCOPE, "pause", "unknown"), "the guard's row")
    h.check(row["evidence"] == why and row["low"] > 0.02, f"its evidence: {row}")
    h.check(SCOPE in ours.cli("guard").stdout, "oiwake guard says it")
    paused = ours.json("pause")
    h.equal([(p["kind"], p["name"], p["who"], p["why"]) for p in paused],
            [("mail", SCOPE, "guard", why)], "pauses")
    ours.all_told()
    event, = ours.json("events", "--type", "Guard")
    h.equal((event["eventType"], event["guard"]["action"], event["guard"]["sender"],
             event["guard"]["carrier"], event["guard"]["evidence"]),
            ("Guard", "paused", BAD, "docomo", why), "the event")
    held = queued(ours, BAD)[0]
    h.check(held["path"] == "hold" and why in held["last"], f"why it waits: {held}")


def check_restart(ours, net, before):
    """It outlives one, and nothing more of the bad list goes."""
    ours.kill9()
    ours.start()
    h.equal([r["level"] for r in levels(ours)], ["pause"], "the level after a restart")
    send(ours, BAD, ["late@docomo.ne.jp"])
    send(ours, GOOD, ["later@docomo.ne.jp"])
    net.journal.wait_delivered("later@docomo.ne.jp")
    h.wait_until(lambda: [r["path"] for r in queued(ours, BAD) if r["to"].startswith("late@")] == ["hold"],
                 "new mail of that sender is held", pause=0.1)
    h.equal(net.journal.delivered("late@docomo.ne.jp"), [], "mail of a paused sender")
    h.equal(tried(ours, BAD), before, "tried")
    h.equal(actions(ours), ["paused"], "nothing is done again")


def test_probe():
    """At the end of a pause a few go: they are good, and so the rest goes; of a bad list they are not"""
    ours, net = up("minimum-volume = 100", "pause = 2s", "probe = 20")
    to = people(80, bad=0.2) + people(300, bad=0, name="friend")
    send(ours, BAD, to)
    wait_action(ours, "paused")
    wait_action(ours, "probing")
    wait_action(ours, "reopened")
    for name in [t for t in to if not t.startswith("unknown-")]:
        net.journal.wait_delivered(name)
    h.wait_until(lambda: not queued(ours, BAD), "nothing is held any more", pause=0.1)
    done = actions(ours, SCOPE)
    h.equal(done[-1], "reopened", f"the end of {done}")
    h.equal(ours.json("pause"), [], "pauses")

    send(ours, "worse.test", people(400, bad=1, name="other"))
    worse = "path=mta carrier=docomo sender=worse.test"
    wait_action(ours, "paused", worse, count=2)
    h.check(actions(ours, worse)[:3] == ["paused", "probing", "paused"], f"of the other: {actions(ours, worse)}")


def test_slow():
    """A sender above the second threshold is slowed; others are not"""
    ours, net = up("minimum-volume = 100", "unknown-users = { 1, 2, 100 }",
                   shapes=PACED + "shape carrier docomo unknown-users 50%\n")
    send(ours, BAD, people(1000))  # ten seconds' worth: judged before they have gone, on a slow machine too
    wait_action(ours, "slowed")
    good = people(60, bad=0, name="friend")
    send(ours, GOOD, good)
    for to in good:
        net.journal.wait_delivered(to)
    h.check(queued(ours, BAD), "the slowed one is still at it")
    ours.cli("queue delete", "--sender", BAD)


def test_user():
    """A user whose senders are each too small to judge is stopped as a whole"""
    ours, _ = up("minimum-volume = 100", "pause = 1h", user=True)
    for i in range(30):
        send(ours, f"s{i}.test", people(10, bad=0.2, name=f"u{i}"), "submission", tls=True)
    scope = f"path=mta carrier=docomo user={USER}"
    wait_action(ours, "paused", scope)
    h.equal([r["name"] for r in levels(ours)], [scope], "who is stopped")
    ours.cli("resume mail", *scope.split())
    wait_action(ours, "resumed", scope)


def test_enforce_no():
    """Without force it says so, and all goes"""
    ours, net = up("enforce = no", "minimum-volume = 100")
    to = people(300)
    send(ours, BAD, to)
    said = wait_action(ours, "warned")
    h.check(said["why"].endswith("not enforced"), f"what it says: {said['why']}")
    ours.wait_empty()
    h.equal(tried(ours, BAD), 300, "tried")
    h.equal(set(actions(ours)), {"warned"}, "what the guard did")
    h.equal(ours.json("pause"), [], "pauses")


def test_three_of_ten():
    """A few bad ones among few are no reason"""
    ours, _ = up()
    send(ours, BAD, people(30, bad=0.3))
    ours.wait_empty()
    h.equal(levels(ours), [], "who is not well")
    h.equal(actions(ours), [], "what the guard did")


# -- by hand ----------------------------------------------------------------------------------

def test_by_hand():
    """An operator pauses a sender, with a reason and an end; another's mail goes; mistakes are named"""
    ours, net = up()
    ours.cli("pause mail", f"sender={BAD}", "--for", "8s", "--why", "the list is being cleaned")
    row, = ours.json("pause")
    h.equal((row["kind"], row["name"], row["why"]),
            ("mail", f"sender={BAD}", "the list is being cleaned"), "the pause")
    send(ours, BAD, ["held@docomo.ne.jp"])
    send(ours, GOOD, ["goes@docomo.ne.jp"])
    net.journal.wait_delivered("goes@docomo.ne.jp")
    net.journal.wait_delivered("held@docomo.ne.jp")
    resumed = ours.log.wait(lambda _: ours.log.events("resumed"), "its end")[0]
    h.equal(resumed["who"], "its time is over", "who ended it")
    held = [e for e in ours.log.events("held") if e["to"] == "held@docomo.ne.jp"]
    h.equal(len(held), 1, "lines that it is held")
    h.check("the list is being cleaned" in held[0]["line"], f"why: {held[0]['line']}")

    ours.cli("pause mail", f"sender={BAD}")
    send(ours, BAD, ["again@docomo.ne.jp"])
    ours.log.wait(lambda _: [e for e in ours.log.events("held") if e["to"] == "again@docomo.ne.jp"], "held")
    ours.cli("resume mail", f"sender={BAD}")
    net.journal.wait_delivered("again@docomo.ne.jp")

    for words, status in (("path=nowhere", 1), ("sender=", 1), ("colour=red", 1), ("", 2)):
        ours.cli("pause mail", *words.split(), status=status)
    ours.cli("resume mail", f"sender={BAD}", status=1)


# -- SES --------------------------------------------------------------------------------------

def test_complaints_by_ses():
    """Complaints of one sender's mail stop it on the ses path; the budget tells what is left"""
    ours, net = up("minimum-volume = 100", routes=BY_SES, ses="api", shapes="")
    send(ours, BAD, people(115, bad=0, domain="example.com")
         + [f"complaint+{i}@example.com" for i in range(5)])
    scope = f"path=ses sender={BAD}"
    said = wait_action(ours, "paused", scope)
    h.check(said["why"].startswith(f"complaint rate of {BAD} by ses "), f"the evidence: {said['why']}")
    h.equal([r["name"] for r in levels(ours)], [scope], "who is stopped")
    send(ours, GOOD, ["fine@example.com"])
    net.journal.wait_delivered("fine@example.com")
    budget = {r["kind"]: r for r in ours.json("guard") if "left_review" in r}
    h.equal(budget["complaint"]["left_stop"], 0, "complaints left until Amazon stops")
    h.check(budget["bounce"]["left_review"] > 0 and "until review" in budget["bounce"]["text"],
            f"bounces left: {budget['bounce']}")


if __name__ == "__main__":
    h.main()
