/*
 * test_config_ses.c - what Amazon needs of the settings: ses paths of both
 * transports, queues, topics, web listeners; and every mistake in them told.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mta/base/str.h"
#include "router/config.h"
#include "router/config_int.h"

#define ROOT                                                                   \
	"hostname = mail.example.jp\n"                                         \
	"listener r { type = relay address = \"127.0.0.1:2525\" "              \
	"networks = { 127.0.0.0/8 } }\n"
#define TOPIC "arn:aws:sns:ap-northeast-1:123456789012:ses"
#define QUEUE "https://sqs.ap-northeast-1.amazonaws.com/123456789012/ses"

static struct config *
parse(const char *text, struct str *report)
{
	struct str whole = STR_INIT;
	struct config *cfg;

	str_addf(&whole, "%s%s", ROOT, text);
	cfg = config_parse("t.conf", whole.data, whole.len, report);
	str_release(&whole);
	return cfg;
}

static struct config *
parse_good(const char *text)
{
	struct str report = STR_INIT;
	struct config *cfg = parse(text, &report);

	assert_string_equal(report.data, "");
	assert_non_null(cfg);
	str_release(&report);
	return cfg;
}

/* In SMTP's place, what follows from an instance role alone. */
static void
an_api_path_needs_little(void **state)
{
	struct config *cfg =
	    parse_good("path ses { type = ses region = ap-northeast-1 }\n");
	const struct config_path *path = config_path_find(cfg, "ses");

	(void)state;
	assert_int_equal(path->transport, SES_API);
	assert_int_equal(path->credentials.kind, CREDENTIALS_AUTO);
	assert_string_equal(path->credentials.imds, "http://169.254.169.254");
	assert_null(path->endpoint);
	assert_true(path->rate <= 0 && path->quota <= 0);
	assert_true(path->quota_reserve > 0.099 && path->quota_reserve < 0.101);
	assert_int_equal(path->account_check, 60000);
	assert_int_equal(path->probation, PROBATION_SLOW);
	assert_true(path->application_wins && path->repair_headers);
	assert_int_equal(cfg->sent_keep, INT64_C(15) * 86400 * 1000);
	config_unref(&cfg);
}

static void
everything_of_a_path_can_be_said(void **state)
{
	struct config *cfg = parse_good(
	    "path ses { type = ses transport = api region = eu-west-1\n"
	    "endpoint = \"https://127.0.10.51:8443\" credentials = static\n"
	    "access-key = AKIA secret-key = abc rate = 0.5 quota = 200\n"
	    "quota-reserve = 25 account-check = 5s probation = stop\n"
	    "tags = { \"service=web\", \"team=a_b-c\" } application-headers = "
	    "loses\nduplicate-headers = refuse configuration-set = events }\n");
	const struct config_path *path = config_path_find(cfg, "ses");

	(void)state;
	assert_string_equal(path->endpoint, "https://127.0.10.51:8443");
	assert_int_equal(path->credentials.kind, CREDENTIALS_STATIC);
	assert_string_equal(path->credentials.access_key, "AKIA");
	assert_string_equal(path->credentials.secret_key.value, "abc");
	assert_true(path->rate > 0.49 && path->rate < 0.51);
	assert_true(path->quota > 199 && path->quota < 201);
	assert_true(path->quota_reserve > 0.24 && path->quota_reserve < 0.26);
	assert_int_equal(path->account_check, 5000);
	assert_int_equal(path->probation, PROBATION_STOP);
	assert_int_equal(path->ntags, 2);
	assert_string_equal(path->tags[1], "team=a_b-c");
	assert_false(path->application_wins || path->repair_headers);
	config_unref(&cfg);
}

/* The vector of AWS's guide (facts/aws.md, section 1). */
static void
an_smtp_password_is_derived(void **state)
{
	struct config *cfg = parse_good(
	    "path ses { type = ses transport = smtp host = smtp.example.com\n"
	    "region = us-west-2 access-key = AKIA\n"
	    "secret-key = \"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\" }\n");
	const struct config_path *path = config_path_find(cfg, "ses");

	(void)state;
	assert_string_equal(path->user, "AKIA");
	assert_string_equal(path->password.value,
	    "BF2PynzbSCAjX08zhZZnP/kW+T9P5zs/1Er0pi5vTEmd");
	assert_int_equal(path->account_check, 60000);
	config_unref(&cfg);
}

