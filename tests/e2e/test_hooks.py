"""The application is told what became of its mail, at least once and in order (time limit: 300 s).

Receivers are Python's own web server; signatures are checked by Python's hmac and, where it is
installed, by the library of Standard Webhooks.
"""

import base64
import collections
import json
import os
import subprocess
import threading
import time

import harness as h
from oiwake import ON_POSTGRES, Config, Oiwake, Sandbox
from receiver import HookReceiver, recipients

SECRET = bytes(range(7, 39))
TO = "taro@docomo.ne.jp"
UNKNOWN = "unknown@docomo.ne.jp"
LIBRARY = os.path.join(h.ROOT, "build", "node", "node_modules", "standardwebhooks")


def hook(name, receiver=None, secret=SECRET.hex(), **keys):
    """A section of the settings; values are written as they are."""
    lines = {"type": "webhook", "retry": "50ms", "retry-max": "400ms", **keys}
    if receiver:
        lines["url"] = f'"{receiver.url}"'
    if lines["type"] == "webhook":
        lines["secret"] = f'"{secret}"'
    return f'hook "{name}" {{\n' + "".join(f"\t{k} = {v}\n" for k, v in lines.items()) + "}\n"


def up(*hooks, **more):
    net = Sandbox(keep=False)
    config = Config(net, **more)
    config.text += "".join(hooks)
    config.save()
    return net, Oiwake(config)


def send(ours, *to, subject="hello", sender="info@news.test", headers=""):
    with h.smtp(ours.port("relay")) as s:
        s.sendmail(sender, to, f"{headers}From: {sender}\r\nTo: {to[0]}\r\nSubject: {subject}\r\n\r\nhi\r\n")


def kinds(events):
    return collections.Counter(e["eventType"] for e in events)


def tag(event, name):
    return event["mail"]["tags"].get(name, [None])[0]


def row(ours, name):
    return next(r for r in ours.json("events hooks") if r["name"] == name)


def many(ours, n, prefix="user"):
    """n recipients in messages of ten; their addresses."""
    to = [f"{prefix}{i}@docomo.ne.jp" for i in range(n)]
    for i in range(0, n, 10):
        send(ours, *to[i:i + 10])
    return to


def in_order(events):
    """Send of a recipient before its Delivery, in what arrived first."""
    first = {}
    for number, e in enumerate(events):
        first.setdefault((tag(e, "oiwake:id"), e["eventType"]), number)
    return all(first.get((i, "Send"), 1 << 60) < n for (i, kind), n in first.items() if kind == "Delivery")


# -- what is told ------------------------------------------------------------------------------

def test_told():
    """A delivery and a bounce, signed, with the members of SES"""
    app = HookReceiver(secret=SECRET)
    net, ours = up(hook("app", app))
    send(ours, TO, headers="X-SES-MESSAGE-TAGS: campaign=spring\r\n")
    app.wait_for(lambda r: r.told("Delivery", TO), "a delivery")
    send(ours, UNKNOWN)
    app.wait_for(lambda r: r.told("Bounce", UNKNOWN), "a bounce")
    h.check(all(r.signed for r in app.requests), "every request is signed")
    sent, delivered, bounced = app.events()
    h.equal([e["eventType"] for e in (sent, delivered, bounced)], ["Send", "Delivery", "Bounce"], "types")
    h.equal(sent["mail"]["messageId"], delivered["mail"]["messageId"], "its id")
    h.check(sent["mail"]["messageId"].startswith("oiwake-"), "an id that SES never gives")
    h.equal(sent["mail"]["source"], "info@news.test", "source")
    h.equal(sent["mail"]["destination"], [TO], "destination")
    h.equal(sent["mail"]["commonHeaders"]["subject"], "hello", "subject")
    h.equal(tag(sent, "campaign"), "spring", "the application's tag")
    h.equal(tag(sent, "oiwake:path"), "mta", "path")
    h.equal(tag(sent, "oiwake:carrier"), "docomo", "carrier")
    h.equal(delivered["delivery"]["recipients"], [TO], "recipients")
    h.check(delivered["delivery"]["smtpResponse"].startswith("250"), "the reply")
    h.equal(bounced["bounce"]["bounceType"], "Permanent", "type of bounce")
    h.equal(tag(bounced, "oiwake:reason"), "userunknown", "reason")
    who = bounced["bounce"]["bouncedRecipients"][0]
    h.equal((who["emailAddress"], who["action"]), (UNKNOWN, "failed"), "who bounced")
    h.check(who["diagnosticCode"].startswith("smtp; 550"), "diagnostic code")
    ids = [r.headers["webhook-id"] for r in app.requests]
    h.equal(len(set(ids)), 3, "ids of three events")
    h.equal(app.requests[0].headers["content-type"], "application/json", "content type")
    ours.stop()


