"""Amazon SES by SMTP: logins, TLS, what goes with a message, sessions, the account behind it."""

import re

import harness as h
from oiwake import Config, Oiwake, Sandbox

PATH = """\
path "ses" {{
	type = ses
	transport = smtp
	host = "{name}"
	port = {port}
	ca-file = "{ca}"
	allow-private = yes
	configuration-set = "events"
	connections = 1
	rate = 0
{more}
}}
"""

KEYS = """\
	region = "{region}"
	endpoint = "{endpoint}"
	account-check = 1s
{credentials}
"""

QUEUE = """\
sqs "events" {{
	path = ses
	queue = "{queue_url}"
	endpoint = "{endpoint}"
	wait = 2s
}}
"""


def login(config, net):
    """SMTP credentials, as SES's console gives them."""
    path = config.write("smtp-password", net.said["ses"]["password"] + "\n", 0o600)
    return f'\tuser = "{net.said["ses"]["user"]}"\n\tpassword-file = "{path}"'


def keys(config, net, credentials=None):
    """Those of an IAM user, or what is given."""
    aws = net.said["aws"]
    path = config.write("secret", aws["secret_key"] + "\n", 0o600)
    own = f'\taccess-key = "{aws["access_key"]}"\n\tsecret-key-file = "{path}"'
    return KEYS.format(region=aws["region"], endpoint=aws["endpoint"], credentials=credentials or own)


def configured(net, more, feedback=False, implicit=False, **other):
    config = Config(net, **other)
    far = net.said["ses"]
    text = PATH.format(name=far["name"], port=far["tls_port" if implicit else "port"], ca=net.ca,
                       more=more(config) + ("\n\ttls = implicit" if implicit else ""))
    if feedback:
        text += QUEUE.format(**net.said["aws"])
    config.text = re.sub(r'path "ses" \{\n.*?\n\}\n', lambda _: text, config.text, flags=re.S)
    config.save()
    return config


def send(ours, *to, sender="info@news.test", **message):
    with h.smtp(ours.port("relay")) as s:
        for address in to:
            s.sendmail(sender, [address], h.message(to=address, **message))


def sessions(net):
    """The ended sessions at SES."""
    return [s for s in net.journal.events("session") if s["host"] == "ses"]


def status(ours, code=0):
    return ours.json("ses status", "--path", "ses", status=code)[0]


def fields(net, message, name):
    head = net.message_bytes(message).partition(b"\r\n\r\n")[0].decode()
    return [l.partition(":")[2].strip() for l in re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
            if l.lower().startswith(name.lower() + ":")]


def test_starttls_and_password():
    """STARTTLS, user and password; no keys, so nobody looks at the account"""
    net = Sandbox()
    ours = Oiwake(configured(net, lambda c: login(c, net)))
    send(ours, "a@example.com")
    m = net.journal.wait_delivered("a@example.com")[0]
    h.equal((m["transport"], m["user"], bool(m["tls"])), ("smtp", net.said["ses"]["user"], True), "login")
    path = status(ours)
    h.equal((path["transport"], path["account"]), ("smtp", None), "status")
    h.check("not watched" in ours.cli("ses status").stdout, "status says so")
    ours.wait_empty()
    ours.stop()


def test_implicit_tls_and_derived_password():
    """Implicit TLS, the password made of an IAM user's keys; the account is watched by the same keys"""
    net = Sandbox()
    ours = Oiwake(configured(net, lambda c: keys(c, net), implicit=True, feedback=True))
    send(ours, "a@example.com")
    m = net.journal.wait_delivered("a@example.com")[0]
    h.equal((m["transport"], m["user"], bool(m["tls"])),
            ("smtp", net.said["aws"]["access_key"], True), "login")
    h.wait_until(lambda: status(ours)["account"].get("enforcement") == "HEALTHY", "the account is known")
    ours.wait_empty()
    ours.stop()


def test_role_watches_what_a_password_sends():
    """SMTP by user and password, account and feedback by the role of the instance"""
    net = Sandbox()
    role = f'\tcredentials = instance-role\n\timds-endpoint = "{net.said["aws"]["imds"]}"'
    ours = Oiwake(configured(net, lambda c: login(c, net) + "\n" + keys(c, net, role), feedback=True))
    send(ours, "a@example.com")
    h.wait_until(lambda: ours.total("delivered") == 1, "the delivery is told")
    path = status(ours)
    h.check(path["credentials"]["access_key"].startswith("ASIA"), lambda: path["credentials"])
    h.equal(net.journal.delivered("a@example.com")[0]["user"], net.said["ses"]["user"], "user of SMTP")
    ours.stop()


def test_keys_of_a_role_are_no_login():
    """check: SES's SMTP takes no keys of a role, and says why and what to do instead"""
    net = Sandbox()
    for kind in ("instance-role", "auto", "environment", "file"):
        config = configured(net, lambda c: keys(c, net, f"\tcredentials = {kind}"), name=kind)
        done = h.run([h.OIWAKE, "check", "-c", config.path], status=1)
        h.check(re.search(r"oiwake\.conf:\d+: path 'ses' .*long-term keys of an IAM user.*transport = api",
                          done.stderr), done.stderr)


