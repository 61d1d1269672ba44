"""demo.py - see tests/demo."""

import collections
import os
import random
import re
import shutil
import signal
import sys
import threading
import time

import harness as h
from oiwake import PASSWORD, USER, Config, FINAL, Oiwake, Sandbox, certificate

MESSAGES = int(os.environ.get("DEMO_MESSAGES", "3000"))
SENDER = "info@example.jp"
SELECTOR = "s1"
NEWSLETTER = 20  # recipients of one

CARRIERS = ("docomo.ne.jp",) * 4 + ("ezweb.ne.jp", "au.com", "softbank.ne.jp", "i.softbank.jp",
                                    "ymobile.ne.jp", "yahoo.ne.jp", "uqmobile.jp", "rakumail.jp")
OTHERS = ("gmail.com",) * 4 + ("example.com", "example.net", "yahoo.co.jp", "docomo.co.jp",
                               "mineo.jp", "dion.ne.jp")
# (how many in a thousand recipients, local part, domains)
TROUBLE = (
    (25, "unknown-{}", CARRIERS), (10, "unknown-{}", OTHERS), (15, "filtered-{}", CARRIERS),
    (8, "full-{}", ("docomo.ne.jp",)), (15, "greylist1-{}", CARRIERS), (5, "defer2-{}", CARRIERS),
    (5, "tss1-{}", ("yahoo.ne.jp",)), (3, "closedot1-{}", ("au.com", "softbank.ne.jp")),
    (2, "never-{}", ("docomo.ne.jp", "rakumail.jp")), (10, "user{}..x", ("docomo.ne.jp",)),
    (5, "user{}.", ("ezweb.ne.jp",)), (5, "defer1-{}", OTHERS),
)
# The sample file's own shapes pace for months of good relations, the demo has a minute.
HURRY = """
# -- the demo's hurry: in real use the carriers' shapes of carriers.rules hold --
shape default retry 2s,4s expiry 20s connections 10 rate 2000/s
"""
HURRY_CARRIER = "shape {} {} connections 4 messages 100 rate 500/s retry 2s,4s expiry 20s\n"


def sample_config(net):
    """conf/oiwake.conf with this machine's addresses; every line changed must be there."""
    config = Config(net, name="demo", dkim=False)
    top = config.top
    with open(os.path.join(h.ROOT, "conf", "oiwake.conf"), encoding="utf-8") as f:
        text = f.read()

    def change(pattern, replacement, count=1):
        nonlocal text
        text, n = re.subn(pattern, lambda _: replacement, text, flags=re.M)
        h.check(n == count, f"conf/oiwake.conf: {n} times {pattern!r}, want {count}")
    change(r'^state-directory = "[^"]*"', f'state-directory = "{config.state}"\n'
           f'admin-socket    = "{config.socket}"\nlog             = "{config.log}"')
    change(r'"tls/mail\.example\.jp\.chain\.pem"', f'"{top}/cert.pem"')
    change(r'"tls/mail\.example\.jp\.key\.pem"', f'"{top}/key.pem"')
    change(r'"\*:587"', f'"127.0.0.1:{config.ports["submission"]}"')
    change(r'"\*:465"', f'"127.0.0.1:{config.ports["submissions"]}"')
    change(r'"10\.0\.1\.20:25"', f'"127.0.0.1:{config.ports["relay"]}"')
    change(r'"10\.0\.1\.21"', '"127.0.20.1"')
    change(r'"10\.0\.1\.22"', '"127.0.20.2"')
    change(r"^\ttype = mta$", f'\ttype = mta\n\tport = {net.said["smtp_port"]}\n\t'
           "allow-private = yes")
    change(r'"dkim/example\.jp\.s1\.pem"', f'"{dkim_key(net, top)}"')
    far = net.said["ses"]
    change(r'^\tuser          = .*$', f'\tuser          = "{far["user"]}"\n'
           f'\tport          = {far["port"]}\n\tca-file       = "{net.ca}"')
    change(r"^\trate          = 14\b", "\trate          = 500")
    change(r'servers = \{ "10\.0\.0\.2" \}',
           f'servers = {{ "127.0.0.1@{net.said["dns"]["port"]}" }}')
    config.text = text
    config.save()
    with open(os.path.join(h.ROOT, "conf", "oiwake.rules"), encoding="utf-8") as f:
        text = f.read()
    change(r"^shape default .*$", "# shape default: below")
    hurry = HURRY + "".join(HURRY_CARRIER.format("carrier", c) for c in (
        "docomo", "au", "softbank", "ymobile", "rakuten")) + HURRY_CARRIER.format("group", "yahoo")
    config.write("oiwake.rules", text + hurry)
    shutil.copy(os.path.join(h.ROOT, "conf", "carriers.rules"), top)
    certificate(top)
    return config


