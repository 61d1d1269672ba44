"""What becomes of mail that is not simply taken: refused, deferred, expired, held, unread.

time limit: 300 s
"""

import email
import email.policy
import re

import harness as h
from oiwake import DKIM_DOMAIN, Config, Oiwake, Sandbox

SENDER = f"info@{DKIM_DOMAIN}"
ROUTES = """\
route keitai to carrier * via mta pool keitai
route own to domain ordinary.test second.test news.test multi.example nullmx.example nx.invalid \
private.example loopback.example servfailmx.example via mta
route default to any via ses
"""


def up(**config):
    net = Sandbox()
    config.setdefault("routes", ROUTES)
    return Oiwake(Config(net, **config)), net


def send(ours, *to, sender=SENDER, mail=(), rcpt=(), **message):
    with h.smtp(ours.port("relay")) as s:
        s.sendmail(sender, to, h.message(**message), mail, rcpt)


def settled(ours, address, **want):
    """The one final log line of a recipient, with these values."""
    ours.log.wait(lambda _: ours.finals(address), f"a final line for {address}")
    lines = ours.finals(address)
    h.equal(len(lines), 1, f"final lines of {address}")
    for key, value in want.items():
        h.check(re.search(f"^(?:{value})$", lines[0].get(key, "")),
                f"{key} of {address} is {lines[0].get(key)!r}, want {value!r}: {lines[0]['line']}")
    return lines[0]


def notices(net, to=SENDER):
    return [m for m, r in net.journal.recipients() if m["from"] == "" and r["to"] == to]


def wait_notice(net, count=1, to=SENDER, limit=None):
    """The notices sent to an address, parsed."""
    net.journal.wait(lambda _: len(notices(net, to)) >= count, f"{count} notices to {to}", limit)
    return [email.message_from_bytes(net.message_bytes(m), policy=email.policy.default)
            for m in notices(net, to)]


def report(notice):
    """(fields of the message, [fields of each recipient]) of an RFC 3464 notice."""
    h.equal(notice.get_content_type(), "multipart/report", "type of the notice")
    h.equal(notice.get_param("report-type"), "delivery-status", "report-type")
    parts = list(notice.iter_parts())
    h.check(len(parts) in (2, 3), f"{len(parts)} parts")
    h.equal(parts[0].get_content_type(), "text/plain", "first part")
    h.equal(parts[1].get_content_type(), "message/delivery-status", "second part")
    blocks = list(parts[1].get_payload())
    h.check("Reporting-MTA" in blocks[0], "no Reporting-MTA")
    h.check(notice["From"] and notice["To"] and notice["Date"] and notice["Message-ID"],
            "header of the notice")
    h.equal(notice["Auto-Submitted"], "auto-replied", "Auto-Submitted")
    return blocks[0], [b for b in blocks[1:] if len(b)]


def test_docomo_550_depends_on_the_stage():
    """docomo's 550 is an unknown user at RCPT and a filter's word after the message"""
    ours, net = up()
    send(ours, "unknown@docomo.ne.jp", "taro@docomo.ne.jp", test_id="a")
    send(ours, "filtered@docomo.ne.jp", test_id="a2")
    settled(ours, "unknown@docomo.ne.jp", reason="userunknown", event="bounced")
    settled(ours, "filtered@docomo.ne.jp", reason="filtered", event="filtered")
    net.journal.wait_delivered("taro@docomo.ne.jp")
    ours.wait_empty()
    row = next(r for r in ours.stats("carrier") if r["carrier"] == "docomo")
    h.equal((row["sent"], row["bounced"], row["filtered"]), (1, 1, 1), "sent, bounced, filtered")
    _, recipients = report(wait_notice(net)[0])
    h.check(recipients[0]["Status"].startswith("5."), f"status {recipients[0]['Status']}")
    ours.stop()


