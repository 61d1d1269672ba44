"""zones.py - DNS zones that nsd serves on loopback, signed by ldns-signzone or not; certificates; and
web servers with MTA-STS policies.

    ca = Authority()                          # .path is its certificate
    dns = Nameserver({"test": (RECORDS, True), "example": (RECORDS, False)})
    web = PolicyServer("127.0.40.1", port, *ca.certificate("mta-sts.a.example"))
    web.policies["mta-sts.a.example"] = "version: STSv1..."
"""

import hashlib
import http.server
import os
import shutil
import signal
import socket
import ssl
import threading

import harness as h
import peers

HEAD = """\
$TTL 1
@ SOA ns.{zone}. hostmaster.{zone}. {serial} 3600 600 86400 1
@ NS ns.{zone}.
ns.{zone}. A 127.0.0.1
"""

NSD_CONF = """\
server:
	ip-address: 127.0.0.1@{port}
	do-ip6: no
	server-count: 1
	username: ""
	chroot: ""
	database: ""
	zonesdir: "{top}"
	pidfile: "{top}/nsd.pid"
	xfrdfile: "{top}/xfrd.state"
	zonelistfile: "{top}/zone.list"
	rrl-ratelimit: 0
remote-control:
	control-enable: no
"""


class Nameserver:
    """Authoritative for its zones at .port; .anchors is a file with the keys of the signed ones."""

    serial = 0

    def __init__(self, zones):
        h.need(os.access(peers.NSD, os.X_OK), "nsd is not unpacked")
        for program in ("ldns-signzone", "ldns-keygen"):
            h.need(shutil.which(program, path="/usr/sbin:/usr/bin"), f"{program} is not installed")
        self.top = h.work.file("nsd")
        os.makedirs(self.top)
        self.port = h.free_port()
        self.anchors = os.path.join(self.top, "anchors")
        self.keys = {}
        conf = NSD_CONF.format(port=self.port, top=self.top)
        with open(self.anchors, "w") as anchors:
            for zone, (records, signed) in zones.items():
                if signed:
                    anchors.write(self.make_keys(zone))
                self.write(zone, records)
                conf += f'zone:\n\tname: "{zone}"\n\tzonefile: "{zone}.served"\n'
        h.work.write(os.path.join(self.top, "nsd.conf"), conf)
        self.process = h.Process(
            "nsd", [peers.NSD, "-d", "-c", os.path.join(self.top, "nsd.conf")], env=peers.LIBRARIES)
        h.wait_until(self.answers, lambda: "nsd answers: " + self.process.stderr(), 20)

    def make_keys(self, zone):
        """Two key files, and the trust anchor as a record."""
        self.keys[zone] = []
        for flags in ((), ("-k",)):
            done = h.run(["sh", "-c", 'cd "$0" && ldns-keygen "$@"', self.top, "-a",
                          "ECDSAP256SHA256", *flags, zone + "."])
            self.keys[zone].append(os.path.join(self.top, done.stdout.strip()))
        with open(self.keys[zone][1] + ".key") as f:
            return f.read()

    def write(self, zone, records, spoil=None):
        """The zone as it is to be served. What `spoil` makes of the signed lines is not signed."""
        Nameserver.serial += 1
        path = os.path.join(self.top, zone)
        with open(path, "w") as f:
            f.write(f"$ORIGIN {zone}.\n" + HEAD.format(zone=zone, serial=self.serial))
            f.writelines(r + "\n" for r in records)
        if zone in self.keys:
            h.run(["ldns-signzone", "-n", "-f", path + ".signed", path, *self.keys[zone]])
            path += ".signed"
        with open(path) as f:
            text = f.read()
        with open(os.path.join(self.top, zone + ".served"), "w") as f:
            f.write(spoil(text) if spoil else text)

    def reload(self, zone, records, spoil=None):
        self.write(zone, records, spoil)
        self.process.popen.send_signal(signal.SIGHUP)

    def answers(self):
        """Any answer to a question for the root's SOA."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            s.connect(("127.0.0.1", self.port))
            try:
                s.send(b"\x12\x34\x00\x00\x00\x01" + bytes(6) + b"\x00\x00\x06\x00\x01")
                return s.recv(512)[:2] == b"\x12\x34"
            except OSError:
                return False


class Authority:
    """A certificate authority of the test's."""

    def __init__(self, name="ca"):
        self.top = h.work.file(name)
        os.makedirs(self.top)
        os.chmod(self.top, 0o755)
        self.key, self.path = self.file("ca.key"), self.file("ca.pem")
        h.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
               "-nodes", "-days", "30", "-subj", "/CN=test authority", "-keyout", self.key,
               "-out", self.path])
        self.made = 0

    def file(self, name):
        return os.path.join(self.top, name)

    def certificate(self, *names, expired=False):
        """(chain, key): files, the authority's certificate in the chain."""
        self.made += 1
        stem = self.file(str(self.made))
        conf = stem + ".conf"
        with open(conf, "w") as f:
            f.write(f"[ca]\ndefault_ca=c\n[c]\ndatabase={stem}.index\nserial={stem}.serial\n"
                    f"new_certs_dir={self.top}\ndefault_md=sha256\npolicy=p\nx509_extensions=e\n"
                    f"[p]\ncommonName=supplied\n[e]\nsubjectAltName="
                    + ",".join("DNS:" + n for n in names) + "\n")
        open(stem + ".index", "w").close()
        with open(stem + ".serial", "w") as f:
            f.write("%04x\n" % (0x1000 + self.made))
        h.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
               "-subj", "/CN=test", "-keyout", stem + ".key", "-out", stem + ".csr"])
        dates = ("-startdate", "20200101000000Z",
                 "-enddate", "20200201000000Z" if expired else "20400101000000Z")
        h.run(["openssl", "ca", "-batch", "-config", conf, "-in", stem + ".csr", "-cert", self.path,
               "-keyfile", self.key, "-notext", "-out", stem + ".crt", *dates])
        with open(stem + ".pem", "w") as out:
            for part in (stem + ".crt", self.path):
                with open(part) as f:
                    out.write(f.read())
        os.chmod(stem + ".key", 0o600)
        return stem + ".pem", stem + ".key"


def sha256_of(certificate):
    """Of the first certificate in a file, in hexadecimal."""
    with open(certificate) as f:
        pem = f.read().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def public_key_sha256(key):
    done = h.run(["sh", "-c", 'openssl pkey -in "$0" -pubout -outform DER | openssl dgst -sha256 -r',
                  key])
    return done.stdout.split()[0]


class PolicyServer:
    """HTTPS on one address. .policies: by host name, a policy's text or (status, headers, bytes);
    .asked: the hosts that were asked for, in order."""

    def __init__(self, address, port, chain, key):
        self.policies, self.asked = {}, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        self.server = http.server.ThreadingHTTPServer((address, port), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        h.work.cleanups.append(self.stop)

    def answer(self, request):
        host = request.headers["Host"].split(":")[0]
        self.asked.append(host)
        said = self.policies.get(host, (404, {}, b""))
        if request.path != "/.well-known/mta-sts.txt":
            said = (404, {}, b"")
        if isinstance(said, str):
            said = (200, {"Content-Type": "text/plain"}, said.encode())
        request.send_response(said[0])
        for name, value in said[1].items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(said[2])))
        request.end_headers()
        request.wfile.write(said[2])

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None


def policy(mode, *mx, max_age=86400):
    return f"version: STSv1\r\nmode: {mode}\r\n" + "".join(
        f"mx: {m}\r\n" for m in mx) + f"max_age: {max_age}\r\n"
