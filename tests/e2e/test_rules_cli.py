"""The operator's side of the rules: diff, reload, history, rollback, fmt, explain.

time limit: 300 s
"""

import json
import os
import re
import stat
import subprocess

import harness as h
from oiwake import PASSWORD, ROUTES, USER, Config, Oiwake, Sandbox

PARTNER = ROUTES.replace("route default", "route partner to domain example.com via mta\nroute default")
WILD = 'include "more/*.rules"\n'


def up(routes=ROUTES, folder=None):
    """Both started; with a folder of rules, empty."""
    net = Sandbox(keep=False)
    config = Config(net, routes=routes)
    if folder:
        config.make(folder)
    return Oiwake(config), net


def rules_file(ours):
    return os.path.join(ours.config.top, "oiwake.rules")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def new_rules(ours, routes, name="new.rules"):
    """A file of rules beside the one in force, which stays as it is."""
    path = rules_file(ours)
    before = read(path)
    ours.config.write_rules(routes)
    text = read(path)
    ours.config.write("oiwake.rules", before)
    return ours.config.write(name, text)


def history(ours):
    return ours.json("rules history")


def running(ours):
    """The number of the set that is marked as running; kept soon after it is in force."""
    rows = h.wait_until(lambda: [r["number"] for r in history(ours) if r["running"]],
                        "the running set in the history")
    h.equal(len(rows), 1, "sets marked as running")
    return rows[0]


def put_in_force(ours, routes):
    ours.config.write_rules(routes)
    ours.cli("reload")
    return running(ours)


def send(ours, to, sender="info@news.test", headers=(), **how):
    with h.smtp(ours.port("relay"), **how) as s:
        s.sendmail(sender, to, h.message(headers=headers))


def me():
    return h.run(["id", "-un"]).stdout.strip()


# -- the whole way: diff, reload, history, rollback ---------------------------------------------

def test_the_whole_way():
    """An edit: diff shows it, reload applies it to new and queued mail, rollback restores it"""
    ours, net = up()
    send(ours, ["a@example.com", "b@example.com", "c@example.com", "d@example.com", "x@gmail.com",
                "taro@docomo.ne.jp"])
    ours.wait_empty()
    first = read(rules_file(ours))
    h.equal(running(ours), 1, "running at first")
    h.equal([(r["number"], r["who"]) for r in history(ours)], [(1, "start")], "history at first")

    new = new_rules(ours, PARTNER)
    *rows, last = ours.json("rules diff", new)
    h.equal(len(rows), 1, "rows")
    row, total = rows[0], last["total"]
    h.equal((row["from"]["rule"], row["from"]["path"], row["to"]["rule"], row["to"]["path"]),
            ("default", "ses", "partner", "mta"), "from and to")
    h.equal((row["count"], row["carrier"], row["domain"]), (4, None, "example.com"), "row")
    h.equal(row["samples"], ["a@example.com", "b@example.com", "c@example.com"], "samples")
    h.equal([total[k] for k in ("recipients", "messages", "moved", "other_path")], [6, 1, 4, 4],
            "total")
    text = ours.cli("rules diff", new).stdout
    for pattern in (r"6 recipients of 1 message since 20", r"4 move \(66\.67 %\), 4 of them",
                    r"default/ses +-> +partner/mta +4 +- +example\.com +a@example\.com, b@",
                    r"the record begins only at 20"):
        h.check(re.search(pattern, text), f"no {pattern!r} in: {text}")
    ours.cli("rules diff", new, "--expect-none", status=1)
    same = ours.cli("rules diff", rules_file(ours), "--expect-none")
    h.check("nothing moves" in same.stdout, same.stdout)
    h.equal(read(rules_file(ours)), first, "rules after diff")
    h.equal(running(ours), 1, "running after diff")

    for mood in ("ses mood tempmail", "ordinary mood tempmail"):
        net.control("set " + mood)
    send(ours, ["queued@example.com"])
    ours.log.wait(lambda _: ours.attempts("deferred", "queued@example.com"), "a deferral")
    with h.smtp(ours.port("relay")) as s:
        h.equal(s.mail("info@news.test")[0], 250, "MAIL before the reload")
        ours.config.write_rules(PARTNER)
        ours.cli("reload")
        for mood in ("ses mood normal", "ordinary mood normal"):
            net.control("set " + mood)
        h.equal(s.rcpt("new@example.com")[0], 250, "RCPT after the reload")
        h.equal(s.data(h.message())[0], 250, "DATA after the reload")
    ours.cli("queue retry", "--all", status=None)
    ours.wait_empty()
    for address in ("queued@example.com", "new@example.com"):
        host = net.journal.wait_delivered(address)[0]["host"]
        h.check(host != "ses", f"{address} went to {host}")
    h.equal(running(ours), 2, "running after the reload")
    rows = history(ours)
    h.equal([(r["number"], r["who"], r["running"]) for r in rows],
            [(2, f"{me()} by reload", True), (1, "start", False)], "history after the reload")
    text = ours.cli("rules history").stdout
    h.check(re.search(rf"^\* +2 +20\S+Z +{rows[0]['version']} .*by reload$", text, re.M), text)
    h.equal(len(ours.json("rules history", "--limit", "1")), 1, "history --limit 1")

    done = ours.cli("rules rollback", "1")
    h.check(f"restored {rules_file(ours)}" in done.stdout and "rule set 1 is in force" in
            done.stdout, done.stdout)
    h.equal(read(rules_file(ours)), first, "rules after the rollback")
    rows = history(ours)
    h.equal([(r["number"], r["who"], r["running"]) for r in rows][:2],
            [(3, f"{me()} by rollback to 1", True), (2, f"{me()} by reload", False)],
            "history after the rollback")
    h.equal(rows[0]["version"], rows[2]["version"], "version")
    send(ours, ["again@example.com"])
    h.equal(net.journal.wait_delivered("again@example.com")[0]["host"], "ses", "host")
    again = ours.cli("rules rollback", "1")
    h.check("restored" not in again.stdout, again.stdout)
    h.equal(len(history(ours)), 3, "sets after a rollback to what is in force")
    ours.wait_empty()
    ours.stop()


