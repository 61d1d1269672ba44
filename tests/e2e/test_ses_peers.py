"""What we say to AWS, read by others: botocore's signer and models, and aws-ses-v2-local from npm."""

import base64
import http.server
import json
import os
import threading
import urllib.parse
import urllib.request

import harness as h
from oiwake import ROUTES, Config, Oiwake

try:
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
    import botocore.serialize
    import botocore.session
    import botocore.validate
except ImportError:
    botocore = None

REGION = "ap-northeast-1"
ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//token+with/odd=="
ODD = "a+b..c/d%e@docomo.ne.jp"
LOCAL = os.path.join(h.ROOT, "build", "node", "node_modules", "aws-ses-v2-local", "dist", "cli.js")

PATH = """\
path "ses" {{
	type = ses
	region = {region}
	endpoint = "{endpoint}"
	{credentials}
	configuration-set = "events"
	tags = {{ "env=prod" }}
	rate = 0
	account-check = {account_check}
}}
"""

QUEUE = """\
sqs "events" {{
	path = ses
	queue = "{endpoint}/123456789012/ses-events"
	endpoint = "{endpoint}"
	pollers = 1
	wait = 2s
}}
"""


# -- botocore's word ---------------------------------------------------------------------------

class Request:
    """One as it came: its target is not decoded."""

    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body

    def path(self):
        return self.target.partition("?")[0]

    def authorization(self):
        kind, _, rest = self.headers["authorization"].partition(" ")
        h.equal(kind, "AWS4-HMAC-SHA256", "kind of signature")
        return dict(p.strip().split("=", 1) for p in rest.split(","))

    def changed(self, **what):
        return Request(**{**vars(self), **what})


def is_signed_right(r, token):
    """Whether botocore, given what is signed of it and the keys, comes to the same signature."""
    said = r.authorization()
    access, day, region, service, end = said["Credential"].split("/")
    names = said["SignedHeaders"].split(";")
    at = r.headers.get("x-amz-date", "")
    if (access, region, end) != (ACCESS, REGION, "aws4_request") or day != at[:8]:
        return False
    if not r.target.startswith("/"):
        return False
    if "host" not in names or r.headers.get("x-amz-security-token") != token:
        return False
    if any(n not in names for n in r.headers if n.startswith("x-amz-")):
        return False
    request = botocore.awsrequest.AWSRequest(
        r.method, f"http://{r.headers['host']}{r.target}", {n: r.headers[n] for n in names}, r.body)
    request.context["timestamp"] = at
    signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(ACCESS, SECRET, token),
                                     service, region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return signer.signature(text, request) == said["Signature"]


def flip(text, i):
    """Another byte that is printable, too, and makes no other "." or "/", which paths are cleared of."""
    return text[:i] + chr(ord(text[i]) ^ (0x40 if text[i] in "./" else 1)) + text[i + 1:]


def forgeries(r):
    """The request with each of its bytes changed in turn that a signature speaks for."""
    yield "method", r.changed(method="PATCH")
    for i in range(len(r.target)):
        yield f"target, {i}", r.changed(target=flip(r.target, i))
    for name in r.authorization()["SignedHeaders"].split(";"):
        for i in range(len(r.headers[name])):
            yield f"{name}, {i}", r.changed(
                headers={**r.headers, name: flip(r.headers[name], i)})
    for i in {*range(min(len(r.body), 600)), *range(max(0, len(r.body) - 50), len(r.body))}:
        yield f"body, {i}", r.changed(body=r.body[:i] + bytes([r.body[i] ^ 1]) + r.body[i + 1:])
    signature = r.authorization()["Signature"]
    header = r.headers["authorization"]
    for i in range(len(header) - len(signature), len(header)):
        yield f"signature, {i}", r.changed(headers={**r.headers, "authorization": flip(header, i)})


