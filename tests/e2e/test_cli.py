"""The command line: statuses, JSON keys that people build on, and starts that must fail.

time limit: 180 s
"""

import json
import os
import re
import socket
import sqlite3

import harness as h
from oiwake import PASSWORD, ROUTES, USER, Config, Oiwake, Sandbox

EXPLAIN_KEYS = ["action", "address", "carrier", "fallback", "file", "group", "line", "near", "notes",
                "path", "pool", "rule", "transactional"]
STATS_KEYS = {"accepted", "sent", "delivered", "bounced", "filtered", "deferred", "expired",
              "complained", "suppressed", "queued", "delivery_rate", "low", "high"}


def plain():
    """A configuration that is right, and no daemon."""
    return Oiwake(Config(Sandbox(keep=False)), start=False)


def test_usage():
    """Wrong usage is status 2 with a line that helps; help is status 0"""
    ours = plain()
    for words in (["what"], ["explain"], ["stats", "--nothing"], ["queue"], ["queue", "show"],
                  ["user", "add"], ["check", "too", "many"], [], ["rules"], ["rules", "show"],
                  ["rules", "show", "x"], ["rules", "rollback", "0"], ["rules", "rollback", "1", "2"],
                  ["rules", "history", "x"], ["rules", "history", "--limit", "0"],
                  ["rules", "diff"], ["rules", "diff", "x", "--since", "soon"],
                  ["rules", "diff", "x", "--since", "1h", "--against", "y"],
                  ["rules", "diff", "x", "--write"], ["rules", "fmt"],
                  ["rules", "fmt", "--write", "-"], ["rules", "fmt", "--write", "--check", "x"],
                  ["explain", "--tag", "x", "a@b.test"], ["explain", "--tag", "a=b,c", "a@b.test"],
                  ["explain", "--size", "big", "a@b.test"],
                  ["explain", "--size", "99999999999GB", "a@b.test"],
                  ["explain", *["--tag", "a=b"] * 65, "a@b.test"]):
        done = h.run([h.OIWAKE, *words], status=None, env={"OIWAKE_CONF": ours.config.path})
        h.equal(done.returncode, 2, f"status of oiwake {' '.join(words)}")
        h.check(done.stderr.strip(), f"oiwake {' '.join(words)} says nothing")
    for words in (["help"], ["check", "--help"], ["queue", "--help"],
                  ["rules", "--help"], ["help", "rules"]):
        h.check(h.run([h.OIWAKE, *words]).stdout.strip(), f"oiwake {' '.join(words)} says nothing")


def test_check():
    """check: 0 for good, 1 with every mistake as file:line, one run"""
    ours = plain()
    ours.cli("check")
    h.equal(ours.json("check")[0]["ok"], True, "ok")
    config = ours.config
    broken = config.text.replace("log-level = info", "log-level = loud\nno-such-key = 1").replace(
        "port = ", "port = 99999\n\tpool = nowhere\n#", 1)
    config.write("broken.conf", broken, 0o600)
    done = h.run([h.OIWAKE, "check", "-c", os.path.join(config.top, "broken.conf")], status=1)
    for word in ("log-level", "no-such-key", "port"):
        h.check(re.search(rf"broken\.conf:\d+: .*{word}", done.stderr),
                f"nothing on {word}: {done.stderr}")
    config.write_rules(ROUTES + "route wrong to carrier docono via mta\nexpect a@b.test via mta\n")
    done = ours.cli("check", status=1)
    h.check(re.search(r"oiwake\.rules:\d+(:\d+)?: .*docono", done.stderr), done.stderr)
    h.run([h.OIWAKE, "check", "-c", os.path.join(config.top, "absent.conf")], status=1)


