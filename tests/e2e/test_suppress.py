"""Addresses that are not written to: how they come on the list, what becomes of mail to them, and
how they come off it again.

time limit: 300 s
"""

import email
import email.policy
import json
import time

import harness as h
from oiwake import DKIM_DOMAIN, Config, Oiwake, Sandbox

SENDER = f"info@{DKIM_DOMAIN}"
POLICY = """
suppression {
	causes = { "mailboxfull after 2 in 1h for 1h", "notaccept after 1 in 1h for 2s" }
}
"""
ROUTES = """\
route keitai to carrier * via mta pool keitai
route own to domain ordinary.test second.test via mta
route second to domain news.test via mta
route gone to domain burn.test discard
route default to any via ses
"""


def up(policy="", start=True, **config):
    net = Sandbox()
    config.setdefault("routes", ROUTES)
    config = Config(net, **config)
    config.text += policy
    config.save()
    return Oiwake(config, start), net


def send(ours, *to, **message):
    """Taken with 250 each, whatever is on the list."""
    with h.smtp(ours.port("relay")) as s:
        h.equal(s.sendmail(SENDER, to, h.message(**message)), {}, "refused at RCPT")


def settled(ours, address, event, count=1, **want):
    ours.log.wait(lambda _: len(ours.finals(address)) >= count, f"{count} final lines for {address}")
    line = ours.finals(address)[-1]
    h.equal(len(ours.finals(address)), count, f"final lines of {address}")
    h.equal(line["event"], event, f"end of {address}: {line['line']}")
    for key, value in want.items():
        h.equal(line.get(key), value, f"{key} of {address}: {line['line']}")
    return line


def entries(ours, *selectors):
    return ours.json("suppress list", *selectors)


def causes(ours, *selectors):
    return {e["address"]: e["cause"] for e in entries(ours, *selectors)}


def balanced(ours):
    """accepted + returned = all ends + queued, for every key."""
    for row in ours.stats("path", "carrier"):
        ends = sum(row[c] for c in ("sent", "bounced", "filtered", "expired", "suppressed",
                                    "removed", "queued"))
        h.equal(row["accepted"] + row["returned"], ends, f"the equation of {row}")


def test_what_is_on_the_list_is_not_sent():
    """An address on the list: mail is accepted, settled as suppressed, reported; and sent once it is off"""
    ours, net = up()
    h.equal(ours.json("suppress add", "Taro@Docomo.ne.jp", '"a..b"@docomo.ne.jp', "jiro@ezweb.ne.jp",
                      "--why", "asked by telephone")[0]["added"], 3, "added")
    send(ours, "taro@docomo.ne.jp", "a..b@docomo.ne.jp", '"Taro"@DOCOMO.NE.JP', "hanako@docomo.ne.jp",
         test_id="on")
    settled(ours, "hanako@docomo.ne.jp", "delivered")
    for address in ("a..b@docomo.ne.jp", "Taro@docomo.ne.jp"):
        line = settled(ours, address, "suppressed", reason="suppressed")
        h.check("asked by telephone" in line["reply"] or "manual" in line["reply"], line["line"])
    settled(ours, "taro@docomo.ne.jp", "suppressed")
    ours.wait_empty()
    h.equal([r["to"] for _, r in net.journal.recipients() if r["to"].endswith("docomo.ne.jp")],
            ["hanako@docomo.ne.jp"], "what docomo was given")
    h.equal(ours.total("suppressed"), 3, "counted as suppressed")
    balanced(ours)
    notice = net.journal.wait(lambda _: [m for m, r in net.journal.recipients()
                                         if m["from"] == "" and r["to"] == SENDER], "the notices")[0]
    notice = email.message_from_bytes(net.message_bytes(notice), policy=email.policy.default)
    h.equal(notice.get_param("report-type"), "delivery-status", "type of the notice")
    h.check("Action: failed" in str(notice), "a notice of a failure")
    shown = ours.cli("suppress show", "TARO@docomo.ne.jp").stdout
    h.check("asked by telephone" in shown and "manual" in shown and "root" in shown, shown)
    ours.cli("suppress remove", '"a..b"@Docomo.ne.jp', "TARO@docomo.ne.jp", "--why", "mistake")
    ours.cli("suppress show", "taro@docomo.ne.jp", status=1)
    send(ours, "taro@docomo.ne.jp", test_id="off")
    settled(ours, "taro@docomo.ne.jp", "delivered", 2)
    h.equal(sorted(causes(ours)), ["jiro@ezweb.ne.jp"], "what is left on the list")
    changes = ours.log.events("suppression")
    h.equal([(c["what"], c["changed"], c["who"], c["why"]) for c in changes],
            [("added", "3", "root", "asked by telephone"), ("removed", "2", "root", "mistake")],
            "changes in the log")
    ours.stop()


