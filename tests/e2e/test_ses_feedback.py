"""What SES tells of its mail is settled once, by SQS and by SNS (time limit: 300 s).

The sandbox's journal says what SES took and what it told; the counters must say the same.
"""

import collections
import json
import time

import harness as h
from oiwake import Config, Oiwake, Sandbox

BY_SES = "route odd to any and local-part irregular via mta\nroute all to any via ses\n"
ENDS = ("bounced", "filtered", "expired", "suppressed")

# What becomes of a recipient by the word it begins with: the counter, and the events besides Send.
FATES = {
    "user": ("delivered", ("Delivery",)),
    "bounce": ("bounced", ("Bounce",)),
    "unknown": ("bounced", ("Bounce",)),
    "nomail": ("bounced", ("Bounce",)),
    "suppressedglobal": ("bounced", ("Bounce",)),
    "suppressedtenant": ("suppressed", ("Suppressed",)),
    "suppressedinvalid": ("suppressed", ("Suppressed",)),
    "full": ("bounced", ("Bounce",)),
    "toolarge": ("bounced", ("Bounce",)),
    "content": ("filtered", ("Bounce",)),
    "attachment": ("filtered", ("Bounce",)),
    "expired": ("expired", ("Expired",)),
    "expiredcustom": ("expired", ("Expired",)),
    "undetermined": ("bounced", ("Bounce",)),
    "complaint": ("delivered", ("Complaint", "Delivery")),
    "notspam": ("delivered", ("Delivery", "Note")),
    "ooto": ("delivered", ("Delivery", "Note")),
    "delay": ("delivered", ("Delivery", "DeliveryDelay")),
    "delayfull": ("delivered", ("Delivery", "DeliveryDelay")),
    "delayip": ("delivered", ("Delivery", "DeliveryDelay")),
    "reject": ("bounced", ("Reject",)),
    "nothing": (None, ()),
}
# A carrier's own words, at SES: au's filter answers like an unknown user, but names nobody.
CARRIERS = {
    "unknown@docomo.ne.jp": "bounced",
    "unknown@au.com": "bounced",
    "filtered@au.com": "filtered",
}


def addresses(domain="example.com"):
    return [f"{word}@{domain}" for word in FATES]


def expected(addresses):
    """The counters that mail to these comes to."""
    n = collections.Counter()
    for a in addresses:
        counter, events = FATES[a.split("@")[0].split("+")[0]] if a not in CARRIERS else (
            CARRIERS[a], ("Bounce",))
        n["accepted"] += 1
        n["sent"] += 1
        n["complained"] += "Complaint" in events
        if counter:
            n[counter] += 1
            n["returned"] += counter in ENDS
    return {k: v for k, v in n.items() if v}


# A queue for a path that has no keys to share.
SQS = """
sqs "events" {{
	queue = "{queue_url}"
	region = "{region}"
	endpoint = "{endpoint}"
	ca-file = "{ca}"
	credentials = static
	access-key = "{access_key}"
	secret-key-file = "{secret}"
	wait = 2s
}}
"""

KEYS = ("accepted", "sent", "delivered", *ENDS, "complained", "returned", "removed", "queued")


def counters(ours, path="ses"):
    rows = [r for r in ours.stats("path") if r["path"] == path]
    return {k: rows[0][k] for k in KEYS if rows and rows[0][k]}


def check_law(row):
    n = collections.Counter(row)
    h.equal(n["accepted"] + n["returned"], n["sent"] + n["removed"] + n["queued"] + sum(n[k] for k in ENDS),
            f"accepted + returned and where they went, of {row}")


def wait_counters(ours, want, limit=None):
    h.wait_until(lambda: counters(ours) == want,
                 lambda: f"the counters {want}, they are {counters(ours)}", limit, pause=0.1)
    check_law(want)


def send(ours, recipients, sender="info@news.test"):
    with h.smtp(ours.port("relay")) as s:
        s.sendmail(sender, recipients, h.message())


def status(ours):
    """What `oiwake ses status` says: paths, queues, and the feedback's counts."""
    rows = ours.json("ses status", status=None)
    return ([r for r in rows if "path" in r], [r for r in rows if "queue" in r], rows[-1])


def feedback(ours):
    return status(ours)[2]


def queue_is_empty(net, name="ses-events"):
    q = net.control("get sqs")["queues"][name]
    return q["waiting"] + q["in_flight"] == 0


