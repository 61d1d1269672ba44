"""What preflight finds decides who may go: held, by the fallback, and by itself once it is mended.

time limit: 300 s
"""

import http.client
import json
import socket

import harness as h
from oiwake import Config, Oiwake, Sandbox, dkim_record
from test_rules import counts, wait_event

PTR = "1.20.0.127.in-addr.arpa"
NAMED = f"{PTR} PTR mx1.oiwake.test"
EHLO_SPF = "mx1.oiwake.test TXT v=spf1 a -all"
SPF = "v=spf1 ip4:127.0.20.1 include:amazonses.com -all"


def domain(name):
    """The records of a sending domain that is in order, but for its key."""
    return (f"{name} MX 10 mx.example.com", f"{name} TXT {SPF}",
            f"_dmarc.{name} TXT v=DMARC1; p=none")


GOOD = (NAMED, EHLO_SPF, *domain("news.test"))
BY_MTA = "route all to any via mta\n"
WITH_FALLBACK = "route all to any via mta fallback ses\n"


def up(zone=GOOD, routes=BY_MTA, start=True, preflight="enforce", dkim=True):
    """A daemon whose path checks every second; its key is published."""
    net = Sandbox(zone=zone)
    config = Config(net, routes=routes, preflight=preflight)
    config.text += "preflight {\n\tinterval = 1s\n\tport-check = no\n}\n"
    config.save()
    if dkim:
        net.control("zone " + dkim_record(config.top))
    return Oiwake(config, start=start), net


def send(ours, to, sender="info@news.test", author=None, test_id="gate"):
    s = h.smtp(ours.port("relay"))
    s.sendmail(sender, [to], h.message(sender=author or sender, to=to, test_id=test_id))
    s.quit()


def findings(ours, method="GET", path="/v1/doctor?level=bad"):
    """What the daemon's admin API says of its own checks."""
    connection = http.client.HTTPConnection("oiwake")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(h.PATIENCE)
    connection.sock.connect(ours.config.socket)
    try:
        connection.request(method, path)
        return json.loads(connection.getresponse().read()).get("rows")
    finally:
        connection.close()


def wait_held(ours, to, *says):
    """The last line that says that it is held, for this reason."""
    def found(_):
        lines = [e for e in ours.log.events("held") if e["to"] == to
                 and all(s in e.get("reply", "") for s in ("preflight: ", *says))]
        return lines[-1] if lines else None
    return ours.log.wait(found, f"{to} held for {says}")


def row(ours, to):
    return next(r for r in ours.json("queue list") if r["to"] == to)


def test_source_without_a_name():
    """Mail waits while its source has no reverse name, says so, and goes by itself once it has"""
    ours, net = up(zone=[r for r in GOOD if r != NAMED])
    send(ours, "taro@docomo.ne.jp")
    wait_held(ours, "taro@docomo.ne.jp", "reverse")
    closed = wait_event(ours, "gate_closed", check="ptr")[0]
    h.equal((closed["subject"], closed["carriers"], closed["mode"]),
            ("source tokyo1", "all", "enforce"), "gate_closed")
    h.check("mx1.oiwake.test" in closed["mend"], f"the record that mends it: {closed}")
    found = row(ours, "taro@docomo.ne.jp")
    h.check(found["last"].startswith("preflight: "), f"`oiwake queue`: {found}")
    h.equal(found["path"], "hold", "path")
    bad = [r for r in findings(ours) if r["check"] == "ptr"]
    h.equal([(r["subject"], r["carriers"], r["closes"]) for r in bad],
            [("tokyo1 (127.0.20.1)", ["docomo", "au", "softbank"], True)], "GET /v1/doctor")
    h.equal(net.journal.delivered(), [], "delivered")
    net.control("zone " + NAMED)
    net.journal.wait_delivered("taro@docomo.ne.jp")
    wait_event(ours, "gate_open", subject="source tokyo1")
    ours.wait_empty()
    h.equal(counts(ours, "mta", "accepted", "sent"), (1, 1), "mta")
    ours.stop()


