"""`oiwake ses ...` as an operator uses it, and what of a message goes to SES (time limit: 300 s)."""

import re

import harness as h
from oiwake import ROUTES, Config, Oiwake, Sandbox

# facts/aws.md, section 1: of terraform-provider-aws, and of the key of AWS's documents
PASSWORDS = [
    ("eu-central-1", "some+secret+key", "BMXhUYlu5Z3gSXVQORxlVa7XPaz91aGWdfHxvkOZdWZ2"),
    ("eu-central-1", "another+secret+key", "BBbphbrQmrKMx42d1N6+C7VINYEBGI5v9VsZeTxwskfh"),
    ("us-west-1", "some+secret+key", "BH+jbMzper5WwlwUar9E1ySBqHa9whi0GPo+sJ0mVYJj"),
    ("us-west-1", "another+secret+key", "BKVmjjMDFk/qqw8EROW99bjCS65PF8WKvK5bSr4Y6EqF"),
    ("us-west-2", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "BF2PynzbSCAjX08zhZZnP/kW+T9P5zs/1Er0pi5vTEmd"),
    ("ap-northeast-1", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
     "BEBMrlH2tcrvRtSfkd6WbOlpfHSCPAV60ZayJ9ZqHS5c"),
]
SIMULATED = ("success", "bounce", "ooto", "complaint", "suppressionlist")
TO_SES = "route odd to any and local-part irregular via mta pool keitai\nroute all to any via ses\n"
HEAD = b"From: info@news.test\r\nTo: a@example.com\r\nSubject: one\r\n"


def up(**more):
    net = Sandbox()
    return net, Oiwake(Config(net, ses="api", **more))


def row(ours, *args, status=0):
    return ours.json("ses status", "--path", "ses", *args, status=status)[0]


def mail(ours, text, *to, sender="info@news.test", options=()):
    with h.smtp(ours.port("relay")) as s:
        s.sendmail(sender, to, text, options)


def fields(net, message, name):
    head = net.message_bytes(message).partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
    return [l.partition(":")[2].strip() for l in re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
            if l.lower().startswith(name.lower() + ":")]


# -- the commands ------------------------------------------------------------------------------

def test_smtp_password():
    """smtp-password: the vectors, from standard input only, no daemon needed"""
    run = [h.OIWAKE, "ses", "smtp-password"]
    for region, secret, password in PASSWORDS:
        for end in ("\n", ""):
            h.equal(h.run([*run, region], input=(secret + end).encode()).stdout, password + "\n", secret)
    done = h.run([*run, "--json", "us-west-1"], input=b"some+secret+key\n").stdout
    h.check(PASSWORDS[2][2] in done and '"us-west-1"' in done, done)
    h.run([*run, "us-west-1"], status=1)
    h.run([*run, "us-west-1"], input=b"\n", status=1)
    h.run(run, input=b"x\n", status=2)
    h.run([*run, "us-west-1", "some+secret+key"], input=b"x\n", status=2)


def test_wrong_words():
    """What no verb knows is a mistake of usage, and so is an option of another verb"""
    for words in ([], ["stats"], ["status", "x"], ["status", "--wait", "1"], ["send-test"],
                  ["send-test", "--from", "a@news.test", "--wait", "long"], ["suppression"],
                  ["suppression", "show"], ["suppression", "sync", "x"],
                  ["suppression", "list", "--limit", "0"], ["suppression", "list", "--check"],
                  ["suppression", "remove", "a@b.test", "--dry-run"],
                  ["suppression", "list", "--dry-run"], ["suppression", "show", "a@b.test", "--reason", "BOUNCE"],
                  ["letters", "x"], ["letters", "remove"], ["letters", "remove", "x"],
                  ["letters", "remove", "1", "--all"]):
        done = h.run([h.OIWAKE, "ses", *words, "-c", "/nonexistent"], status=2)
        h.check(done.stderr.strip(), f"ses {words} says nothing")


