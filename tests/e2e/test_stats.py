"""Counters over any window, by any dimension, compared and live: stats, compare, top (time limit: 300 s)."""

import collections
import csv
import fcntl
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios

import harness as h
from oiwake import Config, Oiwake, Sandbox

ROUTES = """\
route odd to any and local-part irregular via mta
route compare to carrier docomo via mta 50% ses 50%
route keitai to carrier * via mta pool keitai
route own to domain ordinary.test second.test news.test via mta
route bulk to any and from domain bulk.test via ses configuration-set bulk
route default to any via ses
"""
BY = ("path", "carrier", "group", "sender", "source", "rule", "configuration-set")
COUNTERS = ("accepted", "sent", "delivered", "bounced", "filtered", "deferred", "expired", "complained",
            "suppressed", "removed", "unread", "returned", "attempted", "hard", "unknown_users", "exempt")
WINDOWS = ("1h", "24h", "7d", "90d", "1min", "2d12h")


def up(**config):
    net = Sandbox(keep=False)
    return Oiwake(Config(net, routes=ROUTES, ses="api", **config)), net


def send(ours, recipients, sender="info@news.test", each=20):
    with h.smtp(ours.port("relay")) as s:
        for i in range(0, len(recipients), each):
            s.sendmail(sender, recipients[i:i + each], h.message())


def rows(ours, *args, by="path"):
    return {tuple(r[k] for k in by.split(",")): r for r in ours.json("stats", "--by", by, *args)}


def wait_rows(ours, done, what):
    h.wait_until(lambda: done(rows(ours)), lambda: f"{what}: {rows(ours)}", limit=60, pause=0.1)


def all_settled(ours, unconfirmed=0):
    wait_rows(ours, lambda r: all(row["queued"] == 0 for row in r.values())
              and sum(row["unconfirmed"] for row in r.values()) == unconfirmed, "all is told of")


def total(found, key):
    return sum(r[key] for r in found.values())


def mixed_mail(ours):
    """Mail of two senders with every kind of end, on both paths; 22 recipients and more."""
    send(ours, [f"user{n}@ezweb.ne.jp" for n in range(5)]
         + ["unknown-1@ezweb.ne.jp", "full-1@ordinary.test", "spam-1@ordinary.test", "a@ordinary.test"])
    send(ours, [f"user{n}@example.com" for n in range(6)]
         + ["bounce-1@example.com", "complaint-1@example.com", "nothing-1@example.com",
            "suppressedglobal-1@example.com", "success@simulator.amazonses.com",
            "bounce@simulator.amazonses.com"], "shop@bulk.test")
    all_settled(ours, unconfirmed=1)


def test_windows():
    """The same mail over any window that holds it, as of all time; and of the last N messages"""
    ours, net = up()
    mixed_mail(ours)
    whole = rows(ours, by=",".join(BY))
    h.check(len(whole) >= 4, f"rows: {sorted(whole)}")
    for window in WINDOWS:
        part = rows(ours, "--window", window, by=",".join(BY))
        h.equal(sorted(part), sorted(whole), f"keys over {window}")
        for key, row in part.items():
            for c in (*COUNTERS, "unconfirmed", "delivery_rate", "low", "high"):
                h.equal(row[c], whole[key][c], f"{c} of {key} over {window}")
            for kind in ("bounce", "complaint", "unknown"):
                h.equal(row[kind], whole[key][kind], f"{kind} rate of {key} over {window}")
            h.equal(row["queued"], None, f"queued over {window}")
            h.equal([row[p] is not None for p in ("p50", "p95", "p99")], [row["delivered"] > 0] * 3,
                    f"times of {key} over {window}: {row}")
            if row["delivered"]:
                h.check(0 <= row["p50"] <= row["p95"] <= row["p99"] <= 600000, f"times of {key}: {row}")
    by_path = rows(ours)
    ses, mta = by_path[("ses",)], by_path[("mta",)]
    h.equal(ses["unconfirmed"], 1, "unconfirmed by ses")
    h.equal(mta["unconfirmed"], 0, "unconfirmed by mta")
    # Without the two to the simulator; the suppressed one is exempt of SES's rates.
    h.equal(ses["bounce"]["volume"], ses["sent"] - 2 - ses["exempt"], f"SES's volume: {ses}")
    h.equal((ses["complaint"]["hits"], ses["complained"]), (1, 1), "complaints")
    h.equal(mta["unknown"]["volume"], mta["attempted"], "a carrier's volume")
    h.check(mta["unknown"]["hits"] >= 1, f"unknown users: {mta}")
    # The latest messages lie in the newest minutes.
    everything = rows(ours, "--window", "last:1000000")
    h.equal(total(everything, "sent"), total(by_path, "sent"), "the last million")
    last = rows(ours, "--window", "last:1")
    h.check(1 <= total(last, "sent") <= total(by_path, "sent"), f"the last one: {last}")
    # A start later the same is told.
    ours.stop()
    ours.start()
    again = rows(ours, "--window", "1h", by=",".join(BY))
    for key, row in whole.items():
        h.equal([again[key][c] for c in COUNTERS], [row[c] for c in COUNTERS], f"{key} after a start")
    ours.stop()


