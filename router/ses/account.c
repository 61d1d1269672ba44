/*
 * account.c - reads what GetAccount tells of an SES account (facts/aws.md,
 * section 2), and what follows from it.
 */
#include "router/ses/account.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
	[SES_HEALTHY] = "HEALTHY",
	[SES_PROBATION] = "PROBATION",
	[SES_SHUTDOWN] = "SHUTDOWN",
	[SES_ENFORCEMENT_OTHER] = "unknown",
};

const char *
ses_enforcement_name(enum ses_enforcement e)
{
	return names[e];
}

/* An answer without it says nothing bad. */
static void
read_enforcement(struct ses_account *a, const char *text)
{
	size_t n = 0;

	if (text == NULL || text[0] == '\0')
		text = names[SES_HEALTHY];
	if (!isalnum((unsigned char)text[0]))
		text = names[SES_ENFORCEMENT_OTHER];
	while (isalnum((unsigned char)text[n]) || text[n] == '_')
		n++;
	snprintf(a->enforcement_text, sizeof(a->enforcement_text), "%.*s",
	    (int)(n < 31 ? n : 31), text);
	a->enforcement = SES_HEALTHY;
	while (a->enforcement < SES_ENFORCEMENT_OTHER &&
	       strcmp(a->enforcement_text, names[a->enforcement]) != 0)
		a->enforcement++;
}

static bool
read_bool(const json_t *object, const char *name, bool otherwise)
{
	const json_t *v = json_object_get(object, name);

	return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

/* Beyond any account; what is counted with it must fit an integer. */
#define NUMBER_MAX 1e12

/* -1: it is there, and no number that can be. */
static int
read_number(const json_t *object, const char *name, double *n)
{
	const json_t *v = json_object_get(object, name);

	if (v == NULL || json_is_null(v))
		return 0;
	if (!json_is_number(v) || !(fabs(json_number_value(v)) <= NUMBER_MAX))
		return -1;
	*n = json_number_value(v);
	return 0;
}

static int
read_quota(const json_t *quota, struct ses_account *a, struct err *e)
{
	if (!json_is_object(quota))
		return err_set(e, "the answer to GetAccount has no SendQuota");
	if (read_number(quota, "Max24HourSend", &a->max_24_hours) != 0 ||
	    read_number(quota, "MaxSendRate", &a->rate) != 0 ||
	    read_number(quota, "SentLast24Hours", &a->sent_24_hours) != 0)
		return err_set(e,
		    "the answer to GetAccount has a quota that is no number");
	return 0;
}

static void
read_suppression(const json_t *attributes, struct ses_account *a)
{
	const json_t *reasons =
	    json_object_get(attributes, "SuppressedReasons");

	a->suppress_bounces = a->suppress_complaints = attributes == NULL;
	for (size_t i = 0; i < json_array_size(reasons); i++) {
		const char *text =
		    json_string_value(json_array_get(reasons, i));

		if (text == NULL)
			continue;
		a->suppress_bounces |= strcmp(text, "BOUNCE") == 0;
		a->suppress_complaints |= strcmp(text, "COMPLAINT") == 0;
	}
}

int
ses_account_read(
    const json_t *json, int64_t now, struct ses_account *account, struct err *e)
{
	/* A new account's. */
	struct ses_account a = { .at = now, .max_24_hours = 200, .rate = 1 };

	if (!json_is_object(json))
		return err_set(e, "the answer to GetAccount is no JSON object");
	if (read_quota(json_object_get(json, "SendQuota"), &a, e) != 0)
		return -1;
	read_enforcement(
	    &a, json_string_value(json_object_get(json, "EnforcementStatus")));
	a.sending_enabled = read_bool(json, "SendingEnabled", true);
	a.production = read_bool(json, "ProductionAccessEnabled", false);
	read_suppression(json_object_get(json, "SuppressionAttributes"), &a);
	*account = a;
	return 0;
}

const char *
ses_account_closed(const struct ses_account *a)
{
	if (a->at == 0)
		return NULL;
	if (a->enforcement == SES_SHUTDOWN)
		return "Amazon SES has shut the account down";
	if (!a->sending_enabled)
		return "sending is paused for the SES account";
	if (a->max_24_hours == 0)
		return "the SES account has a quota of no messages";
	if (a->rate == 0)
		return "the SES account has a rate of no messages";
	return NULL;
}
