"""ses.py - out by Amazon SES, as the sandbox plays it 50 ms away: by its API, and by SMTP beside Postfix.

A message's whole way is counted, from smtp-source's first byte to SES's answer to the last of them.
All meet the same sandbox in the same run. It checks every signature and journals every message before it
answers, by one thread: where it is busy itself the figures are its own, and so its CPU time is told.
"""

import time

import harness as h
import oiwake
from signed import said
from wire import SIZE, finish, postfix_start, source, tree_cpu

DELAY = 50  # ms, of each answer by API and each reply by SMTP
TURNS = 4   # replies that an SMTP message waits for: MAIL, RCPT, DATA, dot
IN_FLIGHT = (1, 10, 50)
EACH = 6    # seconds that the delays alone take
ALLOWED, WIDE = 1000, 100   # messages/s that SES allows, in flight
WARM, STEADY = 2.0, 10.0    # seconds
SHARE = 0.9                 # of what is allowed, at least

RULES = """\
route irregular to any and local-part irregular via mta
route all to any via ses
shape path ses connections {connections} messages 100000 rate 100000/s retry 1h expiry 5d
"""
COMMON = """
path "ses" {{
	type = ses
	transport = {transport}
	ca-file = "{ca}"
	connections = {connections}
"""
API = """\
	region = "{region}"
	endpoint = "{endpoint}"
	credentials = static
	access-key = "{access_key}"
	secret-key-file = "{secret}"
	account-check = 10s
}}
"""
SMTP = """\
	host = "{name}"
	port = {port}
	allow-private = yes
	user = "{user}"
	password-file = "{secret}"
	rate = 100000
}}
"""
POSTFIX = """\
relayhost = [127.0.10.50]:{port}
default_transport = smtp
smtp_tls_security_level = encrypt
smtp_sasl_auth_enable = yes
smtp_sasl_security_options = noanonymous
smtp_sasl_password_maps = static:{user}:{password}
default_destination_concurrency_limit = {connections}
initial_destination_concurrency = {connections}
"""
KEPT = """\
smtp_tls_connection_reuse = yes
smtp_connection_cache_destinations = [127.0.10.50]:{port}
smtp_connection_reuse_count_limit = 100000
smtp_connection_reuse_time_limit = 3600s
"""


class Ses:
    """The sandbox, and what is asked of it."""

    def __init__(self):
        self.net = oiwake.Sandbox(keep=False)
        self.far = self.net.said["ses"]

    def taken(self):
        return self.net.control("get ses")["messages"]

    def cpu(self):
        return tree_cpu(self.net.process.pid)

    def wait(self, count, limit=300.0):
        h.wait_until(lambda: self.taken() >= count,
                     lambda: f"{count} messages at SES, it has {self.taken()}", limit, pause=0.02)

    def ours(self, transport, connections):
        config = oiwake.Config(None, name=f"{transport}.{connections}", dkim=False,
                               dns_port=self.net.said["dns"]["port"],
                               limits="\tmax-connections-per-client = 1000")
        said = self.net.said["aws"] if transport == "api" else self.far
        secret = said["secret_key"] if transport == "api" else self.far["password"]
        config.text += (COMMON + (API if transport == "api" else SMTP)).format(
            **said, transport=transport, connections=connections, ca=self.net.ca,
            secret=config.write("secret", secret + "\n", 0o600))
        config.save()
        config.write("oiwake.rules", RULES.format(connections=connections))
        return oiwake.Oiwake(config)

    def postfix(self, connections, kept):
        settings = (POSTFIX + (KEPT if kept else "")).format(connections=connections, **self.far)
        return postfix_start(self.far["port"], settings.splitlines(),
                             name=f"postfix{connections}{'kept' if kept else 'new'}")


def through(ses, port, cpu, count):
    """(messages/s, the product's CPU ms each, the sandbox's)"""
    had, before, theirs, start = ses.taken(), cpu(), ses.cpu(), time.monotonic()
    finish(source(port, count, True, sessions=min(10, count), to="someone@example.com"), "smtp-source")
    ses.wait(had + count)
    took = time.monotonic() - start
    return count / took, (cpu() - before) * 1000 / count, (ses.cpu() - theirs) * 1000 / count