def dkim_key(net, top):
    path = os.path.join(top, "dkim.pem")
    h.run(["openssl", "genrsa", "-out", path, "2048"])
    os.chmod(path, 0o600)
    public = h.run(["openssl", "rsa", "-in", path, "-pubout"]).stdout
    public = "".join(line for line in public.splitlines() if "-----" not in line)
    net.control(f'zone {SELECTOR}._domainkey.example.jp TXT "v=DKIM1; k=rsa; p={public}"')
    return path


class Mix:
    """Addresses like those of a service's customers; each is used once."""

    def __init__(self):
        self.dice = random.Random(1)
        self.number = 0

    def address(self):
        self.number += 1
        draw = self.dice.randrange(1000)
        for share, local, domains in TROUBLE:
            if draw < share:
                return f"{local.format(self.number)}@{self.dice.choice(domains)}"
            draw -= share
        domains = CARRIERS if self.dice.random() < 0.55 else OTHERS
        return f"user{self.number}@{self.dice.choice(domains)}"

    def messages(self, count):
        """(recipients, subject, body): mostly one-time passwords, some newsletters."""
        for n in range(count):
            if n % 20 == 19:
                yield ([self.address() for _ in range(NEWSLETTER)], "News of the week",
                       "All the news.\r\n" * 300)
            else:
                yield ([self.address()], "Your one-time password",
                       f"Your one-time password is {self.dice.randrange(10**6):06}.\r\n")


def send_all(ours, messages):
    """One-time passwords by submission with TLS and AUTH, newsletters by the relay listener."""
    sent = []
    submission = h.smtp(ours.port("submission"), tls=True, user=USER, password=PASSWORD)
    relay = h.smtp(ours.port("relay"))
    for to, subject, body in messages:
        session = relay if len(to) > 1 else submission
        # A refusal of any recipient raises: here none may be.
        session.sendmail(SENDER, to, h.message(subject=subject, sender=f"Example <{SENDER}>",
                                               to=to[0] if len(to) == 1 else "subscribers:;",
                                               body=body))
        sent += to
    submission.quit()
    relay.quit()
    return sent


def show(ours, began):
    counts = ("accepted", "queued", "sent", "bounced", "filtered", "deferred", "expired")
    parts = []
    for row in ours.stats("path"):
        parts.append(f"{row['path']}: " + " ".join(f"{c} {row[c]}" for c in counts if row[c]))
    print(f"{time.monotonic() - began:5.1f} s  " + "   ".join(parts), flush=True)
    return sum(r["queued"] for r in ours.stats("path"))


def count(ours, net, sent):
    """Sentences about what does not add up; prints the comparison with the journal."""
    wrong = []
    finals = collections.defaultdict(list)
    ours.log.read()
    for e in ours.log.all:
        if e.get("event") in FINAL and e.get("from"):
            finals[e["to"]].append(e)
    for to in sent:
        if len(finals[to]) != 1:
            wrong.append(f"{to} has {len(finals[to])} final log lines")
    taken = collections.Counter(r["to"].replace('"', "") for _, r in net.journal.recipients())
    unread = collections.Counter(e["to"] for e in ours.log.events("unread"))
    table = collections.defaultdict(collections.Counter)
    for to in sent:
        for e in finals[to][:1]:
            row = table[e["path"], e.get("carrier", "")]
            row["recipients"] += 1
            row["log " + {"delivered": "sent"}.get(e["event"], e["event"])] += 1
            row["journal"] += to in taken
            row["twice"] += taken[to] > 1
            if (e["event"] in ("delivered", "sent")) != (to in taken):
                wrong.append(f"{to}: {e['event']} in the log, {taken[to]} in the journal")
            if taken[to] - 1 > unread[to]:
                wrong.append(f"{to} arrived {taken[to]} times, {unread[to]} times unread")
    print("\nThe log's final lines, and what the fake internet received:")
    print(f"{'path':6} {'carrier':10} {'recipients':>10} {'sent':>7} {'received':>9} {'twice':>6} "
          f"{'bounced':>8} {'filtered':>9} {'expired':>8}")
    for (path, carrier), row in sorted(table.items()):
        print(f"{path:6} {carrier or '-':10} {row['recipients']:10} {row['log sent']:7} "
              f"{row['journal']:9} {row['twice']:6} {row['log bounced']:8} "
              f"{row['log filtered']:9} {row['log expired']:8}")
    stats = {(r["path"], r["carrier"] or ""): r for r in ours.stats("path", "carrier")}
    notices = collections.Counter()
    for e in ours.log.all:
        if e.get("event") in FINAL and e.get("from") == "":
            notices[e["path"], e.get("carrier", "")] += 1
    for way, row in table.items():
        total = row["recipients"] + notices[way]
        if stats.get(way, {}).get("accepted") != total:
            wrong.append(f"stats say {stats.get(way, {}).get('accepted')} accepted for {way}, "
                         f"the log says {total}")
        for counter in ("bounced", "filtered", "expired"):
            own = sum(1 for e in ours.log.all if e.get("event") == counter
                      and (e.get("path"), e.get("carrier", "")) == way)
            if stats.get(way, {}).get(counter) != own:
                wrong.append(f"stats and log differ in {counter} of {way}")
    return wrong