def test_scope_of_a_path():
    """An entry for one path stops no mail by another, and none is a burden to what is discarded"""
    ours, net = up()
    ours.cli("suppress add", "x@ordinary.test", "x@docomo.ne.jp", "x@burn.test", "--scope", "mta")
    ours.cli("suppress add", "y@other.example", "x@burn.test")
    refused = ours.cli("suppress add", "y@other.example", "--scope", "ses", status=1)
    h.check("oiwake ses suppression" in refused.stderr, refused.stderr)
    ours.cli("suppress add", "y@other.example", "--scope", "nowhere", status=1)
    send(ours, "x@ordinary.test", "y@other.example", "x@burn.test", "z@other.example", test_id="scope")
    settled(ours, "x@ordinary.test", "suppressed", path="mta")
    settled(ours, "y@other.example", "suppressed", path="ses")
    settled(ours, "x@burn.test", "delivered")
    settled(ours, "z@other.example", "sent")
    h.equal(len(entries(ours, "--scope", "mta")), 3, "entries for mta")
    h.equal(len(entries(ours, "--scope", "all")), 2, "entries for all")
    balanced(ours)
    ours.stop()


def test_causes():
    """userunknown at RCPT suppresses, with the reply as evidence; a filter, a full mailbox and a block do not"""
    ours, net = up()
    send(ours, "unknown@docomo.ne.jp", "filtered@docomo.ne.jp", "unknown@ezweb.ne.jp",
         "filtered@ezweb.ne.jp", "spam@ordinary.test", "unknown@ordinary.test")
    for address in ("unknown@docomo.ne.jp", "unknown@ezweb.ne.jp", "unknown@ordinary.test"):
        settled(ours, address, "bounced", reason="userunknown")
    for address in ("filtered@docomo.ne.jp", "filtered@ezweb.ne.jp", "spam@ordinary.test"):
        ours.log.wait(lambda _, a=address: ours.finals(a), address)
    ours.wait_empty()
    h.equal(causes(ours), {a: "userunknown" for a in
                           ("unknown@docomo.ne.jp", "unknown@ezweb.ne.jp", "unknown@ordinary.test")},
            "the list")
    entry = next(e for e in entries(ours) if e["address"] == "unknown@ordinary.test")
    h.equal((entry["scope"], entry["source"], entry["path"], entry["expires"]),
            ("all", "smtp", "mta", None), f"{entry}")
    h.check(entry["evidence"].startswith("550 5.1.1 ") and "User unknown" in entry["evidence"], f"{entry}")
    docomo = next(e for e in entries(ours) if e["address"] == "unknown@docomo.ne.jp")
    h.check(docomo["expires"] is not None, "a carrier's address is given to others again")
    send(ours, "unknown@docomo.ne.jp", test_id="again")
    settled(ours, "unknown@docomo.ne.jp", "suppressed", 2)
    net.control("set ordinary mood blocked")
    many = [f"r{n}@ordinary.test" for n in range(300)]
    for at in range(0, len(many), 50):
        send(ours, *many[at:at + 50], test_id=f"many{at}")
    ours.wait_empty()
    h.equal(len([a for a in many if "bad reputation" in ours.finals(a)[-1]["reply"]]), 300, "blocked")
    h.equal(len(entries(ours, "--limit", "1000")), 3, "entries after the block")
    balanced(ours)
    ours.stop()


