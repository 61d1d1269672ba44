"""DKIM from the key to the verifier: awkward messages through the daemon, judged by dkimpy,
opendkim-testmsg and Mail::DKIM; keys, records and rotation by `oiwake dkim`.

time limit: 240 s
"""

import os
import re

import harness as h
import signature
from oiwake import DKIM_DOMAIN, ZONE, Config, Oiwake, Sandbox

ROUTES = "route everything to any via mta\n"
UNFIT = "shape path mta unfit send"  # what intake would refuse is to be signed, too
SECTION = 'dkim "{domain}" {{\n\tselector = "{selector}"\n\tkey = "{file}"\n\tstate = {state}\n}}\n'
HEAD = ("From: \"Ma \" <info@news.test>\r\nTo: a@ordinary.test\r\nSubject: x\r\n"
        "Date: Sun, 22 Nov 2026 10:00:00 +0900\r\nMessage-ID: <{name}@news.test>\r\n"
        "X-Test-Id: {name}\r\n")

# Single fields twice: RFC 5322 3.6 forbids it, and opendkim-testmsg refuses it whoever signed.
FORBIDDEN = "duplicates"

# name, what stands between HEAD and the empty line, body. None: no empty line either.
MESSAGES = (
    ("plain", b"", b"hello\r\n"),
    ("empty-body", b"", b""),
    ("no-separator", b"", None),
    ("blank-lines-at-end", b"", b"x\r\n\r\n\r\n\r\n"),
    ("only-blank-lines", b"", b"\r\n\r\n\r\n"),
    ("lone-dots", b"", b".\r\n..\r\n...\r\n.x\r\n\r\n.\r\n"),
    ("blanks", b"", b"  a \t b  \r\n\t\r\n \r\nend \r\n \r\n"),
    ("blank-line-first", b"", b"\r\n\r\nx\r\n"),
    ("8bit", b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
     b"Content-Transfer-Encoding: 8bit\r\n", "日本語の本文\r\n".encode() + b"\xff\xfe\x80\r\n"),
    ("iso-2022-jp", b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=ISO-2022-JP\r\n"
     b"Content-Transfer-Encoding: 7bit\r\nComments: \x1b$B$3$s$K$A$O\x1b(B\r\n",
     b"\x1b$B$3$s$K$A$O\x1b(B\r\n\x1b$BD9$$J8\x1b(B ..\r\n"),
    ("shift-jis", b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=Shift_JIS\r\n",
     "表示 ソース\r\n".encode("shift_jis")),
    ("long-line", b"", b"x" * 998 + b"\r\n" + b"y " * 498 + b"\r\n"),
    ("long-header", b"References: " + b"".join(
        b"<%040d@news.test>\r\n\t" % n for n in range(60)) + b"<end@news.test>\r\n", b"x\r\n"),
    ("long-unfolded", b"List-Unsubscribe: <https://news.test/" + b"u" * 900 + b">\r\n", b"x\r\n"),
    ("many-recipients", b"Cc: " + b",\r\n ".join(
        b'"=?utf-8?B?5pel5pys?=" <c%d@ordinary.test>' % n for n in range(80)) + b"\r\n", b"x\r\n"),
    ("several-of-a-field", b"Content-Type: text/plain\r\nContent-Type: text/html\r\n"
     b"List-Unsubscribe: <a>\r\nList-Unsubscribe: <b>\r\nList-Help: <mailto:c@news.test>\r\n",
     b"x\r\n"),
    (FORBIDDEN, b"Subject: second\r\nTo: b@ordinary.test\r\nCc: c@ordinary.test\r\n"
     b"Cc: d@ordinary.test\r\n", b"x\r\n"),
    ("odd-fields", b"SENDER:info@news.test\r\nreply-TO:\t  a@news.test  \r\nCc:\r\nX-Empty:\r\n"
     b"In-Reply-To: <a@b>\r\n \t\r\n <c@d>\r\n", b"x\r\n"),
    ("list", b"List-Id: News <news.news.test>\r\nList-Unsubscribe: <https://news.test/u>\r\n"
     b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nFeedback-ID: 1:2:3:news\r\n"
     b"X-SES-CONFIGURATION-SET: none\r\nX-Oiwake-Tags: kind=news\r\n"
     b"Authentication-Results: other.test; none\r\nReturn-Path: <a@b>\r\n", b"x\r\n"),
    ("multipart", b"MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary=\"b\"\r\n",
     b"--b\r\n\r\nx\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>x\r\n--b--\r\n\r\nepilogue"
     b"\r\n\r\n"),
    ("five-megabytes", b"", (b"0123456789 " * 88 + b"\r\n") * 5400),
)

