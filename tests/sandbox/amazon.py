"""amazon.py - check's part for the sandbox's SES API: signatures, verdicts, rate, quota, moods.

The requests are signed here by a third implementation, in ten lines; those that AWS's own clients
once sent (tests/unit/aws_requests) must be taken as well, and botocore's when it is installed.
"""
import base64, concurrent.futures, glob, hashlib, hmac, http.client, json, os, re, socket, ssl, time
import urllib.parse, datetime, calendar

REGION = "ap-northeast-1"
CAPTURED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../unit/aws_requests")
CAPTURED_KEY = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
BADLY_SIGNED = ("curl788_path-encoded", "curl788_path-at", "curl788_query-unsorted",
                "curl788_upload", "curl788_hdr-empty", "curl788_sqs")  # the last: as ses
# Signed with a session token, which only the role has.
FOREIGN_TOKEN = ("sessiontoken", "curl788_token")
MAIL = b"From: A <a@example.com>\r\nTo: b@gmail.com\r\nX-Test-Id: %s\r\n\r\nhello\r\n"


def sign(method, path, query, headers, body, key, secret, service="ses", when=None, token=None):
    """headers with X-Amz-Date and Authorization; names in lower case."""
    if token:
        headers = dict(headers, **{"x-amz-security-token": token})
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(when))
    headers = dict(headers, **{"x-amz-date": date})
    names = ";".join(sorted(headers))
    pairs = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
    lines = [method, urllib.parse.quote(path, "/-._~"),
             "&".join("%s=%s" % tuple(urllib.parse.quote(x, "-._~") for x in p) for p in pairs)]
    lines += ["%s:%s" % (n, " ".join(headers[n].split())) for n in sorted(headers)]
    lines += ["", names, hashlib.sha256(body).hexdigest()]
    scope = "%s/%s/%s/aws4_request" % (date[:8], REGION, service)
    text = "AWS4-HMAC-SHA256\n%s\n%s\n%s" % (
        date, scope, hashlib.sha256("\n".join(lines).encode()).hexdigest())
    k = ("AWS4" + secret).encode()
    for part in [*scope.split("/"), text]:
        k = hmac.digest(k, part.encode(), "sha256")
    headers["authorization"] = "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (
        key, scope, names, k.hex())
    return headers


class Api:
    """One kept-alive connection."""

    def __init__(self, box, plain=False, timeout=20):
        self.said = box.ports["aws"]
        self.key, self.secret = self.said["access_key"], self.said["secret_key"]
        if plain:
            self.http = http.client.HTTPConnection(
                self.said["address"], self.said["plain_port"], timeout=timeout)
        else:
            self.http = http.client.HTTPSConnection(
                self.said["address"], self.said["port"], timeout=timeout,
                context=ssl.create_default_context(cafile=box.file("ca")))

    def call(self, method, path, body=b"", query="", kind="application/json", **more):
        """(status, error type, body)"""
        headers = {"host": "%s:%d" % (self.http.host, self.http.port)}
        if body:
            headers["content-type"] = kind
        headers = sign(method, path, query, headers, body, more.pop("key", self.key),
                       more.pop("secret", self.secret), **more)
        self.http.request(method, path + ("?" + query if query else ""), body or None, headers)
        answer = self.http.getresponse()
        self.headers = answer.headers
        text = answer.read()
        return answer.status, answer.headers["x-amzn-ErrorType"], text

    def send(self, to=("b@gmail.com",), data=None, **members):
        request = {"Content": {"Raw": {"Data": base64.b64encode(data or MAIL % b"t").decode()}},
                   **members}
        if to is not None:
            request["Destination"] = {"ToAddresses": list(to)}
        status, error, body = self.call(
            "POST", "/v2/email/outbound-emails", json.dumps(request).encode())
        said = json.loads(body)
        return (status, error or said["MessageId"], said.get("message"))

    def query(self, **args):
        args["Version"] = "2010-12-01"
        status, _, body = self.call("POST", "/", urllib.parse.urlencode(args).encode(),
                                    kind="application/x-www-form-urlencoded; charset=utf-8")
        return status, body.decode()


