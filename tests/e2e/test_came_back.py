"""What came back: every way in which a recipient's end is told, and the application hears of it (time limit: 400 s).

The sandbox's carriers refuse, accept and tell later by mail, or say nothing; its SES tells by events.
Whatever the way: one outcome with one reason, counters and suppression moved once, and the application
told in SES's format. The sandbox's journal is the witness of what happened.
"""

import collections
import json
import random

import harness as h
from oiwake import Config, Oiwake, Sandbox
from receiver import HookReceiver, recipients

try:
    import django
    from django.conf import settings
except ImportError:
    django = None

BOUNCES = "bounce.oiwake.test"
SENDER = "info@news.test"
SECRET = bytes(range(32))
TOPIC = "arn:aws:sns:ap-northeast-1:123456789012:oiwake"

RETURN_PATH = """
return-path {{
	domain = "{domain}"
	key = "{key}"
	forward = no
	feedback = {{ "fbl" }}
	rate = 0
}}
"""

HOOK = """
hook "{name}" {{
	type = {type}
	url = "{url}"
	secret = "{secret}"
	retry = 100ms
	retry-max = 500ms
{more}
}}
"""

# What becomes of a recipient by its address: the counter that it ends in, the events that the application is
# told in their order (a bounce's with its type), and what it is suppressed for.
TOLD_LATER = ("Send", "Delivery")
HARD, FULL, CONTENT, SOFT = ("Bounce/Permanent/General", "Bounce/Transient/MailboxFull",
                             "Bounce/Transient/ContentRejected", "Bounce/Transient/General")
FATES = {
    # au accepts, and says later by mail, in Japanese
    "laterunknown@ezweb.ne.jp": ("bounced", (*TOLD_LATER, HARD), "userunknown"),
    "laterfull@au.com": ("bounced", (*TOLD_LATER, FULL), None),
    "laterlimited@au.com": ("bounced", (*TOLD_LATER, SOFT), None),
    "laterdisabled@uqmobile.jp": ("bounced", (*TOLD_LATER, SOFT), None),
    "laterfiltered@ezweb.ne.jp": ("filtered", (*TOLD_LATER, CONTENT), None),
    "laterexpired@au.com": ("expired", (*TOLD_LATER, SOFT), None),
    # docomo: the same words at RCPT and at the end of DATA, and only the first is about the address
    "unknown@docomo.ne.jp": ("bounced", (HARD,), "userunknown"),
    "filtered@docomo.ne.jp": ("filtered", (CONTENT,), None),
    # SoftBank accepts and drops, and nobody can know
    "filtered@softbank.ne.jp": ("delivered", TOLD_LATER, None),
    "complaint@softbank.ne.jp": ("delivered", (*TOLD_LATER, "Complaint"), "complaint"),
    "redacted@docomo.ne.jp": ("delivered", (*TOLD_LATER, "Complaint"), "complaint"),
    "vacation@docomo.ne.jp": ("delivered", TOLD_LATER, None),
    # anybody else, by RFC 3464
    "laterunknown@ordinary.test": ("bounced", (*TOLD_LATER, HARD), "userunknown"),
    "laterfull@ordinary.test": ("bounced", (*TOLD_LATER, FULL), None),
    "laterblocked@ordinary.test": ("bounced", (*TOLD_LATER, SOFT), None),
    "laterdelayed@ordinary.test": ("delivered", (*TOLD_LATER, "DeliveryDelay"), None),
    # Amazon
    "taro@example.com": ("delivered", TOLD_LATER, None),
    "bounce@example.com": ("bounced", ("Send", HARD), "userunknown"),
    "full@example.com": ("bounced", ("Send", FULL), None),
    "complaint@example.com": ("delivered", (*TOLD_LATER, "Complaint"), "complaint"),
}
AGAIN = "Bounce/Permanent/OnAccountSuppressionList"
ENDS = ("bounced", "filtered", "expired")
KEYS = ("accepted", "sent", "delivered", *ENDS, "suppressed", "complained", "returned", "removed", "queued")


def fate(address):
    """Of "laterfull-17@au.com" as of "laterfull@au.com"."""
    local, domain = address.split("@")
    return FATES[f"{local.split('-')[0]}@{domain}"]


def path_of(address):
    return "ses" if address.endswith("@example.com") else "mta"


def is_returned(address):
    """It had been sent before its end was known."""
    return fate(address)[0] in ENDS and "Send" in fate(address)[1]


