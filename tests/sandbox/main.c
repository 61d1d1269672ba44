/* clang-format off */
/*
 * main.c - oiwake-sandbox: a fake internet on loopback, for the tests and the demo.
 *
 * One process plays the DNS, the Japanese carriers' MX hosts, an ordinary MX and Amazon: SES by SMTP
 * and API, and what goes with it. It shares no SMTP and no signing code with Oiwake: it is the
 * independent witness. When all is listening it prints one JSON line with every address and port,
 * then "ready".
 *
 *	oiwake-sandbox --journal j.jsonl --control ctl --write-ca ca.pem
 *	dig @127.0.0.1 -p DNSPORT docomo.ne.jp MX
 *	oiwake-sandbox --control ctl --tell 'set docomo mood refuse421'
 *
 * HOSTS (name, address; one SMTP port for all)
 *	docomo 127.0.10.1     ezweb 127.0.10.2     au 127.0.10.3       softbank 127.0.10.4
 *	ymobile 127.0.10.5    yahoo 127.0.10.6     rakuten 127.0.10.7  mopera 127.0.10.8
 *	ordinary 127.0.10.20  second 127.0.10.22   ses 127.0.10.50 (own ports, own certificate)
 *	aws 127.0.10.51 (a port with TLS, one in clear; below)
 *	127.0.10.21 has nobody listening. Carriers take only their own domains; ordinary and second
 *	take all. Domains and limits: carriers.c. Odd DNS names (nullmx.example ...): zone.c.
 *
 * SCENARIOS, by the recipient's local part up to '+', '-', '_', '.' or its final digits, so that
 * unknown-1, unknown+x and unknown17 are all "unknown". N: digits right behind the word; it then
 * happens N times for that address and afterwards the address is ordinary; without N always, or
 * as many times as stated. Number addresses with a hyphen where N has a meaning: closedot-17.
 *	at RCPT:  unknown full toomany syntax relay never(451) deferN greylistN tempN (once)
 *	          busyN(421) silentN rstrcptN garbageN
 *	          endlessN (a reply without end)  hugeN (1 GB in lines)  longlineN (1 GB in one)
 *	at DATA:  354closeN (closes after 354)    rstdataN (RST in mid-DATA)
 *	at the final dot: filtered spam permdot tempdotN
 *	          closedotN rstdotN silentdotN: taken, journaled as accepted, no reply
 *	accepted: drop junk (the journal says so), slowMS (each reply MS ms later, 1000),
 *	          dripMS (a byte each MS ms, 20); both until the message's end
 *	docomo:   filtered 550 at the dot; syntax 504; 101st recipient of a session: 554:Transaction
 *	          failed, cut, what the session sent is withdrawn; line over 1000: 500
 *	ezweb/au: filtered "550 : User unknown" at the dot; 3 MB    softbank: filtered is accepted and
 *	          dropped, nodomain 553; 1 MB, From and Message-ID needed    ymobile: unknown is a bare
 *	          421    yahoo: tssN iptsN vsN
 *	returned: laterunknown laterfull laterexpired laterfiltered (ezweb, au: NDRs of theirs in
 *	          ISO-2022-JP, laterfiltered with X-SPASIGN: NG; there also laterdisabled laterlimited;
 *	          elsewhere DSNs as Postfix writes them, also laterblocked and laterdelayed), vacation
 *	          (a reply), complaint (ARF), redacted (ARF without envelope and recipient): accepted, and
 *	          comes back by mail; see RETURNS
 *	ses:      unknown full filtered are accepted ("bounced"); deferN greylistN tempN never busyN
 *	          at the dot
 *	When recipients of one message ask for different things at the dot, the first counts.
 *
 * CONTROL, a line each on the Unix socket: "ok", JSON, or "error: ..."
 *	set HOST mood M       normal down (port closed) reset (RST at connect) close blackhole refuse421
 *	                      refuse554 busy (421 at MAIL) blocked (550 at each RCPT) tempmail permmail tempdot permdot closedot
 *	                      rstdot; yahoo: tss04 ipts04 vs98; ses: throttle quota notverified
 *	                      mailfrom denied badauth unsubscribed authtemp paused temporary
 *	set HOST FEATURE on|off  starttls pipelining size 8bitmime dsn smtputf8 enhanced; rawdots, quoted
 *	                      (takes a..b@ raw, quoted); sender (553 for a sender domain not in DNS)
 *	set HOST LIMIT N      connections messages (of a session) rcpts-message rcpts-session max-size
 *	                      max-line; 0: none.  delay N: ms before each reply
 *	set ses KEY VALUE     the account, of SMTP and API alike; numbers are recipients, 0: no limit
 *	                      rate (a second) burst (at once; 0: a second's) quota window SECONDS (86400,
 *	                      rolling) sent (now, and none before) api-rate (calls of one action a second,
 *	                      sends apart; one more at once); sending on|off; sandbox on|off (rcpts
 *	                      verified; set rate and quota yourself); enforcement HEALTHY|PROBATION|SHUTDOWN
 *	                      verified configuration-sets suppressed-reasons: a,b (sets: "" is any)
 *	                      pause-set resume-set NAME; suppress ADDRESS [COMPLAINT] unsuppress ADDRESS
 *	                      user (and access key) password secret
 *	set aws KEY VALUE     latency MS (before each request is looked at; any number wait at once)
 *	                      skew SECONDS (of the server's clock: Date, signatures' 5 minutes)
 *	                      idle SECONDS (till it closes a kept connection, of new ones; 120)
 *	set aws mood M [S]    normal; at sends, or at all requests to service S (ses sqs sns imds all):
 *	                      throttle quota quotalimit paused suspended setpaused notverified mailfrom
 *	                      denied temporary (500) badauth: refused;
 *	                      carried out, then: closedot rstdot silentdot (no answer) truncate (half of it)
 *	                      garble (half, said to be all) huge (100 MB) slowMS (that late, 60000)
 *	                      at all of ses and not carried out: redirect (302) html (200) badgateway
 *	                      unavailable (503) close reset blackhole; down: the ports are closed
 *	set events KEY VALUE  delay MS (from acceptance to the events; 20)   order normal|shuffled (what
 *	                      happened before Send, and later)   duplicates N (each N times more)
 *	                      drop TYPE on|off (Send Delivery Bounce Complaint Reject DeliveryDelay)
 *	                      early on|off (told before the 250 or 200, which comes 100 ms later)
 *	                      late on|off (kept until it is off)   notifications on|off (the older form
 *	                      besides, for mail without a set, too)   simulator-today on|off
 *	set sqs KEY VALUE     mood normal same (deleted ones come again) error (500) gone, or any of
 *	                      `set aws mood`; raw on|off (else in SNS's envelope); events QUEUE
 *	sqs create QUEUE      sqs purge QUEUE    sqs send QUEUE N TEXT (N messages, all TEXT)
 *	set sns KEY VALUE     version 1|2   parallel N (20)   retries N (3)   retry MS (200)   timeout MS
 *	                      (5000)   hold on|off (posts are signed and wait)
 *	                      forge WHAT: posts one right away that is right but for body signature
 *	                      cert-url cert-host impostor (certificate) topic old future (2 h) raw
 *	                      subscribe-url version replay half huge (4 MB)
 *	sns subscribe URL     asks it to confirm, as Subscribe does    sns unsubscribe URL
 *	set imds KEY VALUE    expires SECONDS (3600; keys are renewed at once)   mood normal norole failed
 *	                      (no Success) expired garbage, or any of `set aws mood`
 *	set returns KEY VALUE to ADDRESS:PORT (the server that takes what comes back; nothing does before)
 *	                      complaints ADDRESS (else they go to the reverse-path, too)
 *	                      delay MS (5000)   late on|off (kept until it is off)   copies N (N more of each)
 *	                      retry MS (500) tries N (600): no answer or 4xx   connections N (4)
 *	set dns mood M        normal dead servfail
 *	set all KEY VALUE     every host but ses
 *	get HOST|aws|sqs|sns|returns  settings and counts (open, peak, messages ...)    count: counts of all
 *	zone NAME TYPE VALUE  adds a record, as a line of --zone does    unzone NAME
 *	cut HOST|all          RST on every open session    forget HOST|all   addresses are new again
 *	quit
 *
 * AWS: requests are signed as the user (--ses-user, --ses-secret; the SMTP password derived from that
 *	secret is good, too) or as the role of the instance metadata. SES: v2 SendEmail (Raw, Simple)
 *	GetAccount PutAccountSendingAttributes PutAccountSuppressionAttributes and the four calls of the
 *	suppression list; v1 SendRawEmail SendEmail GetSendQuota GetSendStatistics
 *	GetAccountSendingEnabled. Scenarios of ses hold for the API: defer greylist temp never 500,
 *	toomany 400, busy 503, closedot rstdot silentdot without an answer. Checked, in this order:
 *	account, recipients, tags, header, size (40 MB; v1 10 MB), set, identities, quota, rate.
 *	"No limit" is -1 (quota) and 100000 (rate) in GetAccount. Simulator addresses count on the rate.
 *
 * FEEDBACK: events of every mail with a configuration set, but the set "silent", to the queue
 *	"ses-events" and to the topic's subscribers, signed by a certificate of the CA (--write-ca). Send,
 *	then by the word of the local part (no number has a meaning here); recipients of one fate share
 *	an event.
 *	Delivery: any other word   Bounce Permanent: bounce unknown filtered (in the carrier's words)
 *	nomail suppressedglobal suppressedtenant suppressedinvalid, and who is on the account's list;
 *	Transient: full toolarge content attachment expired (General 4.4.7) expiredcustom; undetermined
 *	Delivery and more: complaint notspam ooto; before it: delay delayfull delayip   Reject: reject
 *	nothing (Send only)   Hard bounces and complaints put an address on the list, unless
 *	`set ses suppressed-reasons` says otherwise. Simulator addresses are as AWS documents them.
 *	SQS: JSON protocol; Send Receive Delete ChangeMessageVisibility, batches, GetQueueAttributes
 *	GetQueueUrl CreateQueue PurgeQueue. SNS: Subscribe ConfirmSubscription Unsubscribe, certificates;
 *	5xx, 429 and silence are tried again. IMDSv2: role "oiwake-role", region.
 *
 * RETURNS: what a mail host (not ses) has accepted comes back by mail, from <>, from its own address:
 *	bounces and vacation replies to the reverse-path, complaints to the feedback address. Mail from
 *	<> is never answered. The oldest first, but no order is promised.
 *
 * JOURNAL, JSON lines; each has seq time ms event host session peer tls ehlo [bad]
 *	connect, session (ended duration messages rcpts)
 *	refused     stage (mail, rcpt) from to code text: written at once
 *	message     from params rcpt[to params accepted what code text] accepted what code text size
 *	            longest_line sha256 message_id x_test_id header_from subject dkim[d=...] user
 *	            what: delivered, refused, closed-after-dot, reset-after-dot, silent-after-dot,
 *	            closed-after-354, reset-in-data, aborted, timeout; of a recipient: delivered,
 *	            dropped, junked, bounced, refused, lost (the data never ended)
 *	            of ses also: transport (smtp, api) operation configuration_set tags{} ses_id; by
 *	            API session, ehlo and params are null, code and error are of HTTP, user is the access
 *	            key, and `what` is silent when the mood left the client without an answer. sha256
 *	            and --keep are of what came, X-SES-* included, which SES takes out
 *	refused     of aws: transport api, stage auth, path code error text
 *	call        of ses: operation user throttled (every action of its API but the sends)
 *	event       id type to[] copy (0, then its duplicates) form (event, notification): written as told
 *	sns-post    url type message_id forged attempt status (0: none) text; sns-lost: it was the last
 *	sns-confirmed  url arn
 *	return      kind about (seq of the message) of (its recipient) to attempt accepted code (0: no
 *	            answer) text: written when an attempt has ended
 *	withdrawn   message (the seq of a message accepted before and now dropped)
 *	bad: what the client must not do: "bare LF", "bare CR", "long line", "NUL", "dot not stuffed",
 *	"8-bit", "bare LF in command", "pipelined", "plaintext after STARTTLS" ...
 */