def test_diff_pages():
    """diff: all of the record, page by page, large messages counted as one"""
    ours, _ = up(routes="route all to any discard\n")
    with h.smtp(ours.port("relay")) as s:
        for n in range(600):
            s.sendmail("info@news.test", [f"u{n}@d{n % 60}.test"], h.message())
        s.sendmail("info@news.test", [f"m{n}@many.test" for n in range(250)], h.message())
    new = new_rules(ours, "route some to domain many.test .d1.test d7.test hold\n"
                    "route all to any discard\n")
    *rows, last = ours.json("rules diff", new)
    h.equal([(r["domain"], r["count"], r["to"]["action"]) for r in rows],
            [("many.test", 250, "hold"), ("d7.test", 10, "hold")], "rows, most first")
    h.equal([last["total"][k] for k in ("recipients", "messages", "moved")], [850, 601, 260],
            "total")
    everything = new_rules(ours, "route other to any discard\n", "other.rules")
    text = ours.cli("rules diff", everything).stdout
    h.equal(len(re.findall(r"^all/discard", text, re.M)), 50, "rows shown")
    h.check(re.search(r"\.\.\. and 110 recipients in 11 more rows", text), text)
    h.check("850 move (100.00 %), 0 of them to another path" in text, text)
    none = ours.json("rules diff", "--since", "1ms", everything)
    h.equal(none[-1]["total"]["recipients"], 0, "recipients of the last ms")
    ours.stop()


def test_diff_sees_all_of_a_message():
    """diff: sender, user, listener, tags, size and header From are those of the real mail"""
    ours, _ = up(routes="route all to any discard\n")
    ours.add_user()
    send(ours, ["a@x.test"], headers=("X-Oiwake-Tags: kind=news, list=7",))
    send(ours, ["b@x.test"], sender="other@second.test")
    with h.smtp(ours.port("submission"), tls=True, user=USER, password=PASSWORD) as s:
        s.sendmail("info@news.test", ["c@x.test"], h.message())
        s.sendmail("info@news.test", ["d@x.test"], h.message(body="x" * 70 + "\r\n" * 400))
        s.sendmail("info@news.test", ["a..b@x.test"], h.message(sender="a@head.test"))
    conditions = {"tag kind=news": "a@x.test", "from second.test": "b@x.test",
                  "listener submission and size < 700 and not local-part irregular": "c@x.test",
                  "size > 700": "d@x.test", "header-from head.test": "a..b@x.test",
                  f"user {USER} and local-part irregular": "a..b@x.test"}
    for condition, address in conditions.items():
        new = new_rules(ours, f"route some {condition} hold\nroute all to any discard\n")
        rows = ours.json("rules diff", new)[:-1]
        h.equal([r["samples"] for r in rows], [[address]], condition)
    ours.stop()