def test_by_and_filters():
    """Each dimension adds up to the same; filters choose; /v1/series and /v1/reasons agree"""
    ours, net = up()
    mixed_mail(ours)
    whole = rows(ours, "--window", "1h")
    for by in BY:
        found = rows(ours, "--window", "1h", by=by)
        for c in COUNTERS:
            h.equal(total(found, c), total(whole, c), f"{c} by {by}")
    h.check(("bulk",) in rows(ours, by="configuration-set"), "configuration set")
    for window in ("all", "1h"):
        for option, name, by in (("--path", "ses", "path"), ("--carrier", "au", "carrier"),
                                 ("--sender", "bulk.test", "sender"), ("--rule", "own", "rule")):
            found = rows(ours, "--window", window, option, name, by=by)
            h.equal(sorted(found), [(name,)], f"{option} over {window}")
            h.equal(found[(name,)], rows(ours, "--window", window, by=by)[(name,)], f"row of {option}")
        h.equal(rows(ours, "--window", window, "--path", "nowhere"), {}, "an unknown path")
    get = api(ours)
    reasons = get("/v1/reasons?window=1h&by=path")["rows"]
    n = collections.Counter()
    for r in reasons:
        n[(r["path"], r["counter"])] += r["n"]
    for path in ("mta", "ses"):
        for c in ("bounced", "filtered"):
            h.equal(n[(path, c)], whole[(path,)][c], f"reasons of {c} by {path}: {reasons}")
    h.check(any(r["reason"] == "userunknown" for r in reasons), f"reasons: {reasons}")
    h.equal([r["n"] for r in reasons], sorted((r["n"] for r in reasons), reverse=True), "the most first")
    series = get("/v1/series?window=10min&step=minute&by=path")
    h.equal(len(series["periods"]), 11, "periods")
    for row in series["rows"]:
        for c in ("accepted", "sent", "delivered", "bounced", "filtered", "deferred", "complained", "hard",
                  "unknown", "attempted"):
            h.equal(len(row[c]), 11, f"{c} of {row['path']}")
            want = whole[(row["path"],)]["unknown_users" if c == "unknown" else c]
            h.equal(sum(row[c]), want, f"{c} of {row['path']} by the minute")
    for step, window in (("hour", "24h"), ("day", "30d")):
        series = get(f"/v1/series?window={window}&step={step}&by=sender")
        h.equal(sum(sum(r["sent"]) for r in series["rows"]), total(whole, "sent"), f"sent by the {step}")
    ours.stop()


def api(ours):
    def get(url, status=200):
        done = h.run(["curl", "-s", "-w", "\n%{http_code}", "--unix-socket", ours.config.socket,
                      "http://oiwake" + url])
        text, code = done.stdout.rsplit("\n", 1)
        h.equal(int(code), status, f"status of {url}: {text}")
        return json.loads(text)
    return get