OVERSIGNED = ("from", "sender", "reply-to", "to", "cc", "subject", "date", "message-id",
              "mime-version", "content-type", "content-transfer-encoding")
NEVER = ("x-ses-configuration-set", "x-oiwake-tags", "received", "return-path", "dkim-signature",
         "authentication-results", "x-test-id", "comments")


def message(name, more, body):
    data = HEAD.format(name=name).encode() + more
    return data if body is None else data + b"\r\n" + body


def keygen(config, domain, selector, *args, state="active"):
    """A key, its section in the settings; what keygen --json says."""
    path = os.path.join(config.top, f"{selector}.{domain}.pem")
    made = Oiwake(config, start=False).json("dkim keygen", domain, selector, "--out", path, *args)[0]
    config.text += SECTION.format(domain=domain, selector=selector, file=path, state=state)
    config.save()
    return made


def record_line(key):
    return f'{key["name"]} TXT "{key["record"]}"'


def double():
    """(ours, net, keys, zone): a daemon that signs with RSA and with Ed25519."""
    net = Sandbox()
    config = Config(net, routes=ROUTES, shapes=UNFIT, dkim=False)
    keys = [keygen(config, DKIM_DOMAIN, "r1"),
            keygen(config, DKIM_DOMAIN, "e1", "--type", "ed25519")]
    for key in keys:
        net.control("zone " + record_line(key))
    return Oiwake(config), net, keys, [*ZONE, *map(record_line, keys)]


def send(ours, name, data, sender="info@news.test"):
    with h.smtp(ours.port("relay")) as s:
        s.sendmail(sender, ["a@ordinary.test"], data, ["BODY=8BITMIME"])


def arrived(net, name):
    return net.message_bytes(net.journal.wait_delivered(test_id=name, limit=2 * h.PATIENCE)[0])


def alone(data):
    """The message once for each of its signatures, with no other one: (field, data)."""
    fields, rest = signature.split(data)
    return [(field, field + rest) for field in fields]


def names(field):
    return signature.tag(field, "h").lower().split(":")


def check_fields(name, data):
    """What is in h= of a signature: all of it, and once more than it occurs."""
    fields, rest = signature.split(data)
    header = rest.split(b"\r\n\r\n")[0].decode("latin-1") + "\r\n"
    there = [n.lower() for n in re.findall(r"^([^\s:]+)\s*:", header, re.M)]
    for field in fields:
        signed = names(field)
        for n in OVERSIGNED:
            h.equal(signed.count(n), there.count(n) + 1, f"{name}: {n} in h=")
        for n in ("in-reply-to", "references", *(n for n in there if n.startswith("list-"))):
            h.equal(signed.count(n), there.count(n), f"{name}: {n} in h=")
        h.equal([n for n in signed if n in NEVER], [], f"{name}: fields that change")
        h.equal(signature.tag(field, "d"), DKIM_DOMAIN, f"{name}: d=")
        h.check(signature.tag(field, "l") is None, f"{name}: has l=")


def judge(net, zone, arrivals):
    """Every signature alone before every verifier; arrivals: [(name, bytes)]."""
    single = [(name, field, data) for name, whole in arrivals for field, data in alone(whole)]
    seen = {}

    def count(verifier, field):
        key = verifier, signature.tag(field, "a")
        seen[key] = seen.get(key, 0) + 1
    for name, field, data in single:
        h.equal(signature.dkimpy(net, data), "", f"dkimpy on {name}, {signature.tag(field, 'a')}")
        count("dkimpy", field)
    said = signature.testmsgs(zone, [data for _, _, data in single])
    for (name, field, _), text in zip(single, said):
        if name == FORBIDDEN:
            h.check("Syntax error" in text, f"opendkim-testmsg on {name}: {text}")
            continue
        h.equal(text, "", f"opendkim-testmsg on {name}, {signature.tag(field, 'a')}")
        count("opendkim-testmsg", field)
    blind = 0
    for (name, field, _), rows in zip(single, signature.mail_dkim(net, [d for _, _, d in single])):
        if signature.tag(field, "a") == "ed25519-sha256" and (
                not rows or rows[0]["result"] == "invalid"):
            blind += 1
            continue
        h.equal([row["result"] for row in rows], ["pass"],
                f"Mail::DKIM on {name}, {signature.tag(field, 'a')}: {rows}")
        count("Mail::DKIM", field)
    h.note("signatures good: " + ", ".join(
        f"{n} of {a} by {v}" for (v, a), n in sorted(seen.items())))
    if blind:
        h.note(f"this Mail::DKIM knows no Ed25519: {blind} such signatures not judged by it")
    return seen


