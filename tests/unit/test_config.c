/*
 * test_config.c - settings files: what they become, and every mistake of one
 * told in one run with its line.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ftw.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "router/config.h"
#include "router/config_int.h"
#include "rules/rules.h"

static char folder[] = "/tmp/oiwake-config-XXXXXX";

static void
put(const char *name, mode_t mode, const char *text)
{
	FILE *fp = fopen(name, "w");

	assert_non_null(fp);
	fputs(text, fp);
	fclose(fp);
	assert_int_equal(chmod(name, mode), 0);
}

static void
put_certificate(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	FILE *fp;

	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	put("cert.pem", 0644, "");
	put("key.pem", 0600, "");
	fp = fopen("cert.pem", "w");
	PEM_write_X509(fp, x);
	fclose(fp);
	fp = fopen("key.pem", "w");
	PEM_write_PrivateKey(fp, key, NULL, NULL, 0, NULL, NULL);
	fclose(fp);
	X509_free(x);
	EVP_PKEY_free(key);
}

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL || chdir(folder) != 0)
		return -1;
	put_certificate();
	put("oiwake.rules", 0644, "route default to any via discard\n");
	put("users", 0640, "");
	put("open-secret", 0644, "x\n");
	put("secret", 0600, "pa\"ss word\r\nsecond line\n");
	put("empty-secret", 0600, "\n");
	return mkdir("state", 0700);
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int
tear_down(void **state)
{
	(void)state;
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* What a file needs that is about something else. */
#define ROOT                                                                   \
	"hostname = mail.example.jp\nadmin-socket = sock\n"                    \
	"state-directory = state\n"
#define RELAY                                                                  \
	"listener r { type = relay address = \"127.0.0.1:2525\" "              \
	"networks = { 127.0.0.0/8 } }\n"

static struct config *
load(const char *text, enum config_part part, struct str *report)
{
	put("t.conf", 0644, text);
	return config_load_part("t.conf", part, report);
}

static struct config *
load_good(const char *text, enum config_part part)
{
	struct str report = STR_INIT;
	struct config *cfg = load(text, part, &report);

	assert_string_equal(report.data, "");
	assert_non_null(cfg);
	return cfg;
}

/* -- mistakes
 * ---------------------------------------------------------------------- */

struct golden {
	const char *name;
	enum config_part part;
	const char *text; /* after ROOT: three lines */
	const char *report;
};

