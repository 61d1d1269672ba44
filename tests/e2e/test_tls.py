"""DANE (RFC 7672), MTA-STS (RFC 8461), require-tls, and mail hosts that are ourselves.

Postfix takes the mail, nsd serves the zones, Python's web server the policies.

time limit: 300 s
"""

import os
import re

import harness as h
import zones
from oiwake import Config, Oiwake
from peers import POSTFIX, Postfix

ROUTES = "route everything to any via mta\n"
# Mail hosts by the last number of their address, 127.0.30.N; Postfix offers no TLS at 9.
GOOD, WRONG, ROOT, UNUSABLE, BOGUS, NONE, PLAIN, BADPLAIN = 1, 2, 3, 4, 5, 6, 9, 10
ADDRESSES = [f"127.0.30.{n}" for n in range(1, 20)]


def mail_server(ca, names):
    """One Postfix at all addresses of ours, whose certificate bears these names."""
    chain, key = ca.certificate(*names)
    postfix = Postfix(h.work.file("postfix"), [
        "default_transport = discard:", f"smtpd_tls_cert_file = {chain}",
        f"smtpd_tls_key_file = {key}", "smtpd_tls_security_level = may"])
    with open(os.path.join(postfix.etc, "master.cf"), "a") as f:
        for n, address in enumerate(ADDRESSES, 1):
            f.write(f"{address}:{postfix.port} inet n - n - - smtpd\n")
            if n in (PLAIN, BADPLAIN):
                f.write("  -o smtpd_tls_security_level=none\n")
    postfix.command(POSTFIX, "-c", postfix.etc, "reload")
    h.wait_until(lambda: h.run(["sh", "-c", f"ss -ltn | grep -c {ADDRESSES[-1]}:{postfix.port}"],
                               status=None).stdout.strip() == "1", "Postfix listens everywhere")
    return postfix, chain, key


def oiwake(port, dns, mta="", shapes="", start=True):
    config = Config(None, routes=ROUTES, smtp_port=port, dns_port=dns.port, dkim=False, mta=mta,
                    shapes=shapes)
    config.text = config.text.replace(
        "dns {\n", f'dns {{\n\ttrust-anchor = "{dns.anchors}"\n')
    config.save()
    return Oiwake(config, start)


def send(ours, *domains):
    for domain in domains:
        with h.smtp(ours.port("relay")) as s:
            s.sendmail("info@news.test", f"to@{domain}", h.message(test_id=domain))


def delivered(ours, domain):
    """The log line of its delivery."""
    return ours.log.wait(
        lambda _: [e for e in ours.finals(f"to@{domain}") if e["event"] == "delivered"],
        lambda: f"{domain} delivered:\n" + ours.tail(), 30)[-1]


def deferred(ours, domain, words, count=1):
    """It was tried, and put off with these words, and has not gone."""
    lines = ours.log.wait(
        lambda _: [e for e in ours.attempts("deferred", f"to@{domain}")
                   if re.search(words, e["line"])][count - 1:],
        lambda: f"{domain} put off with '{words}':\n" + ours.tail(), 30)
    h.equal(ours.finals(f"to@{domain}"), [], f"final log lines of {domain}")
    return lines[-1]


def host(n):
    return f"mx{n}.test."


def dane_zone(port, chain, key, ca):
    tlsa = {
        GOOD: f"3 1 1 {zones.public_key_sha256(key)}",
        WRONG: "3 1 1 " + "ab" * 32,
        ROOT: f"2 0 1 {zones.sha256_of(ca.path)}",
        UNUSABLE: f"1 0 1 {zones.sha256_of(chain)}",
        BOGUS: f"3 1 1 {zones.public_key_sha256(key)}",
        PLAIN: f"3 1 1 {zones.public_key_sha256(key)}",
        BADPLAIN: "0 0 1 " + "cd" * 32,
    }
    records = [f"{host(n)} A 127.0.30.{n}" for n in range(1, 20)]
    records += [f"_{port}._tcp.{host(n)} TLSA {data}" for n, data in tlsa.items()]
    for name, n in (("good", GOOD), ("wrong", WRONG), ("root", ROOT), ("unusable", UNUSABLE),
                    ("bogus", BOGUS), ("none", NONE), ("plain", PLAIN), ("badplain", BADPLAIN)):
        records.append(f"{name} MX 10 {host(n)}")
    records += [
        f"both MX 10 {host(WRONG)}", f"both MX 20 {host(GOOD)}",
        f"fallback MX 10 {host(BOGUS)}", f"fallback MX 20 {host(NONE)}",
        # A name that is not in the certificate: no matter to DANE-EE, a fault to DANE-TA.
        "ee-name MX 10 other.test.", "other A 127.0.30.11",
        f"_{port}._tcp.other.test. TLSA 3 1 1 {zones.public_key_sha256(key)}",
        "ta-name MX 10 another.test.", "another A 127.0.30.12",
        f"_{port}._tcp.another.test. TLSA 2 0 1 {zones.sha256_of(ca.path)}",
        # No MX: an alias, whose records stand under the name it leads to.
        f"alias CNAME {host(GOOD)}",
    ]
    return records