def fresh(box):
    for line in ["rate 0", "burst 0", "quota 0", "window 86400", "sent 0", "api-rate 0", "sending on",
                 "sandbox off", "enforcement HEALTHY", "configuration-sets "]:
        box.tell("set ses " + line)
    box.tell("set aws mood normal")
    box.tell("set aws latency 0")
    box.tell("set aws skew 0")


def check_signatures(box):
    api = Api(box)
    for want, more in [
            ((200, None), {}),
            ((403, "UnrecognizedClientException"), {"key": "AKIAOTHER"}),
            ((403, "InvalidSignatureException"), {"secret": "wrong"}),
            ((403, "InvalidSignatureException"), {"service": "sqs"}),
            ((403, "InvalidSignatureException"), {"when": time.time() - 330}),
            ((403, "InvalidSignatureException"), {"when": time.time() + 330}),
            ((200, None), {"when": time.time() - 270})]:
        got = api.call("GET", "/v2/email/account", **more)
        assert got[:2] == want, (more, got)
    box.tell("set aws skew 600")
    status, error, body = api.call("GET", "/v2/email/account")
    assert (status, error) == (403, "InvalidSignatureException") and b"Signature expired: " in body
    theirs = calendar.timegm(time.strptime(api.headers["Date"], "%a, %d %b %Y %H:%M:%S GMT"))
    assert 590 < theirs - time.time() < 610
    assert api.call("GET", "/v2/email/account", when=theirs)[0] == 200
    box.tell("set aws skew 0")
    api.http.request("GET", "/v2/email/account")
    answer = api.http.getresponse()
    assert answer.status == 403 and json.loads(answer.read()) == \
        {"message": "Missing Authentication Token"}
    assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"
    assert len(box.journal(event="refused", stage="auth")) == 7
    status, text = Api(box, plain=True).query(Action="GetSendQuota")
    assert status == 200 and "<SentLast24Hours>" in text, text
    api.secret = "wrong"
    status, text = api.query(Action="GetSendQuota")
    assert status == 403 and "<Code>SignatureDoesNotMatch</Code>" in text, text


def check_role(box):
    """Keys of the instance's role are good for the API, with their token and in their time."""
    where = http.client.HTTPConnection(box.ports["aws"]["address"], box.ports["aws"]["plain_port"])

    def ask(method, path, **headers):
        where.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        return where.getresponse().read().decode()

    token = ask("PUT", "/latest/api/token", X_aws_ec2_metadata_token_ttl_seconds="60")
    at = "/latest/meta-data/iam/security-credentials/"
    role = ask("GET", at, X_aws_ec2_metadata_token=token)
    keys = json.loads(ask("GET", at + role, X_aws_ec2_metadata_token=token))
    api = Api(box)
    for session, want in [(keys["Token"], None), (keys["Token"] + "x", "UnrecognizedClientException"),
                          (None, "UnrecognizedClientException")]:
        got = api.call("GET", "/v2/email/account", key=keys["AccessKeyId"],
                       secret=keys["SecretAccessKey"], token=session)
        assert got[1] == want, (session, got)
    box.tell("set aws skew 90000")
    got = api.call("GET", "/v2/email/account", key=keys["AccessKeyId"], when=time.time() + 90000,
                   secret=keys["SecretAccessKey"], token=keys["Token"])
    assert got[:2] == (403, "ExpiredTokenException"), got


def smtp_password(secret):
    k = ("AWS4" + secret).encode()
    for part in ["11111111", REGION, "ses", "aws4_request", "SendRawEmail"]:
        k = hmac.digest(k, part.encode(), "sha256")
    return base64.b64encode(b"\x04" + k).decode()