/* clang-format on */
#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "tests/sandbox/aws.h"
#include "tests/sandbox/carriers.h"
#include "tests/sandbox/control.h"
#include "tests/sandbox/dns.h"
#include "tests/sandbox/events.h"
#include "tests/sandbox/host.h"
#include "tests/sandbox/imds.h"
#include "tests/sandbox/journal.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/returns.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/ses.h"
#include "tests/sandbox/sns.h"
#include "tests/sandbox/sqs.h"
#include "tests/sandbox/tls.h"
#include "tests/sandbox/zone.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define PORT_TRIES  50
#define DNS_ADDRESS "127.0.0.1"

enum setting {
	OPT_SMTP_PORT,
	OPT_DNS_PORT,
	OPT_SES_PORT,
	OPT_SESS_PORT,
	OPT_AWS_PORT,
	OPT_AWS_PLAIN_PORT,
	OPT_TTL,
	OPT_JOURNAL,
	OPT_KEEP,
	OPT_CONTROL,
	OPT_TELL,
	OPT_ZONE,
	OPT_WRITE_CA,
	OPT_SES_USER,
	OPT_SES_PASSWORD,
	OPT_SES_SECRET,
	OPT_SES_VERIFIED,
	OPT_SES_RATE,
	OPT_SES_QUOTA,
	OPT_MAX,
	OPT_HELP = 'h',
};

