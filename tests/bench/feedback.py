"""feedback.py - what SES tells, on its way into the store: events settled a second, from SQS and from /sns.

The store remembers a million sent recipients, whose Send, Delivery or Bounce then come in, each once, in
no order. Oiwake and all its threads are kept to one processor, what brings the events to the others. SQS is
the sandbox's, 10 ms away, its queue filled before Oiwake starts. For SNS a small client posts what it has
signed before with RSA-2048 by TLS connections that it keeps, since making a signature costs a multiple of
everything else; the certificate is fetched, by the rules, from a web server of this bench.
"""

import base64
import http.server
import json
import multiprocessing
import os
import random
import re
import socket
import ssl
import subprocess
import threading
import time

import harness as h
import oiwake
from signed import said
from wire import tree_cpu

ROWS = int(os.environ.get("BENCH_SENT", "1000000"))
EVENTS = int(os.environ.get("BENCH_EVENTS", "20000"))  # of each kind of source
TARGET = 5000
POLLERS, FAR = 20, 10  # requests for messages at once, ms of each
CONNECTIONS = 40       # of SNS
TOPIC = "arn:aws:sns:ap-northeast-1:123456789012:ses-events"
SNS = "sns.ap-northeast-1.amazonaws.com"
PEM = "/SimpleNotificationService-" + "0" * 32 + ".pem"
BENCH_STORE = os.path.join(h.BUILD, "bin", "bench_store")
FIRST_ID, AT_ONCE = 400000000000000000, 500  # as bench_store fills

SECTIONS = """
path "ses" {{
	type = ses
	region = "{region}"
	endpoint = "{endpoint}"
	ca-file = "{ca}"
	credentials = static
	access-key = "{access_key}"
	secret-key-file = "{secret}"
}}
sqs "events" {{
	path = ses
	queue = "{queue_url}"
	endpoint = "{endpoint}"
	pollers = {pollers}
	visibility = 10min
}}
sns {{
	topics = {{ "{topic}" }}
	ca-file = "{sns_ca}"
	connect-address = "127.0.0.1:{sns_port}"
}}
web "sns" {{
	address = "127.0.0.1:{web_port}"
	certificate = "{top}/cert.pem"
	key = "{top}/key.pem"
	serve = {{ "sns" }}
}}
"""


# -- events ------------------------------------------------------------------------------------

def tag(n):
    """Our id of a recipient: 13 digits of Crockford's, hyphen, index."""
    message, digits = FIRST_ID + n // AT_ONCE, ""
    for _ in range(13):
        digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[message & 31] + digits
        message >>= 5
    return f"{digits}-{n % AT_ONCE}"


def remote_id(n):
    return (f"{0x01000199a0000000 + n * 3:016x}-{n * 2654435761 & 0xffffffff:08x}-5c1d-4f0e-9a33-"
            f"{n:012x}-000000")


def stamp():
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())


def detail(kind, to):
    if kind == "Send":
        return {"send": {}}
    if kind == "Delivery":
        return {"delivery": {"timestamp": stamp(), "processingTimeMillis": 814, "recipients": [to],
                             "smtpResponse": "250 2.0.0 OK 1730000000 d9443c01a7336-2129218f0dasi",
                             "remoteMtaIp": "192.0.2.27", "reportingMTA": "a27-30.smtp-out.example"}}
    return {"bounce": {"feedbackId": remote_id(1), "bounceType": "Permanent", "timestamp": stamp(),
                       "bounceSubType": "General", "reportingMTA": "dns; a27-30.smtp-out.example",
                       "bouncedRecipients": [{
                           "emailAddress": to, "action": "failed", "status": "5.1.1",
                           "diagnosticCode": "smtp; 550 5.1.1 user unknown"}]}}


def event(kind, n):
    """As SES writes it, some 1.9 KB."""
    to, sender = f"customer.{n}@example{n % 1000}.jp", "news@example.jp"
    headers = {"From": sender, "To": to, "Subject": "=?UTF-8?B?5LuK6YCx44Gu44GK55+l44KJ44Gb?=",
               "Message-ID": f"<{n}.news@example.jp>", "MIME-Version": "1.0",
               "Content-Type": "text/plain; charset=UTF-8", "Content-Transfer-Encoding": "base64"}
    return json.dumps({"eventType": kind, "mail": {
        "timestamp": stamp(), "source": sender, "messageId": remote_id(n), "destination": [to],
        "sourceArn": "arn:aws:ses:ap-northeast-1:123456789012:identity/example.jp",
        "sendingAccountId": "123456789012", "headersTruncated": False,
        "headers": [{"name": k, "value": v} for k, v in headers.items()],
        "commonHeaders": {"from": [sender], "to": [to], "messageId": headers["Message-ID"],
                          "subject": "今週のお知らせ"},
        "tags": {"ses:configuration-set": ["oiwake"], "ses:source-ip": ["192.0.2.1"],
                 "ses:from-domain": ["example.jp"], "ses:caller-identity": ["oiwake-role"],
                 "oiwake-id": [tag(n)]}}, **detail(kind, to)}, ensure_ascii=False)


