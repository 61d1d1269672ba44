"""harness.py - what every end-to-end test stands on.

A test file holds functions named test_*, each taking nothing, and ends with `harness.main()`, which
runs them in order in this process and writes TAP. Each starts what it needs in a Work directory of
its own under the build folder; everything started dies with the test.

Nothing here sleeps for a fixed time: waiting is for a line in a growing file (inotify) or for a
condition asked again at short intervals, always with a limit.
"""

import contextlib
import ctypes
import json
import os
import random
import re
import select
import shutil
import signal
import smtplib
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("OIWAKE_BUILD", "build"))
OIWAKE = os.path.join(BUILD, "bin", "oiwake")
SANDBOX = os.path.join(BUILD, "bin", "oiwake-sandbox")
SANITIZED = "-address" in BUILD or "-thread" in BUILD
# Seconds until a condition counts as not coming, at least: a slow machine is no failure, and who asks for a
# limit asks for more.
PATIENCE = 90.0 if SANITIZED else 40.0

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
IN_MODIFY = 0x2
IN_CLOEXEC = 0o2000000
IN_NONBLOCK = 0o4000


class Skip(Exception):
    """Raised by a test that cannot run here; the text says why."""


class Failed(AssertionError):
    pass


def need(condition, why):
    if not condition:
        raise Skip(why)


def need_program(path):
    need(os.access(path, os.X_OK), f"{os.path.relpath(path, ROOT)} is not there")


def need_root():
    need(os.geteuid() == 0, "needs root")


def check(condition, what):
    """assert with a sentence; kept under python3 -O."""
    if not condition:
        raise Failed(what() if callable(what) else what)


def equal(got, want, what):
    check(got == want, f"{what}: got {got!r}, want {want!r}")


def note(text):
    """A line that tests/run shows although the test passes."""
    print(f"# note: {text}", flush=True)


def main():
    module = sys.modules["__main__"]
    tests = [(n, f) for n, f in vars(module).items() if n.startswith("test_") and callable(f)]
    if len(sys.argv) > 1:
        tests = [t for t in tests if t[0][5:] in sys.argv[1:] or t[0] in sys.argv[1:]]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(124))
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, (name, function) in enumerate(tests, 1):
        title = (function.__doc__ or name[5:].replace("_", " ")).split("\n")[0].rstrip(".")
        work_start(name)
        started = time.monotonic()
        try:
            function()
            result = f"ok {number} - {title}"
        except Skip as why:
            result = f"ok {number} - {title} # SKIP {why}"
        except (KeyboardInterrupt, SystemExit):
            work_show()
            work_end(keep=True)
            raise
        except BaseException:
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
            work_show()
            failed += 1
            result = f"not ok {number} - {title}"
        trouble = work_end(keep=result.startswith("not"))
        if trouble and result.startswith("ok"):
            print("\n".join(f"# {t}" for t in trouble))
            failed += 1
            result = f"not ok {number} - {title}"
        print(f"# took {time.monotonic() - started:.1f} s", flush=True)
        print(result, flush=True)
    sys.exit(1 if failed else 0)


# -- the directory and the processes of the test that is running -------------------------------

work = None


