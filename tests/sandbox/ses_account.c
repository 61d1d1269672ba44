/*
 * ses_account.c - the account's settings, its rate and its rolling quota.
 */
#include "tests/sandbox/ses.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/map.h"

#include <ctype.h>
#include <inttypes.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define REGION_PREFIX "0106" /* ap-northeast-1 */
#define WINDOW_S      86400
#define SIMULATOR     "@simulator.amazonses.com"

/* clang-format off */
#define VERIFY "Email address is not verified."
const struct ses_fault_row ses_fault_rows[] = {
	[SES_OK] = { 250, "", 200, NULL, 200, NULL, NULL },
	[SES_BAD_AUTH] = { 535, "", 403, "UnrecognizedClientException", 403, "InvalidClientTokenId",
	    "The security token included in the request is invalid." },
	[SES_DENIED] = { 554, "Access denied: ", 403, "AccessDeniedException", 403, "AccessDenied",
	    "User `arn:aws:iam::123456789012:user/oiwake' is not authorized to perform "
	    "`ses:SendRawEmail' on resource `*'" },
	[SES_SUSPENDED] = { 554, "Message rejected: ", 400, "AccountSuspendedException",
	    400, "AccountSendingPausedException", "Account is suspended." },
	[SES_PAUSED] = { 554, "Message rejected: ", 400, "SendingPausedException",
	    400, "AccountSendingPausedException", "Sending paused for this account." },
	[SES_INVALID] = { 554, "Transaction failed: ", 400, "BadRequestException",
	    400, "InvalidParameterValue", NULL },
	[SES_TOO_BIG] = { 552, "Message is too long.", 400, "BadRequestException",
	    400, "InvalidParameterValue", NULL },
	[SES_NO_SET] = { 554, "Message rejected: ", 404, "NotFoundException",
	    400, "ConfigurationSetDoesNotExist", NULL },
	[SES_SET_PAUSED] = { 554, "Message rejected: ", 400, "SendingPausedException",
	    400, "ConfigurationSetSendingPausedException",
	    "Sending paused for this configuration set." },
	[SES_NOT_VERIFIED] = { 554, "Message rejected: ", 400, "MessageRejected",
	    400, "MessageRejected", VERIFY " The following identities failed the check in region "
	    "AP-NORTHEAST-1: a@example.com" },
	[SES_MAIL_FROM] = { 554, "MAIL FROM domain not verified: ", 400,
	    "MailFromDomainNotVerifiedException", 400, "MailFromDomainNotVerifiedException",
	    "DNS setup for MAIL FROM domain is invalid." },
	[SES_QUOTA] = { 454, "Throttling failure: ", 429, "TooManyRequestsException",
	    400, "Throttling", "Daily message quota exceeded." },
	[SES_QUOTA_LIMIT] = { 454, "Throttling failure: ", 400, "LimitExceededException",
	    400, "Throttling", "Daily message quota exceeded." },
	[SES_RATE] = { 454, "Throttling failure: ", 429, "TooManyRequestsException",
	    400, "Throttling", "Maximum sending rate exceeded." },
	[SES_REJECTED] = { 554, "Message rejected: ", 400, "MessageRejected",
	    400, "MessageRejected", NULL },
	[SES_TEMPORARY] = { 454, "", 500, "InternalServiceErrorException", 500, "InternalFailure",
	    "Temporary service failure" },
	[SES_BUSY] = { 421, "", 503, "ServiceUnavailableException", 503, "ServiceUnavailable",
	    "Connection closed by server." },
};
/* clang-format on */

struct ses *
ses_new(void)
{
	struct ses *x = xcalloc(1, sizeof(*x));

	x->sets = xstrdup("");
	x->paused_sets = xstrdup("");
	x->reasons = xstrdup("BOUNCE,COMPLAINT");
	x->window = WINDOW_S;
	x->sending = true;
	x->enforcement = "HEALTHY";
	x->calls = map_new();
	return x;
}

/* --- settings --- */

static int
set_number(unsigned *to, const char *value, struct err *e)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (!isdigit((unsigned char)*value) || *end != '\0' || n > 1u << 31)
		return err_set(e, "expected a number, not '%s'", value);
	*to = (unsigned)n;
	return 0;
}

static int
set_switch(bool *to, const char *value, struct err *e)
{
	if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
		return err_set(e, "expected 'on' or 'off', not '%s'", value);
	*to = strcmp(value, "on") == 0;
	return 0;
}

static int
set_enforcement(struct ses *x, const char *value, struct err *e)
{
	static const char *const words[] = { "HEALTHY", "PROBATION",
		"SHUTDOWN" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i], value) == 0) {
			x->enforcement = words[i];
			return 0;
		}
	}
	return err_set(e, "no such enforcement status '%s'", value);
}