static void
an_smtp_path_without_keys_is_not_watched(void **state)
{
	struct config *cfg = parse_good(
	    "path ses { type = ses transport = smtp host = smtp.example.com\n"
	    "user = u password = p }\n");
	const struct config_path *path = config_path_find(cfg, "ses");

	(void)state;
	assert_int_equal(path->credentials.kind, CREDENTIALS_NONE);
	assert_int_equal(path->account_check, 0);
	assert_true(path->rate > 13.9 && path->rate < 14.1);
	config_unref(&cfg);
}

static void
feedback_is_taken_in(void **state)
{
	struct config *cfg = parse_good(
	    "path ses { type = ses region = ap-northeast-1 credentials = "
	    "instance-role }\n"
	    "sqs events { queue = \"" QUEUE "\" path = ses }\n"
	    "sqs other { queue = \"http://127.0.0.1:9/1/q\" region = "
	    "us-east-1\naccess-key = A secret-key = b pollers = 4 wait = 1s "
	    "}\n"
	    "sns { topics = { \"" TOPIC "\" } signature-version = 2 }\n"
	    "web w { address = \"127.0.0.1:8080\" serve = { sns } }\n");

	(void)state;
	assert_int_equal(cfg->nsqs, 2);
	assert_string_equal(cfg->sqs[0].region, "ap-northeast-1");
	assert_string_equal(
	    cfg->sqs[0].endpoint, "https://sqs.ap-northeast-1.amazonaws.com");
	assert_int_equal(cfg->sqs[0].credentials.kind, CREDENTIALS_ROLE);
	assert_int_equal(cfg->sqs[0].pollers, 2);
	assert_string_equal(cfg->sqs[1].endpoint, "http://127.0.0.1:9");
	assert_int_equal(cfg->sqs[1].wait, 1000);
	assert_int_equal(cfg->sns.ntopics, 1);
	assert_int_equal(cfg->sns.signature_version, 2);
	assert_int_equal(cfg->sns.replay_window, 3600000);
	assert_int_equal(cfg->nwebs, 1);
	assert_true(cfg->webs[0].sns);
	assert_null(cfg->webs[0].tls_ctx);
	config_unref(&cfg);
}