def wait_queue_empty(net, limit=None):
    h.wait_until(lambda: queue_is_empty(net), lambda: f"an empty queue at SQS: {net.control('get sqs')}",
                 limit, pause=0.1)


def up(settings=(), sqs="\tvisibility = 1s", routes=BY_SES, extra="", **more):
    net = Sandbox(keep=False)
    for line in ("set ses suppressed-reasons ", *settings):
        net.control(line)
    config = Config(net, ses="api", rate=0, routes=routes, sqs=sqs, dkim=False, **more)
    config.text += extra
    config.save()
    return net, Oiwake(config)


def events_of(ours, message):
    """Of each recipient the names of its events, sorted."""
    found = collections.defaultdict(list)
    for e in (e for shown in ours.json("queue show", message, status=None) for e in shown["events"]):
        found[e["to"]].append(e["event"])
    return {to: tuple(sorted(names)) for to, names in found.items()}


def check_events(ours, recipients):
    """Each has the events of its word, once."""
    message = ours.log.events("accepted")[0]["id"]
    want = {a: tuple(sorted(("Send", *FATES[a.split("@")[0]][1]))) for a in recipients}

    def others():
        got = events_of(ours, message)
        return {a: got.get(a) for a in want if got.get(a) != want[a]}

    # In PostgreSQL the log is read up to the oldest transaction that is under way, of any database of the server.
    h.wait_until(lambda: not others(), lambda: f"no events other than those of the word: {others()}", pause=0.1)


def check_once(net, recipients):
    n = collections.Counter(r["to"] for _, r in net.journal.recipients())
    h.equal(n, collections.Counter(recipients), "copies at SES")


# -- by SQS ------------------------------------------------------------------------------------

def settle_all(settings=(), sqs="\tvisibility = 1s", after=()):
    net, ours = up(settings, sqs)
    to = addresses()
    send(ours, to)
    ours.wait_empty()
    for line in after:
        net.control(line)
    wait_counters(ours, expected(to))
    wait_queue_empty(net)
    h.equal(counters(ours), expected(to), "counters, when all is told")
    check_events(ours, to)
    check_once(net, to)
    n = feedback(ours)
    h.equal((n["lettered"], n["trouble"], n["pending"]), (0, 0, 0), f"feedback {n}")
    ours.stop()
    return net, ours


def test_every_fate():
    """Every fate of a recipient comes to its counter and its events"""
    net, ours = up()
    to = addresses()
    send(ours, to)
    ours.wait_empty()
    wait_counters(ours, expected(to))
    check_events(ours, to)
    send(ours, list(CARRIERS))
    wait_counters(ours, expected([*to, *CARRIERS]))
    wait_queue_empty(net)
    h.equal(counters(ours), expected([*to, *CARRIERS]), "counters, when all is told")
    ours.stop()


def test_shuffled_and_twice():
    """Events out of order, three times each: counted once"""
    settle_all(("set events order shuffled", "set events duplicates 2"))


def test_before_the_answer():
    """Events that come before SES has said 200, out of order and twice"""
    settle_all(("set events early on", "set events order shuffled", "set events duplicates 1"))


def test_late():
    """Events long after the mail has left the queue, twice"""
    settle_all(("set events late on", "set events duplicates 1"), after=("set events late off",))


def test_notifications_besides():
    """The identity's notifications beside the events, which carry no tag of ours: counted once"""
    settle_all(("set events notifications on",))


def test_notifications_first():
    """The notifications before the answer to the request, when nobody knows SES's id yet"""
    settle_all(("set events notifications on", "set events early on", "set events order shuffled"))


def test_raw_delivery():
    """SQS brings the events without SNS's envelope"""
    settle_all(("set sqs raw on", "set events duplicates 1"))


def test_mail_by_smtp():
    """Mail that went by SES's SMTP carries our tag and set in its header, and is told of all the same"""
    net = Sandbox(keep=False)
    for line in ("set ses suppressed-reasons ", "set events order shuffled", "set events duplicates 1"):
        net.control(line)
    far = net.said["aws"]
    config = Config(net, rate=0, routes=BY_SES, dkim=False)
    config.text = config.text.replace("transport = smtp\n", "transport = smtp\n\tconfiguration-set = events\n")
    config.text += SQS.format(secret=config.write("secret", far["secret_key"] + "\n", 0o600), ca=net.ca, **far)
    config.save()
    ours = Oiwake(config)
    to = addresses()
    send(ours, to)
    ours.wait_empty()
    wait_counters(ours, expected(to))
    wait_queue_empty(net)
    h.equal(counters(ours), expected(to), "counters, when all is told")
    check_events(ours, to)
    h.equal({m["transport"] for m, _ in net.journal.recipients()}, {"smtp"}, "transports")
    ours.stop()