def test_status():
    """status: the account, quota and keys of each path; 1 when one is closed or AWS refuses us"""
    net, ours = up(rate=50)
    net.control("set ses rate 14")
    net.control("set ses quota 50000")
    net.control("set ses sent 123")
    at = row(ours, "--check")
    h.equal((at["account"]["enforcement"], at["account"]["sending_enabled"], at["account"]["production"]),
            ("HEALTHY", True, True), "account")
    h.wait_until(lambda: row(ours)["sending"]["rate"] == 14, "the rate is in force")
    h.equal((row(ours)["sending"]["quota"], row(ours)["sending"]["used"]), (50000, 123), "quota")
    text = ours.cli("ses status").stdout
    for part in ("path ses (api)", "HEALTHY, sending", "14 recipients/s", "123 of 50000 used in 24 hours",
                 net.said["aws"]["access_key"], net.said["aws"]["endpoint"], "queue events", "feedback"):
        h.check(part in text, f"{part!r} in {text}")
    h.check(net.said["aws"]["secret_key"] not in text + str(ours.json("ses status")), "the secret is kept")
    ours.cli("ses status", "--path", "mta", status=1)

    net.control("set ses sandbox on")
    h.check("verified recipients only" in ours.cli("ses status --check").stdout, "SES's sandbox")
    net.control("set ses sandbox off")
    net.control("set ses enforcement PROBATION")
    h.check("PROBATION" in ours.cli("ses status --check").stdout, "probation")
    h.wait_until(lambda: row(ours)["sending"]["rate"] == 7, "half the rate")
    for setting, words in [("enforcement SHUTDOWN", "SHUTDOWN"), ("sending off", "sending is paused")]:
        net.control(f"set ses {setting}")
        h.wait_until(lambda: "CLOSED" in ours.cli("ses status --check", status=None).stdout, setting)
        h.check(words in ours.cli("ses status", status=1).stdout, words)
        net.control("set ses enforcement HEALTHY")
        net.control("set ses sending on")
        h.wait_until(lambda: "CLOSED" not in ours.cli("ses status --check", status=None).stdout, "open")
    net.control("set aws mood denied ses")
    at = row(ours, "--check", status=1)
    h.check("AccessDenied" in at["account"]["trouble"] and at["account"]["refused"], at["account"])
    h.check("trouble" in ours.cli("ses status", status=1).stdout, "trouble is said")
    net.control("set aws mood normal")
    h.equal(row(ours, "--check")["account"]["trouble"], None, "trouble that is over")
    ours.stop()


def test_send_test():
    """send-test: all five come back; 1 and BAD for each of which something is missing"""
    net, ours = up(routes=TO_SES)
    text = ours.cli("ses send-test", "--from", "info@news.test").stdout
    lines = {l.split()[0]: l.split()[1] for l in text.splitlines()[1:]}
    h.equal(lines, {name: "good" for name in SIMULATED}, "the five")
    net.control("set events drop Bounce on")
    rows = ours.json("ses send-test", "--from", "info@news.test", "--wait", "10", status=1)
    h.equal({r["address"]: r["good"] for r in rows},
            {n: n in ("success", "complaint") for n in SIMULATED}, "without bounces")
    net.control("set events drop Bounce off")
    net.control("set ses sending off")
    done = ours.cli("ses send-test", "--from", "info@news.test", "--wait", "2", status=1)
    h.equal(done.stdout.count("BAD"), 5, "of an account that is paused")
    h.check("in the queue" in done.stdout, done.stdout)
    for sender in ("info", "a b@news.test", "a@news.test\r\nBcc: x@y", "@news.test"):
        ours.cli("ses send-test", "--from", sender, status=1)
    h.equal([m["from"] for m in net.journal.messages() if m["from"] != "info@news.test"], [], "senders")
    ours.config.write_rules("route all to any via mta\n")
    ours.cli("reload")
    done = ours.cli("ses send-test", "--from", "info@news.test", status=1)
    h.check("not of type ses" in done.stderr, done.stderr)
    ours.stop()


def suppressed(ours, *args):
    return [r["address"] for r in ours.json("ses suppression list", *args)]


