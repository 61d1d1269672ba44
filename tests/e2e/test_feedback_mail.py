"""Mail that comes back, hours later: whose it is, what it changes, and what nobody is made to believe.

time limit: 300 s
"""

import smtplib
import time

import harness as h
from oiwake import DKIM_DOMAIN, Config, Oiwake, Sandbox
from test_return_path import DOMAIN, SECRET, message_number, token

SENDER = f"bounces@{DKIM_DOMAIN}"
OPS = "ops@news.test"
TO = "taro@docomo.ne.jp"
FBL = f"fbl@{DOMAIN}"
ROUTES = "route keitai to carrier * via mta\nroute default to any via mta\n"
SETTLED = ("sent", "bounced", "filtered", "expired", "suppressed", "removed", "queued")

DSN = """\
From: Mail Delivery System <MAILER-DAEMON@mx.example.com>
To: {to}
Subject: Undelivered Mail Returned to Sender
Date: Mon, 23 Nov 2026 08:00:00 +0900
Message-ID: <dsn{n}@mx.example.com>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Your message could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com
{parts}
--b
Content-Type: text/rfc822-headers

From: info@news.test
Subject: test
{quoted}
--b--
"""

PART = """
Final-Recipient: rfc822; {to}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {code} {status} {text}
"""

ARF = """\
From: feedback@carrier.test
To: {to}
Subject: complaint
Message-ID: <arf{n}@carrier.test>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain

A subscriber complains.

--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: test/1
Version: 1
{fields}
--b
Content-Type: text/rfc822-headers

From: info@news.test
Subject: test
{quoted}
--b--
"""

QUESTION = "From: a@example.com\nSubject: question\nMessage-ID: <q{}@example.com>\n\nWhy?\n"


def up(more="", start=True, **config):
    net = Sandbox()
    config = Config(net, routes=ROUTES, **config)
    secret = config.write("return-path.key", SECRET + "\n", 0o600)
    config.text += (f'return-path {{\n\tdomain = "{DOMAIN}"\n\tkey = "{secret}"\n'
                    f'\tfeedback = {{ "fbl" }}\n{more}\n}}\n')
    config.save()
    return Oiwake(config, start), net


def send(ours, net, *to, n=1, sender=SENDER):
    """One message; what the sandbox has of the first recipient of it."""
    with h.smtp(ours.port("relay")) as s:
        s.sendmail(sender, to, h.message(sender=SENDER))
    for address in to:
        net.journal.wait_delivered(address, count=n)
    ours.wait_empty()
    return net.journal.delivered(to[0])[-1]


def part(to=TO, action="failed", status="5.1.1", code=550, text="user unknown"):
    return PART.format(to=to, action=action, status=status, code=code, text=text)


def dsn(to, *parts, n=1, quoted=""):
    return DSN.format(to=to, n=n, parts="".join(parts or [part()]), quoted=quoted)


def arf(n=1, fields="", quoted=""):
    return ARF.format(to=FBL, n=n, fields=fields, quoted=quoted)


def bring(ours, to, text, sender="", want=250):
    """The last reply."""
    with h.Raw(ours.port("inbound")) as s:
        s.reply()
        s.command("EHLO mx.example.com", 250)
        s.command(f"MAIL FROM:<{sender}>", 250)
        code, answer = s.command(f"RCPT TO:<{to}>")
        if code == 250:
            s.command("DATA", 354)
            data = text if isinstance(text, bytes) else text.replace("\n", "\r\n").encode()
            s.send(data + b".\r\n")
            code, answer = s.reply()
    h.equal(code, want, f"reply to mail for {to}: {answer}")
    return answer


def numbers(ours):
    rows = ours.stats("path")
    for row in rows:
        h.equal(row["accepted"] + row["returned"], sum(row[c] for c in SETTLED),
                f"accepted + returned of {row}")
    return {c: sum(row[c] for row in rows)
            for c in ("delivered", "bounced", "filtered", "expired", "complained")}


def want(ours, what, **counters):
    got = numbers(ours)
    h.equal(got, {c: counters.get(c, 0) for c in got}, what)


def suppressed(ours):
    return {e["address"]: e["cause"] for e in ours.json("suppress list")}


def letters(ours):
    return ours.json("ses letters")