def test_csv():
    """--csv is RFC 4180: a heading, all columns, the same figures as --json"""
    ours, net = up()
    mixed_mail(ours)
    by = "sender,path"
    for window in ("all", "1h"):
        text = ours.cli("stats --csv", "--by", by, "--window", window).stdout
        h.check(text.endswith("\r\n") and text.count("\n") == text.count("\r\n"), "line ends")
        lines = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        want = ours.json("stats", "--by", by, "--window", window)
        h.equal(len(lines), len(want), "lines")
        for line, row in zip(lines, want):
            h.equal([line[k] for k in ("path", "sender")], [row[k] for k in ("path", "sender")], "keys")
            flat = {**{c: row[c] for c in (*COUNTERS, "unconfirmed", "queued", "delivery_rate", "low", "high",
                                           "p50", "p95", "p99")},
                    **{f"{k}_{p}": row[k][p] for k in ("bounce", "complaint", "unknown")
                       for p in ("rate", "low", "high")}}
            h.equal(set(line), set(flat) | {"path", "sender"}, "columns")
            for key, value in flat.items():
                got = float(line[key]) if line[key] else None
                h.check(got == value or abs(got - value) < 1e-8, f"{key}: {line[key]!r}, {value!r}")
    ours.stop()


def test_table():
    """The table fits 100 columns; --wide has every counter"""
    ours, net = up()
    mixed_mail(ours)
    for args in ((), ("--window", "24h")):
        table = ours.cli("stats", *args).stdout.splitlines()
        h.check(max(map(len, table)) <= 100, "\n".join(table))
        h.equal(table[0].split()[:4], ["path", "carrier", "accepted", "sent"], "heading")
        h.check(any(l.startswith("total") for l in table), "\n".join(table))
    h.check(re.match(r"since \d{4}-\d\d-\d\dT\d\d:\d\dZ", table[-1]), table[-1])
    wide = ours.cli("stats --wide", "--window", "24h").stdout.splitlines()[0].split()
    h.equal(set(COUNTERS) - set(wide), {"unknown_users"}, "counters without a column")
    h.check({"unconfirmed", "bounce", "complaint", "unknown", "p50", "p95", "p99"} <= set(wide), wide)
    ours.stop()


def test_nothing_and_one():
    """No data and one message: no rate is made up, and one of one is no certainty"""
    ours, net = up()
    for window in ("all", "1h", "90d", "last:10"):
        h.equal(ours.json("stats", "--window", window), [], f"rows over {window}")
        h.check("total" in ours.cli("stats", "--window", window).stdout, "a table without rows")
    h.equal(len(ours.cli("stats --csv").stdout.splitlines()), 1, "CSV: the heading")
    h.equal(ours.json("compare"), [], "nothing to compare")
    h.check("nothing to compare" in ours.cli("compare").stdout, "in words")
    h.check("queued 0" in ours.cli("top --once").stdout, "top of nothing")
    get = api(ours)
    h.equal(get("/v1/series?window=1h")["rows"], [], "series")
    h.equal(get("/v1/reasons?window=1h")["rows"], [], "reasons")
    send(ours, ["user@ezweb.ne.jp"])
    all_settled(ours)
    row = rows(ours, "--window", "last:1")[("mta",)]
    h.equal((row["sent"], row["delivered"], row["delivery_rate"]), (1, 1, 1), "one of one")
    h.check(abs(row["low"] - 0.2065) < 1e-4 and row["high"] == 1, f"its interval: {row}")
    h.equal(row["p50"], row["p99"], "its time")
    send(ours, ["unknown-1@ezweb.ne.jp"])
    all_settled(ours)
    row = rows(ours, "--window", "1h")[("mta",)]
    h.equal((row["unknown"]["hits"], row["hard"], row["bounced"]), (1, 1, 1), f"one unknown: {row}")
    ours.stop()


