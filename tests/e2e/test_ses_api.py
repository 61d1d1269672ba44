"""The api transport of a ses path when Amazon refuses, mumbles, is silent or has another clock (time limit: 400 s)."""

import collections
import time

import harness as h
from oiwake import ON_POSTGRES, SES_API, STATIC, Config, Oiwake, Sandbox

ROUTES = ("route odd to any and local-part irregular via mta\n"
          "route second to domain second.test via {second}\n"
          "route all to any via ses\n")
# Not sent again by itself while a test runs.
PATIENT = "shape path ses retry 1h"


def up(second="ses", settings=(), queue="\tprobe = 1s", extra="", net=None, **more):
    net = net or Sandbox(keep=False)
    for line in settings:
        net.control(line)
    config = Config(net, name=f"oiwake{len(h.work.processes)}", ses="api", rate=0, queue=queue, dkim=False,
                    routes=ROUTES.format(second=second), **more)
    config.text += extra
    config.save()
    return net, Oiwake(config)


def send(ours, *recipients, data=None):
    with h.smtp(ours.port("relay")) as s:
        s.sendmail("info@news.test", recipients, data or h.message())


def row(ours, path="ses"):
    rows = [r for r in ours.stats("path") if r["path"] == path]
    return collections.Counter(rows[0] if rows else {})


def counters(ours, path="ses"):
    """Those that tell what became of mail."""
    n = row(ours, path)
    return {k: n[k] for k in ("accepted", "sent", "bounced", "filtered", "expired", "suppressed", "returned",
                              "queued") if n[k]}


def copies(net):
    return collections.Counter(r["to"] for _, r in net.journal.recipients())


def wait_row(ours, key, count, path="ses"):
    h.wait_until(lambda: row(ours, path)[key] == count,
                 lambda: f"{count} {key}, the row is {dict(row(ours, path))}", pause=0.05)


def said(ours, path="ses"):
    """What an operator reads of the path."""
    text = ours.cli("ses status", "--path", path, status=None).stdout
    return text + "".join(l["state"] + "\n" for l in ours.json("queue lanes") if l["path"] == path)


def wait_said(ours, *words, path="ses"):
    h.wait_until(lambda: (t := said(ours, path)) and any(w in t for w in words),
                 lambda: f"{words} for the operator to read, there is\n{said(ours, path)}", pause=0.02)


# -- refusals ----------------------------------------------------------------------------------

# What SES refuses mail with, the word that says so to an operator.
REFUSALS = (
    ("paused", "Sending paused"), ("suspended", "AccountSuspendedException"),
    ("setpaused", "paused for this configuration set"), ("notverified", "not verified"),
    ("mailfrom", "MailFromDomainNotVerifiedException"), ("denied", "AccessDeniedException"),
    ("badauth", "UnrecognizedClientException"), ("quota", "quota"), ("quotalimit", "quota"),
    ("temporary", "Temporary service failure"),
)


def test_refusals():
    """What refuses the account, its keys or its quota bounces nobody: closed, said, and open again by itself"""
    net, ours = up()
    n = 0
    for mood, word in REFUSALS:
        net.control(f"set aws mood {mood}")
        send(ours, *(f"{mood}.{i}@example.com" for i in range(3)))
        wait_said(ours, word)
        h.equal(counters(ours).get("sent", 0), n, f"sent during {mood}")
        net.control("set aws mood normal")
        n += 3
        wait_row(ours, "sent", n)
        h.equal(counters(ours), {"accepted": n, "sent": n}, f"counters after {mood}")
    h.equal([a for a, k in copies(net).items() if k != 1], [], "recipients that SES took twice")
    h.equal((len(copies(net)), row(ours)["unread"]), (n, 0), "recipients at SES, and unread")
    ours.stop()


def test_throttling():
    """SES pushes back: the rate is lowered, nobody bounces, and all goes out when it lets us"""
    net, ours = up(settings=("set aws mood throttle",))
    to = [f"a.{i}@example.com" for i in range(50)]
    send(ours, *to)
    h.wait_until(lambda: any(l["path"] == "ses" and l["rate"] < 1 for l in ours.json("queue lanes")),
                 lambda: f"a lower rate: {ours.json('queue lanes')}", pause=0.05)
    refused = len(net.journal.events("message"))
    h.check(refused <= 40, f"{refused} requests while SES refuses them all")
    net.control("set aws mood normal")
    ours.wait_empty()
    h.equal(counters(ours), {"accepted": 50, "sent": 50}, "counters")
    h.equal(copies(net), collections.Counter(to), "copies at SES")
    ours.stop()