def spoil_tlsa(port):
    """Other data under the old signature."""
    line = re.compile(rf"^(_{port}\._tcp\.{re.escape(host(BOGUS))}\s.*\sTLSA\s.* )([0-9a-fA-F]{{64}})",
                      re.M)
    return lambda text: line.sub(lambda m: m[1] + "ef" * 32, text)


def test_dane():
    """DANE against Postfix: what matches goes authenticated, what does not waits"""
    ca = zones.Authority()
    postfix, chain, key = mail_server(ca, [f"mx{n}.test" for n in range(1, 10)])
    dns = zones.Nameserver({"test": ([], True), "example": (["plain MX 10 mx", "mx A 127.0.30.1"],
                                                            False)})
    dns.reload("test", dane_zone(postfix.port, chain, key, ca), spoil_tlsa(postfix.port))
    ours = oiwake(postfix.port, dns)
    send(ours, "good.test", "wrong.test", "root.test", "unusable.test", "bogus.test", "none.test",
         "plain.test", "badplain.test", "both.test", "fallback.test", "ee-name.test",
         "ta-name.test", "alias.test", "plain.example")
    for domain, proved in (("good.test", "dane"), ("root.test", "dane"), ("ee-name.test", "dane"),
                           ("alias.test", "dane"), ("both.test", "dane"), ("unusable.test", None),
                           ("none.test", None), ("fallback.test", None), ("plain.example", None)):
        entry = delivered(ours, domain)
        words = entry.get("tls", "").split()
        h.check(words[:1] == ["TLSv1.3"], f"{domain}: no TLS: {entry['line']}")
        h.equal(words[2:], [proved] if proved else [], f"{domain}: proof")
    h.check("127.0.30.1" in delivered(ours, "both.test")["relay"], "both.test goes to the second")
    h.check("127.0.30.6" in delivered(ours, "fallback.test")["relay"], "fallback.test likewise")
    deferred(ours, "wrong.test", "no matching DANE TLSA records.*required by DANE")
    deferred(ours, "ta-name.test", "ostname mismatch.*required by DANE")
    deferred(ours, "bogus.test", "cannot look up TLSA records")
    deferred(ours, "plain.test", "required by DANE, but the peer does not offer STARTTLS")
    deferred(ours, "badplain.test", "required by DANE, but the peer does not offer STARTTLS")
    deferred(ours, "wrong.test", "no matching DANE TLSA records", count=2)
    h.check("to=<to@wrong.test>" not in postfix.log(), "Postfix got mail for wrong.test")
    # The record is put right: mail that waited goes.
    dns.reload("test", [r.replace("ab" * 32, zones.public_key_sha256(key))
                        for r in dane_zone(postfix.port, chain, key, ca)])
    for domain in ("wrong.test", "bogus.test"):
        h.equal(delivered(ours, domain)["tls"].split()[2:], ["dane"], f"{domain}: proof")
    ours.stop()


def test_dane_off():
    """dane = no: TLSA records are not looked at"""
    ca = zones.Authority()
    postfix, chain, key = mail_server(ca, ["mx1.test"])
    dns = zones.Nameserver({"test": ([], True)})
    dns.reload("test", dane_zone(postfix.port, chain, key, ca))
    ours = oiwake(postfix.port, dns, mta="\tdane = no")
    send(ours, "wrong.test")
    h.equal(len(delivered(ours, "wrong.test")["tls"].split()), 2, "words about TLS")
    ours.stop()


STS = {"ok": 11, "wild": 11, "bad": 12, "unlisted": 11, "testing": 12, "change": 11, "expired": 12,
       "redirect": 12, "plain": PLAIN, "html": 12, "two": 12, "huge": 12, "broken": 12}
NAMES = {11: "mx1.sts.example.", 12: "mx.other.example.", PLAIN: "plain.sts.example."}


