"""What is decided on one of several nodes is so on all of them: pauses, the guard, rules, sources, hooks, ids; and what
all of them do while the database is away.

time limit: 400 s
"""

import os
import smtplib
import time

import harness as h
from oiwake import Sandbox, nodes
from postgres import Proxy, cluster, database_of
from receiver import HookReceiver, recipients
from test_hooks import hook

ORDINARY = "user{}@ordinary.test"


def send(ours, *to, sender="info@news.test"):
    with h.smtp(ours.port("relay")) as s:
        h.equal(s.sendmail(sender, to, h.message()), {}, "refused at RCPT")


def rules_of(ours):
    return os.path.join(ours.config.top, "oiwake.rules")


def with_rule(text, name):
    h.check("route own to domain" in text, "rules as tests/e2e/oiwake.py has them")
    return text.replace("route own to domain", f"route {name} to domain {name}.test hold\nroute own to domain")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def by_name(ours):
    return {row["node"]: row for row in ours.json("nodes", status=None)}


def versions(ours):
    return {row["ruleset"] for row in by_name(ours).values()}


# -- pauses ------------------------------------------------------------------------------------------

def test_pauses():
    """A pause and a drain on one node hold on the other within seconds, and end there likewise"""
    net = Sandbox()
    a, b = nodes(net)
    began = time.monotonic()
    a.cli("pause", "path", "mta", "--why", "a test")
    h.wait_until(lambda: b.json("pause"), "b knows of the pause", pause=0.1)
    h.note(f"known on the other node after {time.monotonic() - began:.1f} s")
    row, = b.json("pause")
    h.equal((row["kind"], row["name"], row["why"]), ("path", "mta", "a test"), "what b knows")
    send(b, "one@ordinary.test")
    b.cli("resume", "path", "mta")
    h.wait_until(lambda: not a.json("pause"), "a knows of its end", pause=0.1)
    net.journal.wait_delivered("one@ordinary.test")
    # One that is set while it is being read stays.
    for n in range(5):
        a.cli("pause", "group", f"g{n}.test", "--why", "a")
        b.cli("pause", "group", f"h{n}.test", "--why", "b")
    h.wait_until(lambda: len(a.json("pause")) == len(b.json("pause")) == 10, "all are on both")
    a.kill9()
    a.start()
    h.equal(len(a.json("pause")), 10, "after a restart")


# -- the guard ---------------------------------------------------------------------------------------

def test_guard():
    """What each node has sent is too little to be judged; together it is not, and one judges for both"""
    net = Sandbox()
    # Beside the sender all mail is good: nobody else is stopped.
    a, b = nodes(net, guard="\tminimum-volume = 100\n\tpause = 1h", shapes="shape group docomo rate 20/s\n")
    people = [f"{'unknown-' if n % 5 == 0 else ''}u{n}@docomo.ne.jp" for n in range(140)]
    for n in range(0, 140, 70):
        send(a if n == 0 else b, *people[n:n + 35], sender="info@bad.test")
        send(a if n == 0 else b, *people[n + 35:n + 70], sender="info@bad.test")

    def paused(ours):
        return [p for p in ours.json("pause") if p["who"] == "guard"]

    h.wait_until(lambda: paused(a) and paused(b), "both have stopped the sender", 60)
    h.equal([p["name"] for p in paused(a)], [p["name"] for p in paused(b)], "the same")

    def events(ours):
        return ours.json("events", "--type", "Guard")

    def levels(ours):
        return {r["name"]: r["level"] for r in ours.json("guard") if "level" in r}

    a.all_told()
    h.wait_until(lambda: events(a) == events(b), "the same events")
    h.equal([e["guard"]["action"] for e in events(a)].count("paused"), 1, "once")
    h.wait_until(lambda: levels(a) == levels(b), "the same levels")


# -- rules -------------------------------------------------------------------------------------------

def test_rules():
    """A reload on one node puts its rules in force on all, files included; and after a restart there too"""
    net = Sandbox()
    a, b = nodes(net)
    h.wait_until(lambda: len(versions(b)) == 1, "one set at the beginning")
    a.config.write("oiwake.rules", with_rule(read(rules_of(a)), "nobody"))
    a.cli("reload")
    h.wait_until(lambda: len(versions(b)) == 1 and "nobody" in read(rules_of(b)), "b has the rules of a", 20)
    h.equal(read(rules_of(b)), read(rules_of(a)), "files")
    h.check("nobody" in b.cli("explain", "x@nobody.test").stdout, "b uses them")
    history = a.json("rules history")
    # Who was away meanwhile finds them at its start.
    b.stop()
    a.config.write("oiwake.rules", with_rule(read(rules_of(a)), "later"))
    a.cli("reload")
    b.start()
    h.wait_until(lambda: "later" in read(rules_of(b)) and len(versions(a)) == 1, "b has what it missed", 20)
    h.equal(len(a.json("rules history")), len(history) + 1, "sets in the history: nobody puts the old one back")


def test_rules_edited_elsewhere():
    """A node whose files are being edited keeps what it runs, and says so, until it is decided"""
    net = Sandbox()
    a, b = nodes(net)
    h.wait_until(lambda: len(versions(b)) == 1, "one set at the beginning")
    edited = with_rule(read(rules_of(b)), "mine")
    b.config.write("oiwake.rules", edited)
    a.config.write("oiwake.rules", with_rule(read(rules_of(a)), "yours"))
    a.cli("reload")
    h.wait_until(lambda: "edited" in by_name(a)["b"]["trouble"], "b says so", 20)
    h.wait_until(lambda: len(versions(a)) == 2, "two sets run")
    h.equal(read(rules_of(b)), edited, "b keeps its files")
    b.cli("reload")
    h.wait_until(lambda: len(versions(a)) == 1 and by_name(a)["b"]["health"] == "ok", "those of b are in force", 20)
    h.equal(read(rules_of(a)), edited, "on a")