def test_bad_arguments():
    """What cannot be asked is refused with a sentence"""
    ours, net = up()
    for words in (["stats", "--by", "colour"], ["stats", "--by", ""], ["stats", "--window", "soon"],
                  ["stats", "--window", "last:0"], ["stats", "--window", "1s"], ["stats", "--window", ""],
                  ["stats", "--window", "-1h"], ["stats", "extra"], ["stats", "--watch", "0"],
                  ["stats", "--watch", "often"], ["stats", "--watch", "1", "2"], ["stats", "--csv", "--json"],
                  ["stats", "--csv", "--watch"], ["stats", "--by"], ["compare", "a", "b"],
                  ["compare", "--window", "x"], ["compare", "--rule"], ["top", "x"], ["top", "0"],
                  ["top", "1", "2"], ["top", "--once", "1"], ["top", "--twice"]):
        done = h.run([h.OIWAKE, *words], status=2, env={"OIWAKE_CONF": ours.config.path})
        h.check(done.stderr.startswith("oiwake ") and done.stdout == "", f"{words}: {done.stderr}")
    get = api(ours)
    for url in ("/v1/stats?window=x", "/v1/stats?by=", "/v1/stats?by=path%2C", "/v1/series?step=week",
                "/v1/series?window=all", "/v1/series?window=last:5", "/v1/series?step=minute&window=3d",
                "/v1/series?step=hour&window=30d", "/v1/series?step=day&window=3650d", "/v1/series?limit=0",
                "/v1/series?limit=101", "/v1/reasons?limit=x", "/v1/reasons?limit=10001",
                "/v1/compare?window=%00", "/v1/compare?window=9999d"):
        h.check(get(url, 400)["error"], f"{url} says why")
    ours.stop()
    for words in ("stats", "stats --watch", "compare", "top --once", "top"):
        done = ours.cli(words, status=1)
        h.check("cannot reach the daemon" in done.stderr, f"{words} without a daemon: {done.stderr}")


# -- live ------------------------------------------------------------------------------------------


class Live:
    """A command that goes on, through a pipe or at a terminal of 24 lines of 80 characters."""

    def __init__(self, ours, *words, terminal=False):
        argv = [h.OIWAKE, words[0], "-c", ours.config.path, *words[1:]]
        if terminal:
            self.fd, far = pty.openpty()
            fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        else:
            self.fd, far = os.pipe()
        self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=far, stderr=subprocess.PIPE,
                                      preexec_fn=h.die_with_parent)
        os.close(far)
        os.set_blocking(self.fd, False)
        os.set_blocking(self.popen.stderr.fileno(), False)
        self.text, self.said = "", ""

    def read(self):
        try:
            while data := os.read(self.fd, 65536):
                self.text += data.decode()
        except (BlockingIOError, OSError):
            pass
        return self.text

    def complaints(self):
        self.said += (self.popen.stderr.read() or b"").decode()
        return self.said.count("cannot reach the daemon")

    def wait(self, condition, what):
        h.wait_until(lambda: condition(self.read()), lambda: f"{what}: {self.text[-3000:]}", pause=0.05)

    def end(self, number=signal.SIGINT, status=0):
        self.popen.send_signal(number)
        h.equal(self.popen.wait(h.PATIENCE), status, f"status after {number.name}")
        self.popen.stderr.close()
        os.close(self.fd)