def test_a_long_suppression_list():
    """2,300 entries: pages, one request a second, sync both ways, prune-carriers --dry-run, list --limit"""
    net = Sandbox()
    config = Config(net, ses="api")
    config.text = config.text.replace("account-check = 1s", "account-check = 60s")  # its turns are ours
    config.save()
    ours = Oiwake(config)
    net.control("set ses api-rate 1")
    want = [f"user{n:04}@{'docomo.ne.jp' if n % 10 == 0 else 'example.com'}" for n in range(2300)]
    for address in want:
        net.control("set ses suppress " + address)
    done = ours.cli("ses suppression list")
    h.equal(len(done.stdout.splitlines()), 101, "lines without --limit")
    h.check("there are more" in done.stderr, done.stderr)
    h.equal(sorted(suppressed(ours, "--limit", "5000")), want, "all of them")
    counts = ours.json("ses suppression sync")[0]
    h.equal([counts[k] for k in ("there", "put_here", "removed_here", "put_there", "removed_there")],
            [2300, 2300, 0, 0, 0], "the first sync")
    for address in want[1:4]:
        net.control("set ses unsuppress " + address)
    net.control("set aws mood denied ses")
    ours.cli("ses suppression add", "late@example.com", status=1)
    ours.cli("ses suppression remove", want[5], status=1)
    net.control("set aws mood normal")
    counts = ours.json("ses suppression sync", "--dry-run")[0]
    changes = [counts[k] for k in ("put_here", "removed_here", "put_there", "removed_there")]
    h.equal(changes, [0, 3, 1, 1], "what the second would do")
    counts = ours.json("ses suppression sync")[0]
    h.equal([counts[k] for k in ("put_here", "removed_here", "put_there", "removed_there")], changes,
            "what it did")
    left = set(suppressed(ours, "--limit", "5000"))
    h.equal(left, {*want[:1], want[4], *want[6:], "late@example.com"}, "the list at SES")
    counts = ours.json("ses suppression prune-carriers", "--dry-run")[0]
    h.equal((counts["looked_at"], counts["found"], counts["removed"]), (len(left), 230, 0), "carriers'")
    h.equal(len(counts["addresses"]), 100, "examples of them")
    calls = [e for e in net.journal.events("call") if "Suppressed" in e["operation"]]
    h.check(len(calls) > 15, f"{len(calls)} calls")
    h.equal([c for c in net.journal.events("call") if c["throttled"]], [], "calls that were too quick")
    ours.stop()


OTHER = """\
path "osaka" {{
	type = ses
	region = "{region}"
	endpoint = "{endpoint}"
	ca-file = "{ca}"
	credentials = instance-role
	imds-endpoint = "{imds}"
	account-check = 1s
	rate = 0
}}
"""


def test_two_accounts():
    """Two ses paths: each its own account, keys, quota and list; one is closed and the other goes on"""
    tokyo, osaka = Sandbox(), Sandbox()
    osaka.control("set ses quota 777")
    config = Config(tokyo, ses="api", routes="route second to domain second.test via osaka\n"
                    + ROUTES.replace("second.test ", ""))
    config.text += OTHER.format(ca=osaka.ca, **osaka.said["aws"])
    config.save()
    ours = Oiwake(config)
    mail(ours, HEAD + b"\r\nbody\r\n", "a@example.com", "b@second.test")
    tokyo.journal.wait_delivered("a@example.com")
    osaka.journal.wait_delivered("b@second.test")
    ours.wait_empty()
    h.equal([[r["to"] for _, r in net.journal.recipients()] for net in (tokyo, osaka)],
            [["a@example.com"], ["b@second.test"]], "recipients of each")
    paths = {r["path"]: r for r in ours.json("ses status", "--check") if "path" in r}
    h.equal(sorted(paths), ["osaka", "ses"], "paths")
    h.check(paths["osaka"]["credentials"]["access_key"].startswith("ASIA"), paths["osaka"])
    h.equal(paths["ses"]["credentials"]["access_key"], tokyo.said["aws"]["access_key"], "keys")
    h.equal((paths["osaka"]["account"]["quota"], paths["osaka"]["sending"]["used"]), (777, 1), "quota")
    done = ours.cli("ses suppression list", status=1)
    h.check("say which path" in done.stderr, done.stderr)
    ours.cli("ses suppression add", "x@example.com", "--path", "osaka")
    h.equal([suppressed(ours, "--path", p) for p in ("ses", "osaka")], [[], ["x@example.com"]], "lists")
    osaka.control("set ses sending off")
    h.wait_until(lambda: "CLOSED" in ours.cli("ses status --path osaka", status=None).stdout, "osaka closed")
    mail(ours, HEAD + b"\r\nbody\r\n", "c@example.com", "d@second.test")
    tokyo.journal.wait_delivered("c@example.com")
    h.wait_until(lambda: ours.queue_size() == 1, "one recipient waits for osaka")
    ours.cli("ses status --path ses")
    ours.cli("ses status", status=1)
    osaka.control("set ses sending on")
    osaka.journal.wait_delivered("d@second.test")
    ours.wait_empty()
    ours.stop()


