"""A message of 40 MB goes in and out whole, and costs no more memory than one of 1 MB; with PostgreSQL not without bound.

time limit: 240 s
"""

import hashlib

import harness as h
from oiwake import ON_POSTGRES, Config, Oiwake, Sandbox

ROOM = 12 * 1024  # KiB that 40 MB may cost over 1 MB
# In PostgreSQL it is one value of a row, which its client has in memory whole, and again as it goes over the wire.
if ON_POSTGRES:
    ROOM = 4 * 40 * 1024


def through(size, address):
    """Sends a message of `size` bytes; (oiwake's greatest resident memory in KiB)."""
    net = Sandbox()
    ours = Oiwake(Config(net))
    line = bytes(33 + n % 90 for n in range(74)) + b"\r\n"
    head = h.message(test_id=f"size{size}", body="")
    body = line * ((size - len(head)) // len(line))
    body += b"z" * (size - len(head) - len(body) - 2) + b"\r\n"
    data = head + body
    h.equal(len(data), size, "bytes of the message")
    want = hashlib.sha256(data).hexdigest()
    with h.Raw(ours.port("relay")) as s:
        s.reply()
        s.command("EHLO client.test", 250)
        s.command(f"MAIL FROM:<info@news.test> SIZE={size}", 250)
        s.command(f"RCPT TO:<{address}>", 250)
        s.command("DATA", 354)
        s.send(data.replace(b"\r\n.", b"\r\n.."))
        s.send(b".\r\n")
        h.equal(s.reply()[0], 250, "reply to the message")
    message = net.journal.wait_delivered(address, limit=6 * h.PATIENCE)[0]
    got = net.message_bytes(message)
    h.equal(hashlib.sha256(got).hexdigest(), message["sha256"], "kept file and journal")
    h.equal(hashlib.sha256(got[-size:]).hexdigest(), want, "sha256 of the message")
    h.check(len(got) - size < 4096, f"{len(got) - size} bytes of header were added")
    h.check("bad" not in message, f"the witness saw {message.get('bad')}")
    ours.wait_empty()
    peak = ours.process.status("VmHWM")
    ours.stop()
    net.process.stop()
    return peak


def compare(address, big):
    small_peak, big_peak = through(1_000_000, address), through(big, address)
    h.note(f"{address}: resident at most {small_peak / 1024:.1f} MB with 1 MB, "
           f"{big_peak / 1024:.1f} MB with {big / 1e6:.0f} MB")
    if not h.SANITIZED:
        h.check(big_peak - small_peak < ROOM,
                f"{big / 1e6:.0f} MB cost {(big_peak - small_peak) / 1024:.1f} MB more than 1 MB")


def test_by_mta():
    """40 MB by the mta path, signed"""
    compare("big@ordinary.test", 40_000_000)


def test_by_ses():
    """40 MB by SES, over TLS"""
    compare("big@example.com", 40_000_000)


if __name__ == "__main__":
    h.main()