def test_watch():
    """stats --watch: again and again through a pipe and at a terminal; SIGINT ends it well"""
    ours, net = up()
    pipe = Live(ours, "stats", "--by", "path", "--watch", "1")
    pipe.wait(lambda t: t.count("total") >= 2, "two tables")
    h.check("\033" not in pipe.text, "control sequences in a pipe")
    lines = Live(ours, "stats", "--by", "path", "--json", "--watch", "1", "--window", "1h")
    screen = Live(ours, "stats", "--watch", terminal=True)
    screen.wait(lambda t: "\033[H" in t and "total" in t, "a screen")
    send(ours, ["user@ezweb.ne.jp"])
    all_settled(ours)
    pipe.wait(lambda t: re.search(r"^mta +1 +1", t, re.M), "the new row")
    lines.wait(lambda t: t.count("\n") >= 2, "two rows")
    h.equal([json.loads(l)["path"] for l in lines.text.splitlines()][:2], ["mta", "mta"], "rows")
    screen.wait(lambda t: "au" in t.rsplit("\033[H", 1)[1], "the new row on the screen")
    h.check(all(len(re.sub(r"\033\[.", "", l).rstrip("\r")) <= 80 for l in screen.text.split("\n")),
            "lines as wide as the terminal")
    pipe.end()
    lines.end(signal.SIGTERM)
    # A daemon that is away for a while does not end it.
    ours.stop()
    h.wait_until(lambda: screen.complaints() >= 2, lambda: f"two complaints: {screen.said}")
    h.equal(screen.popen.poll(), None, "it goes on without a daemon")
    ours.start()
    before = len(screen.text)
    screen.wait(lambda t: "total" in t[before:], "a screen again")
    screen.end()
    ours.stop()


def test_top():
    """top: lanes, what is blocked and paused, the last replies, deliveries by the minute"""
    ours, net = up()
    net.control("set ordinary mood tempmail")
    ours.cli("pause group", "softbank", "--why", "their maintenance")
    send(ours, ["a@ordinary.test", "user@ezweb.ne.jp", "unknown-1@ezweb.ne.jp", "b@softbank.ne.jp"])
    ours.log.wait(lambda _: ours.attempts("deferred", "a@ordinary.test"), "a deferral")
    ours.log.wait(lambda _: ours.finals("user@ezweb.ne.jp"), "a delivery")
    ours.log.wait(lambda _: ours.finals("unknown-1@ezweb.ne.jp"), "a bounce")
    ours.all_told()
    screen = ours.cli("top --once").stdout
    for words in (r"queued [23]", r"delivered at", r"^mta( +\d+){9} ", r"stopped and watched",
                  r"^group +softbank +until resumed +their maintenance",
                  r"^path +source +group +waiting", r"^mta +tokyo1 +\S+ +\d+ +\d+ +\d+/\d+",
                  r"last replies", r"^again +\d\d:\d\d:\d\d +mta +tokyo1 +\S+ +a@ordinary\.test .*4\d\d",
                  r"^bounced +\d\d:\d\d:\d\d +mta +tokyo1 +kddi +unknown-1@ezweb\.ne\.jp .*550"):
        h.check(re.search(words, screen, re.M), f"'{words}' in {screen}")
    state = ours.json("top", "--once")
    h.equal(len(state), 1, "objects")
    state = state[0]
    h.check({"at", "queued", "lanes", "minutes", "paths", "pauses", "guard", "replies"} <= set(state), state.keys())
    replies = [(r["what"], r["to"]) for r in state["replies"]]
    for reply in (("again", "a@ordinary.test"), ("bounced", "unknown-1@ezweb.ne.jp")):
        h.check(reply in replies, f"{reply} in {replies}")
    h.equal(sum(sum(r["delivered"]) for r in state["paths"]), 1, "delivered")
    live = Live(ours, "top", "1", terminal=True)
    live.wait(lambda t: t.count("\033[H") >= 2 and "softbank" in t, "two screens")
    h.check(all(s.count("\n") <= 23 for s in live.text.split("\033[H")), "no taller than the terminal")
    live.end()
    piped = Live(ours, "top", "1", "--json")
    piped.wait(lambda t: t.count("\n") >= 2, "two objects")
    piped.end(signal.SIGTERM)
    net.control("set ordinary mood normal")
    ours.stop()


# -- comparison --------------------------------------------------------------------------------------


