"""The carriers in each mood that is documented: what they say, and the reaction that is right.

Sources: facts of the carriers; what each reply means is in conf/carriers.rules. The journal of the
sandbox and Oiwake's own log and counters must tell the same story.

time limit: 300 s
"""

import harness as h
from oiwake import DKIM_DOMAIN, ON_POSTGRES, Config, Oiwake, Sandbox

SENDER = f"info@{DKIM_DOMAIN}"


def up(**config):
    net = Sandbox()
    return Oiwake(Config(net, **config)), net


def send(ours, *to, **message):
    with h.smtp(ours.port("relay")) as s:
        s.sendmail(SENDER, to, h.message(**message))


def settled(ours, address, event, **want):
    ours.log.wait(lambda _: ours.finals(address), f"a final line for {address}")
    lines = ours.finals(address)
    h.equal(len(lines), 1, f"final lines of {address}")
    for key, value in dict(want, event=event).items():
        h.equal(lines[0].get(key), value, f"{key} of {address}: {lines[0]['line']}")
    return lines[0]


def lane_event(ours, event, group):
    return ours.log.wait(lambda _: [e for e in ours.log.events(event) if e.get("group") == group],
                         f"{event} of {group}")[0]


def counted(ours, carrier):
    """The counters of a carrier, all paths together."""
    rows = [r for r in ours.stats("carrier") if r["carrier"] == carrier]
    h.equal(len(rows), 1, f"rows of {carrier}")
    return rows[0]


# Each refusal that concerns a recipient or a message: address, event, reason and counter.
SAID = (
    # The same words mean two things, by the stage.
    ("unknown-1@docomo.ne.jp", "bounced", "userunknown", "rcpt"),
    ("filtered-1@docomo.ne.jp", "filtered", "filtered", "end of data"),
    ("syntax-1@docomo.ne.jp", "bounced", "syntaxerror", "end of data"),
    ("unknown-1@ezweb.ne.jp", "bounced", "userunknown", "rcpt"),
    ("filtered-1@ezweb.ne.jp", "filtered", "filtered", "end of data"),
    ("unknown-1@au.com", "bounced", "userunknown", "rcpt"),
    ("unknown-1@uqmobile.jp", "bounced", "userunknown", "rcpt"),
    ("filtered-1@au.com", "filtered", "filtered", "end of data"),
    ("unknown-1@softbank.ne.jp", "bounced", "userunknown", "rcpt"),
    ("unknown-1@t.vodafone.ne.jp", "bounced", "userunknown", "rcpt"),
    # A fault of ours: every recipient hears it, and none of them is a bad address.
    ("nodomain-1@softbank.ne.jp", "bounced", "rejected", "rcpt"),
)


def test_refusals_of_recipients_and_messages():
    ours, net = up()
    for address, _, _, _ in SAID:
        send(ours, address)
    for address, event, reason, stage in SAID:
        settled(ours, address, event, reason=reason, stage=stage)
        h.equal(len(net.journal.wait_refused(address)), 1, f"refusals of {address}")
    ours.wait_empty()
    h.equal(counted(ours, "docomo")["bounced"], 2, "bounced of docomo")
    h.equal(counted(ours, "docomo")["filtered"], 1, "filtered of docomo")
    h.equal(counted(ours, "au")["bounced"], 3, "bounced of au")
    h.equal(counted(ours, "au")["filtered"], 2, "filtered of au")
    h.equal(counted(ours, "softbank")["bounced"], 3, "bounced of softbank")
    # SoftBank takes what its user's filter refuses, and drops it: nobody hears of it.
    send(ours, "filtered-1@softbank.ne.jp")
    settled(ours, "filtered-1@softbank.ne.jp", "delivered", code="250")


def test_a_full_mailbox_is_no_end():
    """552 Too much mail data: a 5xx that is not for ever."""
    ours, net = up()
    send(ours, "full-1@docomo.ne.jp")
    net.journal.wait_refused("full-1@docomo.ne.jp", 2)
    h.equal(ours.attempts("deferred", "full-1@docomo.ne.jp")[0]["reason"], "mailboxfull", "reason")
    h.equal(ours.finals("full-1@docomo.ne.jp"), [], "final lines")
    h.equal(counted(ours, "docomo")["bounced"], 0, "bounced of docomo")


def test_too_many_recipients_is_split():
    """552 Too many recipients: at once with fewer, and nobody has spent an attempt."""
    ours, net = up()
    net.control("set docomo rcpts-message 4")
    to = [f"u{i}@docomo.ne.jp" for i in range(10)]
    with h.smtp(ours.port("relay")) as s:
        s.sendmail(SENDER, to, h.message())
    for address in to:
        net.journal.wait_delivered(address)
        settled(ours, address, "delivered")
    h.check(ours.log.events("lane_splits"), "no lane has split")
    h.equal(ours.total("bounced"), 0, "bounced")
    h.equal(sorted(r["to"] for _, r in net.journal.recipients()), sorted(to), "each once")


