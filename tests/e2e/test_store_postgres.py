"""Trouble with the database: 451 while it is away, nothing acknowledged is lost, and one clear state.

time limit: 400 s
"""

import contextlib
import itertools
import os
import smtplib
import time

import harness as h
from load import Load
from oiwake import Config, Oiwake, Sandbox
from postgres import Postgres, Proxy, cluster, database_of, psql
from test_restart import settle_up

TEMPLATES = ("user{}@ordinary.test", "user{}@docomo.ne.jp", "user{}@softbank.ne.jp", "unknown-{}@ordinary.test",
             "greylist1-{}@ordinary.test") * 3 + ("closedot1-{}@ordinary.test",)
LEASE = "10s"


probes, taken = itertools.count(), set()  # numbers, and addresses that were answered 250


def code_of(ours, to=None):
    """What a client is answered; 421 when it is not let in at all."""
    to = to or f"probe{next(probes)}@ordinary.test"
    with contextlib.suppress(smtplib.SMTPServerDisconnected):
        try:
            with h.smtp(ours.port("relay")) as s:
                s.sendmail("info@news.test", [to], h.message())
                taken.add(to)
                return 250
        except smtplib.SMTPResponseException as error:
            return error.smtp_code
        except smtplib.SMTPRecipientsRefused as error:
            return next(iter(error.recipients.values()))[0]
    return 421


def wait_code(ours, code, what, limit=None):
    h.wait_until(lambda: code_of(ours) == code, what, limit, pause=0.2)


def wait_reads(ours):
    """What only reads has a connection of its own, which may take a little longer."""
    h.wait_until(lambda: ours.cli("stats", status=None).returncode == 0, "statistics", pause=0.2)


def up(db, lease=LEASE, **config):
    """On a database of its own in that cluster, by a proxy."""
    net = Sandbox()
    way = Proxy(db.port)
    ours = Oiwake(Config(net, store=db.database(way.port), node="one", lease=lease, **config))
    return ours, net, way


def own():
    return Postgres(h.work.file("postgres"))


def through(trouble, ours, net, times=3):
    """trouble() under load, so often, each time until the database is there again. All is accounted for then."""
    load = Load(ours.port("relay"), TEMPLATES, pace=0.01)
    taken.clear()
    for _ in range(times):
        before = len(load.acknowledged)
        h.wait_until(lambda: len(load.acknowledged) > before + 60, "acknowledged mail", 2 * h.PATIENCE)
        trouble()
    before = len(load.acknowledged)
    h.wait_until(lambda: len(load.acknowledged) > before + 60, "acknowledged mail at the end", 2 * h.PATIENCE)
    load.finish()
    wait_reads(ours)
    ours.wait_empty(6 * h.PATIENCE)
    ours.stop()
    load.acknowledged |= taken
    settle_up(ours, net, load)
    refusals = {code for code, _ in load.refused} - {451}
    h.equal(refusals, set(), "refusals at MAIL other than 451")


# -- it goes and comes back ------------------------------------------------------------------------------

def test_connections_cut():
    """Connections that end under load, again and again: nothing acknowledged is lost, nothing twice without a word"""
    ours, net, way = up(cluster())
    through(way.cut, ours, net, times=8)


def test_away_and_back():
    """451 while it cannot be reached, few attempts to reach it, one line of each in the log; then all goes on"""
    ours, net, way = up(cluster())
    net.control("set ordinary mood tempmail")
    h.equal(code_of(ours, "before@ordinary.test"), 250, "before")
    way.refuse()
    wait_code(ours, 451, "451")
    began, count = time.monotonic(), len(way.opened)
    while time.monotonic() < began + 5:
        h.equal(code_of(ours), 451, "while it is away")
        time.sleep(0.1)  # a client that tries again
    attempts = len(way.opened) - count
    h.check(attempts <= 40, f"{attempts} attempts to connect within 5 s")
    h.check(len(way.opened) > count, "nobody tries to connect")
    net.control("set ordinary mood normal")
    way.resume()
    wait_code(ours, 250, "250 again")
    net.journal.wait_delivered("before@ordinary.test")
    wait_reads(ours)
    ours.wait_empty()
    h.wait_until(lambda: [e["state"] for e in ours.log.events("store") if "state" in e] == ["away", "back"],
                 "one clear state, and its end")


