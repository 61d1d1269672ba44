"""Amazon's limits are kept before Amazon keeps them, while 20,000 messages flow (time limit: 300 s)."""

import collections
import threading

import harness as h
from oiwake import ROUTES, Config, Oiwake, Sandbox

MESSAGES, EACH = 400, 50
ALL = MESSAGES * EACH


class Ledger:
    """The journal as counts: 20,000 lines, each read once."""

    def __init__(self, net):
        self.journal = net.journal
        self.taken = collections.Counter()  # address -> how often SES took it
        self.times = []                     # ms of each
        self.refused = collections.Counter()
        self.read()

    def read(self):
        for e in self.journal.read():
            if e["event"] != "message" or e["host"] != "ses":
                continue
            if not e["accepted"]:
                self.refused[e["error"]] += 1
                continue
            for r in e["rcpt"]:
                self.taken[r["to"]] += 1
                self.times.append(e["ms"])
        self.journal.all.clear()
        return self.taken.total()

    def wait(self, count):
        h.wait_until(lambda: self.read() >= count, lambda: f"{count} at SES, there are "
                     f"{self.taken.total()}, refused: {dict(self.refused)}", limit=90, pause=0.05)


def feed(ours):
    """All of it, by one client."""
    with h.smtp(ours.port("relay")) as s:
        for n in range(MESSAGES):
            s.mail("info@news.test")
            for i in range(EACH):
                s.rcpt(f"user.{n}x{i}@example.com")
            code, text = s.data(h.message(body="hello\r\n"))
            h.equal(code, 250, text)


def path(ours, status=0):
    return ours.json("ses status", "--path", "ses", status=status)[0]


def wait_closed(ours, word):
    """Until the path is closed for a reason with that word in it. What was on its way arrives or comes back."""
    def closed():
        text = ours.cli("ses status", "--path", "ses", status=None).stdout
        return "CLOSED" in text and word in text
    h.wait_until(closed, f"the path closed: {word}", limit=20, pause=0.1)
    h.wait_until(lambda: not any(l["sending"] for l in ours.json("queue lanes")),
                 "nothing on its way", limit=20, pause=0.1)


def wait_lane(ours, word):
    """Until a lane waits with that word in its state, and nothing is on its way."""
    def waits():
        lanes = ours.json("queue lanes")
        return any(word in l["state"] for l in lanes) and not any(l["sending"] for l in lanes)
    h.wait_until(waits, f"a lane that waits: {word}", limit=20, pause=0.1)


def wait_open(ours):
    h.wait_until(lambda: "CLOSED" not in ours.cli("ses status", "--path", "ses", status=None).stdout,
                 "the path open", limit=20, pause=0.1)


def up(**more):
    net = Sandbox(keep=False)
    for setting in ("rate 3000", "quota 30000"):
        net.control(f"set ses {setting}")
    ours = Oiwake(Config(net, ses="api", rate=0, ses_more="\tquota-reserve = 5", queue="\tprobe = 1s",
                         **more))
    return net, ours