def test_awkward_messages():
    """Both signatures of every awkward message verify with dkimpy, opendkim-testmsg and Mail::DKIM"""
    ours, net, _, zone = double()
    arrivals = []
    for name, more, body in MESSAGES:
        data = message(name, more, body)
        send(ours, name, data)
        got = arrived(net, name)
        h.equal([signature.tag(f, "a") for f in signature.split(got)[0]],
                ["rsa-sha256", "ed25519-sha256"], f"signatures of {name}")
        check_fields(name, got)
        if body is not None:
            h.check(got.endswith(b"\r\n\r\n" + body), f"{name}: the body has changed")
        arrivals.append((name, got))
    seen = judge(net, zone, arrivals)
    for who, less in ((("dkimpy", "rsa-sha256"), 0), (("dkimpy", "ed25519-sha256"), 0),
                      (("opendkim-testmsg", "rsa-sha256"), 1),
                      (("opendkim-testmsg", "ed25519-sha256"), 1), (("Mail::DKIM", "rsa-sha256"), 0)):
        h.equal(seen.get(who), len(MESSAGES) - less, f"judged by {who}")
    ours.wait_empty()
    ours.stop()


def test_additions_break_the_signature():
    """A field that readers believe, added on the way, breaks both signatures for all verifiers"""
    ours, net, _, zone = double()
    send(ours, "added", message("added", b"", b"x\r\n"))
    data = arrived(net, "added")
    h.equal(signature.dkimpy(net, data), "", "dkimpy before")
    fields, rest = signature.split(data)
    bad = []
    for name in OVERSIGNED:
        for field in fields:
            bad.append((name, field + f"{name.title()}: forger@example.net\r\n".encode() + rest))
    for (name, data), text, rows in zip(
            bad, signature.testmsgs(zone, [d for _, d in bad]),
            signature.mail_dkim(net, [d for _, d in bad])):
        h.check(signature.dkimpy(net, data) != "", f"dkimpy takes another {name}")
        h.check(text != "", f"opendkim-testmsg takes another {name}")
        h.check("pass" not in [r["result"] for r in rows], f"Mail::DKIM takes another {name}")
    ours.stop()


def test_signed_by_its_author():
    """A signature that the message came with stays as it is and still verifies, beside ours"""
    ours, net, _, zone = double()
    dkim = signature.import_dkimpy()
    key = keygen(Config(net, name="application", dkim=False), DKIM_DOMAIN, "app")
    net.control("zone " + record_line(key))
    with open(key["file"], "rb") as f:
        pem = f.read()
    for how in (b"simple", b"relaxed"):
        name = "came-signed-" + how.decode()
        data = message(name, b"MIME-Version: 1.0\r\n", b"one  two \r\n\r\n\r\n")
        theirs = dkim.sign(data, b"app", DKIM_DOMAIN.encode(), pem, canonicalize=(how, how))
        send(ours, name, theirs + data)
        got = arrived(net, name)
        fields = signature.split(got)[0]
        h.equal([signature.tag(f, "s") for f in fields], ["r1", "e1", "app"], "signatures")
        h.equal(fields[2], theirs, "their signature")
        h.equal(signature.dkimpy(net, got), "", "dkimpy on all three together")
        whole = signature.mail_dkim(net, [got])[0]
        h.equal([r["s"] for r in whole if r["result"] == "pass" and r["a"] == "rsa-sha256"],
                ["r1", "app"], f"good for Mail::DKIM in the whole message: {whole}")
        judge(net, [*zone, record_line(key)], [(name, got)])
    ours.stop()


def test_what_cannot_be_signed_goes_unsigned():
    """A header that runs into the body is not signed, is said in the log, and goes out all the same"""
    ours, net, _, _ = double()
    send(ours, "runs-on", message("runs-on", b"this is no field\r\n", b"x\r\n"))
    data = arrived(net, "runs-on")
    h.equal(signature.split(data)[0], [], "signatures")
    ours.log.wait(lambda _: len(ours.log.events("dkim")) >= 2, "both are said not to be made")
    ours.stop()


