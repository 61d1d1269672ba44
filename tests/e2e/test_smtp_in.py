"""What comes in by SMTP: who may, what is refused, and that nothing can be slipped past.

time limit: 240 s
"""

import base64
import re
import smtplib
import threading

import harness as h
from oiwake import PASSWORD, USER, Config, Oiwake, Sandbox

ROUTES = "route everything to any via mta\n"


def up(net=False, **config):
    """(oiwake, sandbox or None) with a relay listener for 127.0.0.1 alone."""
    sandbox = Sandbox() if net else None
    config.setdefault("routes", ROUTES)
    return Oiwake(Config(sandbox, **config)), sandbox


def dialogue(port, *lines, source="127.0.0.1"):
    """Codes of the replies to lines sent one by one."""
    with h.Raw(port, source) as s:
        codes = [s.reply()[0]]
        for line in lines:
            codes.append(s.command(line)[0])
        return codes


def envelope(s, sender="info@news.test", to="someone@ordinary.test"):
    s.command(f"MAIL FROM:<{sender}>", 250)
    s.command(f"RCPT TO:<{to}>", 250)
    s.command("DATA", 354)


def relay_session(ours):
    s = h.Raw(ours.port("relay"))
    s.reply()
    s.command("EHLO client.test", 250)
    return s


def plain(user, password):
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def test_auth_only_under_tls():
    """AUTH is neither offered nor taken without TLS, and needed with it"""
    ours, _ = up()
    ours.add_user()
    with h.Raw(ours.port("submission")) as s:
        h.equal(s.reply()[0], 220, "greeting")
        _, text = s.command("EHLO client.test", 250)
        h.check("STARTTLS" in text.split("\n"), f"no STARTTLS in {text!r}")
        h.check("AUTH" not in text, f"AUTH in clear: {text!r}")
        code, _ = s.command(f"AUTH PLAIN {plain(USER, PASSWORD)}")
        h.check(500 <= code < 600, f"AUTH in clear got {code}")
        code, _ = s.command("MAIL FROM:<info@news.test>")
        h.equal(code, 530, "MAIL before STARTTLS and AUTH")
        s.starttls()
        code, _ = s.command("MAIL FROM:<info@news.test>")
        h.check(code in (503, 530), f"MAIL after STARTTLS without EHLO got {code}")
        _, text = s.command("EHLO client.test", 250)
        h.check("STARTTLS" not in text, "STARTTLS offered under TLS")
        h.check(re.search("^AUTH .*PLAIN", text, re.M), f"no AUTH PLAIN in {text!r}")
        h.equal(s.command("MAIL FROM:<info@news.test>")[0], 530, "MAIL before AUTH")
        h.equal(s.command(f"AUTH PLAIN {plain(USER, 'wrong')}")[0], 535, "wrong password")
        h.equal(s.command(f"AUTH PLAIN {plain('nobody', PASSWORD)}")[0], 535, "unknown user")
        s.command(f"AUTH PLAIN {plain(USER, PASSWORD)}", 235)
        h.equal(s.command(f"AUTH PLAIN {plain(USER, PASSWORD)}")[0], 503, "AUTH twice")
        envelope(s)
        s.send(h.message() + b".\r\n")
        h.equal(s.reply()[0], 250, "message")
    for method in ("PLAIN", "LOGIN"):
        with smtplib.SMTP_SSL("127.0.0.1", ours.port("submissions"), "client.test",
                              timeout=h.PATIENCE, context=h.client_tls()) as s:
            s.ehlo()
            s.user, s.password = USER, PASSWORD
            h.equal(s.auth(method, getattr(s, "auth_" + method.lower()))[0], 235, f"AUTH {method}")
            s.sendmail("info@news.test", ["someone@ordinary.test"], h.message())
    ours.stop()