/* As if so many recipients had been accepted just now, and none before. */
static int
set_sent(struct ses *x, const char *value, struct err *e)
{
	unsigned n;

	if (set_number(&n, value, e) < 0)
		return -1;
	x->first = x->end = 0;
	x->in_window = 0;
	x->sent = 0;
	ses_spend(x, n, n);
	x->filled = 0;
	return 0;
}

/* "ADDRESS" or "ADDRESS COMPLAINT" */
static int
set_suppress(struct ses *x, const char *value, struct err *e)
{
	size_t len = strcspn(value, " ");
	bool complaint = strcmp(value + len, " COMPLAINT") == 0;
	char *address;

	if (value[len] != '\0' && !complaint &&
	    strcmp(value + len, " BOUNCE") != 0)
		return err_set(e, "no such reason '%s'", value + len + 1);
	address = xstrndup(value, len);
	ses_suppress(
	    x, address, complaint ? "COMPLAINT" : "BOUNCE", NULL, NULL);
	free(address);
	return 0;
}

static int
set_unsuppress(struct ses *x, const char *value, struct err *e)
{
	if (ses_unsuppress(x, value))
		return 0;
	return err_set(e, "'%s' is not suppressed", value);
}

static void
drop_from(char **list, const char *word)
{
	struct str out = STR_INIT;
	const char *p;
	size_t n;

	for (p = *list; *p != '\0'; p += n + (p[n] == ',')) {
		n = strcspn(p, ",");
		if (n == strlen(word) && strncmp(p, word, n) == 0)
			continue;
		str_addf(&out, "%s%.*s", out.len > 0 ? "," : "", (int)n, p);
	}
	free(*list);
	*list = xstrdup(out.data);
	str_release(&out);
}

static int
set_pause(struct ses *x, const char *value, struct err *e)
{
	struct str out = STR_INIT;

	(void)e;
	drop_from(&x->paused_sets, value);
	str_addf(&out, "%s%s%s", x->paused_sets,
	    *x->paused_sets != '\0' ? "," : "", value);
	free(x->paused_sets);
	x->paused_sets = str_detach(&out);
	return 0;
}

static int
set_resume(struct ses *x, const char *value, struct err *e)
{
	(void)e;
	drop_from(&x->paused_sets, value);
	return 0;
}

static int
set_text(char **to, const char *value)
{
	free(*to);
	*to = xstrdup(value);
	return 0;
}

bool
ses_set(
    struct ses *x, const char *key, const char *value, int *rc, struct err *e)
{
	const struct {
		const char *name;
		unsigned *number;
		char **text;
		bool *on;
		int (*call)(struct ses *, const char *, struct err *);
	} rows[] = {
		{ "rate", &x->rate, NULL, NULL, NULL },
		{ "burst", &x->burst, NULL, NULL, NULL },
		{ "quota", &x->quota, NULL, NULL, NULL },
		{ "window", &x->window, NULL, NULL, NULL },
		{ "api-rate", &x->api_rate, NULL, NULL, NULL },
		{ "verified", NULL, &x->verified, NULL, NULL },
		{ "user", NULL, &x->user, NULL, NULL },
		{ "password", NULL, &x->password, NULL, NULL },
		{ "secret", NULL, &x->secret, NULL, NULL },
		{ "configuration-sets", NULL, &x->sets, NULL, NULL },
		{ "suppressed-reasons", NULL, &x->reasons, NULL, NULL },
		{ "sandbox", NULL, NULL, &x->sandbox, NULL },
		{ "sending", NULL, NULL, &x->sending, NULL },
		{ "sent", NULL, NULL, NULL, set_sent },
		{ "enforcement", NULL, NULL, NULL, set_enforcement },
		{ "suppress", NULL, NULL, NULL, set_suppress },
		{ "unsuppress", NULL, NULL, NULL, set_unsuppress },
		{ "pause-set", NULL, NULL, NULL, set_pause },
		{ "resume-set", NULL, NULL, NULL, set_resume },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].name, key) != 0)
			continue;
		if (rows[i].number != NULL)
			*rc = set_number(rows[i].number, value, e);
		else if (rows[i].text != NULL)
			*rc = set_text(rows[i].text, value);
		else if (rows[i].on != NULL)
			*rc = set_switch(rows[i].on, value, e);
		else
			*rc = rows[i].call(x, value, e);
		if (rows[i].number == &x->rate || rows[i].number == &x->burst)
			x->filled = 0;
		return true;
	}
	return false;
}

void
ses_show(struct ses *x, struct str *o)
{
	json_int(o, "rate", x->rate);
	json_int(o, "quota", x->quota);
	json_int(o, "window", x->window);
	json_int(o, "in_window", (int64_t)ses_in_window(x));
	json_int(o, "sent", (int64_t)x->sent);
	json_bool(o, "sending", x->sending);
	json_bool(o, "sandbox", x->sandbox);
	json_str(o, "enforcement", x->enforcement);
	json_int(o, "suppressed", (int64_t)x->n_suppressed);
}