def events_of(numbers):
    """Two for each, shuffled."""
    kinds = [(kind, n) for n in numbers for kind in ("Send", "Bounce" if n % 20 == 0 else "Delivery")]
    random.shuffle(kinds)
    return [event(*k) for k in kinds]


# -- SNS ---------------------------------------------------------------------------------------

def openssl(*argv):
    h.run(["openssl", *argv])


def authority(top):
    """A CA, the certificate that SNS signs with, and that of its web server."""
    file = lambda name: os.path.join(top, name)  # noqa: E731
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=bench CA",
            "-keyout", file("ca.key"), "-out", file("ca.pem"))
    for name, host in (("signer", "sns.amazonaws.com"), ("web", SNS)):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={host}",
                "-keyout", file(f"{name}.key"), "-out", file(f"{name}.csr"))
        extensions = h.work.write(file(f"{name}.ext"), f"subjectAltName=DNS:{host}\n")
        openssl("x509", "-req", "-in", file(f"{name}.csr"), "-CA", file("ca.pem"), "-days", "2",
                "-CAkey", file("ca.key"), "-CAcreateserial", "-extfile", extensions,
                "-out", file(f"{name}.pem"))


class Web(http.server.BaseHTTPRequestHandler):
    """Serves the signing certificate."""

    def do_GET(self):
        self.send_response(200 if self.path == PEM else 404)
        self.send_header("Content-Length", str(len(self.server.pem)))
        self.end_headers()
        self.wfile.write(self.server.pem)

    def log_message(self, *_):
        pass


