"""postgres.py - a database of PostgreSQL's, and what may happen to it and on the way to it.

    db = cluster()                     # the run's, or one of this test; Postgres() is always its own
    url = db.database()                # an empty database
    way = Proxy(db.port)               # on the way there: way.cut(), way.delay = 0.2, way.stall(), way.opened
    url = db.database(way.port)

The cluster is that of tests/postgres; Postgres.kill9 and the like are its verbs.
"""

import contextlib
import os
import re
import socket
import threading
import time

import harness as h

SCRIPT = os.path.join(h.ROOT, "tests", "postgres")


class Postgres:
    """A cluster in a folder. settings: of postgresql.conf, "max_connections = 30"."""

    def __init__(self, folder, settings=(), ours=True):
        self.folder = folder
        if ours:
            h.work.cleanups.append(lambda: h.run([SCRIPT, "remove", folder], status=None))
            # Of what the kernel has been given a kill -9 loses nothing.
            self.start("fsync = off", *settings)
        self.password = self.ask("url").split(":")[2].split("@")[0]
        self.port = int(self.ask("url", "tcp").split(":")[3].split("/")[0])

    def ask(self, verb, *args):
        return h.run([SCRIPT, verb, self.folder, *args]).stdout.strip()

    def start(self, *settings):
        self.ask("start", *settings)

    def stop(self, how="fast"):
        self.ask("stop", how)

    def kill9(self):
        self.ask("kill9")

    def restart_immediate(self):
        self.ask("restart-immediate")

    def psql(self, text, database="oiwake"):
        """Rows of what the superuser is answered, as lists of texts."""
        out = self.ask("psql", "-d", database, "-At", "-F", "\t", "-c", text)
        return [line.split("\t") for line in out.splitlines()]

    def database(self, port=None, options="sslmode=disable", host="127.0.0.1"):
        """The URL of a new one; port: of a proxy on the way there."""
        # Not by the process: its number comes again within a long run, and the cluster stays.
        name = f"e{os.urandom(8).hex()}"
        self.psql(f"CREATE DATABASE {name} OWNER oiwake", "postgres")
        return self.url(name, port, options, host)

    def url(self, name, port=None, options="sslmode=disable", host="127.0.0.1", password=True):
        secret = f":{self.password}" if password else ""
        return f"postgresql://oiwake{secret}@{host}:{port or self.port}/{name}?{options}"

    def set(self, setting):
        """In force for every connection when this returns, those that are there included; None: as before."""
        name, _, value = setting.partition(" = ")
        self.psql(f"ALTER SYSTEM SET {name} = {value}" if value else f"ALTER SYSTEM RESET {name}", "postgres")
        self.psql("SELECT pg_reload_conf()", "postgres")
        want = value or None
        h.wait_until(lambda: want is None or self.psql(f"SHOW {name}", "postgres")[0][0] == want, setting)

    def read_only(self, on):
        """As a standby is after a fail-over that DNS has not followed yet."""
        self.set(f"default_transaction_read_only = {'on' if on else 'off'}")

    def allow(self, connections):
        """So many at once for the role; -1: any. Those that are there stay until terminate()."""
        self.psql(f"ALTER ROLE oiwake CONNECTION LIMIT {connections}", "postgres")

    def terminate(self, url):
        """Ends every connection to that database from the server's side."""
        self.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                  f" WHERE datname = '{database_of(url)}' AND pid <> pg_backend_pid()", "postgres")

    def connections(self, url):
        return int(self.psql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database_of(url)}'",
                             "postgres")[0][0])


def database_of(url):
    return re.match(r"postgres(?:ql)?://[^/]*/([^?]*)", url)[1]


def cluster():
    """What tests/run has started; else one of this test."""
    folder = os.environ.get("OIWAKE_CLUSTER")
    if not hasattr(h.work, "cluster"):
        h.work.cluster = (Postgres(os.path.join(h.ROOT, folder), ours=False) if folder
                          else Postgres(h.work.file("postgres")))
    return h.work.cluster


def psql(url, text):
    """Rows as lists of texts, asked by the role of that URL."""
    out = h.run(["psql", "-X", "-q", "-At", "-F", "\t", "-v", "ON_ERROR_STOP=1", url, "-c", text]).stdout
    return [line.split("\t") for line in out.splitlines()]


def await_older_transactions(url):
    """Until none is under way that had begun before now: one of another test's may take its time."""
    now = psql(url, "SELECT pg_snapshot_xmax(pg_current_snapshot())")[0][0]
    h.wait_until(lambda: int(psql(url, "SELECT pg_snapshot_xmin(pg_current_snapshot())")[0][0]) >= int(now),
                 "the end of older transactions")


class Proxy:
    """Loopback TCP between a node and its database, one thread per direction of a connection."""

    def __init__(self, to_port):
        self.to_port = to_port
        self.delay = 0          # seconds that what comes waits before it goes on, either way
        self.opened = []        # when each connection was asked for, time.monotonic()
        self.refusing = False   # connections are taken and closed at once
        self.flowing = threading.Event()
        self.flowing.set()
        self.pairs = []
        self.server = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        h.work.cleanups.append(self.close)

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.server.accept()
                self.opened.append(time.monotonic())
                self.connect(near)

    def connect(self, near):
        try:
            if self.refusing:
                raise OSError
            far = socket.create_connection(("127.0.0.1", self.to_port))
        except OSError:
            h.reset(near)
            return
        for s in (near, far):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pairs.append((near, far))
        for a, b in ((near, far), (far, near)):
            threading.Thread(target=self.carry, args=(a, b), daemon=True).start()

    def carry(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.delay:
                    time.sleep(self.delay)
                self.flowing.wait()
                sink.sendall(data)
        for s in (source, sink):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """Every connection that is there ends."""
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for s in pair:
                with contextlib.suppress(OSError):
                    s.shutdown(socket.SHUT_RDWR)

    def refuse(self):
        """Nothing gets through, and those who try see it at once."""
        self.refusing = True
        self.cut()

    def stall(self):
        """As a network that drops everything: connections stay, and nothing moves."""
        self.flowing.clear()

    def resume(self):
        self.refusing = False
        self.flowing.set()

    def close(self):
        self.server.close()
        self.resume()
        self.cut()