def test_check_rules():
    """check RULES: the shipped rules are good, and mistakes are told whole, without keys or a daemon"""
    conf = os.path.join(h.ROOT, "conf")
    settings = os.path.join(conf, "oiwake.conf")
    shipped = os.path.join(conf, "oiwake.rules")
    done = h.run([h.OIWAKE, "check", "-c", settings, shipped])
    h.check(done.stdout.startswith("ok: 2 rules"), done.stdout)
    h.equal(done.stderr, "", "warnings about the shipped rules")
    h.run([h.OIWAKE, "rules", "fmt", "--check", shipped, os.path.join(conf, "carriers.rules")])
    path = os.path.join(h.work.path, "r")
    with open(path, "w", encoding="utf-8") as f:
        f.write("carrier docomo docomo.ne.jp\n"
                "route keitai to carrier docmo via mta\n"
                "route qa to /(x/ discard\n"
                "route default any via sess\n"
                "expect a@docomo.ne.jp via mta\n")
    done = h.run([h.OIWAKE, "check", "-c", settings, path], status=1)
    h.equal(done.stderr, (
        f"{path}:3:16: bad pattern: missing closing parenthesis\n"
        "    route qa to /(x/ discard\n"
        "                   ^\n"
        f"{path}:2:25: unknown carrier 'docmo', did you mean 'docomo'?\n"
        "    route keitai to carrier docmo via mta\n"
        "                            ^\n"
        f"{path}:4:23: unknown path 'sess', did you mean 'ses'?\n"
        "    route default any via sess\n"
        "                          ^\n"), "the report")


def test_secrets():
    """A key that others can read is refused, and the password is in no output"""
    ours = plain()
    os.chmod(os.path.join(ours.config.top, "dkim.pem"), 0o644)
    done = ours.cli("check", status=1)
    h.check("dkim.pem" in done.stderr, done.stderr)
    os.chmod(os.path.join(ours.config.top, "dkim.pem"), 0o600)
    os.chmod(os.path.join(ours.config.top, "ses-password"), 0o644)
    done = ours.cli("check", status=1)
    h.check("ses-password" in done.stderr and "sandbox-password" not in done.stderr, done.stderr)


def test_explain():
    """explain --json has the promised keys, and says what docomo.co.jp is"""
    ours = plain()
    rows = ours.json("explain", "taro@docomo.ne.jp", "info@docomo.co.jp", "a..b@ezweb.ne.jp",
                     "x@sub.biz.au.com", "y@gmail.com")
    for row in rows:
        h.equal(sorted(row), EXPLAIN_KEYS, f"keys for {row['address']}")
    docomo, corporate, au, biz, gmail = rows
    h.equal((docomo["carrier"], docomo["path"], docomo["rule"], docomo["pool"]),
            ("docomo", "mta", "keitai", "keitai"), "taro@docomo.ne.jp")
    h.equal((corporate["carrier"], corporate["path"]), (None, "ses"), "info@docomo.co.jp")
    h.check("corporate" in " ".join(corporate["notes"]), f"notes: {corporate['notes']}")
    h.equal((au["carrier"], biz["carrier"]), ("au", "au"), "au")
    h.equal((gmail["carrier"], gmail["path"], gmail["rule"]), (None, "ses", "default"), "gmail")
    h.check("docomo" in ours.cli("explain", "taro@docomo.ne.jp").stdout, "text of explain")
    ours.cli("explain", "not an address", status=None)


