"""signature.py - what three independent verifiers say of DKIM signatures.

dkimpy gets the key from the sandbox's DNS through dig, Mail::DKIM asks that itself. opendkim-testmsg
resolves as the system does, so it runs in a network of its own where a sandbox with the same zone
listens on port 53.
"""

import ctypes
import fcntl
import json
import os
import re
import socket
import struct
import subprocess

import harness as h

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


FIELD = re.compile(rb"^DKIM-Signature:.*\r\n(?:[ \t].*\r\n)*", re.M | re.I)


def split(data):
    """(signature fields, message without them); of the header alone."""
    end = data.find(b"\r\n\r\n")
    header, body = (data[:end + 2], data[end + 2:]) if end >= 0 else (data, b"")
    return FIELD.findall(header), FIELD.sub(b"", header) + body


def tag(field, name):
    """The value of one of a signature's tags, without blanks."""
    text = re.sub(r"\s+", "", field.decode("ascii").split(":", 1)[1])
    return dict(t.split("=", 1) for t in text.split(";") if t).get(name)


def key_from(net):
    """For dkimpy: looks a key up in the sandbox's DNS, once."""
    server, known = net.said["dns"], {}

    def key(name, timeout=5):
        name = name.decode() if isinstance(name, bytes) else name
        if name not in known:
            out = h.run(["dig", f"@{server['address']}", "-p", str(server["port"]), "+short", name,
                         "TXT"]).stdout
            known[name] = out.strip().replace('" "', "").strip('"').encode()
        return known[name]
    return key


def import_dkimpy():
    try:
        import dkim
    except ImportError:
        raise h.Skip("dkimpy is not installed") from None
    return dkim


def dkimpy(net, data):
    """What dkimpy complains of; empty when every signature of the message verifies."""
    dkim = import_dkimpy()
    signatures = len(split(data)[0])
    h.check(signatures > 0, "no DKIM-Signature")
    verifier, key = dkim.DKIM(data), key_from(net)
    try:
        good = [verifier.verify(idx=i, dnsfunc=key) for i in range(signatures)]
    except dkim.DKIMException as error:
        return str(error)
    return "" if all(good) else f"signatures good: {good}"


def mail_dkim(net, messages):
    """For each message what Mail::DKIM says of each signature, from the top: {a, d, s, result}."""
    server = net.said["dns"]
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mail_dkim.pl")
    paths = [write_bytes(f"mail_dkim.{i}.eml", data) for i, data in enumerate(messages)]
    done = h.run(["perl", script, server["address"], str(server["port"]), *paths], status=None)
    h.need("Can't locate Mail/DKIM" not in done.stderr, "Mail::DKIM is not installed")
    h.equal((done.returncode, done.stderr), (0, ""), "Mail::DKIM")
    return [json.loads(line) for line in done.stdout.splitlines()]


def write_bytes(name, data):
    path = h.work.file(name)
    with open(path, "wb") as f:
        f.write(data)
    return path


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
    return testmsgs(zone_lines, [data])[0]


def testmsgs(zone_lines, messages):
    """The same for many messages. It accepts a message when one of its signatures is good."""
    h.need_root()
    resolv = h.work.write("resolv.conf", "nameserver 127.0.0.1\n")
    zone = h.work.write("testmsg.zone", "".join(line + "\n" for line in zone_lines))
    paths = [write_bytes(f"testmsg.{i}.eml", data) for i, data in enumerate(messages)]
    script = (': >"$3"; "$1" --dns-port 53 --zone "$2" >"$3" & sandbox=$!; '  # a "ready" there is an earlier one's
              'until grep -qs ready "$3"; do kill -0 $sandbox || exit 70; sleep 0.05; done; '
              'shift 3; for f; do opendkim-testmsg <"$f" >"$f.said" 2>&1; '
              'echo "status $?" >>"$f.said"; done; kill $sandbox')
    done = subprocess.run(
        ["sh", "-c", script, "sh", h.SANDBOX, zone, h.work.file("testmsg.out"), *paths],
        capture_output=True, preexec_fn=private_network(resolv), timeout=3 * h.PATIENCE)
    h.need(done.returncode != 77, "no private network here")
    h.equal(done.returncode, 0, "opendkim-testmsg's script: " + done.stderr.decode())
    said = []
    for path in paths:
        with open(path + ".said", "rb") as f:
            text = f.read().decode("utf-8", "replace")
        said.append("" if text == "status 0\n" else text)
    return said
