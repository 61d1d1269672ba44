"""latency.py - mail at a fixed rate, and how long each message waits for its 250.

Sessions stay open; the next free one takes the next message. A message that found no session free,
or that this program was too slow to send in time, counts as late: then the rate was not kept.
"""

import os
import selectors
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import harness as h  # noqa: E402


class Session:
    """One connection: idle, envelope sent, or waiting for the answer to the final dot."""

    def __init__(self, port):
        with h.Raw(port) as s:
            s.reply()
            s.command("EHLO latency.test", 250)
            self.sock = s.sock
            s.sock = socket.socket()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.dot = None
        self.buffer = b""

    def envelope(self):
        self.sock.send(b"MAIL FROM:<info@news.test>\r\nRCPT TO:<someone@sink.test>\r\nDATA\r\n")
        self.buffer = b""
        self.dot = None

    def readable(self, body):
        """The waiting time when the message has been answered, else None."""
        more = self.sock.recv(65536)
        now = time.monotonic()
        if not more:
            raise h.Failed("the connection was closed")
        self.buffer += more
        if self.dot is None:
            lines = self.buffer.split(b"\r\n")
            if len(lines) >= 4:
                if [l[:3] for l in lines[:3]] != [b"250", b"250", b"354"]:
                    raise h.Failed(f"refused: {self.buffer!r}")
                self.buffer = b""
                self.sock.send(body)
                self.dot = time.monotonic()
            return None
        if not self.buffer.endswith(b"\r\n"):
            return None
        if not self.buffer.startswith(b"250"):
            raise h.Failed(f"not taken: {self.buffer!r}")
        return now - self.dot


def answer_times(port, rate, seconds, size, sessions):
    """(seconds of each message, messages sent more than 20 ms late)."""
    body = h.message(body=("x" * 78 + "\r\n") * (size // 80)) + b".\r\n"
    selector = selectors.DefaultSelector()
    idle = [Session(port) for _ in range(sessions)]
    for s in idle:
        selector.register(s.sock, selectors.EVENT_READ, s)
    total, sent, late, times = rate * seconds, 0, 0, []
    start = time.monotonic()
    while len(times) < total:
        now = time.monotonic()
        while sent < total and idle and start + sent / rate <= now:
            late += now - (start + sent / rate) > 0.02
            # The one that has rested longest: none of them is to become idle for the server.
            idle.pop(0).envelope()
            sent += 1
        wait = start + sent / rate - now if sent < total and idle else 1.0
        for key, _ in selector.select(max(wait, 0)):
            took = key.data.readable(body)
            if took is not None:
                times.append(took)
                idle.append(key.data)
        if time.monotonic() - start > seconds * 10 + 60:
            raise h.Failed(f"only {len(times)} of {total} answered")
    for s in idle:
        s.sock.close()
    return times, late
