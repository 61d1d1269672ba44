/*
 * sns_judge.c - whether what is posted to /sns is to be believed.
 *
 * What can be judged by looking at it comes first, in an order that costs us
 * least; only then a certificate is asked for.
 */
#include "router/ses/sns_web_int.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "mta/base/clock.h"
#include "router/config.h"
#include "router/ses/amazon_int.h"
#include "router/ses/feedback.h"
#include "router/ses/sns_cert.h"
#include "router/ses/sns_seen.h"

#define SKEW (30 * 60 * 1000) /* ms that clocks may differ */

static bool
is_enveloped(struct sns_request *r, struct err *why)
{
	const char *raw = evhttp_find_header(
	    evhttp_request_get_input_headers(r->http), "x-amz-sns-rawdelivery");

	(void)why;
	return raw == NULL || strcasecmp(raw, "true") != 0;
}

static bool
is_read(struct sns_request *r, struct err *why)
{
	return sns_read(&r->m, r->letter.data, r->letter.len, why) == 0;
}

static bool
is_our_topic(struct sns_request *r, struct err *why)
{
	const struct config_sns *config = &r->sns->amazon->config->sns;

	(void)why;
	for (size_t i = 0; i < config->ntopics; i++)
		if (strcmp(config->topics[i], r->m.topic_arn) == 0)
			return true;
	return false;
}

static bool
is_strong(struct sns_request *r, struct err *why)
{
	(void)why;
	return r->m.signature_version >=
	       r->sns->amazon->config->sns.signature_version;
}

static bool
is_timely(struct sns_request *r, struct err *why)
{
	int64_t age = clock_wall() - r->m.at;

	if (age >= -SKEW &&
	    age <= r->sns->amazon->config->sns.replay_window + SKEW)
		return true;
	err_set(why, "%" PRId64 " seconds old", age / 1000);
	return false;
}

static bool
is_not_settled(struct sns_request *r, struct err *why)
{
	(void)why;
	return sns_seen_look(r->sns->seen, r->m.message_id) != SEEN_SETTLED;
}

static bool
is_not_in_hand(struct sns_request *r, struct err *why)
{
	(void)why;
	return sns_seen_look(r->sns->seen, r->m.message_id) != SEEN_IN_HAND;
}

static bool
has_room(struct sns_request *r, struct err *why)
{
	(void)why;
	return feedback_pending(r->sns->amazon->feedback) < FEEDBACK_MOST;
}

static bool
has_cert_url(struct sns_request *r, struct err *why)
{
	if (sns_cert_url_is_good(r->m.signing_cert_url, r->m.topic_arn))
		return true;
	err_set(why, "'%s'", r->m.signing_cert_url);
	return false;
}

static bool
has_subscribe_url(struct sns_request *r, struct err *why)
{
	struct str url = STR_INIT;
	bool has = r->m.type == SNS_NOTIFICATION ||
		   sns_confirm_url(&r->m, &url, why) == 0;

	str_release(&url);
	return has;
}

/* In this order, before anything is fetched. */
static const struct check {
	bool (*passes)(struct sns_request *, struct err *why);
	enum sns_ending otherwise;
} checks[] = {
	{ is_enveloped, SNS_RAW },
	{ is_read, SNS_NO_ENVELOPE },
	{ is_our_topic, SNS_FOREIGN_TOPIC },
	{ is_strong, SNS_WEAK_SIGNATURE },
	{ is_timely, SNS_WRONG_TIME },
	{ has_cert_url, SNS_WRONG_CERT_URL },
	{ has_subscribe_url, SNS_WRONG_SUBSCRIBE_URL },
	{ is_not_settled, SNS_KNOWN },
	{ is_not_in_hand, SNS_IN_HAND },
	{ has_room, SNS_BUSY },
};

/* Another of the same id may have been proved genuine meanwhile. */
static const struct check late_checks[] = {
	{ is_not_settled, SNS_KNOWN },
	{ is_not_in_hand, SNS_IN_HAND },
};

/* Whether it passed; else it has been answered. */
static bool
passes(struct sns_request *r, const struct check *check, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct err why = ERR_INIT;

		if (!check[i].passes(r, &why)) {
			sns_finish(r, check[i].otherwise, &why);
			return false;
		}
	}
	return true;
}

static void
on_certificate(void *arg, X509 *certificate, const struct err *no)
{
	struct sns_request *r = arg;
	struct err why = ERR_INIT;

	if (certificate == NULL) {
		sns_finish(r, SNS_NO_CERTIFICATE, no);
		return;
	}
	if (sns_verify(&r->m, certificate, &why) != 0) {
		sns_finish(r, SNS_FORGED, &why);
		return;
	}
	if (!passes(
		r, late_checks, sizeof(late_checks) / sizeof(late_checks[0])))
		return;
	sns_seen_take(r->sns->seen, r->m.message_id);
	r->held = true;
	sns_act(r);
}

void
sns_await_certificate(struct sns_request *r)
{
	r->stage = SNS_CERTIFICATE;
	sns_certs_get(r->sns->certs, r->m.signing_cert_url, on_certificate, r);
}

void
sns_judge(struct sns_request *r)
{
	if (passes(r, checks, sizeof(checks) / sizeof(checks[0])))
		sns_await_certificate(r);
}