def test_fallback():
    """A rule with a fallback takes it while the gate is closed, and its own path afterwards"""
    ours, net = up(zone=[r for r in GOOD if r != NAMED], routes=WITH_FALLBACK)
    wait_event(ours, "gate_closed", check="ptr")
    send(ours, "taro@docomo.ne.jp", test_id="around")
    net.journal.wait_delivered("taro@docomo.ne.jp", "around")
    line = wait_event(ours, "sent")[0]
    h.equal((line["path"], line["fallback"]), ("ses", "mta"), "the way it went")
    net.control("zone " + NAMED)
    wait_event(ours, "gate_open", subject="source tokyo1")
    send(ours, "taro@docomo.ne.jp", test_id="straight")
    net.journal.wait_delivered("taro@docomo.ne.jp", "straight")
    h.equal(wait_event(ours, "delivered")[0]["path"], "mta", "the way it went")
    ours.wait_empty()
    ours.stop()


def test_sending_domain():
    """What is wrong with a sending domain holds that domain's mail and nobody else's"""
    ours, net = up(zone=(*GOOD, "bad.test MX 10 mx.example.com"))
    send(ours, "jiro@docomo.ne.jp", sender="info@bad.test")
    send(ours, "taro@docomo.ne.jp")
    net.journal.wait_delivered("taro@docomo.ne.jp")
    wait_held(ours, "jiro@docomo.ne.jp", "bad.test")
    h.equal(net.journal.delivered("jiro@docomo.ne.jp"), [], "delivered")
    for record in domain("bad.test")[1:]:
        net.control("zone " + record)
    net.journal.wait_delivered("jiro@docomo.ne.jp")
    ours.wait_empty()
    ours.stop()


def test_for_one_carrier():
    """What only docomo and SoftBank look at does not keep mail from au"""
    zone = (*(r for r in GOOD if not r.startswith("news.test TXT")), *domain("bounces.test"))
    ours, net = up(zone=zone)
    for to in ("taro@docomo.ne.jp", "taro@ezweb.ne.jp"):
        send(ours, to, sender="b@bounces.test", author="info@news.test")
    net.journal.wait_delivered("taro@ezweb.ne.jp")
    wait_held(ours, "taro@docomo.ne.jp", "SPF")
    h.equal(net.journal.delivered("taro@docomo.ne.jp"), [], "delivered")
    ours.stop()


def test_warn():
    """With `preflight = warn` it is told and goes"""
    ours, net = up(zone=[r for r in GOOD if r != NAMED], preflight="warn")
    send(ours, "taro@docomo.ne.jp")
    net.journal.wait_delivered("taro@docomo.ne.jp")
    h.equal(wait_event(ours, "gate_closed", check="ptr")[0]["mode"], "warn", "mode")
    h.equal(ours.log.events("held"), [], "held")
    ours.wait_empty()
    ours.stop()


def test_closes_while_it_runs():
    """A reverse name that goes away closes the gate for what comes then, a second look opens it"""
    ours, net = up()
    send(ours, "taro@docomo.ne.jp", test_id="before")
    net.journal.wait_delivered("taro@docomo.ne.jp", "before")
    net.control("unzone " + PTR)
    wait_event(ours, "gate_closed", check="ptr")
    send(ours, "taro@docomo.ne.jp", test_id="after")
    wait_held(ours, "taro@docomo.ne.jp", "reverse")
    net.control("zone " + NAMED)
    net.journal.wait_delivered("taro@docomo.ne.jp", "after")
    ours.wait_empty()
    ours.stop()


def test_waits_in_a_lane():
    """What waits in memory for a path that rests is held too when the gate closes"""
    ours, net = up()
    send(ours, "taro@docomo.ne.jp", test_id="before")
    net.journal.wait_delivered("taro@docomo.ne.jp", "before")
    ours.cli("pause", "path", "mta")
    send(ours, "jiro@docomo.ne.jp", test_id="waits")
    h.equal(row(ours, "jiro@docomo.ne.jp")["path"], "mta", "path")
    net.control("unzone " + PTR)
    wait_held(ours, "jiro@docomo.ne.jp", "reverse")
    net.control("zone " + NAMED)
    wait_event(ours, "gate_open", subject="source tokyo1")
    ours.cli("resume", "path", "mta")
    net.journal.wait_delivered("jiro@docomo.ne.jp")
    ours.wait_empty()
    ours.stop()