# -- answers -----------------------------------------------------------------------------------

CARRIED_OUT = ("closedot", "rstdot", "truncate", "garble", "huge")  # SES has the mail, we do not know
IN_DOUBT = ("html", "badgateway", "close", "reset")                 # has not, and we cannot know
NOT_SENT = ("redirect", "unavailable", "down")                      # has not, and that is known


def begin_silence():
    """Two whose requests are never answered; what is to be said of them comes a minute later."""
    net, ours = up(settings=("set events late on", "set aws mood silentdot"), shapes=PATIENT)
    send(ours, "taken@example.com")
    net.journal.wait_delivered("taken@example.com")
    net.control("set aws mood blackhole")
    send(ours, "lost@example.com")

    def end():
        h.wait_until(lambda: row(ours)["unread"] == 2, "two unread", limit=80, pause=0.2)
        net.control("set aws mood normal")
        net.control("set events late off")
        wait_row(ours, "sent", 1)
        h.equal(ours.queue_size(), 1, "recipients that wait")
        ours.cli("queue retry", "--all")
        ours.wait_empty()
        h.equal(counters(ours), {"accepted": 2, "sent": 2}, "counters")
        h.equal(copies(net), {"taken@example.com": 1, "lost@example.com": 1}, "copies")
        ours.stop()
    return end


def test_answers():
    """Answers that break, come late or never: unread only where SES may have the mail, and counted once"""
    end_silence = begin_silence()
    net, ours = up(shapes=PATIENT)
    for n, mood in enumerate(CARRIED_OUT, 1):
        net.control("set events late on")
        net.control(f"set aws mood {mood}")
        send(ours, f"{mood}@example.com")
        wait_row(ours, "unread", n)
        net.control("set aws mood normal")
        h.equal(counters(ours).get("queued"), 1, f"{mood}: it waits to be told of")
        net.control("set events late off")
        wait_row(ours, "sent", n)
        ours.cli("queue retry", "--all", status=1)  # nothing waits, but the lane rests
    net.control("set aws mood slow1500")
    send(ours, "slow@example.com")
    wait_row(ours, "sent", n + 1)
    net.control("set aws mood normal")
    h.equal(counters(ours), {"accepted": n + 1, "sent": n + 1}, "counters")
    h.equal(row(ours)["unread"], n, "unread")
    h.equal(set(copies(net).values()), {1}, f"copies at SES {copies(net)}")
    peak = ours.process.status("VmHWM")
    h.check(h.SANITIZED or peak < 100 * 1024, f"{peak} KiB, after an answer of 100 MB")
    ours.stop()
    end_silence()


def test_answers_without_the_mail():
    """Answers of others than SES, none, and nobody there: sent once when SES is back"""
    net, ours = up(shapes="shape path ses retry 2s")
    n = 0
    for mood in (*IN_DOUBT, *NOT_SENT):
        to, before = f"{mood}@example.com", row(ours)["unread"]
        net.control(f"set aws mood {mood}")
        send(ours, to)
        kind = "unread" if mood in IN_DOUBT else "deferred"
        ours.log.wait(lambda _: ours.attempts(kind, to), f"{kind} by mood {mood}")
        if mood in NOT_SENT:
            h.equal(row(ours)["unread"], before, f"unread by mood {mood}")
        net.control("set aws mood normal")
        n += 1
        wait_row(ours, "sent", n)
    h.equal(counters(ours), {"accepted": n, "sent": n}, "counters")
    h.equal(copies(net), {f"{m}@example.com": 1 for m in (*IN_DOUBT, *NOT_SENT)}, "copies at SES")
    ours.stop()


# -- clock and keys ----------------------------------------------------------------------------

def is_clock_wrong(ours):
    return ours.json("ses status", "--path", "ses", status=None)[0]["clock_wrong"]