def test_diff_what_moves():
    """diff: a pool, fallback, quoting or rule of another name moves; what the path has does not"""
    ours, _ = up(routes="route all to any via mta\n")
    send(ours, ["a@docomo.ne.jp"])
    ours.wait_empty(limit=60)

    def diff(routes):
        return ours.json("rules diff", new_rules(ours, routes))[:-1]
    for routes in ("route all to any via mta\n", "route all to any via mta pool keitai\n",
                   "route all any via mta\n", "route all to any via mta fallback none\n",
                   "route two to x.test hold\nroute all to any via mta\n"):
        h.equal(diff(routes), [], routes)
    for routes, key, value in (
            ("route all to any via mta fallback hold\n", "fallback", "hold"),
            ("route all to any via mta raw\n", "local_part", "raw"),
            ("route all to any reject \"no\"\n", "action", "reject"),
            ("route one to any via mta\n", "rule", "one")):
        rows = diff(routes)
        h.equal([(r["to"][key], r["count"], r["carrier"]) for r in rows], [(value, 1, "docomo")],
                routes)
    text = ours.cli("rules diff", new_rules(ours, "route all to any via mta fallback hold\n")).stdout
    h.check("all/mta fallback none" in text and "all/mta fallback hold" in text, text)
    ours.stop()


# -- diff against a list ------------------------------------------------------------------------

def test_diff_against():
    """diff --against: addresses and pairs, with and without a daemon"""
    ours, _ = up()
    new = new_rules(ours, ROUTES.replace(
        "route default", "route two from second.test hold\nroute odd to any and local-part "
        "irregular via mta\nroute default"))
    listed = ours.config.write("listed", "# comment\n\na@example.com\r\n  b@second.test "
                               "c@example.com # sender first\n<> taro@DOCOMO.ne.jp\n"
                               "a..b@example.com\n\"a..c\"@example.com")
    want = [("two", 1, ["c@example.com"]), ("odd", 2, ["a..b@example.com", "a..c@example.com"])]

    def diff(*args, status=0):
        *rows, last = ours.json("rules diff", new, "--against", listed, *args, status=status)
        h.equal(sorted((r["to"]["rule"], r["count"], r["samples"]) for r in rows), sorted(want),
                "rows")
        h.equal([last["total"][k] for k in ("recipients", "moved", "since")], [5, 3, None], "total")
    diff()
    diff("--expect-none", status=1)
    with open(listed, "rb") as f:
        done = ours.cli("rules diff", new, "--against", "-", input=f.read())
    h.check("5 recipients listed" in done.stdout, done.stdout)
    # The daemon's rules are what counts, not what stands in the file meanwhile.
    before = read(rules_file(ours))
    ours.config.write("oiwake.rules", read(new))
    diff()
    ours.config.write("oiwake.rules", before)
    ours.stop()
    diff()
    done = ours.cli("rules diff", new, "--against", listed)
    h.check(re.search(r"no daemon answers: compared with .*/oiwake\.rules", done.stderr),
            done.stderr)
    ours.cli("rules diff", new, status=1)


def test_diff_against_bad_lines():
    """diff --against: every bad line is named, and nothing else is printed"""
    ours = Oiwake(Config(Sandbox(keep=False)), start=False)
    lines = ["good@example.com", "no address", "a@b.test c@d.test e@f.test", "x" * 5000,
             "a\0b@example.com", "@example.com", "a@b@", "caf\u00e9@\u202eexample.com"]
    listed = ours.config.write("listed", "\n".join(lines) + "\n")
    done = ours.cli("rules diff", rules_file(ours), "--against", listed, status=1)
    h.equal(done.stdout, "", "output")
    for number in range(2, 8):
        h.check(f"listed:{number}: " in done.stderr, f"line {number}: {done.stderr}")
    h.check("listed:1:" not in done.stderr, done.stderr)
    h.check("\u202e" not in done.stderr, "a sign that turns direction is printed")
    listed = ours.config.write("listed", "bad\n" * 1000)
    done = ours.cli("rules diff", rules_file(ours), "--against", listed, status=1)
    h.check(len(done.stderr.splitlines()) < 30 and "and 980 more bad lines" in done.stderr,
            done.stderr[-500:])
    for name in (ours.config.top, "/no/such/file"):
        ours.cli("rules diff", rules_file(ours), "--against", name, status=1)