# -- kill -9 -----------------------------------------------------------------------------------

def mixed(count):
    words = [w for w in FATES if w not in ("nothing",)]
    return [f"{words[i % len(words)]}+{i}@example.com" for i in range(count)]


def check_journal(net, ours, recipients):
    """The counters are what the sandbox's journal of events says."""
    told = collections.defaultdict(set)
    for e in net.journal.events("event"):
        for to in e["to"]:
            told[to].add(e["type"])
    h.equal(set(told), set(recipients), "recipients that SES told of")
    h.equal(sum("Delivery" in t for t in told.values()), expected(recipients)["delivered"],
            "delivered by the journal")
    h.equal(sum(bool(t & {"Bounce", "Reject"}) and "Delivery" not in t for t in told.values()),
            expected(recipients)["returned"], "returned by the journal")


def send_many(ours, recipients, each=500):
    with h.smtp(ours.port("relay")) as s:
        for i in range(0, len(recipients), each):
            s.sendmail("info@news.test", recipients[i:i + each], h.message())


def done(ours):
    n = feedback(ours)
    return n["settled"] + n["known"]


def test_kill_while_settling():
    """kill -9 again and again while thousands of events are settled: none lost, none counted twice"""
    net, ours = up(("set events late on", "set events duplicates 1"), sqs="\tvisibility = 2s\n\tpollers = 4")
    to = mixed(2000)
    send_many(ours, to)
    ours.wait_empty(limit=40)
    net.control("set events late off")
    for _ in range(6):
        h.wait_until(lambda: done(ours) > 150, "events that are settled", limit=30, pause=0.01)
        ours.kill9()
        h.check(not queue_is_empty(net), "events are left")
        ours.start()
    wait_counters(ours, expected(to), limit=60)
    wait_queue_empty(net, limit=60)
    h.equal(counters(ours), expected(to), "counters, when the queue is empty")
    check_journal(net, ours, to)
    check_once(net, to)
    h.equal(feedback(ours)["lettered"], 0, "dead letters")
    ours.stop()


def test_kill_while_sending():
    """kill -9 while mail goes out and events come in: each counted once, twice at SES only what was unread"""
    net, ours = up(("set events duplicates 1",), shapes="shape path ses retry 15s")
    to = mixed(1500)
    net.control("set aws latency 20")
    send_many(ours, to)
    for part in range(1, 5):
        h.wait_until(lambda: len(net.journal.events("message")) > part * 250, "mail at SES", pause=0.01)
        ours.kill9()
        ours.start()
    ours.wait_empty(limit=60)
    wait_counters(ours, expected(to), limit=60)
    wait_queue_empty(net, limit=60)
    h.equal(counters(ours), expected(to), "counters, when the queue is empty")
    copies = collections.Counter(r["to"] for _, r in net.journal.recipients())
    h.equal(set(copies), set(to), "recipients at SES")
    twice = [a for a, n in copies.items() if n > 1]
    unread = {e.get("to") for e in ours.log.events("unread")}
    h.equal([a for a in twice if a not in unread], [], "sent twice though their answers were read")
    h.check(len(twice) <= len(unread) / 2, f"{len(twice)} of {len(unread)} were sent again at once, though the "
            "proof that they had arrived lay in the queue")
    h.note(f"{len(unread)} unread, {len(twice)} sent twice")
    ours.stop()


# -- the answer unread -------------------------------------------------------------------------

def unread(ours):
    return sum(r["unread"] for r in ours.stats("path"))


def test_unread_then_told():
    """The answer is lost: unread, not sent again before its time; the event settles it as sent"""
    net, ours = up(("set events late on", "set aws mood closedot"), shapes="shape path ses retry 1h")
    to = ["user@example.com", "bounce@example.com", "complaint@example.com"]
    send(ours, to)
    h.wait_until(lambda: unread(ours) == 3, lambda: f"three unread, there are {unread(ours)}")
    h.equal((ours.queue_size(), counters(ours).get("sent")), (3, None), "they wait")
    net.control("set aws mood normal")
    net.control("set events late off")
    ours.wait_empty()
    wait_counters(ours, expected(to))
    wait_queue_empty(net)
    check_once(net, to)
    h.equal(unread(ours), 3, "unread")
    ours.stop()