def told(ours):
    return [(e["kind"], e.get("proved"), e["result"]) for e in ours.log.events("feedback")]


def header(net, message, name):
    text = net.message_bytes(message).split(b"\r\n\r\n")[0].decode()
    fields = [l.split(":", 1)[1].strip() for l in text.split("\r\n")
              if l.lower().startswith(name.lower() + ":")]
    h.equal(len(fields), 1, f"{name} fields")
    return fields[0]


def test_a_late_bounce_counts_once():
    """Delivered becomes bounced, the address is suppressed; a second time changes nothing"""
    ours, net = up()
    address = send(ours, net, TO)["from"]
    want(ours, "after the delivery", delivered=1)
    h.equal(suppressed(ours), {}, "suppressed")
    for n in (1, 2, 3):
        bring(ours, address, dsn(address, n=n))
        net.journal.wait_delivered(SENDER, count=n)
        ours.wait_empty()
        # each copy for the application is a delivery of its own
        want(ours, f"after {n} bounces", delivered=n, bounced=1)
    h.equal(suppressed(ours), {TO: "userunknown"}, "suppressed")
    h.equal(told(ours), [("bounce", "address", r) for r in ("recorded", "known", "known")], "log")
    h.equal(letters(ours), [], "letters")
    entry = ours.json("suppress show", TO)[0]
    h.check("user unknown" in entry["evidence"] and entry["source"] == "dsn", f"{entry}")
    ours.stop()


def test_what_suppresses_nobody():
    """A full mailbox, a filter, a delay, a vacation: understood, and the address stays good"""
    ours, net = up("\tforward = no")
    mails = {
        "mine@docomo.ne.jp": (dict(code=552, status="5.2.2", text="mailbox full"), "bounced"),
        "yours@docomo.ne.jp": (dict(code=554, status="5.7.1", text="message looks like spam"),
                              "bounced"),
        "ours@docomo.ne.jp": (dict(action="delayed", status="4.4.1", code=451, text="try later"),
                              None)}
    expected = {"delivered": 0}
    for to, (said, counter) in mails.items():
        address = send(ours, net, to)["from"]
        expected["delivered"] += counter is None
        if counter:
            expected[counter] = expected.get(counter, 0) + 1
        bring(ours, address, dsn(address, part(to, **said)))
        want(ours, f"after {said}", **expected)
    address = send(ours, net, TO)["from"]
    expected["delivered"] += 1
    bring(ours, address, f"From: {TO}\nTo: {address}\nSubject: vacation\nMessage-ID: <v@d>\n"
          "Auto-Submitted: auto-replied\nPrecedence: junk\n\nI am out of the office: user unknown.\n")
    # au's own form: the subscriber's filter
    to = "kanako@ezweb.ne.jp"
    address = send(ours, net, to)["from"]
    bring(ours, address, "From: Postmaster@ezweb.ne.jp\nX-SPASIGN: NG\nSubject: Mail System Error - "
          f"Returned Mail\nMessage-ID: <s@e>\n\nThe user(s) account is disabled.\n\n<{to}>: 550 user "
          "unknown\n")
    want(ours, "at the end", filtered=1, **expected)
    h.equal(suppressed(ours), {}, "suppressed")
    h.equal(letters(ours), [], "letters")
    h.equal(len(net.journal.delivered(SENDER)), 0, "sent on, though forward = no")
    ours.stop()


def test_somebody_elses_recipients():
    """A signed address speaks of its own recipient only, whomever the report names"""
    ours, net = up("\tforward = no")
    other = "hanako@docomo.ne.jp"
    first = send(ours, net, TO)["from"]
    second = send(ours, net, other)["from"]
    # that others have it is nothing of his
    bring(ours, first, dsn(first, part(other, "delivered", "2.0.0", 250, "ok")))
    bring(ours, first, dsn(first, part(other, "delayed", "4.4.1", 451, "later")))
    want(ours, "after others' delivery", delivered=2)
    bring(ours, first, dsn(first, part(other), part("x@example.com"), part("y@example.com")))
    want(ours, "after others' bounces", delivered=1, bounced=1)
    h.equal(suppressed(ours), {TO: "userunknown"}, "suppressed")
    bring(ours, second, dsn(second, part("z@example.com", status="5.2.2", code=552,
                                         text="mailbox full"), part(other)))
    want(ours, "after his own", bounced=2)
    h.equal(sorted(suppressed(ours)), sorted([TO, other]), "suppressed")
    ours.stop()


