"""oiwake doctor: each fault in the zone is found, explained, and mended by what is printed.

time limit: 180 s
"""

import json
import re

import harness as h
from oiwake import DKIM_DOMAIN, SELECTOR, Config, Oiwake, Sandbox, dkim_record

HOST, ADDRESS, REVERSE = "mx1.oiwake.test", "127.0.20.1", "1.20.0.127.in-addr.arpa"
BOUNCE, DMARC = f"b.{DKIM_DOMAIN}", f"_dmarc.{DKIM_DOMAIN}"
KEY = f"{SELECTOR}._domainkey.{DKIM_DOMAIN}"
SPF = f"v=spf1 ip4:{ADDRESS} include:amazonses.com ~all"

SETTINGS = """
return-path {{
	domain = "{bounce}"
	key = "{key}"
}}
preflight {{
	interval = {interval}
	port-check = {port_check}
}}
"""


class Zone:
    """What our names hold in the sandbox's DNS, changed by name and type."""

    def __init__(self, net, config):
        self.net = net
        self.data = {}
        name, kind, key = dkim_record(config.top).split(" ", 2)
        for name, kind, value in (
                (REVERSE, "PTR", HOST), (HOST, "A", ADDRESS), (HOST, "TXT", "v=spf1 a -all"),
                (DKIM_DOMAIN, "MX", "10 mx.example.com"), (DKIM_DOMAIN, "TXT", SPF),
                (BOUNCE, "MX", f"10 {HOST}"), (BOUNCE, "TXT", f"v=spf1 ip4:{ADDRESS} -all"),
                (DMARC, "TXT", "v=DMARC1; p=none"), (name, kind, key.strip('"'))):
            self.data.setdefault((name, kind), []).append(value)
        self.publish(name for name, _ in self.data)

    def publish(self, names):
        for name in set(names):
            self.net.control(f"unzone {name}")
            for (owner, kind), values in self.data.items():
                for value in values if owner == name else ():
                    self.net.control(f"zone {name} {kind} {value}")

    def set(self, name, kind, *values):
        self.data[name, kind] = list(values)
        self.publish([name])

    def set_all(self, records):
        """Those of a mend: lines of a zone file among others. Returns how many there were."""
        seen = {}
        for line in records.splitlines():
            m = re.fullmatch(r"(\S+)\. IN (\S+) (.*)", line)
            if m:
                name, kind, value = m.groups()
                if kind == "TXT":
                    value = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', value))
                seen[name, kind] = value.rstrip(".") if kind != "TXT" else value
        for (name, kind), value in seen.items():
            self.set(name, kind, value)
        return len(seen)


def setup(preflight="enforce", interval="1h", port_check="yes", **more):
    net = Sandbox()
    config = Config(net, preflight=preflight, **more)
    config.text += SETTINGS.format(bounce=BOUNCE, interval=interval, port_check=port_check,
                                   key=config.write("return-path", "a secret of some length\n", 0o600))
    config.save()
    return net, Oiwake(config, start=False), Zone(net, config)


def bad(findings):
    return sorted({f"{f['level']} {f['check']}" for f in findings if f["level"] != "good"})


def examine(ours, want, *args):
    """Runs it; what is not good has to be `want`. Returns that."""
    status = 1 if any(w.split()[0] in ("bad", "unknown") for w in want) else 0
    done = ours.cli("doctor", "--json", *args, status=None)
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    h.equal(bad(findings), sorted(want), "what the doctor finds")
    h.equal(done.returncode, status, "its status")
    for f in findings:
        h.check(set(f) == {"level", "check", "subject", "what", "why", "mend", "carriers"},
                f"keys of {f}")
        h.check(f["level"] == "good" or f["why"] and f["carriers"], f"nothing said about {f}")
        h.check(f["level"] != "bad" or f["mend"], f"no mend of {f}")
    return [f for f in findings if f["level"] != "good"]


