"""nodes.py - the store in SQLite, in PostgreSQL with one node and with more, and Postfix, by turns in one run.

PostgreSQL is Debian's, as it comes but for what tests/postgres sets, its data on the same disk, fsync and
synchronous_commit on.
The nodes, the database, source and sink share this machine's processors, so what more nodes gain here is little; what
they cost each other is seen. Processor time is that of all processes of a product, the database's apart.
"""

import os
import re
import statistics
import time
import urllib.request

import harness as h
import oiwake
from postgres import Postgres
from wire import (MESSAGES, ROUNDS, SESSIONS, Sink, finish, oiwake_start, postfix_start, relay_once, source, tree_cpu)

DUE = int(os.environ.get("BENCH_DUE", "1000000"))
NODES = (1, 2, 4)
SHELVES = max(1, DUE // 10000)


def postmaster(db):
    path = db.psql("SHOW data_directory")[0][0]
    with open(os.path.join(path, "postmaster.pid")) as f:
        return int(f.readline())


def start_nodes(db, sink_port, n):
    """n daemons on one database."""
    url = db.database()
    up = []
    for i in range(n):
        config = oiwake.bench_config(f"node{n}{i}", sink_port, connections=SESSIONS, store=url, node=f"n{i}",
                                     lease="30s")
        config.monitor = h.free_port()
        config.text += f'\nweb "monitor" {{\n\taddress = "127.0.0.1:{config.monitor}"\n\tmetrics = yes\n}}\n'
        config.save()
        up.append(oiwake.Oiwake(config))
    return up


def asked(nodes):
    """(statements, round trips) that the nodes have made so far."""
    sums = [0, 0]
    for node in nodes:
        with urllib.request.urlopen(f"http://127.0.0.1:{node.config.monitor}/metrics") as answer:
            text = answer.read().decode()
        for k, name in enumerate(("statements", "round_trips")):
            sums[k] += float(re.search(rf"^oiwake_store_{name}_total (\S+)$", text, re.M)[1])
    return sums


def once(nodes, sink_port, database):
    """MESSAGES through all of them: messages/s, taken in/s, ms of CPU of the nodes and of the database, statements and
    round trips, each per message."""
    sink = Sink(sink_port)
    cpu = sum(tree_cpu(n.process.pid) for n in nodes)
    theirs = tree_cpu(database)
    before = asked(nodes)
    start = time.monotonic()
    share = MESSAGES // len(nodes)
    for p in [source(n.port("relay"), share, True, sessions=max(2, SESSIONS // len(nodes))) for n in nodes]:
        finish(p, "smtp-source")
    taken = time.monotonic() - start
    count = share * len(nodes)
    sink.wait(count)
    took = time.monotonic() - start
    # What has been sent is settled a moment later.
    h.wait_until(lambda: nodes[0].queue_size() == 0, "all is settled", 60.0, pause=0.02)
    after = asked(nodes)
    cpu = sum(tree_cpu(n.process.pid) for n in nodes) - cpu
    theirs = tree_cpu(database) - theirs
    sink.stop()
    return (count / took, count / taken, cpu * 1000 / count, theirs * 1000 / count,
            (after[0] - before[0]) / count, (after[1] - before[1]) / count)


def show(name, figures):
    """A row of medians."""
    middle = [statistics.median(column) for column in zip(*figures)]
    cells = "".join(f"{x:12.{digits}f}" for x, digits in zip(middle, (0, 0, 3, 3, 1, 3)))
    print(f"  {name:24}{cells}", flush=True)
    return middle


def part_nodes():
    """Accepted and delivered with the store in SQLite and in PostgreSQL, by 1, 2 and 4 nodes."""
    db = Postgres(h.work.file("postgres"), ["fsync = on"])
    version, fsync, commit = (db.psql(f"SHOW {name}")[0][0]
                              for name in ("server_version", "fsync", "synchronous_commit"))
    print(f"\nnodes     {MESSAGES} messages of 5 KB, {SESSIONS} sessions kept open, {ROUNDS} rounds in turn; PostgreSQL"
          f" {version}, fsync {fsync}, synchronous_commit {commit}; medians")
    print(f"{'':26}{'messages/s':>12}{'taken in/s':>12}{'CPU ms each':>12}{'of database':>12}{'statements':>12}"
          f"{'round trips':>12}")
    sink_port = h.free_port()
    postfix = postfix_start(sink_port)
    alone = oiwake_start(sink_port, name="sqlite")
    main = postmaster(db)
    shared = {n: start_nodes(db, sink_port, n) for n in NODES}
    figures = {}
    for _ in range(ROUNDS):
        for name, port, cpu in (("Postfix", postfix.port, lambda: tree_cpu(postfix.master())),
                                ("SQLite", alone.port("relay"), lambda: tree_cpu(alone.process.pid))):
            rate, used, taken = relay_once(port, sink_port, cpu, True)
            figures.setdefault(name, []).append((rate, taken, used))
        for n, nodes in shared.items():
            figures.setdefault(f"PostgreSQL, {n} node{'s' * (n > 1)}", []).append(once(nodes, sink_port, main))
    middle = {name: show(name, rows) for name, rows in figures.items()}
    one = middle["PostgreSQL, 1 node"]
    print(f"  one node against SQLite {one[0] / middle['SQLite'][0]:.2f}x, against Postfix"
          f" {one[0] / middle['Postfix'][0]:.1f}x")
    for nodes in shared.values():
        for node in nodes:
            node.stop()
    alone.stop()
    postfix.stop()
    lease_times(db)


# A recipient that waits, of each message; many shelves, as many lanes and senders have.
FILL = """
INSERT INTO message(id, received, reverse_path, envid, ret, flags, "user", listener, client, header_from, message_id,
 size, header_size, nrcpt, tags)
 SELECT x << 22, x, 'info@news.test', '', 0, 0, '', 'relay', '192.0.2.1', 'news.test', '', 1000, 100, 1, ''
 FROM generate_series({0}::bigint, {1}) x;
INSERT INTO recipient(message, idx, state, shelf, due, expires, attempts, notify, flags, unread, delay_told, held_at,
 holder, address, skey, orcpt, last, path, pool, source, carrier, grp, rule, ruleset, configuration_set, sender, held)
 SELECT x << 22, 0, 0, x % {2}, x, 4000000000000, 0, 0, 0, 0, 0, 0, 0, 'user' || x || '@docomo.ne.jp',
 'user' || x || '@docomo.ne.jp', '', '', 'mta', 'keitai', 's', 'docomo', 'docomo', 'all', 'v', '', 'news.test', ''
 FROM generate_series({0}::bigint, {1}) x;
"""


def lease_times(db):
    """A batch of what is due, out of a queue of a hundredth, a tenth and the whole of DUE. A batch is of 100 recipients
    of as many messages, none of them on a page of another's."""
    url = db.database()
    name = re.search(r"/([^/?]+)\?", url)[1]
    config = oiwake.bench_config("lease", h.free_port(), store=url, node="lease")
    ours = oiwake.Oiwake(config)  # makes the tables
    ours.stop()
    # What is filled in is not what is measured, and what is measured is rolled back.
    db.set("fsync = off")
    print(f"\nlease     100 recipients of one shelf of {SHELVES}, out of a queue of so many that are due, in the "
          "database; medians of 50")
    done = 0
    for total in (DUE // 100, DUE // 10, DUE):
        for first in range(done + 1, total + 1, 100000):
            db.psql(FILL.format(first, min(first + 99999, total), SHELVES), name)
        done = total
        db.psql("ANALYZE", name)
        times, pages = [], []
        for k in range(50):
            text = "\n".join(row[0] for row in db.psql(LEASE.format(k * SHELVES // 50), name))
            h.check("Seq Scan" not in text and "using recipient_waiting" in text, text)
            h.check(re.search(r"CTE Scan on taken .* rows=100 ", text), text)
            times.append(float(re.search(r"Execution Time: (\S+) ms", text)[1]))
            pages.append(sum(int(n) for n in re.findall(r"(?:hit|read)=(\d+)", text.split("Buffers:")[1])))
        print(f"  {total:>12} due {statistics.median(times):8.2f} ms {statistics.median(pages):8.0f} pages looked at",
              flush=True)


# SQL_LEASE of pg_sql.c, of few columns, planned as pg_connect.c has it.
LEASE = """SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off;
SET enable_hashjoin = off; SET enable_mergejoin = off;
PREPARE lease(bigint, bigint, bigint, bigint) AS WITH taken AS (UPDATE recipient SET state = 1, holder = $4::bigint
 WHERE ctid = ANY(ARRAY(SELECT ctid FROM recipient WHERE holder = 0 AND shelf = $1 AND due <= $2 ORDER BY due LIMIT $3
 FOR UPDATE SKIP LOCKED)) AND holder = 0 RETURNING *)
 SELECT r.*, m.*, EXISTS (SELECT 1 FROM suppression s WHERE s.address = r.skey AND s.scope IN ('', r.path)
 AND s.state <> 2 AND (s.expires = 0 OR s.expires > $2)) FROM taken r JOIN message m ON m.id = r.message ORDER BY r.due;
BEGIN; EXPLAIN (ANALYZE, BUFFERS) EXECUTE lease({0}, 4000000000000, 100, 1); ROLLBACK"""