def test_auth_failures_end_the_session():
    """A few failed AUTHs end the session with 421"""
    ours, _ = up(limits="max-auth-failures = 3")
    ours.add_user()
    with h.Raw(ours.port("submissions"), tls=h.client_tls()) as s:
        s.reply()
        s.command("EHLO client.test", 250)
        codes = [s.command(f"AUTH PLAIN {plain(USER, 'wrong')}")[0] for _ in range(2)]
        h.equal(codes, [535, 535], "first failures")
        code, _ = s.command(f"AUTH PLAIN {plain(USER, 'wrong')}")
        if code == 535:
            code, _ = s.reply()
        h.equal(code, 421, "third failure")
        h.check(s.closed(), "still open after 421")
    with h.Raw(ours.port("submissions"), tls=h.client_tls()) as s:
        s.reply()
        s.command("EHLO client.test", 250)
        h.check(s.command("AUTH PLAIN not*base64")[0] in (501, 535), "bad base64 taken")
        s.command("AUTH LOGIN", 334)
        h.equal(s.command("*")[0], 501, "cancelled AUTH")
        h.equal(s.command("NOOP")[0], 250, "NOOP after that")
    ours.stop()


def test_never_an_open_relay():
    """Strangers are refused at the relay listener; inbound takes no foreign recipient"""
    ours, _ = up()
    for stranger in ("127.0.0.2", "127.1.2.3"):
        with h.Raw(ours.port("relay"), stranger) as s:
            code, _ = s.reply()
            h.equal(code, 554, f"greeting for {stranger}")
            try:
                codes = [s.command("EHLO client.test")[0], s.command("MAIL FROM:<a@news.test>")[0],
                         s.command("RCPT TO:<b@ordinary.test>")[0]]
                h.check(all(c >= 500 or c == 421 for c in codes), f"stranger got {codes}")
            except (EOFError, BrokenPipeError, ConnectionResetError):
                pass
    h.equal(dialogue(ours.port("relay"), "EHLO c", "MAIL FROM:<a@news.test>",
                     "RCPT TO:<b@ordinary.test>"), [220, 250, 250, 250], "friend")
    with h.Raw(ours.port("inbound")) as s:
        s.reply()
        s.command("EHLO client.test", 250)
        code, text = s.command("MAIL FROM:<>")
        h.check(code == 250 or code >= 500, f"inbound: {code} {text}")
        for to in ("someone@ordinary.test", "taro@docomo.ne.jp", "x%ordinary.test@mail.oiwake.test",
                   "@mail.oiwake.test:x@ordinary.test", '"x@ordinary.test"@mail.oiwake.test',
                   "x@[127.0.0.1]"):
            code, text = s.command(f"RCPT TO:<{to}>")
            h.check(500 <= code < 600, f"inbound took {to}: {code} {text}")
    h.equal(ours.queue_size(), 0, "queue")
    ours.stop()


END = b"\r\n.\r\n"
VARIANTS = (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r.\n", b"\n.\r",
            b"\r\n.\r\r\n", b"\n\n.\r\n", b"\r\n\x00.\r\n", b"\r\n.\x00\r\n")


def test_smuggling():
    """No variant of end of data but CRLF.CRLF ends a message, however it is cut into packets"""
    ours, net = up(net=True)
    for number, variant in enumerate(VARIANTS):
        honest = h.message(test_id=f"honest{number}")
        slipped = (b"MAIL FROM:<evil@news.test>\r\nRCPT TO:<victim@ordinary.test>\r\nDATA\r\n"
                   + h.message(test_id=f"slipped{number}"))
        data = honest[:-2] + variant + slipped[:-2]
        for cut in (None, len(honest) - 2 + 1, len(honest) - 2 + len(variant) - 1):
            s = relay_session(ours)
            envelope(s)
            for part in ([data + END] if cut is None else [data[:cut], data[cut:] + END]):
                s.send(part)
            code, text = s.reply()
            h.check(code >= 500, f"{variant!r} cut at {cut}: taken with {code} {text}")
            # It may go on, in step, or hang up on such a client.
            try:
                h.equal(s.command("NOOP")[0], 250, f"{variant!r}: reply to the command after it")
            except (EOFError, BrokenPipeError, ConnectionResetError):
                pass
            s.close()
    s = relay_session(ours)
    envelope(s)
    s.send(h.message()[:-2] + b"\r\r\n.\r\n")
    h.check(s.reply()[0] >= 500, "a bare CR before the end was taken")
    s.close()
    s = relay_session(ours)
    envelope(s, to="proof@ordinary.test")
    s.send(h.message(test_id="proof") + b".\r\n")
    h.equal(s.reply()[0], 250, "an honest message afterwards")
    net.journal.wait_delivered(test_id="proof")
    h.equal([m["x_test_id"] for m in net.journal.messages()], ["proof"], "messages that got through")
    ours.stop()


