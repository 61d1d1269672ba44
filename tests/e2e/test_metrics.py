#!/usr/bin/python3
"""test_metrics.py - what monitoring sees: /metrics, /healthz, /readyz, the alert rules and the dashboard.
time limit: 180 s
"""

import contextlib
import http.client
import json
import os
import re
import shutil

import harness as h
from oiwake import Config, Oiwake, Sandbox, need_sqlite

ALERTS = os.path.join(h.ROOT, "conf", "oiwake.alerts.yml")
DASHBOARD = os.path.join(h.ROOT, "conf", "oiwake.dashboard.json")
PAGE = os.path.join(h.ROOT, "router", "oiwake.8")
# Counters of `oiwake stats` that can fall, and so are gauges.
GAUGES = ("accepted", "delivered", "queued")
COUNTERS = ("sent", "bounced", "filtered", "deferred", "expired", "complained", "suppressed",
            "removed", "unread", "returned", "attempted", "hard", "unknown", "exempt")

SAMPLE = re.compile(r'([a-z_:][a-z0-9_:]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"')


def promtool():
    found = shutil.which("promtool") or os.path.join(h.ROOT, "build/peers/usr/bin/promtool")
    h.need(os.access(found, os.X_OK), "promtool is neither installed nor unpacked")
    return found