def test_au_filter_and_softbank_silence():
    """au's 550 without an address is its filter; SoftBank's silent drop counts as sent"""
    ours, net = up()
    send(ours, "unknown@ezweb.ne.jp", "filtered@ezweb.ne.jp", test_id="b")
    send(ours, "filtered@au.com", "relay@au.com", "filtered@softbank.ne.jp", "unknown@i.softbank.jp",
         test_id="c")
    settled(ours, "unknown@ezweb.ne.jp", reason="userunknown", event="bounced")
    settled(ours, "filtered@ezweb.ne.jp", reason="filtered", event="filtered")
    settled(ours, "filtered@au.com", reason="filtered", event="filtered")
    settled(ours, "relay@au.com", event="bounced")
    settled(ours, "filtered@softbank.ne.jp", event="delivered")
    settled(ours, "unknown@i.softbank.jp", reason="userunknown", event="bounced")
    ours.stop()


def test_full_mailbox_is_tried_again():
    """docomo's 552 mailbox full and 552/554 too many are retried, not bounced"""
    ours, net = up()
    send(ours, "full@docomo.ne.jp", test_id="full")
    send(ours, "toomany@docomo.ne.jp", test_id="toomany")
    net.journal.wait_refused("full@docomo.ne.jp", 2)
    net.journal.wait_refused("toomany@docomo.ne.jp", 2)
    for address in ("full@docomo.ne.jp", "toomany@docomo.ne.jp"):
        h.equal(ours.finals(address), [],
                f"final lines of {address}")
    h.equal(ours.queue_size(), 2, "queue")
    ours.log.wait(lambda _: ours.total("deferred") >= 4, "four deferrals counted")
    ours.stop()


def test_hundred_recipients_of_a_session():
    """More than a hundred recipients for docomo never meet its 554 and all arrive"""
    ours, net = up()
    with h.smtp(ours.port("relay")) as s:
        for n in range(5):
            s.sendmail(SENDER, [f"user{n}x{i}@docomo.ne.jp" for i in range(50)],
                       h.message(test_id=f"big{n}"))
    ours.wait_empty()
    got = [r["to"] for _, r in net.journal.recipients()]
    h.equal(len(got), 250, "recipients arrived")
    h.equal(len(set(got)), 250, "different ones")
    h.equal(net.journal.events("withdrawn"), [], "withdrawn by docomo")
    ours.stop()


def test_greylisting():
    """A greylisted recipient is tried again and arrives; its neighbours do not wait"""
    ours, net = up()
    send(ours, "greylist2-x@ordinary.test", "quick@ordinary.test", test_id="grey")
    net.journal.wait_delivered("quick@ordinary.test")
    net.journal.wait_delivered("greylist2-x@ordinary.test")
    h.equal(len(net.journal.refused("greylist2-x@ordinary.test")), 2, "refusals first")
    h.equal(len(net.journal.delivered("quick@ordinary.test")), 1, "deliveries of the other")
    ours.wait_empty()
    settled(ours, "greylist2-x@ordinary.test", event="delivered", attempts="3")
    ours.stop()


def test_expiry():
    """What is refused for too long expires, with a notice that carries the last reply"""
    ours, net = up(shapes="shape domain ordinary.test retry 1s expiry 4s")
    send(ours, "never@ordinary.test", test_id="old")
    settled(ours, "never@ordinary.test", event="expired")
    _, recipients = report(wait_notice(net)[0])
    h.equal(recipients[0]["Action"], "failed", "action")
    h.check(recipients[0]["Status"].startswith("4.") or recipients[0]["Status"] == "5.4.7",
            f"status {recipients[0]['Status']}")
    h.check("451" in recipients[0]["Diagnostic-Code"], "last reply in the notice")
    h.equal(ours.total("expired"), 1, "expired")
    ours.stop()


def test_unread_at_the_end():
    """An attempt without an answer that was the last: told and counted as unread and as expired"""
    ours, net = up(shapes="shape domain ordinary.test retry 1s expiry 1s")
    net.control("set all delay 300")
    send(ours, "closedot9@ordinary.test")
    settled(ours, "closedot9@ordinary.test", event="expired")
    h.equal(len(net.journal.delivered("closedot9@ordinary.test")), 1, "taken")
    h.equal(len(ours.attempts("unread", "closedot9@ordinary.test")), 1, "told as unread")
    h.equal(ours.total("unread"), 1, "unread")
    h.equal(ours.total("expired"), 1, "expired")
    ours.stop()