def serve_certificate(top):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(top, "web.pem"), os.path.join(top, "web.key"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with open(os.path.join(top, "signer.pem"), "rb") as f:
        server.pem = f.read()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    h.work.cleanups.append(server.shutdown)
    return server.server_address[1]


def sign_some(job):
    """The posts of some events: head and body as they go over the wire."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding

    first, events, key_file = job
    with open(key_file, "rb") as f:
        key = serialization.load_pem_private_key(f.read(), None)
    return [post(key.sign, padding.PKCS1v15(), hashes.SHA1(), f"{first + i:032x}", e)
            for i, e in enumerate(events)]


def post(sign, padding, sha1, number, text):
    ident = "-".join((number[:8], number[8:12], number[12:16], number[16:20], number[20:]))
    at = stamp()
    signed = "".join(f"{k}\n{v}\n" for k, v in (
        ("Message", text), ("MessageId", ident), ("Timestamp", at), ("TopicArn", TOPIC),
        ("Type", "Notification")))
    body = json.dumps({
        "Type": "Notification", "MessageId": ident, "TopicArn": TOPIC, "Message": text,
        "Timestamp": at, "SignatureVersion": "1",
        "Signature": base64.b64encode(sign(signed.encode(), padding, sha1)).decode(),
        "SigningCertURL": f"https://{SNS}{PEM}",
        "UnsubscribeURL": f"https://{SNS}/?Action=Unsubscribe"}).encode()
    return (f"POST /sns HTTP/1.1\r\nHost: bench.test\r\nContent-Type: text/plain; charset=UTF-8\r\n"
            f"x-amz-sns-message-type: Notification\r\nContent-Length: {len(body)}\r\n\r\n"
            ).encode() + body


def signed_posts(events, key_file):
    size = 500
    jobs = [(i, events[i:i + size], key_file) for i in range(0, len(events), size)]
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        return [p for posts in pool.map(sign_some, jobs) for p in posts]


def post_all(port, posts, odd):
    """By one connection, each when the last one is answered."""
    context = ssl._create_unverified_context()
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port))) as s:
        for p in posts:
            s.sendall(p)
            answer = s.recv(4096)
            while not whole(answer):
                answer += s.recv(4096)
            if not answer.startswith(b"HTTP/1.1 200"):
                odd.append(answer[:100])


def whole(answer):
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return end and length and len(body) == int(length[1])


# -- the product -------------------------------------------------------------------------------

def one_processor(pid, cpus):
    """Every thread of the process, those to come included."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), cpus)


class Setup:
    def __init__(self):
        self.net = oiwake.Sandbox(keep=False)
        self.net.control(f"set aws latency {FAR}")
        far = self.net.said["aws"]
        pki = h.work.file("pki")
        os.makedirs(pki)
        authority(pki)
        self.key = os.path.join(pki, "signer.key")
        self.web_port = h.free_port()
        self.config = config = oiwake.Config(None, name="feedback", dkim=False)
        config.text += SECTIONS.format(
            **far, ca=self.net.ca, secret=config.write("secret", far["secret_key"] + "\n", 0o600),
            pollers=POLLERS, topic=TOPIC, sns_ca=os.path.join(pki, "ca.pem"), top=config.top,
            sns_port=serve_certificate(pki), web_port=self.web_port)
        config.save()
        config.write("oiwake.rules", "route all to any via mta\n")

    def fill(self):
        h.need_program(BENCH_STORE)
        done = subprocess.run([BENCH_STORE, "feedback", self.config.state, str(ROWS), str(AT_ONCE)],
                              check=True, capture_output=True, text=True)
        print("          " + next(l for l in done.stdout.splitlines() if "remembered" in l))

    def queue(self, events):
        """Into the sandbox's SQS, before anybody asks."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.net.control_path)
            with s.makefile("rwb") as f:
                for e in events:
                    f.write(b"sqs send ses-events 1 " + e.encode() + b"\n")
                    f.flush()
                    h.equal(f.readline().strip(), b"ok", "the sandbox's answer")

    def deleted(self):
        return self.net.control("get sqs")["queues"]["ses-events"]["deleted"]


class Meter:
    def __init__(self, ours):
        self.ours = ours
        self.cpu, self.start = tree_cpu(ours.process.pid), time.monotonic()

    def tell(self, what, count):
        took = time.monotonic() - self.start
        cpu = (tree_cpu(self.ours.process.pid) - self.cpu) / count
        rate = count / took
        print(f"  {what:24}{rate:10.0f}{rate / TARGET:12.2f}{cpu * 1e6:14.0f}{1 / cpu:16.0f}"
              f"{self.ours.process.status('VmRSS') / 1024:10.0f}"
              f"   {said(rate >= TARGET)}", flush=True)


def part_feedback():
    """Events of SES settled, from SQS and from SNS, with a million sent recipients remembered."""
    cpus = sorted(os.sched_getaffinity(0))
    print(f"\nfeedback  {EVENTS} events each from SQS ({POLLERS} requests at once, {FAR} ms away) and "
          f"from SNS ({CONNECTIONS} TLS\n          connections, RSA-2048, signed before); oiwake on one "
          "processor, fsync on")
    setup = Setup()
    setup.fill()
    numbers = random.sample(untold(setup.config), EVENTS // 2 * 2)
    setup.queue(events_of(numbers[::2]))
    posts = signed_posts(events_of(numbers[1::2]), setup.key)
    one_processor(setup.net.process.pid, set(cpus[1:]) or set(cpus))
    print(f"{'':26}{'events/s':>10}{'of target':>12}{'CPU us each':>14}{'per CPU second':>16}"
          f"{'MB':>10}")
    before = ends_counted(setup.config)
    ours = oiwake.Oiwake(setup.config, start=False)
    os.sched_setaffinity(0, set(cpus[:1]))  # its threads inherit it
    ours.launch()
    os.sched_setaffinity(0, set(cpus[1:]) or set(cpus))
    from_sqs(setup, ours)
    from_sns(setup, ours, posts)
    os.sched_setaffinity(0, set(cpus))
    print(f"          at most {ours.process.status('VmHWM') / 1024:.0f} MB resident")
    ours.stop()
    settled(ours, before)


def from_sqs(setup, ours):
    theirs = tree_cpu(setup.net.process.pid)
    h.wait_until(lambda: setup.deleted() > EVENTS // 20, "the queue is read", pause=0.005)
    had, meter = setup.deleted(), Meter(ours)
    h.wait_until(lambda: setup.deleted() >= EVENTS, lambda: f"{EVENTS} deleted, {setup.deleted()} are",
                 limit=120, pause=0.01)
    meter.tell("from SQS", EVENTS - had)
    took = time.monotonic() - meter.start
    print(f"          the sandbox took {(tree_cpu(setup.net.process.pid) - theirs) / took * 100:.0f} % of a "
          "processor for its part")


def from_sns(setup, ours, posts):
    odd = []
    threads = [threading.Thread(target=post_all, args=(setup.web_port, posts[i::CONNECTIONS], odd),
                                daemon=True) for i in range(CONNECTIONS)]
    meter, own = Meter(ours), time.process_time()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    meter.tell("from SNS", len(posts))
    took = time.monotonic() - meter.start
    print(f"          the client that posted took {(time.process_time() - own) / took * 100:.0f} % of a "
          "processor: near 100 the rate is its own, not oiwake's")
    h.check(not odd, lambda: f"{len(odd)} posts were not taken: {odd[0]}")


def asked(config, sql):
    """Of the store, while nobody serves it."""
    return h.run(["sqlite3", os.path.join(config.state, "oiwake.db"), sql]).stdout.split()


def untold(config):
    """Recipients of whom bench_store has told nothing itself, by their numbers."""
    rows = asked(config, f"SELECT (message - {FIRST_ID}) * {AT_ONCE} + idx FROM sent "
                 "WHERE state = (SELECT state FROM sent GROUP BY state ORDER BY count(*) DESC LIMIT 1)"
                 " AND notes = x''")
    return [int(row) for row in rows]


def ends_counted(config):
    """Recipients delivered or bounced."""
    return int(asked(config, "SELECT sum(delivered + bounced) FROM counter")[0])


def settled(ours, before):
    """None is lost on the way: the counters say so."""
    events, counted = EVENTS // 2 * 2, ends_counted(ours.config) - before
    h.equal(counted, events, "recipients delivered or bounced")
    print(f"          each of {events} recipients told of is delivered or bounced, once")
