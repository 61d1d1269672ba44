"""oiwake dns: the records to publish, as a zone that NSD loads, as JSON and as a change batch.

time limit: 180 s
"""

import functools
import json
import os
import re

import harness as h
import peers

SETTINGS = """\
hostname = "mx1.mail.example.jp"
state-directory = "state"
rules = "rules"
listener "in" {{
	type = inbound
	address = "127.0.0.1:2525"
}}
source "tokyo1" {{
	address = "10.0.1.21"
	public = "203.0.113.5"
	hostname = "mx1.mail.example.jp"
}}
source "tokyo2" {{
	address = "10.0.1.22"
	{second}
	hostname = "mx2.mail.example.net"
}}
source "six" {{
	address = "2600:1f18::5"
	hostname = "mx1.mail.example.jp"
}}
pool "keitai" {{
	sources = {{ "tokyo1", "tokyo2", "six" }}
}}
path "mta" {{
	type = mta
	pool = keitai
}}
return-path {{
	domain = "b.example.jp"
	key = "return-path"
}}
dkim "example.jp" {{
	selector = s1
	key = "s1.pem"
}}
dkim "example.jp" {{
	selector = s2
	key = "s2.pem"
	state = standby
}}
{ses}
"""
SES = """\
path "{name}" {{
	type = ses
	transport = smtp
	host = "{host}"
	user = "x"
	password-file = "password"
}}
"""
TOKYO = "email-smtp.ap-northeast-1.amazonaws.com"
OSAKA = "email-smtp-fips.ap-northeast-3.amazonaws.com"
ADDRESSES = "ip4:203.0.113.5 ip4:203.0.113.6 ip6:2600:1f18::5"
SECOND = 'public = "203.0.113.6"'


@functools.cache
def rsa_key(bits):
    """Made once: a large one can take many seconds."""
    return h.run(["openssl", "genrsa", bits], limit=120).stdout


def settings(hosts=(TOKYO,), second=SECOND, edit=lambda text: text):
    top = h.work.file("dns")
    os.makedirs(top, exist_ok=True)
    for name, bits in (("s1.pem", "2048"), ("s2.pem", "4096")):
        path = os.path.join(top, name)
        h.work.write(path, rsa_key(bits))
        os.chmod(path, 0o600)
    h.work.write(os.path.join(top, "rules"), "route all to any via mta\n")
    ses = "".join(SES.format(name=f"ses{i}", host=host) for i, host in enumerate(hosts))
    text = SETTINGS.format(second=second, ses=ses)
    return h.work.write(os.path.join(top, "oiwake.conf"), edit(text))


def dns(conf, *args, status=0):
    h.need_program(h.OIWAKE)
    return h.run([h.OIWAKE, "dns", "-c", conf, *args], status=status)


def records(conf, domain="example.jp", status=0):
    """{(name, type): [value, ...]}"""
    found = {}
    for line in dns(conf, "--json", domain, status=status).stdout.splitlines():
        row = json.loads(line)
        h.equal(sorted(row), ["name", "ttl", "type", "value", "why"], "keys")
        found.setdefault((row["name"], row["type"]), []).append(row["value"])
    return found


def test_records():
    """dns --json: every record, once, with its value"""
    found = records(settings())
    keys = {name: found.pop((f"{name}._domainkey.example.jp", "TXT")) for name in ("s1", "s2")}
    for value in keys.values():
        h.check(len(value) == 1 and value[0].startswith("v=DKIM1; k=rsa; p="), f"{value}")
    reverse = "5" + ".0" * 23 + ".8.1.f.1.0.0.6.2.ip6.arpa"
    h.equal(found, {
        ("example.jp", "TXT"): [f"v=spf1 {ADDRESSES} include:amazonses.com ~all"],
        ("mx1.mail.example.jp", "A"): ["203.0.113.5"],
        ("5.113.0.203.in-addr.arpa", "PTR"): ["mx1.mail.example.jp"],
        ("mx2.mail.example.net", "A"): ["203.0.113.6"],
        ("6.113.0.203.in-addr.arpa", "PTR"): ["mx2.mail.example.net"],
        ("mx1.mail.example.jp", "AAAA"): ["2600:1f18::5"],
        (reverse, "PTR"): ["mx1.mail.example.jp"],
        ("mx1.mail.example.jp", "TXT"): ["v=spf1 a -all"],
        ("mx2.mail.example.net", "TXT"): ["v=spf1 a -all"],
        ("b.example.jp", "MX"): ["10 mx1.mail.example.jp"],
        ("b.example.jp", "TXT"): [f"v=spf1 {ADDRESSES} -all"],
        ("ses.example.jp", "MX"): ["10 feedback-smtp.ap-northeast-1.amazonses.com"],
        ("ses.example.jp", "TXT"): ["v=spf1 include:amazonses.com ~all"],
        ("_dmarc.example.jp", "TXT"): [
            "v=DMARC1; p=none; rua=mailto:dmarc@example.jp; adkim=r; aspf=r"],
    }, "records")


