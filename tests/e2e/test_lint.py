"""What a carrier would refuse by its form: refused to the client, held, or bounced by our own word.

time limit: 240 s
"""

import email
import email.policy

import harness as h
from oiwake import DKIM_DOMAIN, ROUTES, Config, Oiwake, Sandbox

SENDER = f"info@{DKIM_DOMAIN}"
AU, DOCOMO, SOFTBANK, SES = "hana@au.com", "taro@docomo.ne.jp", "jiro@softbank.ne.jp", "a@example.com"
NORMAL = (f"From: {SENDER}", "Message-ID: <1@news.test>", "Date: Sun, 22 Nov 2026 10:00:00 +0900",
          "Subject: x")


def up(shapes="", **config):
    net = Sandbox()
    config = Config(net, shapes=shapes, **config)
    return Oiwake(config), net


def mail(*fields, body="hello\r\n"):
    return ("".join(f + "\r\n" for f in fields) + "\r\n" + body).encode()


def without(name):
    return [f for f in NORMAL if not f.startswith(name)]


def give(ours, data, *to):
    """(code, text) of the answer to the message."""
    with h.Raw(ours.port("relay")) as s:
        s.reply()
        s.command("EHLO client.test", 250)
        s.command(f"MAIL FROM:<{SENDER}>", 250)
        for address in to:
            s.command(f"RCPT TO:<{address}>", 250)
        s.command("DATA", 354)
        s.send(data + b".\r\n")
        return s.reply()