def test_other_domains():
    """The key is that of the header From: its own domain's or the nearest parent's, never another's"""
    net = Sandbox()
    config = Config(net, routes=ROUTES, dkim=False)
    keys = {k["domain"]: k for k in (
        keygen(config, DKIM_DOMAIN, "s1"), keygen(config, "own.news.test", "s2"),
        keygen(config, DKIM_DOMAIN, "s3", "--type", "ed25519", state="standby"))}
    h.equal(len(keys), 2, "domains")
    ours = Oiwake(config)
    for number, (sender, want) in enumerate((
            ("info@news.test", [("news.test", "s1")]), ("info@NEWS.test", [("news.test", "s1")]),
            ("info@deep.er.news.test", [("news.test", "s1")]),
            ("info@own.news.test", [("own.news.test", "s2")]),
            ("info@a.own.news.test", [("own.news.test", "s2")]),
            ("info@oldnews.test", []), ("info@test", []))):
        name = f"from-{number}"
        with h.smtp(ours.port("relay")) as s:
            s.sendmail("bounce@news.test", ["a@ordinary.test"], h.message(
                sender=sender, test_id=name))
        fields = signature.split(arrived(net, name))[0]
        h.equal([(signature.tag(f, "d"), signature.tag(f, "s")) for f in fields], want,
                f"signatures of {sender}")
    ours.stop()


# -- the command -------------------------------------------------------------------------------

def test_keygen():
    """keygen writes a key that only its owner can read, never over anything, and says what to do"""
    config = Config(None, dkim=False)
    ours = Oiwake(config, start=False)
    path = os.path.join(config.top, "new.pem")
    said = ours.cli("dkim keygen", "New.Test", "S1", "--out", path).stdout
    h.equal(os.stat(path).st_mode & 0o7777, 0o600, "mode of the key")
    h.check(f'dkim "new.test" {{\n\tselector = "s1"\n\tkey      = "{path}"\n\tstate    = standby\n}}'
            in said, said)
    strings = re.search(r'^s1\._domainkey\.new\.test\. IN TXT((?: "[^"]*")+)$', said, re.M)
    h.check(strings, f"no record: {said}")
    pieces = re.findall(r'"([^"]*)"', strings.group(1))
    h.check(len(pieces) == 2 and len(pieces[0]) == 255, f"strings of {[len(p) for p in pieces]}")
    public = h.run(["openssl", "pkey", "-in", path, "-pubout"]).stdout
    h.equal("".join(pieces), "v=DKIM1; k=rsa; p=" + "".join(
        l for l in public.splitlines() if "-----" not in l), "record")
    h.check("2048 bit" in h.run(["openssl", "pkey", "-in", path, "-noout", "-text"]).stdout, "bits")
    h.check("PRIVATE" not in said, "the private key was printed")
    with open(path, "rb") as f:
        before = f.read()
    again = ours.cli("dkim keygen", "new.test", "s1", "--out", path, status=1)
    h.check("is there already" in again.stderr, again.stderr)
    link = os.path.join(config.top, "link.pem")
    os.symlink(os.path.join(config.top, "elsewhere"), link)
    ours.cli("dkim keygen", "new.test", "s1", "--out", link, status=1)
    h.check(not os.path.exists(os.path.join(config.top, "elsewhere")), "a link was followed")
    with open(path, "rb") as f:
        h.equal(f.read(), before, "key after the refusal")
    small = ours.json("dkim keygen", "new.test", "s2", "--bits", "1024", "--out", path + "2")[0]
    h.equal((small["type"], small["bits"], small["file"]), ("rsa", 1024, path + "2"), "JSON")
    for args in (("new.test",), ("new.test", "a b"), ("new.test", "s", "--type", "dsa"),
                 ("new.test", "s", "--bits", "512"), ("new.test", "s", "--bits", "20000"),
                 ("new.test", "s", "--bits", "2048", "--type", "ed25519"), ("a\nb", "s")):
        ours.cli("dkim keygen", *args, status=2)


def test_record():
    """record prints what keygen printed, of every key of the settings, standby ones too"""
    config = Config(None, dkim=False)
    ours = Oiwake(config, start=False)
    h.check("no section 'dkim'" in ours.cli("dkim record", status=1).stderr, "no keys")
    keys = [keygen(config, "news.test", "a"), keygen(config, "news.test", "b", state="standby"),
            keygen(config, "other.test", "c", "--type", "ed25519")]
    rows = ours.json("dkim record")
    for key, row, state in zip(keys, rows, ("active", "standby", "active")):
        h.equal(row, {**{k: v for k, v in key.items() if k != "file"}, "state": state}, "row")
    h.equal(len(rows), 3, "rows")
    h.equal([r["selector"] for r in ours.json("dkim record", "NEWS.test")], ["a", "b"], "of a domain")
    text = ours.cli("dkim record", "other.test").stdout
    h.equal(text, f'c._domainkey.other.test. IN TXT "{keys[2]["record"]}"\n', "zone line")
    h.check("no key of 'x.test'" in ours.cli("dkim record", "x.test", status=1).stderr, "unknown")
    os.chmod(keys[0]["file"], 0o644)
    bad = ours.cli("dkim record", status=1)
    h.check("others have access" in bad.stderr and "b._domainkey" in bad.stdout, bad.stderr)