def test_data_is_transparent():
    """Dots, cut anywhere, arrive as they were sent"""
    ours, net = up(net=True)
    body = b"..one\r\n..\r\n...two.\r\n x.\r\n..\r\n..\r\nend\r\n"
    text = h.message(test_id="dots")[:-len("hello\r\n")] + body
    s = relay_session(ours)
    s.command("MAIL FROM:<info@news.test>", 250)
    s.command("RCPT TO:<dots@ordinary.test>", 250)
    s.command("DATA", 354)
    for byte in text + b".\r\n":
        s.send(bytes([byte]))
    h.equal(s.reply()[0], 250, "byte by byte")
    s.close()
    got = net.message_bytes(net.journal.wait_delivered(test_id="dots")[0])
    want = body.replace(b"\r\n..", b"\r\n.")[1:]
    h.check(got.endswith(b"\r\n\r\n" + want), f"arrived as {got[-120:]!r}")
    ours.stop()


def test_starttls_injection():
    """What follows STARTTLS in clear is never executed"""
    ours, _ = up()
    with h.Raw(ours.port("submission")) as s:
        s.reply()
        s.command("EHLO client.test", 250)
        s.send("STARTTLS\r\nRSET\r\nEHLO injected.test\r\nNOOP\r\n")
        code, _ = s.reply()
        if code == 220:
            h.check(not s.data, f"answered in clear: {s.data!r}")
            try:
                s.sock = h.client_tls().wrap_socket(s.sock, server_hostname="localhost")
            except OSError:
                return ours.stop()
            # The first thing answered is what is asked under TLS.
            code, text = s.command("HELO after.test")
            h.equal(code, 250, "HELO under TLS")
            h.check("AUTH" not in text and "PIPELINING" not in text, f"out of step: {text!r}")
            h.equal(s.command("NOOP")[0], 250, "NOOP under TLS")
    ours.stop()


def test_pipelining_and_order():
    """Pipelined commands are answered in order; wrong order is 503"""
    ours, _ = up()
    with h.Raw(ours.port("relay")) as s:
        h.equal(s.reply()[0], 220, "greeting")
        _, text = s.command("EHLO client.test", 250)
        words = {l.split()[0] for l in text.split("\n")[1:]}
        h.check({"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN"}
                <= words, f"EHLO says {sorted(words)}")
        s.send("MAIL FROM:<a@news.test>\r\nRCPT TO:<b@ordinary.test>\r\nRCPT TO:<bad\r\n"
               "RCPT TO:<c@ordinary.test>\r\nDATA\r\n")
        h.equal([s.reply()[0] for _ in range(5)], [250, 250, 501, 250, 354], "one group")
        s.send(h.message() + b".\r\nNOOP\r\nMAIL FROM:<a@news.test>\r\nRSET\r\nQUIT\r\n")
        h.equal([s.reply()[0] for _ in range(5)], [250, 250, 250, 250, 221], "the rest")
        h.check(s.closed(), "open after QUIT")
    h.equal(dialogue(ours.port("relay"), "MAIL FROM:<a@news.test>"), [220, 503], "MAIL first")
    codes = dialogue(ours.port("relay"), "EHLO c", "RCPT TO:<b@ordinary.test>", "DATA",
                     "MAIL FROM:<a@news.test>", "MAIL FROM:<a@news.test>", "DATA")
    h.equal(codes[:6], [220, 250, 503, 503, 250, 503], "no envelope, two of them")
    h.check(codes[6] in (503, 554), f"DATA without recipient: {codes[6]}")  # RFC 5321 3.3
    ours.stop()