class Work:
    def __init__(self, name):
        base = os.path.join(BUILD, "e2e")
        os.makedirs(base, exist_ok=True)
        self.path = tempfile.mkdtemp(prefix=f"{name[5:]}-", dir=base)
        os.chmod(self.path, 0o755)
        self.processes = []
        self.cleanups = []

    def file(self, *names):
        return os.path.join(self.path, *names)

    def write(self, name, text, mode=0o644):
        """Whole at any moment, for a program that may be reading it."""
        path = self.file(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".part", "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path + ".part", mode)
        os.replace(path + ".part", path)
        return path


def work_start(name):
    global work
    work = Work(name)


def work_show():
    """The ends of all logs, for a failed test."""
    for folder, _, names in os.walk(work.path):
        for name in sorted(names):
            if name.endswith((".log", ".err")):
                path = os.path.join(folder, name)
                with open(path, errors="replace") as f:
                    tail = f.readlines()[-40:]
                if tail:
                    print(f"# --- {os.path.relpath(path, work.path)}")
                for line in tail:
                    print(f"#   {line.rstrip()[:400]}")


def work_end(keep):
    """Stops everything. Returns sentences about processes that ended badly by themselves."""
    trouble = []
    for process in reversed(work.processes):
        trouble += process.finish()
    for cleanup in reversed(work.cleanups):
        cleanup()
    if keep or trouble:
        print(f"# kept: {work.path}")
    else:
        shutil.rmtree(work.path, ignore_errors=True)
    return trouble


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Process:
    """A program whose standard output and error go to files of the test's directory."""

    sequence = 0

    def __init__(self, name, argv, env=None, cwd=None):
        Process.sequence += 1
        self.name = name
        stem = work.file(f"{name}.{Process.sequence}")
        self.out_path, self.err_path = stem + ".out", stem + ".err"
        self.killed = False
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.popen = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd,
                env={**os.environ, **(env or {})}, preexec_fn=die_with_parent)
        self.pid = self.popen.pid
        work.processes.append(self)

    def running(self):
        return self.popen.poll() is None

    def stderr(self):
        with open(self.err_path, errors="replace") as f:
            return f.read()

    def pause(self):
        """SIGSTOP: it does not run, and does not know. Until resume, or until it is killed."""
        self.popen.send_signal(signal.SIGSTOP)

    def resume(self):
        self.popen.send_signal(signal.SIGCONT)

    def kill9(self):
        self.killed = True
        self.popen.kill()
        self.popen.wait()

    def stop(self, limit=PATIENCE):
        """SIGTERM, and it has to end with status 0 in time."""
        self.killed = True
        if not self.running():
            raise Failed(f"{self.name} was dead already, status {self.popen.returncode}:\n"
                         + self.stderr()[-2000:])
        self.popen.terminate()
        try:
            status = self.popen.wait(limit)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise Failed(f"{self.name} did not end within {limit:.0f} s of SIGTERM")
        check(status == 0, f"{self.name} ended with status {status}:\n{self.stderr()[-4000:]}")

    def finish(self):
        trouble = []
        if self.running():
            self.popen.kill()
            self.popen.wait()
        elif not self.killed and self.popen.returncode != 0:
            trouble.append(f"{self.name} ended by itself with status {self.popen.returncode}")
        if re.search(r"(ERROR|WARNING): \w+Sanitizer|runtime error:", self.stderr()):
            trouble.append(f"{self.name}: sanitizer report in {self.err_path}")
            trouble += self.stderr().splitlines()[:60]
        return trouble

    def status(self, key):
        """A figure of /proc/PID/status in KiB, such as VmHWM."""
        with open(f"/proc/{self.pid}/status") as f:
            for line in f:
                if line.startswith(key + ":"):
                    return int(line.split()[1])
        raise Failed(f"no {key} of {self.name}")


def run(argv, input=None, status=0, env=None, limit=PATIENCE):
    """Runs a command to its end; checks its status unless that is None. Returns it, decoded."""
    done = subprocess.run(argv, input=input or b"", capture_output=True, timeout=limit,
                          env={**os.environ, **(env or {})}, preexec_fn=die_with_parent)
    done.stdout = done.stdout.decode("utf-8", "replace")
    done.stderr = done.stderr.decode("utf-8", "replace")
    if status is not None and done.returncode != status:
        raise Failed(f"{' '.join(argv)}: status {done.returncode}, want {status}\n"
                     f"{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done


# -- waiting -----------------------------------------------------------------------------------

def wait_until(condition, what, limit=None, pause=0.02):
    """Asks until the condition holds; returns what it returned."""
    limit = max(limit or 0, PATIENCE)
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"not within {limit:.0f} s: {what() if callable(what) else what}")
        select.select([], [], [], pause)


class Lines:
    """A growing text file, followed from its start. The file must exist."""

    def __init__(self, path):
        self.path = path
        self.file = open(path, "rb")
        self.rest = b""
        self.all = []
        self.inotify = libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC)
        libc.inotify_add_watch(self.inotify, os.fsencode(path), IN_MODIFY)
        work.cleanups.append(self.close)

    def close(self):
        if self.inotify >= 0:
            os.close(self.inotify)
            self.file.close()
            self.inotify = -1

    def read(self):
        """New whole lines since the last call."""
        data = self.rest + self.file.read()
        *lines, self.rest = data.split(b"\n")
        new = [self.parse(l.decode("utf-8", "replace")) for l in lines if l]
        self.all += new
        return new

    def parse(self, line):
        return line

    def wait(self, condition, what, limit=None, process=None):
        """Until condition(self.all) holds; asked again when the file grew, or that process has ended."""
        with contextlib.ExitStack() as stack:
            ends = [self.inotify]
            if process:
                ends.append(os.pidfd_open(process.pid))
                stack.callback(os.close, ends[-1])
            return self.wait_for(condition, what, max(limit or 0, PATIENCE), ends)

    def wait_for(self, condition, what, limit, ends):
        end = time.monotonic() + limit
        self.read()
        while True:
            value = condition(self.all)
            if value:
                return value
            left = end - time.monotonic()
            if left <= 0:
                raise Failed(f"not within {limit:.0f} s: {what() if callable(what) else what}")
            select.select(ends, [], [], left)
            with contextlib.suppress(BlockingIOError):
                os.read(self.inotify, 65536)
            self.read()


