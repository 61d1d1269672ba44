"""churn.py - a queue that stays as long as it is, and how large the tables of its database become.

Mail comes at a steady rate and goes at once; beside it a number of recipients wait for a host that does not answer,
and are tried again and again. Each minute what PostgreSQL's tables and indexes take on disk is printed: what grows
there although the queue does not would grow without bound.
"""

import os
import threading
import time

import harness as h
import oiwake
from latency import answer_times
from postgres import Postgres, database_of
from wire import SESSIONS, SIZE, Sink, finish, source

MINUTES = int(os.environ.get("BENCH_CHURN", "10"))
RATE = int(os.environ.get("BENCH_CHURN_RATE", "200"))
WAITING = int(os.environ.get("BENCH_CHURN_WAITING", "20000"))
RETRY = 60

# Tables with what is kept beside them of long values, and what of the queue's indexes.
SIZES = """
SELECT c.relname, CASE c.relkind WHEN 'i' THEN pg_relation_size(c.oid) ELSE pg_table_size(c.oid) END
 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'i') AND n.nspname = 'public'
 AND (c.relname SIMILAR TO '(recipient|message|body)%' OR c.relname IN ('traffic', 'counted')) ORDER BY 1"""


def show(db, name, titles, more):
    rows = db.psql(SIZES, name)
    if titles:
        print("  " + "".join(f"{title:>18}" for title, _ in rows))
    leaves = db.psql("SELECT leaf_pages, deleted_pages, avg_leaf_density FROM pgstatindex('recipient_pkey')", name)
    sizes = "".join(f"{int(size) // 1024:18}" for _, size in rows)
    print(f"  {sizes}  {' '.join(leaves[0])}  {more}", flush=True)


def part_churn():
    """Sizes of the tables of a queue of steady length."""
    db = Postgres(h.work.file("postgres"), ["fsync = on"])
    url = db.database()
    name = database_of(url)
    db.psql("CREATE EXTENSION pgstattuple", name)
    sink_port = h.free_port()
    sink = Sink(sink_port)
    config = oiwake.bench_config("churn", sink_port, store=url, node="churn", lease="30s")
    config.write("oiwake.rules", "route held to domain held.test via dead\nroute all to any via mta\n"
                 f"shape default connections {SESSIONS} messages 1000 retry 1h expiry 5d\n"
                 f"shape path dead connections {SESSIONS} retry {RETRY}s expiry 5d\n")
    ours = oiwake.Oiwake(config)
    finish(source(ours.port("relay"), WAITING // 10, True, recipients=10, to="held@held.test"), "smtp-source")
    print(f"\nchurn     {WAITING} recipients that are tried each {RETRY} s, and {RATE} messages/s beside them, for"
          f" {MINUTES} minutes; kB, and of recipient_pkey the pages that are leaves and that are free, and how full"
          " leaves are (%)")
    load = threading.Thread(target=answer_times, args=(ours.port("relay"), RATE, MINUTES * 60, SIZE, SESSIONS),
                            daemon=True)
    start = time.monotonic()
    load.start()
    for minute in range(MINUTES + 1):
        h.wait_until(lambda: time.monotonic() - start >= minute * 60, f"minute {minute}", 90, pause=0.5)
        show(db, name, minute == 0, f"queue {ours.queue_size()}, sent {sink.messages()}")
    load.join(60)
    ours.stop()
    sink.stop()