def test_letters():
    """letters: what came, whole; pages; removed by number or all"""
    net, ours = up()
    for n in range(3):
        net.control(f'sqs send ses-events 1 odd "letter" {n}')
    h.wait_until(lambda: len(ours.json("ses letters")) == 3, "three letters")
    rows = ours.json("ses letters")
    h.equal(sorted(r["body"] for r in rows), [f'odd "letter" {n}' for n in range(3)], "bodies")
    h.equal([r["source"] for r in rows], ["events"] * 3, "where they came from")
    first = ours.json("ses letters", "--limit", "1")
    h.equal(first, rows[:1], "the first")
    h.equal(ours.json("ses letters", "--after", str(first[0]["seq"])), rows[1:], "those after it")
    text = ours.cli("ses letters").stdout
    h.equal(len(text.splitlines()), 4, "lines for people")
    h.check("removed 1" in ours.cli("ses letters remove", str(rows[1]["seq"])).stdout, "one")
    h.check("there is no letter" in ours.cli("ses letters remove", str(rows[1]["seq"]), status=1).stderr, "none")
    h.check("removed 2" in ours.cli("ses letters remove", "--all").stdout, "all")
    h.check("no dead letters" in ours.cli("ses letters").stdout, "no more")
    ours.stop()


# -- what goes to SES --------------------------------------------------------------------------

TWICE = HEAD + (b"Subject: two\r\nMessage-ID: <a@x>\r\nmessage-id: <b@x>\r\nMIME-Version: 1.0\r\n"
                b"Mime-Version: 1.0\r\nTo: b@example.com\r\nReply-To: c@news.test\r\n"
                b"Reply-To: d@news.test\r\nReceived: one\r\nReceived: two\r\n\r\nbody\r\n")


def test_double_fields_are_repaired():
    """duplicate-headers = repair: the first stays, addresses are joined, others are left; two From are refused"""
    net, ours = up()
    mail(ours, TWICE, "a@example.com")
    m = net.journal.wait_delivered("a@example.com")[0]
    for name, want in [("Subject", ["one"]), ("Message-ID", ["<a@x>"]), ("MIME-Version", ["1.0"]),
                       ("To", ["a@example.com, b@example.com"]), ("Reply-To", ["c@news.test, d@news.test"])]:
        h.equal(fields(net, m, name), want, name)
    h.equal(fields(net, m, "Received")[-2:], ["one", "two"], "Received")
    h.equal([r["to"] for r in m["rcpt"]], ["a@example.com"], "recipients are those of the envelope")
    ours.wait_empty()
    mail(ours, b"From: x@news.test\r\n" + HEAD + b"\r\nbody\r\n", "two@example.com")
    ours.log.wait(lambda _: ours.finals("two@example.com"), "an end for two From")
    h.equal(ours.finals("two@example.com")[0]["event"], "bounced", "two From")
    h.equal(net.journal.refused("two@example.com"), [], "SES is not asked")
    ours.stop()


def test_double_fields_are_refused():
    """duplicate-headers = refuse: a bounce that names the field, and SES is not asked"""
    net, ours = up(ses_more="\tduplicate-headers = refuse")
    mail(ours, TWICE, "a@example.com")
    ours.log.wait(lambda _: ours.finals("a@example.com"), "an end")
    end = ours.finals("a@example.com")[0]
    h.equal(end["event"], "bounced", "its end")
    h.check(re.search("one field of that name only: (Subject|Message-ID)", end["line"]), end["line"])
    mail(ours, HEAD + b"\r\nbody\r\n", "b@example.com")
    net.journal.wait_delivered("b@example.com")
    h.equal(len([m for m in net.journal.messages() if m["host"] == "ses"]), 1, "messages at SES")
    ours.stop()


def test_what_is_taken_out():
    """DKIM-Signature, Return-Path, X-Oiwake-* and what we said in X-SES-* go; 8-bit text stays as it is"""
    net, ours = up()
    body = "\u65e5\u672c\u8a9e \x01 .\r\n.dot\r\n\r\nlast".encode() + b"\xff\xfe\r\n"
    mail(ours, b"DKIM-Signature: v=1; a=rsa-sha256;\r\n\td=news.test; s=x; b=AAAA\r\n"
         b"DKIM-Signature: v=1; a=ed25519-sha256; d=news.test; s=y; b=BBBB\r\nReturn-Path: <x@y.test>\r\n"
         b"X-Oiwake-Tags: kind=news\r\nX-SES-MESSAGE-TAGS: a=1\r\nX-SES-CONFIGURATION-SET: one\r\n"
         b"X-SES-SOURCE-ARN: arn:aws:ses:x\r\n" + HEAD + b"\r\n" + body, "a@example.com")
    m = net.journal.wait_delivered("a@example.com")[0]
    for name in ("DKIM-Signature", "Return-Path", "X-Oiwake-Tags", "X-SES-MESSAGE-TAGS",
                 "X-SES-CONFIGURATION-SET"):
        h.equal(fields(net, m, name), [], name)
    h.equal(fields(net, m, "X-SES-SOURCE-ARN"), ["arn:aws:ses:x"], "what SES alone understands")
    h.equal(m["dkim"], [], "signatures at SES")
    h.check(net.message_bytes(m).endswith(b"\r\n\r\n" + body), "the body, byte for byte")
    h.equal(m["configuration_set"], "one", "set")
    ours.stop()