class JsonLines(Lines):
    def parse(self, line):
        return json.loads(line)


class LogLines(Lines):
    """Oiwake's log: dictionaries with time, level, event and the keys of the line."""

    PAIR = re.compile(r'([a-z0-9_]+)=("(?:[^"\\]|\\.)*"|\S*)')

    def parse(self, line):
        head = line.split(" ", 3)
        entry = {"time": head[0], "line": line}
        if len(head) > 2:
            entry["level"], entry["event"] = head[1], head[2]
        for key, value in self.PAIR.findall(head[3] if len(head) > 3 else ""):
            if value.startswith('"'):
                value = re.sub(r"\\(.)", r"\1", value[1:-1])
            entry.setdefault(key, value)
        return entry

    def events(self, name):
        self.read()
        return [e for e in self.all if e.get("event") == name]


# -- sockets -----------------------------------------------------------------------------------

_given = []


def free_port(address="127.0.0.1"):
    """A port that nothing listens on and that no test of this machine has been given; below those
    that the kernel gives to whoever connects, so that it is still free when it is used."""
    while True:
        port = random.randrange(10000, 32000)
        # Whoever has this name has the port, until its process ends.
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0oiwake-test-port-{port}")
        except OSError:
            claim.close()
            continue
        _given.append(claim)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((address, port))
            except OSError:
                continue
        return port


class Raw:
    """SMTP byte by byte, for what smtplib would never say."""

    def __init__(self, port, source="127.0.0.1", tls=None, host="127.0.0.1"):
        self.sock = socket.create_connection((host, port), PATIENCE, (source, 0))
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self.data = b""

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        while b"\n" not in self.data:
            try:
                more = self.sock.recv(65536)
            except (ConnectionResetError, ssl.SSLError):
                more = b""
            if not more:
                raise EOFError(f"connection closed; had {self.data!r}")
            self.data += more
        line, self.data = self.data.split(b"\n", 1)
        return (line + b"\n").decode("latin-1")

    def reply(self):
        """(code, text) of one reply, its lines joined by newlines."""
        texts = []
        while True:
            line = self.line()
            check(line.endswith("\r\n"), f"reply line without CRLF: {line!r}")
            check(re.match(r"[2-5][0-9][0-9][ -]", line), f"not a reply line: {line!r}")
            texts.append(line[4:].rstrip("\r\n"))
            if line[3] == " ":
                return int(line[:3]), "\n".join(texts)

    def command(self, line, want=None):
        self.send(line + "\r\n")
        code, text = self.reply()
        if want is not None:
            check(code == want, f"{line!r}: got {code} {text}, want {want}")
        return code, text

    def starttls(self, context=None):
        self.command("STARTTLS", 220)
        check(not self.data, f"bytes after the STARTTLS reply: {self.data!r}")
        self.sock = (context or client_tls()).wrap_socket(self.sock, server_hostname="localhost")

    def closed(self, limit=None):
        """True when the peer closes without another byte."""
        self.sock.settimeout(limit or PATIENCE)
        try:
            return self.data == b"" and self.sock.recv(1) == b""
        except (ConnectionResetError, ssl.SSLError):
            return True

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def client_tls():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def reset(sock):
    """Closes with a TCP reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def smtp(port, source="127.0.0.1", tls=False, user=None, password=None):
    s = smtplib.SMTP("127.0.0.1", port, "client.test", PATIENCE, (source, 0))
    s.ehlo()
    if tls:
        s.starttls(context=client_tls())
        s.ehlo()
    if user:
        s.login(user, password)
    return s


def message(subject="test", sender="info@news.test", to="someone", test_id=None, body=None,
            headers=()):
    """Bytes of a small message in wire form."""
    lines = [f"From: {sender}", f"To: {to}", f"Subject: {subject}",
             "Date: Sun, 22 Nov 2026 10:00:00 +0900",
             f"Message-ID: <{test_id or os.urandom(6).hex()}@test>"]
    if test_id:
        lines.append(f"X-Test-Id: {test_id}")
    lines += list(headers)
    return ("\r\n".join(lines) + "\r\n\r\n" + (body or "hello\r\n")).encode()