def test_paths():
    """dns: without SES nothing of it; two regions have a MAIL FROM each; none is the bounce domain"""
    found = records(settings(hosts=()))
    h.check(not any("amazonses" in v for values in found.values() for v in values), f"{found}")
    both = settings(hosts=(TOKYO, OSAKA, TOKYO))
    found = records(both)
    h.equal(found["ses.example.jp", "MX"], ["10 feedback-smtp.ap-northeast-1.amazonses.com"],
            "MX of the first region")
    h.equal(found["ses-ap-northeast-3.example.jp", "MX"],
            ["10 feedback-smtp.ap-northeast-3.amazonses.com"], "MX of the second region")
    text = dns(both, "example.jp").stdout
    for tokens in ("TOKEN.dkim.amazonses.com", "TOKEN.dkim.ap-northeast-3.amazonses.com"):
        h.equal(text.count(tokens), 1, tokens)
    taken = settings(edit=lambda t: t.replace('"b.example.jp"', '"ses.example.jp"'))
    found = records(taken)
    h.equal(found["ses.example.jp", "MX"], ["10 mx1.mail.example.jp"], "MX of the bounce domain")
    h.check(("ses-ap-northeast-1.example.jp", "MX") in found, f"{list(found)}")


def test_relay_host():
    """dns: from where a relay sends is missing; keys and bounces are as ever"""
    relay = 'type = mta\n\trelay-host = "r.test"'
    conf = settings(hosts=(), edit=lambda t: t.replace("type = mta", relay))
    found = records(conf, status=1)
    h.equal([name for name, kind in found if kind in ("A", "AAAA", "PTR")], [], "addresses")
    h.check(not any(v.startswith("v=spf1") for values in found.values() for v in values), f"{found}")
    h.check(("s1._domainkey.example.jp", "TXT") in found, f"{list(found)}")
    h.equal(found["b.example.jp", "MX"], ["10 mx1.mail.example.jp"], "MX of the bounce domain")
    said = dns(conf, "example.jp", status=1).stderr
    for name in ("'example.jp'", "'b.example.jp'"):
        h.check(re.search(f"no SPF record for {name}.*r.test", said), said)


def test_one_spf_record():
    """dns: a name that plays two parts has one SPF record"""
    conf = settings(edit=lambda t: t.replace("mx1.mail.example.jp", "example.jp")
                    .replace('"b.example.jp"', '"example.jp"'))
    found = records(conf)
    h.equal([v for v in found["example.jp", "TXT"] if v.startswith("v=spf1")],
            [f"v=spf1 {ADDRESSES} include:amazonses.com ~all"], "SPF of example.jp")


def test_missing():
    """dns: a fact that the settings do not tell is said, its records left out, and the status is 1"""
    conf = settings(second="")
    found = records(conf, status=1)
    for name in ("example.jp", "b.example.jp"):
        h.check((name, "TXT") not in found, f"an SPF record of {name} without all sources")
    h.check(("mx2.mail.example.net", "A") not in found, "an address out of the air")
    said = dns(conf, "example.jp", status=1).stderr
    h.check("'tokyo2' has no public address" in said, said)
    said = dns(settings(), "other.example", status=1).stderr
    h.check("oiwake dkim keygen other.example" in said, said)
    h.equal(dns(settings(), "news.example.jp").stderr, "", "a sub-domain has its parent's keys")
    said = dns(settings(hosts=("smtp.ses.test",)), "example.jp", status=1).stderr
    h.check("does not tell the region" in said, said)
    conf = settings()
    os.chmod(os.path.join(os.path.dirname(conf), "s1.pem"), 0o644)
    said = dns(conf, "example.jp", status=1).stderr
    os.chmod(os.path.join(os.path.dirname(conf), "s1.pem"), 0o600)
    h.check("s1.pem" in said, said)