def test_unread_and_nothing_told():
    """The answer is lost and nothing is told: sent again by the rules, and counted once all the same"""
    drops = [f"set events drop {t} on" for t in ("Send", "Delivery", "Bounce")]
    net, ours = up(("set aws mood rstdot", *drops))
    send(ours, ["user@example.com"])
    h.wait_until(lambda: unread(ours) == 1, "one unread")
    net.control("set aws mood normal")
    ours.wait_empty()
    copies = len(net.journal.delivered("user@example.com"))
    h.check(copies >= 2, f"{copies} copies")
    h.equal(unread(ours), copies - 1, "unread")
    wait_counters(ours, {"accepted": 1, "sent": 1})
    ours.stop()


def test_told_while_it_is_sent_again():
    """The event comes while the second copy is on its way: sent once in the counters"""
    net, ours = up(("set events late on", "set aws mood closedot"))
    send(ours, ["user@example.com"])
    h.wait_until(lambda: unread(ours) >= 1, "one unread")
    net.control("set aws mood slow3000")
    h.wait_until(lambda: any(l["sending"] for l in ours.json("queue lanes")), "on its way again")
    net.control("set events late off")
    wait_counters(ours, expected(["user@example.com"]))
    wait_queue_empty(net)
    h.equal(counters(ours), expected(["user@example.com"]), "counters in the end")
    ours.stop()


def test_told_after_its_end_here():
    """Unread until it expires here, and told of afterwards: sent and returned, so that the sum holds"""
    net, ours = up(("set events late on", "set aws mood closedot"), shapes="shape path ses retry 2s expiry 3s")
    to = ["user@example.com", "bounce@example.com"]
    send(ours, to)
    ours.log.wait(lambda _: len(ours.log.events("expired")) == 2, "both expired")
    h.equal(counters(ours), {"accepted": 2, "expired": 2}, "counters without the events")
    net.control("set aws mood normal")
    net.control("set events late off")
    wait_counters(ours, {"accepted": 2, "sent": 2, "expired": 2, "returned": 2})
    wait_queue_empty(net)
    h.equal(counters(ours)["returned"], 2, "returned, when all is told")
    h.equal(letters(ours), [], "letters")
    ours.stop()


def test_told_after_it_was_deleted():
    """Unread, deleted by an operator, and told of afterwards: sent and returned, and no letter"""
    net, ours = up(("set events late on", "set aws mood closedot"), shapes="shape path ses retry 1h")
    send(ours, ["user@example.com"])
    h.wait_until(lambda: unread(ours) == 1, "one unread")
    ours.cli("queue delete", "--to", "user@example.com")
    h.equal(counters(ours), {"accepted": 1, "removed": 1}, "counters without the event")
    net.control("set events late off")
    wait_counters(ours, {"accepted": 1, "sent": 1, "removed": 1, "returned": 1})
    wait_queue_empty(net)
    h.equal(letters(ours), [], "letters")
    ours.stop()


def test_not_sent_is_tried_again():
    """Nobody at the port: what was not sent is tried again and is not unread"""
    net, ours = up(("set aws mood down",))
    send(ours, ["user@example.com"])
    ours.log.wait(lambda _: ours.attempts("deferred", "user@example.com"), "deferred")
    h.equal(unread(ours), 0, "unread")
    net.control("set aws mood normal")
    ours.wait_empty()
    wait_counters(ours, expected(["user@example.com"]))
    check_once(net, ["user@example.com"])
    ours.stop()


# -- by SNS ------------------------------------------------------------------------------------

FORGERIES = ("body", "signature", "cert-url", "cert-host", "impostor", "topic", "old", "future", "raw",
             "subscribe-url", "version", "half", "huge", "replay")