def test_several_in_one_message():
    """The address of a message to several names it; the report says whose it is"""
    ours, net = up("\tforward = no",
                   shapes="shape domain ordinary.test recipients 10/message\n")
    people = [f"{c}@ordinary.test" for c in "abc"]
    m = send(ours, net, *people)
    h.equal(len(m["rcpt"]), 3, "recipients of the message")
    number = message_number(ours.log.events("accepted")[-1]["id"])
    h.equal(m["from"].split("@")[0][:20], token(number, 0xffffff)[:20], "MAIL FROM")
    bring(ours, m["from"], dsn(m["from"], part(people[1])))
    want(ours, "after the second's", delivered=2, bounced=1)
    bring(ours, m["from"], dsn(m["from"], part("x@example.com"), n=2))
    want(ours, "after somebody's", delivered=2, bounced=1)
    h.equal(len(letters(ours)), 1, "letters")
    h.equal(suppressed(ours), {people[1]: "userunknown"}, "suppressed")
    ours.stop()


def test_too_many_letters():
    """What means nothing is kept for a human, but not without end"""
    ours, _ = up("\trate = 0")
    codes = []
    with h.smtp(ours.port("inbound")) as s:
        for n in range(1005):
            try:
                s.sendmail("", [f"postmaster@{DOMAIN}"], QUESTION.format(n))
                codes.append(250)
            except smtplib.SMTPDataError as e:
                codes.append(e.smtp_code)
    h.equal((codes[:1000], codes[1002:]), ([250] * 1000, [452] * 3), "replies")
    ours.stop()


def test_forged():
    """Forged tokens are refused at RCPT; reports without proof suppress nobody"""
    ours, net = up("\tforward = no")
    message = send(ours, net, TO)
    id, message_id = (header(net, message, n) for n in ("X-Oiwake-ID", "Message-ID"))
    number = message_number(ours.log.events("accepted")[-1]["id"])
    h.equal(id.split("@")[1], DOMAIN, "domain of X-Oiwake-ID")
    bring(ours, token(number, secret=SECRET + "x"), dsn("x"), want=550)
    forged = token(number, secret=SECRET + "x")
    # nobody's, by forged tokens; somebody's by Message-ID, but not by another address
    for n, text in enumerate((
            arf(1, fields=f"Original-Mail-From: <{forged}>\nOriginal-Rcpt-To: <{TO}>"),
            arf(2, quoted=f"X-Oiwake-ID: {forged}"),
            arf(3, fields="Original-Rcpt-To: <x@docomo.ne.jp>", quoted=f"Message-ID: {message_id}"),
            dsn(FBL, part(), n=4, quoted="Message-ID: <other@test>"),
            arf(5)), 1):
        bring(ours, FBL, text)
        want(ours, f"after forgery {n}", delivered=1)
        h.equal(len(letters(ours)), n, "dead letters")
    h.equal({l["source"] for l in letters(ours)}, {"feedback"}, "source of the letters")
    bring(ours, FBL, arf(6, fields=f"Original-Rcpt-To: <{TO}>", quoted=f"Message-ID: {message_id}"))
    want(ours, "an unproved complaint", delivered=1, complained=1)
    bring(ours, FBL, dsn(FBL, part(), n=7, quoted=f"Message-ID: {message_id}"))
    want(ours, "an unproved bounce", bounced=1, complained=1)
    h.equal(suppressed(ours), {}, "suppressed")
    h.equal(told(ours)[-2:], [("complaint", "message-id", "recorded"),
                              ("bounce", "message-id", "recorded")], "log")
    ours.stop()