static const struct {
	const char *name, *text, *report;
} mistakes[] = {
	{ "SMTP with a role",
	    "path ses { type = ses transport = smtp host = h\n"
	    "region = us-east-1 credentials = instance-role }\n",
	    "t.conf:3: path 'ses' has credentials = instance-role, and SES's "
	    "SMTP takes only the long-term keys of an IAM user: give "
	    "access-key and secret-key, or user and password, or use transport "
	    "= api\n" },
	{ "SMTP's words for the API",
	    "path ses { type = ses region = us-east-1\nhost = h\nuser = u }\n",
	    "t.conf:4: host is for transport = smtp, and path 'ses' has "
	    "transport = api\n"
	    "t.conf:5: user is for transport = smtp, and path 'ses' has "
	    "transport = api\n" },
	{ "nobody to call as",
	    "path ses { type = ses credentials = none }\n"
	    "path b { type = ses credentials = static region = r }\n"
	    "path c { type = ses }\n",
	    "t.conf:3: path 'ses' has transport = api and credentials = none\n"
	    "t.conf:4: path 'b' with static credentials has no access-key\n"
	    "t.conf:4: path 'b' with static credentials has no secret-key or "
	    "secret-key-file\n"
	    "t.conf:5: path 'c' has no region\n" },
	{ "keys of another kind",
	    "path ses { type = ses region = r credentials = environment\n"
	    "profile = x\naccess-key = y }\n",
	    "t.conf:4: profile means nothing with credentials = environment\n"
	    "t.conf:5: access-key means nothing with credentials = "
	    "environment\n" },
	{ "endpoints",
	    "path ses { type = ses region = r\nendpoint = "
	    "\"http://email.example.com\" }\n"
	    "path b { type = ses region = r\nendpoint = \"https://u@h\" }\n"
	    "path c { type = ses region = r\nendpoint = \"email\" }\n"
	    "path d { type = ses region = r\nendpoint = "
	    "\"https://h/v2\" }\n",
	    "t.conf:4: endpoint: http:// is for loopback addresses only: "
	    "'http://email.example.com'\n"
	    "t.conf:6: endpoint: expected https://host and perhaps a port, not "
	    "'https://u@h'\n"
	    "t.conf:8: endpoint: expected https://host, not 'email'\n"
	    "t.conf:10: endpoint: expected https://host and perhaps a port, "
	    "not 'https://h/v2'\n" },
	{ "tags and words",
	    "path ses { type = ses region = r\ntags = { \"a\", \"b=\", "
	    "\"c=d e\", \"ok=1\" }\nprobation = stopp quota-reserve = 101 }\n",
	    "t.conf:4: tags: expected name=value of letters, digits, '_' and "
	    "'-', not 'a'\n"
	    "t.conf:4: tags: expected name=value of letters, digits, '_' and "
	    "'-', not 'b='\n"
	    "t.conf:4: tags: expected name=value of letters, digits, '_' and "
	    "'-', not 'c=d e'\n"
	    "t.conf:5: quota-reserve: '101' is too large\n"
	    "t.conf:5: probation: unknown value 'stopp', did you mean "
	    "'stop'?\n" },
	{ "queues",
	    "sqs a { }\nsqs b { queue = ses-events region = r }\n"
	    "sqs c { queue = \"" QUEUE "\" path = mta }\n"
	    "sqs d { queue = \"https://queue.example.com/q\" }\n"
	    "path s { type = ses transport = smtp host = h user = u password = "
	    "p }\nsqs e { queue = \"" QUEUE "\" path = s }\n"
	    "path t { type = ses region = r }\n"
	    "sqs f { queue = \"" QUEUE "\" path = t credentials = auto }\n",
	    "t.conf:3: sqs 'a' has no queue\n"
	    "t.conf:4: queue: expected the URL of a queue, not 'ses-events'\n"
	    "t.conf:5: path: no path of type ses: 'mta'\n"
	    "t.conf:6: sqs 'd' has no region\n"
	    "t.conf:8: path: path 's' has no credentials to share\n"
	    "t.conf:10: both path and credentials in sqs 'f'\n" },
	{ "topics and web listeners",
	    "sns { topics = { ses } }\n"
	    "web a { address = \"192.0.2.1:443\" serve = { sns } }\n"
	    "web b { serve = { metrics } }\n"
	    "web c { address = \"127.0.0.1:80\" }\n",
	    "t.conf:3: topics: expected the ARN of an SNS topic, not 'ses'\n"
	    "t.conf:4: no certificate for the TLS of web 'a': in clear it may "
	    "listen on loopback only\n"
	    "t.conf:5: serve: unknown value 'metrics', expected one of sns\n"
	    "t.conf:5: web 'b' has no address\n"
	    "t.conf:6: web 'c' serves nothing\n" },
	{ "a web listener for topics that nobody names",
	    "sns { }\nweb a { address = \"127.0.0.1:80\" serve = { sns } }\n",
	    "t.conf:3: sns has no topics: it would take nothing from "
	    "anybody\n" },
};

static void
mistakes_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct str report = STR_INIT;
		struct config *cfg = parse(mistakes[i].text, &report);

		if (cfg != NULL || strcmp(report.data, mistakes[i].report) != 0)
			print_message("# case: %s\n", mistakes[i].name);
		assert_null(cfg);
		assert_string_equal(report.data, mistakes[i].report);
		str_release(&report);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_api_path_needs_little),
		cmocka_unit_test(everything_of_a_path_can_be_said),
		cmocka_unit_test(an_smtp_password_is_derived),
		cmocka_unit_test(an_smtp_path_without_keys_is_not_watched),
		cmocka_unit_test(feedback_is_taken_in),
		cmocka_unit_test(mistakes_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