class Models:
    """botocore's service models: what it would have sent for the same call."""

    # Newer than Debian's botocore, read in that of AWS (facts/aws.md, section 5).
    NEWER = {"ReceiveMessage": {"MessageSystemAttributeNames"}}

    def __init__(self):
        session = botocore.session.get_session()
        self.ses, self.sqs = session.get_service_model("sesv2"), session.get_service_model("sqs")

    def check_ses(self, r, name):
        model = self.ses.operation_model(name)
        params = self.params_of(r, model)
        self.validate(params, model)
        made = botocore.serialize.create_serializer("rest-json", False).serialize_to_request(params, model)
        h.equal(r.method, made["method"], f"{name}: method")
        h.equal(r.path(), made["url_path"], f"{name}: path")
        query = urllib.parse.parse_qs(r.target.partition("?")[2], strict_parsing="?" in r.target)
        want = {k: v if isinstance(v, list) else [str(v)] for k, v in made["query_string"].items()}
        h.equal(query, want, f"{name}: query")
        if made["body"]:
            h.equal(json.loads(r.body), json.loads(made["body"]), f"{name}: body")
        else:
            h.equal(r.body, b"", f"{name}: body")
        return params

    def params_of(self, r, model):
        """The call's parameters as a user of botocore would give them."""
        params = json.loads(r.body) if r.body else {}
        query = urllib.parse.parse_qs(r.target.partition("?")[2])
        pattern = model.http["requestUri"].split("/")
        for part, said in zip(pattern, r.path().split("/")):
            if part.startswith("{"):
                params[part.strip("{}")] = urllib.parse.unquote(said)
        for name, shape in model.input_shape.members.items():
            values = query.get(shape.serialization.get("name", name))
            if values and shape.serialization.get("location") == "querystring":
                params[name] = (values if shape.type_name == "list" else
                                int(values[0]) if shape.type_name == "integer" else values[0])
        if "Content" in params:
            raw = params["Content"]["Raw"]
            raw["Data"] = base64.b64decode(raw["Data"], validate=True)
        return params

    def check_sqs(self, r):
        name = r.headers["x-amz-target"].removeprefix("AmazonSQS.")
        h.equal(r.headers["content-type"], "application/x-amz-json-1.0", "content type")
        params = json.loads(r.body)
        newer = self.NEWER.get(name, set())
        self.validate({k: v for k, v in params.items() if k not in newer},
                      self.sqs.operation_model(name))
        return name, params

    @staticmethod
    def validate(params, model):
        report = botocore.validate.ParamValidator().validate(params, model.input_shape)
        h.check(not report.has_errors(), lambda: f"{model.name}: {report.generate_report()}")


# -- a witness in Amazon's place ---------------------------------------------------------------