def test_clock():
    """AWS's clock is 400 s ahead of ours, and then behind: measured, said, and mail goes on"""
    net, ours = up()
    n = 0
    for skew in (400, -400, 0):
        net.control(f"set aws skew {skew}")
        send(ours, f"a{n}@example.com")
        n += 1
        wait_row(ours, "sent", n)
        h.wait_until(lambda: is_clock_wrong(ours) == (skew != 0),
                     f"a clock that is {'wrong' if skew else 'right'} by {skew}")
        if skew:
            got = ours.json("ses status", "--path", "ses", status=None)[0]["clock_skew"]
            h.check(abs(got - skew) < 3, f"measured {got}, it is {skew}")
            h.check("clock" in said(ours), "the clock is said")
    h.equal(counters(ours), {"accepted": n, "sent": n}, "counters")
    h.equal(set(copies(net).values()), {1}, "copies")
    ours.stop()


def role(net):
    return f'credentials = instance-role\n\timds-endpoint = "{net.said["aws"]["imds"]}"'


def flow(net, ours, until):
    """Mail, one by one behind the first, until that holds; how many in all."""
    end = time.monotonic() + 40
    count = 1
    while not until():
        h.check(time.monotonic() < end, "not within 40 s, while mail flows")
        count += 1
        send(ours, f"flow.{count}@example.com")
        h.wait_until(lambda: len(copies(net)) >= count, "it at SES", pause=0.05)
    return count


def test_role_keys():
    """The keys of the instance's role end and are renewed while mail flows; there are none at first"""
    net = Sandbox(keep=False)
    net.control("set imds expires 18")
    net.control("set imds mood close")
    net, ours = up(net=net, credentials=role(net))
    send(ours, "flow.1@example.com")
    wait_said(ours, "none:")
    h.equal(counters(ours), {"accepted": 1, "queued": 1}, "it waits")
    net.control("set imds mood normal")
    wait_row(ours, "sent", 1)
    count = flow(net, ours, lambda: len(set(users(net).values())) == 2)
    ours.wait_empty()
    h.equal(counters(ours), {"accepted": count, "sent": count}, "counters")
    h.equal(row(ours)["deferred"], 0, "deferred")
    h.equal({is_role(u) for u in users(net).values()}, {True}, "as whom")
    h.equal([e for e in net.journal.events("refused") if e["stage"] == "auth"], [], "refused by AWS")
    ours.stop()


def users(net):
    """As whom each recipient was sent to."""
    return {r["to"]: m["user"] for m, r in net.journal.recipients()}


def is_role(user):
    return user.startswith("ASIASANDBOX")


# -- several paths -----------------------------------------------------------------------------

def second_path(net, credentials, name="ses2", queue=None):
    """A path and its queue as configuration text."""
    far = net.said["aws"]
    text = SES_API.format(ca=net.ca, rate=0, more="", sqs="", region=far["region"], endpoint=far["endpoint"],
                          queue_url=far["queue_url"].replace("ses-events", queue or "second"),
                          credentials=credentials)
    return text.replace('path "ses"', f'path "{name}"').replace("path = ses\n", f"path = {name}\n").replace(
        'sqs "events"', 'sqs "second"')


def test_two_paths():
    """Two paths with other keys side by side; one with bad keys closes alone"""
    net = Sandbox(keep=False)
    net.control("sqs create second")
    net, ours = up(second="ses2", net=net, extra=second_path(net, role(net)))
    send(ours, "a@example.com", "a@second.test")
    ours.wait_empty()
    h.equal({a: is_role(u) for a, u in users(net).items()}, {"a@example.com": False, "a@second.test": True},
            "by which keys")
    h.equal((counters(ours), counters(ours, "ses2")), ({"accepted": 1, "sent": 1},) * 2, "counters")
    wait_row(ours, "delivered", 1, "ses2")
    net.control("set ses user AKIAOTHER")
    send(ours, "b@example.com", "b@second.test")
    wait_said(ours, "UnrecognizedClientException")
    wait_row(ours, "sent", 2, "ses2")
    h.check("UnrecognizedClientException" not in said(ours, "ses2"), "the other path is well")
    h.equal(counters(ours), {"accepted": 2, "sent": 1, "queued": 1}, "the one with bad keys")
    net.control("set ses user AKIASANDBOX")
    ours.wait_empty()
    ours.stop()