VERIFY = """
const { Webhook } = require(process.argv[1]);
const r = JSON.parse(require("fs").readFileSync(0));
const event = new Webhook(r.secret).verify(r.body, r.headers);
let refused = false;
try { new Webhook(r.secret).verify(r.body + " ", r.headers); } catch { refused = true; }
console.log(JSON.stringify({ type: event.eventType, refused }));
"""


def test_standard_webhooks():
    """The library of Standard Webhooks takes the signature"""
    h.need(os.path.isdir(LIBRARY), "standardwebhooks is not installed")
    app = HookReceiver(secret=SECRET)
    secret = "whsec_" + base64.b64encode(SECRET).decode()
    net, ours = up(hook("app", app, secret=secret))
    send(ours, TO)
    app.wait_for(lambda r: r.told("Delivery", TO), "a delivery")
    r = app.requests[0]
    h.check(r.signed, "signed with the bytes of the secret")
    said = {k: r.headers[k] for k in ("webhook-id", "webhook-timestamp", "webhook-signature")}
    done = h.run(["node", "-e", VERIFY, LIBRARY], input=json.dumps(
        {"secret": secret, "body": r.body.decode(), "headers": said}).encode())
    h.equal(json.loads(done.stdout), {"type": "Send", "refused": True}, "what the library says")
    ours.stop()


def test_sns():
    """The same in SNS's envelope"""
    app = HookReceiver()
    arn = "arn:aws:sns:ap-northeast-1:123456789012:mail"
    net, ours = up(hook("app", app, type="sns", topic=f'"{arn}"', events='{ "Delivery" }'))
    send(ours, TO)
    app.wait_for(lambda r: r.told("Delivery", TO), "a delivery")
    r = app.requests[0]
    body = r.json()
    h.equal((body["Type"], body["TopicArn"]), ("Notification", arn), "type and topic")
    h.equal(r.headers["x-amz-sns-message-type"], "Notification", "its header")
    h.equal(r.headers["x-amz-sns-topic-arn"], arn, "its header")
    h.equal(r.headers["x-amz-sns-message-id"], body["MessageId"], "its id")
    h.equal(r.headers["content-type"], "text/plain; charset=UTF-8", "content type")
    h.check(body["Message"].endswith("}\n"), "the message ends as SES's do")
    h.equal(kinds(app.events()), {"Delivery": 1}, "only what was asked for")
    ours.stop()


def test_delay():
    """Mail that waits is told of once, though its sender wants no notice"""
    app = HookReceiver(secret=SECRET)
    net, ours = up(hook("app", app), queue="\tdelay-notice = 500ms")
    with h.smtp(ours.port("relay")) as s:
        s.sendmail("info@news.test", ["never@docomo.ne.jp"], h.message(), rcpt_options=["NOTIFY=NEVER"])
    app.wait_for(lambda r: r.told("DeliveryDelay", "never@docomo.ne.jp"), "a delay")
    delay = app.events()[0]["deliveryDelay"]
    h.check(delay["expirationTime"] > delay["timestamp"], "when it ends")
    h.check(delay["delayedRecipients"][0]["diagnosticCode"].startswith("smtp; 4"), "why it waits")
    ours.log.wait(lambda _: len(ours.attempts("deferred", "never@docomo.ne.jp")) >= 3,
                  "further tries")
    h.equal(kinds(app.events()), {"DeliveryDelay": 1}, "once")
    ours.stop()