def test_what_goes_with_a_message():
    """One X-SES-MESSAGE-TAGS with our id and the application's tags; the set; feedback finds its mail"""
    net = Sandbox()
    ours = Oiwake(configured(net, lambda c: keys(c, net) + '\ttags = { "env=prod", "team=web" }',
                             feedback=True))
    send(ours, "a@example.com", "unknown@example.com", headers=[
        "X-SES-MESSAGE-TAGS: campaign=summer, env=test", "X-SES-Configuration-Set: news",
        "X-SES-MESSAGE-TAGS: second=1", "X-Oiwake-Tags: kind=otp"])
    m = net.journal.wait_delivered("a@example.com")[0]
    h.equal(fields(net, m, "X-SES-CONFIGURATION-SET"), ["news"], "set")
    tags = fields(net, m, "X-SES-MESSAGE-TAGS")
    h.equal(len(tags), 1, "fields of tags")
    own = m["tags"].pop("oiwake-id")
    h.equal(m["tags"], {"campaign": "summer", "env": "test", "second": "1", "kind": "otp",
                        "team": "web"}, "tags")
    h.equal(fields(net, m, "X-Oiwake-Tags"), [], "our own fields")
    sent = ours.log.wait(lambda _: ours.attempts("sent", "a@example.com"), "it is sent")[0]
    h.equal(own, sent["id"].replace(".", "-"), "our id at SES")
    told = ours.log.wait(lambda _: ours.log.events("feedback"), "the bounce is told")[0]
    h.equal((told["to"], told["type"], told["counted"]), ("unknown@example.com", "Bounce", "bounced"),
            "what is told")
    h.wait_until(lambda: ours.total("delivered") == 1, "the delivery is told")
    ours.wait_empty()
    row = ours.stats("path")[0]
    h.equal((row["sent"], row["delivered"], row["bounced"], row["returned"]), (2, 1, 1, 1), "counters")
    ours.stop()


def test_an_answer_that_was_lost():
    """SES takes it and the connection breaks: its event tells of our id, and it is not sent again"""
    net = Sandbox()
    ours = Oiwake(configured(net, lambda c: keys(c, net), feedback=True, shapes="shape path ses retry 20s\n"))
    send(ours, "closedot-1@example.com")
    h.wait_until(lambda: ours.total("delivered") == 1, "the delivery is told")
    ours.wait_empty()
    h.equal(len(net.journal.delivered("closedot-1@example.com")), 1, "copies")
    row = ours.stats("path")[0]
    h.equal((row["accepted"], row["sent"], row["delivered"]), (1, 1, 1), "counters")
    ours.stop()


def test_sessions_are_recycled():
    """A session ends at its last message and before SES's 10 idle seconds; SES never has to end one"""
    net = Sandbox(keep=False)
    ours = Oiwake(configured(net, lambda c: login(c, net) + "\n\tmessages-per-connection = 5",
                             queue="\tidle-session = 5min"))
    send(ours, *(f"a.{n}@example.com" for n in range(12)))
    net.journal.wait(lambda _: len(sessions(net)) == 3, "three sessions have ended")
    h.equal([s["messages"] for s in sessions(net)], [5, 5, 2], "messages of each")
    h.equal({s["ended"] for s in sessions(net)}, {"quit"}, "how they ended")
    h.check(sessions(net)[2]["duration"] < 10000, "the last one before 10 s")
    ours.wait_empty()
    ours.stop()


def test_a_sessions_limit_of_ses():
    """421 "Maximum message count per session reached": a new session at once, and nothing is late"""
    net = Sandbox(keep=False)
    net.control("set ses messages 3")
    ours = Oiwake(configured(net, lambda c: login(c, net), shapes="shape path ses retry 5min\n"))
    send(ours, *(f"a.{n}@example.com" for n in range(10)))
    ours.wait_empty()
    h.equal(len(list(net.journal.recipients())), 10, "recipients at SES")
    h.check(max(s["messages"] for s in sessions(net)) <= 3, "messages of a session")
    ours.stop()


def test_quota_is_kept_by_smtp_too():
    """GetAccount says how much is left, so that SES never says "Daily message quota exceeded"."""
    net = Sandbox(keep=False)
    net.control("set ses quota 20")
    ours = Oiwake(configured(net, lambda c: keys(c, net) + "\tquota-reserve = 0"))
    h.wait_until(lambda: status(ours)["account"].get("quota") == 20, "the quota is known")
    send(ours, *(f"a.{n}@example.com" for n in range(30)))
    h.wait_until(lambda: status(ours, None)["sending"]["spent"], "the quota is spent")
    h.wait_until(lambda: len(list(net.journal.recipients())) == 20, "20 recipients at SES")
    h.wait_until(lambda: ours.queue_size() == 10, "ten recipients wait")
    net.control("set ses quota 100")
    ours.wait_empty()
    h.equal([m["text"] for m in net.journal.messages() if not m["accepted"]], [], "refused by SES")
    row = ours.stats("path")[0]
    h.equal((row["accepted"], row["sent"]), (30, 30), "counters")
    ours.stop()


def test_a_wrong_password_closes_the_path():
    """535: the path closes and says so, nobody bounces; it opens when the password is right"""
    net = Sandbox(keep=False)
    net.control("set ses password other")
    ours = Oiwake(configured(net, lambda c: login(c, net), queue="\tprobe = 1s"))
    send(ours, "a@example.com")
    h.wait_until(lambda: status(ours, None)["sending"]["closed"], "the path is closed")
    text = ours.cli("ses status", status=1).stdout
    h.check(re.search("CLOSED +Authentication Credentials Invalid", text), text)
    net.control(f"set ses password {net.said['ses']['password']}")
    net.journal.wait_delivered("a@example.com")
    ours.wait_empty()
    h.equal(status(ours)["sending"]["closed"], None, "closed")
    h.equal(ours.total("bounced"), 0, "bounces")
    ours.stop()


if __name__ == "__main__":
    h.main()