def test_the_account_changes_while_mail_flows():
    """Rate lowered, quota spent, account stopped and restored: nothing lost, bounced, sent twice or over quota"""
    net, ours = up()
    ledger = Ledger(net)
    client = threading.Thread(target=feed, args=(ours,), daemon=True)
    client.start()

    ledger.wait(2000)
    net.control("set ses rate 300")
    ledger.wait(3000)
    net.control("set ses rate 3000")

    ledger.wait(5000)
    net.control("set ses enforcement SHUTDOWN")
    wait_closed(ours, "SHUTDOWN")
    stopped = ledger.read()
    net.control("set ses enforcement HEALTHY")
    wait_open(ours)

    ledger.wait(stopped + 2000)
    net.control("set ses sending off")
    wait_closed(ours, "paused")
    stopped = ledger.read()
    net.control("set ses sending on")
    wait_open(ours)

    ledger.wait(stopped + 2000)
    net.control("set aws mood throttle")
    h.wait_until(lambda: ledger.read() and ledger.refused["TooManyRequestsException"] > 0,
                 "SES pushes back", limit=20)
    net.control("set aws mood normal")

    ledger.wait(10000)
    # Slow until the new quota has been heard of: SES is not to spend it before.
    net.control("set ses rate 100")
    net.control("set ses quota 14000")
    h.wait_until(lambda: path(ours)["sending"]["quota"] == 14000, "the new quota is known", limit=20, pause=0.1)
    net.control("set ses rate 3000")
    wait_lane(ours, "kept for transactional")
    spent = ledger.read()
    # What SES refused counts with us as well, and a slot of the day's window (1/128) is whole or not used.
    least = 14000 * 0.95 - ledger.refused.total() - 14000 / 128
    h.check(least <= spent <= 14000, f"{spent} of 14000 sent, expected {least:.0f} at least: the last 5 % "
            "are kept, the rest is not")
    net.control("set ses quota 30000")

    client.join(h.PATIENCE)
    h.check(not client.is_alive(), "the client waits for ever")
    ledger.wait(ALL)
    ours.wait_empty(limit=30)
    ledger.read()
    h.equal(len(ledger.taken), ALL, "different recipients at SES")
    h.equal([a for a, n in ledger.taken.items() if n != 1], [], "recipients that SES took twice")
    told(ours)
    row = ours.stats("path")[0]
    h.equal((row["accepted"], row["sent"], row["delivered"]), (ALL, ALL, ALL), "counters")
    h.equal({c: row[c] for c in ("bounced", "filtered", "expired", "suppressed", "returned", "unread")
             if row.get(c)}, {}, "what became of mail that SES took in the end")
    h.note(f"refused on the way: {dict(ledger.refused)}")
    ours.stop()


def told(ours):
    h.wait_until(lambda: ours.total("delivered") == ours.total("sent"),
                 lambda: f"SES told of {ours.total('delivered')} of {ours.total('sent')}", limit=60,
                 pause=0.2)


def test_bulk_waits_and_transactional_goes():
    """Near the end of the quota bulk waits; mail by a transactional rule or with the tag goes"""
    net = Sandbox(keep=False)
    net.control("set ses quota 100")
    routes = ROUTES.replace("route default", "route pin from pin@news.test via ses transactional\nroute default")
    ours = Oiwake(Config(net, ses="api", rate=0, ses_more="\tquota-reserve = 20", routes=routes))
    ledger = Ledger(net)
    with h.smtp(ours.port("relay")) as s:
        s.sendmail("info@news.test", [f"bulk.{i}@example.com" for i in range(90)], h.message())
        ledger.wait(80)
        wait_lane(ours, "kept for transactional")
        h.equal(ledger.read(), 80, "bulk mail within 80 % of the quota")
        s.sendmail("pin@news.test", ["pin.1@example.com"], h.message())
        tagged = h.message().replace(b"Subject:", b"X-Oiwake-Tags: priority=transactional\r\nSubject:", 1)
        s.sendmail("info@news.test", ["tagged.1@example.com"], tagged)
    ledger.wait(82)
    h.check(ledger.taken["pin.1@example.com"] and ledger.taken["tagged.1@example.com"],
            "the transactional ones")
    # What is in the journal is not settled yet: SES writes first, and answers then.
    h.wait_until(lambda: ours.queue_size() == 10, lambda: f"10 bulk recipients wait, not {ours.queue_size()}")
    h.equal(ledger.read(), 82, "and no more at SES")
    net.control("set ses quota 1000")
    ours.wait_empty(limit=30)
    ours.stop()


def test_a_spent_quota_takes_the_fallback():
    """A path whose quota is spent: the rule's fallback takes over, and yields when there is quota again"""
    net = Sandbox(keep=False)
    net.control("set ses quota 10")
    routes = ROUTES.replace("via ses", "via ses fallback mta").replace("ordinary.test ", "")
    ours = Oiwake(Config(net, ses="api", rate=0, ses_more="\tquota-reserve = 0", routes=routes))
    with h.smtp(ours.port("relay")) as s:
        s.sendmail("info@news.test", [f"a.{i}@ordinary.test" for i in range(30)], h.message())
        ours.wait_empty(limit=30)
        rows = {r["path"]: r["sent"] for r in ours.stats("path")}
        h.equal(rows, {"ses": 10, "mta": 20}, "sent by path")
        net.control("set ses quota 1000")
        wait_open(ours)
        s.sendmail("info@news.test", ["b@ordinary.test"], h.message())
    net.journal.wait_delivered("b@ordinary.test")
    h.equal(net.journal.delivered("b@ordinary.test")[0]["host"], "ses", "host")
    ours.wait_empty()
    ours.stop()