class Witness:
    """Records every request, answers as AWS would, and refuses what botocore did not sign so."""

    SIGNS = "SendEmail GetAccount ListSuppressedDestinations PutSuppressedDestination " \
            "GetSuppressedDestination DeleteSuppressedDestination".split()

    def __init__(self, token=None):
        h.need(botocore, "python3-botocore is not installed")
        self.token, self.seen, self.wrong = token, [], []
        self.changed = threading.Condition()
        self.letters = ["Successfully validated SNS topic for Amazon SES event publishing."] * 3
        self.models = Models()
        witness = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {n.lower(): v for n, v in self.headers.items()}
                status, said = witness.take(Request(self.command, self.path, headers, body))
                data = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("x-amzn-RequestId", "8f23e6e6-0000-0000-0000-000000000000")
                if status != 200:
                    self.send_header("x-amzn-ErrorType", said["__type"])
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_DELETE = answer

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                """Clients that end hang up."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        h.work.cleanups.append(self.close)

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def take(self, r):
        name = self.name_of(r)
        try:
            h.check(is_signed_right(r, self.token), f"{name}: botocore signs it otherwise")
        except Exception as e:  # pylint: disable=broad-except
            self.wrong.append(repr(e))
            return 403, {"__type": "InvalidSignatureException", "message": str(e)}
        with self.changed:
            self.seen.append((name, r))
            self.changed.notify_all()
        return 200, getattr(self, "do_" + name)(r)

    @staticmethod
    def name_of(r):
        """By method and path, as the service model has them."""
        if "x-amz-target" in r.headers:
            return r.headers["x-amz-target"].partition(".")[2]
        rest = r.path().removeprefix("/v2/email/suppression/addresses")
        if rest != r.path():
            return {"GET": "Get" if rest else "List", "PUT": "Put", "DELETE": "Delete"}[r.method] \
                + "SuppressedDestination" + ("s" if r.method == "GET" and not rest else "")
        return {"/v2/email/outbound-emails": "SendEmail", "/v2/email/account": "GetAccount"}[r.path()]

    def wait(self, name, count=1):
        """The requests by that name, once there are so many."""
        def found():
            return [r for n, r in self.seen if n == name]
        with self.changed:
            h.check(self.changed.wait_for(lambda: len(found()) >= count, h.PATIENCE),
                    lambda: f"{len(found())} of {count} {name}; wrong: {self.wrong[:3]}")
        return found()

    def do_SendEmail(self, _):
        return {"MessageId": f"0106{len(self.seen):012x}-00000000-0000-0000-0000-000000000000-000000"}

    def do_GetAccount(self, _):
        return {"DedicatedIpAutoWarmupEnabled": False, "EnforcementStatus": "HEALTHY",
                "ProductionAccessEnabled": True, "SendingEnabled": True,
                "SendQuota": {"Max24HourSend": 50000.0, "MaxSendRate": 100.0, "SentLast24Hours": 7.0},
                "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE"]}}

    def do_ListSuppressedDestinations(self, r):
        row = {"EmailAddress": ODD, "Reason": "BOUNCE", "LastUpdateTime": 1585761795.0}
        if "NextToken" in r.target:
            return {"SuppressedDestinationSummaries": [row]}
        return {"SuppressedDestinationSummaries": [row], "NextToken": "page 2/+=&%?"}

    def do_GetSuppressedDestination(self, _):
        return {"SuppressedDestination": {"EmailAddress": ODD, "Reason": "BOUNCE",
                                          "LastUpdateTime": 1585761795.0}}

    def do_PutSuppressedDestination(self, _):
        return {}

    do_DeleteSuppressedDestination = do_PutSuppressedDestination

    def do_ReceiveMessage(self, r):
        """Three at once, then it waits as a long poll does."""
        with self.changed:
            if not self.letters:
                self.changed.wait(json.loads(r.body)["WaitTimeSeconds"])
                return {}
            letters, self.letters = self.letters, []
        return {"Messages": [{"MessageId": f"m{i}", "ReceiptHandle": f"AQEB+/{i}==", "Body": text,
                              "MD5OfBody": "", "Attributes": {"ApproximateReceiveCount": "1"}}
                             for i, text in enumerate(letters)]}

    def do_DeleteMessageBatch(self, r):
        return {"Successful": [{"Id": e["Id"]} for e in json.loads(r.body)["Entries"]], "Failed": []}


def start(endpoint, credentials, queue=True, account_check="0s"):
    config = Config(None, dkim=False)
    config.write_rules(ROUTES)
    config.text += PATH.format(region=REGION, endpoint=endpoint, credentials=credentials,
                               account_check=account_check)
    if queue:
        config.text += QUEUE.format(endpoint=endpoint)
    config.save()
    return Oiwake(config)


def static():
    path = h.work.write("secret", SECRET + "\n", 0o600)
    return f'credentials = static\n\taccess-key = "{ACCESS}"\n\tsecret-key-file = "{path}"'


MAILS = {
    "plain": h.message("hello", to="plain@example.com"),
    "utf8": h.message("=?UTF-8?B?5pel5pys?=", to="utf8@example.com",
                      body="\u65e5\u672c\u8a9e\u306e\u672c\u6587\r\n.dot\r\n",
                      headers=["Content-Type: text/plain; charset=utf-8", "MIME-Version: 1.0",
                               "X-SES-MESSAGE-TAGS: campaign=summer_2026, env=other"]),
    "large": h.message("large", to="large@example.com",
                       body="".join(f"line {n} {'x' * 60}\r\n" for n in range(15000))),
}


def talk(witness, ours):
    """Everything that we ever ask AWS for."""
    with h.smtp(ours.port("relay")) as s:
        for name, text in MAILS.items():
            s.sendmail("info@news.test", [f"{name}+tag@example.com"], text)
    for verb in ("add", "show", "remove"):
        ours.cli(f"ses suppression {verb}", ODD)
    ours.cli("ses suppression list", "--reason", "BOUNCE")
    witness.wait("SendEmail", len(MAILS))
    witness.wait("GetAccount")
    witness.wait("ReceiveMessage", 2)
    witness.wait("DeleteMessageBatch")
    h.equal(witness.wrong, [], "requests that botocore would not have signed so")


# -- the tests ---------------------------------------------------------------------------------

def test_botocore_agrees():
    """botocore comes to the same signature for each of our requests, and to another for each changed byte"""
    witness = Witness()
    ours = start(witness.endpoint, static(), account_check="60s")
    talk(witness, ours)
    tried = 0
    for name, r in {n: r for n, r in reversed(witness.seen)}.items():
        for what, forged in forgeries(r):
            tried += 1
            h.check(not is_signed_right(forged, None), f"{name} with another {what} is right, too")
    h.check(tried > 2000, f"only {tried} forgeries")
    h.note(f"{len(witness.seen)} requests of {len(dict(witness.seen))} kinds, {tried} forgeries")
    ours.wait_empty()
    ours.stop()


def test_botocore_agrees_with_a_token():
    """The same with the session token of a role"""
    witness = Witness(TOKEN)
    path = h.work.write("credentials", f"[oiwake]\naws_access_key_id = {ACCESS}\naws_secret_access_key = "
                        f"{SECRET}\naws_session_token = {TOKEN}\n", 0o600)
    ours = start(witness.endpoint, f'credentials = file\n\tcredentials-file = "{path}"\n\tprofile = oiwake',
                 account_check="60s")
    talk(witness, ours)
    h.check(all("x-amz-security-token" in r.authorization()["SignedHeaders"] for _, r in witness.seen),
            "the token is signed")
    ours.wait_empty()
    ours.stop()


def test_botocore_would_say_the_same():
    """Each request is what botocore makes of the same call: method, path, query, members of the body"""
    witness = Witness()
    ours = start(witness.endpoint, static(), account_check="60s")
    talk(witness, ours)
    checked = []
    for name, r in witness.seen:
        if name in witness.SIGNS:
            checked.append((name, witness.models.check_ses(r, name)))
        else:
            checked.append(witness.models.check_sqs(r))
    of = {}
    for name, params in checked:
        of.setdefault(name, []).append(params)
    for verb in ("Put", "Get", "Delete"):
        h.equal(of[verb + "SuppressedDestination"][0]["EmailAddress"], ODD, f"address of {verb}")
    pages = of["ListSuppressedDestinations"]
    h.equal([p.get("NextToken") for p in pages], [None, "page 2/+=&%?"], "tokens of the pages")
    h.check(all(p["Reasons"] == ["BOUNCE"] for p in pages), "reason of the pages")
    h.equal(sorted(e["ReceiptHandle"] for p in of["DeleteMessageBatch"] for e in p["Entries"]),
            [f"AQEB+/{i}==" for i in range(3)], "what was deleted")
    mails = {p["Destination"]["ToAddresses"][0]: p for p in of["SendEmail"]}
    h.equal(sorted(mails), sorted(f"{n}+tag@example.com" for n in MAILS), "recipients")
    for name, text in MAILS.items():
        sent = mails[f"{name}+tag@example.com"]
        raw = sent["Content"]["Raw"]["Data"]
        h.check(raw.endswith(text.partition(b"\r\n\r\n")[2]), f"{name}: body as it came in")
        h.check(b"X-SES-" not in raw, f"{name}: no X-SES- in it")
        h.equal(sent["ConfigurationSetName"], "events", "configuration set")
        tags = {t["Name"]: t["Value"] for t in sent["EmailTags"]}
        h.check("oiwake-id" in tags, "our id")
        h.equal(tags["env"], "other" if name == "utf8" else "prod", f"{name}: tag env")
    ours.wait_empty()
    ours.stop()


def test_aws_ses_v2_local():
    """Mail to aws-ses-v2-local arrives there: From, To, subject, text"""
    h.need(os.path.exists("/usr/bin/node"), "node is not installed")
    h.need(os.path.exists(LOCAL), "aws-ses-v2-local is not there (tests/deps node)")
    port = h.free_port()
    account = json.dumps({
        **Witness.do_GetAccount(None, None),
        "Details": {"AdditionalContactEmailAddresses": [], "ContactLanguage": "JA", "MailType": "MARKETING",
                    "ReviewDetails": {"CaseId": "", "Status": "GRANTED"}, "UseCaseDescription": "",
                    "WebsiteURL": ""}})
    local = h.Process("aws-ses-v2-local", ["node", LOCAL, "--host", "127.0.0.1", "--port", str(port)],
                      env={"AWS_SES_ACCOUNT": account})
    local.killed = True  # its status at SIGTERM is its own
    h.Lines(local.out_path).wait(lambda l: any("running" in x for x in l), "aws-ses-v2-local is ready")
    ours = start(f"http://127.0.0.1:{port}", static(), queue=False, account_check="60s")
    with h.smtp(ours.port("relay")) as s:
        s.sendmail("info@news.test", ["taro@example.com"], h.message(
            "=?UTF-8?B?5pel5pys6Kqe?=", sender="News <info@news.test>", to="Taro <taro@example.com>",
            body="\u672c\u6587\r\n", headers=["MIME-Version: 1.0",
                                              "Content-Type: text/plain; charset=utf-8"]))
        s.sendmail("info@news.test", ["large@example.com"], MAILS["large"])
    ours.wait_empty()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/store", timeout=h.PATIENCE) as f:
        emails = {e["subject"]: e for e in json.load(f)["emails"]}
    got = emails["\u65e5\u672c\u8a9e"]
    h.equal(got["from"], '"News" <info@news.test>', "From")
    h.equal(got["destination"]["to"], ['"Taro" <taro@example.com>'], "To")
    h.equal(got["body"]["text"].strip(), "\u672c\u6587", "text")
    h.equal(emails["large"]["body"]["text"].splitlines(),
            MAILS["large"].decode().partition("\r\n\r\n")[2].splitlines(), "the large text")
    finals = ours.finals("taro@example.com")
    h.equal(len(finals), 1, "final lines")
    h.check(got["messageId"] in finals[0]["line"], lambda: f"its id in {finals[0]['line']}")
    ours.stop()


if __name__ == "__main__":
    h.main()
