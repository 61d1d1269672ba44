"""peers.py - other people's mail servers, each a private instance in a directory of the test.

Postfix runs from the installed package with its own configuration and queue; Exim from a package
unpacked under build/peers (tests/deps), in a mount namespace where /etc/passwd knows its user.
"""

import os
import shutil
import subprocess
import tempfile

import harness as h

POSTFIX = "/usr/sbin/postfix"
PEERS = os.path.join(h.ROOT, "build", "peers")
EXIM = os.path.join(PEERS, "usr", "sbin", "exim4")
NSD = os.path.join(PEERS, "usr", "sbin", "nsd")
LIBRARIES = {"LD_LIBRARY_PATH": os.path.join(PEERS, "usr", "lib", os.uname().machine + "-linux-gnu")}
EXIM_UID = 64999

MASTER_CF = """\
{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
virtual unix - n n - - virtual
tlsproxy unix - - n - 0 tlsproxy
postlog unix-dgram n - n - 1 postlogd
"""

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {top}/spool
data_directory = {top}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {top}/maillog
maillog_file_prefixes = {top}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.test
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtp_tls_security_level = may
notify_classes =
"""


def read_or_nothing(path):
    if not os.path.exists(path):
        return ""
    with open(path, errors="replace") as f:
        return f.read()


def open_to_all(top):
    """`top`, made; elsewhere when another user could not reach it there (a checkout in /root)."""
    os.makedirs(top)
    parent = top
    while parent != "/":
        parent = os.path.dirname(parent)
        if not os.stat(parent).st_mode & 0o001:
            top = tempfile.mkdtemp(prefix="oiwake-peer-")
            if h.work:
                h.work.cleanups.append(lambda: shutil.rmtree(top, ignore_errors=True))
            break
    os.chmod(top, 0o755)
    return top


def each_once(lines):
    """The last value of each. Postfix warns of a name that is there twice, and when all that start at once
    do, they wait for the room to say so that none of them makes."""
    values = {}
    for line in lines:
        if line[:1] in " \t":
            name = list(values)[-1]
            values[name] += "\n" + line
        else:
            name = line.split("=", 1)[0].strip()
            values[name] = line
    return "".join(v + "\n" for v in values.values())


class Postfix:
    """Listens on .port; `settings` are lines for main.cf (default_transport for the way out)."""

    def __init__(self, top, settings):
        h.need(os.access(POSTFIX, os.X_OK), "postfix is not installed")
        h.need_root()
        self.top = top = open_to_all(top)
        self.etc = os.path.join(top, "etc")
        self.port = h.free_port()
        os.makedirs(self.etc)
        os.makedirs(os.path.join(top, "spool"))
        os.makedirs(os.path.join(top, "data"))
        shutil.chown(os.path.join(top, "data"), "postfix")
        with open(os.path.join(self.etc, "main.cf"), "w") as f:
            f.write(each_once([*MAIN_CF.format(top=top).splitlines(), *settings]))
        with open(os.path.join(self.etc, "master.cf"), "w") as f:
            f.write(MASTER_CF.format(port=self.port))
        for name in ("dynamicmaps.cf", "postfix-files"):
            if os.path.exists(f"/etc/postfix/{name}"):
                shutil.copy(f"/etc/postfix/{name}", self.etc)
        self.command(POSTFIX, "-c", self.etc, "start")
        if h.work:
            h.work.cleanups.append(self.stop)
        h.wait_until(self.answers, "Postfix listens", 30)

    def command(self, *argv):
        try:
            return h.run(argv)
        except h.Failed as error:
            raise h.Failed(f"{error}\n{self.log()}") from None

    def answers(self):
        try:
            with h.Raw(self.port) as s:
                return s.reply()[0] == 220
        except (OSError, EOFError):
            return False

    def master(self):
        with open(os.path.join(self.top, "spool", "pid", "master.pid")) as f:
            return int(f.read())

    def log(self):
        return read_or_nothing(os.path.join(self.top, "maillog"))

    def sendmail(self, sender, recipients, data):
        subprocess.run(["/usr/sbin/sendmail", "-C", self.etc, "-i", "-f", sender, *recipients],
                       input=data.replace(b"\r\n", b"\n"), check=True, capture_output=True,
                       env={**os.environ, "MAIL_CONFIG": self.etc})

    def queue(self):
        done = self.command("/usr/sbin/postqueue", "-c", self.etc, "-j")
        return done.stdout.splitlines()

    def flush(self):
        self.command("/usr/sbin/postqueue", "-c", self.etc, "-f")

    def stop(self):
        subprocess.run([POSTFIX, "-c", self.etc, "stop"], stdin=subprocess.DEVNULL,
                       capture_output=True)


EXIM_CONF = """\
primary_hostname = exim.test
spool_directory = {top}/spool
log_file_path = {top}/%slog
pid_file_path = {top}/exim.pid
exim_path = {exim}
keep_environment =
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
tls_advertise_hosts =
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 0
smtp_accept_queue_per_connection = 0
never_users =
acl_smtp_rcpt = accept_all
acl_smtp_data = accept_all
dsn_advertise_hosts = *
dkim_verify_signers =
domainlist ours = {ours}
begin acl
accept_all:
  accept