def up_sns(tls=False, version=1, queue="other"):
    """Events by SNS alone: those for SQS go to a queue that nobody looks at, unless another is said."""
    net = Sandbox(keep=False)
    for line in ("set ses suppressed-reasons ", f"sqs create {queue}", f"set sqs events {queue}",
                 "set sns retry 100", "set sns retries 20"):
        net.control(line)
    aws, port = net.said["aws"], h.free_port()
    config = Config(net, ses="api", rate=0, routes=BY_SES, dkim=False)
    text = f'sns {{\n\ttopics = {{ "{aws["topic_arn"]}" }}\n\tsignature-version = {version}\n' \
           f'\tca-file = "{net.ca}"\n\tconnect-address = "{aws["address"]}:{aws["port"]}"\n}}\n' \
           f'web "hooks" {{\n\taddress = "127.0.0.1:{port}"\n\tserve = {{ sns }}\n'
    if tls:  # without, it is in clear, as loopback may be
        text += f'\tcertificate = "{config.top}/cert.pem"\n\tkey = "{config.top}/key.pem"\n'
    config.text += text + "}\n"
    config.save()
    return net, Oiwake(config), f"{'https' if tls else 'http'}://127.0.0.1:{port}/sns"


def subscribe(net, url):
    net.control(f"sns subscribe {url}")
    net.journal.wait(lambda _: net.journal.events("sns-confirmed"),
                     lambda: f"our confirmation: {net.journal.events('sns-post')[-3:]}")
    h.equal(net.control("get sns")["subscriptions"], {url: "confirmed"}, "subscriptions")


def posts(net, **want):
    return [j for j in net.journal.events("sns-post") if all(j[k] == v for k, v in want.items())]


def sns_settles(version, tls):
    net, ours, url = up_sns(tls, version)
    net.control(f"set sns version {version}")
    subscribe(net, url)
    to = addresses()
    send(ours, to)
    ours.wait_empty()
    wait_counters(ours, expected(to))
    check_events(ours, to)
    return net, ours


def test_sns_clear():
    """Posts of signature version 1 on loopback without TLS; 14 forgeries refused and nothing counted"""
    net, ours = sns_settles(1, tls=False)
    h.wait_until(lambda: net.control("get sns")["waiting"] == 0, "all is posted")
    before, taken = counters(ours), feedback(ours)["taken"]
    for what in FORGERIES:
        net.control(f"set sns forge {what}")
        net.journal.wait(lambda _: posts(net, forged=what), f"the post of {what}")
        got = posts(net, forged=what)[0]["status"]
        if what == "replay":
            h.equal(got, 200, "a replay is taken for what it is")
        elif what == "impostor":
            h.equal(got, 503, "a certificate that nobody vouches for: there may be a better one later")
        else:
            # Too large is answered and cut off at once: who still sends then may see only the cut.
            refused = (400, 403, 413, 0) if what == "huge" else (400, 403, 413)
            h.check(got in refused, f"{what}: {posts(net, forged=what)[0]}")
    h.equal(counters(ours), before, "counters")
    h.equal(feedback(ours)["taken"], taken, "messages taken")
    h.equal(ours.json("ses letters"), [], "dead letters")
    reasons = {e["reason"] for e in ours.log.events("sns-refused")}
    h.equal(len(reasons), 7, f"different reasons in the log: {reasons}")
    ours.stop()


def test_sns_tls_version_2():
    """Posts of version 2 over TLS; events twice and out of order; version 1 is refused"""
    net, ours, url = up_sns(True, 2)
    for line in ("set sns version 2", "set events duplicates 1", "set events order shuffled",
                 "set events early on"):
        net.control(line)
    subscribe(net, url)
    to = addresses()
    send(ours, to)
    ours.wait_empty()
    wait_counters(ours, expected(to), limit=40)
    check_events(ours, to)
    h.wait_until(lambda: not net.control("get sns")["waiting"], "all is posted")
    net.control("set sns version 1")
    net.control("set events early off")
    send(ours, ["bounce@example.org"])
    net.journal.wait(lambda _: posts(net, status=403), "version 1 refused")
    ours.wait_empty()
    after = collections.Counter(expected(to))
    after.update(accepted=1, sent=1)
    h.equal(counters(ours), dict(after), "counters")
    ours.stop()


def test_by_both():
    """The same events by SNS and by SQS: counted once"""
    net, ours, url = up_sns(True, 2, "ses-events")
    net.control("set sns version 2")
    subscribe(net, url)
    to = addresses()
    send(ours, to)
    ours.wait_empty()
    wait_counters(ours, expected(to))
    wait_queue_empty(net)
    h.wait_until(lambda: not net.control("get sns")["waiting"], "all is posted")
    h.equal(counters(ours), expected(to), "counters, when all is told")
    check_events(ours, to)
    ours.stop()


# -- what is odd at SQS ------------------------------------------------------------------------

def letters(ours):
    return ours.json("ses letters")