def test_limits():
    """Lines, headers, sizes, recipients, hops, commands and errors have limits"""
    ours, _ = up(limits="max-message = 100000\nmax-header = 20000\nmax-command = 1000\n"
                 "max-recipients = 5\nmax-received = 10\nmax-commands = 60\nmax-errors = 5")
    s = relay_session(ours)
    h.equal(s.command("NOOP " + "x" * 2000)[0], 500, "long command")
    h.equal(s.command("MAIL FROM:<a@news.test> SIZE=100001")[0], 552, "SIZE beyond")
    s.command("MAIL FROM:<a@news.test> SIZE=99999", 250)
    codes = [s.command(f"RCPT TO:<r{i}@ordinary.test>")[0] for i in range(6)]
    h.equal(codes, [250] * 5 + [452], "recipients")
    s.command("RSET", 250)

    def send(data, want, what):
        envelope(s)
        s.send(data + b".\r\n")
        h.equal(s.reply()[0], want, what)

    send(h.message(body=("x" * 70 + "\r\n") * 2000), 552, "message beyond")
    send(h.message(headers=[f"X-{i}: {'y' * 70}" for i in range(400)]), 552, "header beyond")
    send(h.message(headers=["Received: from a by b; Sun, 22 Nov 2026 10:00:00 +0900"] * 11), 554,
         "too many hops")
    send(h.message(), 250, "one within")
    code = 250
    for _ in range(60):
        code = s.command("NOOP")[0]
        if code == 421:
            break
    h.equal(code, 421, "too many commands")
    h.check(s.closed(), "open after 421")
    s.close()
    s = relay_session(ours)
    codes = []
    while not codes or codes[-1] != 421:
        codes.append(s.command("WHAT")[0])
        h.check(len(codes) < 10, f"errors without end: {codes}")
    s.close()
    ours.stop()


def test_connections_per_client():
    """One client gets so many connections, others still get theirs"""
    ours, _ = up(limits="max-connections-per-client = 3\nmax-connections = 5",
                 networks=("127.0.0.0/8",))
    port = ours.port("relay")
    held = [h.Raw(port) for _ in range(3)]
    h.equal([s.reply()[0] for s in held], [220] * 3, "first connections")
    with h.Raw(port) as s:
        h.equal(s.reply()[0], 421, "one more")
        h.check(s.closed(), "open after 421")
    held += [h.Raw(port, "127.0.0.9") for _ in range(2)]
    h.equal([s.reply()[0] for s in held[3:]], [220] * 2, "another client")
    with h.Raw(port, "127.0.0.10") as s:
        h.equal(s.reply()[0], 421, "beyond the total")
    held[0].command("QUIT", 221)
    held[0].close()

    def free_again():
        with h.Raw(port) as s:
            return s.reply()[0] == 220
    h.wait_until(free_again, "room after one left")
    for s in held[1:]:
        s.close()
    ours.stop()


def test_time_limits():
    """Idle clients, dripped commands and dripped data are ended"""
    ours, _ = up(limits="idle-timeout = 3s\ncommand-timeout = 4s\nmin-data-rate = 1000")
    port = ours.port("relay")
    with h.Raw(port) as s:
        s.reply()
        h.equal(s.reply()[0], 421, "idle")
        h.check(s.closed(), "open after 421")

    def drip(s, data):
        """A byte every tenth of a second until the peer has had enough; that is the slow client."""
        stop = threading.Event()
        for byte in data:
            if stop.wait(0.1):
                break
            try:
                s.send(bytes([byte]))
            except OSError:
                return
    for what, prepare, data in (
            ("command", lambda s: None, b"NOOP " + b"x" * 300),
            ("data", envelope, b"x" * 300)):
        s = relay_session(ours)
        prepare(s)
        thread = threading.Thread(target=drip, args=(s, data), daemon=True)
        thread.start()
        try:
            h.equal(s.reply()[0], 421, f"dripped {what}")
        except EOFError:
            pass
        h.check(s.closed(), f"dripped {what}: still open")
        s.close()
        thread.join()
    ours.stop()