def test_filters_and_batches():
    """Only some senders, several events in one POST"""
    some, all_ = HookReceiver(secret=SECRET), HookReceiver(secret=SECRET)
    net, ours = up(hook("some", some, senders='{ "news.test" }', events='{ "Delivery" }'),
                   hook("all", all_, batch=20, connections=1))
    send(ours, "a@docomo.ne.jp", sender="info@news.test")
    send(ours, "b@docomo.ne.jp", sender="info@other.test")
    to = many(ours, 60)
    all_.wait_for(lambda r: len(r.events()) >= 124, "all of them")
    some.wait_for(lambda r: len(r.events()) >= 61, "those of one sender")
    h.check(not some.told(to="b@docomo.ne.jp"), "nothing of another sender")
    h.check(all(isinstance(r.json(), list) for r in all_.requests), "arrays")
    h.check(len(all_.requests) < 124, "fewer requests than events")
    h.check(in_order(all_.events()), "in order")
    h.equal(kinds(all_.events()), {"Send": 62, "Delivery": 62}, "each once")
    h.equal({tag(e, "oiwake:path") for e in all_.events()}, {"mta"}, "paths")
    h.check(set(to) <= {e["mail"]["destination"][0] for e in all_.events()}, "everybody")
    ours.stop()


# -- trouble -----------------------------------------------------------------------------------

def test_trouble_and_recovery():
    """500 and broken connections for a while: every event arrives, in order, told of once"""
    app = HookReceiver(secret=SECRET, answers=lambda r: (500, None, 503)[r.number % 3])
    net, ours = up(hook("app", app))
    to = many(ours, 100)
    app.wait_for(lambda r: len(r.requests) >= 8, "tries")
    h.equal(app.events(), [], "nothing was accepted")
    ours.wait_empty()
    # Where events have numbers with gaps, at least so many: what it has read, and one more.
    h.wait_until(lambda: 1 < row(ours, "app")["behind"] <= 100 if ON_POSTGRES else row(ours, "app")["behind"] == 100,
                 lambda: f"a hook that is behind: {row(ours, 'app')}")
    failing = row(ours, "app")
    h.check(failing["failing_since"] and failing["why"], f"{failing}")
    app.answers = lambda r: 204
    app.wait_for(lambda r: len(r.events()) >= 200, "all of them")
    h.equal(kinds(app.events()), {"Send": 100, "Delivery": 100}, "each once")
    h.check(in_order(app.events()), "in order")
    h.equal({e["mail"]["destination"][0] for e in app.events()}, set(to), "everybody")
    h.wait_until(lambda: row(ours, "app")["behind"] == 0, "nothing is left")
    ours.log.read()
    said = [e["result"] for e in ours.log.events("hook")]
    h.equal(said, ["failing", "well again"], "the log")
    h.equal(len({r.headers["webhook-id"] for r in app.requests if r.answered == 204}), 200, "ids")
    ours.stop()


def test_same_id_again():
    """Told again under the same id"""
    app = HookReceiver(secret=SECRET, answers=lambda r: 500 if r.number < 3 else 204)
    net, ours = up(hook("app", app, events='{ "Delivery" }'))
    send(ours, TO)
    app.wait_for(lambda r: r.told("Delivery", TO), "a delivery")
    h.equal(len({r.headers["webhook-id"] for r in app.requests}), 1, "one id")
    h.equal(len({r.body for r in app.requests}), 1, "one body")
    waits = [b.at - a.at for a, b in zip(app.requests, app.requests[1:])]
    h.check(waits[0] >= 0.035 and waits[-1] > waits[0], f"the waits grow: {waits}")
    ours.stop()


def test_slow_and_silent():
    """One hook that never answers delays no other, nor the end"""
    ever = threading.Event()
    h.work.cleanups.append(ever.set)
    silent = HookReceiver(secret=SECRET, answers=lambda r: ever.wait(60) and None)
    quick = HookReceiver(secret=SECRET)
    net, ours = up(hook("silent", silent, timeout="60s", connections=3), hook("quick", quick))
    many(ours, 50)
    began = time.monotonic()
    quick.wait_for(lambda r: len(r.events()) >= 100, "all of them at the other")
    h.check(time.monotonic() - began < h.PATIENCE, "in time")
    h.check(1 <= len(silent.requests) <= 3, f"{len(silent.requests)} at the silent one")
    ids = [tag(r.json(), "oiwake:id") for r in silent.requests]
    h.equal(len(ids), len(set(ids)), "no two of one recipient at once")
    began = time.monotonic()
    ours.stop()
    h.check(time.monotonic() - began < 30, "it ends")