def check_one_account(box):
    """SMTP and API share the account: the derived password, quota, sets, the journal's words."""
    ses, api = box.ports["ses"], Api(box)
    assert smtp_password("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY") == \
        "BEBMrlH2tcrvRtSfkd6WbOlpfHSCPAV60ZayJ9ZqHS5c"
    smtp = box.ses_client(smtp_password(api.secret))
    field = b"X-SES-CONFIGURATION-SET: events\r\nX-SES-MESSAGE-TAGS: oiwake-id=5-1,\r\n priority=high\r\n"
    got = smtp.message(["b@gmail.com"], field + MAIL % b"smtp")[-1]
    line = box.journal(event="message", x_test_id="smtp")[0]
    want = {"transport": "smtp", "configuration_set": "events", "operation": "SMTP",
            "tags": {"oiwake-id": "5-1", "priority": "high"}, "ses_id": got.split()[-1]}
    assert {k: line[k] for k in want} == want, line
    got = smtp.message(["closedot-5@gmail.com"], MAIL % b"lost")
    line = box.journal(event="message", x_test_id="lost")[0]
    assert got[-1] == "" and line["accepted"] and line["ses_id"].startswith("0106"), line
    box.tell("set ses quota 3")
    smtp = box.ses_client(smtp_password(api.secret))
    assert api.send()[0] == 200
    assert smtp.message(["b@gmail.com"], MAIL % b"over")[-1] == \
        "454 Throttling failure: Daily message quota exceeded."
    assert api.send()[::2] == (429, "Daily message quota exceeded.")
    for line, want in [("sending off", "554 Message rejected: Sending paused for this account."),
                       ("enforcement SHUTDOWN", "554 Message rejected: Account is suspended."),
                       ("configuration-sets a", "554 Message rejected: Configuration set <events> "
                        "does not exist.")]:
        fresh(box)
        box.tell("set ses " + line)
        assert smtp.message(["b@gmail.com"], field + MAIL % b"no")[-1] == want, line


def check_idle(box):
    """A kept connection is closed after its time."""
    box.tell("set aws idle 1")
    api = Api(box)
    assert api.call("GET", "/v2/email/account")[0] == 200
    time.sleep(2.5)
    try:
        api.call("GET", "/v2/email/account")
        assert False, "the connection is still open"
    except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLError):
        pass
    box.tell("set aws idle 120")


def replay(box, raw):
    """The status that bytes get."""
    with socket.create_connection((box.ports["aws"]["address"], box.ports["aws"]["plain_port"])) as s:
        s.settimeout(20)
        s.sendall(raw)
        return int(s.recv(65536).split()[1])