# (what is done, what is found, a record that has to be printed)
FAULTS = (
    ("no reverse name", lambda z: z.set(REVERSE, "PTR"), ["bad ptr"],
     f"{REVERSE}. IN PTR {HOST}."),
    ("EC2's reverse name", lambda z: (z.set(REVERSE, "PTR", "ec2-1.compute.test"),
                                      z.set("ec2-1.compute.test", "A", ADDRESS)),
     ["bad ehlo-name"], f"{REVERSE}. IN PTR {HOST}."),
    ("EHLO name elsewhere", lambda z: z.set(HOST, "A", "127.0.20.99"),
     ["bad ehlo-address", "bad ptr", "bad spf-ehlo"], f"{HOST}. IN A {ADDRESS}"),
    ("EHLO name without SPF", lambda z: z.set(HOST, "TXT"), ["note spf-ehlo"],
     f'{HOST}. IN TXT "v=spf1 a -all"'),
    ("no SPF", lambda z: z.set(DKIM_DOMAIN, "TXT"), ["bad spf-header-from"],
     f'{DKIM_DOMAIN}. IN TXT "{SPF}"'),
    ("SPF without us", lambda z: z.set(DKIM_DOMAIN, "TXT", "v=spf1 include:amazonses.com -all"),
     ["bad spf-header-from"],
     f'{DKIM_DOMAIN}. IN TXT "v=spf1 ip4:{ADDRESS} include:amazonses.com -all"'),
    ("two SPF records", lambda z: z.set(DKIM_DOMAIN, "TXT", f"v=spf1 ip4:{ADDRESS} ~all",
                                        "v=spf1 include:amazonses.com ~all"),
     ["bad spf-header-from", "bad spf-records"],
     f'{DKIM_DOMAIN}. IN TXT "{SPF}"'),
    ("v-spf1", lambda z: z.set(DKIM_DOMAIN, "TXT", SPF.replace("=", "-", 1)),
     ["bad spf-header-from", "bad spf-syntax"], f'{DKIM_DOMAIN}. IN TXT "{SPF}"'),
    ("ipv4:", lambda z: z.set(DKIM_DOMAIN, "TXT", SPF.replace("ip4", "ipv4")),
     ["bad spf-header-from", "bad spf-syntax"], f'{DKIM_DOMAIN}. IN TXT "{SPF}"'),
    ("+all", lambda z: z.set(DKIM_DOMAIN, "TXT", SPF.replace("~", "+")), ["note spf-plus-all"],
     f'{DKIM_DOMAIN}. IN TXT "{SPF}"'),
    ("too many look-ups", lambda z: (
        z.set("many.test", "TXT", "v=spf1 " + " ".join(f"a:{n}.news.test" for n in range(10))
              + " ~all"),
        z.set("_spf.test", "TXT", "v=spf1 ip4:192.0.2.1 ~all"),
        z.set(DKIM_DOMAIN, "TXT", "v=spf1 include:_spf.test include:many.test "
              f"include:amazonses.com ip4:{ADDRESS} ~all")),
     ["bad spf-header-from", "bad spf-lookups"], f'{DKIM_DOMAIN}. IN TXT "v=spf1 ip4:{ADDRESS} include:_spf.test '
     'include:many.test include:amazonses.com ~all"'),
    ("SES forgotten", lambda z: z.set(DKIM_DOMAIN, "TXT", f"v=spf1 ip4:{ADDRESS} ~all"),
     ["note spf-ses"], f'{DKIM_DOMAIN}. IN TXT "{SPF}"'),
    ("envelope without SPF", lambda z: z.set(BOUNCE, "TXT"), ["bad spf-envelope"],
     f'{BOUNCE}. IN TXT "v=spf1 ip4:{ADDRESS} -all"'),
    ("key not published", lambda z: z.set(KEY, "TXT"), ["bad dkim"], None),
    ("another key", lambda z: z.set(KEY, "TXT", "v=DKIM1; k=ed25519; "
                                    "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
     ["bad dkim"], None),
    ("key revoked", lambda z: z.set(KEY, "TXT", "v=DKIM1; k=rsa; p="), ["bad dkim"], None),
    ("no DMARC", lambda z: z.set(DMARC, "TXT"), ["bad dmarc"],
     f'{DMARC}. IN TXT "v=DMARC1; p=none; rua=mailto:dmarc@{DKIM_DOMAIN}; adkim=r; aspf=r"'),
    ("DMARC without p", lambda z: z.set(DMARC, "TXT", "v=DMARC1; pct=10"), ["bad dmarc"],
     f'{DMARC}. IN TXT "v=DMARC1; p=none; pct=10"'),
    ("two DMARC records", lambda z: z.set(DMARC, "TXT", "v=DMARC1; p=none", "v=DMARC1; p=reject"),
     ["bad dmarc"], f'{DMARC}. IN TXT "v=DMARC1; p=none"'),
    ("header From not in the DNS", lambda z: z.set(DKIM_DOMAIN, "MX"), ["bad from-dns"],
     f"{DKIM_DOMAIN}. IN MX 10 mail.oiwake.test."),
    ("bounce domain without MX", lambda z: z.set(BOUNCE, "MX"), ["bad bounce-mx"],
     f"{BOUNCE}. IN MX 10 mail.oiwake.test."),
    ("bounce MX of SES", lambda z: z.set(BOUNCE, "MX", "10 mx.example.com"), ["bad bounce-mx"],
     f"{BOUNCE}. IN MX 10 mail.oiwake.test."),
)


def test_each_fault():
    """Each fault is found under its name, and the record printed with it mends it"""
    net, ours, _ = setup(port_check="no")
    for name, make, want, record in FAULTS:
        zone = Zone(net, ours.config)
        make(zone)
        found = examine(ours, want)
        printed = "\n".join(f["mend"] for f in found)
        if record:
            h.check(record in printed.splitlines(), f"{name}: no {record!r} in\n{printed}")
        h.check(zone.set_all(printed) > 0, f"{name}: no record in\n{printed}")
        left = bad(ours.json("doctor"))  # status 0: nothing is bad any more
        h.check(not set(left) & set(want), f"{name}: still {left} after publishing\n{printed}")


def test_all_well():
    """Nothing to say: everything is good, port 25 too, and the status is 0"""
    net, ours, _ = setup()
    findings = ours.json("doctor")
    h.equal(bad(findings), [], "what is not good")
    checks = {f["check"] for f in findings}
    h.check({"ptr", "ehlo-name", "ehlo-address", "spf-ehlo", "port-25", "from-dns",
             "spf-header-from", "spf-envelope", "dkim", "dmarc", "dmarc-alignment",
             "bounce-mx"} <= checks, f"checks missing: {checks}")
    text = ours.cli("doctor").stdout
    h.check(re.search(r"^\d+ good, 0 to note, 0 unknown, 0 bad$", text, re.M), text)
    h.check(net.control("count")["messages"] == 0, "the doctor sends no mail")


def test_text():
    """For people: what, why and the record, subject by subject"""
    _, ours, zone = setup(port_check="no")
    zone.set(DMARC, "TXT")
    text = ours.cli("doctor", status=1).stdout
    h.check(f"tokyo1 ({ADDRESS})\n" in text and f"\n{DKIM_DOMAIN}\n" in text, text)
    h.check(re.search(r"BAD +dmarc .*\n +why: docomo .*\n +mend:\n +_dmarc\.", text), text)
    h.check(ours.cli("doctor", "not a name", status=2).stderr.startswith("oiwake doctor:"), "usage")


def test_port():
    """Port 25: closed everywhere is EC2's block with AWS's form; one carrier's no is its block"""
    net, ours, _ = setup()
    net.control("set docomo mood refuse421")
    found = examine(ours, ["bad port-25-blocked"])
    h.equal(found[0]["carriers"], ["docomo"], "whose block it is")
    h.check("421" in found[0]["what"], found[0]["what"])
    net.control("set docomo mood normal")
    net.control("set ezweb mood reset")
    found = examine(ours, ["bad port-25-blocked"])
    h.equal(found[0]["carriers"], ["au"], "whose block it is")
    net.control("set all mood down")
    form = examine(ours, ["bad port-25"])[0]["mend"]
    for text in ("console.aws.amazon.com/support/contacts?#/rdns-limits", "Use case description: ",
                 f"Elastic IP address: {ADDRESS}", f"Reverse DNS record for EIP: {HOST}",
                 f"{HOST}. IN A {ADDRESS}"):
        h.check(text in form, f"no {text!r} in\n{form}")


def test_dns_that_does_not_answer():
    """DNS trouble is unknown, never bad; the status is 1 and says so"""
    net, ours, _ = setup()
    net.control("set dns mood servfail")
    findings = ours.json("doctor", status=1)
    h.equal([f for f in findings if f["level"] in ("bad", "good")], [], "what is known")
    h.check("could not be made" in ours.cli("doctor", status=1).stderr, "the reason")


def test_domains():
    """The domains named instead of those with keys; one without a key is told so"""
    net, ours, zone = setup(port_check="no")
    zone.set("other.test", "MX", "10 mx.example.com")
    found = examine(ours, ["bad spf-header-from", "bad dmarc", "bad dmarc-alignment", "note dkim"],
                    "other.test")
    h.equal({f["subject"] for f in found}, {"other.test"}, "the subject")


def test_keys_that_cannot_be_read():
    """Without the right to read the keys the rest is checked, and it says so"""
    _, ours, _ = setup(port_check="no")
    text = ours.config.text
    ours.config.text = text.replace("dkim.pem", "nowhere.pem")
    ours.config.save()
    findings = ours.json("doctor", status=1)
    h.equal(bad(findings), ["unknown dkim"], "what is not good")
    h.check("without keys" in ours.cli("doctor", status=1).stderr, "the reason")


def send(ours, to, sender=f"info@{DKIM_DOMAIN}"):
    with h.smtp(ours.port("relay")) as s:
        s.sendmail(sender, [to], h.message(sender=sender, to=to, test_id=to))


def test_lane_opens_by_itself():
    """What fails is held and says why; once the printed record is published, it goes by itself"""
    net, ours, zone = setup(interval="1s", port_check="no")
    ours.start()
    send(ours, "first@docomo.ne.jp")
    net.journal.wait_delivered("first@docomo.ne.jp")
    zone.set(DKIM_DOMAIN, "TXT", "v=spf1 include:amazonses.com -all")
    ours.log.wait(lambda _: ours.log.events("gate_closed"), "the gate closes")
    send(ours, "second@docomo.ne.jp")
    held = ours.log.wait(lambda _: [e for e in ours.log.events("held")
                                    if e.get("to") == "second@docomo.ne.jp"], "it is held")
    h.check("SPF" in held[0]["line"], f"no reason in {held[0]['line']}")
    found = examine(ours, ["bad spf-header-from"])
    h.check(not net.journal.delivered("second@docomo.ne.jp"), "it went through a closed gate")
    zone.set_all(found[0]["mend"])
    net.journal.wait_delivered("second@docomo.ne.jp")
    ours.stop()


def test_source_waits_for_its_reverse_name():
    """A source without reverse DNS sends nothing until it has it"""
    net, ours, zone = setup(interval="1s", port_check="no")
    zone.set(REVERSE, "PTR")
    ours.start()
    send(ours, "taro@docomo.ne.jp")
    ours.log.wait(lambda _: ours.log.events("held"), "it is held")
    found = examine(ours, ["bad ptr"])
    h.check(not net.journal.events("connect"), "a connection without reverse DNS")
    zone.set_all(found[0]["mend"])
    net.journal.wait_delivered("taro@docomo.ne.jp")
    ours.stop()


def test_fallback():
    """What may not go by its path takes its rule's fallback"""
    net, ours, zone = setup(interval="1s", port_check="no", routes="""\
route keitai to carrier * via mta pool keitai fallback ses
route default to any via ses
""")
    zone.set(REVERSE, "PTR")
    ours.start()
    send(ours, "taro@docomo.ne.jp")
    went = net.journal.wait_delivered("taro@docomo.ne.jp")
    h.equal({m["host"] for m in went}, {"ses"}, "by which host it went")
    ours.stop()


if __name__ == "__main__":
    h.main()