/* clang-format off */
static const struct {
	const char *name;
	const char *preset;
	const char *help;
} rows[OPT_MAX] = {
	[OPT_SMTP_PORT]    = { "smtp-port",    "0",  "port of every MX host; 0: a free one" },
	[OPT_DNS_PORT]     = { "dns-port",     "0",  "port of the DNS on " DNS_ADDRESS },
	[OPT_SES_PORT]     = { "ses-port",     "0",  "SES with STARTTLS" },
	[OPT_SESS_PORT]    = { "sess-port",    "0",  "SES with implicit TLS" },
	[OPT_AWS_PORT]     = { "aws-port",     "0",  "AWS over TLS" },
	[OPT_AWS_PLAIN_PORT] = { "aws-plain-port", "0", "AWS in clear" },
	[OPT_TTL]          = { "ttl",          "60", "seconds that DNS records may be kept" },
	[OPT_JOURNAL]      = { "journal",      NULL, "file that JSON lines are added to" },
	[OPT_KEEP]         = { "keep",         NULL, "folder for each accepted message, SEQ.eml" },
	[OPT_CONTROL]      = { "control",      NULL, "Unix socket for control lines" },
	[OPT_TELL]         = { "tell",         NULL, "send a line to the --control of a running one" },
	[OPT_ZONE]         = { "zone",         NULL, "file of lines NAME TYPE VALUE" },
	[OPT_WRITE_CA]     = { "write-ca",     NULL, "file for the CA of SES's certificate" },
	[OPT_SES_USER]     = { "ses-user",     "AKIASANDBOX", "user name at SES, access key of the API" },
	[OPT_SES_PASSWORD] = { "ses-password", "sandbox-password", "password at SES" },
	[OPT_SES_SECRET]   = { "ses-secret",   "sandbox-secret-key", "secret key of the API" },
	[OPT_SES_VERIFIED] = { "ses-verified", "example.com,example.net,example.org,example.jp",
	                       "verified domains and addresses; '*': any" },
	[OPT_SES_RATE]     = { "ses-rate",     "0",  "recipients per second; 0: no limit" },
	[OPT_SES_QUOTA]    = { "ses-quota",    "0",  "recipients in 24 hours; 0: no limit" },
};
/* clang-format on */

