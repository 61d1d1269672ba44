"""receiver.py - the application's end of a webhook, as a test holds it in its hand.

    hook = HookReceiver(secret=b"...")          # answers 204 until told otherwise
    hook.wait_for(lambda r: len(r.told("Bounce")) == 1, "a bounce")
    hook.answers = lambda request: 500          # from now on
    hook.stop(); hook.start()                   # nobody listens for a while; the port stays

Every request is kept in the order of arrival, before it is answered. The signature is checked as
Standard Webhooks says, by the standard library alone: HMAC-SHA-256 over id, time and body.
"""

import base64
import hashlib
import hmac
import http.server
import json
import ssl
import threading
import time

import harness as h


class Request:
    """One POST: number (from 0), method, path, headers (names in lower case), body, at (monotonic),
    signed (None without a secret) and, once that is decided, answered (None: never)."""

    def __init__(self, handler, number, body, secret):
        self.number, self.body, self.at = number, body, time.monotonic()
        self.method, self.path = handler.command, handler.path
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.signed = None if secret is None else is_signed(self, secret)
        self.answered = None

    def json(self):
        return json.loads(self.body)

    def events(self):
        """SES's event objects in it: one, a batch of them, or what is in SNS's envelope."""
        found = self.json()
        if isinstance(found, dict) and "Message" in found and "eventType" not in found:
            found = json.loads(found["Message"])
        return found if isinstance(found, list) else [found]


def is_signed(request, secret):
    said = request.headers
    if "webhook-signature" not in said:
        return False
    signed = f"{said.get('webhook-id')}.{said.get('webhook-timestamp')}.".encode() + request.body
    mine = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(one, f"v1,{mine}") for one in said["webhook-signature"].split())


# Where an event of a type names those that it is about; the others are about all of the mail.
ABOUT = {"Bounce": ("bounce", "bouncedRecipients"), "Complaint": ("complaint", "complainedRecipients"),
         "DeliveryDelay": ("deliveryDelay", "delayedRecipients"), "Delivery": ("delivery", "recipients")}


def recipients(event):
    """The addresses that an event is about."""
    part, name = ABOUT.get(event.get("eventType"), ("mail", "destination"))
    return [r["emailAddress"] if isinstance(r, dict) else r for r in event[part][name]]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """The other side may be killed at any moment."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = h.PATIENCE

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        # Who is killed in the middle of a request has not made one.
        status = self.server.receiver.take(self, body) if len(body) == length else None
        if status is None:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_PUT = do_POST

    def log_message(self, *_):
        pass


class HookReceiver:
    """answers(request) -> a status, or None: the connection is closed without an answer; it may wait.
    tls: (certificate, key), files."""

    def __init__(self, answers=None, secret=None, tls=None, port=0):
        self.answers = answers or (lambda request: 204)
        self.secret, self.tls, self.port = secret, tls, port
        self.requests = []
        self.changed = threading.Condition()
        self.server = None
        self.start()
        h.work.cleanups.append(self.stop)

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/hook"

    def start(self):
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.server.receiver = self
        self.port = self.server.server_port
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        """Nobody listens any more. What is being answered is answered."""
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def take(self, handler, body):
        with self.changed:
            request = Request(handler, len(self.requests), body, self.secret)
            self.requests.append(request)
            self.changed.notify_all()
        status = self.answers(request)
        with self.changed:
            request.answered = status
            self.changed.notify_all()
        return status

    def events(self, accepted=True):
        """All events in order of arrival; of answered requests only, unless `accepted` is False."""
        with self.changed:
            return [event for request in self.requests
                    if not accepted or 200 <= (request.answered or 0) < 300
                    for event in request.events()]

    def told(self, kind=None, to=None):
        """Events of a type and about a recipient, repeated ones included."""
        return [e for e in self.events() if kind in (None, e.get("eventType"))
                and (to is None or to in recipients(e))]

    def wait_for(self, predicate, what, limit=None):
        """Until predicate(self) holds; asked again at each request. Returns what it returned."""
        limit = limit or h.PATIENCE
        end = time.monotonic() + limit
        with self.changed:
            while not (value := predicate(self)):
                left = end - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    kinds = [e.get("eventType") for e in self.events(accepted=False)]
                    raise h.Failed(f"not within {limit:.0f} s: {what() if callable(what) else what}; "
                                   f"{len(kinds)} events: {kinds[-20:]}")
            return value