begin routers
here:
  driver = accept
  domains = +ours
  transport = file
onward:
  driver = manualroute
  route_list = * 127.0.0.1 byname
  self = send
  transport = out
begin transports
file:
  driver = appendfile
  file = {top}/mail/inbox
  envelope_to_add
  user = Debian-exim
out:
  driver = smtp
  port = {next_hop}
  allow_localhost
  hosts_try_fastopen =
  hosts_try_chunking =
begin retry
* * F,1h,1s
"""


class Exim:
    """Takes mail on .port: domains of `ours` end in the file mail/inbox, others go to next_hop."""

    def __init__(self, top, ours="exim.test", next_hop=1):
        h.need(os.access(EXIM, os.X_OK), "exim is not unpacked")
        h.need_root()
        self.top = top = open_to_all(top)
        self.port = h.free_port()
        libs = os.path.join(PEERS, "usr", "lib", "x86_64-linux-gnu")
        if not os.path.isdir(libs):
            libs = os.path.join(PEERS, "usr", "lib", os.uname().machine + "-linux-gnu")
        for folder in (top, os.path.join(top, "spool"), os.path.join(top, "mail")):
            os.makedirs(folder, exist_ok=True)
            os.chown(folder, EXIM_UID, EXIM_UID)
        self.conf = os.path.join(top, "exim.conf")
        with open(self.conf, "w") as f:
            f.write(EXIM_CONF.format(top=top, exim=EXIM, port=self.port, ours=ours,
                                     next_hop=next_hop))
        os.chmod(self.conf, 0o644)
        # Built for a user of this name; the machine's own files stay as they are.
        for name, line in (("passwd", "Debian-exim:x:{uid}:{uid}::/:/bin/false\n"),
                           ("group", "Debian-exim:x:{uid}:\n")):
            with open(f"/etc/{name}") as old, open(os.path.join(top, name), "w") as new:
                new.write(old.read() + line.format(uid=EXIM_UID))
        # Set-uid, so that LD_LIBRARY_PATH would not reach it.
        with open(os.path.join(top, "ld.so.conf"), "w") as f:
            f.write(f"{libs}\ninclude /etc/ld.so.conf\n")
        h.run(["/sbin/ldconfig", "-X", "-f", os.path.join(top, "ld.so.conf"),
               "-C", os.path.join(top, "ld.so.cache")])
        self.process = h.Process("exim", self.inside("-bdf", "-q5s"))
        self.process.killed = True
        h.wait_until(self.answers, "Exim listens", 30)

    answers = Postfix.answers

    def inside(self, *args):
        return ["unshare", "-m", "sh", "-ec",
                'for f in passwd group ld.so.cache; do mount --bind "$1/$f" "/etc/$f"; done; '
                'shift; exec "$@"', "sh", self.top, EXIM, "-C", self.conf, *args]

    def sendmail(self, sender, recipients, data):
        subprocess.run(self.inside("-i", "-f", sender, *recipients),
                       input=data.replace(b"\r\n", b"\n"), check=True, capture_output=True)

    def log(self):
        return read_or_nothing(os.path.join(self.top, "mainlog"))
