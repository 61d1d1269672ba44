"""A full file system: new mail is put off, deliveries go on, nothing acknowledged is lost.

time limit: 300 s
"""

import ctypes
import os
import smtplib

import harness as h
from load import Load
from oiwake import Config, Oiwake, Sandbox, need_sqlite
from test_restart import settle_up

CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000
MIB = 1 << 20


def small_disk(mib):
    """A tmpfs of that size for the state, in a mount namespace that ends with this test."""
    need_sqlite("the disk is the database's")
    h.need_root()
    libc = ctypes.CDLL(None, use_errno=True)
    h.need(libc.unshare(CLONE_NEWNS) == 0, "no mount namespace here")
    libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    path = h.work.file("disk")
    os.makedirs(path)
    done = libc.mount(b"tmpfs", path.encode(), b"tmpfs", 0, f"size={mib}m".encode())
    h.need(done == 0, "cannot mount a tmpfs here")
    h.work.cleanups.append(lambda: libc.umount2(path.encode(), 2))
    os.makedirs(os.path.join(path, "state"))
    return path


def fill(disk, leave=0):
    """A file over all free space but `leave` bytes."""
    path = os.path.join(disk, "filler")
    with open(path, "ab", buffering=0) as f:
        block = b"\0" * 65536
        while True:
            s = os.statvfs(disk)
            free = s.f_bavail * s.f_frsize - leave
            if free <= 0:
                return path
            try:
                f.write(block[:free])
            except OSError:
                return path


def send(ours, to, body=None, test_id=None):
    """The code of the first refusal, or 250."""
    with h.smtp(ours.port("relay")) as s:
        try:
            s.sendmail("info@news.test", [to], h.message(test_id=test_id, body=body))
            return 250
        except smtplib.SMTPResponseException as error:
            return error.smtp_code
        except smtplib.SMTPRecipientsRefused as error:
            return next(iter(error.recipients.values()))[0]


def up(disk_mib=48):
    disk = small_disk(disk_mib)
    net = Sandbox(keep=False)
    ours = Oiwake(Config(net, state=os.path.join(disk, "state"), queue="reserve = 4MiB"))
    return disk, net, ours


def test_full_and_free_again():
    """452 for new mail while full; what is queued goes out; all is well when space returns"""
    disk, net, ours = up()
    net.control("set ordinary mood tempmail")
    net.control("set docomo mood tempmail")
    kept = []
    for n in range(20):
        for to in (f"early{n}@ordinary.test", f"early{n}@docomo.ne.jp"):
            h.equal(send(ours, to, body="x" * 70 + "\r\n" * 200), 250, "mail while there is space")
            kept.append(to)
    filler = fill(disk)
    codes = [send(ours, f"late{n}@ordinary.test") for n in range(5)]
    h.equal(set(codes), {452}, "replies while full")
    h.equal(send(ours, "bigone@ordinary.test", body=("x" * 76 + "\r\n") * 40000), 452,
            "a big message while full")
    net.control("set ordinary mood normal")
    ours.cli("queue retry", "--all", status=None)
    for n in range(20):
        net.journal.wait_delivered(f"early{n}@ordinary.test", limit=2 * h.PATIENCE)
    h.check(ours.process.running(), "oiwake is running")
    h.equal(send(ours, "still@ordinary.test"), 452, "reply while still full")
    os.unlink(filler)
    h.wait_until(lambda: send(ours, "again@ordinary.test") == 250, "mail is taken again", pause=0.2)
    net.journal.wait_delivered("again@ordinary.test")
    net.control("set docomo mood normal")
    ours.cli("queue retry", "--all", status=None)
    for to in kept:
        net.journal.wait_delivered(to, limit=2 * h.PATIENCE)
    ours.wait_empty()
    h.equal(ours.total("bounced"), 0, "bounced")
    h.equal(os.listdir(os.path.join(ours.config.state, "spool")), [], "files left in the spool")
    ours.stop()


def test_killed_while_full():
    """kill -9 on a full disk, several times: nothing acknowledged is lost"""
    disk, net, ours = up()
    load = Load(ours.port("relay"), ("user{}@ordinary.test", "user{}@docomo.ne.jp",
                                     "unknown-{}@ordinary.test"), threads=2)
    refused_to_start = 0
    for n in range(8):
        before = len(load.acknowledged)
        h.wait_until(lambda: len(load.acknowledged) > before + 20, "acknowledged mail")
        filler = fill(disk)
        refusals = len(load.refused)
        h.wait_until(lambda: len(load.refused) > refusals, "a refusal of new mail")
        ours.kill9()
        fill(disk)
        try:
            ours.start()
        except h.Failed:
            # Not enough room even to recover: one clear line, and nothing is broken by it.
            said = ours.process.stderr().strip()
            h.equal(len(said.splitlines()), 1, f"lines about a start on a full disk: {said!r}")
            ours.process.killed = True
            refused_to_start += 1
        os.unlink(filler)
        if not ours.process.running():
            ours.start()
    load.finish()
    h.equal({c for c, _ in load.refused} - {452, 421}, set(), "codes of the refusals")
    ours.wait_empty(4 * h.PATIENCE)
    ours.stop()
    twice, _ = settle_up(ours, net, load)
    h.note(f"8 kills on a full disk: {len(load.acknowledged)} recipients acknowledged, all accounted "
           f"for, {len(twice)} twice (unread), {refused_to_start} starts refused until there was room")


if __name__ == "__main__":
    h.main()