def hostile_files(ours):
    """Files that are no rules, with a word of what must be said of each."""
    top = ours.config.top
    fifo, huge, nul = (os.path.join(top, n) for n in ("fifo", "huge", "nul"))
    os.mkfifo(fifo)
    with open(huge, "wb") as f:
        f.truncate(1 << 30)
    with open(nul, "wb") as f:
        f.write(b"route all to any via mta\n" + b"\0" * 100000)
    files = {fifo: "not a regular file", huge: "larger than 16 MB", nul: "nul", top: "regular",
             "/no/such": "No such file", ours.config.write("latin", "x"): "expected"}
    with open(os.path.join(top, "latin"), "wb") as f:
        f.write(b"# caf\xe9\nroute all to any via mta\n")
    files[os.path.join(top, "latin")] = "UTF-8"
    return files


def test_hostile_files():
    """diff, fmt and explain --rules: FIFO, 1 GB, NULs, a folder, Latin-1: an error, at once"""
    ours, _ = up()
    listed = ours.config.write("listed", "a@example.com\n")
    for name, word in hostile_files(ours).items():
        for command in (["rules diff", name], ["rules diff", name, "--against", listed],
                        ["rules fmt", name], ["rules fmt", "--write", name],
                        ["explain", "--rules", name, "a@b.test"]):
            done = ours.cli(*command, status=1)
            h.equal(done.stdout, "", f"output of {command}")
            h.check(word.lower() in done.stderr.lower(), f"{command}: {done.stderr[:500]}")
            h.check(len(done.stderr) < 5000, f"{command}: {len(done.stderr)} bytes of errors")
    h.equal(os.stat(os.path.join(ours.config.top, "huge")).st_size, 1 << 30, "size")
    done = ours.cli("rules fmt", "-", input=b"\0" * (17 << 20), status=1)
    h.check("larger than 16 MB" in done.stderr, done.stderr)
    if os.geteuid() != 0:
        ours.config.write("secret", "route all to any via mta\n", 0)
        for command in ("rules diff", "rules fmt"):
            done = ours.cli(command, os.path.join(ours.config.top, "secret"), status=1)
            h.check("Permission denied" in done.stderr, done.stderr)
    ours.stop()


# -- history and show ---------------------------------------------------------------------------

def test_show():
    """show: the text byte for byte, a file of several, the running set"""
    ours, _ = up(WILD + ROUTES, folder="more")
    extra = ours.config.write("more/10-extra.rules", "# \u8ffd\u5206\nroute extra to x.test hold")
    ours.cli("reload")
    h.equal(running(ours), 2, "running")
    names = [r["name"] for r in ours.json("rules show", "2")]
    h.equal((names[0], names[-1]), (rules_file(ours), extra), "names")
    shown = ours.cli("rules show", "2").stdout
    h.check(shown == "".join(f"# --- {n}\n{read(n)}" for n in names) + "\n", f"show 2: {shown}")
    for name in (extra, "more/10-extra.rules"):
        h.equal(ours.cli("rules show", "2", "--file", name).stdout, read(extra) + "\n", "one file")
    h.equal([r["text"] for r in ours.json("rules show", "2", "--file", extra)], [read(extra)],
            "text as JSON")
    h.check(ours.cli("rules show running").stdout == shown, "show running is not show 2")
    h.check("10-extra" not in ours.cli("rules show", "1").stdout, "show 1")
    ours.cli("rules show", "2", "--file", "nothing", status=1)
    for number in ("3", "9223372036854775807"):
        done = ours.cli("rules show", number, status=1)
        h.check("no such rule set" in done.stderr, done.stderr)
    row = history(ours)[0]
    h.equal((row["files"], row["bytes"]), (len(names), sum(len(read(n).encode()) for n in names)),
            "files and bytes")
    ours.stop()