def expected(addresses):
    """The counters by path that mail to these comes to, one message each."""
    n = collections.defaultdict(collections.Counter)
    for a in addresses:
        end, told, _ = fate(a)
        row = n[path_of(a)]
        row["accepted"] += 1
        row["sent"] += "Send" in told
        row[end] += 1
        row["complained"] += "Complaint" in told
        row["returned"] += is_returned(a)
    return {path: {k: v for k, v in row.items() if v} for path, row in n.items()}


def counters(ours):
    return {row["path"]: {k: row[k] for k in KEYS if row.get(k)}
            for row in ours.stats("path") if any(row.get(k) for k in KEYS)}


def check_law(ours):
    for row in ours.stats("path", "carrier"):
        h.equal(row["accepted"] + row["returned"],
                row["sent"] + row["suppressed"] + row["removed"] + row["queued"] + sum(row[k] for k in ENDS),
                f"accepted + returned and where they went, of {row}")


def wait_counters(ours, want, limit=None):
    h.wait_until(lambda: counters(ours) == want,
                 lambda: f"the counters {want}, they are {counters(ours)}", limit, pause=0.1)
    check_law(ours)


def suppressed(ours):
    """Address -> cause."""
    return {row["address"]: row["cause"] for row in ours.json("suppress list", "--limit", "5000")}


def kind(event):
    """As FATES names it."""
    if event["eventType"] != "Bounce":
        return event["eventType"]
    return f"Bounce/{event['bounce']['bounceType']}/{event['bounce']['bounceSubType']}"


class Told:
    """What a hook was told of each recipient: the first telling of each event, and how often there were more."""

    def __init__(self, hook):
        self.kinds = collections.defaultdict(list)
        self.ids, self.again = {}, 0
        for request in list(hook.requests):
            if not 200 <= (request.answered or 0) < 300:
                continue
            number = request.headers["webhook-id"]
            if number in self.ids:
                h.equal(request.body, self.ids[number].body, f"event {number}, told again")
                self.again += 1
                continue
            self.ids[number] = request
            for event in request.events():
                for to in recipients(event):
                    self.kinds[to].append(kind(event))


def wait_told(hook, want, order=tuple, limit=None):
    """Each recipient's events have come, and no other; in their order, unless `order` is sorted."""
    want = {a: order(kinds) for a, kinds in want.items()}

    def got():
        return {a: order(kinds) for a, kinds in Told(hook).kinds.items()}

    def what():
        have = got()
        return "events, where they differ (got, want): " + str(
            {a: (have.get(a), want.get(a)) for a in {*have, *want} if have.get(a) != want.get(a)})
    hook.wait_for(lambda _: got() == want, what, limit)


def up(start=True, hooks=(), copies=0, more="", **config):
    """(sandbox, product, receiver): what is to come back is held until `release`."""
    net = Sandbox(keep=False)
    config = Config(net, ses="api", dkim=False, sqs="\tvisibility = 2s", **{"rate": 0, **config})
    hook = HookReceiver(secret=SECRET)
    for line in (f"to 127.0.0.1:{config.ports['inbound']}", f"complaints fbl@{BOUNCES}", "delay 0", "late on",
                 "retry 50", f"copies {copies}", "connections 2"):
        net.control("set returns " + line)
    for line in (f"duplicates {copies}", "late on"):
        net.control("set events " + line)
    net.control("set ses suppressed-reasons ")
    key = config.write("return-path.key", "a secret for bounces, not short\n", 0o600)
    config.text += RETURN_PATH.format(domain=BOUNCES, key=key)
    for name, url, type, extra in (("app", hook.url, "webhook", ""), *hooks):
        config.text += HOOK.format(name=name, url=url, type=type, secret=SECRET.hex(), more=extra)
    config.text += more
    config.save()
    return net, Oiwake(config, start), hook


def send(ours, addresses, each=1):
    with h.smtp(ours.port("relay")) as s:
        for i in range(0, len(addresses), each):
            s.sendmail(SENDER, addresses[i:i + each], h.message(sender=SENDER, to=addresses[i]),
                       rcpt_options=["NOTIFY=NEVER"])


def release(net):
    net.control("set returns late off")
    net.control("set events late off")


def all_is_back(net):
    """Nothing is on its way to us any more."""
    back, queue = net.control("get returns"), net.control("get sqs")["queues"]["ses-events"]
    return back["waiting"] + queue["waiting"] + queue["in_flight"] == 0