def sts_zone(ids=None, drop=()):
    records = [f"{name} A 127.0.30.{n}" for n, name in NAMES.items()]
    for domain, n in STS.items():
        web = "127.0.40.2" if domain == "expired" else "127.0.40.1"
        records += [f"{domain} MX 10 {NAMES[n]}", f"mta-sts.{domain} A {web}"]
        if domain not in drop:
            records.append(f'_mta-sts.{domain} TXT "v=STSv1; id={(ids or {}).get(domain, 1)};"')
    return records + ['_mta-sts.two TXT "v=STSv1; id=2;"']


def sts_servers(ca):
    port = h.free_port()
    hosts = [f"mta-sts.{d}.example" for d in STS]
    good = zones.PolicyServer("127.0.40.1", port, *ca.certificate(*hosts))
    old = zones.PolicyServer("127.0.40.2", port, *ca.certificate(*hosts, expired=True))
    for domain, text in {
            "ok": zones.policy("enforce", "mx1.sts.example"),
            "wild": zones.policy("enforce", "*.sts.example"),
            "bad": zones.policy("enforce", "mx.other.example"),
            "unlisted": zones.policy("enforce", "mx2.sts.example", "*.mx1.sts.example"),
            "testing": zones.policy("testing", "mx.other.example"),
            "change": zones.policy("enforce", "elsewhere.example"),
            "plain": zones.policy("enforce", "*.sts.example"),
            "two": zones.policy("enforce", "elsewhere.example"),
            "huge": zones.policy("enforce", "elsewhere.example") + "x: y\n" * 20000,
            "broken": zones.policy("enforce"),
            "redirect": (302, {"Location": "https://mta-sts.bad.example/.well-known/mta-sts.txt"},
                         b""),
            "html": (200, {"Content-Type": "text/html"},
                     zones.policy("enforce", "elsewhere.example").encode())}.items():
        good.policies[f"mta-sts.{domain}.example"] = text
    old.policies["mta-sts.expired.example"] = zones.policy("enforce", "elsewhere.example")
    return good, old, port


def results(ours, domain):
    """{result: n} of a domain, all kinds of policy together."""
    total = {}
    for row in ours.json("tls"):
        if row["domain"] == domain:
            for key, n in row.items():
                if isinstance(n, int) and n > 0:
                    total[key] = total.get(key, 0) + n
    return total


def test_mta_sts():
    """MTA-STS against Postfix and a web server: enforce, testing, a new id, a cache that lasts"""
    ca = zones.Authority()
    postfix, _, _ = mail_server(ca, ["mx1.sts.example", "plain.sts.example"])
    web, _, port = sts_servers(ca)
    dns = zones.Nameserver({"example": (sts_zone(), False), "test": ([], True)})
    ours = oiwake(postfix.port, dns, mta=f'\tsts-port = {port}\n\tsts-ca-file = "{ca.path}"')
    send(ours, *(f"{d}.example" for d in STS))
    for domain, proved in (("ok", ["sts"]), ("wild", ["sts"]), ("testing", []), ("expired", []),
                           ("redirect", []), ("html", []), ("two", []), ("huge", []),
                           ("broken", [])):
        words = delivered(ours, f"{domain}.example").get("tls", "").split()
        h.check(words[:1] == ["TLSv1.3"], f"{domain}: {words}")
        h.equal(words[2:], proved, f"{domain}.example: proof")
    deferred(ours, "bad.example", "ostname mismatch.*MTA-STS")
    deferred(ours, "unlisted.example", "no mail host of domain is in its MTA-STS policy")
    deferred(ours, "change.example", "no mail host of domain is in its MTA-STS policy", count=2)
    deferred(ours, "plain.example", "MTA-STS policy, but the peer does not offer STARTTLS")
    h.equal(web.asked.count("mta-sts.change.example"), 1, "fetches of a policy that has not changed")
    h.equal(results(ours, "ok.example"), {"success": 1}, "results")
    h.equal(results(ours, "testing.example"), {"certificate-host-mismatch": 1}, "results of testing")
    h.check(results(ours, "bad.example").get("certificate-host-mismatch", 0) > 0, "results of bad")
    for domain, trouble in (("expired", "sts-webpki-invalid"), ("broken", "sts-policy-invalid"),
                            ("huge", "sts-policy-fetch-error"),
                            ("redirect", "sts-policy-fetch-error"),
                            ("html", "sts-policy-fetch-error")):
        got = results(ours, f"{domain}.example")
        h.check(got.get(trouble) == 1, f"results of {domain}: {got}")
    table = ours.cli("tls").stdout
    h.check(re.search(r"ok\.example +sts +success +1$", table, re.M), f"oiwake tls:\n{table}")
    # A new id: fetched again, and mail goes.
    web.policies["mta-sts.change.example"] = zones.policy("enforce", "*.sts.example")
    dns.reload("example", sts_zone({"change": 2}))
    h.equal(delivered(ours, "change.example")["tls"].split()[2:], ["sts"], "proof under the new id")
    # No record and no web server any more, and a restart: the policy still holds.
    web.stop()
    dns.reload("example", sts_zone({"change": 2}, drop=("ok", "unlisted")))
    ours.stop()
    ours.start()
    send(ours, "ok.example")
    ours.log.wait(lambda _: len(ours.finals("to@ok.example")) == 2, "the second delivery")
    h.equal(ours.finals("to@ok.example")[1]["tls"].split()[2:], ["sts"], "proof after the restart")
    seen = len(ours.attempts("deferred", "to@unlisted.example"))
    deferred(ours, "unlisted.example", "MTA-STS policy", count=seen + 1)
    h.check(results(ours, "ok.example").get("success", 0) >= 2,
            f"results over the restart: {results(ours, 'ok.example')}")
    ours.stop()