def test_notice_of_failure():
    """The sender gets an RFC 3464 notice with ENVID, ORCPT and as much of the message as asked"""
    ours, net = up()
    send(ours, "unknown@ordinary.test", mail=["RET=HDRS", "ENVID=QQ314+2Bx"],
         rcpt=["ORCPT=rfc822;Someone+2BElse@Ordinary.Test"], test_id="dsn1",
         body="not to be seen again\r\n")
    send(ours, "unknown-2@ordinary.test", mail=["RET=FULL"], test_id="dsn2",
         body="to be seen again\r\n")
    found = {}
    for notice in wait_notice(net, 2):
        message, recipients = report(notice)
        h.equal(len(recipients), 1, "recipients")
        found[recipients[0]["Final-Recipient"].split(";")[1].strip()] = (notice, message,
                                                                         recipients[0])
    notice, message, recipient = found["unknown@ordinary.test"]
    h.equal(message["Original-Envelope-Id"], "QQ314+x", "envelope id")
    h.equal(recipient["Original-Recipient"].replace(" ", ""), "rfc822;Someone+Else@Ordinary.Test",
            "original recipient")
    h.equal(recipient["Action"], "failed", "action")
    h.equal(recipient["Status"], "5.1.1", "status")
    h.check("550" in recipient["Diagnostic-Code"], "diagnostic code")
    h.check("mx.example.com" in recipient["Remote-MTA"], "remote MTA")
    text = notice.as_bytes()
    h.check(b"dsn1" in text and b"not to be seen again" not in text, "headers only")
    h.check(b"\nto be seen again" in found["unknown-2@ordinary.test"][0].as_bytes(), "whole message")
    h.check("bad" not in notices(net)[0], f"the witness saw {notices(net)[0].get('bad')}")
    ours.stop()


def test_notify():
    """NOTIFY=NEVER is silence, SUCCESS tells of delivery, DELAY of waiting"""
    ours, net = up(queue="delay-notice = 2s")
    send(ours, "unknown-1@ordinary.test", rcpt=["NOTIFY=NEVER"], test_id="never")
    send(ours, "unknown-2@ordinary.test", rcpt=["NOTIFY=SUCCESS"], test_id="success-only")
    send(ours, "glad@docomo.ne.jp", rcpt=["NOTIFY=SUCCESS"], sender=f"glad@{DKIM_DOMAIN}",
         test_id="success")
    send(ours, "never@ordinary.test", rcpt=["NOTIFY=DELAY,FAILURE"], sender=f"slow@{DKIM_DOMAIN}",
         test_id="delay")
    send(ours, "never-2@ordinary.test", rcpt=["NOTIFY=FAILURE"], sender=f"quiet@{DKIM_DOMAIN}",
         test_id="nodelay")
    _, recipients = report(wait_notice(net, to=f"glad@{DKIM_DOMAIN}")[0])
    h.check(recipients[0]["Action"] in ("relayed", "delivered"),
            f"action {recipients[0]['Action']}")
    h.check(recipients[0]["Status"].startswith("2."), f"status {recipients[0]['Status']}")
    _, recipients = report(wait_notice(net, to=f"slow@{DKIM_DOMAIN}")[0])
    h.equal(recipients[0]["Action"], "delayed", "action")
    h.check(recipients[0]["Status"].startswith("4."), f"status {recipients[0]['Status']}")
    settled(ours, "unknown-1@ordinary.test", event="bounced")
    settled(ours, "unknown-2@ordinary.test", event="bounced")
    before = len(net.journal.refused("never@ordinary.test"))
    net.journal.wait_refused("never@ordinary.test", before + 3)
    h.equal(len(notices(net)), 0, "notices to those who wanted none")
    h.equal(len(notices(net, f"slow@{DKIM_DOMAIN}")), 1, "delay notices")
    h.equal(len(notices(net, f"quiet@{DKIM_DOMAIN}")), 0, "delay notices not asked for")
    ours.stop()


