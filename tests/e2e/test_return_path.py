"""Bounce addresses of ours: given on the mta path, taken back, and nobody else's.

time limit: 240 s
"""

import base64
import datetime
import email
import hashlib
import hmac
import re

import harness as h
from oiwake import DKIM_DOMAIN, Config, Oiwake, Sandbox

SENDER = f"bounces@{DKIM_DOMAIN}"
DOMAIN = "bounce.oiwake.test"
SECRET = "a secret for bounces, not short"
TO = "taro@docomo.ne.jp"
EPOCH = datetime.date(1970, 1, 1)
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"

# As au sends it, later and by mail (facts/carriers.md): in ISO-2022-JP, and with a sender.
NDR = ("From: Postmaster@ezweb.ne.jp\r\nTo: {to}\r\nSubject: Mail System Error - Returned Mail\r\n"
       "Date: Sun, 22 Nov 2026 11:00:00 +0900\r\nMessage-ID: <ndr{n}@ezweb.ne.jp>\r\n"
       "X-SPASIGN: NG\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-2022-jp\r\n\r\n"
       "\x1b$B$3$N%a!<%k\x1b(B\r\n\r\nFrom someone\r\n<taro@ezweb.ne.jp>\r\n")


def up(listeners="", start=True, **config):
    net = Sandbox()
    config = Config(net, **config)
    secret = config.write("return-path.key", SECRET + "\n", 0o600)
    config.text += (f'return-path {{\n\tdomain = "{DOMAIN}"\n\tkey = "{secret}"\n'
                    f"\texpires = 30d\n}}\n{listeners}")
    config.save()
    return Oiwake(config, start), net


def token(message, index=0, day=None, secret=SECRET, domain=DOMAIN):
    """What mta/return_path.h says, made by other means."""
    day = (datetime.date.today() - EPOCH).days + 1 if day is None else day
    claim = message.to_bytes(8, "big") + index.to_bytes(4, "big") + day.to_bytes(3, "big")
    mac = hmac.new(secret.encode(), b"oiwake return path " + domain.encode() + b"\0" + claim,
                   hashlib.sha256).digest()[:10]
    return f"b={base64.b32encode(claim + mac).decode().lower()}@{domain}"


def message_number(text):
    """The number behind an id as the log shows it."""
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    n = 0
    for c in text:
        n = n * 32 + digits.index(c)
    return n


def send(ours, *to, sender=SENDER, **message):
    """Its id."""
    before = len(ours.log.events("accepted"))
    with h.smtp(ours.port("relay")) as s:
        s.sendmail(sender, to, h.message(sender=sender, **message))
    return ours.log.wait(lambda _: len(ours.log.events("accepted")) > before
                         and ours.log.events("accepted")[-1]["id"], "the message is accepted")


def bounce(ours, to, sender="Postmaster@ezweb.ne.jp", n=1, listener="inbound"):
    """(code, text) of the last reply, and the bytes given."""
    data = NDR.format(to=to, n=n).encode("ascii")
    with h.Raw(ours.port(listener)) as s:
        s.reply()
        s.command("EHLO lsean.ezweb.ne.jp", 250)
        s.command(f"MAIL FROM:<{sender}>", 250)
        code, text = s.command(f"RCPT TO:<{to}>")
        if code == 250:
            s.command("DATA", 354)
            s.send(data + b".\r\n")
            code, text = s.reply()
    return code, text, data


def mail_from(net, address=TO):
    return net.journal.wait_delivered(address)[0]["from"]


def test_there_and_back():
    """MAIL FROM is ours and names the recipient; its bounce comes to the application as it was"""
    ours, net = up()
    number = send(ours, "someone@ordinary.test", TO)
    address = mail_from(net)
    h.check(re.fullmatch(f"b=[a-z2-7]{{40}}@{DOMAIN}", address), f"MAIL FROM:<{address}>")
    day = (datetime.datetime.now(datetime.timezone.utc).date() - EPOCH).days + 30
    h.check(address in [token(message_number(number), 1, day - d) for d in (0, 1)],
            f"{address} is not a token of {number}.1")
    final = ours.log.wait(lambda _: ours.finals(TO), "a final line")[0]
    h.equal(final["from"], SENDER, "sender in the log")
    h.equal([r["sender"] for r in ours.stats("sender") if r["accepted"]], [DKIM_DOMAIN],
            "senders that are counted")

    for n, (to, sender) in enumerate((
            (address, "Postmaster@ezweb.ne.jp"),
            (address.upper().replace(DOMAIN.upper(), DOMAIN), ""),
            (f"{address.split('@')[0]}@{DOMAIN.upper()}", "mailer-daemon@example.com")), 1):
        code, text, data = bounce(ours, to, sender, n)
        h.equal(code, 250, f"reply to the bounce: {text}")
        back = net.journal.wait_delivered(SENDER, count=n)[-1]
        h.equal(back["from"], "", "reverse-path of what comes to the application")
        got = net.message_bytes(back)
        h.check(got.endswith(data) and got.startswith(b"Received: "), f"bytes changed: {got!r}")
        h.equal(got.count(b"Received: "), 1, "Received fields")
        h.check(b"DKIM-Signature" not in got, "a stranger's bounce is signed")
    lines = ours.log.events("bounce_in")
    h.equal([(e["original"], e["index"], e["to"]) for e in lines], [(number, "1", SENDER)] * 3,
            "lines of the log")
    h.check(all(e["id"] in [a["id"] for a in ours.log.events("accepted")] for e in lines),
            "a line for a message that is not accepted")
    ours.wait_empty()
    ours.stop()