def test_a_carrier_that_has_lost_its_routes():
    """au's 554 at RCPT, which may be said of everybody, suppresses from the third time only"""
    ours, net = up()
    for n in (1, 2, 3):
        send(ours, "relay@ezweb.ne.jp", test_id=f"relay{n}")
        settled(ours, "relay@ezweb.ne.jp", "bounced", n, reason="hostunknown")
        ours.wait_empty()
        h.equal(causes(ours), {"relay@ezweb.ne.jp": "hostunknown"} if n == 3 else {}, f"after {n}")
    ours.stop()


def test_soft_causes():
    """Strikes only count; enough of them suppress for a time"""
    ours, net = up(POLICY, shapes="shape domain ordinary.test retry 1s expiry 2s")
    for n in (1, 2):
        send(ours, "full@ordinary.test", test_id=f"full{n}")
        ours.log.wait(lambda _, n=n: len(ours.finals("full@ordinary.test")) == n, f"end {n}")
        h.equal(ours.finals("full@ordinary.test")[-1]["reason"], "mailboxfull", "reason")
        h.equal(len(entries(ours)), n - 1, f"entries after refusal {n}")
    entry = entries(ours)[0]
    h.equal((entry["cause"], entry.get("soft")), ("mailboxfull", True), f"{entry}")
    send(ours, "full@ordinary.test", test_id="full3")
    settled(ours, "full@ordinary.test", "suppressed", 3)
    ours.stop()


def test_a_delivery_lifts():
    """A delivery takes away a soft entry of the address, and no other"""
    ours, net = up("""path "mta2" {
	type = mta
	pool = keitai
	port = 25
	allow-private = yes
}
""")
    rows = [{"address": f"{a}@ordinary.test", "cause": c, "scope": "mta2", "soft": s}
            for a, c, s in (("soft", "mailboxfull", True), ("hard", "userunknown", False))]
    ours.cli("suppress import", "-", input="\n".join(map(json.dumps, rows)).encode())
    h.equal(len(entries(ours)), 2, "entries")
    send(ours, "soft@ordinary.test", "hard@ordinary.test", test_id="lifts")
    settled(ours, "soft@ordinary.test", "delivered")
    settled(ours, "hard@ordinary.test", "delivered")
    h.equal(causes(ours), {"hard@ordinary.test": "userunknown"}, "what is left")
    ours.stop()


def test_expiry():
    """An entry whose time is over means nothing, and is listed only when asked for"""
    ours, net = up()
    ours.cli("suppress add", "soon@ordinary.test", "--expires", "6s")
    send(ours, "soon@ordinary.test", test_id="before")
    settled(ours, "soon@ordinary.test", "suppressed")
    h.wait_until(lambda: entries(ours) == [], "the entry is over", pause=0.2)
    send(ours, "soon@ordinary.test", test_id="after")
    settled(ours, "soon@ordinary.test", "delivered", 2)
    ours.stop()


def test_while_it_waits():
    """What is put on the list while mail waits for its next attempt is found then"""
    ours, net = up(shapes="shape domain ordinary.test retry 2s")
    send(ours, "never@ordinary.test", test_id="waits")
    net.journal.wait_refused("never@ordinary.test", 1)
    ours.cli("suppress add", "never@ordinary.test")
    settled(ours, "never@ordinary.test", "suppressed")
    balanced(ours)
    ours.stop()


def test_while_it_is_in_memory():
    """What is put on the list while mail waits in memory is found as its attempt begins; others go all the same"""
    ours, net = up()
    ours.cli("pause path", "mta")
    to = [f"{name}@ordinary.test" for name in ("a", "b", "c")]
    send(ours, *to, test_id="together")
    send(ours, "a@ordinary.test", test_id="alone")
    ours.cli("suppress add", "A@ordinary.test", "c@ordinary.test")
    ours.cli("resume path", "mta")
    settled(ours, "b@ordinary.test", "delivered")
    settled(ours, "c@ordinary.test", "suppressed", attempts="0")
    settled(ours, "a@ordinary.test", "suppressed", 2)
    ours.wait_empty()
    h.equal({r["to"] for _, r in net.journal.recipients() if r["to"].endswith("@ordinary.test")},
            {"b@ordinary.test"}, "who was written to")
    h.equal([e for e in ours.log.all if "attempt not recorded" in e["line"]], [], "warnings")
    balanced(ours)
    ours.stop()