def test_what_ses_never_gets():
    """a..b@docomo.ne.jp goes by the mta path or not at all, what needs SMTPUTF8 bounces: SES is not asked"""
    net = Sandbox()
    config = Config(net, ses="api", routes="route all to any via ses\n")
    done = h.run([h.OIWAKE, "check", "-c", config.path], status=1)
    h.check("irregular addresses" in done.stderr, done.stderr)
    config.write_rules(TO_SES)
    ours = Oiwake(config)
    odd = ["a..b@docomo.ne.jp", "a.@docomo.ne.jp", ".a@docomo.ne.jp"]
    mail(ours, HEAD + b"\r\nbody\r\n", *odd, "good@docomo.ne.jp")
    net.journal.wait_delivered("good@docomo.ne.jp")
    utf8 = "From: info@news.test\r\nTo: \u592a\u90ce <a@example.com>\r\n\r\nbody\r\n".encode()
    mail(ours, utf8, "header@example.com", options=["SMTPUTF8", "BODY=8BITMIME"])
    with h.Raw(ours.port("relay")) as s:
        s.reply()
        s.command("EHLO client.test", 250)
        s.command("MAIL FROM:<info@news.test> SMTPUTF8", 250)
        s.command("RCPT TO:<\u592a\u90ce@example.com>", 250)
        s.command("DATA", 354)
        s.send(HEAD + b"\r\nbody\r\n.\r\n")
        h.equal(s.reply()[0], 250, "end of data")
    for address in odd:
        ours.log.wait(lambda _, a=address: ours.finals(a), f"an end for {address}")
        h.equal([(e["event"], e["path"]) for e in ours.finals(address)], [("delivered", "mta")], address)
    for address in ("header@example.com", "\u592a\u90ce@example.com"):
        ours.log.wait(lambda _, a=address: ours.finals(a), f"an end for {address}")
        h.equal(ours.finals(address)[0]["event"], "bounced", address)
    h.equal([r["to"] for m, r in net.journal.recipients() if m["host"] == "ses"], ["good@docomo.ne.jp"],
            "recipients at SES")
    h.equal(net.journal.events("refused"), [], "refusals by SES")
    ours.stop()


SAYS = HEAD + (b"X-SES-CONFIGURATION-SET: application\r\nX-SES-MESSAGE-TAGS: env=application, own=1, bad!=x\r\n"
               b"\r\nbody\r\n")
BY_RULE = "route ruled to domain ruled.test via ses configuration-set rule\n" + ROUTES


def asked(net, address):
    """Set and tags as SES had them."""
    m = net.journal.wait_delivered(address)[0]
    tags = dict(m["tags"])
    h.check(tags.pop("oiwake-id", None), "our id")
    return m["configuration_set"], tags


def test_the_application_wins():
    """application-headers = wins: application, then rule, then path"""
    net, ours = up(routes=BY_RULE, ses_more='\ttags = { "env=path", "team=path" }')
    mail(ours, SAYS, "a@example.com")
    mail(ours, SAYS, "b@ruled.test")
    mail(ours, HEAD + b"\r\nbody\r\n", "c@ruled.test")
    mail(ours, HEAD + b"\r\nbody\r\n", "d@example.com")
    tags = {"env": "application", "own": "1", "team": "path"}
    h.equal(asked(net, "a@example.com"), ("application", tags), "of the application")
    h.equal(asked(net, "b@ruled.test"), ("application", tags), "of the application, by a rule")
    h.equal(asked(net, "c@ruled.test"), ("rule", {"env": "path", "team": "path"}), "of the rule")
    h.equal(asked(net, "d@example.com"), ("events", {"env": "path", "team": "path"}), "of the path")
    ours.wait_empty()
    ours.stop()


def test_the_application_loses():
    """application-headers = loses: rule, then path; tags of the application that the path has not are kept"""
    net, ours = up(routes=BY_RULE, ses_more='\tapplication-headers = loses\n'
                   '\ttags = { "env=path", "team=path" }')
    mail(ours, SAYS, "a@example.com")
    mail(ours, SAYS, "b@ruled.test")
    tags = {"env": "path", "own": "1", "team": "path"}
    h.equal(asked(net, "a@example.com"), ("events", tags), "of the path")
    h.equal(asked(net, "b@ruled.test"), ("rule", tags), "of the rule")
    ours.wait_empty()
    ours.stop()


if __name__ == "__main__":
    h.main()