/* Reachable to the end, on purpose: the process ends with its loop and takes
 * nothing apart. */
static struct sandbox sandbox;
static unsigned aws_ports[2]; /* with TLS, in clear */

static void
usage(FILE *f)
{
	int i;

	fprintf(f, "usage: oiwake-sandbox [--option VALUE]...\n");
	for (i = 0; i < OPT_MAX; i++)
		fprintf(f, "  --%-13s %s%s%s%s\n", rows[i].name, rows[i].help,
		    rows[i].preset ? " (" : "",
		    rows[i].preset ? rows[i].preset : "",
		    rows[i].preset ? ")" : "");
}

static void
parse_options(int argc, char **argv, const char *values[static OPT_MAX])
{
	struct option longs[OPT_MAX + 2] = { 0 };
	int c, i;

	for (i = 0; i < OPT_MAX; i++) {
		values[i] = rows[i].preset;
		longs[i].name = rows[i].name;
		longs[i].has_arg = required_argument;
		longs[i].val = i + 256;
	}
	longs[OPT_MAX].name = "help";
	longs[OPT_MAX].val = OPT_HELP;
	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c >= 256) {
			values[c - 256] = optarg;
			continue;
		}
		usage(c == OPT_HELP ? stdout : stderr);
		exit(c == OPT_HELP ? 0 : 2);
	}
	if (optind == argc)
		return;
	usage(stderr);
	exit(2);
}