def test_stalled():
    """A network that drops everything: 451 in time, and all goes on afterwards"""
    ours, net, way = up(cluster(), lease="2s")
    h.equal(code_of(ours), 250, "before")
    way.stall()
    wait_code(ours, 451, "451", 2 * h.PATIENCE)
    way.cut()
    way.resume()
    wait_code(ours, 250, "250 again", 2 * h.PATIENCE)
    wait_reads(ours)
    ours.wait_empty()


def test_immediate_restart():
    """PostgreSQL restarted in immediate mode under load"""
    db = own()
    ours, net, _ = up(db)
    through(db.restart_immediate, ours, net)


def test_killed():
    """kill -9 of all of PostgreSQL under load, away for longer than a lease"""
    db = own()
    ours, net, _ = up(db, lease="2s")

    def trouble():
        db.kill9()
        wait_code(ours, 451, "451")
        time.sleep(2.5)  # longer than the lease
        db.start()

    through(trouble, ours, net, times=2)


def test_read_only():
    """A server that takes no writes, as a standby: 451, and deliveries are settled when it does again"""
    db = own()
    ours, net, _ = up(db)

    def trouble():
        db.read_only(True)
        wait_code(ours, 451, "451 while it is read-only")
        db.read_only(False)
        wait_code(ours, 250, "250 again")

    through(trouble, ours, net, times=2)


def test_too_many_connections():
    """No connection to be had: 451, few attempts, and all goes on when there is one"""
    db = own()
    ours, net, way = up(db)

    def trouble():
        db.allow(0)
        db.terminate(ours.config.store)
        wait_code(ours, 451, "451 without a connection")
        count = len(way.opened)
        time.sleep(3)  # in which attempts are counted
        h.check(len(way.opened) - count <= 40, f"{len(way.opened) - count} attempts within 3 s")
        db.allow(-1)
        wait_code(ours, 250, "250 again", 2 * h.PATIENCE)

    through(trouble, ours, net, times=2)


def test_slow():
    """A database far away, 50 ms each way: slower, and otherwise as ever"""
    ours, net, way = up(cluster())
    way.delay = 0.05
    load = Load(ours.port("relay"), TEMPLATES[:4], threads=16)
    h.wait_until(lambda: len(load.acknowledged) > 300, "acknowledged mail", 4 * h.PATIENCE)
    load.finish()
    ours.wait_empty(6 * h.PATIENCE)
    ours.stop(4 * h.PATIENCE)
    settle_up(ours, net, load)


# -- starts that must fail, and those that must not -----------------------------------------------------------

def start_fails(config, *words, secrets=()):
    """Status 1, one line with these words, and none of the secrets in it or in the log; the same of `oiwake check`."""
    ours = Oiwake(config, start=False)
    ours.launch()
    ours.process.killed = True
    h.wait_until(lambda: not ours.process.running(), "oiwake ends", 2 * h.PATIENCE)
    said = ours.process.stderr()
    h.equal(ours.process.popen.returncode, 1, f"status ({said})")
    h.equal(len(said.strip().splitlines()), 1, f"lines: {said}")
    checked = ours.cli("check", status=1)
    for text in (said, checked.stderr):
        for word in words:
            h.check(word in text, f"no word on {word!r}: {text!r}")
    with open(config.log, encoding="utf-8") as f:
        everything = said + checked.stdout + checked.stderr + f.read()
    for secret in secrets:
        h.check(secret not in everything, f"{secret!r} is shown")


def plain(url, name, more="", **config):
    c = Config(None, name=name, store=url, dkim=False, **config)
    c.text = c.text.replace('node = "', more + 'node = "', 1)
    c.save()
    return c


def works(config):
    """It starts, and `oiwake check` names the database without its password."""
    said = h.run([h.OIWAKE, "check", "-c", config.path]).stdout
    h.check("postgresql://oiwake@" in said and "PostgreSQL" in said, said)
    ours = Oiwake(config)
    h.equal(ours.queue_size(), 0, "queue")
    ours.stop()
    return said


