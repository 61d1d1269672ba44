"""Postfix and Exim as next hop and as client: their real daemons, private instances.

time limit: 240 s
"""

import os
import re

import harness as h
import signature
from oiwake import DKIM_DOMAIN, Config, Oiwake, Sandbox, dkim_record
from peers import Exim, Postfix

ROUTES = "route everything to any via mta\n"
BODY = ("Kon'nichiwa.\r\n.\r\n..dots at the start\r\n...three\r\nFrom the start of a line\r\n"
        "trailing blanks  \t\r\n\r\n" + "long " * 190 + "\r\n日本語 8bit\r\n\r\n\r\n")


def next_hop(port):
    """Oiwake that hands everything to a server on this port."""
    config = Config(None, routes=ROUTES, smtp_port=port, mta="\trelay-host = 127.0.0.1")
    return Oiwake(config)


def ordinary(net):
    return net.said["hosts"]["ordinary"], net.said["smtp_port"]


def submit(ours, to, test_id):
    data = h.message(test_id=test_id, body=BODY, sender=f"info@{DKIM_DOMAIN}", headers=(
        "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit"))
    with h.smtp(ours.port("relay")) as s:
        s.sendmail(f"info@{DKIM_DOMAIN}", to, data, ["BODY=8BITMIME"])


def whole(data, body=BODY):
    h.check(data.endswith(b"\r\n\r\n" + body.encode()), f"body changed: {data[-1500:]!r}")


def test_postfix_as_next_hop():
    """Through Postfix to the end: bytes unchanged, signature good, recipients in one transaction"""
    net = Sandbox()
    address, port = ordinary(net)
    postfix = Postfix(h.work.file("postfix"), [
        f"default_transport = smtp:[{address}]:{port}",
        "smtpd_recipient_restrictions = check_recipient_access inline:{unknown@nowhere.test=REJECT}"])
    ours = next_hop(postfix.port)
    net.control("zone " + dkim_record(ours.config.top))
    to = [f"user{n}@ordinary.test" for n in range(30)]
    submit(ours, to + ["unknown@nowhere.test"], "via-postfix")
    net.journal.wait_delivered(test_id="via-postfix", count=30, limit=2 * h.PATIENCE)
    ours.wait_empty()
    h.equal(ours.total("bounced"), 1, "bounced by Postfix")
    h.equal(ours.finals("unknown@nowhere.test")[0]["code"], "554", "code of the bounce")
    data = net.message_bytes(net.journal.delivered(test_id="via-postfix")[0])
    whole(data)
    h.equal(signature.dkimpy(net, data), "", "dkimpy says")
    arrived = re.findall(r"size=\d+, nrcpt=(\d+)", postfix.log())
    h.check(len(arrived) < 10, f"{len(arrived)} transactions for 31 recipients")
    h.check(not re.search("warning|improper|non-SMTP|lost connection after (?!QUIT|CONNECT)",
                          postfix.log()), "Postfix complains:\n" + postfix.log())
    ours.stop()


def test_postfix_as_client():
    """Postfix relays to us, many messages and a big one, and queues nothing"""
    net = Sandbox()
    ours = Oiwake(Config(net, routes=ROUTES))
    postfix = Postfix(h.work.file("postfix"), [
        f"relayhost = [127.0.0.1]:{ours.port('relay')}", "default_destination_recipient_limit = 40"])
    for n in range(20):
        postfix.sendmail("info@news.test", [f"p{n}a@ordinary.test", f"p{n}b@docomo.ne.jp"],
                         h.message(test_id=f"p{n}", body=BODY))
    postfix.sendmail("info@news.test", [f"many{n}@ordinary.test" for n in range(100)],
                     h.message(test_id="many", body=BODY))
    postfix.sendmail("", ["null@ordinary.test"], h.message(test_id="null"))
    net.journal.wait_delivered(test_id="many", count=100, limit=2 * h.PATIENCE)
    for n in range(20):
        net.journal.wait_delivered(test_id=f"p{n}", count=2)
    whole(net.message_bytes(net.journal.delivered("p0b@docomo.ne.jp")[0]))
    h.equal(net.journal.wait_delivered(test_id="null")[0]["from"], "", "reverse-path")
    h.wait_until(lambda: not postfix.queue(), lambda: f"Postfix's queue is empty: {postfix.queue()}")
    h.check("status=deferred" not in postfix.log() and "status=bounced" not in postfix.log(),
            postfix.log())
    ours.stop()


def test_exim_as_next_hop():
    """Exim takes our mail, DSN parameters included, and finds nothing to complain of"""
    exim = Exim(h.work.file("exim"))
    ours = next_hop(exim.port)
    submit(ours, ["a@exim.test", "b@exim.test"], "to-exim")
    inbox = os.path.join(exim.top, "mail", "inbox")
    h.wait_until(lambda: os.path.exists(inbox) and open(inbox, "rb").read().count(b"to-exim") >= 2,
                 "mail in Exim's inbox")
    ours.wait_empty()
    h.equal(ours.total("sent"), 2, "sent")
    h.check(not re.search("rejected|protocol|synchroni[sz]ation|dropp",
                          exim.log()), "Exim complains:\n" + exim.log())
    with open(inbox, "rb") as f:
        h.check("日本語 8bit".encode() in f.read(), "8-bit body")
    ours.stop()


def test_exim_as_client():
    """Exim relays to us"""
    net = Sandbox()
    ours = Oiwake(Config(net, routes=ROUTES))
    exim = Exim(h.work.file("exim"), next_hop=ours.port("relay"))
    for n in range(10):
        exim.sendmail("info@news.test", [f"e{n}a@ordinary.test", f"e{n}b@docomo.ne.jp"],
                      h.message(test_id=f"e{n}", body=BODY))
    for n in range(10):
        net.journal.wait_delivered(test_id=f"e{n}", count=2)
    whole(net.message_bytes(net.journal.delivered("e0b@docomo.ne.jp")[0]))
    h.wait_until(lambda: exim.log().count("Completed") >= 10, "Exim is done with all")
    h.check("defer" not in exim.log(), exim.log())
    ours.stop()


if __name__ == "__main__":
    h.main()