def test_refused_event():
    """An event that is refused again and again is set aside, and the others get through"""
    app = HookReceiver(secret=SECRET)
    app.answers = lambda r: 422 if recipients(r.json()) == ["odd@docomo.ne.jp"] else 204
    net, ours = up(hook("app", app, **{"retry": "20ms", "retry-max": "40ms", "events": '{ "Delivery" }'}))
    send(ours, "odd@docomo.ne.jp")
    app.wait_for(lambda r: len(r.requests) >= 2, "a refusal")
    many(ours, 20)
    app.wait_for(lambda r: len(r.events()) >= 20, "the others")
    letter = h.wait_until(lambda: ours.json("ses letters"), "a dead letter")[0]
    h.equal(letter["source"], "hook:app", "its source")
    h.equal(json.loads(letter["body"])["mail"]["destination"], ["odd@docomo.ne.jp"], "whom it is about")
    h.wait_until(lambda: row(ours, "app")["behind"] == 0, "nothing is left")
    h.check(len([r for r in app.requests if r.answered == 422]) >= 10, "ten tries")
    ours.stop()


def test_retry_after():
    """As long as the application asks for"""
    app = HookReceiver(secret=SECRET, answers=lambda r: 429 if r.number == 0 else 204)
    net, ours = up(hook("app", app, **{"retry": "10ms", "events": '{ "Delivery" }'}))
    send(ours, TO)
    app.wait_for(lambda r: r.told("Delivery", TO), "a delivery")
    h.equal([r.answered for r in app.requests], [429, 204], "refused once")
    ours.stop()


def test_killed():
    """kill -9 while events flow: each arrives at least once"""
    app = HookReceiver(secret=SECRET, answers=lambda r: 500 if r.number % 7 == 3 else 204)
    net, ours = up(hook("app", app, connections=2))
    for turn in range(3):
        many(ours, 60, f"turn{turn}-")
        app.wait_for(lambda r: len(r.requests) > 30 * (turn + 1), "some of them")
        ours.kill9()
        ours.start()
    want = {f"turn{t}-{i}@docomo.ne.jp" for t in range(3) for i in range(60)}
    app.wait_for(lambda r: {e["delivery"]["recipients"][0] for e in r.told("Delivery")} >= want,
                 "every delivery", 2 * h.PATIENCE)
    h.check(in_order(app.events()), "in order")
    ours.stop()


# -- going back, files, reload -----------------------------------------------------------------

def test_replay():
    """Events are told again from a time on"""
    app = HookReceiver(secret=SECRET)
    net, ours = up(hook("app", app))
    many(ours, 20)
    app.wait_for(lambda r: len(r.events()) >= 40, "all of them")
    ours.cli("events replay", "app", "--since", "1h")
    app.wait_for(lambda r: len(r.events()) >= 80, "all of them again")
    h.equal(set(collections.Counter(r.headers["webhook-id"] for r in app.requests).values()), {2}, "twice")
    ours.cli("events replay", "nobody", "--since", "1h", status=1)
    ours.stop()
    ours.start()
    send(ours, TO)
    app.wait_for(lambda r: r.told("Delivery", TO), "a delivery")
    h.check(len(app.events()) <= 90, f"{len(app.events())}: what was told is not told again")
    ours.stop()


def lines(path):
    with open(path) as f:
        return [json.loads(line) for line in f]


def test_file():
    """A line each, and a file that is renamed away"""
    path = h.work.file("events.json")
    net, ours = up(hook("file", type="file", file=f'"{path}"'))
    send(ours, TO)
    h.wait_until(lambda: os.path.exists(path) and len(lines(path)) == 2, "two lines")
    os.rename(path, path + ".1")
    send(ours, UNKNOWN)
    h.wait_until(lambda: os.path.exists(path) and len(lines(path)) == 1, "a new file")
    h.equal([e["eventType"] for e in lines(path + ".1") + lines(path)], ["Send", "Delivery", "Bounce"],
            "what became of both")
    ours.stop()


def test_file_in_trouble():
    """A file that cannot be written yet"""
    folder = h.work.file("later")
    net, ours = up(hook("file", type="file", file=f'"{folder}/events.json"'))
    send(ours, TO)
    h.wait_until(lambda: row(ours, "file")["why"], "trouble")
    os.mkdir(folder)
    h.wait_until(lambda: os.path.exists(folder + "/events.json")
                 and len(lines(folder + "/events.json")) == 2, "two lines")
    ours.stop()