def test_complaints():
    """ARF that hides the recipient is proved by the quoted return path, or by X-Oiwake-ID"""
    ours, net = up()
    proofs = []
    for n, to in enumerate(("a@docomo.ne.jp", "b@docomo.ne.jp", "c@docomo.ne.jp"), 1):
        m = send(ours, net, to)
        id = header(net, m, "X-Oiwake-ID")
        text, at, proof = (
            (arf(n, fields=f"Original-Mail-From: <{m['from']}>\nOriginal-Rcpt-To: <redacted>"),
             FBL, "return-path"),
            (arf(n, quoted=f"X-Oiwake-ID: {id}"), FBL.upper(), "x-oiwake-id"),
            (arf(n, quoted=f"X-Oiwake-ID: {id}"), f"abuse@{DOMAIN}", "x-oiwake-id"))[n - 1]
        bring(ours, at, text, sender="feedback@carrier.test")
        bring(ours, at, text, sender="feedback@carrier.test")
        proofs += [("complaint", proof, "recorded"), ("complaint", proof, "known")]
        want(ours, f"after complaint {n}", delivered=n, complained=n)
        h.equal(suppressed(ours).get(to), "complaint", f"cause of {to}")
    h.equal(told(ours), proofs, "log")
    h.equal(letters(ours), [], "letters")
    # two in one message: by the address that it names
    m = send(ours, net, "d@docomo.ne.jp", "e@docomo.ne.jp")
    bring(ours, FBL, arf(9, fields="Original-Rcpt-To: <e@docomo.ne.jp>",
                         quoted=f"X-Oiwake-ID: {header(net, m, 'X-Oiwake-ID')}"))
    h.equal(suppressed(ours).get("e@docomo.ne.jp"), "complaint", "e")
    h.equal(suppressed(ours).get("d@docomo.ne.jp"), None, "d")
    ours.stop()


def test_postmaster():
    """postmaster@ and abuse@ are taken, and kept for a human; nothing is answered"""
    ours, net = up()
    for n, to in enumerate((f"postmaster@{DOMAIN}", f"ABUSE@{DOMAIN.upper()}", "postmaster"), 1):
        bring(ours, to, QUESTION.format(n), sender="a@example.com")
        h.equal(len(letters(ours)), n, "letters")
    h.equal({l["source"] for l in letters(ours)}, {"postmaster"}, "source")
    h.check("Why?" in letters(ours)[0]["body"], f"{letters(ours)[0]}")
    bring(ours, f"webmaster@{DOMAIN}", QUESTION, want=550)
    h.equal(net.journal.messages(), [], "messages")
    ours.stop()


def test_postmaster_elsewhere():
    """Or they go on to whom the settings name, from <>"""
    ours, net = up(f'\tpostmaster = "{OPS}"')
    for n, sender in enumerate(("a@example.com", ""), 1):
        bring(ours, f"postmaster@{DOMAIN}", QUESTION.format(n), sender=sender)
        got = net.journal.wait_delivered(OPS, count=n)[-1]
        h.equal(got["from"], "", "reverse-path of what goes on")
    # a bounce to postmaster is no bounce of anybody's
    bring(ours, f"postmaster@{DOMAIN}", dsn("x"))
    net.journal.wait_delivered(OPS, count=3)
    ours.wait_empty()
    want(ours, "copies for the postmaster", delivered=3)
    h.equal(letters(ours), [], "letters")
    h.equal(len(net.journal.messages()), 3, "messages in all")
    ours.stop()


def test_no_loop():
    """What comes round ends by its Received fields; a sender in the domain itself gets no bounce"""
    ours, net = up(f'\tpostmaster = "{OPS}"', limits="\tmax-received = 5")
    text = "Received: from a by b; now\n" * 6 + "From: a@b\nMessage-ID: <l@b>\n\nx\n"
    bring(ours, f"postmaster@{DOMAIN}", text, want=554)
    h.equal(net.journal.messages(), [], "messages")
    address = send(ours, net, TO, sender=f"app@{DOMAIN}")["from"]
    bring(ours, address, dsn(address))
    ours.wait_empty()
    want(ours, "after its bounce", bounced=1)
    h.equal(len(net.journal.messages()), 1, "messages in all")
    ours.stop()