def test_bulk_removal():
    """What entries have in common takes them away together, after a look at how many"""
    ours, net = up()
    day = 24 * 3600
    rows = ["address,cause,source,at,who"]
    for n in range(600):
        at = time.strftime("%Y-%m-%dT12:00:00Z", time.gmtime(time.time() - day * (n % 3 + 1)))
        rows.append(f"r{n}@x{n % 2}.example,{'userunknown' if n % 2 else 'complaint'},smtp,{at},oiwake")
    ours.cli("suppress import", "-", input="\n".join(rows).encode())
    h.equal(len(entries(ours, "--limit", "10000")), 600, "imported")
    since, until = (time.strftime("%Y-%m-%d", time.gmtime(time.time() - day * d)) for d in (2, 1))
    which = ("--since", since, "--until", until, "--cause", "userunknown")
    h.equal(ours.json("suppress remove", *which, "--dry-run")[0], {"would_remove": 100}, "dry run")
    h.equal(len(entries(ours, *which, "--limit", "10000")), 100, "list says the same")
    h.equal(ours.json("suppress remove", *which, "--why", "the block of that day")[0],
            {"removed": 100}, "removed")
    h.equal(len(entries(ours, "--limit", "10000")), 500, "left")
    ours.cli("suppress remove", status=2)
    ours.cli("suppress remove", "--cause", "userunknown", "x@x.example", status=2)
    ours.cli("suppress remove", "--since", "soon", status=2)
    for option in ("--cause", "--scope", "--path", "--source", "--since"):
        ours.cli("suppress remove", option, "", status=2)
    ours.cli("suppress remove", "--since", "1d", "--until", "3d", status=1)
    h.equal(len(entries(ours, "--limit", "10000")), 500, "nothing was named, and nothing taken")
    h.equal(ours.json("suppress remove", "--since", "30d")[0], {"removed": 500}, "all of them")
    ours.stop()