def sized(size):
    """A message of that many bytes as the client sends it."""
    head = mail(*NORMAL, body="")
    line = b"x" * 70 + b"\r\n"
    body = line * ((size - len(head)) // len(line) - 1)
    return head + body + b"y" * (size - len(head) - len(body) - 2) + b"\r\n"


def test_refused_at_once():
    """Sizes, lines and fields that a carrier refuses are a 550 that names number, limit and carrier"""
    ours, net = up("shape carrier au max-size 20KB max-header 4KB max-line 998")
    long_line = NORMAL + ("X: " + "y" * 5000,)
    for data, status, says in (
            (sized(20400), "5.3.4", ("au would refuse it: a message of ", "larger than 20480")),
            (mail(*NORMAL, body="a\r\n" + "b" * 999 + "\r\n"), "5.6.0",
             ("au would refuse it: a line of 999 bytes", "longer than 998")),
            (mail(*long_line), "5.6.0", ("a header of ", "larger than 4096")),
            (mail(*without("From")), "5.6.0", ("no From",)),
            (mail(*without("From"), "From:"), "5.6.0", ("From field is empty",)),
            (mail(*without("Message-ID"), "Message-ID:  "), "5.6.0",
             ("Message-ID field is empty",)),
            (mail(*NORMAL, "subject: y"), "5.6.0", ("two Subject fields",)),
            (mail(*NORMAL, f"From: {SENDER}"), "5.6.0", ("two From fields",))):
        code, text = give(ours, data, AU)
        h.equal(code, 550, f"answer to {data[:300]!r}: {text}")
        h.check(text.startswith(status), f"{status} in {text!r}")
        for part in says:
            h.check(part in text, f"{part!r} in {text!r}")
    refused = ours.log.events("rejected")
    h.equal(len(refused), 8, "lines of the log")
    h.check("(line 7)" in refused[1]["reply"], f"the author's line in {refused[1]['reply']!r}")
    h.check(all(e["to"] == AU and "au would refuse it" in e["reply"] for e in refused), refused)
    h.equal(ours.total("accepted"), 0, "accepted")

    for data in (mail(*NORMAL), mail(*without("Message-ID")), sized(15000),
                 mail(*NORMAL, body="b" * 998 + "\r\n")):
        h.equal(give(ours, data, AU)[0], 250, "what is within the limits")
    h.equal(give(ours, sized(30000), SES)[0], 250, "by another path")
    net.journal.wait_delivered(AU, count=4)
    ours.stop()


def test_counts_what_is_sent():
    """The limit is of the message with our Received and room for our signature"""
    ours, net = up("shape carrier au max-size 20KB")
    for size, code in ((20480 - 1024 - 40, 550), (20480 - 1024 - 400, 250)):
        h.equal(give(ours, sized(size), AU)[0], code, f"{size} bytes")
    sent = net.message_bytes(net.journal.wait_delivered(AU)[0])
    h.check(b"DKIM-Signature" in sent and 20480 - 1024 < len(sent) <= 20480,
            f"{len(sent)} bytes were sent")
    ours.stop()


def test_some_of_many():
    """One message to a carrier that refuses it and to others: they get it, the sender hears why"""
    ours, net = up("shape carrier au max-size 20KB")
    h.equal(give(ours, sized(21000), AU, DOCOMO, SES)[0], 250, "the message")
    net.journal.wait_delivered(DOCOMO)
    net.journal.wait_delivered(SES)
    final = ours.log.wait(lambda _: ours.finals(AU), "a final line")[0]
    h.equal((final["event"], final["reason"], final["status"], final["stage"]),
            ("bounced", "mesgtoobig", "5.3.4", "none"), "au's")
    h.check("au would refuse it" in final["reply"], final["line"])
    net.journal.wait_delivered(SENDER)
    notice = email.message_from_bytes(
        net.message_bytes(net.journal.delivered(SENDER)[0]), policy=email.policy.default)
    status = list(notice.iter_parts())[1].get_payload()[1]
    h.equal((status["Final-Recipient"], status["Action"], status["Status"]),
            (f"rfc822; {AU}", "failed", "5.3.4"), "the notice")
    h.check("larger than 20480" in status["Diagnostic-Code"], status["Diagnostic-Code"])
    h.equal(net.journal.delivered(AU), [], "au's deliveries")
    h.equal([e for e in net.journal.events("connect") if e["host"] in ("ezweb", "au")], [],
            "connections to au")
    ours.wait_empty()
    ours.stop()


def test_held():
    """With `unfit hold` it waits, over reloads and restarts, until an operator says otherwise"""
    ours, net = up("shape carrier au unfit hold\nshape carrier docomo unfit send")
    data = mail(*NORMAL, "Subject: y")
    h.equal(give(ours, data, AU, DOCOMO)[0], 250, "the message")
    held = ours.log.wait(lambda _: ours.log.events("held"), "a line of the log")[0]
    h.equal((held["to"], held["path"]), (AU, "hold"), "who is held")
    net.journal.wait_delivered(DOCOMO)

    def rows():
        return [(r["to"], r["path"], str(r["due"])[:4], r["last"]) for r in ours.json("queue list")]
    want = [(AU, "hold", "9999", "held: au would refuse it: there are two Subject fields")]
    h.wait_until(lambda: rows() == want, lambda: f"{want} in the queue: {rows()}")
    ours.cli("reload")
    ours.kill9()
    ours.start()
    ours.cli("queue retry", "--all")
    h.wait_until(lambda: rows() == want, lambda: f"{want} in the queue: {rows()}")
    h.equal(len(ours.log.events("held")), 1, "it was told of once")
    h.equal(net.journal.delivered(AU), [], "au's deliveries")
    ours.cli("queue retry", "--path", "hold")
    got = net.message_bytes(net.journal.wait_delivered(AU)[0])
    h.check(got.endswith(data), "bytes were changed")
    ours.wait_empty()
    ours.stop()


def test_rules_say_otherwise():
    """A shape that says `send` lets go what is held, and takes everything"""
    ours, net = up("shape carrier au max-size 20KB unfit hold")
    data = mail(*without("From"), "Subject: y", body=500 * ("b" * 50 + "\r\n"))
    h.equal(give(ours, data, AU)[0], 250, "the message")
    ours.log.wait(lambda _: ours.log.events("held"), "a line of the log")
    ours.config.write_rules(ROUTES, "shape carrier au max-size 20KB unfit send")
    ours.cli("reload")
    h.check(net.message_bytes(net.journal.wait_delivered(AU)[0]).endswith(data), "bytes changed")
    h.equal(give(ours, data, AU)[0], 250, "the next one")
    net.journal.wait_delivered(AU, count=2)
    ours.stop()


if __name__ == "__main__":
    h.main()