static unsigned
number(const char *value)
{
	return (unsigned)strtoul(value, NULL, 10);
}

static void
make_hosts(struct sandbox *b)
{
	size_t n = 0, i;

	while (systems[n].name != NULL)
		n++;
	b->hosts = xcalloc(n + 1, sizeof(*b->hosts));
	for (i = 0; i < n; i++)
		b->hosts[i] = host_new(b, &systems[i]);
}

static int
try_port(struct sandbox *b, unsigned port, struct err *e)
{
	struct host **h;

	for (h = b->hosts; *h != NULL; h++) {
		if ((*h)->system->ses)
			continue;
		if (host_listen(*h, port, false, e) < 0)
			return -1;
		port = (*h)->ports[0].number;
	}
	return 0;
}

/* The same port on every address; a free one may be taken on another address.
 */
static int
listen_smtp(struct sandbox *b, unsigned port, struct err *e)
{
	int tries = port == 0 ? PORT_TRIES : 1;
	struct host **h;

	while (tries-- > 0) {
		if (try_port(b, port, e) == 0)
			return 0;
		for (h = b->hosts; *h != NULL; h++)
			host_unlisten(*h);
	}
	return -1;
}

static int
make_ses(
    struct sandbox *b, const char *const values[static OPT_MAX], struct err *e)
{
	static const struct {
		const char *key;
		enum setting option;
	} keys[] = {
		{ "user", OPT_SES_USER },
		{ "password", OPT_SES_PASSWORD },
		{ "secret", OPT_SES_SECRET },
		{ "verified", OPT_SES_VERIFIED },
		{ "rate", OPT_SES_RATE },
		{ "quota", OPT_SES_QUOTA },
	};
	size_t i;
	int rc = 0;

	b->ses = ses_new();
	for (i = 0; rc == 0 && i < sizeof(keys) / sizeof(keys[0]); i++)
		(void)ses_set(
		    b->ses, keys[i].key, values[keys[i].option], &rc, e);
	return rc;
}

static int
start(
    struct sandbox *b, const char *const values[static OPT_MAX], struct err *e)
{
	struct host *ses;

	b->base = event_base_new();
	b->zone = zone_new();
	make_hosts(b);
	ses = host_find(b, "ses");
	if (make_ses(b, values, e) < 0)
		return -1;
	if (values[OPT_ZONE] != NULL &&
	    zone_load(b->zone, values[OPT_ZONE], e) < 0)
		return -1;
	b->journal = journal_new(values[OPT_JOURNAL], values[OPT_KEEP], e);
	b->mx_tls = tls_mx_context(e);
	b->ses_tls =
	    tls_ses_context(ses->system->host, values[OPT_WRITE_CA], e);
	if (b->journal == NULL || b->mx_tls == NULL || b->ses_tls == NULL)
		return -1;
	b->dns = dns_new(b->base, b->zone, DNS_ADDRESS,
	    number(values[OPT_DNS_PORT]), number(values[OPT_TTL]), e);
	if (b->dns == NULL ||
	    listen_smtp(b, number(values[OPT_SMTP_PORT]), e) < 0 ||
	    host_listen(ses, number(values[OPT_SES_PORT]), false, e) < 0 ||
	    host_listen(ses, number(values[OPT_SESS_PORT]), true, e) < 0)
		return -1;
	b->events = events_new(b);
	b->sqs = sqs_new(b);
	b->imds = imds_new(b);
	b->returns = returns_new(b);
	b->sns = sns_new(b);
	aws_ports[0] = number(values[OPT_AWS_PORT]);
	aws_ports[1] = number(values[OPT_AWS_PLAIN_PORT]);
	if (aws_new(b, AWS_ADDRESS, aws_ports, e) == NULL)
		return -1;
	return values[OPT_CONTROL] != NULL
		   ? control_listen(b, values[OPT_CONTROL], e)
		   : 0;
}