def test_reload_adds_a_path():
    """A reload brings a path and a queue, and takes them away again"""
    net, ours = up()
    net.control("sqs create second")
    send(ours, "a@example.com")
    wait_row(ours, "delivered", 1)
    before = ours.config.text
    ours.config.text += second_path(net, role(net))
    ours.config.save()
    with open(f"{ours.config.top}/oiwake.rules") as f:
        rules = f.read()
    ours.config.write("oiwake.rules", rules.replace("second.test via ses", "second.test via ses2"))
    ours.cli("reload")
    net.control("set sqs events second")
    send(ours, "a@second.test")
    wait_row(ours, "delivered", 1, "ses2")
    h.check(is_role(users(net)["a@second.test"]), "by the new path")
    ours.config.text = before
    ours.config.save()
    ours.config.write("oiwake.rules", rules)
    ours.cli("reload")
    net.control("set sqs events ses-events")
    send(ours, "b@second.test")
    wait_row(ours, "delivered", 2)
    h.equal(users(net)["b@second.test"], "AKIASANDBOX", "by the old path")
    h.equal([q["name"] for q in ours.json("ses status") if "queue" in q], ["events"], "queues")
    ours.stop()


# -- the end, and size -------------------------------------------------------------------------

def test_stop_in_flight():
    """SIGTERM while requests are in flight and a long poll waits: ends in time, and goes on afterwards"""
    net, ours = up(settings=("set aws mood silentdot",), shapes=PATIENT, sqs="\tpollers = 3",
                   queue="\tstop-timeout = 3s")
    ours.config.text = ours.config.text.replace("wait = 2s", "wait = 20s")
    ours.config.save()
    ours.cli("reload")
    to = [f"a.{i}@example.com" for i in range(10)]
    send(ours, *to)
    h.wait_until(lambda: any(l["sending"] for l in ours.json("queue lanes")), "on their way", pause=0.05)
    began = time.monotonic()
    ours.stop()
    h.check(time.monotonic() - began < (30 if h.SANITIZED else 15), f"ended after {time.monotonic() - began:.1f} s")
    net.control("set aws mood normal")
    ours.start()
    ours.wait_empty()
    wait_row(ours, "sent", 10)
    h.equal(counters(ours), {"accepted": 10, "sent": 10}, "counters")
    h.equal(set(copies(net)), set(to), "recipients at SES")
    h.check(sum(copies(net).values()) - 10 <= row(ours)["unread"], f"{copies(net)}, {row(ours)['unread']} unread")
    ours.stop()


def body(size):
    line = b"0123456789" * 7 + b"\r\n"
    return h.message(body="") + line * (size // len(line))


def test_big_message():
    """30 MB go by the API in bounded memory; what would be over 40 MB with base64 is refused unsent"""
    net, ours = up()
    send(ours, "small@example.com", data=body(1_000_000))
    wait_row(ours, "sent", 1)
    small = ours.process.status("VmHWM")
    send(ours, "big@example.com", data=body(30_000_000))
    h.wait_until(lambda: row(ours)["sent"] == 2, "it is sent", limit=60)
    more = ours.process.status("VmHWM") - small
    h.note(f"30 MB cost {more / 1024:.1f} MB more than 1 MB, which came to {small / 1024:.1f} MB")
    # In PostgreSQL it is one value of a row, which its client has in memory whole.
    room = 2 * 30 * 1024 if ON_POSTGRES else 6 * 1024
    h.check(h.SANITIZED or more < room, f"30 MB cost {more} KiB more than 1 MB")
    h.equal(net.journal.delivered("big@example.com")[0]["size"] >= 30_000_000, True, "size at SES")
    before = len(net.journal.messages())
    send(ours, "huge@example.com", data=body(32_000_000))
    ours.log.wait(lambda _: ours.finals("huge@example.com"), "its end")
    last, = ours.finals("huge@example.com")
    h.equal((last["event"], last["reason"]), ("bounced", "mesgtoobig"), last["line"])
    h.equal([m for m in net.journal.messages()[before:] if m["rcpt"][0]["to"] == "huge@example.com"], [],
            "what SES saw of it")
    ours.stop()


if __name__ == "__main__":
    h.main()
