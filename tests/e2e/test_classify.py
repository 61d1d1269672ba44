"""test_classify.py - `oiwake classify`: messages and replies, what each means and by which line, and
what it does where there is nothing to read or the table is wrong."""
import json
import os

import harness as h

DSN = """From: MAILER-DAEMON@relay.example.net (Mail Delivery System)
To: bounces@sender.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain

Your mail could not be delivered.

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example.net

Final-Recipient: rfc822; nobody@example.jp
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.jp
Diagnostic-Code: smtp; 550 5.1.1 <nobody@example.jp>: Recipient address rejected: User unknown

Final-Recipient: rfc822; full@example.jp
Action: failed
Status: 5.2.2
Remote-MTA: dns; mx.example.jp
Diagnostic-Code: smtp; 552 5.2.2 the mailbox is full

Final-Recipient: rfc822; slow@example.jp
Action: delayed
Status: 4.4.1
Diagnostic-Code: smtp; connect to mx.example.jp: Connection timed out

--b1
Content-Type: text/rfc822-headers

From: news@sender.example
To: nobody@example.jp
Message-ID: <1@sender.example>

--b1--
"""

COMPLAINT = """From: abuse@example.org
To: fbl@sender.example
Subject: a complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b2"

--b2
Content-Type: text/plain

This is a complaint.

--b2
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Example/1
Version: 1
Original-Rcpt-To: <annoyed@example.org>

--b2
Content-Type: message/rfc822

From: news@sender.example
To: annoyed@example.org
Subject: news

news
--b2--
"""

AWAY = """From: someone@example.jp
To: news@sender.example
Subject: out of office
Auto-Submitted: auto-replied
In-Reply-To: <1@sender.example>

I am away.
"""

LETTER = """From: someone@example.jp
To: news@sender.example
Subject: hello

How are you?
"""


KEYS = ["feedbacktype", "file", "hard", "reason", "recipient", "replycode", "status", "suppress"]


def classify(*words, status=0):
    # Settings that the machine may have are not this test's.
    return h.run([h.OIWAKE, "classify", *words], status=status, env={"OIWAKE_CONF": ""})


def rows(*words):
    return [json.loads(line) for line in classify("--json", *words).stdout.splitlines()]


def written(name, text):
    h.work.write(name, text)
    return h.work.file(name)


def brief(row):
    return (row["recipient"], row["reason"], row["hard"], row["suppress"])


def test_messages():
    """A DSN of three recipients, a complaint, an automatic reply and a letter"""
    path = written("dsn", DSN)
    got = rows(path)
    h.equal([brief(r) for r in got],
            [("nobody@example.jp", "userunknown", True, True),
             ("full@example.jp", "mailboxfull", False, False),
             ("slow@example.jp", "expired", False, False)], "the DSN")
    h.equal(sorted(got[0]), KEYS, "keys")
    h.equal((got[0]["file"], got[0]["status"], got[0]["replycode"]), (path, "5.1.1", "550"), "its reply")
    got = rows(written("complaint", COMPLAINT))
    h.equal([brief(r) + (r["feedbacktype"],) for r in got],
            [("annoyed@example.org", "feedback", False, True, "abuse")], "the complaint")
    got = rows(written("away", AWAY))
    h.equal([(r["reason"], r["hard"], r["suppress"]) for r in got], [("vacation", False, False)], "away")
    h.equal(rows(written("letter", LETTER)), [], "the letter")


def test_what_cannot_be_read():
    """A file that is not there is named, the others are done, and the status is 1"""
    good, letter = written("dsn", DSN), written("letter", LETTER)
    absent = h.work.file("absent")
    done = classify("--json", absent, h.work.path, good, status=1)
    h.equal(len(done.stdout.splitlines()), 3, "rows of the good one")
    for name in (absent, h.work.path):
        h.check(f"cannot read '{name}'" in done.stderr, done.stderr)
    done = classify(letter)
    h.equal(done.stdout, "", "a letter")
    h.check("no bounce" in done.stderr and letter in done.stderr, done.stderr)


def test_mailbox_file():
    """All messages of a mailbox file"""
    line = "From MAILER-DAEMON  Thu Apr 29 23:34:45 2010\n"
    path = written("mbox", line + DSN + "\n" + line + COMPLAINT)
    h.equal([r["reason"] for r in rows(path)], ["userunknown", "mailboxfull", "expired", "feedback"], "all")


def test_replies():
    """One reply: the stage and the group decide, and the line is named"""
    reply = "550 Unknown user <a@docomo.ne.jp>"
    for words, want in ((("--group", "docomo", "--stage", "rcpt"), "userunknown"),
                        (("--group", "docomo", "--stage", "data"), "filtered"),
                        (("--stage", "rcpt"), "userunknown"),
                        (("--host", "mfsmax.docomo.ne.jp", "--stage", "dot"), "filtered")):
        got = rows("--reply", reply, *words)
        h.equal([r["reason"] for r in got], [want], " ".join(words))
        h.equal(got[0]["hard"], want == "userunknown", "hard")
    got = rows("--explain", "--reply", reply, "--group", "docomo", "--stage", "rcpt")[0]
    h.equal((got["table"], got["source"], got["stage"]), ("reasons.table", "facts", "rcpt"), "explained")
    with open(os.path.join(h.ROOT, "conf", "reasons.table"), encoding="utf-8") as f:
        line = f.read().splitlines()[got["line"] - 1]
    h.check(line.startswith("docomo") and "userunknown" in line, line)
    text = classify("--explain", "--reply", reply, "--group", "docomo", "--stage", "rcpt").stdout
    h.check("userunknown, hard, suppresses the address" in text and "reasons.table:" in text, text)


def test_own_table():
    """--table: another table, and all that is wrong with one"""
    table = written("table", 'any "teapot" -> contenterror # RFC 2324\n')
    got = rows("--explain", "--table", table, "--reply", "550 I am a teapot")[0]
    h.equal((got["reason"], got["table"], got["line"]), ("contenterror", table, 1), "a line of its own")
    wrong = written("wrong", 'any "x y z" -> nothing # a\nany code 9 -> expired # b\n')
    done = classify("--table", wrong, "--reply", "550 x", status=1)
    h.check(f"{wrong}:1: unknown reason 'nothing'" in done.stderr, done.stderr)
    h.check(f"{wrong}:2: expected codes" in done.stderr, done.stderr)


def test_usage():
    """Wrong usage is status 2"""
    for words in ([], ["--reply", "550 x", "file"], ["--stage", "rcpt", "file"],
                  ["--reply", "550 x", "--stage", "end"], ["--nothing"]):
        h.check(classify(*words, status=2).stderr.strip(), f"{words} says nothing")


if __name__ == "__main__":
    h.main()