static void
announce_url(struct str *o, const char *key, bool tls, const char *path)
{
	struct str url = STR_INIT;

	str_addf(&url, "%s://" AWS_ADDRESS ":%u%s", tls ? "https" : "http",
	    aws_ports[tls ? 0 : 1], path);
	json_str(o, key, url.data);
	str_release(&url);
}

static void
announce_aws(const struct sandbox *b, struct str *o)
{
	json_open(o, "aws", '{');
	json_str(o, "address", AWS_ADDRESS);
	json_int(o, "port", aws_ports[0]);
	json_int(o, "plain_port", aws_ports[1]);
	json_str(o, "region", AWS_REGION);
	json_str(o, "access_key", b->ses->user);
	json_str(o, "secret_key", b->ses->secret);
	announce_url(o, "endpoint", true, "");
	announce_url(o, "queue_url", true, "/" AWS_ACCOUNT "/" SQS_QUEUE);
	json_str(o, "topic_arn", SNS_TOPIC_ARN);
	announce_url(o, "imds", false, "");
	json_close(o, '}');
}

static void
announce(const struct sandbox *b)
{
	struct str o = STR_INIT;
	struct host **h;

	json_open(&o, NULL, '{');
	json_open(&o, "dns", '{');
	json_str(&o, "address", DNS_ADDRESS);
	json_int(&o, "port", dns_port(b->dns));
	json_close(&o, '}');
	json_int(&o, "smtp_port", b->hosts[0]->ports[0].number);
	json_open(&o, "hosts", '{');
	for (h = b->hosts; *h != NULL; h++)
		json_str(&o, (*h)->system->name, (*h)->system->address);
	json_close(&o, '}');
	json_open(&o, "ses", '{');
	h--;
	json_str(&o, "name", (*h)->system->host);
	json_str(&o, "address", (*h)->system->address);
	json_int(&o, "port", (*h)->ports[0].number);
	json_int(&o, "tls_port", (*h)->ports[1].number);
	json_str(&o, "user", b->ses->user);
	json_str(&o, "password", b->ses->password);
	json_close(&o, '}');
	announce_aws(b, &o);
	json_close(&o, '}');
	printf("%s\nready\n", o.data);
	fflush(stdout);
	str_release(&o);
}

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	event_base_loopbreak(arg);
}

static int
tell(const char *const values[static OPT_MAX])
{
	struct err e = ERR_INIT;

	if (values[OPT_CONTROL] == NULL)
		err_set(&e, "--tell needs --control");
	else if (control_tell(values[OPT_CONTROL], values[OPT_TELL], &e) == 0)
		return 0;
	fprintf(stderr, "oiwake-sandbox: %s\n", e.text);
	return 1;
}

int
main(int argc, char **argv)
{
	const char *values[OPT_MAX];
	struct rlimit files;
	struct err e = ERR_INIT;

	parse_options(argc, argv, values);
	if (values[OPT_TELL] != NULL)
		return tell(values);
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	if (start(&sandbox, values, &e) < 0) {
		fprintf(stderr, "oiwake-sandbox: %s\n", e.text);
		return 1;
	}
	event_add(
	    evsignal_new(sandbox.base, SIGTERM, on_signal, sandbox.base), NULL);
	event_add(
	    evsignal_new(sandbox.base, SIGINT, on_signal, sandbox.base), NULL);
	announce(&sandbox);
	event_base_dispatch(sandbox.base);
	return 0;
}