def test_checks_now():
    """POST /v1/doctor/check looks at once, however long the interval"""
    ours, net = up(zone=[r for r in GOOD if r != NAMED], start=False)
    ours.config.text = ours.config.text.replace("interval = 1s", "interval = 1h")
    ours.config.save()
    ours.start()
    wait_event(ours, "gate_closed", check="ptr")
    send(ours, "taro@docomo.ne.jp")
    wait_held(ours, "taro@docomo.ne.jp", "reverse")
    net.control("zone " + NAMED)
    findings(ours, "POST", "/v1/doctor/check")
    net.journal.wait_delivered("taro@docomo.ne.jp", limit=10)
    h.equal(findings(ours), [], "what is bad")
    ours.wait_empty()
    ours.stop()


def without_dns(ours):
    """The same daemon, whose DNS never answers from its next start on."""
    text = ours.config.text
    at = text.index('servers = { "') + len('servers = { "')
    ours.config.text = text[:at] + f"127.0.0.1@{h.free_port()}" + text[text.index('"', at):]
    ours.config.save()
    return text


def test_restart_closed():
    """What was closed stays closed over a restart with DNS down, and opens when it is back"""
    ours, net = up(zone=[r for r in GOOD if r != NAMED])
    wait_event(ours, "gate_closed", check="ptr")
    send(ours, "taro@docomo.ne.jp")
    wait_held(ours, "taro@docomo.ne.jp", "reverse")
    ours.stop()
    before = without_dns(ours)
    ours.start()
    send(ours, "jiro@docomo.ne.jp")
    wait_held(ours, "jiro@docomo.ne.jp", "reverse")
    ours.stop()
    net.control("zone " + NAMED)
    ours.config.text = before
    ours.config.save()
    ours.start()
    for to in ("taro", "jiro"):
        net.journal.wait_delivered(f"{to}@docomo.ne.jp")
    ours.wait_empty()
    ours.stop()


def test_restart_open():
    """What was open stays open over a kill and DNS that is down: mail is tried and not held"""
    ours, net = up()
    send(ours, "taro@docomo.ne.jp", test_id="before")
    net.journal.wait_delivered("taro@docomo.ne.jp", "before")
    held = len(ours.log.events("held"))
    ours.kill9()
    before = without_dns(ours)
    ours.start()
    send(ours, "taro@docomo.ne.jp", test_id="after")
    wait_event(ours, "deferred", to="taro@docomo.ne.jp")
    h.equal(len(ours.log.events("held")), held, "held")
    ours.config.text = before
    ours.config.save()
    ours.stop()
    ours.start()
    net.journal.wait_delivered("taro@docomo.ne.jp", "after")
    ours.wait_empty()
    ours.stop()


def test_never_seen_without_dns():
    """With DNS down from the first start mail waits, and goes when DNS is there"""
    ours, net = up(start=False)
    before = without_dns(ours)
    ours.start()
    send(ours, "taro@docomo.ne.jp")
    wait_held(ours, "taro@docomo.ne.jp", "tokyo1")
    ours.stop()
    ours.config.text = before
    ours.config.save()
    ours.start()
    net.journal.wait_delivered("taro@docomo.ne.jp")
    ours.wait_empty()
    ours.stop()


def test_turned_off():
    """A reload that turns the checks off lets go what is held"""
    ours, net = up(zone=[r for r in GOOD if r != NAMED])
    send(ours, "taro@docomo.ne.jp")
    wait_held(ours, "taro@docomo.ne.jp", "reverse")
    ours.config.text = ours.config.text.replace("preflight = enforce", "preflight = off")
    ours.config.save()
    ours.cli("reload")
    net.journal.wait_delivered("taro@docomo.ne.jp")
    ours.wait_empty()
    ours.stop()


def test_unread_keeps_its_path():
    """What may have arrived already waits where it is, and is not held: it could leave by another path"""
    to = "closedot-1@ordinary.test"
    ours, net = up(routes=WITH_FALLBACK)
    send(ours, to)
    wait_event(ours, "unread", to=to)
    net.control(f"unzone {PTR}")
    wait_event(ours, "gate_closed", check="ptr")
    send(ours, "taro@ordinary.test")
    ours.log.wait(lambda _: ours.finals("taro@ordinary.test"), "the other, by the fallback")
    h.equal(ours.finals("taro@ordinary.test")[0]["path"], "ses", "path of the other")
    h.equal([e for e in ours.log.events("held") if e["to"] == to], [], "held")
    h.equal((row(ours, to)["path"], row(ours, to)["state"]), ("mta", "waiting"), "path and state")


if __name__ == "__main__":
    h.main()