def get(port, path, method="GET"):
    """(status, headers, text) of one request."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=h.PATIENCE)) as c:
        c.request(method, path)
        answer = c.getresponse()
        return answer.status, answer.headers, answer.read().decode()


class Scrape:
    """One text, checked on the way: each family once, with type and help, no sample twice."""

    def __init__(self, text):
        self.text, self.types, self.samples = text, {}, {}
        h.check(text.endswith("\n"), "the text ends with its last line")
        family = None
        for line in text.splitlines():
            if line.startswith("# HELP "):
                family, help_text = line[7:].split(" ", 1)
                h.check(family not in self.types and help_text, f"told twice, or no help: {line}")
            elif line.startswith("# TYPE "):
                name, kind = line[7:].split(" ")
                h.equal(name, family, "the type's name")
                self.types[name] = kind
            else:
                self.add(family, line)

    def add(self, family, line):
        found = SAMPLE.fullmatch(line)
        h.check(found, f"no sample: {line!r}")
        name, labels, value = found.groups()
        base = re.sub("_(bucket|sum|count)$", "", name) if self.types[family] == "histogram" else name
        h.equal(base, family, f"the family of {line!r}")
        key = (name, tuple(sorted(LABEL.findall(labels or ""))))
        h.check(key not in self.samples, f"a sample twice: {line}")
        self.samples[key] = float(value)

    def all(self, name, **labels):
        """[(labels, value)] of that name with those labels among theirs."""
        return [(dict(l), v) for (n, l), v in self.samples.items() if n == name
                and all(dict(l).get(k) == x for k, x in labels.items())]

    def one(self, name, **labels):
        found = self.all(name, **labels)
        h.check(len(found) == 1, f"{len(found)} samples of {name} {labels}")
        return found[0][1]

    def sum(self, name, **labels):
        return sum(v for _, v in self.all(name, **labels))


def web(config, name="monitor", keys="metrics = yes"):
    """Another listener in the settings; its port."""
    port = h.free_port()
    config.text += f'\nweb "{name}" {{\n\taddress = "127.0.0.1:{port}"\n\t{keys}\n}}\n'
    config.save()
    return port


def dead_end(name):
    """All mail goes where nobody listens, and rests there."""
    return Config(None, name=name, mta="\trelay-host = 127.0.0.1\n\tsign = no\n\ttls = none",
                  smtp_port=h.free_port(), routes="route all to any via mta\n",
                  shapes="shape path mta retry 4h")


def scrape(port):
    status, headers, text = get(port, "/metrics")
    h.equal(status, 200, "status of /metrics")
    h.equal(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8", "Content-Type")
    return Scrape(text)


def send(ours, *to, test_id=None):
    with contextlib.closing(h.smtp(ours.port("relay"))) as s:
        for address in to:
            s.sendmail("info@news.test", [address], h.message(to=address, test_id=test_id))


def differences(seen, rows):
    """Where /metrics and `oiwake stats` disagree."""
    wrong = []
    for row in rows:
        labels = {"path": row["path"] or "none", "carrier": row["carrier"] or "none"}
        for counter in (*GAUGES, *COUNTERS):
            name = f"oiwake_recipients_{counter}" + ("" if counter in GAUGES else "_total")
            # In a row of stats `unknown` is the rate, with the count in it.
            want = row[counter]["hits"] if counter == "unknown" else row[counter]
            if seen.sum(name, **labels) != want:
                wrong.append((name, labels, seen.sum(name, **labels), want))
    series = seen.all("oiwake_recipients_sent_total")
    if len(series) != len(rows):
        wrong.append(("series", len(series), len(rows)))
    return wrong


def wait_equal(ours, port):
    """Until they agree, as they must once what was committed has been handed on."""
    last = []

    def agree():
        last[:] = differences(scrape(port), ours.stats("path", "carrier"))
        return not last

    h.wait_until(agree, lambda: f"/metrics says what stats says; not so: {last[:5]}")
    return scrape(port)


def never_fell(before, after):
    for (name, labels), value in before.samples.items():
        if name.endswith("_total") or name.endswith(("_count", "_bucket")):
            h.check(after.samples.get((name, labels), -1) >= value, f"{name} {labels} fell")


def test_counts():
    """What was counted is what `oiwake stats` says, also after kill -9, and no counter ever falls"""
    net = Sandbox()
    config = Config(net)
    port = web(config)
    ours = Oiwake(config)
    empty = scrape(port)
    h.equal(empty.sum("oiwake_recipients_taken_total"), 0, "taken at first")
    send(ours, "taro@docomo.ne.jp", "unknown@docomo.ne.jp", "filtered@ezweb.ne.jp", "hanako@au.com",
         "someone@ordinary.test", "unknown@ordinary.test", "friend@example.com")
    ours.wait_empty()
    first = wait_equal(ours, port)
    never_fell(empty, first)
    rows = ours.stats("path", "carrier")
    h.equal(first.one("oiwake_recipients_taken_total"), sum(r["accepted"] for r in rows), "taken")
    h.check(first.one("oiwake_recipients_bounced_total", path="mta", carrier="docomo") >= 1, "bounced")
    h.check(first.one("oiwake_recipients_sent_total", path="mta", carrier="none") >= 1, "no carrier's")
    delivered = sum(r["delivered"] for r in rows if r["path"] == "mta")
    h.equal(first.sum("oiwake_delivery_seconds_count", path="mta"), delivered, "deliveries with a time")
    h.check(first.one("oiwake_reasons_total", path="mta", carrier="docomo", counter="bounced",
                      reason="userunknown") >= 1, "the reason is counted")
    h.equal(first.one("oiwake_listener_messages_total", listener="relay", answer="taken"), 7,
            "messages taken at the door")
    ours.kill9()
    ours.start()
    second = wait_equal(ours, port)
    for counter in COUNTERS:
        name = f"oiwake_recipients_{counter}_total"
        h.check(second.sum(name) >= first.sum(name), f"{name} fell over kill -9")
    send(ours, "jiro@docomo.ne.jp", "unknown-2@docomo.ne.jp")
    ours.wait_empty()
    third = wait_equal(ours, port)
    never_fell(second, third)
    h.equal(third.one("oiwake_recipients_taken_total"), second.one("oiwake_recipients_taken_total")
            + third.sum("oiwake_recipients_accepted") - second.sum("oiwake_recipients_accepted"), "taken")
    ours.stop()


def test_histogram():
    """The buckets of the time to delivery ascend, and the last has them all"""
    net = Sandbox()
    config = Config(net)
    port = web(config)
    ours = Oiwake(config)
    send(ours, *[f"u{i}@docomo.ne.jp" for i in range(5)])
    ours.wait_empty()
    seen = wait_equal(ours, port)
    labels = {"path": "mta", "carrier": "docomo"}
    buckets = sorted((float(l["le"]), v) for l, v in seen.all("oiwake_delivery_seconds_bucket", **labels))
    h.check(len(buckets) > 10 and buckets[-1][0] == float("inf"), f"buckets: {buckets}")
    h.check(all(a[1] <= b[1] for a, b in zip(buckets, buckets[1:])), f"they ascend: {buckets}")
    h.equal(buckets[-1][1], 5, "all of them")
    h.equal(seen.one("oiwake_delivery_seconds_count", **labels), 5, "count")
    h.check(0 <= seen.one("oiwake_delivery_seconds_sum", **labels) < 5 * h.PATIENCE, "sum")
    ours.stop()


def test_names():
    """Every name is in the manual and none but these; alerts and dashboard ask for nothing else"""
    net = Sandbox()
    config = Config(net, ses="api")
    config.text += f'\nhook "app" {{\n\ttype = file\n\tfile = "{config.top}/events"\n}}\n'
    port = web(config)
    ours = Oiwake(config)
    send(ours, "taro@docomo.ne.jp")
    ours.wait_empty()
    seen = wait_equal(ours, port)
    with open(PAGE, encoding="utf-8") as f:
        page = f.read().split(".Sh METRICS")[1].split(".Sh ")[0]
    told = set(re.findall(r"\b(?:oiwake|process)_[a-z_]+\b", page)) - {"oiwake_delivery_seconds_count"}
    h.equal(sorted(told ^ set(seen.types)), [], "in the manual or the scrape alone")
    names = set(seen.types) | {n + s for n, k in seen.types.items() if k == "histogram"
                               for s in ("_bucket", "_sum", "_count")}
    for path in (ALERTS, DASHBOARD):
        with open(path, encoding="utf-8") as f:
            text = "\n".join(l for l in f if not l.lstrip().startswith("- alert:"))
        asked = set(re.findall(r"\b(?:oiwake|process)_[a-z_]+\b", text))
        h.check(len(asked) > 15, f"{path} asks for few: {asked}")
        h.equal(sorted(asked - names), [], f"unknown in {os.path.basename(path)}")
    ours.stop()


def test_promtool():
    """promtool finds nothing to say about the text"""
    tool = promtool()
    net = Sandbox()
    config = Config(net)
    port = web(config)
    ours = Oiwake(config)
    send(ours, "taro@docomo.ne.jp", "friend@example.com")
    ours.wait_empty()
    seen = wait_equal(ours, port)
    done = h.run([tool, "check", "metrics"], input=seen.text.encode(), status=None)
    h.equal((done.returncode, done.stdout + done.stderr), (0, ""), "promtool check metrics")
    done = h.run([tool, "check", "metrics"], input=seen.text.replace("{", "", 1).encode(), status=None)
    h.check(done.returncode != 0, "it does find what is wrong")
    ours.stop()


def test_odd_labels():
    """A group that is no ASCII is a label as it is, in one line"""
    config = dead_end("odd")
    port = web(config)
    ours = Oiwake(config)
    with contextlib.closing(h.smtp(ours.port("relay"))) as s:
        s.mail("info@news.test", ["SMTPUTF8"])
        h.equal(s.docmd("RCPT TO:<a@例え.test>")[0], 250, "recipient")
        h.equal(s.data(h.message())[0], 250, "message")
    h.wait_until(lambda: scrape(port).all("oiwake_lane_rate_ratio"), "its lane")
    groups = {l["group"] for l, _ in scrape(port).all("oiwake_lane_rate_ratio")}
    h.check(groups in ({"例え.test"}, {"xn--r8jz45g.test"}), f"groups: {groups}")
    ours.stop()


def test_bounds():
    """Fifteen hundred domains are a thousand lanes and one that is called other"""
    config = dead_end("bounds")
    port = web(config)
    ours = Oiwake(config)
    with contextlib.closing(h.smtp(ours.port("relay"))) as s:
        for part in range(30):
            to = [f"a@d{part}x{i}.test" for i in range(50)]
            s.sendmail("info@news.test", to, h.message(to=to[0]))
    lanes = "oiwake_lane_waiting_recipients"
    h.wait_until(lambda: scrape(port).all(lanes, group="other"), "lanes that share a row")
    seen = h.wait_until(lambda: (lambda s: s.sum("oiwake_recipients_queued") == 1500
                                 and s.one("oiwake_metrics_folded_total", group="lanes") >= 500
                                 and len(s.all(lanes)) == 1001 and s)(scrape(port)), "1001 rows")
    h.check(seen.one(lanes, group="other") + seen.one("oiwake_lane_sending_recipients", group="other")
            <= 500, "no more than the rest is in other")
    h.equal(seen.one("oiwake_metrics_folded_total", group="mail"), 0, "folded of mail")
    h.equal(len(scrape(port).all(lanes)), 1001, "rows, asked again")
    ours.stop()


def test_oldest():
    """The age of the oldest is that of what waits, and nothing when the queue is empty"""
    config = dead_end("oldest")
    port = web(config)
    ours = Oiwake(config)
    h.equal(scrape(port).one("oiwake_queue_oldest_seconds"), 0, "at first")
    send(ours, "a@somewhere.test")
    h.wait_until(lambda: scrape(port).one("oiwake_queue_oldest_seconds") >= 1, "it waits for a second")
    ours.cli("queue delete", "--all")
    h.wait_until(lambda: scrape(port).one("oiwake_queue_oldest_seconds") == 0, "it is gone")
    ours.stop()


def test_health():
    """/healthz and /readyz: alive, accepting, no space, stopping; and who answers them"""
    net = Sandbox()
    config = Config(net)
    port = web(config)
    ours = Oiwake(config)
    h.equal(get(port, "/healthz")[::2], (200, "alive\n"), "/healthz")
    h.equal(get(port, "/readyz")[::2], (200, "accepting\n"), "/readyz")
    h.equal(scrape(port).one("oiwake_ready"), 1, "ready")
    for path, method, status in (("/metrics", "POST", 405), ("/readyz", "POST", 405),
                                 ("/metrics/", "GET", 404), ("/v1/stats", "GET", 404), ("/", "GET", 404)):
        h.equal(get(port, path, method)[0], status, f"{method} {path}")
    # It waits for the rest of a message that was begun.
    with h.Raw(ours.port("relay")) as raw:
        raw.reply()
        for line, want in (("EHLO client.test", 250), ("MAIL FROM:<info@news.test>", 250),
                           ("RCPT TO:<taro@docomo.ne.jp>", 250), ("DATA", 354)):
            raw.command(line, want)
        raw.send(h.message()[:-7])
        ours.process.popen.terminate()
        ours.log.wait(lambda _: ours.log.events("stop"), "it stops")
        h.equal(get(port, "/readyz")[::2], (503, "the daemon is stopping\n"), "/readyz while it stops")
        h.equal(get(port, "/healthz")[0], 200, "/healthz while it stops")
        seen = scrape(port)
        h.equal((seen.one("oiwake_ready"), seen.one("oiwake_stopping")), (0, 1), "ready, stopping")
        raw.send("hello\r\n.\r\n")
        h.equal(raw.reply()[0], 250, "the message that was begun")
    h.equal(ours.process.popen.wait(h.PATIENCE), 0, "it ends well")


def test_no_space():
    """With less than the reserve free it is not ready, says so, and is alive"""
    need_sqlite("the disk is the database's")
    config = Config(None, name="full", queue="reserve = 512GiB")
    port = web(config)
    free = shutil.disk_usage(config.top).free
    h.need(free < 512 << 30, "this disk is too large for this test")
    ours = Oiwake(config)
    h.equal(get(port, "/readyz")[::2], (503, "there is no space left for new mail\n"), "/readyz")
    h.equal(get(port, "/healthz")[0], 200, "/healthz")
    seen = scrape(port)
    h.equal((seen.one("oiwake_ready"), seen.one("oiwake_store_low")), (0, 1), "ready, low")
    h.check(seen.one("oiwake_store_free_bytes") < seen.one("oiwake_store_reserve_bytes"), "free")
    code = 250
    with contextlib.closing(h.smtp(ours.port("relay"))) as s:
        s.mail("info@news.test")
        s.rcpt("a@b.test")
        code = s.data(h.message())[0]
    h.equal(code, 452, "new mail")
    h.wait_until(lambda: scrape(port).one("oiwake_listener_messages_total", listener="relay",
                                          answer="no-space") == 1, "counted as without space")
    ours.stop()


def test_alerts():
    """The alert rules are good, and go off when and only when they should"""
    tool = promtool()
    done = h.run([tool, "check", "rules", ALERTS], status=None)
    h.equal(done.returncode, 0, done.stdout + done.stderr)
    with open(ALERTS, encoding="utf-8") as f:
        text = f.read()
    top = os.path.dirname(h.work.write("oiwake.alerts.yml", text))
    with open(os.path.join(h.ROOT, "tests/e2e/alerts_test.yml"), encoding="utf-8") as f:
        cases = h.work.write("alerts_test.yml", f.read())
    done = h.run([tool, "test", "rules", cases], status=None, limit=3 * h.PATIENCE)
    h.equal(done.returncode, 0, done.stdout + done.stderr)
    # It would find a threshold that has gone up.
    h.check("0.02" in text, "a threshold")
    h.work.write(os.path.join(top, "oiwake.alerts.yml"), text.replace("> 0.02", "> 0.2"))
    done = h.run([tool, "test", "rules", cases], status=None, limit=3 * h.PATIENCE)
    h.check(done.returncode != 0, "it can fail")


def expressions(panels):
    for panel in panels:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
        yield from expressions(panel.get("panels", []))


def test_dashboard():
    """The dashboard is JSON, shows both paths side by side, and every question of it is PromQL"""
    tool = promtool()
    with open(DASHBOARD, encoding="utf-8") as f:
        dashboard = json.load(f)
    panels = dashboard["panels"]
    h.equal(len({p["id"] for p in panels}), len(panels), "ids of panels")
    h.equal({p["type"] for p in panels} - {"timeseries", "stat", "table", "row"}, set(),
            "kinds of panels that Grafana does not bring")
    for side in ("$path_a", "$path_b"):
        h.check(len([e for _, e in expressions(panels) if f'"{side}"' in e]) > 15, f"panels of {side}")
    rules = "groups:\n- name: dashboard\n  rules:\n"
    for number, (title, expr) in enumerate(expressions(panels)):
        for name, value in (("$__rate_interval", "5m"), ("$__range", "6h")):
            expr = expr.replace(name, value)
        h.check("$__" not in expr, f"{title}: {expr}")
        rules += f"  - record: x{number}\n    expr: {json.dumps(expr)}\n"
    done = h.run([tool, "check", "rules", h.work.write("dashboard.yml", rules)], status=None)
    h.equal(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    h.main()