/* --- who may send and get --- */

bool
ses_listed(const char *list, const char *word, size_t len)
{
	size_t n;

	for (; *list != '\0'; list += n + (list[n] == ',')) {
		n = strcspn(list, ",");
		if (n == len && strncmp(list, word, n) == 0)
			return true;
	}
	return false;
}

/* An address is verified itself, or its domain is, or a domain above that. */
bool
ses_verified(const struct ses *x, const char *address)
{
	const char *at = strrchr(address, '@'), *p, *domain;
	size_t n, d;

	domain = at != NULL ? at + 1 : address;
	for (p = x->verified; *p != '\0'; p += n + (p[n] == ',')) {
		n = strcspn(p, ",");
		d = strlen(domain);
		if ((n == 1 && *p == '*') ||
		    (strlen(address) == n && strncmp(address, p, n) == 0))
			return true;
		if (d >= n && n > 0 && strncasecmp(domain + d - n, p, n) == 0 &&
		    (d == n || domain[d - n - 1] == '.'))
			return true;
	}
	return false;
}

bool
ses_is_simulator(const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL && strcasecmp(at, SIMULATOR) == 0;
}

/* --- rate and quota --- */

/* A message passes when any token is left, and may leave a debt: that is what
 * SES does with many recipients. */
static void
refill(struct ses *x)
{
	double most = x->burst > 0 ? x->burst : x->rate;
	int64_t now = clock_mono();

	if (x->filled == 0)
		x->tokens = most;
	else
		x->tokens += (double)(now - x->filled) * x->rate / 1000.0;
	x->filled = now;
	if (x->tokens > most)
		x->tokens = most;
}

static void
forget_old(struct ses *x)
{
	int64_t edge = clock_mono() - (int64_t)x->window * 1000;

	while (x->first < x->end && x->used[x->first].at <= edge)
		x->in_window -= x->used[x->first++].n;
	if (x->first == x->end)
		x->first = x->end = 0;
}

uint64_t
ses_in_window(struct ses *x)
{
	forget_old(x);
	return x->in_window;
}

enum ses_fault
ses_throttle(struct ses *x, size_t counted)
{
	if (x->quota > 0 && counted > 0 && ses_in_window(x) >= x->quota)
		return SES_QUOTA;
	if (x->rate == 0)
		return SES_OK;
	refill(x);
	return x->tokens < 1.0 ? SES_RATE : SES_OK;
}

static void
add_used(struct ses *x, unsigned n)
{
	int64_t now = clock_mono();

	x->in_window += n;
	if (x->end > x->first && x->used[x->end - 1].at == now) {
		x->used[x->end - 1].n += n;
		return;
	}
	if (x->end == x->room && x->first > x->room / 2) {
		memmove(x->used, x->used + x->first,
		    (x->end - x->first) * sizeof(*x->used));
		x->end -= x->first;
		x->first = 0;
	} else if (x->end == x->room) {
		x->room = x->room > 0 ? 2 * x->room : 64;
		x->used = xrealloc(x->used, x->room * sizeof(*x->used));
	}
	x->used[x->end++] = (struct ses_used){ now, n };
}

void
ses_spend(struct ses *x, size_t recipients, size_t counted)
{
	x->tokens -= (double)recipients;
	x->sent += recipients;
	x->attempts++;
	forget_old(x);
	if (counted > 0)
		add_used(x, (unsigned)counted);
}

/* All actions of the API but the sends: 1 a second, and a second one at once.
 */
bool
ses_may_call(struct ses *x, const char *action)
{
	int64_t now = clock_mono(), step, *free_at;
	void **at;

	if (x->api_rate == 0)
		return true;
	at = map_at(x->calls, action);
	if (*at == NULL)
		*at = xcalloc(1, sizeof(*free_at));
	free_at = *at;
	step = 1000 / (int64_t)x->api_rate;
	if (*free_at > now + step)
		return false;
	*free_at = (*free_at > now ? *free_at : now) + step;
	return true;
}

/* RFC 9562 version 4 in the middle. */
void
ses_make_id(struct str *id)
{
	unsigned char r[16];
	size_t i;

	RAND_bytes(r, sizeof(r));
	r[6] = (r[6] & 0x0f) | 0x40;
	r[8] = (r[8] & 0x3f) | 0x80;
	str_addf(id, REGION_PREFIX "%012" PRIx64 "-", (uint64_t)clock_wall());
	for (i = 0; i < sizeof(r); i++)
		str_addf(id, "%s%02x",
		    i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", r[i]);
	str_adds(id, "-000000");
}