def test_import_and_export():
    """What is exported comes back as it was, in each form; a bad line stops all of it, by its number"""
    ours, net = up()
    ours.cli("suppress add", '"a b"@ordinary.test', "a..b@docomo.ne.jp", "--why", 'says "no", twice',
             "--expires", "90d")
    ours.cli("suppress add", "c@ordinary.test", "--cause", "complaint", "--scope", "mta")
    full = ours.cli("suppress export").stdout
    ses = ours.cli("suppress export", "--format", "ses-csv").stdout
    listed = ours.cli("suppress export", "--format", "json").stdout
    before = entries(ours)
    h.equal(full.splitlines()[0], "address,scope,cause,source,expires,at,who,evidence", "head")
    h.equal(sorted(ses.splitlines()), ['"""a b""@ordinary.test",BOUNCE', "a..b@docomo.ne.jp,BOUNCE",
                                       "c@ordinary.test,COMPLAINT"], "SES's CSV")
    summaries = json.loads(listed)["SuppressedDestinationSummaries"]
    h.equal(sorted((s["EmailAddress"], s["Reason"]) for s in summaries),
            [('"a b"@ordinary.test', "BOUNCE"), ("a..b@docomo.ne.jp", "BOUNCE"),
             ("c@ordinary.test", "COMPLAINT")], "SES's JSON")
    ours.cli("suppress remove", "--since", "1d")
    h.equal(entries(ours), [], "the list")
    ours.cli("suppress import", "-", input=full.encode())
    h.equal(entries(ours), before, "the list after an import of all")
    for form in (ses, listed, "\n".join(json.dumps(s) for s in summaries), json.dumps(summaries, indent=1)):
        ours.cli("suppress remove", "--since", "1d")
        ours.cli("suppress import", "-", input=form.encode())
        h.equal(causes(ours), {'"a b"@ordinary.test': "userunknown", "a..b@docomo.ne.jp": "userunknown",
                               "c@ordinary.test": "complaint"}, f"after {form!r}")
    ours.cli("suppress remove", "--since", "1d")
    bad = ("good@x.example,BOUNCE\r\nno address,BOUNCE\r\nfine@x.example\r\nx@x.example,filtered\r\n"
           "y@x.example,BOUNCE,extra\r\n\"z@x.example,BOUNCE\r\nlast@x.example,COMPLAINT")
    told = ours.cli("suppress import", "-", input=bad.encode(), status=1)
    h.equal([line.split(":")[1] for line in told.stderr.splitlines()], ["5", "6", "2", "4"], told.stderr)
    h.check("filter" in told.stderr, told.stderr)
    h.equal(entries(ours), [], "nothing was imported")
    ours.cli("suppress import", "-", "--skip-bad", input=bad.encode())
    h.equal(sorted(causes(ours)), ["fine@x.example", "good@x.example", "last@x.example"], "the good ones")
    for text in ('{"SuppressedDestinationSummaries":[', '[{"EmailAddress": 1}', '{"EmailAddress":"x"}',
                 '{"address":"x@x.example","cause":"nonsense"}', "x" * 9000, "a\0b@x.example",
                 "address,at\nx@x.example,2930-01-01T00:00:00Z", "address,at\nx@x.example,1950-01-01T00:00:00Z"):
        ours.cli("suppress import", "-", input=text.encode(), status=1)
    ours.cli("suppress import", "/", status=1)
    h.equal(len(entries(ours)), 3, "the list")
    ours.cli("suppress import", "-", input=b"\xef\xbb\xbfCAUSE,Address\r\ncomplaint,mark@x.example\r\n")
    h.equal(causes(ours).get("mark@x.example"), "complaint", "behind a byte order mark")
    ours.stop()


def test_a_large_import():
    """20,000 lines in pieces, and the list by pages"""
    ours, net = up()
    lines = "".join(f"user{n}@domain{n % 7}.example,BOUNCE\n" for n in range(20000))
    h.check("20000 imported" in ours.cli("suppress import", "-", input=lines.encode()).stdout, "imported")
    out = ours.cli("suppress export", "--format", "ses-csv").stdout
    h.equal(sorted(out.splitlines()), sorted(lines.splitlines()), "exported")
    h.equal(len(entries(ours, "--limit", "10001")), 10001, "listed by pages")
    ours.stop()


def test_kept_over_restart_and_kill():
    """The list is what was answered, after a restart and after kill -9"""
    ours, net = up()
    for n in range(5):
        ours.cli("suppress add", f"s{n}@ordinary.test")
        ours.kill9() if n % 2 else ours.stop()
        ours.start()
    h.equal(len(entries(ours)), 5, "entries")
    send(ours, *[f"s{n}@ordinary.test" for n in range(5)], test_id="kept")
    for n in range(5):
        settled(ours, f"s{n}@ordinary.test", "suppressed")
    ours.wait_empty()
    balanced(ours)
    ours.stop()


def test_settings():
    """`oiwake check` refuses causes that say nothing of an address, with file and line"""
    ours, net = up(start=False)
    text = ours.config.text
    for cause, words in (("filtered after 3 in 1d", "never suppresses"), ("blocked", "never suppresses"),
                         ("nonsense", "no such reason"), ("mailboxfull", "after"),
                         ("mailboxfull after 0 in 1d", "number"), ("userunknown for", "time"),
                         ("userunknown soon", "unexpected")):
        ours.config.text = text + f'suppression {{\n\tcauses = {{ "{cause}" }}\n}}\n'
        ours.config.save()
        told = ours.cli("check", status=1)
        line = ours.config.text.count("\n") - 1
        h.check(f"oiwake.conf:{line}: causes: " in told.stderr + told.stdout and
                words in told.stderr + told.stdout, f"{cause}: {told.stderr}{told.stdout}")


if __name__ == "__main__":
    h.main()
