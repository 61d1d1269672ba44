"""signature.py - what two independent verifiers say of a DKIM signature.

dkimpy gets the key from the sandbox's DNS through dig. opendkim-testmsg resolves as the system does, so
it runs in a network of its own where a sandbox with the same zone listens on port 53.
"""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess

import harness as h

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def dkimpy(net, data):
    """What dkimpy complains of; empty when every signature of the message verifies."""
    try:
        import dkim
    except ImportError:
        raise h.Skip("dkimpy is not installed") from None
    server = net.said["dns"]

    def key(name, timeout=5):
        name = name.decode() if isinstance(name, bytes) else name
        out = h.run(["dig", f"@{server['address']}", "-p", str(server["port"]), "+short", name,
                     "TXT"]).stdout
        return out.strip().replace('" "', "").strip('"').encode()
    signatures = data.lower().count(b"\r\ndkim-signature:") + data.lower().startswith(
        b"dkim-signature:")
    h.check(signatures > 0, "no DKIM-Signature")
    verifier = dkim.DKIM(data)
    try:
        good = [verifier.verify(idx=i, dnsfunc=key) for i in range(signatures)]
    except dkim.DKIMException as error:
        return str(error)
    return "" if all(good) else f"signatures good: {good}"


def private_network(resolv_conf):
    """For preexec_fn: a network with nothing but lo, and this resolv.conf."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter():
        if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
            os._exit(77)
        libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
        if libc.mount(resolv_conf.encode(), b"/etc/resolv.conf", None, MS_BIND, None) != 0:
            os._exit(77)
        with socket.socket() as s:
            request = struct.pack("16sh", b"lo", 0).ljust(40, b"\0")
            flags = struct.unpack_from("16sh", fcntl.ioctl(s, SIOCGIFFLAGS, request))[1]
            fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP).ljust(40, b"\0"))
    return enter


def testmsg(zone_lines, data):
    """What opendkim-testmsg complains of; empty when it accepts the signature."""
    h.need_root()
    resolv = h.work.write("resolv.conf", "nameserver 127.0.0.1\n")
    zone = h.work.write("testmsg.zone", "".join(line + "\n" for line in zone_lines))
    script = ('"$1" --dns-port 53 --zone "$2" >"$3" & sandbox=$!; '
              'until grep -qs ready "$3"; do kill -0 $sandbox || exit 70; sleep 0.05; done; '
              'opendkim-testmsg; status=$?; kill $sandbox; exit $status')
    done = subprocess.run(
        ["sh", "-c", script, "sh", h.SANDBOX, zone, h.work.file("testmsg.out")], input=data,
        capture_output=True, preexec_fn=private_network(resolv), timeout=h.PATIENCE)
    h.need(done.returncode != 77, "no private network here")
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    return said or (f"status {done.returncode}" if done.returncode else "")