def check_captured(box):
    """What AWS's clients once sent is taken, at their time; a changed byte of it is not."""
    box.tell("set ses user " + CAPTURED_KEY[0])
    box.tell("set ses secret " + CAPTURED_KEY[1])
    seen = 0
    for path in sorted(glob.glob(CAPTURED + "/*.txt")):
        name = os.path.basename(path)[:-4]
        with open(path, "rb") as f:
            raw = f.read()
        when = re.search(rb"(?i)x-amz-date: (\d{8}T\d{6}Z)", raw).group(1).decode()
        then = datetime.datetime.strptime(when, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        if b"2012-11-05" in raw or any(t in name for t in FOREIGN_TOKEN):
            continue
        box.tell("set aws skew %d" % (then.timestamp() - time.time()))
        bad = name in BADLY_SIGNED
        assert (replay(box, raw) == 403) == bad, (name, replay(box, raw))
        other = raw.replace(b"Signature=", b"Signature=0", 1)
        assert replay(box, other) == 403, name
        at = raw.index(b" /") + 1
        assert bad or replay(box, raw[:at] + b"/x" + raw[at + 1:]) != 200, name
        seen += not bad
    assert seen > 20, seen
    box.tell("set ses user " + box.ports["aws"]["access_key"])
    box.tell("set ses secret " + box.ports["aws"]["secret_key"])
    box.tell("set aws skew 0")


def check_botocore(box):
    try:
        import botocore.session
        from botocore.config import Config
    except ImportError:
        print("-- no botocore here")
        return
    said = box.ports["aws"]
    session = botocore.session.get_session()
    session.set_credentials(said["access_key"], said["secret_key"])
    more = dict(region_name=REGION, endpoint_url=said["endpoint"], verify=box.file("ca"),
                config=Config(retries={"max_attempts": 0}))
    v2, v1 = session.create_client("sesv2", **more), session.create_client("ses", **more)
    got = v2.send_email(Content={"Raw": {"Data": MAIL % b"boto2"}},
                        EmailTags=[{"Name": "n", "Value": "v"}])
    line = box.journal(event="message", x_test_id="boto2")[0]
    assert line["ses_id"] == got["MessageId"] and line["tags"] == {"n": "v"}
    assert line["rcpt"][0]["to"] == "b@gmail.com" and line["from"] == "a@example.com"
    got = v1.send_raw_email(RawMessage={"Data": MAIL % b"boto1"}, Destinations=["c@gmail.com"],
                            Source="a@example.com")
    line = box.journal(event="message", x_test_id="boto1")[0]
    assert line["ses_id"] == got["MessageId"] and line["rcpt"][0]["to"] == "c@gmail.com"
    v1.send_email(Source="a@example.com", Destination={"ToAddresses": ["d@gmail.com"]},
                  Message={"Subject": {"Data": "\u4ef6\u540d"}, "Body": {"Text": {"Data": "x\r\ny"}}})
    assert box.journal(event="message")[-1]["subject"].startswith("=?UTF-8?B?")
    v2.send_email(FromEmailAddress="a@example.com", Destination={"CcAddresses": ["e@gmail.com"]},
                  Content={"Simple": {"Subject": {"Data": "s"}, "Body": {
                      "Text": {"Data": "x"}, "Html": {"Data": "<p>"}}}})
    assert box.journal(event="message")[-1]["rcpt"][0]["to"] == "e@gmail.com"
    assert v1.get_send_quota()["SentLast24Hours"] == 4.0
    assert v1.get_account_sending_enabled()["Enabled"] is True
    assert len(v1.get_send_statistics()["SendDataPoints"]) == 1
    v2.put_account_sending_attributes(SendingEnabled=False)
    assert v2.get_account()["SendingEnabled"] is False
    try:
        v2.send_email(Content={"Raw": {"Data": MAIL % b"no"}})
        assert False, "sent by a paused account"
    except v2.exceptions.SendingPausedException:
        pass
    v2.put_account_sending_attributes(SendingEnabled=True)
    v2.put_account_suppression_attributes(SuppressedReasons=["COMPLAINT"])
    assert v2.get_account()["SuppressionAttributes"] == {"SuppressedReasons": ["COMPLAINT"]}
    v2.put_account_suppression_attributes(SuppressedReasons=["BOUNCE", "COMPLAINT"])


def check_verdicts(box):
    api = Api(box)
    head = b"From: a@example.com\r\n"
    twice = b"DKIM-Signature: v=1; d=example.com\r\n" * 2
    tags = [{"Name": "oiwake-id", "Value": "7-0"}]
    status, message_id, _ = api.send(data=MAIL % b"ok", EmailTags=tags, ConfigurationSetName="events")
    assert status == 200 and re.fullmatch(r"0106[0-9a-f]{12}-[0-9a-f-]{36}-000000", message_id)
    line = box.journal(event="message", x_test_id="ok")[0]
    want = {"host": "ses", "transport": "api", "accepted": True, "what": "delivered", "code": 200,
            "tags": {"oiwake-id": "7-0"}, "configuration_set": "events", "tls": "TLSv1.3",
            "user": api.key, "ses_id": message_id, "size": len(MAIL % b"ok"),
            "sha256": hashlib.sha256(MAIL % b"ok").hexdigest()}
    assert {k: line[k] for k in want} == want, line
    with open("%s/%d.eml" % (box.file("keep"), line["seq"]), "rb") as f:
        assert f.read() == MAIL % b"ok"
    api.send(data=b"X-SES-Configuration-Set: other\r\nX-SES-MESSAGE-TAGS: a=b, c=d\r\n" + MAIL % b"h",
             EmailTags=tags)
    line = box.journal(event="message", x_test_id="h")[0]
    assert line["configuration_set"] == "other"
    assert line["tags"] == {"oiwake-id": "7-0", "a": "b", "c": "d"}
    box.tell("set ses configuration-sets events,news")
    box.tell("set ses pause-set news")
    for want, error, text, to, data, more in [
            (400, "MessageRejected", "Email address is not verified. The following identities failed "
             "the check in region AP-NORTHEAST-1: a@evil.example", ["b@gmail.com"],
             b"From: a@evil.example\r\n\r\n", {"FromEmailAddress": "a@example.com"}),
            (400, "BadRequestException", "Duplicate header 'DKIM-Signature'.", ["b@gmail.com"],
             head + twice + b"\r\n", {}),
            (400, "BadRequestException", "Recipient count exceeds 50.",
             ["a%d@x.jp" % i for i in range(51)], head + b"\r\n", {}),
            (400, "BadRequestException", "Missing final '@domain'", ["docomo"], head + b"\r\n", {}),
            (400, "BadRequestException", "Local address contains dot-dot", ["a..b@docomo.ne.jp"],
             head + b"\r\n", {}),
            (400, "BadRequestException", "Local address ends with dot", ["a.@docomo.ne.jp"],
             head + b"\r\n", {}),
            (400, "BadRequestException", "Local address contains control or whitespace",
             ["a b@docomo.ne.jp"], head + b"\r\n", {}),
            (400, "BadRequestException", "Domain contains illegal character", ["a@do!como.ne.jp"],
             head + b"\r\n", {}),
            (400, "BadRequestException", "Duplicate tag name <oiwake-id>.", ["b@gmail.com"],
             b"X-SES-MESSAGE-TAGS: oiwake-id=8-0\r\n" + head + b"\r\n", {"EmailTags": tags}),
            (404, "NotFoundException", "Configuration set <none> does not exist.", ["b@gmail.com"],
             head + b"\r\n", {"ConfigurationSetName": "none"}),
            (400, "SendingPausedException", "Sending paused for configuration set <news>.",
             ["b@gmail.com"], head + b"\r\n", {"ConfigurationSetName": "news"}),
            (500, "InternalServiceErrorException", "Temporary service failure",
             ["never@docomo.ne.jp"], head + b"\r\n", {})]:
        got = api.send(to, data, **more)
        assert got == (want, error, text), got
        line = box.journal(event="message")[-1]
        assert (line["accepted"], line["code"], line["error"], line["text"]) == \
            (False, want, error, text), line
    got = [api.send(["defer-2@gmail.com"])[0] for _ in range(2)]
    assert got == [500, 200], got
    for setting, error in [("enforcement SHUTDOWN", "AccountSuspendedException"),
                           ("sending off", "SendingPausedException"),
                           ("sandbox on", "MessageRejected")]:
        fresh(box)
        box.tell("set ses " + setting)
        assert api.send()[1] == error, setting
        account = json.loads(api.call("GET", "/v2/email/account")[2])
        assert account["ProductionAccessEnabled"] is (setting != "sandbox on")
    assert api.send(["success@simulator.amazonses.com"])[0] == 200
    fresh(box)
    large = MAIL % b"large" + (b"x" * 998 + b"\r\n") * 41000
    assert api.send(data=large)[0] == 200
    got = api.send(data=large + (b"x" * 998 + b"\r\n") * 1000)
    assert got[:2] == (400, "BadRequestException") and got[2].startswith(
        "Message length is more than 41943040 bytes long"), got
    status, text = api.query(Action="SendRawEmail", Source="a@example.com", **{
        "RawMessage.Data": base64.b64encode(large[:10500000]).decode()})
    assert status == 400 and "InvalidParameterValue" in text and "10485760" in text, text


def check_throttles(box):
    """Over any rolling window no more than the quota; over any second little more than the rate."""
    api = Api(box)
    fresh(box)
    box.tell("set ses quota 5")
    box.tell("set ses window 2")
    began = len(box.journal())
    until = time.monotonic() + 5
    while time.monotonic() < until:
        status, error, text = api.send(data=MAIL % b"quota")
        assert status == 200 or (status, error, text) == (
            429, "TooManyRequestsException", "Daily message quota exceeded."), (status, error)
        assert api.send(["success@simulator.amazonses.com"])[0] == 200
        time.sleep(0.02)
    sent = [j["ms"] for j in box.journal(event="message", x_test_id="quota", accepted=True)]
    assert len(sent) in (10, 15), len(sent)
    assert all(b - a >= 1990 for a, b in zip(sent, sent[5:])), sent
    assert box.journal()[began:][-1]["what"] == "delivered"
    fresh(box)
    box.tell("set ses rate 50")
    began, got = time.monotonic(), []
    while time.monotonic() < began + 2:
        got.append(api.send(data=MAIL % b"rate"))
    sent = sum(g[0] == 200 for g in got)
    assert 90 <= sent <= 155, sent
    assert (429, "TooManyRequestsException", "Maximum sending rate exceeded.") in got
    box.tell("set ses rate 10")
    assert api.send(["a%d@x.jp" % i for i in range(30)])[0] == 200
    time.sleep(0.5)
    assert api.send()[0] == 429, "the debt of 30 recipients is 2 s"
    fresh(box)
    box.tell("set ses sent 7")
    box.tell("set ses quota 100")
    account = json.loads(api.call("GET", "/v2/email/account")[2])
    assert account["SendQuota"] == {"Max24HourSend": 100, "MaxSendRate": 100000,
                                    "SentLast24Hours": 7}, account
    box.tell("set ses api-rate 1")
    got = [api.call("GET", "/v2/email/account")[0] for _ in range(4)]
    assert got == [200, 200, 429, 429], got
    fresh(box)


def check_suppression(box):
    api, at = Api(box), "/v2/email/suppression/addresses"
    for row in json.loads(api.call("GET", at)[2])["SuppressedDestinationSummaries"]:
        box.tell("set ses unsuppress " + row["EmailAddress"])
    names = sorted("a+%d..b/c%%@docomo.ne.jp" % n for n in range(7))
    for n, name in enumerate(names):
        body = {"EmailAddress": name, "Reason": "COMPLAINT" if n == 3 else "BOUNCE"}
        assert api.call("PUT", at, json.dumps(body).encode())[::2] == (200, b"{}")
    one = at + "/" + urllib.parse.quote(names[3].upper(), "")
    got = json.loads(api.call("GET", one)[2])["SuppressedDestination"]
    assert got["EmailAddress"] == names[3] and got["Reason"] == "COMPLAINT"
    assert abs(got["LastUpdateTime"] - time.time()) < 10
    pages, token = [], None
    while True:
        query = "Reason=BOUNCE&PageSize=2" + (
            "&NextToken=" + urllib.parse.quote(token, "") if token else "")
        page = json.loads(api.call("GET", at, query=query)[2])
        pages += [row["EmailAddress"] for row in page["SuppressedDestinationSummaries"]]
        token = page.get("NextToken")
        if not token:
            break
    assert pages == names[:3] + names[4:], pages
    for query, want in [("Reason=BOUNCE&Reason=COMPLAINT", 7), ("Reason=COMPLAINT", 1), ("", 7),
                        ("StartDate=2024-01-01T00%3A00%3A00Z", 7),
                        ("EndDate=2024-01-01T00%3A00%3A00Z", 0)]:
        page = json.loads(api.call("GET", at, query=query)[2])
        assert len(page["SuppressedDestinationSummaries"]) == want, (query, page)
    assert api.call("GET", at, query="NextToken=%21")[1] == "InvalidNextTokenException"
    assert api.call("DELETE", one)[::2] == (200, b"{}")
    status, error, body = api.call("DELETE", one)
    assert (status, error) == (404, "NotFoundException") and b"does not exist on your" in body
    box.tell("set ses suppress by-hand@example.com COMPLAINT")
    assert api.send(["by-hand@example.com"])[0] == 200, "SES takes what it will not send"
    assert api.call("GET", at + "/by-hand%40example.com")[0] == 200
    box.tell("set ses unsuppress by-hand@example.com")


def outcome(box, to="b@gmail.com", timeout=20, plain=False):
    """What a client sees: a status, or how it failed. Python's TLS takes a RST for an end."""
    api = Api(box, plain, timeout)
    try:
        status, _, body = api.call("POST", "/v2/email/outbound-emails", json.dumps(
            {"Content": {"Raw": {"Data": base64.b64encode(MAIL % b"mood").decode()}},
             "Destination": {"ToAddresses": [to]}}).encode())
        return status, len(body)
    except (http.client.RemoteDisconnected, ConnectionResetError) as e:
        return type(e).__name__, 0
    except http.client.IncompleteRead as e:
        return "half", len(e.partial)
    except TimeoutError:
        return "late", 0
    except ConnectionRefusedError:
        return "refused", 0


def check_amazon_moods(box):
    whole = 76  # {"MessageId":"..."}
    for mood, want, accepted in [
            ("throttle", 429, 0), ("quota", 429, 0), ("quotalimit", 400, 0), ("paused", 400, 0),
            ("suspended", 400, 0), ("notverified", 400, 0), ("mailfrom", 400, 0),
            ("setpaused", 400, 0), ("denied", 403, 0), ("badauth", 403, 0), ("temporary", 500, 0),
            ("redirect", 302, 0), ("html", 200, 0), ("badgateway", 502, 0), ("unavailable", 503, 0),
            ("down", "refused", 0), ("close", "RemoteDisconnected", 0),
            ("reset", "ConnectionResetError", 0), ("blackhole", "late", 0),
            ("closedot", "RemoteDisconnected", 1), ("rstdot", "ConnectionResetError", 1),
            ("silentdot", "late", 1), ("truncate", "half", 1), ("garble", 200, 1), ("huge", 200, 1),
            ("slow300", 200, 1), ("slow5000", "late", 1), ("normal", 200, 1)]:
        before = len(box.journal(event="message", x_test_id="mood", accepted=True))
        box.tell("set aws mood " + mood)
        began = time.monotonic()
        got = outcome(box, timeout=1 if want == "late" else 20,
                      plain=want == "ConnectionResetError")
        assert got[0] == want, (mood, got)
        now = box.journal(event="message", x_test_id="mood", accepted=True)
        assert len(now) - before == accepted, mood
        if want in ("half", 200) and accepted:
            size = {"huge": whole + 100 * 1024 * 1024, "truncate": whole // 2,
                    "garble": whole // 2}.get(mood, whole)
            assert got[1] == size, (mood, got)
        if mood in ("closedot", "rstdot", "silentdot"):
            assert now[-1]["what"] == "silent"
        assert mood != "slow300" or time.monotonic() - began >= 0.3
    for to in ["closedot-1@gmail.com", "rstdot-1@gmail.com"]:
        assert outcome(box, to)[1] == 0
        assert box.journal(event="message")[-1]["what"] == "silent"
    box.tell("set aws mood throttle ses")
    assert Api(box).call("GET", "/v2/email/account")[0] == 429
    box.tell("set aws mood normal")


def check_latency(box):
    """Requests wait side by side, and a connection serves one after the other."""
    box.tell("set aws latency 200")
    before = json.loads(box.tell("get aws"))

    def three(_):
        api = Api(box)
        return [api.send(data=MAIL % b"latency")[0] for _ in range(3)]

    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        got = list(pool.map(three, range(30)))
    took = time.monotonic() - began
    after = json.loads(box.tell("get aws"))
    assert got == [[200] * 3] * 30 and 0.6 <= took < 6, took
    assert after["connections"] - before["connections"] == 30 and after["peak"] > 10, after
    assert len(box.journal(event="message", x_test_id="latency")) == 90
    box.tell("set aws latency 0")


CHECKS = [check_signatures, check_role, check_captured, check_botocore, check_one_account,
          check_verdicts, check_throttles, check_suppression, check_amazon_moods, check_latency,
          check_idle]


def run(box):
    for check in CHECKS:
        fresh(box)
        check(box)
        print("ok", check.__name__)
    fresh(box)