def test_queue():
    """queue: list, show, retry, delete, each counted"""
    net = Sandbox(keep=False)
    # What a session has in hand is not deleted: nobody is tried again by himself.
    shapes = "".join(f"shape domain {d} retry 1h\n" for d in ("docomo.ne.jp", "ordinary.test"))
    ours = Oiwake(Config(net, routes=ROUTES, shapes=shapes))
    net.control("set docomo mood tempmail")
    net.control("set ordinary mood tempmail")
    with h.smtp(ours.port("relay")) as s:
        s.sendmail("info@news.test", ["a@docomo.ne.jp", "b@docomo.ne.jp", "c@ordinary.test"],
                   h.message())
        s.sendmail("other@second.test", ["d@ordinary.test"], h.message())
    ours.log.wait(lambda _: len({e["to"] for e in ours.log.events("deferred")}) == 4,
                  "four deferrals")
    rows = ours.json("queue list")
    h.equal(sorted(r["to"] for r in rows), ["a@docomo.ne.jp", "b@docomo.ne.jp", "c@ordinary.test",
                                           "d@ordinary.test"], "list")
    for row in rows:
        missing = {"id", "from", "to", "path", "carrier", "rule", "state", "due", "attempts",
                   "last"} - set(row)
        h.check(not missing, f"keys missing: {missing}")
    h.equal(len(ours.json("queue list", "--domain", "docomo.ne.jp")), 2, "by domain")
    h.equal(len(ours.json("queue list", "--carrier", "docomo")), 2, "by carrier")
    h.equal(len(ours.json("queue list", "--sender", "second.test")), 1, "by sender")
    h.equal(len(ours.json("queue list", "--to", "a@docomo.ne.jp")), 1, "by recipient")
    h.equal(len(ours.json("queue list", "--limit", "3")), 3, "limited")
    one = next(r for r in rows if r["to"] == "a@docomo.ne.jp")
    h.check("a@docomo.ne.jp" in ours.cli("queue show", one["id"]).stdout, "show")
    h.check("451" in ours.cli("queue show", one["id"]).stdout, "show without the last reply")
    ours.cli("queue show", "0000000000000", status=1)
    ours.cli("queue delete", one["id"])
    ours.cli("queue delete", "--domain", "second.test", status=1)
    ours.cli("queue delete", "--sender", "second.test")
    h.equal(sorted(r["to"] for r in ours.json("queue list")),
            ["b@docomo.ne.jp", "c@ordinary.test"], "after deletion")
    h.equal(ours.total("removed"), 2, "removed")
    ours.cli("queue delete", status=2)
    net.control("set docomo mood normal")
    net.control("set ordinary mood normal")
    ours.cli("queue retry", "--all", status=None)
    ours.wait_empty()
    h.equal(sorted(r["to"] for _, r in net.journal.recipients()),
            ["b@docomo.ne.jp", "c@ordinary.test"], "delivered")
    h.equal(ours.json("queue list"), [], "empty list")
    ours.stop()


def test_stats_keys():
    """stats --json has the promised keys; an unknown dimension is refused"""
    net = Sandbox(keep=False)
    ours = Oiwake(Config(net))
    with h.smtp(ours.port("relay")) as s:
        s.sendmail("info@news.test", ["a@docomo.ne.jp", "b@example.com"], h.message())
    ours.wait_empty()
    rows = ours.stats("path", "carrier", "sender", "source", "rule")
    h.equal(len(rows), 2, "rows")
    for row in rows:
        missing = (STATS_KEYS | {"path", "carrier", "sender", "source", "rule"}) - set(row)
        h.check(not missing, f"keys missing: {missing}")
    by_path = {r["path"]: r for r in ours.stats("path")}
    h.equal((by_path["mta"]["sent"], by_path["mta"]["delivered"]), (1, 1), "mta: 250 is delivered")
    h.equal((by_path["ses"]["sent"], by_path["ses"]["delivered"]), (1, 0), "ses: sent alone")
    h.check(ours.cli("stats", "--by", "colour", status=None).returncode in (1, 2), "by colour")
    ours.stop()


def test_users():
    """user: add, check, list, remove; the running daemon notices"""
    net = Sandbox(keep=False)
    ours = Oiwake(Config(net))
    ours.add_user()
    ours.cli("user add", "second", input=b"another password\n")
    h.equal(ours.cli("user list").stdout.split(), [USER, "second"], "list")
    h.equal([r["user"] for r in ours.json("user list")], [USER, "second"], "list --json")
    ours.cli("user check", USER, input=(PASSWORD + "\n").encode())
    ours.cli("user check", USER, input=b"wrong\n", status=1)
    with open(os.path.join(ours.config.top, "users")) as f:
        text = f.read()
    h.check(re.search(rf"^{USER}:\$y\$", text, re.M) and PASSWORD not in text, "hashes")

    def may(user, password):
        try:
            with h.smtp(ours.port("submission"), tls=True, user=user, password=password):
                return True
        except h.smtplib.SMTPAuthenticationError:
            return False
    h.check(may(USER, PASSWORD) and may("second", "another password"), "both may")
    ours.cli("user remove", "second")
    h.check(not may("second", "another password"), "removed, and still let in")
    ours.cli("user remove", "second", status=1)
    ours.stop()