def test_reload():
    """A hook comes, changes its address, and goes"""
    one, two = HookReceiver(secret=SECRET), HookReceiver(secret=SECRET)
    net, ours = up()
    before = ours.config.text
    send(ours, "before@docomo.ne.jp")
    ours.wait_empty()
    ours.all_told()
    ours.config.text = before + hook("app", one)
    ours.config.save()
    ours.cli("reload")
    h.wait_until(lambda: ours.json("events hooks"), "a hook")
    send(ours, "first@docomo.ne.jp")
    one.wait_for(lambda r: r.told("Delivery", "first@docomo.ne.jp"), "a delivery")
    h.check(not one.told(to="before@docomo.ne.jp"), "a new hook begins with what comes")
    one.answers = lambda r: 500
    send(ours, "second@docomo.ne.jp")
    one.wait_for(lambda r: len(r.requests) >= 4, "a failure")
    ours.config.text = before + hook("app", two)
    ours.config.save()
    ours.cli("reload")
    two.wait_for(lambda r: r.told("Delivery", "second@docomo.ne.jp"), "a delivery elsewhere")
    ours.config.text = before
    ours.config.save()
    ours.cli("reload")
    h.equal(ours.json("events hooks"), [], "no hook")
    ours.stop()


MISTAKES = (
    ('type = webhook\n\turl = "http://192.0.2.1/x"\n\tsecret = "' + SECRET.hex() + '"', "loopback only"),
    ('type = webhook\n\turl = "https://app.test/"', "no secret"),
    ('type = webhook\n\turl = "https://app.test/"\n\tsecret = "short"', "64 hexadecimal digits"),
    ('type = webhook\n\tsecret = "' + SECRET.hex() + '"', "no url"),
    ('type = sns\n\turl = "https://app.test/"', "no topic"),
    ('type = file\n\tfile = "/tmp/x"\n\turl = "https://app.test/"', "means nothing to a hook of type file"),
    ('type = file\n\tfile = "/tmp/x"\n\tevents = { "Bounced" }', "no event of SES's"),
    ('type = file\n\tfile = "/tmp/x"\n\tpaths = { "nowhere" }', "no such path"),
    ('type = file\n\tfile = "/tmp/x"\n\tretry = 1h', "longer than its retry-max"),
    ('type = pigeon', "expected one of webhook"),
    ('url = "https://app.test/"', "no type"),
)


def test_mistakes():
    """Mistakes in the settings are told with their line"""
    config = Config()
    text = config.text
    for keys, want in MISTAKES:
        config.text = text + f'hook "app" {{\n\t{keys}\n}}\n'
        config.save()
        said = h.run([h.OIWAKE, "check", "-c", config.path], status=None)
        out = said.stdout + said.stderr
        h.check(said.returncode == 1 and want in out and "oiwake.conf:" in out, lambda: f"{keys}: {out}")


# -- the command line --------------------------------------------------------------------------

def test_command_line():
    """oiwake events: the same events, filtered, and what comes next"""
    net, ours = up()
    send(ours, TO)
    ours.wait_empty()  # of the two rows, the one of two events comes first
    send(ours, UNKNOWN)
    ours.wait_empty()
    ours.all_told()
    events = ours.json("events", "--since", "1h")
    h.equal(kinds(events), {"Send": 1, "Delivery": 1, "Bounce": 1}, "events")
    h.equal(kinds(ours.json("events", "--type", "Bounce")), {"Bounce": 1}, "bounces")
    h.equal(ours.json("events", "--path", "ses"), [], "of another path")
    h.equal(len(ours.json("events", "--since", "1h", "--limit", "1")), 2, "a row is told as a whole")
    text = ours.cli("events").stdout
    h.check("Bounce" in text and UNKNOWN in text and "reason=userunknown" in text, text)
    ours.cli("events", "--type", "Nothing", status=1)
    ours.cli("events", "--since", "yesterday", status=2)
    out = h.work.file("follow.out")
    with open(out, "wb") as f:
        follow = subprocess.Popen([h.OIWAKE, "events", "-c", ours.config.path, "--json", "--follow",
                                   "--type", "Delivery"], stdout=f, preexec_fn=h.die_with_parent)
    h.wait_until(lambda: len(lines(out)) == 1, "what was")
    send(ours, "next@docomo.ne.jp")
    h.wait_until(lambda: len(lines(out)) == 2, "what comes")
    h.equal(lines(out)[1]["delivery"]["recipients"], ["next@docomo.ne.jp"], "whom")
    ours.stop()
    follow.wait(h.PATIENCE)


if __name__ == "__main__":
    h.main()