def test_one_recipient_is_too_many():
    """552 Too many recipients to one alone: it cannot be split, so the lane rests."""
    ours, net = up()
    send(ours, "toomany-1@docomo.ne.jp")
    rest = lane_event(ours, "lane_rests", "docomo")
    h.check("oo many recipients" in rest["why"], rest["line"])
    h.equal(ours.log.events("lane_splits"), [], "splits")
    h.equal(ours.total("bounced"), 0, "bounced")


def test_a_lost_session_is_sent_again():
    """554:Transaction failed: what the session had taken before is lost, so it is sent again."""
    ours, net = up(shapes="shape group docomo connections 1 recipients 1/message messages 100\n")
    net.control("set docomo rcpts-session 6")
    to = [f"u{i}@docomo.ne.jp" for i in range(20)]
    for address in to:
        send(ours, address)
    for address in to:
        net.journal.wait_delivered(address)
    ours.wait_empty()
    withdrawn = net.journal.events("withdrawn")
    h.check(withdrawn, "the sandbox has withdrawn nothing")
    h.equal(len(ours.log.events("withdrawn")), len(withdrawn), "withdrawn on both sides")
    h.equal(sorted(r["to"] for _, r in net.journal.recipients()), sorted(to), "each once")
    h.equal(ours.total("bounced") + ours.total("expired"), 0, "bounced and expired")
    h.equal(ours.total("accepted"), len(to) + len(withdrawn), "accepted")
    h.equal(ours.total("delivered"), len(to) + len(withdrawn), "delivered")


def test_a_hundred_recipients_of_a_session():
    """Never a 101st, whatever else a shape says."""
    ours, net = up(shapes="shape group docomo recipients 7/message messages 1000\n")
    to = [f"u{i}@docomo.ne.jp" for i in range(330)]
    for i in range(0, len(to), 30):
        send(ours, *to[i:i + 30])
    ours.wait_empty()
    h.equal(net.journal.events("withdrawn"), [], "withdrawn")
    ours.stop()
    net.journal.wait(lambda _: sum(s["rcpts"] for s in net.journal.events("session")) >= len(to),
                     "the ends of all sessions")
    sessions = net.journal.events("session")
    h.check(max(s["rcpts"] for s in sessions) <= 100,
            f"recipients of sessions: {[s['rcpts'] for s in sessions]}")
    h.equal(len(list(net.journal.recipients())), len(to), "delivered")


def block(mood, host, address, group, **want):
    """A block at connect: the lane rests, the recipient waits and is delivered afterwards."""
    ours, net = up()
    net.control(f"set {host} mood {mood}")
    send(ours, address)
    rests = lane_event(ours, "lane_rests", group)
    deferred = ours.log.wait(lambda _: ours.attempts("deferred", address), "a deferral")[0]
    for key, value in want.items():
        h.equal(deferred.get(key), value, f"{key}: {deferred['line']}")
    tried = len(net.journal.events("connect"))
    # Nobody of the group goes near it while it rests, and other groups go on.
    send(ours, address.replace("taro", "jiro"))
    send(ours, "hanako@softbank.ne.jp" if group != "softbank" else "hanako@docomo.ne.jp")
    ours.log.wait(lambda _: ours.finals("hanako@softbank.ne.jp") or
                  ours.finals("hanako@docomo.ne.jp"), "another carrier's mail")
    h.equal(len(net.journal.events("connect")), tried + 1, "connections")
    rows = [r for r in ours.json("queue lanes") if r.get("group") == group]
    h.check(rows and rows[0]["state"].startswith("resting"), f"lane: {rows}")
    net.control(f"set {host} mood normal")
    ours.cli("queue retry", "--all")
    for name in ("taro", "jiro"):
        net.journal.wait_delivered(address.replace("taro", name))
    h.equal(counted(ours, deferred["carrier"])["bounced"], 0, "bounced")
    return rests


def test_docomo_421_at_connect_is_a_block():
    rests = block("refuse421", "docomo", "taro@docomo.ne.jp", "docomo", reason="blocked",
                  stage="connect", code="421")
    h.check(float(rests["rest"].rstrip("ms")) > 0, rests["line"])


def test_au_reset_is_a_block():
    block("reset", "ezweb", "taro@ezweb.ne.jp", "kddi", reason="blocked", stage="connect")


def test_yahoo_wants_an_hour():
    block("tss04", "yahoo", "taro@yahoo.ne.jp", "yahoo", reason="blocked", code="421")


def test_yahoo_553_is_for_a_time():
    """A 553 with the word "deferred" bounces nobody."""
    ours, net = up()
    net.control("set yahoo mood vs98")
    send(ours, "taro@yahoo.ne.jp")
    lane_event(ours, "lane_rests", "yahoo")
    net.control("set yahoo mood normal")
    ours.cli("queue retry", "--all")
    net.journal.wait_delivered("taro@yahoo.ne.jp")