def how_to_play(ours, net):
    print(f"""
It goes on, with a message now and then. In another terminal:

  swaks --server 127.0.0.1:{ours.port('relay')} --from {SENDER} --to taro@docomo.ne.jp
  swaks --server 127.0.0.1:{ours.port('submission')} --tls --auth-user {USER} \\
        --auth-password '{PASSWORD}' --from {SENDER} --to a@example.com
  {os.path.relpath(h.OIWAKE)} stats -c {os.path.relpath(ours.config.path)} --by path,carrier
  {os.path.relpath(h.OIWAKE)} explain -c {os.path.relpath(ours.config.path)} info@docomo.co.jp
  {os.path.relpath(h.OIWAKE)} queue list -c {os.path.relpath(ours.config.path)}
  tail -f {os.path.relpath(ours.config.log)}
  tail -f {os.path.relpath(net.journal.path)}

Local parts make things happen (tests/sandbox/main.c has them all): unknown@docomo.ne.jp,
filtered@docomo.ne.jp, full@docomo.ne.jp, greylist1-x@au.com. Ctrl-C ends.
""", flush=True)


def stay(ours, net, mix, seconds):
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    how_to_play(ours, net)
    began = time.monotonic()
    while not over.wait(2.0) and (seconds is None or time.monotonic() - began < seconds):
        send_all(ours, mix.messages(3))
        show(ours, began)


def demo():
    seconds = os.environ.get("DEMO_SECONDS", "")
    net = Sandbox(keep=False, verified="example.jp", ttl=60)
    ours = Oiwake(sample_config(net))
    ours.add_user()
    mix = Mix()
    print(f"oiwake takes mail on 127.0.0.1:{ours.port('submission')} (STARTTLS, AUTH) and "
          f":{ours.port('relay')} (relay); the fake internet is on 127.0.10.0/24 port "
          f"{net.said['smtp_port']}\nsending {MESSAGES} messages: one-time passwords, newsletters, "
          "and the usual trouble\n", flush=True)
    began = time.monotonic()
    sent, trouble = [], []

    def sender():
        try:
            sent.extend(send_all(ours, mix.messages(MESSAGES)))
        except Exception as error:  # told by the main thread, whatever it was
            trouble.append(f"sending failed: {error!r}")
    thread = threading.Thread(target=sender, daemon=True)
    thread.start()
    queued = 1
    while thread.is_alive() or queued:
        thread.join(1.0)
        queued = show(ours, began)
        if time.monotonic() - began > 300:
            trouble.append("not done after 300 s")
            break
        if not thread.is_alive() and queued:
            threading.Event().wait(1.0)
    took = time.monotonic() - began
    print()
    print(ours.cli("stats", "--by", "path,carrier").stdout)
    wrong = trouble + count(ours, net, sent)
    for sentence in wrong[:20]:
        print(f"WRONG: {sentence}")
    if seconds != "0" and not wrong:
        stay(ours, net, mix, float(seconds) if seconds else None)
    ours.stop()
    if wrong:
        print(f"\n{len(wrong)} things do not add up")
        return 1
    print(f"\n{MESSAGES} messages to {len(sent)} recipients in {took:.0f} s: "
          "every one is accounted for")
    return 0


def main():
    h.work_start("test_demo")
    try:
        status = demo()
    except (h.Failed, h.Skip) as error:
        print(f"the demo failed: {error}")
        status = 1
    trouble = h.work_end(keep=status != 0)
    print("\n".join(trouble))
    sys.exit(status or bool(trouble))


if __name__ == "__main__":
    main()