def test_usage():
    """dns: one domain, with a name that can be one"""
    conf = settings()
    for args in ((), ("a.example", "b.example"), ("example",), ("a b.example",), ("a_;.example",),
                 ("--nothing", "a.example")):
        dns(conf, *args, status=2)
    h.equal(dns(conf, "example.jp.").stdout, dns(conf, "example.jp").stdout, "a dot at the end")


def test_zone():
    """dns: its output is part of a zone that NSD takes, with strings of at most 255 bytes"""
    text = dns(settings(hosts=(TOKYO, OSAKA)), "example.jp").stdout
    strings = [s for line in text.splitlines() if not line.startswith(";")
               for s in re.findall(r'"([^"]*)"', line)]
    h.check(strings and max(map(len, strings)) == 255, "no string is full, or one is too long")
    h.check("; " in text and "modify-address-attribute" in text, "no way to ask for reverse DNS")
    checker = peers.NSD + "-checkzone"
    h.need(os.access(checker, os.X_OK), "nsd is not unpacked")
    zone = h.work.write(h.work.file("zone"), "$TTL 3600\n"
                        "example.jp. IN SOA ns.example.jp. a.example.jp. 1 3600 600 86400 600\n"
                        "example.jp. IN NS ns.example.jp.\nns.example.jp. IN A 192.0.2.53\n" + text)
    done = h.run([checker, "example.jp", zone], env=peers.LIBRARIES)
    h.check("ok" in done.stdout and "warning" not in done.stderr, done.stdout + done.stderr)


def test_route53():
    """dns --route53: a change batch of this zone alone, one set per name and type"""
    conf = settings(edit=lambda t: t.replace("mx2.mail.example.net", "mx1.mail.example.jp"))
    done = dns(conf, "--route53", "example.jp")
    batch = json.loads(done.stdout)
    sets = [c["ResourceRecordSet"] for c in batch["Changes"]]
    h.equal({c["Action"] for c in batch["Changes"]}, {"UPSERT"}, "actions")
    names = [(s["Name"], s["Type"]) for s in sets]
    h.equal(len(names), len(set(names)), "sets of one name and type")
    h.check(all(n == "example.jp." or n.endswith(".example.jp.") for n, _ in names), f"{names}")
    values = {(s["Name"], s["Type"]): [r["Value"] for r in s["ResourceRecords"]] for s in sets}
    h.equal(values["mx1.mail.example.jp.", "A"], ["203.0.113.5", "203.0.113.6"], "addresses")
    h.equal(values["ses.example.jp.", "MX"],
            ["10 feedback-smtp.ap-northeast-1.amazonses.com."], "MX for SES")
    for (name, kind), texts in values.items():
        for text in texts if kind == "TXT" else ():
            h.check(re.fullmatch(r'"[^"]{1,255}"( "[^"]{1,255}")*', text), f"{name}: {text}")
    rows = records(conf)
    for name in ("s1", "s2"):
        joined = values[f"{name}._domainkey.example.jp.", "TXT"][0].replace('" "', "").strip('"')
        h.equal([joined], rows[f"{name}._domainkey.example.jp", "TXT"], f"key {name}")
    h.check("in-addr.arpa" in done.stderr and "UPSERT replaces" in done.stderr, done.stderr)


def test_route53_model():
    """dns --route53: botocore takes the batch for what it sends to Route 53"""
    try:
        import botocore.session
        import botocore.validate
    except ImportError as e:
        raise h.Skip("needs botocore") from e
    batch = json.loads(dns(settings(), "--route53", "example.jp").stdout)
    model = botocore.session.get_session().get_service_model("route53")
    shape = model.operation_model("ChangeResourceRecordSets").input_shape
    report = botocore.validate.ParamValidator().validate(
        {"HostedZoneId": "Z1", "ChangeBatch": batch}, shape)
    h.check(not report.has_errors(), report.generate_report())


if __name__ == "__main__":
    h.main()