def test_foreign_messages():
    """What is no event, or about nobody's mail, becomes a dead letter; an operator removes it"""
    net, ours = up()
    net.control('sqs send ses-events 1 hello')
    net.control('sqs send ses-events 1 {"Records":[{"eventSource":"aws:s3"}]}')
    stranger = {"eventType": "Delivery", "mail": {
        "timestamp": "2026-01-01T00:00:00.000Z", "messageId": "0106-nobody", "source": "a@b.test",
        "destination": ["x@y.test"]}, "delivery": {"recipients": ["x@y.test"],
                                                   "timestamp": "2026-01-01T00:00:00.000Z"}}
    net.control("sqs send ses-events 1 " + json.dumps(stranger))
    h.wait_until(lambda: len(letters(ours)) == 3, lambda: f"three letters: {letters(ours)}")
    wait_queue_empty(net)
    found = {l["body"][:20]: l["why"] for l in letters(ours)}
    h.check(found["hello"], f"a reason: {found}")
    h.check("nobody knows" in found[json.dumps(stranger)[:20]], f"a reason: {found}")
    first = letters(ours)[0]["seq"]
    ours.cli("ses letters remove", str(first))
    h.equal([l["seq"] > first for l in letters(ours)], [True, True], "letters left")
    ours.cli("ses letters remove", str(first), status=1)
    ours.cli("ses letters remove", "--all")
    h.equal(letters(ours), [], "letters")
    h.equal(counters(ours), {}, "counters")
    ours.stop()


def test_stranger_is_early_first():
    """News of a young message that nobody knows is waited with, and a letter after five receipts"""
    net, ours = up()
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    net.control("sqs send ses-events 1 " + json.dumps({
        "eventType": "Delivery", "mail": {"timestamp": now, "messageId": "0106-young", "source": "a@b.test",
                                          "destination": ["x@y.test"]},
        "delivery": {"recipients": ["x@y.test"], "timestamp": now}}))
    h.wait_until(lambda: feedback(ours)["early"] >= 1, "early")
    h.equal(letters(ours), [], "no letter yet")
    h.wait_until(lambda: letters(ours), lambda: f"a letter: {feedback(ours)}", pause=0.2)
    h.equal(feedback(ours)["early"], 5, "times early")
    wait_queue_empty(net)
    ours.stop()


def test_the_same_for_ever():
    """A queue that gives what was deleted again and again: counted once, and not asked in a rush"""
    net, ours = up(("set sqs mood same",))
    to = ["user@example.com", "bounce@example.com"]
    send(ours, to)
    ours.wait_empty()
    h.wait_until(lambda: feedback(ours)["known"] >= 30, "the same again")
    h.equal(counters(ours), expected(to), "counters")
    check_events(ours, to)
    h.equal(letters(ours), [], "letters")
    ours.stop()


def queue_trouble(ours):
    return status(ours)[1][0]["trouble"]


def test_queue_in_trouble():
    """SQS fails in every way: said in `ses status`, and all is settled when it is well again"""
    net, ours = up()
    to = []
    for i, mood in enumerate(("error", "truncate", "garble", "close", "badgateway", "gone")):
        net.control(f"set sqs mood {mood}")
        to.append(f"bounce+{i}@example.com")
        send(ours, to[-1:])
        h.wait_until(lambda: queue_trouble(ours), f"trouble of mood {mood}", pause=0.1)
        ours.wait_empty()
        net.control("set sqs mood normal")
        wait_counters(ours, expected(to), limit=30)
        h.wait_until(lambda: not queue_trouble(ours), f"no trouble after {mood}", limit=30, pause=0.1)
    check_once(net, to)
    ours.stop()


def test_queue_answers_endlessly():
    """A 100 MB answer of SQS is cut off, in bounded memory, and late ones are waited for"""
    net, ours = up()
    before = ours.process.status("VmHWM")
    net.control("set sqs mood huge")
    h.wait_until(lambda: queue_trouble(ours), "trouble", pause=0.1)
    more = ours.process.status("VmHWM") - before
    h.check(h.SANITIZED or more < 60 * 1024, f"{more} KiB more for an answer of 100 MB")
    net.control("set sqs mood slow3000")
    send(ours, ["bounce@example.com"])
    wait_counters(ours, expected(["bounce@example.com"]), limit=30)
    net.control("set sqs mood normal")
    wait_queue_empty(net, limit=30)
    ours.stop()


if __name__ == "__main__":
    h.main()