def test_starts_that_must_fail():
    """Wrong password, nobody there, no such database, newer schema, another program's: one clear line, status 1"""
    db = cluster()
    url = db.database()
    good = db.password
    start_fails(plain(url.replace(good, "geheim-falsch"), "password"), "password authentication failed",
                secrets=("geheim-falsch", good))
    nobody = h.free_port()
    start_fails(plain(db.url(database_of(url), nobody), "nobody"), str(nobody), "refused", secrets=(good,))
    start_fails(plain(db.url("nosuch"), "nosuch"), "nosuch", "does not exist", secrets=(good,))
    works(plain(url, "good"))
    psql(url, "UPDATE oiwake_schema SET version = 9999")
    start_fails(plain(url, "newer"), "schema 9999", secrets=(good,))
    other = db.database()
    psql(other, "CREATE TABLE message(a int)")
    ours = Oiwake(plain(other, "other"), start=False)
    ours.launch()
    ours.process.killed = True
    h.wait_until(lambda: not ours.process.running(), "oiwake ends", 2 * h.PATIENCE)
    h.check("another program" in ours.process.stderr(), ours.process.stderr())


def test_tls():
    """TLS that is verified in full, and a certificate of another authority or for another name"""
    db = own()
    url = db.database()
    name = database_of(url)
    ca = os.path.join(db.folder, "ca.crt")
    ca = ca if os.path.exists(ca) else db.ask("url", "tls").split("sslrootcert=")[1].replace("%2F", "/")
    full = "sslmode=verify-full&sslrootcert=" + ca.replace("/", "%2F")
    said = works(plain(db.url(name, host="localhost", options=full), "good"))
    h.check("TLS" in said, said)
    start_fails(plain(db.url(name, host="wrong.test", options=full + "&hostaddr=127.0.0.1"), "name"), "wrong.test",
                secrets=(db.password,))
    other = plain(url, "other")
    bad = full.replace(ca.replace("/", "%2F"), os.path.join(other.top, "cert.pem").replace("/", "%2F"))
    start_fails(plain(db.url(name, host="localhost", options=bad), "authority"), "certificate verify failed",
                secrets=(db.password,))


def test_password_file():
    """The password from a file that nobody else may read; what is open to others, or empty, is refused"""
    db = cluster()
    url = db.url(database_of(db.database()), password=False)
    key = 'store-password-file = "db-password"\n'

    def config(name, text, mode):
        c = plain(url, name, key)
        c.write("db-password", text, mode)
        return c

    works(config("good", db.password + "\nsecond line\n", 0o600))
    start_fails_lines(config("open", db.password + "\n", 0o644), "others have access", db.password)
    start_fails_lines(config("empty", "\n", 0o600), "is empty", db.password)
    start_fails(config("wrong", "geheim-falsch\n", 0o600), "password authentication failed",
                secrets=("geheim-falsch",))


def start_fails_lines(config, word, secret):
    """What the settings' own check finds: file and line."""
    said = h.run([h.OIWAKE, "check", "-c", config.path], status=1).stderr
    h.check(word in said and "oiwake.conf:" in said and secret not in said, said)


def test_token_command():
    """A command gives the password, anew before each connection; one that fails is named, and its output is not"""
    db = own()
    way = Proxy(db.port)
    url = db.url(database_of(db.database()), way.port, password=False)
    calls = h.work.write("calls", "")
    token = h.work.write("token-now", db.password + "\n", 0o600)
    command = f"echo x >> {calls}; cat {token}"
    config = plain(url, "token", f'store-token-command = "{command}"\n')
    ours = Oiwake(config)
    before = os.path.getsize(calls)
    h.check(before >= 2, "the command has not run")
    db.psql("ALTER ROLE oiwake PASSWORD 'another one'", "postgres")
    h.work.write("token-now", "another one\n", 0o600)
    way.cut()
    h.wait_until(lambda: os.path.getsize(calls) > before, "the command runs again")
    wait_code_local(ours)
    ours.stop()
    start_fails(plain(url, "failing", 'store-token-command = "echo geheim-falsch; exit 3"\n'), "token command failed",
                secrets=("geheim-falsch",))


def wait_code_local(ours):
    """Asks the store something, for mail has nowhere to go here."""
    h.wait_until(lambda: ours.cli("suppress add", "x@ordinary.test", "--why", "a test", status=None).returncode == 0,
                 "the store answers", 2 * h.PATIENCE, pause=0.2)


if __name__ == "__main__":
    h.main()