static const struct golden goldens[] = {
	{ "several unknown keys in one run", CONFIG_SETTINGS,
	    "# one\n#\n/* two\n three */ hostnam = a\nfoo = { a, b }\n"
	    "listener r { type = relay adress = \"a}\"\n"
	    "address = \"127.0.0.1:2525\" networks = { 127.0.0.0/8 } }\n"
	    "lisener \"x\" { a = b\n c { d = \"}\" } }\n"
	    "fun(a, b)\nlimits { max-mesage += 3 }\n",
	    "t.conf:7: unknown key 'hostnam', did you mean 'hostname'?\n"
	    "t.conf:8: unknown key 'foo'\n"
	    "t.conf:9: unknown key 'adress' in listener, did you mean "
	    "'address'?\n"
	    "t.conf:11: unknown key 'lisener', did you mean 'listener'?\n"
	    "t.conf:13: unknown key 'fun'\n"
	    "t.conf:14: unknown key 'max-mesage' in limits, did you mean "
	    "'max-message'?\n" },
	{ "values out of shape and bounds", CONFIG_SETTINGS,
	    RELAY "io-threads = 65\nio-threads = 2\nlog-level = wran\n"
		  "limits { max-message = 10XB max-command = 511\n"
		  "max-recipients = 1.5 idle-timeout = 5\n"
		  "command-timeout = 10y min-data-rate = -1 }\n"
		  "queue { reserve = 1e9 stop-timeout = 1h30min }\n",
	    "t.conf:5: io-threads: '65' is too large\n"
	    "t.conf:6: io-threads: given twice, first in line 5\n"
	    "t.conf:7: log-level: unknown value 'wran', did you mean 'warn'?\n"
	    "t.conf:8: max-message: expected a size such as 10MB or 128KiB, "
	    "not '10XB'\n"
	    "t.conf:8: max-command: '511' is too small\n"
	    "t.conf:9: max-recipients: expected a whole number, not '1.5'\n"
	    "t.conf:9: idle-timeout: expected a time such as 30s, 5min, 4h or "
	    "5d, not '5'\n"
	    "t.conf:10: command-timeout: expected a time such as 30s, 5min, 4h "
	    "or 5d, not '10y'\n"
	    "t.conf:10: min-data-rate: expected a size such as 10MB or 128KiB, "
	    "not '-1'\n"
	    "t.conf:11: reserve: expected a size such as 10MB or 128KiB, not "
	    "'1e9'\n" },
	{ "listeners", CONFIG_SETTINGS,
	    "listener a { address = \"127.0.0.1:25\" type = relay }\n"
	    "listener b { type = submission address = \"127.0.0.1:25\" }\n"
	    "listener c { type = submission address = localhost:25\n"
	    "tls = none }\n"
	    "listener c { type = inbound\nnetworks = { 10.0.0.1/8 } }\n"
	    "listener \"d e\" { type = rely address = \"127.0.0.1:26\" }\n"
	    "listener f { address = \"127.0.0.1:27\" }\n",
	    "t.conf:4: listener 'a' of type relay has no networks: it would be "
	    "open to everybody\n"
	    "t.conf:5: listener 'b' of type submission needs 'users'\n"
	    "t.conf:5: no certificate for the TLS of listener 'b'\n"
	    "t.conf:5: listeners 'a' and 'b' have the same address "
	    "127.0.0.1:25\n"
	    "t.conf:6: listener 'c' of type submission needs 'users'\n"
	    "t.conf:6: address: not an IP address: 'localhost'\n"
	    "t.conf:7: listener 'c' of type submission cannot do without TLS\n"
	    "t.conf:8: listener 'c' given twice, first in t.conf line 6\n"
	    "t.conf:8: listener 'c' has no address\n"
	    "t.conf:9: networks are only for listeners of type relay\n"
	    "t.conf:9: networks: address has bits beyond its prefix length: "
	    "'10.0.0.1/8'\n"
	    "t.conf:10: not a name of letters, digits, '-', '_' and '.': "
	    "'d e'\n"
	    "t.conf:10: type: unknown value 'rely', did you mean 'relay'?\n"
	    "t.conf:11: listener 'f' has no type: submission, relay or "
	    "inbound\n" },
	{ "the return path", CONFIG_SETTINGS,
	    RELAY "return-path {\ndomain = b.example.jp key = k\n"
		  "feedback = { fbl, \"B=x\", \"a@b\", \"x..y\" }\n"
		  "postmaster = \"ops@B.example.jp\"\n"
		  "rate = fast forward = perhaps }\n",
	    "t.conf:7: feedback: expected what stands before the '@' of an "
	    "address, not 'B=x'\n"
	    "t.conf:7: feedback: expected what stands before the '@' of an "
	    "address, not 'a@b'\n"
	    "t.conf:7: feedback: expected what stands before the '@' of an "
	    "address, not 'x..y'\n"
	    "t.conf:8: postmaster: 'ops@B.example.jp' is in the domain itself, "
	    "so its mail would come back here\n"
	    "t.conf:9: rate: expected a number, not 'fast'\n"
	    "t.conf:9: forward: expected yes or no, not 'perhaps'\n" },
	{ "the ways out", CONFIG_SETTINGS,
	    RELAY "source tokyo1 { address = 300.0.0.1 hostname = a_b }\n"
		  "pool p { sources = { tokyo1, tokio1 } }\npool q { }\n"
		  "path ses { type = ses transport = smtp }\n"
		  "path ses2 { type = ses transport = smtp host = h user = u "
		  "password = a\n"
		  "password-file = secret pool = p }\n"
		  "path m { type = mta pool = x rate = 3 ipv4 = no }\n"
		  "path n { type = mta relay-host = \"a b\" port = 65536 }\n"
		  "path o { } dkim -x { key = y }\n"
		  "dns { servers = { 127.0.0.1@5353, \"::1\", a, ::1@0 } }\n",
	    "t.conf:5: hostname: not a host name: 'a_b'\n"
	    "t.conf:5: address: not an IP address: '300.0.0.1'\n"
	    "t.conf:6: unknown source 'tokio1', did you mean 'tokyo1'?\n"
	    "t.conf:7: pool 'q' has no sources\n"
	    "t.conf:8: path 'ses' of type ses has no host\n"
	    "t.conf:8: path 'ses' of type ses has no user\n"
	    "t.conf:8: path 'ses' of type ses has no password or "
	    "password-file\n"
	    "t.conf:10: pool means nothing for a path of type ses\n"
	    "t.conf:10: both password and password-file in path 'ses2'\n"
	    "t.conf:11: rate means nothing for a path of type mta\n"
	    "t.conf:11: unknown pool 'x'\n"
	    "t.conf:11: path 'm' has neither ipv4 nor ipv6\n"
	    "t.conf:12: port: '65536' is too large for a port\n"
	    "t.conf:12: path 'n' says no pool, and none is called 'default'\n"
	    "t.conf:12: relay-host: neither a host name nor an address: 'a b'\n"
	    "t.conf:13: not a domain: '-x'\n"
	    "t.conf:13: path 'o' has no type: mta, ses or discard\n"
	    "t.conf:13: dkim '-x' has no selector\n"
	    "t.conf:14: servers: expected an address or address@port, not 'a'\n"
	    "t.conf:14: servers: expected an address or address@port, not "
	    "'::1@0'\n" },
	{ "a database's keys without a database", CONFIG_SETTINGS,
	    RELAY "store-password-file = secret\nstore-token-command = a\n"
		  "node = a\nlease = 5s\nnode-sources = { default }\n",
	    "t.conf:5: store-password-file means nothing without 'store'\n"
	    "t.conf:6: store-token-command means nothing without 'store'\n"
	    "t.conf:7: node means nothing without 'store'\n"
	    "t.conf:8: lease means nothing without 'store'\n"
	    "t.conf:9: node-sources means nothing without 'store'\n" },
	{ "a database", CONFIG_ALL,
	    RELAY "store = \"postgresql://u:geheim@h/d\"\n"
		  "store-password-file = secret\nnode = \"a b\"\n"
		  "lease = 1999ms\nsource tokyo1 { }\n"
		  "node-sources = { tokyo1, tokio1 }\n",
	    "t.conf:6: store-password-file: there is a password in 'store' "
	    "already\n"
	    "t.conf:7: node: not a name of letters, digits, '-', '_' and "
	    "'.': 'a b'\n"
	    "t.conf:8: lease: '1999ms' is too small\n"
	    "t.conf:10: unknown source 'tokio1', did you mean 'tokyo1'?\n" },
	{ "what is no database", CONFIG_SETTINGS,
	    RELAY "store = \"mysql://u:geheim@h/d\"\nstore = x\n",
	    "t.conf:5: store: not the URL of a database: expected "
	    "postgresql://USER@HOST/DATABASE, with special characters of a "
	    "password written as %2F and the like\n"
	    "t.conf:6: store: given twice, first in line 5\n" },
	{ "a password of two origins, and files of it", CONFIG_ALL,
	    RELAY "store = \"postgresql:///d\"\nstore-password-file = a\n"
		  "store-token-command = b\n",
	    "t.conf:7: both store-password-file and store-token-command\n" },
	{ "a password that others may read", CONFIG_ALL,
	    RELAY "store = \"postgresql:///d\"\n"
		  "store-password-file = open-secret\n",
	    "t.conf:6: store-password-file: others have access to "
	    "'open-secret' (mode 644, expected 600 or 640)\n" },
	{ "paths that are built in", CONFIG_SETTINGS,
	    RELAY "path hold { type = mta }\npath reject { type = discard }\n"
		  "path discard { type = mta port = 0 }\n",
	    "t.conf:5: path 'hold' is built in and cannot be defined\n"
	    "t.conf:6: path 'reject' is built in and cannot be defined\n"
	    "t.conf:7: port: '0' is too small for a port\n"
	    "t.conf:7: path 'discard' is of type mta, and can only be of type "
	    "discard\n" },
	{ "nothing comes in; empty values", CONFIG_SETTINGS,
	    "users = \"\"\nlog = ${OIWAKE_TEST_UNSET}\nqueue { }\nqueue { }\n"
	    "rules = \"a\\nb\"\n",
	    "t.conf: no listener: nothing could come in\n"
	    "t.conf:4: users: empty value (is an environment variable not "
	    "set?)\n"
	    "t.conf:5: log: empty value (is an environment variable not "
	    "set?)\n"
	    "t.conf:7: queue given twice, first in t.conf line 6\n"
	    "t.conf:8: rules: control character in the value\n" },
	{ "a syntax error ends the file, not the report", CONFIG_SETTINGS,
	    "foo = 1\nio-threads = 99\nhostname {\nlog-level = wran\n",
	    "t.conf:4: unknown key 'foo'\n"
	    "t.conf:5: io-threads: '99' is too large\n"
	    "t.conf:6: missing equal sign after option 'hostname'\n" },
	{ "a string without end", CONFIG_SETTINGS, "log = \"a\nb = \"c\"\n",
	    "t.conf:4: string does not end on its line\n" },
	{ "a comment without end", CONFIG_SETTINGS, "\n/* a\n\nb\n",
	    "t.conf:5: comment does not end\n" },
	{ "a control character", CONFIG_SETTINGS, "log = a\n\033[2J = 1\n",
	    "t.conf:5: control character in the file\n" },
	{ "not UTF-8", CONFIG_SETTINGS, "# \xa5\n",
	    "t.conf:4: text that is not UTF-8\n" },
	{ "files", CONFIG_ALL,
	    "listener s { type = submission address = \"127.0.0.1:2526\"\n"
	    "certificate = nocert.pem key = key.pem }\n"
	    "users = nousers\nlog = nofolder/log\n"
	    "path ses { type = ses transport = smtp host = h user = u\n"
	    "password-file = open-secret ca-file = noca }\n"
	    "path ses2 { type = ses transport = smtp host = h user = u\n"
	    "password-file = empty-secret }\n"
	    "dns { trust-anchor = noanchor }\n"
	    "dkim example.jp { selector = s key = cert.pem }\n",
	    "t.conf:5: listener 's': cannot load certificate 'nocert.pem': No "
	    "such file or directory\n"
	    "t.conf:6: users: cannot open 'nousers': No such file or "
	    "directory\n"
	    "t.conf:7: log: cannot use 'nofolder/': No such file or "
	    "directory\n"
	    "t.conf:9: password-file: others have access to 'open-secret' "
	    "(mode 644, expected 600 or 640)\n"
	    "t.conf:9: ca-file: cannot load certificate authorities from "
	    "'noca': No such file or directory\n"
	    "t.conf:11: password-file: first line of 'empty-secret' is empty\n"
	    "t.conf:12: trust-anchor: cannot open 'noanchor': No such file or "
	    "directory\n"
	    "t.conf:13: dkim 'example.jp': others have access to private key "
	    "'cert.pem' (mode 644, expected 600 or 640)\n" },
};

