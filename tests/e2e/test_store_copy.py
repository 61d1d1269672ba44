"""`oiwake store copy`: everything there and back is the same, also when it was killed on the way."""

import contextlib
import itertools
import os
import random
import sqlite3
import subprocess
import time

import harness as h
from postgres import cluster, psql

RECIPIENTS = int(os.environ.get("OIWAKE_COPY_RECIPIENTS", "20000"))
LIMIT = h.PATIENCE + RECIPIENTS / 1000

# Tables that are made from others, and what only SQLite has.
DERIVED = {"event_hour", "event_whom", "sqlite_sequence", "copied", "traffic"}


def directory(name):
    path = os.path.join(h.work.path, name)
    os.mkdir(path)
    return path


def copy(*args, status=0):
    return h.run([h.OIWAKE, "store", "copy", *args], status=status, limit=LIMIT)


def database(path):
    return contextlib.closing(sqlite3.connect(os.path.join(path, "oiwake.db")))


def fill(path, n):
    """n recipients of n / 2 messages that wait, and as much of everything else as they would leave behind."""
    with database(path) as db, db:
        db.execute("CREATE TEMP TABLE n AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c"
                   f" WHERE x < {n}) SELECT x FROM c")
        db.execute("INSERT INTO message SELECT x << 22, x + 1700000000000, 'a' || x || '@news.test', '', 0, 0, '',"
                   " 'relay', '192.0.2.1', 'news.test', '<' || x || '@news.test>', 1000, 100, 2, '', ''"
                   " FROM n WHERE x % 2 = 0")
        db.execute("INSERT INTO body SELECT id, CAST('Subject: ' || id || char(13, 10, 13, 10) || 'caf\u00e9' || char(0)"
                   " || x'ff' AS BLOB) FROM message")
        db.execute("INSERT INTO recipient SELECT (x - x % 2 + 2) << 22, x % 2, 0, x % 65536, x, 2000000000000,"
                   " x % 5, 0, 0, x % 97 = 0, 0, 'u' || x || '@docomo.ne.jp', '', '450 try later', 'mta', 'p', 's',"
                   " 'docomo', 'docomo', 'r', 'v', '', 'news.test', 0, '' FROM n WHERE (x - x % 2 + 2) <="
                   " (SELECT max(x) FROM n)")
        db.execute("INSERT INTO event SELECT x, x + 1700000000000, x << 22, 0, 1 + x % 9, 'news.test',"
                   " 'u' || x || '@docomo.ne.jp', 'mta', 'docomo', 'docomo', 's', 'r', 250, '2.0.0', 'data',"
                   " 'delivered', 'Ok \u3042', '192.0.2.2', '', 'v' FROM n")
        db.execute("INSERT INTO suppression SELECT x, CASE x % 3 WHEN 0 THEN 'ses' ELSE '' END,"
                   " 'gone' || x || '@au.com', 'userunknown', 'oiwake', x % 3, x, 'smtp', '550 no', 'mta', x, 0, 0, 0"
                   " FROM n WHERE x % 10 = 0")
        db.execute("INSERT INTO strike SELECT 'gone' || x || '@au.com', 'full', x, 0, x, 2000000000000 + x FROM n"
                   " WHERE x % 20 = 0")
        db.execute("INSERT INTO mail SELECT x << 22, 1700000000000 + x, x * 7919, '{}' FROM n WHERE x % 2 = 0")
        db.execute("INSERT INTO sent_key VALUES(1, 'mta', 'docomo', 'docomo', 'news.test', 's', 'r', '')")
        db.execute("INSERT INTO sent SELECT x << 22, 5, x, 2000000000000, 1, 6, 'u' || x || '@docomo.ne.jp', '',"
                   " x'0102', '' FROM n WHERE x % 2 = 1")
        db.execute("INSERT INTO counter SELECT 'mta', 'docomo', 'docomo', 'd' || x || '.test', 's', 'r', '',"
                   " x, x, x, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM n WHERE x <= 2000")
        db.execute("INSERT INTO kept VALUES('pause', 'k', 'v', 0), ('x', '', '\u3042', 2000000000000)")
        db.execute("INSERT INTO dead_letter VALUES(7, 1, 'sqs', 'i', 'why', x'00ff00')")
        db.execute("INSERT INTO ruleset VALUES(3, 1, 'v', 'root', 1, 9)")
        db.execute("INSERT INTO rules_file VALUES('v', 0, 'rules.conf', 'route all\n')")