def test_a_restart_remembers_the_quota():
    """kill -9 does not give the quota back"""
    net = Sandbox(keep=False)
    net.control("set ses quota 200")
    ours = Oiwake(Config(net, ses="api", rate=0, ses_more="\tquota-reserve = 0"))
    ledger = Ledger(net)
    with h.smtp(ours.port("relay")) as s:
        s.sendmail("info@news.test", [f"a.{i}@example.com" for i in range(150)], h.message())
    ledger.wait(150)
    ours.wait_empty()
    ours.kill9()
    net.control("set ses sent 0")  # AWS forgets, so that only our own count is left
    ours.start()
    with h.smtp(ours.port("relay")) as s:
        s.sendmail("info@news.test", [f"b.{i}@example.com" for i in range(150)], h.message())
    wait_closed(ours, "spent")
    h.check(180 <= ledger.read() <= 200, f"{ledger.read()} of 200 sent")
    h.equal(ours.queue_size(), 300 - ledger.read(), "recipients that wait")
    ours.stop()


def test_a_wait_for_the_account_is_told():
    """Mail behind an account that is stopped: its sender hears of the delay, and at expiry of the end"""
    net = Sandbox(keep=False)
    net.control("set ses enforcement SHUTDOWN")
    ours = Oiwake(Config(net, ses="api", rate=0, queue="\tdelay-notice = 1s", shapes="shape path ses expiry 8s\n"))
    wait_closed(ours, "SHUTDOWN")
    with h.smtp(ours.port("relay")) as s:
        s.sendmail("info@news.test", ["late@example.com"], h.message())
    notices = net.journal.wait_delivered("info@news.test", count=2, limit=30)
    h.equal([m["subject"].split(" ")[0] for m in notices], ["Delayed", "Undelivered"], "notices")
    row = {r["path"]: r for r in ours.stats("path")}["ses"]
    h.equal((row["accepted"], row["expired"], row["queued"]), (1, 1, 0), "the mail by SES")
    ours.stop()


def test_a_sender_that_is_unknown_waits_alone():
    """A sender that SES has not verified closes the path, but not while SES takes others' mail"""
    net = Sandbox(keep=False, verified="news.test")
    ours = Oiwake(Config(net, ses="api", rate=0, queue="\tprobe = 1s", shapes="shape path ses retry 1h\n"))
    ledger = Ledger(net)

    def send(sender, to):
        with h.smtp(ours.port("relay")) as s:
            s.sendmail(sender, [to], h.message(sender=sender))

    send("x@alien.test", "a.1@example.com")
    h.wait_until(lambda: "path closed" in str(ours.json("queue lanes")), "the path closed")
    send("info@news.test", "n.1@example.com")
    ledger.wait(1)  # it is tried with each sender in turn
    send("x@alien.test", "a.2@example.com")
    h.wait_until(lambda: len([r for r in ours.json("queue list") if "not verified" in str(r)]) == 2,
                 "both told of their reason")
    refused = ledger.read() and ledger.refused.total()
    h.check("path closed" not in str(ours.json("queue lanes")), "the path is open")
    for n in range(2, 30):
        send("info@news.test", f"n.{n}@example.com")
    ledger.wait(29)
    h.wait_until(lambda: ours.queue_size() == 2, lambda: f"two recipients wait, not {ours.queue_size()}")
    h.equal(ledger.refused.total(), refused, "those two are not tried at each probe")
    net.control("set ses verified *")
    ours.cli("queue retry --all")
    ledger.wait(31)
    ours.wait_empty()
    ours.stop()


if __name__ == "__main__":
    h.main()
