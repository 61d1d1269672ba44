"""The fork works: carrier mail by the built-in MTA, the rest by SES, split, signed and counted."""

import collections
import re

import harness as h
import signature
from oiwake import DKIM_DOMAIN, PASSWORD, USER, Config, Oiwake, Sandbox, ZONE, dkim_record

COUNTERS = ("accepted", "sent", "delivered", "bounced", "filtered", "deferred", "expired",
            "complained", "suppressed", "queued")


def up(**config):
    net = Sandbox()
    ours = Oiwake(Config(net, **config))
    net.control("zone " + dkim_record(ours.config.top))
    return ours, net


def swaks(ours, to, *args):
    return h.run(["swaks", "--server", "127.0.0.1", "--port", str(ours.port("submission")), "--tls",
                  "--auth", "PLAIN", "--auth-user", USER, "--auth-password", PASSWORD,
                  "--ehlo", "client.test", "--from", f"info@{DKIM_DOMAIN}", "--to", to, *args])


def test_docomo_by_mta():
    """swaks to taro@docomo.ne.jp arrives at docomo, signed; both verifiers accept it"""
    ours, net = up()
    ours.add_user()
    swaks(ours, "taro@docomo.ne.jp", "--header", "Subject: =?ISO-2022-JP?B?GyRCJUYlOSVIGyhC?=",
          "--body", "line one\n.dot at the start\n..\nFrom here  \n\n\n")
    message = net.journal.wait_delivered("taro@docomo.ne.jp")[0]
    h.equal(message["host"], "docomo", "host")
    h.equal(message["ehlo"], "mx1.oiwake.test", "EHLO name: the source's")
    h.equal(message["peer"], "127.0.20.1", "address: the source's")
    h.equal(message["dkim"], [DKIM_DOMAIN], "signatures")
    h.check(message["tls"], "docomo offers STARTTLS and it was not used")
    h.check("bad" not in message, f"the witness saw {message.get('bad')}")
    data = net.message_bytes(message)
    h.check(data.startswith(b"DKIM-Signature:") or b"\r\nDKIM-Signature:" in data, "no signature")
    header = data.split(b"\r\n\r\n")[0].decode()
    h.check(re.search(r"^Received: from client\.test .*by mail\.oiwake\.test .*with ESMTPSA",
                      header.replace("\r\n\t", " ").replace("\r\n ", " "), re.M),
            f"no Received of ours: {header}")
    h.equal(signature.dkimpy(net, data), "", "dkimpy says")
    h.equal(signature.testmsg([*ZONE, dkim_record(ours.config.top)], data), "",
            "opendkim-testmsg says")
    ours.wait_empty()
    ours.stop()


def test_the_rest_by_ses():
    """a@example.com arrives at SES, verified, authenticated, without signatures of ours"""
    ours, net = up()
    ours.add_user()
    swaks(ours, "a@example.com", "--header", "DKIM-Signature: v=1; a=rsa-sha256; d=news.test; s=x; b=x")
    message = net.journal.wait_delivered("a@example.com")[0]
    h.equal(message["host"], "ses", "host")
    h.equal(message["user"], net.said["ses"]["user"], "authenticated as")
    h.check(message["tls"], "SES without TLS")
    h.equal(message["dkim"], [], "signatures")
    h.check("bad" not in message, f"the witness saw {message.get('bad')}")
    ours.wait_empty()
    h.check(any(message["text"].split()[-1] in e["line"] for e in ours.finals("a@example.com")),
            f"SES's message id ({message['text']}) is not in the log")
    ours.stop()


def test_one_message_is_split():
    """One message to a carrier and to others takes both paths, one recipient each at SES"""
    ours, net = up()
    to = ["taro@docomo.ne.jp", "jiro@docomo.ne.jp", "hanako@ezweb.ne.jp", "saburo@softbank.ne.jp",
          "shiro@ymobile.ne.jp", "goro@rakumail.jp", "a@example.com", "b@example.com", "c@gmail.com"]
    with h.smtp(ours.port("relay")) as s:
        s.sendmail(f"info@{DKIM_DOMAIN}", to, h.message(test_id="split"))
    net.journal.wait_delivered(test_id="split", count=len(to))
    hosts = {r["to"]: m["host"] for m, r in net.journal.recipients()}
    h.equal(hosts, {"taro@docomo.ne.jp": "docomo", "jiro@docomo.ne.jp": "docomo",
                    "hanako@ezweb.ne.jp": "ezweb", "saburo@softbank.ne.jp": "softbank",
                    "shiro@ymobile.ne.jp": "ymobile", "goro@rakumail.jp": "rakuten",
                    "a@example.com": "ses", "b@example.com": "ses", "c@gmail.com": "ses"}, "hosts")
    for m in net.journal.messages():
        if m["host"] == "ses":
            h.equal(len(m["rcpt"]), 1, "recipients in one transaction at SES")
    docomo = [m for m in net.journal.messages() if m["host"] == "docomo"]
    h.equal([len(m["rcpt"]) for m in docomo], [2], "both docomo recipients in one transaction")
    ours.wait_empty()
    ours.stop()