# -- sources -----------------------------------------------------------------------------------------

def test_nobody_has_a_source():
    """Mail of a pool that no node has a source of waits, and people see why; it goes when one comes that has"""
    net = Sandbox()

    def pool_of_third(config):
        config.text = config.text.replace('sources = { "tokyo1", "tokyo2", "tokyo3" }', 'sources = { "tokyo3" }')

    a, b, c = nodes(net, names=("a", "b", "c"), each=pool_of_third)
    c.stop()
    send(a, "user@docomo.ne.jp")
    h.wait_until(lambda: any("no node" in n["trouble"] for n in by_name(b).values()), "the trouble is told", 20)
    h.wait_until(lambda: [w for w in b.json("queue list") if "no node that lives has a source" in w["last"]],
                 "why it waits")
    c.start()
    h.wait_until(lambda: by_name(b).get("c", {}).get("sources") == ["tokyo3"], "b knows what c has")
    # Who has not heard of c yet would find again that nobody has one, and let it wait.
    h.wait_until(lambda: not any(n["trouble"] for n in by_name(b).values()), "the trouble is over", 20)
    b.json("queue retry", "--domain", "docomo.ne.jp")
    h.wait_until(lambda: c.finals("user@docomo.ne.jp"), "c sends it", 60)


# -- hooks -------------------------------------------------------------------------------------------

def test_one_tells():
    """The application is told once, by one node, of what both did; and by the other when that one dies"""
    net = Sandbox()
    receiver = HookReceiver()

    def with_hook(config):
        config.text += hook("main", receiver)

    a, b = nodes(net, each=with_hook)
    first = [ORDINARY.format(n) for n in range(6)]
    for n, to in enumerate(first):
        send((a, b)[n % 2], to)
    h.wait_until(lambda: told(receiver) >= set(first), "all were told")
    leader = next(n for n in (a, b) if n.ask("/v1/status")["leads"])
    other = b if leader is a else a
    h.check(not other.ask("/v1/status")["leads"], "one leads")
    leader.kill9()
    send(other, "last@ordinary.test")
    h.wait_until(lambda: "last@ordinary.test" in told(receiver), "the other tells", 30)


def told(receiver):
    return {to for e in receiver.events() if e["eventType"] == "Delivery" for to in recipients(e)}


# -- the database is away ----------------------------------------------------------------------------

def test_away():
    """Without the database mail is refused for a while, listings say why, and then all goes on; nothing is lost"""
    net = Sandbox()
    db = cluster()
    url = db.database()
    way = Proxy(db.port)

    def by_proxy(config):
        config.text = config.text.replace(url, db.url(database_of(url), way.port)).replace("lease = 2s", "lease = 20s")

    a, = nodes(net, names=("a",), store=url, each=by_proxy)
    net.control("set ordinary mood tempmail")
    send(a, ORDINARY.format(1))
    way.refuse()
    way.cut()
    h.wait_until(lambda: refused_for_now(a), "451 for new mail", 30)
    h.wait_until(lambda: a.ask("/v1/status").get("store_away"), "the state is shown", 30)
    status = a.ask("/v1/status")
    h.check(status["store_why"] and status["queued"] is None, f"the state: {status}")
    listing = a.cli("queue list", status=1)
    h.check("the database is away" in listing.stderr + listing.stdout, f"a listing: {listing.stderr}")
    paused = a.cli("pause", "path", "mta", "--why", "while it is away", status=None)
    h.check("when it is back" in paused.stderr, f"a pause: {paused.stderr}")
    way.resume()
    h.wait_until(lambda: not a.ask("/v1/status").get("store_away"), "it is back", 60)
    h.equal([e["state"] for e in a.log.events("store") if "state" in e], ["away", "back"], "said once")
    h.wait_until(lambda: len(a.json("pause")) == 1, "the pause is kept")
    a.kill9()
    a.start(60)
    h.equal(len(a.json("pause")), 1, "and outlives a restart")
    a.cli("resume", "path", "mta")
    net.control("set ordinary mood normal")
    send(a, ORDINARY.format(2))
    for n in (1, 2):
        net.journal.wait_delivered(ORDINARY.format(n))


def refused_for_now(ours):
    try:
        with h.smtp(ours.port("relay")) as s:
            s.sendmail("info@news.test", ["never@ordinary.test"], h.message())
    except smtplib.SMTPDataError as e:
        return e.smtp_code == 451
    except smtplib.SMTPResponseException as e:
        return e.smtp_code in (421, 451)
    return False


# -- ids ---------------------------------------------------------------------------------------------

def test_ids():
    """Ids of one node are never another's: the bits of their makers differ"""
    net = Sandbox()
    a, b = nodes(net)
    for n in range(10):
        send(a, ORDINARY.format(n))
        send(b, ORDINARY.format(n))
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

    def makers(ours):
        ids = [e["id"] for e in ours.log.events("accepted")]
        numbers = [sum(digits.index(c) << 5 * i for i, c in enumerate(reversed(t))) for t in ids]
        return {n >> 12 & 1023 for n in numbers}

    h.wait_until(lambda: net.journal.recipients() and a.queue_size() == 0, "all is delivered")
    h.check(makers(a) and makers(b) and not makers(a) & makers(b), f"makers: {makers(a)} {makers(b)}")
    h.equal({m // 8 for m in makers(a) | makers(b)}, {0, 1}, "numbers of the nodes")


if __name__ == "__main__":
    h.main()