def test_a_bare_421_until_the_end_is_unknown():
    """y-mobile.ne.jp says 421 and no word of an address that is not there."""
    ours, net = up(shapes="shape group softbank retry 1s expiry 3s\n")
    send(ours, "unknown-1@y-mobile.ne.jp")
    settled(ours, "unknown-1@y-mobile.ne.jp", "expired", reason="userunknown")
    net.journal.wait_refused("unknown-1@y-mobile.ne.jp", 2)
    # Others of the carrier do not wait for it.
    send(ours, "taro@y-mobile.ne.jp")
    settled(ours, "taro@y-mobile.ne.jp", "delivered")
    h.equal(counted(ours, "ymobile")["bounced"], 0, "bounced of ymobile")


def test_a_line_too_long():
    """500 Line Too Long, where the form is not looked at beforehand."""
    ours, net = up(shapes="shape group docomo unfit send\n")
    send(ours, "taro@docomo.ne.jp", body="x" * 1100)
    settled(ours, "taro@docomo.ne.jp", "bounced", reason="syntaxerror", code="500")


def test_the_other_form_of_a_local_part():
    """Quoted is refused for its form: raw once, and the other way round; both: it bounces."""
    for quote, refused in (("quote", "quoted"), ("raw", "rawdots")):
        ours, net = up(shapes=f"shape group docomo {quote}\n")
        net.control(f"set docomo {refused} off")
        send(ours, "a..b@docomo.ne.jp")
        settled(ours, "a..b@docomo.ne.jp", "delivered", attempts="2")
        other = "rawdots" if refused == "quoted" else "quoted"
        net.control(f"set docomo {other} off")
        send(ours, "c..d@docomo.ne.jp")
        settled(ours, "c..d@docomo.ne.jp", "bounced", reason="syntaxerror", attempts="2")
        ours.stop()


def most_in_a_window(net, host, length):
    """The most recipients that any window of so many ms holds, as the peer saw them."""
    at = sorted(r for m, r in ((m, m["ms"]) for m in net.journal.messages() if m["host"] == host)
                for _ in m["rcpt"])
    most = first = 0
    for last, ms in enumerate(at):
        while ms - at[first] >= length:
            first += 1
        most = max(most, last - first + 1)
    return most


def test_no_window_exceeds_the_shape():
    """At the peer, in any window; over reloads, a kill -9 and a restart, with a slow peer."""
    ours, net = up(shapes="shape group docomo rate 8/s connections 4 messages 5\n")
    net.control("set docomo delay 30")
    to = [f"u{i}@docomo.ne.jp" for i in range(60)]
    for i, address in enumerate(to):
        send(ours, address)
        if i == 20:
            ours.cli("reload")
    h.wait_until(lambda: len(net.journal.delivered()) >= 15, "the first 15")
    ours.kill9()
    ours = Oiwake(ours.config)
    h.wait_until(lambda: len(net.journal.delivered()) >= 30, "30")
    ours.stop()
    ours = Oiwake(ours.config)
    ours.wait_empty()
    h.equal({r["to"] for _, r in net.journal.recipients()}, set(to), "delivered")
    h.check(most_in_a_window(net, "docomo", 1000) <= 8,
            f"{most_in_a_window(net, 'docomo', 1000)} in a second")


def test_a_limit_per_day_outlives_a_restart():
    ours, net = up(shapes="shape group kddi rate 5/day connections 4\n")
    for i in range(9):
        send(ours, f"u{i}@ezweb.ne.jp")
    ours.log.wait(lambda _: ours.log.events("delivered"), "the first")
    for n in range(8 if ON_POSTGRES else 2):
        if n % 2:
            ours.stop()
        else:
            ours.kill9()
        ours = Oiwake(ours.config)
        other = f"after-{n}@docomo.ne.jp"
        send(ours, other)
        ours.log.wait(lambda _: ours.finals(other), "another carrier's mail")
    # Five a day, evenly: the second is hours away. Of many nodes all know how many have gone, and each is even for
    # as long as it runs.
    gone = len(net.journal.delivered(host="ezweb"))
    h.check(gone <= 5 if ON_POSTGRES else gone == 1, f"{gone} delivered")
    h.check(ours.queue_size() >= 9 - gone, f"{ours.queue_size()} queued")


def test_a_peer_that_pushes_back_is_slowed():
    """421 at MAIL on one of several connections: fewer of them, and slowly more again."""
    ours, net = up(shapes="shape group docomo connections 8 messages 100\n"
                   'reply docomo mail 421 retry toomanyconn slow\n')
    net.control("set docomo connections 2")
    for i in range(40):
        send(ours, f"u{i}@docomo.ne.jp")
    ours.wait_empty()
    h.equal(len(list(net.journal.recipients())), 40, "delivered")
    h.equal(ours.total("bounced"), 0, "bounced")


if __name__ == "__main__":
    h.main()