static void
mistakes_are_all_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++) {
		struct str report = STR_INIT, text = STR_INIT;

		str_addf(&text, "%s%s", ROOT, goldens[i].text);
		assert_null(load(text.data, goldens[i].part, &report));
		if (strcmp(report.data, goldens[i].report) != 0)
			print_message("# case: %s\n", goldens[i].name);
		assert_string_equal(report.data, goldens[i].report);
		str_release(&report);
		str_release(&text);
	}
}

static void
rules_must_fit(void **state)
{
	struct str report = STR_INIT;

	(void)state;
	put("bad.rules", 0644,
	    "route a to domain a.jp via mta pool nopool\n"
	    "route b to domain b.jp via discard pool default\n"
	    "route c to any via sess\n");
	assert_null(load(ROOT RELAY "rules = bad.rules\nio-threads = x\n",
	    CONFIG_RULES, &report));
	assert_non_null(
	    strstr(report.data, "t.conf:6: io-threads: expected a number"));
	assert_non_null(
	    strstr(report.data, "bad.rules:1:37: unknown pool 'nopool'\n"));
	assert_non_null(strstr(report.data, "bad.rules:2:"));
	assert_non_null(strstr(
	    report.data, "path 'discard' has no pools: it is not of type mta"));
	assert_non_null(
	    strstr(report.data, "bad.rules:3:20: unknown path 'sess'"));
	str_release(&report);
	assert_null(load(ROOT RELAY "rules = none\n", CONFIG_RULES, &report));
	assert_non_null(strstr(report.data, "none"));
	str_release(&report);
}

