"""Rules edited through the daemon: check, preview, apply, roll back; at the admin socket.

time limit: 300 s
"""

import http.client
import json
import os
import random
import socket
import stat
import threading

import harness as h
from oiwake import ROUTES, Config, Oiwake, Sandbox

PARTNER = ROUTES.replace("route default", "route partner to domain example.com via mta\nroute default")
MORE = 'include "more.rules"\n'
EXTRA = "route extra to domain extra.test hold\n"


class Door(http.client.HTTPConnection):
    """HTTP over the admin socket."""

    def __init__(self, path):
        super().__init__("admin", timeout=h.PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(ours, method, url, body=None, want=200):
    door = Door(ours.config.socket)
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    door.request(method, url, data)
    answer = door.getresponse()
    text = answer.read()
    door.close()
    if want is not None:
        h.equal(answer.status, want, f"{method} {url}: {text[:2000]}")
    return json.loads(text) if want is not None else (answer.status, json.loads(text))


def post(ours, what, want=200, **body):
    return ask(ours, "POST", f"/v1/rules/{what}", body, want)


def up(routes=ROUTES, more=None, net=None):
    config = Config(net, name=f"oiwake{len(h.work.processes)}", routes=routes)
    if more is not None:
        config.write("more.rules", more)
    return Oiwake(config)


def main_file(ours):
    return os.path.join(ours.config.top, "oiwake.rules")


def more_file(ours):
    return os.path.join(ours.config.top, "more.rules")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def put(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def running(ours):
    """Version and {name: text} of what runs."""
    answer = ask(ours, "GET", "/v1/rules/running")
    return answer["set"]["version"], {f["name"]: f["text"] for f in answer["files"]}


def history(ours):
    return ask(ours, "GET", "/v1/rules")["rows"]


def edit(ours, old, new):
    """The main file with that exchange, as a request has it."""
    text = read(main_file(ours))
    h.check(old in text, f"{old!r} is not in the rules")
    return [{"name": main_file(ours), "text": text.replace(old, new)}]


def with_partner(ours):
    return edit(ours, "route default", "route partner to domain example.com hold\nroute default")


def left_behind(ours):
    return [os.path.join(folder, n) for folder, _, names in os.walk(ours.config.top)
            for n in names if "oiwake-new" in n or n.startswith("rules.change")]


def send(ours, to):
    with h.smtp(ours.port("relay")) as s:
        s.sendmail("info@news.test", to, h.message())


def wait(seconds):
    """For a moment that no event tells: the middle of something."""
    threading.Event().wait(seconds)


# -- an edit --------------------------------------------------------------------------------------

def test_good_edit():
    """An edit is checked, shown, applied to queued and new mail, and in the history with who and why"""
    net = Sandbox(keep=False)
    ours = up(net=net)
    send(ours, ["x@gmail.com", "a@example.com", "b@example.com"])
    ours.wait_empty()
    version, files = running(ours)
    h.equal(files[main_file(ours)], read(main_file(ours)), "the running text")
    net.control("set ses mood tempmail")
    send(ours, ["queued@example.com"])
    ours.log.wait(lambda _: ours.attempts("deferred", "queued@example.com"), "a deferral")

    sent = edit(ours, "route default", "route partner to domain example.com via mta\nroute default")
    answer = post(ours, "check", files=sent)
    h.equal((answer["good"], answer["running"], answer["report"]), (True, version, []), "check")
    new = answer["version"]
    h.check(new != version, "the version is the same")
    answer = post(ours, "diff", files=sent)
    h.equal([answer[k] for k in ("recipients", "changed", "other_path", "complete", "version")],
            [4, 3, 3, True, new], "diff")
    h.equal(answer["paths"], [{"from": "ses", "to": "mta", "n": 3}], "paths")
    move = answer["moves"][0]
    h.equal((move["from"]["rule"], move["to"]["rule"], move["n"], move["examples"][0], move["domain"]),
            ("default", "partner", 3, "a@example.com", "example.com"), "move")
    h.check(f"--- {main_file(ours)}\n" in answer["text"]
            and "\n+route partner to domain example.com via mta\n" in answer["text"], answer["text"])
    h.equal(post(ours, "diff", files=sent, limit=2)["recipients"], 2, "recipients with a limit")
    h.equal(running(ours), (version, files), "running after check and diff")

    os.chmod(main_file(ours), 0o640)
    answer = post(ours, "apply", base=version, files=sent, why="example.com goes direct \u2192")
    h.equal((answer["version"], answer["changed"]), (new, True), "apply")
    h.equal(running(ours), (new, {**files, main_file(ours): sent[0]["text"]}), "running")
    h.equal(read(main_file(ours)), sent[0]["text"], "on disk")
    h.equal(stat.S_IMODE(os.stat(main_file(ours)).st_mode), 0o640, "mode")
    row = history(ours)[0]
    me = h.run(["id", "-un"]).stdout.strip()
    h.equal((row["number"], row["version"], row["who"], row["running"]),
            (2, new, f"{me} by edit: example.com goes direct \u2192", True), "history")
    net.control("set ses mood normal")
    ours.cli("queue retry", "--all", status=None)
    send(ours, ["new@example.com"])
    for address in ("queued@example.com", "new@example.com"):
        host = net.journal.wait_delivered(address)[0]["host"]
        h.check(host != "ses", f"{address} went to {host}")
    answer = post(ours, "apply", base=new, files=sent, why="again")
    h.equal((answer["version"], answer["changed"]), (new, False), "the same again")
    h.equal(len(history(ours)), 2, "sets in the history")
    h.equal(left_behind(ours), [], "left behind")
    ours.stop()


def test_mistakes():
    """Mistakes are told with file, line and column, and nothing is changed"""
    ours = up()
    before = running(ours)
    sent = edit(ours, "route keitai to carrier *", "route keitai to carrier docmo")
    line = sent[0]["text"].split("\n").index(
        next(l for l in sent[0]["text"].split("\n") if "docmo" in l)) + 1
    for what, status in (("check", 200), ("diff", 422), ("apply", 422)):
        answer = post(ours, what, status, files=sent, **({"base": before[0], "why": "x"}
                                                         if what == "apply" else {}))
        h.equal([(p["file"], p["line"], p["column"], p["severity"]) for p in answer["report"]],
                [(main_file(ours), line, 25, "error")], f"report of {what}")
        h.check("did you mean 'docomo'" in answer["report"][0]["text"], answer["report"])
    h.equal(answer["error"], "the new rules do not load: nothing is changed", "apply")
    h.equal(post(ours, "check", files=sent)["good"], False, "good")
    text = read(main_file(ours))
    for sent, word in ((text + "expect x@gmail.com via ses\n", "expect"),
                       (text + "route late to x.test via mta\n", "late"),
                       (text + 'include "/etc/passwd"\n', "passwd"),
                       (text + 'include "../../../etc/passwd"\n', "passwd"),
                       (text + "\x07", "control"), ("", "no route")):
        answer = post(ours, "check", files=[{"name": main_file(ours), "text": sent}])
        if word == "late":
            h.equal((answer["good"], answer["report"][0]["severity"]), (True, "warning"), word)
        else:
            h.equal(answer["good"], False, f"{word}: {answer}")
            h.check("root:" not in json.dumps(answer), "what is in /etc/passwd is told")
    answer = post(ours, "apply", 422, base=before[0], why="x",
                  files=[{"name": main_file(ours), "text": text + "expect x@gmail.com via ses\n"}])
    h.check(any("expect" in p["text"] for p in answer["report"]), answer)
    h.equal(running(ours), before, "running")
    h.equal(len(history(ours)), 1, "history")
    ours.stop()


def test_several_files():
    """Two files at once; a changed file that is not included any more; a symbolic link stays"""
    ours = up(MORE + ROUTES, EXTRA)
    os.rename(more_file(ours), more_file(ours) + "-real")
    os.symlink("more.rules-real", more_file(ours))
    version, files = running(ours)
    h.check(more_file(ours) in files, f"names: {list(files)}")
    both = [*with_partner(ours), {"name": more_file(ours), "text": EXTRA + "# two\n"}]
    answer = post(ours, "diff", files=both)
    h.equal(answer["text"].count("\n+++ ") + answer["text"].startswith("+++ "), 2, answer["text"])
    dropped = [*edit(ours, MORE, ""), both[1]]
    answer = post(ours, "apply", 422, base=version, files=dropped, why="x")
    h.equal([(p["file"], p["line"], p["text"]) for p in answer["report"]],
            [(more_file(ours), 0, "is changed, but the new rules do not include it")], "report")
    version = post(ours, "apply", base=version, files=both, why="both")["version"]
    h.check(os.path.islink(more_file(ours)), "the symbolic link is gone")
    h.equal(read(more_file(ours)), EXTRA + "# two\n", "the file behind the link")
    only = [{"name": more_file(ours), "text": EXTRA}]
    post(ours, "apply", base=version, files=only, why="one of them")
    h.equal(running(ours)[1][main_file(ours)], both[0]["text"], "the other")
    h.equal(left_behind(ours), [], "left behind")
    ours.stop()


# -- two at once ----------------------------------------------------------------------------------

def test_stale():
    """An edit that began from other rules is refused with the difference"""
    ours = up()
    base = running(ours)[0]
    mine = with_partner(ours)
    theirs = edit(ours, "route default", "route theirs to domain theirs.test hold\nroute default")
    now = post(ours, "apply", base=base, files=theirs, why="first")["version"]
    answer = post(ours, "apply", 409, base=base, files=mine, why="second")
    h.equal((answer["conflict"], answer["running"]), ("stale", now), "conflict")
    h.check("\n+route theirs to domain theirs.test hold\n" in answer["diff"], answer["diff"])
    h.check("have been changed since" in answer["error"], answer["error"])
    answer = post(ours, "rollback", 409, base=base, number=1)
    h.equal(answer["conflict"], "stale", "a stale rollback")
    answer = post(ours, "apply", 409, base="000000000000", files=mine, why="x")
    h.check("not in the history" in answer["error"] and "diff" not in answer, answer)
    h.equal(running(ours)[1][main_file(ours)], theirs[0]["text"], "running")
    h.equal(len(history(ours)), 2, "history")
    ours.stop()


def test_edited_by_hand():
    """A file that was edited by hand and not reloaded is not overwritten"""
    ours = up()
    base = running(ours)[0]
    mine = with_partner(ours)
    by_hand = edit(ours, "route default", "route hand to domain hand.test hold\nroute default")[0]["text"]
    for text in (by_hand, "broken\n", "# nothing \xe9\n"):
        with open(main_file(ours), "w", encoding="latin-1") as f:
            f.write(text)
        for what, more in (("apply", {"files": mine, "why": "x"}), ("rollback", {"number": 1})):
            answer = post(ours, what, 409, base=base, **more)
            h.equal((answer["conflict"], answer["running"]), ("disk", base), what)
            h.check("\n+" + text.split("\n")[0].replace("\xe9", "?") in answer["diff"]
                    or "+route hand" in answer["diff"], answer["diff"][-400:])
        with open(main_file(ours), encoding="latin-1") as f:
            h.equal(f.read(), text, "the edit by hand")
    os.unlink(main_file(ours))
    h.equal(post(ours, "apply", 409, base=base, files=mine, why="x")["conflict"], "disk", "no file")
    put(main_file(ours), by_hand)
    ours.cli("reload")
    h.equal(post(ours, "apply", 409, base=base, files=mine, why="x")["conflict"], "stale", "reloaded")
    post(ours, "apply", base=running(ours)[0], files=mine, why="x")
    ours.stop()


def test_at_once():
    """Of many who apply at once exactly one wins; the others are told, and disk and daemon agree"""
    ours = up()
    for attempt in range(4):
        base = running(ours)[0]
        start = threading.Barrier(6)
        answers = []

        def apply(n):
            text = read(main_file(ours)) + f"# {attempt} {n}\n"
            start.wait()
            answers.append((n, *ask(ours, "POST", "/v1/rules/apply", {
                "base": base, "files": [{"name": main_file(ours), "text": text}],
                "why": f"{attempt} {n}"}, want=None)))
        threads = [threading.Thread(target=apply, args=(n,)) for n in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        won = [a for a in answers if a[1] == 200]
        h.equal(len(won), 1, f"winners of {answers}")
        for n, status, answer in answers:
            h.check(status in (200, 503) or (status == 409 and answer["conflict"] in
                    ("busy", "stale", "disk")), f"{n}: {status} {answer}")
        h.equal(read(main_file(ours)).split("\n")[-2], f"# {attempt} {won[0][0]}", "on disk")
        h.check(history(ours)[0]["who"].endswith(f"by edit: {attempt} {won[0][0]}"), history(ours)[0])
        h.equal(history(ours)[0]["version"], won[0][2]["version"], "version")
    h.equal(left_behind(ours), [], "left behind")
    ours.stop()


# -- what cannot be -------------------------------------------------------------------------------

def test_refused_requests():
    """Names that are not of the running rules, bodies that are wrong or huge"""
    ours = up()
    before = running(ours)
    good = with_partner(ours)[0]
    for name in ("/etc/passwd", "../state/x", "oiwake.rules", main_file(ours) + "/", "",
                 os.path.join(ours.config.top, "state", "..", "oiwake.rules"),
                 os.path.join(ours.config.top, "new.rules"), "x" * 100000, "a\nb"):
        for what in ("check", "diff", "apply"):
            answer = post(ours, what, 400, base=before[0], why="x",
                          files=[{"name": name, "text": good["text"]}])
            h.check("not a file of the running rules" in answer["error"], answer)
            h.check(len(answer["error"]) < 400, f"{len(answer['error'])} bytes of error")
    for files in (None, [], {}, "x", [1], [{"name": good["name"]}], [{"text": "x"}], [good, good],
                  [{"name": good["name"], "text": 1}], [{**good, "more": 1}], [{"name": 1, "text": ""}]):
        post(ours, "check", 400, files=files)
    for body in ({}, {"base": 1}, {"base": before[0]}, {"base": before[0], "why": ""},
                 {"base": before[0], "why": " \t"}, {"base": before[0], "why": 1},
                 {"base": before[0], "why": "x", "number": 1}):
        post(ours, "apply", 400, **({"files": [good]} | body))
    for body, status in (({}, 400), ({"number": "1"}, 400), ({"number": 0}, 404), ({"number": 7}, 404),
                         ({"number": -1}, 404), ({"number": 1, "files": [good]}, 404)):
        post(ours, "rollback", status, **({"base": before[0]} | body))
    for limit in (0, -1, 100001, "x", 1.5):
        post(ours, "diff", 400, files=[good], limit=limit)
    for raw in (b"[]", b"{", b"\xff", b'{"files":1,"files":2}', b'{"files":[{"name":"x","text":"\\u0000"}]}'):
        ask(ours, "POST", "/v1/rules/check", raw, 400)
    huge = [{"name": good["name"], "text": "#" * (5 << 20)}]
    status = None
    try:
        status = ask(ours, "POST", "/v1/rules/check", {"files": huge}, want=None)[0]
    except (OSError, http.client.HTTPException, ValueError):
        status = 413  # cut off while it was sent
    h.equal(status, 413, "status of a huge body")
    large = post(ours, "check", files=[{"name": good["name"],
                                        "text": "# " + "x" * (3 << 20) + "\n" + good["text"]}])
    h.equal(large["good"], True, "3 MB")
    ask(ours, "POST", "/v1/rules/rollback", {"base": "x" * 100000, "number": 1}, 413)
    h.equal(running(ours), before, "running")
    ours.stop()


def test_no_rights():
    """A folder that cannot be written: a clear sentence, and nothing is changed"""
    ours = up()
    before = running(ours)
    mine = with_partner(ours)
    if os.geteuid() == 0:
        h.need(h.run(["chattr", "+i", ours.config.top], status=None).returncode == 0,
               "root may write everywhere, and chattr does not go here")
        back = ["chattr", "-i", ours.config.top]
    else:
        os.chmod(ours.config.top, 0o500)
        back = ["chmod", "755", ours.config.top]
    h.work.cleanups.append(lambda: h.run(back, status=None))
    answer = post(ours, "apply", 409, base=before[0], files=mine, why="x")
    h.check("cannot create '" in answer["error"] and answer["error"].endswith("nothing is changed"),
            answer)
    h.run(back)
    h.equal(running(ours), before, "running")
    h.equal(read(main_file(ours)), before[1][main_file(ours)], "on disk")
    post(ours, "apply", base=before[0], files=mine, why="x")
    ours.stop()


def test_reload_refused():
    """What only the reload finds wrong: the old files are back"""
    ours = up(MORE + ROUTES, EXTRA)
    before = running(ours)
    os.chmod(os.path.join(ours.config.top, "dkim.pem"), 0o644)
    both = [*with_partner(ours), {"name": more_file(ours), "text": EXTRA + "# two\n"}]
    answer = post(ours, "apply", 409, base=before[0], files=both, why="x")
    h.check("dkim.pem" in answer["error"] and "the old rules are back" in answer["error"], answer)
    h.equal({n: read(n) for n in before[1]}, before[1], "on disk")
    h.equal(running(ours), before, "running")
    os.chmod(os.path.join(ours.config.top, "dkim.pem"), 0o600)
    post(ours, "apply", base=before[0], files=both, why="x")
    h.equal(left_behind(ours), [], "left behind")
    ours.stop()


def test_wildcard():
    """A file that a new wildcard would find, and that was not checked: the old files are back"""
    ours = up()
    before = running(ours)
    put(os.path.join(ours.config.top, "found.rules"), "route found to domain found.test hold\n")
    put(more_file(ours), EXTRA)
    sent = [{"name": main_file(ours), "text": 'include "[fm]*.rules"\n' + read(main_file(ours))}]
    status, answer = ask(ours, "POST", "/v1/rules/apply",
                         {"base": before[0], "files": sent, "why": "x"}, want=None)
    h.check(status in (409, 422), f"{status} {answer}")
    h.equal(running(ours), before, "running")
    h.equal(read(main_file(ours)), before[1][main_file(ours)], "on disk")
    ours.stop()


# -- the way back ---------------------------------------------------------------------------------

def test_rollback():
    """Back to an earlier set, shown first; what it had that is elsewhere now is not written"""
    ours = up(MORE + ROUTES, EXTRA)
    first = running(ours)
    second = post(ours, "apply", base=first[0], why="x", files=[
        *with_partner(ours), {"name": more_file(ours), "text": EXTRA + "# two\n"}])["version"]
    answer = post(ours, "diff", number=1)
    h.equal(answer["version"], first[0], "version")
    h.check("\n-# two\n" in answer["text"], answer["text"])
    h.equal(post(ours, "check", number=1)["good"], True, "check")
    answer = post(ours, "rollback", base=second, number=1, why="it was wrong")
    h.equal((answer["version"], running(ours)), (first[0], first), "running")
    h.equal({n: read(n) for n in first[1]}, first[1], "on disk")
    row = history(ours)[0]
    h.check(row["number"] == 3 and row["who"].endswith(" by rollback to 1: it was wrong"), row)
    # Set 4 does without more.rules, which is then changed by hand.
    fourth = post(ours, "apply", base=first[0], files=edit(ours, MORE, ""), why="without")["version"]
    put(more_file(ours), "route other to domain other.test hold\n")
    answer = post(ours, "rollback", 409, base=fourth, number=1)
    h.check(more_file(ours) in answer["error"] and "not of the running rules" in answer["error"], answer)
    h.equal(read(more_file(ours)), "route other to domain other.test hold\n", "the file by hand")
    put(more_file(ours), EXTRA)
    h.equal(post(ours, "rollback", base=fourth, number=1)["version"], first[0], "version")
    ours.cli("rules rollback", "2")
    h.equal(running(ours)[0], second, "version after the command's rollback")
    ours.stop()


# -- trouble --------------------------------------------------------------------------------------

def test_client_leaves():
    """A client that leaves in the middle: the apply goes to its end all the same, or never began"""
    ours = up()
    for n in range(5):
        version = running(ours)[0]
        text = read(main_file(ours)) + f"# {n}\n"
        body = json.dumps({"base": version, "why": f"left {n}",
                           "files": [{"name": main_file(ours), "text": text}]}).encode()
        s = socket.socket(socket.AF_UNIX)
        s.connect(ours.config.socket)
        s.sendall(b"POST /v1/rules/apply HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
                  % (len(body), body))
        wait(random.random() / 10)
        s.close()
        h.wait_until(lambda: running(ours)[1][main_file(ours)] == read(main_file(ours)),
                     "disk and daemon agree")
        h.wait_until(lambda: not left_behind(ours), "nothing left behind")
    ours.stop()


def test_stop():
    """A stop in the middle of an apply: it ends well, and the next start has the old rules or the new"""
    ours = up(MORE + ROUTES, EXTRA)
    for n in range(6):
        version, files = running(ours)
        new = {name: text + f"# {n}\n" for name, text in files.items()
               if name in (main_file(ours), more_file(ours))}
        body = {"base": version, "why": "x",
                "files": [{"name": k, "text": v} for k, v in new.items()]}
        asking = threading.Thread(target=lambda: try_apply(ours, body))
        asking.start()
        wait(random.random() / 10)
        ours.stop()
        asking.join()
        h.equal(left_behind(ours), [], "left behind")
        ours.start()
        h.check(running(ours)[1] in (files, {**files, **new}), "a mixture")
    ours.stop()


def test_kill():
    """kill -9 during applies: the daemon always starts, with the old rules or the new, never a mixture"""
    ours = up(MORE + ROUTES, EXTRA)
    seen = {"old": 0, "new": 0, "ended": 0}
    for n in range(12 if h.SANITIZED else 30):
        version, files = running(ours)
        new = {name: text for name, text in files.items()}
        for name in (main_file(ours), more_file(ours)):
            new[name] = "\n".join(l for l in files[name].split("\n") if not l.startswith("# n=")) \
                + f"# n={n}\n"
        body = {"base": version, "why": str(n), "files": [
            {"name": name, "text": new[name]} for name in (main_file(ours), more_file(ours))]}
        asking = threading.Thread(target=lambda: try_apply(ours, body))
        asking.start()
        wait(random.random() * (0.6 if h.SANITIZED else 0.15))
        ours.kill9()
        asking.join()
        before = len(ours.log.events("rules"))
        ours.start()
        version, now = running(ours)
        h.check(now in (files, new), f"a mixture: {[t[-30:] for t in now.values()]}")
        h.equal({name: read(name) for name in now}, now, "on disk")
        seen["old" if now == files else "new"] += 1
        seen["ended"] += len(ours.log.events("rules")) > before
        h.equal(left_behind(ours), [], "left behind")
    h.note(f"after kill -9: {seen}")
    ours.stop()


def try_apply(ours, body):
    try:
        ask(ours, "POST", "/v1/rules/apply", body, want=None)
    except (OSError, http.client.HTTPException, ValueError):
        pass


def test_cut_off_between():
    """A start finds a change half made: it is ended; one not begun is dropped; an edit since stays"""
    ours = up(MORE + ROUTES, EXTRA)
    version, files = running(ours)
    journal = os.path.join(ours.config.state, "rules.change")
    beside = {n: os.path.join(os.path.dirname(n), f".{os.path.basename(n)}.oiwake-new")
              for n in (main_file(ours), more_file(ours))}

    def was(name):
        s = os.stat(name)
        return [s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns]

    def cut_off(ready):
        ours.kill9()
        for name, new in beside.items():
            put(new, read(name) + "# new\n")
        put(journal, json.dumps({"ready": ready, "files": [
            {"name": n, "new": new, "was": was(n)} for n, new in beside.items()]}))

    cut_off(False)
    ours.start()
    h.equal(running(ours), (version, files), "one not begun")
    h.equal(left_behind(ours), [], "left behind")
    cut_off(True)
    os.rename(beside[main_file(ours)], main_file(ours))
    ours.start()
    now = running(ours)[1]
    h.check(all(now[n].endswith("# new\n") for n in beside), f"one half made: {now}")
    h.check(any("cut off" in e["line"] for e in ours.log.events("rules")), "the log says nothing")
    cut_off(True)
    put(more_file(ours), EXTRA + "# by hand\n")
    ours.start()
    h.equal(running(ours)[1][more_file(ours)], EXTRA + "# by hand\n", "an edit since")
    h.equal(left_behind(ours), [], "left behind")
    ours.kill9()
    for text in ("", "{", "[]", '{"ready":true}', '{"ready":true,"files":[1,{"name":"x"}]}'):
        put(journal, text)
        ours.start()
        h.equal(left_behind(ours), [], f"left behind of {text!r}")
        ours.kill9()


def test_tried_on_much_mail():
    """The preview asks about the latest mail, in bounded time, whatever patterns there are"""
    ours = up("route all to any discard\n")
    with h.smtp(ours.port("relay")) as s:
        for n in range(40):
            s.sendmail("info@news.test", [f"{'a' * 40}{n}x{i}@d{n}.test" for i in range(100)], h.message())
    sent = edit(ours, "route all", "route last to domain d39.test hold\nroute all")
    answer = post(ours, "diff", files=sent, limit=1000)
    h.equal((answer["recipients"], answer["changed"], answer["complete"]), (1000, 100, True), "latest")
    hard = "".join(f"route r{n} to /^(a+)+{n}$/ hold\n" for n in range(20))
    sent = edit(ours, "route all", hard + "route all")
    answer = post(ours, "diff", files=sent)
    h.check(answer["recipients"] <= 4000 and answer["limited"] > 0, f"{answer['recipients']}")
    h.equal(ask(ours, "GET", "/v1/status")["stopping"], False, "status")
    ours.stop()


if __name__ == "__main__":
    h.main()
