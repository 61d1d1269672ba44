"""The sandbox's SES feedback, SQS, SNS and IMDS, by a client that shares nothing with either side.

one thread
time limit: 120 s
"""

import base64
import collections
import hashlib
import hmac
import http.client
import http.server
import json
import os
import smtplib
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import harness as h
from oiwake import Sandbox

REGION = "ap-northeast-1"
SUPPRESSED = "because it is on the suppression list for your account"


def sha(data):
    return hashlib.sha256(data).hexdigest()


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Amazon:
    """A sandbox and a signing client of its AWS."""

    def __init__(self):
        self.box = Sandbox(keep=False)
        self.aws = self.box.said["aws"]
        self.keys = (self.aws["access_key"], self.aws["secret_key"], None)
        self.host = f"{self.aws['address']}:{self.aws['plain_port']}"
        self.queue = f"https://sqs.{REGION}.amazonaws.com/123456789012/ses-events"
        self.box.control("set ses verified *")

    def signed(self, service, method, path, body=b"", headers=()):
        access, secret, token = self.keys
        at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        sent = {"host": self.host, "x-amz-date": at, **dict(headers)}
        if token:
            sent["x-amz-security-token"] = token
        names = sorted(sent)
        scope = f"{at[:8]}/{REGION}/{service}/aws4_request"
        canonical = "\n".join([method, path, "", *(f"{n}:{sent[n]}" for n in names), "",
                               ";".join(names), sha(body)])
        key = mac(("AWS4" + secret).encode(), at[:8])
        for part in (REGION, service, "aws4_request"):
            key = mac(key, part)
        signature = mac(key, f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{sha(canonical.encode())}").hex()
        sent["authorization"] = (f"AWS4-HMAC-SHA256 Credential={access}/{scope}, "
                                 f"SignedHeaders={';'.join(names)}, Signature={signature}")
        return sent

    def call(self, service, method, path, body=b"", headers=()):
        """(status, headers, parsed body)"""
        c = http.client.HTTPConnection(self.host, timeout=30)
        c.request(method, path, body, self.signed(service, method, path, body, headers))
        answer = c.getresponse()
        data = answer.read()
        c.close()
        try:
            return answer.status, answer.headers, json.loads(data)
        except ValueError:
            return answer.status, answer.headers, data

    def sqs(self, action, want=200, **members):
        body = json.dumps({"QueueUrl": self.queue, **members}).encode()
        status, headers, answer = self.call(
            "sqs", "POST", "/", body,
            {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS." + action}.items())
        h.equal(status, want, f"{action}: {answer}")
        return answer

    def mail(self, *to, set="events", tags=(), sender="info@example.com"):
        raw = (f"From: News <{sender}>\r\nTo: {to[0]}\r\nSubject: hello\r\n"
               "Message-ID: <own@example.com>\r\n\r\nbody\r\n").encode()
        body = {"FromEmailAddress": sender, "Destination": {"ToAddresses": to},
                "Content": {"Raw": {"Data": base64.b64encode(raw).decode()}},
                "EmailTags": [{"Name": n, "Value": v} for n, v in tags]}
        if set:
            body["ConfigurationSetName"] = set
        status, _, answer = self.call("ses", "POST", "/v2/email/outbound-emails", json.dumps(body).encode(),
                                      {"content-type": "application/json"}.items())
        h.equal(status, 200, f"SendEmail: {answer}")
        return answer["MessageId"]

    def receive(self, **members):
        return self.sqs("ReceiveMessage", **{"MaxNumberOfMessages": 10, "WaitTimeSeconds": 5,
                                             **members}).get("Messages", [])

    def delete(self, messages):
        answer = self.sqs("DeleteMessageBatch", Entries=[
            {"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)])
        h.equal(len(answer["Successful"]), len(messages), "deleted")

    def events(self, count):
        """So many events from the queue, unwrapped, deleted."""
        got = []
        while len(got) < count:
            messages = self.receive()
            h.check(messages, f"{len(got)} of {count} events: {[e[1] for e in got]}")
            for m in messages:
                body = json.loads(m["Body"])
                text = body["Message"] if "Message" in body else m["Body"]
                h.check(text.endswith("}\n"), "an event ends with a line feed")
                got.append((body, json.loads(text)))
            self.delete(messages)
        h.equal(len(got), count, "events")
        return [e for _, e in got]

    def journal(self, name):
        return self.box.journal.events(name)


def kind(event):
    return event.get("eventType") or event["notificationType"]


FATES = [  # recipient, what follows Send: type, and what the outcome must hold
    ("taro@example.com", [("Delivery", {"smtpResponse": "250 Ok: queued", "recipients": ["taro@example.com"]})]),
    ("taro@docomo.ne.jp", [("Delivery", {"smtpResponse": "250 Requested mail action okay, completed"})]),
    ("bounce-1@example.com", [("Bounce", ("Permanent", "General", "5.1.1", "550 5.1.1"))]),
    ("unknown-1@docomo.ne.jp", [("Bounce", ("Permanent", "General", "5.0.0",
                                            "smtp; 550 Unknown user <unknown-1@docomo.ne.jp>"))]),
    ("filtered@au.com", [("Bounce", ("Permanent", "General", "5.0.0", "smtp; 550 : User unknown"))]),
    ("nomail@example.com", [("Bounce", ("Permanent", "NoEmail", "5.1.1", "smtp; "))]),
    ("full7@example.com", [("Bounce", ("Transient", "MailboxFull", "5.2.2", "smtp; 552"))]),
    ("toolarge@example.com", [("Bounce", ("Transient", "MessageTooLarge", "5.3.4", "smtp; 552"))]),
    ("content@example.com", [("Bounce", ("Transient", "ContentRejected", "5.7.1", "smtp; 554"))]),
    ("attachment@example.com", [("Bounce", ("Transient", "AttachmentRejected", "5.7.0", "smtp; 552"))]),
    ("expired@example.com", [("Bounce", ("Transient", "General", "4.4.7", "unable to deliver in 840"))]),
    ("expiredcustom@example.com", [("Bounce", ("Transient", "CustomTimeoutExceeded", "4.4.7", "expired"))]),
    ("undetermined@example.com", [("Bounce", ("Undetermined", "Undetermined", None, None))]),
    ("complaint@example.com", [("Delivery", {}), ("Complaint", {"complaintFeedbackType": "abuse",
                                                                "complaintSubType": None})]),
    ("notspam@example.com", [("Delivery", {}), ("Complaint", {"complaintFeedbackType": "not-spam"})]),
    ("ooto@example.com", [("Delivery", {}), ("Bounce", ("Transient", "General", None, None))]),
    ("suppressedglobal@example.com", [("Bounce", ("Permanent", "Suppressed", "5.1.1", "Amazon SES"))]),
    ("delay@example.com", [("DeliveryDelay", {"delayType": "TransientCommunicationFailure"}), ("Delivery", {})]),
    ("reject@example.com", [("Reject", {"reason": "Bad content"})]),
    ("nothing@example.com", []),
    ("success@simulator.amazonses.com", [("Delivery", {"smtpResponse": "250 Ok"})]),
    ("bounce+1@simulator.amazonses.com", [("Bounce", ("Permanent", "General", "5.1.1",
                                                      "550 5.1.1 As requested: user unknown <bounce+1@"))]),
    ("ooto@simulator.amazonses.com", [("Delivery", {}), ("Bounce", ("Transient", "General", None, None))]),
    ("complaint@simulator.amazonses.com",
     [("Delivery", {}), ("Complaint", {"userAgent": "Amazon SES Mailbox Simulator",
                                       "complaintFeedbackType": "abuse", "complaintSubType": None})]),
    ("suppressionlist@simulator.amazonses.com", [("Bounce", ("Permanent", "Suppressed", "5.1.1", "Amazon SES"))]),
]


def check_outcome(event, to, want):
    name = {"Bounce": "bounce", "Complaint": "complaint", "Delivery": "delivery", "Reject": "reject",
            "DeliveryDelay": "deliveryDelay"}[kind(event)]
    got = event[name]
    if isinstance(want, dict):
        h.equal({k: got[k] for k in want}, want, f"{to}: {name}")
        return
    sort, sub, status, text = want
    h.equal((got["bounceType"], got["bounceSubType"]), (sort, sub), to)
    recipient, = got["bouncedRecipients"]
    h.equal(recipient["emailAddress"], to, "recipient")
    h.equal(recipient.get("status"), status, f"status of {to}")
    if text is None:
        h.equal(list(recipient), ["emailAddress"], "nothing more is said")
        h.check("reportingMTA" not in got, "no reportingMTA")
    else:
        h.check(text in recipient["diagnosticCode"], f"{to}: {recipient['diagnosticCode']}")
        h.equal(recipient["action"], "failed", "action")


def test_events():
    """what happens to a recipient is told, in SES's form"""
    amazon = Amazon()
    for to, outcome in FATES:
        message = amazon.mail(to, tags=[("oiwake-id", "77-0")])
        send, *rest = amazon.events(1 + len(outcome))
        h.equal([kind(e) for e in (send, *rest)], ["Send", *(k for k, _ in outcome)], to)
        h.equal((send["send"], send["mail"]["messageId"], send["mail"]["destination"]), ({}, message, [to]), to)
        for event, (_, want) in zip(rest, outcome):
            check_outcome(event, to, want)
        for event in (send, *rest):
            mail = event["mail"]
            h.equal((mail["messageId"], mail["source"], mail["sendingAccountId"]),
                    (message, "info@example.com", "123456789012"), "mail")
            h.equal(mail["tags"]["oiwake-id"], ["77-0"], "our tag")
            h.equal(mail["tags"]["ses:configuration-set"], ["events"], "configuration set")
            h.equal("ses:outgoing-ip" in mail["tags"], kind(event) == "Delivery", "outgoing-ip")
            h.equal(mail["commonHeaders"]["messageId"], message, "SES's id")
            h.check({"name": "Subject", "value": "hello"} in mail["headers"], "headers")
        for line, event in zip(amazon.journal("event")[-1 - len(rest):], (send, *rest)):
            h.equal((line["id"], line["type"], line["to"], line["copy"]), (message, kind(event), [to], 0), "journal")


def test_key_order():
    """members stand in the order of captured events"""
    amazon = Amazon()
    amazon.box.control("set sqs raw on")
    amazon.mail("bounce@simulator.amazonses.com")
    texts = []
    while len(texts) < 2:
        texts += [m["Body"] for m in amazon.receive()]
    pairs = [json.loads(t, object_pairs_hook=lambda p: p) for t in texts]
    for event, first in zip(pairs, (["eventType", "mail", "send"], ["eventType", "bounce", "mail"])):
        h.equal([k for k, _ in event], first, "members")
        mail = [k for k, _ in dict(event)["mail"]]
        h.equal(mail, ["timestamp", "source", "sourceArn", "sendingAccountId", "messageId", "destination",
                       "headersTruncated", "headers", "commonHeaders", "tags"], "mail")
    h.equal([k for k, _ in dict(pairs[1])["bounce"]],
            ["feedbackId", "bounceType", "bounceSubType", "bouncedRecipients", "timestamp", "remoteMtaIp",
             "reportingMTA"], "bounce")


def test_several_recipients():
    """recipients with one fate share an event; the others have theirs"""
    amazon = Amazon()
    amazon.mail("a@example.com", "unknown-1@example.com", "b@example.com", "unknown-2@example.com")
    events = amazon.events(3)
    h.equal([kind(e) for e in events], ["Send", "Delivery", "Bounce"], "events")
    h.equal(events[1]["delivery"]["recipients"], ["a@example.com", "b@example.com"], "delivered")
    h.equal([r["emailAddress"] for r in events[2]["bounce"]["bouncedRecipients"]],
            ["unknown-1@example.com", "unknown-2@example.com"], "bounced")


def test_event_controls():
    """order, duplicates, drop, late, early, notifications, and no configuration set"""
    amazon = Amazon()
    control = amazon.box.control
    control("set events order shuffled")
    amazon.mail("unknown@example.com")
    h.equal([kind(e) for e in amazon.events(2)], ["Bounce", "Send"], "shuffled")
    control("set events order normal")
    control("set events duplicates 2")
    amazon.mail("a@example.com")
    h.equal(collections.Counter(kind(e) for e in amazon.events(6)), {"Send": 3, "Delivery": 3}, "duplicates")
    h.equal([j["copy"] for j in amazon.journal("event")[-6:]], [0, 1, 2] * 2, "copies in the journal")
    control("set events duplicates 0")
    control("set events drop send on")
    amazon.mail("a@example.com")
    h.equal([kind(e) for e in amazon.events(1)], ["Delivery"], "no Send")
    control("set events drop send off")
    control("set events late on")
    amazon.mail("a@example.com")
    h.equal(amazon.receive(WaitTimeSeconds=1), [], "late")
    control("set events late off")
    h.equal(len(amazon.events(2)), 2, "let go")
    control("set events early on")
    amazon.mail("a@example.com")
    h.equal(amazon.sqs("GetQueueAttributes")["Attributes"]["ApproximateNumberOfMessages"], "2",
            "the events are there before the answer")
    amazon.events(2)
    control("set events early off")
    amazon.mail("a@example.com", set=None)
    amazon.mail("a@example.com", set="silent")
    control("set events notifications on")
    message = amazon.mail("unknown@example.org", set=None)
    event, = amazon.events(1)
    h.equal((event["notificationType"], "tags" in event["mail"]), ("Bounce", False), "notification")
    h.equal(event["mail"]["commonHeaders"]["messageId"], "<own@example.com>", "the message's own id")
    h.equal((event["mail"]["messageId"], "sourceIp" in event["mail"]), (message, True), "mail")
    h.equal(amazon.sqs("ReceiveMessage"), {}, "nothing else")


def smtp_mail(amazon, to, headers):
    ses = amazon.box.said["ses"]
    tls = ssl.create_default_context(cafile=amazon.box.ca)
    tls.check_hostname = False
    with smtplib.SMTP_SSL(ses["address"], ses["tls_port"], context=tls, timeout=20) as c:
        c.login(ses["user"], ses["password"])
        c.mail("info@example.com")
        c.rcpt(to)
        text = c.data(f"From: info@example.com\r\nTo: {to}\r\n{headers}\r\nx\r\n".encode())[1].decode()
        return text.split()[-1]


def test_smtp():
    """mail by SMTP is told of in the same way, its tags and set being in its header"""
    amazon = Amazon()
    message = smtp_mail(amazon, "unknown@example.com",
                        "X-SES-CONFIGURATION-SET: events\r\nX-SES-MESSAGE-TAGS: oiwake-id=12-0, a=b\r\n")
    events = amazon.events(2)
    h.equal([kind(e) for e in events], ["Send", "Bounce"], "events")
    for event in events:
        tags = event["mail"]["tags"]
        h.equal((event["mail"]["messageId"], tags["oiwake-id"], tags["a"]), (message, ["12-0"], ["b"]), "tags")
        h.equal(tags["ses:configuration-set"], ["events"], "set")
    smtp_mail(amazon, "a@example.com", "")
    amazon.box.control("set events early on")
    smtp_mail(amazon, "b@example.com", "X-SES-CONFIGURATION-SET: events\r\n")
    h.equal(amazon.sqs("GetQueueAttributes")["Attributes"]["ApproximateNumberOfMessages"], "2", "early")


def test_suppression():
    """the account's list holds an address back, and a hard bounce puts one on it"""
    amazon = Amazon()
    status, _, _ = amazon.call("ses", "PUT", "/v2/email/suppression/addresses",
                               json.dumps({"EmailAddress": "old@example.com", "Reason": "BOUNCE"}).encode(),
                               {"content-type": "application/json"}.items())
    h.equal(status, 200, "PutSuppressedDestination")
    amazon.mail("old@example.com")
    _, event = amazon.events(2)
    check_outcome(event, "old@example.com", ("Permanent", "OnAccountSuppressionList", "5.1.1", SUPPRESSED))
    for want in ("General", "OnAccountSuppressionList"):
        amazon.mail("unknown@example.com")
        h.equal(amazon.events(2)[1]["bounce"]["bounceSubType"], want, "second time")
    for want in (["Send", "Delivery", "Complaint"], ["Send", "Complaint"]):
        amazon.mail("complaint@example.com")
        events = amazon.events(len(want))
        h.equal([kind(e) for e in events], want, "complaint")
    h.equal(events[1]["complaint"]["complaintSubType"], "OnAccountSuppressionList", "subtype")


def test_sqs():
    """visibility, receive counts, handles, batches, long polling"""
    amazon = Amazon()
    sent = amazon.sqs("SendMessage", MessageBody="one \u3042")
    h.equal(sent["MD5OfMessageBody"], hashlib.md5("one \u3042".encode()).hexdigest(), "MD5")
    m, = amazon.receive(VisibilityTimeout=1, AttributeNames=["All"])
    h.equal((m["Body"], m["MessageId"], m["Attributes"]["ApproximateReceiveCount"]),
            ("one \u3042", sent["MessageId"], "1"), "message")
    h.equal(amazon.sqs("ReceiveMessage"), {}, "in flight")
    again, = amazon.receive(VisibilityTimeout=600, MessageSystemAttributeNames=["All"])
    h.equal((again["MessageId"], again["Attributes"]["ApproximateReceiveCount"]), (sent["MessageId"], "2"), "again")
    amazon.sqs("ChangeMessageVisibility", ReceiptHandle=again["ReceiptHandle"], VisibilityTimeout=0)
    third, = amazon.receive()
    amazon.sqs("DeleteMessage", ReceiptHandle=m["ReceiptHandle"])
    h.equal(amazon.sqs("ReceiveMessage"), {}, "an old handle deletes, too")
    amazon.sqs("DeleteMessage", ReceiptHandle=third["ReceiptHandle"])
    amazon.sqs("DeleteMessage", want=400, ReceiptHandle="nonsense")
    answer = amazon.sqs("SendMessageBatch", Entries=[{"Id": f"i{n}", "MessageBody": f"b{n}"} for n in range(10)]
                        )["Successful"]
    h.equal([e["Id"] for e in answer], [f"i{n}" for n in range(10)], "batch")
    amazon.sqs("SendMessageBatch", want=400, Entries=[{"Id": str(n), "MessageBody": "x"} for n in range(11)])
    got = amazon.receive()
    h.equal([m["Body"] for m in got], [f"b{n}" for n in range(10)], "in order")
    mixed = [{"Id": "good", "ReceiptHandle": got[0]["ReceiptHandle"]}, {"Id": "bad", "ReceiptHandle": "x"}]
    answer = amazon.sqs("DeleteMessageBatch", Entries=mixed)
    h.equal(([e["Id"] for e in answer["Successful"]], [e["Id"] for e in answer["Failed"]]),
            (["good"], ["bad"]), "partly")
    attributes = amazon.sqs("GetQueueAttributes", AttributeNames=["All"])["Attributes"]
    h.equal(attributes["ApproximateNumberOfMessagesNotVisible"], "9", "in flight")
    amazon.sqs("PurgeQueue")
    waiting = threading.Timer(0.5, amazon.box.control, ["sqs send ses-events 1 hello there"])
    before = time.monotonic()
    waiting.start()
    m, = amazon.receive(WaitTimeSeconds=20)
    h.check(0.3 < time.monotonic() - before < 10, "a long poll ends with the message")
    h.equal(m["Body"], "hello there", "body")
    before = time.monotonic()
    h.equal(amazon.receive(WaitTimeSeconds=1), [], "nothing")
    h.check(0.8 < time.monotonic() - before < 15, "a long poll waits its time")
    amazon.sqs("ReceiveMessage", want=400, MaxNumberOfMessages=11)
    amazon.sqs("ReceiveMessage", want=400, WaitTimeSeconds=21)


def test_sqs_queues():
    """several queues; one that is not there; another account's key"""
    amazon = Amazon()
    amazon.queue = "https://sqs.ap-northeast-1.amazonaws.com/123456789012/other"
    answer = amazon.sqs("ReceiveMessage", want=400)
    h.equal(answer["__type"], "com.amazonaws.sqs#QueueDoesNotExist", "type")
    amazon.sqs("CreateQueue", QueueName="other")
    amazon.box.control("set sqs events other")
    amazon.mail("a@example.com")
    h.equal(len(amazon.events(2)), 2, "events in the other queue")
    state = amazon.box.control("get sqs")["queues"]
    h.equal((state["other"]["deleted"], state["ses-events"]["sent"]), (2, 0), "counts")
    amazon.keys = (amazon.keys[0], "wrong", None)
    amazon.sqs("ReceiveMessage", want=403)


def test_sqs_gone_poller():
    """what a killed poller waited for goes to its successor at once"""
    amazon = Amazon()
    body = json.dumps({"QueueUrl": amazon.queue, "WaitTimeSeconds": 20}).encode()
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.ReceiveMessage"}
    c = http.client.HTTPConnection(amazon.host)
    c.request("POST", "/", body, amazon.signed("sqs", "POST", "/", body, headers.items()))
    h.wait_until(lambda: amazon.box.control("get sqs")["queues"]["ses-events"]["pollers"] == 1, "it polls")
    h.reset(c.sock)
    amazon.box.control("sqs send ses-events 1 mine")
    m, = amazon.receive()
    h.equal(m["Body"], "mine", "body")


def test_sqs_moods():
    """same, error, gone, and the moods of the whole server"""
    amazon = Amazon()
    control = amazon.box.control
    control("set sqs mood same")
    control("sqs send ses-events 1 x")
    for count in ("1", "2", "3"):
        m, = amazon.receive(AttributeNames=["All"])
        h.equal(m["Attributes"]["ApproximateReceiveCount"], count, "it comes again")
        amazon.delete([m])
    control("set sqs mood error")
    amazon.sqs("ReceiveMessage", want=500)
    control("set sqs mood gone")
    h.equal(amazon.sqs("ReceiveMessage", want=400)["__type"], "com.amazonaws.sqs#QueueDoesNotExist", "gone")
    control("set sqs mood unavailable")
    amazon.sqs("ReceiveMessage", want=503)
    control("set sqs mood truncate")
    try:
        amazon.sqs("ReceiveMessage", VisibilityTimeout=1)
        h.check(False, "half an answer")
    except http.client.IncompleteRead:
        pass
    control("set sqs mood normal")
    h.equal(len(amazon.receive(WaitTimeSeconds=20, VisibilityTimeout=1)), 1, "normal again")


def test_sqs_million():
    """a million messages queued, and 5,000 a second taken out and deleted"""
    amazon = Amazon()
    body = json.dumps({"eventType": "Send", "mail": {"x": "y" * 2000}}).replace("\n", "")
    amazon.box.control(f"sqs send ses-events 1000000 {body}")
    seen, stop = [], time.monotonic() + 4

    def work():
        c = http.client.HTTPConnection(amazon.host, timeout=30)
        n = 0

        def ask(action, **members):
            text = json.dumps({"QueueUrl": amazon.queue, **members}).encode()
            c.request("POST", "/", text, amazon.signed("sqs", "POST", "/", text, {
                "content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS." + action}.items()))
            return json.loads(c.getresponse().read())
        while time.monotonic() < stop:
            messages = ask("ReceiveMessage", MaxNumberOfMessages=10)["Messages"]
            ask("DeleteMessageBatch", Entries=[
                {"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)])
            n += len(messages)
        seen.append(n)
    threads = [threading.Thread(target=work) for _ in range(4)]
    cpu = os.sysconf("SC_CLK_TCK")

    def spent():
        with open(f"/proc/{amazon.box.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / cpu
    before = spent()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    done, used = sum(seen), spent() - before
    state = amazon.box.control("get sqs")["queues"]["ses-events"]
    h.equal(state["waiting"] + state["in_flight"] + state["deleted"], 1000000, "none lost")
    h.equal(state["deleted"], done, "deleted")
    h.note(f"SQS: {done / 4:.0f} messages/s by this client, {done / used:.0f} per second of the sandbox's CPU, "
           f"{amazon.box.process.status('VmRSS') // 1024} MiB")
    if not h.SANITIZED:
        h.check(done / used > 5000, f"{done / used:.0f} messages per second of CPU")
        h.check(amazon.box.process.status("VmRSS") < 700 * 1024, "memory")


# -- SNS ---------------------------------------------------------------------------------------

class Listener:
    """What Oiwake's /sns will be: takes posts over TLS; `answers` are the statuses to come, then 200."""

    def __init__(self):
        self.got, self.answers, self.open, self.peak = [], [], 0, 0
        self.pause = 0
        self.lock = threading.Condition()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with outer.lock:
                    outer.open += 1
                    outer.peak = max(outer.peak, outer.open)
                time.sleep(outer.pause)
                with outer.lock:
                    outer.open -= 1
                    status = outer.answers.pop(0) if outer.answers else 200
                    outer.got.append((self.headers, body))
                    outer.lock.notify_all()
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                pass
        pem = h.work.file("listener.pem")
        h.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
               "-subj", "/CN=listener", "-days", "2", "-keyout", pem, "-out", pem + ".crt"])
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(pem + ".crt", pem)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # the sandbox is killed in the middle of a post
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}/sns"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        h.work.cleanups.append(self.server.shutdown)

    def wait(self, count):
        with self.lock:
            h.check(self.lock.wait_for(lambda: len(self.got) >= count, 20), f"{len(self.got)} of {count} posts")
            return self.got[-1]


def fetch(amazon, url):
    """By GET over TLS that is verified, as if the URL's host were the sandbox."""
    parts = urllib.parse.urlsplit(url)
    tls = ssl.create_default_context(cafile=amazon.box.ca)
    c = http.client.HTTPSConnection(parts.hostname, amazon.aws["port"], context=tls, timeout=20)
    c._create_connection = lambda address, *more: socket.create_connection(
        (amazon.aws["address"], address[1]), *more)
    c.request("GET", parts.path + ("?" + parts.query if parts.query else ""))
    answer = c.getresponse()
    return answer.status, answer.read()


def openssl_verify(amazon, message):
    """None when genuine, else why not: certificate and signature, by openssl."""
    status, pem = fetch(amazon, message["SigningCertURL"])
    h.equal(status, 200, message["SigningCertURL"])
    cert, text, signature = (h.work.file(n) for n in ("sns.pem", "sns.txt", "sns.sig"))
    h.work.write(cert, pem.decode())
    if h.run(["openssl", "verify", "-CAfile", amazon.box.ca, cert], status=None).returncode:
        return "certificate"
    keys = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    if message["Type"] != "Notification":
        keys.remove("Subject")
    with open(text, "w", newline="") as f:
        f.write("".join(f"{k}\n{message[k]}\n" for k in keys if k in message))
    with open(signature, "wb") as f:
        f.write(base64.b64decode(message["Signature"]))
    key = h.run(["openssl", "x509", "-in", cert, "-noout", "-pubkey"]).stdout
    h.work.write("sns.pub", key)
    md = "-sha1" if message["SignatureVersion"] == "1" else "-sha256"
    done = h.run(["openssl", "dgst", md, "-verify", h.work.file("sns.pub"), "-signature", signature, text],
                 status=None)
    return "signature" if done.returncode else None


def subscribed():
    amazon, listener = Amazon(), Listener()
    amazon.box.control(f"sns subscribe {listener.url}")
    headers, body = listener.wait(1)
    message = json.loads(body)
    h.equal((message["Type"], headers["x-amz-sns-message-type"], headers["x-amz-sns-subscription-arn"]),
            ("SubscriptionConfirmation", "SubscriptionConfirmation", None), "asked to confirm")
    h.equal(openssl_verify(amazon, message), None, "signed")
    return amazon, listener, message


def confirmed():
    amazon, listener, message = subscribed()
    status, text = fetch(amazon, message["SubscribeURL"])
    h.equal((status, b"<SubscriptionArn>arn:aws:sns:" in text), (200, True), f"confirmed {text}")
    return amazon, listener


def test_sns_subscription():
    """nothing is posted before the subscription is confirmed; events are signed, versions 1 and 2"""
    amazon, listener, message = subscribed()
    amazon.mail("early@example.com")
    amazon.events(2)
    url = message["SubscribeURL"]
    h.equal(fetch(amazon, url[:-1] + ("0" if url[-1] != "0" else "1"))[0], 400, "another token")
    h.equal(amazon.box.control("get sns")["subscriptions"], {listener.url: "pending"}, "pending")
    h.equal(fetch(amazon, url)[0], 200, "confirmed")
    for version in ("1", "2"):
        amazon.box.control(f"set sns version {version}")
        del listener.got[:]
        message_id = amazon.mail("unknown-%s@example.com" % version)
        listener.wait(2)
        for headers, body in listener.got:
            message = json.loads(body)
            event = json.loads(message["Message"])
            h.equal(event["mail"]["messageId"], message_id, "of that mail")
            h.equal((message["SignatureVersion"], message["Subject"], message["TopicArn"]),
                    (version, "Amazon SES Email Event Notification", amazon.aws["topic_arn"]), "envelope")
            h.equal(headers["Content-Type"], "text/plain; charset=UTF-8", "content type")
            h.equal(headers["x-amz-sns-message-id"], message["MessageId"], "header")
            h.equal(openssl_verify(amazon, message), None, "signature")
    amazon.box.control(f"sns unsubscribe {listener.url}")
    amazon.mail("a@example.com")
    h.wait_until(lambda: len(amazon.journal("event")) == 8, "told")
    h.equal(len(amazon.journal("sns-post")), 5, "posts in the journal")


def test_sns_retries():
    """5xx is tried again with the same id, 4xx is not, and there is an end to it"""
    amazon, listener = confirmed()
    amazon.box.control("set sns retry 50")
    amazon.box.control("set events drop send on")
    listener.answers = [503, 500]
    del listener.got[:]
    amazon.mail("a@example.com")
    listener.wait(3)
    h.equal(len({json.loads(b)["MessageId"] for _, b in listener.got}), 1, "the same")
    listener.answers = [503] * 4
    amazon.mail("b@example.com")
    amazon.box.journal.wait(lambda lines: any(j["event"] == "sns-lost" for j in lines), "given up")
    h.equal(len(listener.got), 7, "four tries")
    listener.answers = [403]
    amazon.mail("c@example.com")
    amazon.box.journal.wait(lambda lines: sum(j["event"] == "sns-lost" for j in lines) == 2, "refused")
    h.equal(len(listener.got), 8, "one try")
    h.equal([j["status"] for j in amazon.journal("sns-post")[1:]], [503, 500, 200] + [503] * 4 + [403], "journal")


def test_sns_parallel():
    """at most so many posts at a time; held ones go out when let go"""
    amazon, listener = confirmed()
    amazon.box.control("set sns parallel 3")
    amazon.box.control("set sns hold on")
    del listener.got[:]
    for n in range(10):
        amazon.mail(f"a{n}@example.com")
    h.wait_until(lambda: amazon.box.control("get sns")["waiting"] == 20, "held")
    h.equal(listener.got, [], "nothing yet")
    listener.pause = 0.05
    amazon.box.control("set sns hold off")
    listener.wait(20)
    h.equal(listener.peak, 3, "at a time")
    h.equal(len({json.loads(b)["MessageId"] for _, b in listener.got}), 20, "each once")


def test_sns_forgeries():
    """each is wrong in what it is named for, and in nothing else"""
    amazon, listener = confirmed()
    amazon.box.control("set sns version 2")
    amazon.mail("a@example.com")
    listener.wait(3)

    def forged(what):
        count = len(listener.got)
        amazon.box.control(f"set sns forge {what}")
        headers, body = listener.wait(count + 1)
        return headers, body
    genuine = json.loads(listener.got[-1][1])
    h.equal(openssl_verify(amazon, genuine), None, "genuine")
    for what, why in (("body", "signature"), ("signature", "signature"), ("impostor", "certificate"),
                      ("topic", None), ("old", None), ("future", None), ("subscribe-url", None)):
        h.equal(openssl_verify(amazon, json.loads(forged(what)[1])), why, what)
    message = json.loads(forged("topic")[1])
    h.check(message["TopicArn"] != amazon.aws["topic_arn"], "another topic")
    message = json.loads(forged("subscribe-url")[1])
    h.equal((message["Type"], "169.254.169.254" in message["SubscribeURL"]), ("SubscriptionConfirmation", True),
            "SubscribeURL")
    hosts = [urllib.parse.urlsplit(json.loads(forged(what)[1])["SigningCertURL"]).hostname
             for what in ("cert-url", "cert-host")]
    h.check(not any(host.endswith("sns.ap-northeast-1.amazonaws.com") for host in hosts), hosts)
    headers, body = forged("raw")
    h.equal((headers["x-amz-sns-rawdelivery"], "eventType" in json.loads(body)), ("true", True), "raw")
    h.equal(json.loads(forged("version")[1])["SignatureVersion"], "3", "version")
    h.check(json.loads(forged("replay")[1])["MessageId"] in
            {json.loads(b)["MessageId"] for _, b in listener.got[1:3]}, "replay")
    h.check(len(forged("huge")[1]) > 4 << 20, "huge")
    h.wait_until(lambda: sum(j["forged"] is not None for j in amazon.journal("sns-post")) == 15, "journal")


# -- IMDS --------------------------------------------------------------------------------------

def imds(amazon, path, method="GET", **headers):
    request = urllib.request.Request(f"{amazon.aws['imds']}/latest/{path}", method=method,
                                     headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def token(amazon, ttl="60"):
    status, text = imds(amazon, "api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds=ttl)
    h.equal(status, 200, text)
    return text


def role_keys(amazon, ticket, role="oiwake-role"):
    status, text = imds(amazon, f"meta-data/iam/security-credentials/{role}", X_aws_ec2_metadata_token=ticket)
    h.equal(status, 200, text)
    return json.loads(text)


def test_imds():
    """a token first; then a role whose keys are good for the API"""
    amazon = Amazon()
    ttl = "X_aws_ec2_metadata_token_ttl_seconds"
    h.equal(imds(amazon, "api/token", "PUT")[0], 400, "no TTL")
    h.equal(imds(amazon, "api/token", "PUT", **{ttl: "21601"})[0], 400, "too long")
    h.equal(imds(amazon, "api/token", "PUT", **{ttl: "60", "X_Forwarded_For": "10.0.0.1"})[0], 403, "by a proxy")
    roles = "meta-data/iam/security-credentials/"
    h.equal(imds(amazon, roles)[0], 401, "no token")
    h.equal(imds(amazon, roles, X_aws_ec2_metadata_token="nonsense")[0], 401, "another token")
    ticket = token(amazon)
    h.equal(imds(amazon, roles, X_aws_ec2_metadata_token=ticket), (200, "oiwake-role"), "role")
    h.equal(imds(amazon, "meta-data/placement/region", X_aws_ec2_metadata_token=ticket), (200, REGION), "region")
    h.equal(imds(amazon, roles + "other", X_aws_ec2_metadata_token=ticket)[0], 404, "another role")
    keys = role_keys(amazon, ticket)
    h.equal((keys["Code"], keys["Type"], keys["AccessKeyId"][:11]), ("Success", "AWS-HMAC", "ASIASANDBOX"), "keys")
    h.equal(role_keys(amazon, ticket)["AccessKeyId"], keys["AccessKeyId"], "the same while they are young")
    amazon.keys = (keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"])
    amazon.mail("a@example.com")
    amazon.keys = (keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"][1:] + "x")
    h.equal(amazon.call("ses", "GET", "/v2/email/account")[0], 403, "another token")
    short = token(amazon, "1")
    h.wait_until(lambda: imds(amazon, roles, X_aws_ec2_metadata_token=short)[0] == 401, "the token ends")


def test_imds_renewal():
    """new keys come within five minutes of the end; expired ones are refused as such"""
    amazon = Amazon()
    ticket = token(amazon)
    amazon.box.control("set imds expires 2")
    first, second = role_keys(amazon, ticket), role_keys(amazon, ticket)
    h.check(first["AccessKeyId"] != second["AccessKeyId"], "new ones each time")
    amazon.keys = (first["AccessKeyId"], first["SecretAccessKey"], first["Token"])
    h.equal(amazon.call("ses", "GET", "/v2/email/account")[0], 200, "the old ones are good to their end")

    def expired():
        status, headers, _ = amazon.call("ses", "GET", "/v2/email/account")
        return status == 403 and "Expired" in headers["x-amzn-ErrorType"]
    h.wait_until(expired, "ExpiredToken")
    amazon.box.control("set imds mood norole")
    h.equal(imds(amazon, "meta-data/iam/security-credentials/", X_aws_ec2_metadata_token=ticket)[0], 404, "no role")
    amazon.box.control("set imds mood failed")
    h.check(role_keys(amazon, ticket)["Code"] != "Success", "failed")
    amazon.box.control("set imds mood expired")
    h.check(role_keys(amazon, ticket)["Expiration"] < time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "expired")
    amazon.box.control("set imds mood unavailable")
    h.equal(imds(amazon, "api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds="60")[0], 503, "unavailable")


h.main()