def test_a_withdrawn_message_sent_again():
    """Its copy has a bounce address too, and what comes to it finds the application"""
    ours, net = up(shapes="shape group docomo connections 1 recipients 1/message messages 100\n")
    net.control("set docomo rcpts-session 1")
    to = [f"u{i}@docomo.ne.jp" for i in range(4)]
    for address in to:
        send(ours, address)
    ours.wait_empty()
    again = ours.log.events("withdrawn")
    h.check(again, "nothing was withdrawn")
    for n, line in enumerate(again, 1):
        address = mail_from(net, line["to"])
        copy = email.message_from_bytes(net.message_bytes(net.journal.delivered(line["to"])[-1]))
        h.equal(copy.get_all("X-Oiwake-ID"),
                [token(message_number(line["again_as"]), 0xffffff,
                       (datetime.datetime.now(datetime.timezone.utc).date() - EPOCH).days + 30)],
                "X-Oiwake-ID of the copy")
        h.equal(address, token(message_number(line["again_as"]), 0,
                               (datetime.datetime.now(datetime.timezone.utc).date()
                                - EPOCH).days + 30), "MAIL FROM of the copy")
        h.equal(bounce(ours, address, "", n)[0], 250, "reply to its bounce")
        net.journal.wait_delivered(SENDER, count=n)
    ours.wait_empty()
    ours.stop()


def test_who_is_refused():
    """Forged, expired, somebody else's, unknown: 550, each with its reason"""
    ours, net = up()
    number = message_number(send(ours, TO))
    good = mail_from(net)
    local, _ = good.split("@")
    today = (datetime.date.today() - EPOCH).days
    wrong = "a" if local[20] != "a" else "b"
    h.equal(bounce(ours, token(number))[0], 250, "an address made here")
    for to, says in (
            (f"{local[:20]}{wrong}{local[21:]}@{DOMAIN}", "not ours"),
            (token(number, secret=SECRET + "r"), "not ours"),
            (token(number, domain="example.com").replace("example.com", DOMAIN), "not ours"),
            (token(number, day=today - 2), "expired"),
            (f"{local}@{DKIM_DOMAIN}", "only our own"),
            (f"{local}x@{DOMAIN}", "only our own"),
            (f"someone@{DOMAIN}", "only our own"),
            (f"postmaster@{DKIM_DOMAIN}", "only our own"),
            (f"{SENDER}", "only our own"),
            (f"{local}@sub.{DOMAIN}", "only our own")):
        for sender in ("", "someone@example.com"):
            code, text, _ = bounce(ours, to, sender)
            h.equal(code, 550, f"RCPT TO:<{to}>")
            h.check(says in text, f"RCPT TO:<{to}>: {text!r}")
    code, text, _ = bounce(ours, token(number + 1))
    h.equal(code, 550, "a token of a message that never was")
    h.check("not known" in text, text)
    h.equal(len(ours.log.events("bounce_in")), 1, "bounces taken")

    with h.Raw(ours.port("inbound")) as s:
        s.reply()
        s.command("EHLO client.test", 250)
        s.command("MAIL FROM:<>", 250)
        s.command(f"RCPT TO:<{good}>", 250)
        h.equal(s.command(f"RCPT TO:<{good}>")[0], 452, "a second bounce address")
        s.command("RSET", 250)
        s.command("MAIL FROM:<>", 250)
        h.equal(s.command(f"RCPT TO:<{local}@{DKIM_DOMAIN}>")[0], 550, "another domain")
        h.check(s.command("DATA")[0] in (503, 554), "DATA without a recipient")
    ours.stop()


def test_outlives_the_process():
    """A sender is known after kill -9, when the queue has long forgotten the message"""
    ours, net = up()
    send(ours, TO)
    address = mail_from(net)
    ours.wait_empty()
    ours.kill9()
    ours.start()
    h.equal(bounce(ours, address)[0], 250, "the bounce")
    net.journal.wait_delivered(SENDER)
    ours.stop()


def test_two_listeners():
    """Any inbound listener takes them; relay and submission listeners go by their own rules"""
    port = h.free_port()
    ours, net = up(f'listener "inbound2" {{\n\ttype = inbound\n\taddress = "127.0.0.1:{port}"\n}}\n')
    ours.config.ports["inbound2"] = port
    send(ours, TO)
    address = mail_from(net)
    for n, listener in enumerate(("inbound", "inbound2"), 1):
        h.equal(bounce(ours, address, n=n, listener=listener)[0], 250, listener)
        net.journal.wait_delivered(SENDER, count=n)
    h.equal({e["listener"] for e in ours.log.events("accepted")}, {"relay", "inbound", "inbound2"},
            "listeners in the log")
    ours.stop()


def test_whose_stay_as_they_are():
    """The ses path, a relay host, and a null reverse-path keep the envelope's own"""
    routes = ("route relayed to domain second.test via relayed\nroute keitai to carrier * via mta\n"
              "route own to domain ordinary.test news.test via mta\nroute default to any via ses\n")
    ours, net = up(routes=routes, start=False)
    ours.config.text += (f'path "relayed" {{\n\ttype = mta\n\tpool = keitai\n'
                         f"\tport = {net.said['smtp_port']}\n\tallow-private = yes\n"
                         '\trelay-host = "mx2.example.com"\n}\n')
    ours.config.save()
    ours.start()
    send(ours, "someone@example.com", "someone@second.test")
    for address in ("someone@example.com", "someone@second.test"):
        h.equal(mail_from(net, address), SENDER, f"MAIL FROM for {address}")
    with h.smtp(ours.port("relay")) as s:
        s.sendmail("", [TO], h.message())
    h.equal(mail_from(net), "", "MAIL FROM of a notice")
    ours.stop()


if __name__ == "__main__":
    h.main()