def test_require_tls():
    """require-tls: a name that authorities vouch for, DANE, or no mail"""
    ca = zones.Authority()
    postfix, chain, key = mail_server(ca, ["mx1.sts.example"])
    dns = zones.Nameserver({"test": ([], True), "example": ([
        "good MX 10 mx1.sts", "bad MX 10 mx.other", "plain MX 10 plain.sts", "mx1.sts A 127.0.30.11",
        "mx.other A 127.0.30.12", f"plain.sts A 127.0.30.{PLAIN}", "free MX 10 mx.other"], False)})
    dns.reload("test", dane_zone(postfix.port, chain, key, ca))
    ours = oiwake(postfix.port, dns, mta=f'\tsts-ca-file = "{ca.path}"', shapes="".join(
        f"shape domain {d} require-tls yes\n"
        for d in ("good.example", "bad.example", "plain.example", "good.test", "none.test")))
    send(ours, "good.example", "bad.example", "plain.example", "free.example", "good.test",
         "none.test")
    h.equal(delivered(ours, "good.example")["tls"].split()[2:], ["verified"], "proof")
    h.equal(delivered(ours, "good.test")["tls"].split()[2:], ["dane"], "proof")
    h.equal(delivered(ours, "free.example")["tls"].split()[2:], [], "proof where none is asked for")
    deferred(ours, "bad.example", "ostname mismatch.*require-tls")
    deferred(ours, "plain.example", "require-tls in the rules, but the peer does not offer STARTTLS")
    deferred(ours, "none.test", "require-tls")
    ours.stop()


def test_hostile_dns():
    """Mail hosts that are ourselves or nowhere, aliases in circles, records without end"""
    dns = zones.Nameserver({"test": ([], True), "example": ([
        "self MX 10 mail.oiwake.test.", "self MX 20 mx", "mx A 127.0.30.1",
        "source MX 10 mine", "mine A 127.0.20.1",
        "better MX 10 mx", "better MX 20 mine",
        "circle CNAME circle2", "circle2 CNAME circle",
        *(f"many MX {n} gone{n}" for n in range(300)),
        "null MX 0 .", "loop MX 10 loophost", "loophost CNAME loophost2",
        "loophost2 CNAME loophost"], False)})
    ca = zones.Authority()
    postfix, _, _ = mail_server(ca, ["mx.example"])
    ours = oiwake(postfix.port, dns)
    send(ours, "self.example", "source.example", "better.example", "many.example", "null.example",
         "circle.example", "loop.example")
    h.check("127.0.30.1" in delivered(ours, "better.example")["relay"], "better.example's peer")
    for domain, status in (("self.example", "5.4.6"), ("source.example", "5.4.6"),
                           ("many.example", "5.4.4"), ("null.example", "5.1.10")):
        ours.log.wait(lambda _: ours.finals(f"to@{domain}"), f"{domain} settled")
        entry = ours.finals(f"to@{domain}")[0]
        h.equal(entry["event"], "bounced", f"{domain}: {entry['line']}")
        h.check(status in entry["line"], f"{domain}: {entry['line']}")
    h.check("loops back to us" in ours.finals("to@self.example")[0]["line"], "words of the bounce")
    for domain in ("circle.example", "loop.example"):
        ours.log.wait(lambda _: ours.finals(f"to@{domain}") or ours.attempts(
            "deferred", f"to@{domain}"), f"{domain} is judged")
        h.check(not [e for e in ours.finals(f"to@{domain}") if e["event"] == "delivered"],
                f"{domain} went somewhere")
    h.check(ours.process.running(), "oiwake runs on")
    ours.stop()


if __name__ == "__main__":
    h.main()