def public(key):
    return key["record"].split("p=")[1]


def test_test():
    """test finds each fault of a published record; only active keys make it fail"""
    net = Sandbox()
    config = Config(net, dkim=False)
    ours = Oiwake(config, start=False)
    key = keygen(config, "news.test", "s1")
    keygen(config, "news.test", "next", "--type", "ed25519", state="standby")
    other = keygen(Config(net, name="other", dkim=False), "news.test", "s1")
    good, p = key["record"], public(key)
    cases = (
        ("missing", ()), ("good", (good,)), ("good", (f"p={p}",)),
        ("good", (f"v=DKIM1; t=s; k=rsa; s=email; h=sha256; p={p};",)),
        ("revoked", ("v=DKIM1; k=rsa; p=",)), ("other key", (other["record"],)),
        ("several", (good, "v=DKIM1; p=")), ("weak", (f"v=DKIM1; t=y; p={p}",)),
        ("invalid", (good.replace("=DKIM1", "=DKIM2"),)), ("invalid", ("v=DKIM1; k=rsa",)),
        ("invalid", (good[:-20],)), ("invalid", (f"v=DKIM1; k=ed25519; p={p}",)),
        ("invalid", (f"v=DKIM1; h=sha1; p={p}",)), ("invalid", (f"v=DKIM1; s=tlsrpt; p={p}",)),
        ("invalid", (f"k=rsa; v=DKIM1; p={p}",)), ("invalid", ("v=spf1 -all",)),
    )
    for want, records in cases:
        net.control("unzone " + key["name"])
        for record in records:
            net.control(f'zone {key["name"]} TXT "{record}"')
        status = 0 if want in ("good", "weak") else 1
        row, standby = ours.json("dkim test", status=status)
        h.equal((row["result"], row["state"]), (want, "active"), f"result for {records}: {row['why']}")
        h.equal((standby["result"], standby["state"]), ("missing", "standby"), "the standby key")
        text = ours.cli("dkim test", status=status).stdout
        h.check(want in text, f"{want} is not in: {text}")
        h.equal("To be published" in text and "s1._domainkey.news.test. IN TXT" in text,
                status == 1, f"advice for {records}: {text}")
    net.control(f"unzone {key['name']}")
    net.control(f"zone {key['name']} SERVFAIL -")
    h.equal(ours.json("dkim test", status=1)[0]["result"], "unknown", "when DNS fails")


def test_weak_key():
    """A key of 1024 bits works, and is said to be weak"""
    net = Sandbox()
    config = Config(net, dkim=False)
    key = keygen(config, "news.test", "small", "--bits", "1024")
    net.control("zone " + record_line(key))
    row = Oiwake(config, start=False).json("dkim test")[0]
    h.equal((row["result"], row["bits"]), ("weak", 1024), row["why"])


def test_rotation():
    """A key goes from standby to active by a reload; what the old one signed still verifies"""
    net = Sandbox()
    config = Config(net, routes=ROUTES, dkim=False)
    old = keygen(config, DKIM_DOMAIN, "old")
    new = keygen(config, DKIM_DOMAIN, "new", state="standby")
    for key in (old, new):
        net.control("zone " + record_line(key))
    ours = Oiwake(config)
    h.equal([r["result"] for r in ours.json("dkim test")], ["good", "good"], "records")
    send(ours, "before", message("before", b"", b"x\r\n"))
    before = arrived(net, "before")
    config.text = config.text.replace("state = active", "state = gone").replace(
        "state = standby", "state = active").replace("state = gone", "state = standby")
    config.save()
    ours.cli("reload")
    send(ours, "after", message("after", b"", b"x\r\n"))
    after = arrived(net, "after")
    for data, selector in ((before, "old"), (after, "new")):
        fields = signature.split(data)[0]
        h.equal([signature.tag(f, "s") for f in fields], [selector], "signed by")
        h.equal(signature.dkimpy(net, data), "", "dkimpy says")
    ours.stop()


if __name__ == "__main__":
    h.main()