/* -- good files
 * -------------------------------------------------------------------- */

static void
a_whole_file(void **state)
{
	struct config *cfg;
	const struct config_listener *l;
	const struct config_path *path;

	(void)state;
	setenv("OIWAKE_TEST_USER", "AKIA", 1);
	cfg = load_good(ROOT
	    "users = users\ntls { certificate = cert.pem key = key.pem }\n"
	    "limits { max-message = 10MB max-recipients = 7 }\n" RELAY
	    "listener \"s\" { type = submission address = \"[::1]:465\"\n"
	    "tls = implicit max-recipients = 8 }\n"
	    "source a { address = 192.0.2.1 hostname = mx1.example.jp }\n"
	    "source b { }\npool p { sources = { a, \"b\" } }\n"
	    "path ses { type = ses transport = smtp host = smtp.example.com\n"
	    "user = \"${OIWAKE_TEST_USER}\" password-file = secret\n"
	    "tls = implicit rate = 0.5 configuration-set = \"c\" }\n"
	    "queue { delay-notice = 1h30min reserve = 1GiB }\n"
	    "dns { servers = { 127.0.0.1@5353 } }\n",
	    CONFIG_ALL);
	assert_int_equal(cfg->nlisteners, 2);
	l = &cfg->listeners[0];
	assert_int_equal(l->kind, LISTENER_RELAY);
	assert_int_equal(l->nnetworks, 1);
	assert_false(l->smtp.offer_auth);
	assert_null(l->smtp.tls);
	assert_int_equal(l->smtp.max_message, 10000000);
	assert_int_equal(l->smtp.max_recipients, 7);
	assert_string_equal(l->smtp.hostname, "mail.example.jp");
	l = &cfg->listeners[1];
	assert_int_equal(l->kind, LISTENER_SUBMISSION);
	assert_true(l->smtp.require_auth && l->smtp.implicit_tls);
	assert_non_null(l->smtp.tls);
	assert_int_equal(l->smtp.max_recipients, 8);
	assert_int_equal(net_port((const struct sockaddr *)&l->addr), 465);
	assert_int_equal(cfg->npools, 1);
	assert_int_equal(cfg->pools[0].nsources, 2);
	assert_string_equal(
	    cfg->pools[0].sources[1]->hostname, "mail.example.jp");
	assert_int_equal(cfg->sources[1].bind_len, 0);
	path = config_path_find(cfg, "ses");
	assert_non_null(path);
	assert_string_equal(path->user, "AKIA");
	assert_string_equal(path->password.value, "pa\"ss word");
	assert_int_equal(path->port, 465);
	assert_true(path->rate > 0.49 && path->rate < 0.51);
	assert_non_null(path->tls_ctx);
	path = config_path_find(cfg, "mta");
	assert_non_null(path);
	assert_ptr_equal(path->pool, &cfg->pools[0]);
	assert_int_equal(config_path_find(cfg, "discard")->kind, PATH_DISCARD);
	assert_int_equal(config_path_find(cfg, "hold")->kind, PATH_HOLD);
	assert_int_equal(config_path_find(cfg, "reject")->kind, PATH_REJECT);
	assert_null(config_path_find(cfg, "other"));
	assert_int_equal(cfg->delay_notice, 90 * 60 * 1000);
	assert_int_equal(cfg->reserve, 1 << 30);
	assert_string_equal(cfg->dns_servers[0], "127.0.0.1@5353");
	assert_non_null(cfg->rules);
	config_unref(&cfg);
	assert_null(cfg);
}