def test_bounded():
    """Thousands of nested parts, long headers, much too large: answered at once, and mail goes on"""
    ours, net = up("\tforward = no", start=False)
    ours.start()
    address = send(ours, net, TO)["from"]
    nested = "".join(f'Content-Type: multipart/mixed; boundary="b{i}"\n\n--b{i}\n' for i in range(10000))
    header_bomb = "X-A: " + "a" * 900 + "\n"
    began = time.monotonic()
    bring(ours, address, "From: a@b\nMessage-ID: <1@b>\nMIME-Version: 1.0\n" + nested + "\nx\n")
    bring(ours, FBL, "From: a@b\nMessage-ID: <2@b>\n" + header_bomb * 200 + "\nx\n")
    bring(ours, address, "From: a@b\nMessage-ID: <3@b>\n\n" + ("x" * 70 + "\n") * 60000)
    h.check(time.monotonic() - began < h.PATIENCE, f"{time.monotonic() - began:.1f} s for three messages")
    with h.Raw(ours.port("inbound")) as s:
        s.reply()
        s.command("EHLO c", 250)
        h.equal(s.command("MAIL FROM:<> SIZE=11000000")[0], 552, "11 MB")
    h.check(all(len(l["body"]) <= 65536 for l in letters(ours)), "a letter is too long")
    want(ours, "after all of it", delivered=1)
    ours.stop()


def test_rate():
    """Who brings too many is told to come later; others are not"""
    ours, net = up("\trate = 1")
    codes = []
    with h.Raw(ours.port("inbound")) as s:
        s.reply()
        s.command("EHLO c", 250)
        for _ in range(15):
            codes.append(s.command("MAIL FROM:<>")[0])
            s.command("RSET", 250)
    h.check(codes[:10] == [250] * 10 and codes[-3:] == [452] * 3, f"{codes}")
    with h.Raw(ours.port("inbound"), "127.0.0.9") as s:
        s.reply()
        s.command("EHLO c", 250)
        s.command("MAIL FROM:<>", 250)
    with h.Raw(ours.port("relay")) as s:
        s.reply()
        s.command("EHLO c", 250)
        s.command("MAIL FROM:<>", 250)
    h.equal(len(net.journal.messages()), 0, "messages")
    ours.stop()


def test_kill_between_data_and_answer():
    """kill -9 at any moment: what was answered is recorded, and what comes again counts once"""
    ours, net = up("\tforward = no\n\trate = 0")
    people = [f"p{n}@docomo.ne.jp" for n in range(12)]
    addresses = {to: send(ours, net, to)["from"] for to in people}
    for n, to in enumerate(people):
        with h.Raw(ours.port("inbound")) as s:
            s.reply()
            s.command("EHLO mx.example.com", 250)
            s.command("MAIL FROM:<>", 250)
            s.command(f"RCPT TO:<{addresses[to]}>", 250)
            s.command("DATA", 354)
            s.send(dsn(addresses[to], part(to), n=n).replace("\n", "\r\n").encode() + b".\r\n")
            time.sleep(n * 0.001)
            ours.kill9()
        ours.start()
        bring(ours, addresses[to], dsn(addresses[to], part(to), n=n))
        want(ours, f"after {n + 1}", delivered=len(people) - n - 1, bounced=n + 1)
    h.equal(sorted(suppressed(ours)), sorted(people), "suppressed")
    ours.stop()


def test_gone_before_the_answer():
    """Clients that leave after the last dot: what they brought is recorded once, or not yet"""
    ours, net = up("\tforward = no\n\trate = 0")
    address = send(ours, net, TO)["from"]
    for n in range(30):
        with h.Raw(ours.port("inbound")) as s:
            s.reply()
            for line in ("EHLO mx.example.com", "MAIL FROM:<>", f"RCPT TO:<{address}>"):
                s.command(line, 250)
            s.command("DATA", 354)
            s.send(dsn(address, n=n).replace("\n", "\r\n").encode() + b".\r\n")
            if n % 2:
                h.reset(s.sock)
    bring(ours, address, dsn(address))
    want(ours, "after all of them", bounced=1)
    h.equal(suppressed(ours), {TO: "userunknown"}, "suppressed")
    ours.stop()


def test_unknown_any_more():
    """A good token of what is forgotten: with nobody to send it to, a dead letter and 250"""
    ours, net = up("\tforward = no")
    number = message_number("1" * 13)
    bring(ours, token(number), dsn("x"))
    h.equal([l["source"] for l in letters(ours)], ["bounce"], "letters")
    h.equal(told(ours), [("bounce", "address", "unknown"), ("bounce", None, "dead_letter")], "log")
    ours.stop()


if __name__ == "__main__":
    h.main()