def test_delay_behind_a_closed_path():
    """Who waits behind a closed path, never tried, hears why; and goes when it opens"""
    ours, net = up(queue="delay-notice = 2s\nprobe = 1s")
    net.control("set ses mood badauth")
    for n in range(3):
        send(ours, f"held-{n}@example.com", sender=f"held@{DKIM_DOMAIN}", test_id=f"held{n}")
    for notice in wait_notice(net, 3, to=f"held@{DKIM_DOMAIN}"):
        _, recipients = report(notice)
        h.equal(recipients[0]["Action"], "delayed", "action")
        h.check("535" in recipients[0]["Diagnostic-Code"]
                or "Authentication" in recipients[0]["Diagnostic-Code"],
                f"the reason in {recipients[0]['Diagnostic-Code']}")
    net.control("set ses mood normal")
    for n in range(3):
        net.journal.wait_delivered(f"held-{n}@example.com")
    ours.wait_empty()
    h.equal(len(notices(net, f"held@{DKIM_DOMAIN}")), 3, "delay notices, one each")
    ours.stop()


def test_never_a_notice_for_a_notice():
    """Mail with a null reverse-path is never answered by a notice"""
    ours, net = up()
    send(ours, "unknown@ordinary.test", sender="", test_id="null")
    settled(ours, "unknown@ordinary.test", event="bounced")
    send(ours, "mark@ordinary.test", test_id="mark")
    net.journal.wait_delivered("mark@ordinary.test")
    ours.wait_empty()
    h.equal([m["x_test_id"] for m in net.journal.messages()], ["mark"], "messages")
    ours.stop()


def test_notices_do_not_go_by_ses():
    """SES refuses the null reverse-path, so a notice takes the mta path whatever the rules say"""
    ours, net = up(routes="route own to domain ordinary.test via mta\n"
                   "route odd to any and local-part irregular via mta\nroute default to any via ses\n")
    send(ours, "unknown@ordinary.test", sender="info@example.com", test_id="back")
    wait_notice(net, to="info@example.com")
    ours.wait_empty()
    h.equal(ours.total("bounced"), 1, "bounced")
    ours.stop()


def rests(ours):
    return len(ours.log.events("path_closed")) + len(ours.log.events("lane_rests"))


def test_ses_throttling_and_535_hold():
    """SES's throttling and refused credentials hold the path and bounce nobody"""
    ours, net = up()
    for mood, refusals in (("throttle", 1), ("badauth", 0), ("quota", 1), ("notverified", 1),
                           ("paused", 1)):
        net.control(f"set ses mood {mood}")
        net.control("cut ses")
        trouble = rests(ours)
        send(ours, f"{mood}@example.com", test_id=mood)
        if refusals:
            net.journal.wait_refused(f"{mood}@example.com", refusals)
        else:
            sessions = len(net.journal.events("session"))
            net.journal.wait(lambda _: len(net.journal.events("session")) > sessions,
                             f"a session that failed by {mood}")
        h.equal(ours.finals(f"{mood}@example.com"), [],
                f"final lines under {mood}")
        ours.log.wait(lambda _: rests(ours) > trouble, f"a rest because of {mood}")
        net.control("set ses mood normal")
        ours.cli("queue retry", "--path", "ses", status=None)
        net.journal.wait_delivered(f"{mood}@example.com", limit=3 * h.PATIENCE)
    ours.wait_empty()
    h.equal(ours.total("bounced"), 0, "bounced")
    ours.stop()


def test_dns_dead_and_alive():
    """Without DNS mail waits; with it, it goes"""
    ours, net = up()
    net.control("set dns mood dead")
    send(ours, "waits@ordinary.test", test_id="dns")
    ours.log.wait(lambda _: ours.total("deferred") > 0, "a deferral", 3 * h.PATIENCE)
    net.control("set dns mood normal")
    net.journal.wait_delivered("waits@ordinary.test", limit=3 * h.PATIENCE)
    ours.wait_empty()
    h.equal(ours.total("bounced"), 0, "bounced")
    ours.stop()


def test_names_that_take_no_mail():
    """Null MX and a name that does not exist bounce at once; a spoiled name waits"""
    ours, net = up()
    send(ours, "a@nullmx.example", test_id="null")
    send(ours, "a@nx.invalid", test_id="nx")
    send(ours, "a@servfailmx.example", test_id="servfail")
    settled(ours, "a@nullmx.example", event="bounced")
    settled(ours, "a@nx.invalid", event="bounced")
    ours.log.wait(lambda _: ours.total("deferred") > 0, "a deferral of the spoiled name")
    h.equal(ours.finals("a@servfailmx.example"), [],
            "final lines of the spoiled name")
    ours.stop()