static void
a_database_and_a_node(void **state)
{
	struct config *cfg = load_good(ROOT RELAY
	    "store = \"postgresql://u@db.example.jp/d?sslmode=verify-full\"\n"
	    "store-password-file = secret\nnode = tokyo-a\nlease = 5s\n"
	    "source a { }\nsource b { }\nnode-sources = { b }\n",
	    CONFIG_ALL);
	const struct config_store *st = &cfg->store;

	(void)state;
	assert_string_equal(st->url.value,
	    "postgresql://u@db.example.jp/d?sslmode=verify-full");
	assert_string_equal(st->shown, "postgresql://u@db.example.jp/d");
	assert_string_equal(st->password_file, "secret");
	assert_null(st->token_command);
	assert_string_equal(st->node, "tokyo-a");
	assert_int_equal(st->lease, 5000);
	assert_int_equal(st->nsources, 1);
	assert_ptr_equal(st->sources[0], &cfg->sources[1]);
	config_unref(&cfg);
	cfg = load_good(
	    ROOT RELAY "store = \"postgresql:///d\"\nnode = a\n"
		       "store-token-command = \"aws rds x\"\n",
	    CONFIG_ALL);
	st = &cfg->store;
	assert_string_equal(st->token_command, "aws rds x");
	assert_int_equal(st->lease, 30000);
	assert_int_equal(st->nsources, 0);
	config_unref(&cfg);
}