def test_large_set():
    """show, diff, rollback: a set of 9 MB, a third of it line ends"""
    parts = "".join(f'include "part{n}.rules"\n' for n in range(3))
    ours, _ = up()
    for n in range(3):
        ours.config.write(f"part{n}.rules", '#"\n' * (4 << 18) + "# end\n")
    put_in_force(ours, parts + ROUTES)
    h.equal(len(ours.cli("rules show", "2", "--file", "part1.rules").stdout), (3 << 20) + 6, "length")
    ours.cli("rules diff", rules_file(ours), "--expect-none")
    ours.cli("rules rollback", "1")
    ours.cli("rules rollback", "2")
    h.equal(running(ours), 4, "running")
    ours.stop()


# -- rollback -----------------------------------------------------------------------------------

def test_rollback_twice_at_once():
    """Rollbacks at once: one after the other or refused; disk and daemon agree in the end"""
    ours, _ = up()
    for n in range(2, 5):
        put_in_force(ours, ROUTES.replace("route own", f"route own{n}"))
    versions = {r["number"]: r["version"] for r in history(ours)}
    for attempt in range(5):
        at_once = [subprocess.Popen(
            [h.OIWAKE, "rules", "rollback", str(number), "-c", ours.config.path],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for number in (1, 2, 3)]
        ended = [(p.args[3], p.communicate(), p.returncode) for p in at_once]
        for number, (_, err), status in ended:
            h.check(status == 0 and not err or status == 1 and "another rollback is at work" in err,
                    f"rollback {number}: {status} {err}")
        h.check(any(status == 0 for _, _, status in ended), f"none of {ended}")
        number = running(ours)
        row = next(r for r in history(ours) if r["number"] == number)
        h.check(row["version"] in (versions[1], versions[2], versions[3]), f"runs {row}")
        h.equal(ours.json("check")[0]["version"], row["version"], "version on disk")
        h.check(f"by rollback to" in row["who"], row["who"])
    h.equal([n for n in os.listdir(ours.config.top) if n.startswith(".")], [], "files left")
    ours.stop()


def test_rollback_keeps_edits():
    """An edit that never was in force is kept beside, and not found by wildcards"""
    ours, _ = up(WILD + ROUTES, folder="more")
    extra = ours.config.write("more/a.rules", "route extra to x.test hold\n", 0o640)
    ours.cli("reload")
    for n, suffix in enumerate(("", "-2", "-3")):
        put_in_force(ours, WILD + "route more to more.test hold\n" + ROUTES)
        edit = f"route edited{n} to edited.test hold\n"
        ours.config.write("more/a.rules", edit, 0o640)
        done = ours.cli("rules rollback", "2")
        kept = extra + ".before-rollback" + suffix
        h.check(kept in done.stdout, done.stdout)
        h.equal((read(kept), read(extra)), (edit, "route extra to x.test hold\n"), "texts")
        h.equal([stat.S_IMODE(os.stat(f).st_mode) for f in (kept, extra)], [0o640] * 2, "modes")
    h.check(not os.path.exists(rules_file(ours) + ".before-rollback"), "copy of an applied file")
    row = ours.json("rules rollback", "1", status=1)
    h.equal(row, [], "output of a refused rollback")
    os.unlink(extra)
    row = ours.json("rules rollback", "2")[0]
    h.equal((row["ok"], row["written"], row["kept"]), (True, [extra], []), "a file that was gone")
    h.equal(read(extra), "route extra to x.test hold\n", "a file that was gone")
    ours.stop()


def unchanged(ours, number, *words):
    """A rollback that is refused, with these words, and changes nothing."""
    files = {}
    for folder, _, names in os.walk(ours.config.top):
        for name in names:
            if ".rules" in name:
                path = os.path.join(folder, name)
                files[path] = (read(path), os.stat(path).st_mode)
    before = running(ours)
    done = ours.cli("rules rollback", number, status=1)
    for word in words:
        h.check(word in done.stderr, f"no {word!r}: {done.stderr}")
    h.equal(done.stdout, "", "output")
    for path, was in files.items():
        h.equal((read(path), os.stat(path).st_mode), was, path)
    h.equal(sorted(files), sorted(os.path.join(f, n) for f, _, ns in os.walk(ours.config.top)
                                  for n in ns if ".rules" in n), "files")
    h.equal(running(ours), before, "running")


def foreign_file(include):
    ours, _ = up(include + ROUTES, folder="more")
    foreign = ours.config.write("more/foreign.rules", "route extra to x.test hold\n")
    put_in_force(ours, WILD + PARTNER)
    unchanged(ours, "1", foreign, "is not of rule set 1")
    os.rename(foreign, foreign + ".off")
    ours.cli("rules rollback", "1")
    h.equal(running(ours), 3, "running")
    ours.stop()


def test_rollback_foreign_file():
    """A file that a wildcard finds and the set had not: refused by its name"""
    foreign_file(WILD)


def test_rollback_foreign_file_found_late():
    """The same where only reading the rules shows it: the files are put back"""
    foreign_file('include \\\n  "more/*.rules"\n')


def test_rollback_outside():
    """A file elsewhere is written only where the rules on disk include it"""
    elsewhere = h.work.write("elsewhere.rules", "route extra to x.test hold\n")
    include = f'include "{elsewhere}"\n'
    ours, _ = up(include + ROUTES)
    put_in_force(ours, ROUTES)
    h.work.write("elsewhere.rules", "route other to x.test hold\n")
    unchanged(ours, "1", elsewhere, "nothing is changed")
    h.equal(read(elsewhere), "route other to x.test hold\n", "the file elsewhere")
    put_in_force(ours, include + ROUTES)
    done = ours.cli("rules rollback", "1")
    h.check(f"restored {elsewhere}" in done.stdout, done.stdout)
    h.equal(read(elsewhere), "route extra to x.test hold\n", "the file elsewhere")
    ours.stop()


def test_rollback_refused():
    """A set that does not load any more, or that the daemon refuses: all stays as it was"""
    # The settings lose a path that set 1 names.
    net = Sandbox(keep=False)
    config = Config(net, name="second", routes=ROUTES)
    config.text += 'path "extra" {\n\ttype = mta\n\tpool = keitai\n\tpreflight = off\n}\n'
    config.save()
    ours = Oiwake(config, start=False)
    config.write_rules("route old to any via extra\n")
    ours.start()
    put_in_force(ours, ROUTES)
    config.text = config.text.replace('path "extra"', 'path "renamed"')
    config.save()
    unchanged(ours, "1", "unknown path 'extra'", "does not load with the present settings")
    unchanged(ours, "7", "no such rule set")
    # The daemon refuses for a reason that only it looks at.
    put_in_force(ours, PARTNER)
    os.chmod(os.path.join(config.top, "dkim.pem"), 0o644)
    unchanged(ours, "2", "dkim.pem", "the daemon refused to reload", "the files are as they were")
    config.write("oiwake.rules", read(rules_file(ours)) + "# an edit\n")
    unchanged(ours, "2", "the files are as they were")
    os.chmod(os.path.join(config.top, "dkim.pem"), 0o600)
    # What stands in the place of a file.
    os.rename(rules_file(ours), rules_file(ours) + "-aside")
    os.mkfifo(rules_file(ours))
    done = ours.cli("rules rollback", "2", status=1)
    h.check("not a regular file" in done.stderr, done.stderr)
    os.unlink(rules_file(ours))
    os.symlink("oiwake.rules-aside", rules_file(ours))
    ours.cli("rules rollback", "2")
    h.check(os.path.islink(rules_file(ours)), "the symbolic link is gone")
    h.equal(read(rules_file(ours) + "-aside").count("route own"), 1, "what the link names")
    ours.stop()
    ours.cli("rules rollback", "2", status=1)


def test_rollback_elsewhere():
    """The settings have moved to another folder: files are written there"""
    ours, _ = up(WILD + ROUTES, folder="more")
    ours.config.write("more/a.rules", "route extra to x.test hold\n")
    ours.cli("reload")
    ours.stop()
    old = ours.config.top
    new = old + "-moved"
    os.rename(old, new)
    text = read(os.path.join(new, "oiwake.conf")).replace(old, new)
    ours.config.top, ours.config.text = new, text
    ours.config.path = os.path.join(new, "oiwake.conf")
    ours.config.socket = os.path.join(new, "admin.sock")
    h.need(len(ours.config.socket) < 108, "the folder's name is too long for a socket")
    ours.config.save()
    ours.config.write("more/a.rules", "route other to x.test hold\n")
    ours.log = h.LogLines(os.path.join(new, "oiwake.log"))
    ours.start()
    ours.cli("rules rollback", "2")
    h.equal(read(os.path.join(new, "more/a.rules")), "route extra to x.test hold\n", "text")
    h.check(not os.path.exists(old), "the old folder is back")
    ours.stop()


# -- fmt ----------------------------------------------------------------------------------------

MESSY = 'route   a to x.test via mta # one\nroute longer   to y.test   via   mta\nroute z any via mta\n'


def test_fmt():
    """fmt: prints, checks, writes; what it has written it does not change again"""
    ours = Oiwake(Config(Sandbox(keep=False)), start=False)
    path = ours.config.write("messy.rules", MESSY, 0o640)
    formatted = ours.cli("rules fmt", path).stdout
    h.check(formatted != MESSY and "# one" in formatted and "longer" in formatted, formatted)
    h.equal(read(path), MESSY, "the file after printing")
    h.equal(ours.cli("rules fmt", "-", input=MESSY.encode()).stdout, formatted, "standard input")
    done = ours.cli("rules fmt", "--check", path, status=1)
    h.check(path in done.stderr and not done.stdout, done.stderr)
    h.equal(ours.json("rules fmt", "--check", path, status=1), [{"file": path, "canonical": False}],
            "--check --json")
    link = os.path.join(ours.config.top, "link.rules")
    os.symlink("messy.rules", link)
    ours.cli("rules fmt", "--write", link)
    h.equal(read(path), formatted, "what was written")
    h.check(os.path.islink(link), "the symbolic link is gone")
    h.equal(stat.S_IMODE(os.stat(path).st_mode), 0o640, "mode")
    number = os.stat(path).st_ino
    ours.cli("rules fmt", "--check", path)
    ours.cli("rules fmt", "--write", path)
    h.equal(os.stat(path).st_ino, number, "the file was written for nothing")
    other = ours.config.write("other.rules", MESSY)
    done = ours.cli("rules fmt", "--check", path, other, status=1)
    h.check(other in done.stderr and path not in done.stderr, done.stderr)
    broken = ours.config.write("broken.rules", 'route a to x.test reject "no\n')
    done = ours.cli("rules fmt", broken, status=1)
    h.check(re.search(r"broken\.rules:1:\d+: ", done.stderr) and not done.stdout, done.stderr)
    h.equal(sorted(n for n in os.listdir(ours.config.top) if n.startswith(".")), [], "files left")


# -- explain and check --------------------------------------------------------------------------

ASKING = """\
route bulk     tag kind=news and to carrier docomo   via mta fallback hold
route big      size > 1MB                            reject "too large for us"
route staff    user app                              hold
route door     listener inbound                      discard
route head     header-from head.test                 via mta raw
route both     from news.test                        via mta 50% ses 50%  fallback ses
route keitai   to carrier *                          via mta
route own      to ordinary.test                      via mta
route pin      from otp@news2.test                   via ses transactional
route default  to any                                via ses
"""


def test_explain():
    """explain: every condition can be asked for, near misses say why not, JSON has it all"""
    ours = Oiwake(Config(Sandbox(keep=False), routes=ASKING), start=False)

    def ask(address, *args):
        return ours.json("explain", *args, address)[0]
    for args, rule, action, path in (
            (("--tag", "x=y", "--tag", "kind=news"), "bulk", "via", "mta"),
            (("--tag", "kind=news", "--size", "2MB"), "bulk", "via", "mta"),
            (("--size", "2MB"), "big", "reject", "reject"),
            (("--size", "1024KB"), "keitai", "via", "mta"),
            (("--user", "app"), "staff", "hold", "hold"),
            (("--listener", "inbound"), "door", "discard", "discard"),
            (("--header-from", "HEAD.test"), "head", "via", "mta"),
            (("--from", "a@head.test"), "keitai", "via", "mta"),
            (("--from", "<>"), "keitai", "via", "mta"),
            ((), "keitai", "via", "mta")):
        row = ask("taro@docomo.ne.jp", *args)
        h.equal((row["rule"], row["action"], row["path"]), (rule, action, path), str(args))
    row = ask("taro@docomo.ne.jp", "--tag", "kind=news")
    h.equal((row["fallback"], row["near"], row["file"], row["line"]),
            ("hold", [], rules_file(ours), 2), "bulk")
    row = ask("taro@docomo.ne.jp", "--tag", "kind=old")
    near = {n["rule"]: n for n in row["near"]}
    h.check("bulk" in near, f"near: {row['near']}")
    h.equal((sorted(near["bulk"]), near["bulk"]["line"]), (["file", "line", "rule", "why"], 2),
            "keys of a near miss")
    h.check("kind=old" in near["bulk"]["why"], near["bulk"]["why"])
    text = ours.cli("explain", "taro@docomo.ne.jp", "--tag", "kind=old").stdout
    h.check(re.search(r"^  not +bulk \(\S+:2\): .*kind=old", text, re.M), text)
    text = ours.cli("explain", "taro@docomo.ne.jp", "--size", "2MB").stdout
    h.check('reject "too large for us"' in text and "shape" not in text, text)
    for address, args, transactional, told in (
            ("y@gmail.com", ("--from", "otp@news2.test"), True, True),
            ("y@gmail.com", ("--tag", "priority=transactional"), True, True),
            ("y@ordinary.test", ("--tag", "priority=transactional"), True, False),
            ("y@gmail.com", ("--user", "app", "--tag", "priority=transactional"), False, False),
            ("y@gmail.com", (), False, False)):
        row = ask(address, *args)
        h.equal(row["transactional"], transactional, f"{address} {args}")
        h.equal(any("goes first when the quota of path 'ses'" in n for n in row["notes"]), told,
                f"notes: {row['notes']}")
    text = ours.cli("explain", "y@gmail.com", "--from", "otp@news2.test").stdout
    h.check(re.search(r"^  path +ses, transactional$", text, re.M), text)
    irregular = ask("a..b@gmail.com", "--from", "info@news.test")
    h.equal((irregular["rule"], irregular["path"], irregular["fallback"]), ("both", "mta", None),
            "an irregular address in a split")
    h.check(any("passed over" in n for n in irregular["notes"]), f"notes: {irregular['notes']}")
    done = ours.cli("explain", "a@b.test", "--listener", "rely", status=1)
    h.check("unknown listener 'rely', did you mean 'relay'?" in done.stderr, done.stderr)
    for args in (("--header-from", "a@b.test"), ("--header-from", "a b"), ("--from", "a@"),
                 ("--rules", "/no/such/file")):
        ours.cli("explain", "a@b.test", *args, status=1)
    for args in (("--tag", b"kind=\xff"), ("--user", b"\xc3(")):
        h.run([h.OIWAKE, "explain", "-c", ours.config.path, *args, "a@b.test"], status=2)
    other = ours.config.write("other.rules", "route only to any via mta\n")
    h.equal(ask("taro@docomo.ne.jp", "--rules", other)["rule"], "only", "--rules")
    ours.config.write("oiwake.rules", "broken\n")
    h.equal(ask("taro@docomo.ne.jp", "--rules", other)["rule"], "only", "--rules, others broken")
    ours.cli("explain", "taro@docomo.ne.jp", status=1)


def test_warnings():
    """check and reload: warnings are printed, and are no failure"""
    ours, _ = up()
    ours.config.write_rules("route all to any via mta\nroute late to x.test via mta\n")
    done = ours.cli("check")
    h.check(re.search(r"oiwake\.rules:\d+:\d+: warning: .*'late'", done.stderr), done.stderr)
    row = ours.json("check")[0]
    h.check(row["ok"] and "'late'" in row["warnings"], f"{row}")
    done = ours.cli("reload")
    h.check("'late'" in done.stdout + done.stderr, done.stdout + done.stderr)
    done = ours.cli("rules diff", rules_file(ours))
    h.check("'late'" in done.stderr and "'late'" not in done.stdout, done.stderr)
    ours.config.write_rules(ROUTES)
    h.equal(ours.json("check")[0]["warnings"], "", "warnings of good rules")
    h.equal(ours.cli("check").stderr, "", "warnings of good rules")
    ours.stop()


if __name__ == "__main__":
    h.main()
