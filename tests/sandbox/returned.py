"""returned.py - does mail come back by mail as main.c promises? Part of check.

Python's own email package reads what came, and a small SMTP server here takes it.
"""
import email, email.policy, json, socketserver, threading, time

SENDER = "b=token@bounce.test"
FBL = "fbl@bounce.test"
MAIL = b"From: a@example.com\r\nTo: %s\r\nSubject: hello\r\nMessage-ID: <1@x>\r\n\r\n.dot\r\nx\r\n"


class Taker(socketserver.ThreadingTCPServer):
    """Keeps (peer, from, to, bytes) of every message; answers(number) is what it says to it."""

    daemon_threads = allow_reuse_address = True

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), Talk)
        self.mails, self.answers = [], lambda number: "250 Ok"
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def wait(self, count):
        end = time.monotonic() + 10
        while len(self.mails) < count:
            assert time.monotonic() < end, "%d of %d came" % (len(self.mails), count)
            time.sleep(0.01)
        return self.mails


class Talk(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        try:
            self.talk()
        except ConnectionError:
            pass

    def talk(self):
        self.say("220-x\r\n220 y")
        said = {}
        for line in iter(self.rfile.readline, b""):
            verb, _, rest = line.decode().strip().partition(":" if line[:4] in (b"MAIL", b"RCPT") else " ")
            said[verb[:4]] = rest
            if verb == "DATA":
                self.say("354 go on")
                answer = self.take(said)
                if not answer:
                    return
                self.say(answer)
            else:
                self.say("250-a\r\n250 b" if verb == "EHLO" else "250 Ok")

    def take(self, said):
        lines = list(iter(self.rfile.readline, b".\r\n"))
        data = b"".join(l[1:] if l.startswith(b".") else l for l in lines)
        self.server.mails.append((self.client_address[0], said["MAIL"], said["RCPT"], data))
        return self.server.answers(len(self.server.mails))


def give(box, host, to, sender=SENDER):
    got = box.client(host).message([to], MAIL % to.encode(), sender)
    assert got[-1].startswith("250"), got


def came(box, taker, host, to, count=1):
    """What came back for one mail: (where from, from, to, parsed)."""
    del taker.mails[:]
    give(box, host, to)
    peer, sender, rcpt, data = taker.wait(count)[0]
    return peer, sender, rcpt, email.message_from_bytes(data, policy=email.policy.default)


def text_of(mail):
    part = next(p for p in mail.walk() if p.get_content_type() == "text/plain")
    return part.get_content()


def check_au(box, taker):
    for word, says in [("laterfull", "temporarily over quota"), ("laterdisabled", "is disabled."),
                       ("laterlimited", "temporarily limited."), ("laterunknown", "550 <%s>: User unknown"),
                       ("laterexpired", "not delivered within 0 days and 1 hours."),
                       ("laterfiltered", "<%s>")]:
        to = word + "-1@au.com"
        peer, sender, rcpt, mail = came(box, taker, "au", to)
        assert (peer, sender, rcpt) == (box.ports["hosts"]["au"], "<>", "<%s>" % SENDER), (peer, sender, rcpt)
        assert mail["Subject"] == "Mail System Error - Returned Mail"
        assert mail["From"].addresses[0].addr_spec == "Postmaster@ezweb.ne.jp"
        text = text_of(mail)
        assert (says % to if "%" in says else says) in text and to in text, text
        assert "\u3067\u304d\u307e\u305b\u3093\u3067\u3057\u305f" in text, text
        assert (mail["X-SPASIGN"] == "NG") == (word == "laterfiltered")


def check_dsn(box, taker):
    for word, status, action in [("laterunknown", "5.1.1", "failed"), ("laterdelayed", "4.4.1", "delayed"),
                                 ("laterblocked", "5.7.1", "failed")]:
        to = word + "@example.com"
        peer, sender, rcpt, mail = came(box, taker, "ordinary", to)
        assert mail.get_content_type() == "multipart/report" and sender == "<>"
        _, fields, quoted = mail.iter_parts()
        fields = fields.get_payload()[1]
        assert (fields["Status"], fields["Action"]) == (status, action)
        assert fields["Final-Recipient"] == "rfc822; " + to
        if action == "failed":
            assert quoted.get_content()["Message-ID"] == "<1@x>"
            assert MAIL % to.encode() in taker.mails[0][3]


def check_complaints(box, taker):
    for word in ("complaint", "redacted"):
        to = word + "-7@softbank.ne.jp"
        _, _, rcpt, mail = came(box, taker, "softbank", to)
        assert rcpt == "<%s>" % FBL
        assert mail["Content-Type"].params["report-type"] == "feedback-report"
        raw = taker.mails[0][3]
        assert b"Feedback-Type: abuse" in raw and b"Message-ID: <1@x>" in raw
        assert (to.encode() in raw) == (word == "complaint")
        assert (SENDER.encode() in raw) == (word == "complaint")


def check_vacation(box, taker):
    _, _, rcpt, mail = came(box, taker, "docomo", "vacation@docomo.ne.jp")
    assert (rcpt, mail["Auto-Submitted"], mail["In-Reply-To"]) == ("<%s>" % SENDER, "auto-replied", "<1@x>")


def settled(box, **want):
    end = time.monotonic() + 10
    while True:
        got = json.loads(box.tell("get returns"))
        if all(got[k] == v for k, v in want.items()):
            return
        assert time.monotonic() < end, got
        time.sleep(0.01)


def check_patience(box, taker):
    settled(box, waiting=0)
    before = json.loads(box.tell("get returns"))
    del taker.mails[:]
    taker.answers = lambda n: {1: "451 later", 2: ""}.get(n, "250 Ok")
    box.tell("set returns late on")
    give(box, "au", "laterfull-9@au.com")
    give(box, "au", "laterfull-10@au.com", "")
    give(box, "au", "taro@au.com")
    settled(box, waiting=1, in_flight=0)
    assert not taker.mails
    box.tell("set returns late off")
    settled(box, waiting=0, accepted=before["accepted"] + 1)
    got = box.journal(event="return", of="laterfull-9@au.com")
    assert [(j["attempt"], j["code"], j["accepted"]) for j in got] == \
        [(1, 451, False), (2, 0, False), (3, 250, True)], got
    taker.answers = lambda n: "550 no"
    give(box, "au", "laterfull-11@au.com")
    settled(box, waiting=0, refused=before["refused"] + 1)
    taker.answers = lambda n: "250 Ok"
    box.tell("set returns copies 2")
    came(box, taker, "au", "laterfull-12@au.com", count=3)
    assert len({email.message_from_bytes(m[3])["Message-ID"] for m in taker.mails}) == 3
    box.tell("set returns copies 0")
    settled(box, waiting=0)


def check_nobody_listens(box, taker):
    taker.shutdown()
    taker.server_close()
    give(box, "au", "laterfull-13@au.com")
    end = time.monotonic() + 10
    while len(box.journal(event="return", of="laterfull-13@au.com", code=0)) < 3:
        assert time.monotonic() < end
        time.sleep(0.01)
    Taker(taker.port).wait(1)
    settled(box, waiting=0)


def check_blocked(box):
    box.tell("set docomo mood blocked")
    got = box.client("docomo").message(["taro@docomo.ne.jp", "jiro@docomo.ne.jp"])
    assert got[1:] == ["550 Blocked: 127.0.0.1 has a bad reputation"] * 2 + ["503 Bad sequence of commands"], got
    box.tell("set docomo mood normal")


def run(box):
    check_blocked(box)
    give(box, "au", "laterfull-0@au.com")
    settled(box, waiting=0)
    taker = Taker()
    for line in ["to 127.0.0.1:%d" % taker.port, "complaints " + FBL, "delay 0", "retry 20"]:
        box.tell("set returns " + line)
    for check in [check_au, check_dsn, check_complaints, check_vacation, check_patience, check_nobody_listens]:
        check(box, taker)
        print("ok", check.__name__)