static void
defaults_stand(void **state)
{
	struct config *cfg, *second;

	(void)state;
	cfg = load_good(ROOT RELAY, CONFIG_SETTINGS);
	assert_null(cfg->rules);
	assert_null(cfg->users_file);
	assert_true(cfg->io_threads >= 1);
	assert_int_equal(cfg->log_level, LOG_INFO);
	assert_string_equal(cfg->rules_file, "oiwake.rules");
	assert_string_equal(cfg->pools[0].name, "default");
	assert_string_equal(
	    cfg->pools[0].sources[0]->hostname, "mail.example.jp");
	second = config_ref(cfg);
	config_unref(&cfg);
	assert_string_equal(second->hostname, "mail.example.jp");
	config_unref(&second);
}

static void
socket_of_a_broken_file(void **state)
{
	struct str report = STR_INIT;
	char *path;

	(void)state;
	put("t.conf", 0644, "foo = 1\nadmin-socket = here\nlisten {\n");
	path = config_admin_socket("t.conf", &report);
	assert_string_equal(path, "here");
	assert_string_equal(report.data, "");
	free(path);
	assert_null(config_admin_socket("none.conf", &report));
	assert_string_equal(report.data,
	    "none.conf: cannot open 'none.conf': No such file or directory\n");
	str_release(&report);
}

static void
includes_are_relative(void **state)
{
	struct str report = STR_INIT;
	struct config *cfg;

	(void)state;
	assert_int_equal(mkdir("sub", 0700), 0);
	put("sub/more.conf", 0644, "users = users2\ninclude = relay.conf\n");
	put("sub/relay.conf", 0644, "# a\n" RELAY);
	cfg = load_good(ROOT "include = sub/more.conf\n", CONFIG_SETTINGS);
	assert_string_equal(cfg->users_file, "sub/users2");
	assert_int_equal(cfg->nlisteners, 1);
	config_unref(&cfg);

	put("sub/relay.conf", 0644, "\nfoo = 1\n" RELAY);
	assert_null(load(ROOT "include = sub/more.conf\nbar = 1\n"
			      "include = { \"none.conf\" }\n",
	    CONFIG_SETTINGS, &report));
	assert_string_equal(report.data,
	    "t.conf:5: unknown key 'bar'\n"
	    "t.conf:6: cannot open 'none.conf': No such file or directory\n"
	    "sub/relay.conf:2: unknown key 'foo'\n");
	str_release(&report);

	put("sub/relay.conf", 0644, "include = more.conf\n");
	assert_null(
	    load(ROOT "include = sub/more.conf\n", CONFIG_SETTINGS, &report));
	assert_non_null(strstr(report.data, "too many included files"));
	str_release(&report);
}