def expected_rows(net):
    """{(path, carrier): {sent, bounced}} from the journal alone."""
    carriers = {"docomo": "docomo", "ezweb": "au", "au": "au", "softbank": "softbank",
                "ymobile": "ymobile", "yahoo": "ymobile", "rakuten": "rakuten", "mopera": "docomo"}
    rows = collections.defaultdict(collections.Counter)
    for m, _ in net.journal.recipients():
        way = ("ses", "") if m["host"] == "ses" else ("mta", carriers.get(m["host"], ""))
        rows[way]["sent"] += 1
    for e in net.journal.events("refused"):
        if e["to"] and e["code"] == 550:
            way = ("mta", carriers.get(e["host"], ""))
            rows[way]["bounced"] += 1
    return rows


def test_stats_agree_with_the_journal():
    """`oiwake stats --by path,carrier` agrees with the journal to the last recipient"""
    ours, net = up()
    domains = ("docomo.ne.jp", "ezweb.ne.jp", "au.com", "softbank.ne.jp", "i.softbank.jp",
               "ymobile.ne.jp", "rakumail.jp", "example.com", "example.net", "ordinary.test")
    sent = collections.Counter()
    with h.smtp(ours.port("relay")) as s:
        for n in range(150):
            to = [f"user{n}@{domains[n % len(domains)]}",
                  f"other{n}@{domains[(n * 7 + 3) % len(domains)]}"]
            if n % 5 == 0:
                to.append(f"unknown-{n}@{('docomo.ne.jp', 'ezweb.ne.jp', 'ordinary.test')[n % 3]}")
            sent["recipients"] += len(set(to))
            s.sendmail(f"info@{DKIM_DOMAIN}", sorted(set(to)), h.message(test_id=f"m{n}"))
    ours.wait_empty()
    want = expected_rows(net)
    rows = {(r["path"], r["carrier"] or ""): r for r in ours.stats("path", "carrier")}
    for way, counts in want.items():
        h.check(way in rows, f"no row for {way} in {sorted(rows)}")
        for counter in ("sent", "bounced"):
            h.equal(rows[way][counter], counts[counter], f"{counter} of {way}")
    h.equal(sorted(k for k, r in rows.items() if r["accepted"]), sorted(want), "rows")
    for way, row in rows.items():
        h.check(all(k in row for k in COUNTERS + ("delivery_rate", "low", "high")),
                f"keys of {way}: {sorted(row)}")
        h.equal(row["accepted"], row["sent"] + row["bounced"] + row["filtered"] + row["expired"]
                + row["suppressed"] + row["queued"] + row.get("removed", 0), f"balance of {way}")
    notices = len([m for m in net.journal.messages() if m["from"] == ""])
    h.equal(sum(r["accepted"] for r in rows.values()), sent["recipients"] + notices, "accepted")
    for by in ("path", "carrier", "sender", "source", "rule", "path,carrier,sender,source,rule"):
        h.equal(sum(r["accepted"] for r in ours.stats(*by.split(","))),
                sent["recipients"] + notices, f"accepted by {by}")
    table = ours.cli("stats", "--by", "path,carrier").stdout
    h.check("docomo" in table and "ses" in table, f"table: {table}")
    ours.stop()


def test_one_line_per_recipient():
    """The log has one final line for each recipient, with all that explains it"""
    ours, net = up()
    to = ["taro@docomo.ne.jp", "unknown@docomo.ne.jp", "a@example.com"]
    with h.smtp(ours.port("relay")) as s:
        s.sendmail(f"info@{DKIM_DOMAIN}", to, h.message(test_id="logged"))
    ours.wait_empty()
    for address in to:
        lines = ours.finals(address)
        h.equal(len(lines), 1, f"final lines of {address}")
        missing = {"id", "from", "rule", "ruleset", "path", "relay", "tls", "delay", "queued",
                   "connecting", "talking", "attempts", "status", "reply"} - set(lines[0])
        h.check(not missing, f"without {missing}: {lines[0]['line']}")
    ours.stop()


if __name__ == "__main__":
    h.main()