def test_reload():
    """reload: new rules hold for what is queued; broken ones are refused and the old stay"""
    net = Sandbox(keep=False)
    ours = Oiwake(Config(net, routes="route all to any via mta\n"))
    net.control("set ordinary mood tempmail")
    with h.smtp(ours.port("relay")) as s:
        s.sendmail("info@news.test", ["queued@example.com"], h.message())
    ours.log.wait(lambda _: ours.attempts("deferred", "queued@example.com"), "a deferral")
    ours.config.write_rules("route broken to nobody via nothing\n")
    done = ours.cli("reload", status=1)
    h.check("oiwake.rules:" in done.stderr, done.stderr)
    ours.config.write_rules("route odd to any and local-part irregular via mta\n"
                            "route all to any via ses\n")
    ours.cli("reload")
    ours.cli("queue retry", "--all", status=None)
    h.equal(net.journal.wait_delivered("queued@example.com")[0]["host"], "ses", "host")
    ours.wait_empty()
    rows = {r["path"]: r for r in ours.stats("path")}
    h.equal((rows["ses"]["accepted"], rows["ses"]["sent"]), (1, 1), "counted under the new path")
    h.equal(rows.get("mta", {"accepted": 0})["accepted"], 0, "accepted under the old path")
    ours.stop()


def start_fails(ours, word):
    """serve must end with status 1 and one clear line with this word in it."""
    ours.launch()
    ours.process.killed = True
    h.wait_until(lambda: not ours.process.running(), "oiwake ends")
    said = ours.process.stderr()
    h.equal(ours.process.popen.returncode, 1, f"status ({said})")
    h.check(word in said, f"no word on {word!r}: {said!r}")
    return said


def test_starts_that_must_fail():
    """Port in use, newer or corrupt store, second daemon, bad settings: one line, status 1"""
    net = Sandbox(keep=False)
    ours = Oiwake(Config(net))
    port = ours.port("relay")
    second = Oiwake(Config(net, name="second", state=ours.config.state), start=False)
    start_fails(second, "state")
    ours.cli("stats")
    ours.stop()
    with socket.create_server(("127.0.0.1", port)):
        h.equal(len(start_fails(ours, str(port)).strip().splitlines()), 1, "lines")
    good = ours.config.text
    ours.config.text = good.replace("hostname = ", "hostnam = ", 1)
    ours.config.save()
    start_fails(ours, "oiwake.conf:1")
    with socket.create_server(("127.0.0.1", port)):
        pass  # nothing was bound before all was right
    ours.config.text = good
    ours.config.save()
    if ours.config.store:
        return  # tests/e2e/test_store_postgres.py
    store = os.path.join(ours.config.state, "oiwake.db")
    with sqlite3.connect(store) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute("PRAGMA user_version = 9999")
    db.close()
    start_fails(ours, "9999" if version else "newer")
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(store + suffix):
            os.unlink(store + suffix)
    with open(store, "wb") as f:
        f.write(b"this is no database " * 500)
    start_fails(ours, "oiwake.db")


def test_no_daemon():
    """Without a daemon, what asks it says so and ends with status 1"""
    ours = plain()
    for command in ("stats", "queue list", "reload"):
        done = ours.cli(command, status=1)
        h.equal(len(done.stderr.strip().splitlines()), 1, f"lines of {command}")


def test_admin_socket():
    """Garbage on the admin socket never ends the daemon"""
    net = Sandbox(keep=False)
    ours = Oiwake(Config(net))
    for data in (b"\x00" * 1000, b"GET / HTTP/1.1\r\n\r\n", b"GET /v1/stats?by=%00 HTTP/1.1\r\n\r\n",
                 b"POST /v1/queue/delete HTTP/1.1\r\nContent-Length: 5\r\n\r\n{\"a\":",
                 b"POST /v1/queue/delete HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
                 b"GET /v1/queue/" + b"A" * 100000 + b" HTTP/1.1\r\n\r\n",
                 b"DELETE /v1/stats HTTP/1.1\r\n\r\n"):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(2)
            s.connect(ours.config.socket)
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                s.recv(65536)
            except (OSError, socket.timeout):
                pass
    h.equal(os.stat(ours.config.socket).st_mode & 0o777, 0o660, "mode of the socket")
    h.check(json.dumps(ours.stats("path")) == "[]", "stats afterwards")
    ours.stop()


if __name__ == "__main__":
    h.main()