static void
signers_by_nearest_domain(void **state)
{
	struct config *cfg;
	const struct dkim_signer *found[CONFIG_SIGNERS_MAX];
	EVP_PKEY *key = EVP_RSA_gen(2048);
	FILE *fp;

	(void)state;
	put("dkim.pem", 0600, "");
	fp = fopen("dkim.pem", "w");
	PEM_write_PrivateKey(fp, key, NULL, NULL, 0, NULL, NULL);
	fclose(fp);
	EVP_PKEY_free(key);
	key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	put("ed.pem", 0600, "");
	fp = fopen("ed.pem", "w");
	PEM_write_PrivateKey(fp, key, NULL, NULL, 0, NULL, NULL);
	fclose(fp);
	EVP_PKEY_free(key);
	cfg = load_good(ROOT RELAY
	    "dkim Example.jp { selector = s1 key = dkim.pem }\n"
	    "dkim a.example.jp { selector = s2 key = dkim.pem }\n"
	    "dkim a.example.jp { selector = e2 key = ed.pem }\n"
	    "dkim a.example.jp { selector = s3 key = dkim.pem\n"
	    " state = standby }\n",
	    CONFIG_ALL);
	assert_int_equal(config_dkim_find(cfg, "b.example.jp", found), 1);
	assert_ptr_equal(found[0], cfg->dkim[0].signer);
	assert_int_equal(config_dkim_find(cfg, "x.a.example.jp", found), 2);
	assert_ptr_equal(found[0], cfg->dkim[1].signer);
	assert_ptr_equal(found[1], cfg->dkim[2].signer);
	assert_non_null(cfg->dkim[0].signer);
	assert_int_equal(config_dkim_find(cfg, "notexample.jp", found), 0);
	assert_int_equal(config_dkim_find(cfg, "jp", found), 0);
	assert_int_equal(config_dkim_find(cfg, "", found), 0);
	config_unref(&cfg);
}

static void
values(void **state)
{
	static const struct {
		const char *text;
		double ms, size; /* -1: none */
	} cases[] = {
		{ "0", 0, 0 },
		{ "30s", 30000, -1 },
		{ "1.5h", 5400000, -1 },
		{ "5d", 432e6, -1 },
		{ "1h30min", 5400000, -1 },
		{ "10", -1, 10 },
		{ "128KiB", -1, 131072 },
		{ "1.5MB", -1, 1500000 },
		{ "1 MB", -1, -1 },
		{ "", -1, -1 },
		{ "s", -1, -1 },
		{ "1h30", -1, -1 },
		{ "-1s", -1, -1 },
		{ "0x10", -1, -1 },
		{ "1e3", -1, -1 },
		{ "inf", -1, -1 },
		{ "9999999999999999", -1, -1 },
		{ "1.", -1, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double ms = -1, size = -1;

		config_value_ms(cases[i].text, &ms, NULL);
		config_value_size(cases[i].text, &size, NULL);
		if (ms < cases[i].ms || ms > cases[i].ms ||
		    size < cases[i].size || size > cases[i].size)
			fail_msg(
			    "'%s' gave %f and %f", cases[i].text, ms, size);
	}
	assert_true(config_value_host("a-b.example.jp"));
	assert_false(config_value_host("a..b"));
	assert_false(config_value_host("-a.jp"));
	assert_false(config_value_host("a-.jp"));
	assert_false(config_value_host("a.jp."));
	assert_false(config_value_host("a b"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_all_told),
		cmocka_unit_test(rules_must_fit),
		cmocka_unit_test(a_whole_file),
		cmocka_unit_test(a_database_and_a_node),
		cmocka_unit_test(defaults_stand),
		cmocka_unit_test(socket_of_a_broken_file),
		cmocka_unit_test(includes_are_relative),
		cmocka_unit_test(signers_by_nearest_domain),
		cmocka_unit_test(values),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