def test_second_mx():
    """A dead first MX is passed over for the next in order"""
    ours, net = up()
    send(ours, "a@multi.example", test_id="multi")
    h.equal(net.journal.wait_delivered("a@multi.example")[0]["host"], "ordinary", "host")
    ours.wait_empty()
    ours.stop()


def test_private_addresses_are_not_dialled():
    """Unless configured, loopback and private addresses from DNS are never connected to"""
    net = Sandbox()
    config = Config(net, routes=ROUTES)
    config.text = config.text.replace("\tallow-private = yes\n", "", 1)
    config.save()
    ours = Oiwake(config)
    for domain in ("private.example", "loopback.example", "ordinary.test"):
        send(ours, f"a@{domain}", test_id=domain)
    for domain in ("private.example", "loopback.example", "ordinary.test"):
        ours.log.wait(lambda _: [e for e in ours.log.all if e.get("to") == f"a@{domain}"],
                      f"a word on {domain}")
    h.equal(net.journal.events("connect"), [], "connections")
    ours.stop()


def test_resets_and_blocks():
    """A reset or a 421 at connect holds the lane; after it everything arrives once"""
    ours, net = up()
    for mood in ("reset", "refuse421", "close", "down"):
        net.control(f"set docomo mood {mood}")
        send(ours, f"{mood}-x@docomo.ne.jp", test_id=mood)
        deferred = ours.total("deferred")
        ours.log.wait(lambda _: ours.total("deferred") > deferred
                      or [e for e in ours.log.all if e.get("group") == "docomo"
                          and e.get("level") == "warn"], f"a word on {mood}", 2 * h.PATIENCE)
        net.control("set docomo mood normal")
        ours.stop()  # the lane's rest of minutes ends with the process
        ours.start()
        ours.cli("queue retry", "--all", status=None)
        net.journal.wait_delivered(f"{mood}-x@docomo.ne.jp", limit=3 * h.PATIENCE)
    for scenario in ("rstrcpt1", "354close1", "rstdata1", "tempdot1"):
        send(ours, f"{scenario}-x@ordinary.test", test_id=scenario)
        net.journal.wait_delivered(f"{scenario}-x@ordinary.test", limit=3 * h.PATIENCE)
    ours.wait_empty()
    got = [r["to"] for _, r in net.journal.recipients()]
    h.equal(len(got), len(set(got)), "deliveries without duplicates")
    h.equal(ours.total("bounced"), 0, "bounced")
    ours.stop()


def test_unread_is_named_and_counted():
    """Final dot sent, reply unread: sent again, and every such time is counted"""
    ours, net = up()
    send(ours, "closedot1-x@ordinary.test", test_id="closed")
    send(ours, "rstdot1-y@ordinary.test", test_id="reset")
    for address in ("closedot1-x@ordinary.test", "rstdot1-y@ordinary.test"):
        net.journal.wait_delivered(address, count=2, limit=3 * h.PATIENCE)
        h.check(ours.attempts("unread", address),
                f"no event=unread for {address}")
        settled(ours, address, event="delivered")
    ours.wait_empty()
    h.equal(ours.total("unread"), 2, "unread counted")
    ours.stop()


def test_hostile_peers():
    """Endless, huge and garbled replies are cut off, and other mail goes on"""
    ours, net = up()
    for scenario in ("huge1", "longline1", "garbage1"):
        send(ours, f"{scenario}-x@second.test", test_id=scenario)
    send(ours, "fine@ordinary.test", test_id="fine")
    net.journal.wait_delivered("fine@ordinary.test")
    for scenario in ("huge1", "longline1", "garbage1"):
        net.journal.wait_delivered(f"{scenario}-x@second.test", limit=3 * h.PATIENCE)
    h.check(ours.process.status("VmHWM") < 200 * 1024 or h.SANITIZED,
            f"{ours.process.status('VmHWM')} KiB at most")
    ours.wait_empty()
    ours.stop()


if __name__ == "__main__":
    h.main()