def tables(db):
    return sorted({n for n, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")} - DERIVED)


def in_order(db, name):
    """Its rows, one after the other, in the order of all their columns."""
    columns = len(db.execute(f"PRAGMA table_info({name})").fetchall())
    return db.execute(f"SELECT * FROM {name} ORDER BY {', '.join(str(k + 1) for k in range(columns))}")


def same(a, b):
    with database(a) as left, database(b) as right:
        h.equal(tables(left), tables(right), "tables")
        for name in tables(left):
            for n, (one, other) in enumerate(itertools.zip_longest(in_order(left, name), in_order(right, name))):
                h.check(one == other, lambda: f"table {name} differs in row {n}: {one} and {other}")


def size_of(path):
    return f"{os.path.getsize(os.path.join(path, 'oiwake.db')) / 2**20:.0f} MB"


def filled(n):
    empty, a = directory("empty"), directory("a")
    copy(empty, a)
    fill(a, n)
    return a


def test_there_and_back():
    """SQLite to PostgreSQL to SQLite: every row is the same"""
    a, b = filled(RECIPIENTS), directory("b")
    url = cluster().database()
    began = time.monotonic()
    said = copy(a, url).stdout
    h.check("recipient" in said and "the same in both" in said, said)
    there = time.monotonic()
    copy(url, b)
    h.note(f"{RECIPIENTS} recipients: there {there - began:.1f} s, back {time.monotonic() - there:.1f} s; "
           f"{size_of(a)} in SQLite, {psql(url, 'SELECT pg_size_pretty(pg_database_size(current_database()))')[0][0]}"
           " in PostgreSQL")
    same(a, b)


def test_bytes_that_are_no_text():
    """What SQLite took and PostgreSQL does not: bytes that are no UTF-8 arrive as question marks"""
    a, b = filled(10), directory("b")
    with database(a) as db, db:
        db.execute("UPDATE event SET text = CAST(x'41ff42e38142' AS TEXT) WHERE seq = 3")
    url = cluster().database()
    copy(a, url)
    copy(url, b)
    with database(b) as db:
        h.equal(db.execute("SELECT text FROM event WHERE seq = 3").fetchone()[0], "A?B??B", "the text")


def test_killed_on_the_way():
    """kill -9 in the middle, again and again: it goes on where it was, and all is the same"""
    a, b = filled(RECIPIENTS), directory("b")
    kills = 0
    url = cluster().database()
    for source, target in [(a, url), (url, b)]:
        for n in range(10):
            # The first before any machine is through, the others further on.
            patience = 0.05 + (random.random() * RECIPIENTS / 10000 if n else 0.05)
            child = subprocess.Popen([h.OIWAKE, "store", "copy", source, target], stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE, text=True, preexec_fn=h.die_with_parent)
            try:
                _, said = child.communicate(timeout=patience)
            except subprocess.TimeoutExpired:
                child.kill()
                child.communicate()
                kills += 1
                continue
            h.equal((child.returncode, said if child.returncode else ""), (0, ""), "the copy that ended")
            break
        else:
            copy(source, target)
    h.check(kills > 0, "nothing was killed")
    h.note(f"killed {kills} times")
    same(a, b)


def test_marks():
    """Nobody runs on what was copied, nor on what is half a copy; unmark says otherwise; what is full is refused"""
    a, b, c = filled(50), directory("b"), directory("c")
    copy(a, b)
    h.check("the same in both" in copy(a, b).stdout, "a copy that was ended when all was done")
    said = copy(b, a, status=1).stderr
    h.check("has been copied" in said, said)
    with database(b) as db, db:
        db.execute("INSERT INTO kept VALUES('new', '', '', 0)")
    h.check("not empty" in copy(a, b, status=1).stderr, "it has been used since")
    with database(b) as db, db:
        db.execute("DELETE FROM kept WHERE kind = 'new'")
    h.run([h.OIWAKE, "store", "unmark", a])
    said = h.run([h.OIWAKE, "store", "unmark", a], status=1).stderr
    h.check("bears no mark" in said, said)
    said = copy(a, b, status=1).stderr
    h.check("not empty" in said, said)
    copy(b, c)
    same(a, c)
    with database(c) as db, db:
        db.execute("CREATE TABLE copying(at)")
    said = h.run([h.OIWAKE, "store", "unmark", c], status=1).stderr
    h.check("not been finished" in said, said)


def test_what_does_not_fit():
    """Words that are none, a store that is not there, one that somebody runs on, one that changed meanwhile"""
    a, b = filled(50), directory("b")
    for args in ([], ["copy"], ["copy", a], ["copy", a, a], ["unmark"], ["move", a, b]):
        h.check(h.run([h.OIWAKE, "store", *args], status=2).stderr, args)
    h.check("cannot open" in copy("/nonexistent/x", b, status=1).stderr, "a directory that is not there")
    h.check(copy(a, "postgresql://127.0.0.1:1/x", status=1).stderr, "a database that is not there")
    copy(a, b)
    with database(b) as db, db:
        db.execute("CREATE TABLE copying(at)")
        db.execute("DELETE FROM recipient WHERE message = (SELECT min(message) FROM recipient)")
    said = copy(a, b, status=1).stderr
    h.check("differs" in said, said)


if __name__ == "__main__":
    h.main()