def test_addresses():
    """Local parts that break the RFC are taken as they are, broken syntax is not"""
    ours, net = up(net=True)
    odd = ["a..b@docomo.ne.jp", "a.@ezweb.ne.jp", ".a@docomo.ne.jp", "a...@docomo.ne.jp"]
    bad = ["a@", "@docomo.ne.jp", "a b@docomo.ne.jp", "a@b@c", "a\x01b@docomo.ne.jp",
           "a@-x.test", "a@x..test", "a" * 300 + "@x.test", "a@" + "x" * 300 + ".test", "a@b\x00c"]
    s = relay_session(ours)
    s.command("MAIL FROM:<info@news.test>", 250)
    for address in odd:
        s.command(f"RCPT TO:<{address}>", 250)
    s.command('RCPT TO:<"c..d"@docomo.ne.jp>', 250)
    s.command("DATA", 354)
    s.send(h.message(test_id="odd") + b".\r\n")
    h.equal(s.reply()[0], 250, "odd local parts")
    s.command("MAIL FROM:<info@news.test>", 250)
    for address in bad:
        code, text = s.command(f"RCPT TO:<{address}>")
        h.check(500 <= code < 600, f"{address[:40]!r}: {code} {text}")
    s.close()
    net.journal.wait(lambda _: len(net.journal.delivered(test_id="odd")) == 5,
                     lambda: f"5 odd ones, {net.journal.all}")
    got = sorted(r["to"].replace('"', "") for _, r in net.journal.recipients())
    h.equal(got, sorted(odd + ["c..d@docomo.ne.jp"]), "recipients at the carriers")
    ours.stop()


def test_parameters():
    """ESMTP parameters that are unknown, doubled or hide control bytes are refused"""
    ours, _ = up()
    s = relay_session(ours)
    for line in ("MAIL FROM:<a@news.test> FOO=bar", "MAIL FROM:<a@news.test> SIZE=abc",
                 "MAIL FROM:<a@news.test> SIZE=1 SIZE=2", "MAIL FROM:<a@news.test> BODY=9BIT",
                 "MAIL FROM:<a@news.test> RET=SOME", "MAIL FROM:<a@news.test> ENVID=a+0D+0Ab",
                 "MAIL FROM:<a@news.test> ENVID=a+b", "MAIL FROM:<a@news.test> ENVID=" + "x" * 200,
                 "MAIL FROM:a@news.test x", "MAIL FROM:<a@news.test", "MAIL <a@news.test>"):
        code, text = s.command(line)
        h.check(code in (500, 501, 504, 555), f"{line!r}: {code} {text}")
    s.command("MAIL FROM:<a@news.test> RET=HDRS ENVID=QQ+3D314 BODY=8BITMIME SMTPUTF8", 250)
    for line in ("RCPT TO:<b@ordinary.test> NOTIFY=NEVER,SUCCESS", "RCPT TO:<b@ordinary.test> NOTIFY=",
                 "RCPT TO:<b@ordinary.test> ORCPT=rfc822;a+0Ab@x.test",
                 "RCPT TO:<b@ordinary.test> ORCPT=nothing", "RCPT TO:<b@ordinary.test> SIZE=3"):
        code, text = s.command(line)
        h.check(code in (500, 501, 504, 555), f"{line!r}: {code} {text}")
    s.command("RCPT TO:<b@ordinary.test> NOTIFY=SUCCESS,FAILURE,DELAY "
              "ORCPT=rfc822;B+2Bx@ordinary.test", 250)
    s.command("RCPT TO:<日本@ordinary.test>", 250)
    s.close()
    with h.Raw(ours.port("relay")) as s:
        s.reply()
        s.command("EHLO client.test", 250)
        s.command("MAIL FROM:<a@news.test>", 250)
        code, _ = s.command("RCPT TO:<日本@ordinary.test>")
        h.check(500 <= code < 600, f"UTF-8 without SMTPUTF8: {code}")
    ours.stop()


def test_garbage():
    """Bytes that are no SMTP get a refusal or a close, and the next client is served"""
    ours, _ = up()
    for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
                 b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff" * 5000, b"\r\n" * 50,
                 b"EHLO \x00\r\n", b"\n" * 100, b"MAIL FROM:<" + b"<" * 400 + b"\r\n"):
        with h.Raw(ours.port("relay")) as s:
            s.reply()
            try:
                s.send(data + b"\r\nQUIT\r\n")
                while s.reply()[0] != 221:
                    pass
            except (EOFError, OSError):
                pass
    with h.Raw(ours.port("relay")) as s:
        s.reply()
        s.command("EHLO client.test", 250)
        envelope(s)
        s.send("half a mess")
        h.reset(s.sock)
    s = relay_session(ours)
    h.equal(s.command("NOOP")[0], 250, "NOOP afterwards")
    h.equal(ours.queue_size(), 0, "queue")
    ours.stop()


if __name__ == "__main__":
    h.main()