def line(name, figures, bound):
    rate, cpu, theirs = figures
    print(f"  {name:34}{rate:10.0f}{rate / bound:12.2f}{cpu:12.3f}{theirs:12.3f}", flush=True)


def oiwake_by(ses, transport, connections, turns):
    ours = ses.ours(transport, connections)
    bound = connections * 1000 / DELAY / turns
    port, cpu = ours.port("relay"), lambda: tree_cpu(ours.process.pid)
    through(ses, port, cpu, 2 * connections)  # sessions are open then
    figures = through(ses, port, cpu, int(bound * EACH))
    line(f"oiwake, {connections} at a time", figures, bound)
    ours.stop()
    return figures


def postfix_by(ses, connections, kept):
    postfix = ses.postfix(connections, kept)
    bound = connections * 1000 / DELAY / TURNS
    cpu = lambda: tree_cpu(postfix.master())  # noqa: E731
    figures = through(ses, postfix.port, cpu, int(bound * EACH))
    how = "sessions kept" if kept else "as it comes"
    line(f"postfix, {how}, {connections} at a time", figures, bound)
    postfix.stop()
    return figures


def head(title):
    print(f"\n{title}")
    print(f"{'':36}{'messages/s':>10}{'of bound':>12}{'CPU ms each':>12}{'sandbox ms':>12}")


def by_api(ses):
    ses.net.control(f"set aws latency {DELAY}")
    head(f"ses       by API, messages of {SIZE // 1024} KB, each answer {DELAY} ms late; the bound is "
         "what the delay allows")
    for connections in IN_FLIGHT:
        oiwake_by(ses, "api", connections, 1)
    ses.net.control("set aws latency 0")


def by_smtp(ses):
    ses.net.control(f"set ses delay {DELAY}")
    head(f"ses       by SMTP with STARTTLS and AUTH, each reply {DELAY} ms late, {TURNS} of them for a "
         "message")
    for connections in IN_FLIGHT:
        theirs = [postfix_by(ses, connections, kept) for kept in (False, True)]
        ours = oiwake_by(ses, "smtp", connections, TURNS)
        best = max(t[0] for t in theirs), min(t[1] for t in theirs)
        print(f"  {'oiwake against the better one':34}{ours[0] / best[0]:9.1f}x{'':12}"
              f"{'1/%.1f' % (best[1] / ours[1]):>12}")
    ses.net.control("set ses delay 0")


def at_the_rate(ses):
    """What is used of what GetAccount allows, from a queue that is full."""
    ses.net.control(f"set aws latency {DELAY}")
    ses.net.control(f"set ses rate {ALLOWED}")
    ours = ses.ours("api", WIDE)
    ours.cli("pause", "path", "ses")
    finish(source(ours.port("relay"), int(ALLOWED * (STEADY + WARM) * 1.1), True,
                  to="someone@example.com"), "smtp-source")
    refused = ses.net.control("get ses")["rejected"]
    ours.cli("resume", "path", "ses")
    ses.wait(ses.taken() + int(ALLOWED * WARM))
    had, cpu, start = ses.taken(), tree_cpu(ours.process.pid), time.monotonic()
    ses.wait(had + int(ALLOWED * STEADY * 0.9))
    took, count = time.monotonic() - start, ses.taken() - had
    share = count / took / ALLOWED
    refused = ses.net.control("get ses")["rejected"] - refused
    print(f"\nses       by API, {ALLOWED}/s allowed, {WIDE} at a time, each answer {DELAY} ms late: "
          f"{share * 100:.1f} % of it used over {took:.1f} s, {refused} refused; "
          f"{(tree_cpu(ours.process.pid) - cpu) * 1000 / count:.3f} CPU ms each, "
          f"{ours.process.status('VmRSS') / 1024:.0f} MB resident")
    print(f"          target: {SHARE * 100:.0f} %, {said(share >= SHARE)}")
    ours.kill9()
    ses.net.control("set ses rate 0")
    ses.net.control("set aws latency 0")


def part_ses():
    """SES by API and SMTP, 50 ms away."""
    ses = Ses()
    by_api(ses)
    at_the_rate(ses)
    by_smtp(ses)