def test_compare():
    """compare: a split rule's two paths, as the journal has them, in words of two languages"""
    ours, net = up()
    # The mta path delivers all, SES loses a quarter of its half.
    send(ours, [f"user-{n}@docomo.ne.jp" for n in range(300)])
    all_settled(ours)
    sides = {m: len(net.journal.delivered(host=m)) for m in ("docomo", "ses")}
    lost, n = 0, 0
    while lost < sides["ses"] // 4:
        n += 1
        before = rows(ours)[("ses",)]["bounced"]
        send(ours, [f"bounce-{n}-{k}@docomo.ne.jp" for k in range(20)])
        all_settled(ours)
        lost += rows(ours)[("ses",)]["bounced"] - before
    ours.wait_empty()
    all_settled(ours)
    want = rows(ours, "--carrier", "docomo", "--window", "1h")
    found = ours.json("compare", "docomo")
    h.equal(len(found), 1, f"rows: {found}")
    row = found[0]
    h.equal((row["carrier"], row["rule"]), ("docomo", "compare"), "what is compared")
    h.equal([s["path"] for s in row["sides"]], ["mta", "ses"], "sides")
    for side in row["sides"]:
        of = want[(side["path"],)]
        h.equal(side["delivered"], of["delivered"], f"delivered by {side['path']}")
        h.equal(side["volume"], of["delivered"] + of["bounced"] + of["filtered"] + of["expired"], "volume")
        h.equal((side["rate"], side["low"], side["high"]), (of["delivery_rate"], of["low"], of["high"]), "rates")
        h.check(side["p50"] is not None and side["p50"] <= side["p95"], f"times: {side}")
    h.check(abs(row["difference"] - (row["sides"][0]["rate"] - row["sides"][1]["rate"])) < 1e-8, "difference")
    h.check(row["difference_low"] <= row["difference"] <= row["difference_high"], "its interval")
    h.equal((row["verdict"], row["needed"]), ("better", None), f"verdict: {row}")
    h.check(0 <= row["p_value"] < 0.001, "p-value")
    h.check(row["text"].startswith("mta delivers ") and "95 % sure" in row["text"], row["text"])
    h.check("docomo宛の到達率はmta" in row["text_ja"], row["text_ja"])
    h.equal(row["warnings"], [], "one sender, one hour, all told of")
    words = ours.cli("compare").stdout
    h.check(row["text"] in words and "docomo" in words.splitlines()[1], words)
    japanese = h.run([h.OIWAKE, "compare", "-c", ours.config.path], env={"LC_ALL": "ja_JP.UTF-8"}).stdout
    h.check(row["text_ja"] in japanese, japanese)
    for args in (("au",), ("docomo", "--rule", "keitai"), ("--sender", "other.test")):
        h.equal(ours.json("compare", *args), [], f"compare {args}")
    h.equal(ours.json("compare", "--window", "1h", "--rule", "compare")[0]["verdict"], "better", "by its rule")
    ours.stop()


def test_compare_warnings():
    """compare: other senders on the two sides, mail that nothing is known of, a rule that was changed"""
    ours, net = up()
    send(ours, [f"user-{n}@docomo.ne.jp" for n in range(60)])
    all_settled(ours)
    # Of what SES takes from here on nothing is told; both have another sender on one side only.
    unconfirmed = 0
    ours.config.write_rules(ROUTES.replace("via mta 50% ses 50%", "via ses"))
    ours.cli("reload")
    send(ours, [f"user-{n}@docomo.ne.jp" for n in range(100, 160)], "shop@other.test")
    unconfirmed = 12
    send(ours, [f"nothing-{n}@docomo.ne.jp" for n in range(unconfirmed)])
    all_settled(ours, unconfirmed)
    found = ours.json("compare", "docomo", "--rule", "compare")
    h.equal(len(found), 1, "rows")
    side = found[0]["sides"][1]
    h.equal((side["path"], side["unconfirmed"]), ("ses", unconfirmed), "unconfirmed by ses")
    texts = [w["text"] for w in found[0]["warnings"]]
    for words in ("mta is not in the split of rule compare", "the senders differ: ", "whatever becomes of it"):
        h.check(any(words in t for t in texts), f"'{words}' in {texts}")
    h.check(all(w["text_ja"] and w["text_ja"] != w["text"] for w in found[0]["warnings"]), "in Japanese")
    printed = ours.cli("compare").stdout
    h.equal(printed.count("\n  ! "), len(texts), printed)
    ours.stop()


if __name__ == "__main__":
    h.main()