def wait_all_back(net, limit=None):
    h.wait_until(lambda: all_is_back(net), lambda: f"all is back: {net.control('get returns')}", limit, pause=0.1)


def check_back_by_mail(net, addresses):
    """The sandbox sent what its recipients' words say, and all of it was taken."""
    taken = {e["of"] for e in net.journal.events("return") if e["accepted"]}
    h.equal(taken, {a for a in addresses if a.startswith(("later", "complaint", "redacted", "vacation"))
                    and path_of(a) == "mta"}, "recipients of whom something came back by mail")
    h.equal([e for e in net.journal.events("return") if e["code"] // 100 == 5], [], "mail that was refused")


# -- by every way ------------------------------------------------------------------------------

def every_way(copies):
    net, ours, hook = up(copies=copies)
    to = list(FATES)
    send(ours, to)
    ours.wait_empty()
    h.equal({a: c for a, c in suppressed(ours).items() if a != "unknown@docomo.ne.jp"}, {},
            "suppressed before anything came back")
    release(net)
    wait_counters(ours, expected(to))
    wait_all_back(net)
    wait_told(hook, {a: FATES[a][1] for a in to})
    h.equal(suppressed(ours), {a: FATES[a][2] for a in to if FATES[a][2]}, "who is suppressed, and why")
    check_back_by_mail(net, to)
    h.check(all(r.signed for r in hook.requests), "a request without a good signature")
    h.equal(ours.json("ses letters"), [], "dead letters")
    h.equal(counters(ours), expected(to), "counters, when all is back")
    return net, ours, hook


def test_every_way():
    """au later in ISO-2022-JP, docomo at RCPT and at DATA, SoftBank's silence, ARF, DSN, SES: each as specified"""
    net, ours, hook = every_way(0)
    last = net.journal.messages()[-1]["seq"]
    h.equal(Told(hook).again, 0, "events told twice")

    # Again to all: who is suppressed is accepted, and told of as SES does, and nobody connects for him.
    to = list(FATES)
    net.control("set returns late on")
    net.control("set events late on")
    want = expected(to)
    for a in to:
        row = want[path_of(a)]
        row["accepted"] += 1
        if FATES[a][2]:
            row["suppressed"] = row.get("suppressed", 0) + 1
        elif "Send" in FATES[a][1]:
            row["sent"] += 1
            if path_of(a) == "mta":
                row["delivered"] += 1
        else:
            row[FATES[a][0]] += 1
    send(ours, to)
    ours.wait_empty()
    wait_counters(ours, want)
    again = collections.Counter(r["to"] for m in net.journal.messages() if m["seq"] > last for r in m["rcpt"])
    h.equal([a for a in again if FATES[a][2]], [], "suppressed, and mail left for them")
    hook.wait_for(lambda r: {a for a in to if AGAIN in Told(r).kinds[a]} == {a for a in to if FATES[a][2]},
                  "a bounce of OnAccountSuppressionList for each who is suppressed")
    ours.stop()


def test_every_way_twice():
    """All that comes back comes three times: counted, suppressed and told of once"""
    _, ours, hook = every_way(2)
    h.equal(Told(hook).again, 0, "events told twice")
    ours.stop()


def test_told_of_what_was_unread():
    """The reply is lost, and what comes back by mail is the proof that it was sent: it is not sent again"""
    net, ours, hook = up(shapes="".join(f"shape group {g} retry 1h\n" for g in ("softbank", "docomo")))
    for host in ("softbank", "docomo"):
        net.control(f"set {host} mood closedot")
    to = ["complaint@softbank.ne.jp", "laterunknown@docomo.ne.jp", "laterdelayed@docomo.ne.jp"]
    send(ours, to)
    h.wait_until(lambda: ours.total("unread") == len(to), "replies that are lost")
    release(net)
    ours.wait_empty()
    wait_counters(ours, {"mta": {"accepted": 3, "sent": 3, "delivered": 2, "bounced": 1, "returned": 1,
                                 "complained": 1}})
    wait_told(hook, {to[0]: (*TOLD_LATER, "Complaint"), to[1]: (*TOLD_LATER, HARD),
                     to[2]: (*TOLD_LATER, "DeliveryDelay")}, order=sorted)
    h.equal(suppressed(ours), {to[0]: "complaint", to[1]: "userunknown"}, "who is suppressed, and why")
    h.equal(len(net.journal.messages()), len(to), "copies")
    ours.stop()


# -- in SES's format ---------------------------------------------------------------------------

ANYMAIL = {"Send": "sent", "Delivery": "delivered", "Bounce": "bounced", "Complaint": "complained",
           "DeliveryDelay": "unknown"}  # its version 9 is older than that type


def anymail_events(requests):
    """What django-anymail, which many applications read SES's notifications with, makes of them."""
    if not settings.configured:
        settings.configure(ANYMAIL={}, SECRET_KEY="x", ALLOWED_HOSTS=["*"], USE_TZ=True)
        django.setup()
    from anymail.signals import tracking
    from anymail.webhooks.amazon_ses import AmazonSESTrackingWebhookView
    from django.test import RequestFactory

    events = []

    def hear(sender, event, esp_name, **_):
        events.append(event)

    class View(AmazonSESTrackingWebhookView):
        warn_if_no_basic_auth = False  # the password in its URL is not what is tested here

    tracking.connect(hear)
    view = View.as_view()
    for r in requests:
        said = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in r.headers.items()
                if name.startswith("x-amz-sns-")}
        response = view(RequestFactory().post("/", r.body, content_type=r.headers["content-type"], **said))
        h.equal(response.status_code, 200, f"what the library answers to {r.body!r}")
    tracking.disconnect(hear)
    return events


def test_a_client_library():
    """django-anymail takes the posts in SNS's form for SES's own, and makes the same of both paths"""
    h.need(django, "python3-django-anymail is not installed")
    sns = HookReceiver()
    net, ours, hook = up(hooks=(("sns", sns.url, "sns", f'\ttopic = "{TOPIC}"'),))
    to = list(FATES)
    send(ours, to)
    ours.wait_empty()
    release(net)
    wait_told(hook, {a: FATES[a][1] for a in to})
    count = sum(len(FATES[a][1]) for a in to)
    sns.wait_for(lambda r: len(r.events()) >= count, f"{count} events in SNS's form")
    got = collections.defaultdict(list)
    for event in anymail_events(sns.requests):
        got[event.recipient].append(event.event_type)
        h.check(event.message_id and event.event_id and event.timestamp, f"{event.esp_event}")
        if event.event_type == "bounced" and "later" not in event.recipient:
            h.check(event.mta_response, f"an answer in {event.esp_event}")
    h.equal({a: tuple(got[a]) for a in to},
            {a: tuple(ANYMAIL[k.split("/")[0]] for k in FATES[a][1]) for a in to}, "what the library reads")
    for request in sns.requests:
        envelope = request.json()
        h.equal((envelope["Type"], envelope["TopicArn"]), ("Notification", TOPIC), "SNS's envelope")
    ours.stop()


# -- a block -----------------------------------------------------------------------------------

MANY = 10000


def test_a_block_suppresses_nobody():
    """docomo refuses 10,000 recipients with 550 for our bad reputation: nobody is suppressed, all get their next mail"""
    net, ours, hook = up(threads=2, limits="\tmax-recipients = 1000")
    to = [f"u{i}@docomo.ne.jp" for i in range(MANY)]
    net.control("set docomo mood blocked")
    send(ours, to, each=100)
    h.wait_until(lambda: counters(ours)["mta"]["accepted"] == MANY, "all are accepted")
    h.wait_until(lambda: net.control("get docomo")["refused"] >= 100, "refusals", limit=60, pause=0.1)
    h.wait_until(lambda: ours.total("deferred") + ours.total("bounced") + ours.total("filtered") >= 100,
                 lambda: f"refusals that are understood: {ours.stats('path')}", limit=60, pause=0.1)
    h.equal(suppressed(ours), {}, "suppressed while docomo blocks us")
    net.control("set docomo mood normal")

    h.wait_until(lambda: ours.queue_size() == 0, lambda: f"an empty queue: {ours.stats('path')}", limit=120, pause=0.2)
    ended = MANY - net.control("get docomo")["recipients"]
    h.equal(ours.total("bounced") + ours.total("filtered"), ended, "recipients that the block ended")
    h.note(f"{net.control('get docomo')['refused']} refusals, {ended} recipients ended by the block")
    check_law(ours)
    h.equal(suppressed(ours), {}, "suppressed after the block")
    h.equal([e["bounce"]["bounceType"] for e in hook.told("Bounce")
             if e["bounce"]["bounceType"] == "Permanent"], [], "told as if the addresses were bad")
    send(ours, to, each=100)
    h.wait_until(lambda: net.control("get docomo")["recipients"] == 2 * MANY - ended,
                 lambda: f"the next mail of all: {net.control('get docomo')}", limit=120, pause=0.2)
    ours.wait_empty()
    h.equal(ours.total("suppressed"), 0, "suppressed at their next mail")
    ours.stop()


# -- kill -9 -----------------------------------------------------------------------------------

def numbered(count):
    words = list(FATES)
    return [words[i % len(words)].replace("@", f"-{i}@") for i in range(count)]


def check_kills(hook):
    """All was signed; says how much was told again, which a kill may do."""
    h.check(all(r.signed for r in hook.requests), "a request without a good signature")
    h.note(f"{len(hook.requests)} requests, {Told(hook).again} events told again")


def test_kill_while_it_comes_back():
    """kill -9 again and again while feedback and hooks flow: each event told at least once, nothing counted twice"""
    net, ours, hook = up(copies=1)
    dice = random.Random(6)
    hook.answers = lambda request: dice.choice((204, 204, 204, 204, 500, None))
    to = numbered(len(FATES) * 30)
    send(ours, to)
    ours.wait_empty(limit=60)
    net.control("set returns connections 1")
    release(net)
    kills = 0
    while kills < 5 and not all_is_back(net):
        told, back = len(hook.requests), net.control("get returns")["accepted"]
        h.wait_until(lambda: all_is_back(net) or (net.control("get returns")["accepted"] > back + 50
                                                  and len(hook.requests) > told + 20),
                     "feedback and hooks that flow", pause=0.01)
        ours.kill9()
        ours.start()
        kills += 1
    h.check(kills > 2, f"three kills while feedback flows, there were {kills}")
    hook.answers = lambda request: 204
    wait_counters(ours, expected(to), limit=90)
    wait_all_back(net, limit=90)
    # SQS gives again, after others, what the killed program had received and not settled.
    wait_told(hook, {a: fate(a)[1] for a in to}, order=sorted, limit=90)
    h.equal({a: tuple(kinds) for a, kinds in Told(hook).kinds.items() if path_of(a) == "mta"},
            {a: fate(a)[1] for a in to if path_of(a) == "mta"}, "events of the mta path in their order")
    h.equal(counters(ours), expected(to), "counters, when all is back")
    check_law(ours)
    check_back_by_mail(net, to)
    h.equal(suppressed(ours), {a: fate(a)[2] for a in to if fate(a)[2]}, "who is suppressed, and why")
    check_kills(hook)
    ours.stop()


def test_kill_while_it_goes_out():
    """kill -9 while mail goes out and comes back at once: told at least once, counters as the journal says"""
    net, ours, hook = up()
    release(net)
    to = numbered(len(FATES) * 20)
    net.control("set all delay 100")
    net.control("set aws latency 20")
    send(ours, to)
    kills = 0
    while ours.queue_size() > 60 and kills < 4:
        out = len(net.journal.messages())
        h.wait_until(lambda: len(net.journal.messages()) > out + 20, "mail that goes out", pause=0.01)
        ours.kill9()
        ours.start()
        kills += 1
    h.check(kills > 1, "more than one kill while mail goes out")
    net.control("set all delay 0")
    ours.wait_empty(limit=90)
    wait_all_back(net, limit=90)

    # What came back before the restarted program knew that it had been sent comes first in the log, too.
    wait_told(hook, {a: fate(a)[1] for a in to}, order=sorted, limit=60)
    unread = {e["to"] for e in ours.log.events("unread")}
    h.equal(counters(ours), expected(to), "counters")
    check_law(ours)
    h.equal(suppressed(ours), {a: fate(a)[2] for a in to if fate(a)[2]}, "who is suppressed, and why")
    copies = collections.Counter(r["to"] for _, r in net.journal.recipients())
    h.equal(set(copies), {a for a in to if "Send" in fate(a)[1]}, "recipients in the journal")
    h.equal([a for a in copies if copies[a] > 1 and a not in unread], [], "sent twice though the reply was read")
    h.note(f"{kills} kills, {len(unread)} unread, {sum(n - 1 for n in copies.values())} second copies")
    check_kills(hook)
    ours.stop()


if __name__ == "__main__":
    h.main()
