/*
 * metrics_ses.c - what SES allows each ses path, and what is used of it.
 */
#include "router/http/metrics_int.h"

#include "mta/base/clock.h"
#include "router/ses/quota.h"

static double
rate(const struct quota_row *q)
{
	return q->rate;
}

static double
quota(const struct quota_row *q)
{
	return (double)q->quota;
}

static double
used(const struct quota_row *q)
{
	return (double)q->used;
}

static double
bulk_waits(const struct quota_row *q)
{
	return q->bulk_waits || q->spent;
}

static double
sending_enabled(const struct quota_row *q)
{
	return q->account.sending_enabled;
}

static double
production(const struct quota_row *q)
{
	return q->account.production;
}

static double
sent(const struct quota_row *q)
{
	return q->account.sent_24_hours;
}

static double
seen(const struct quota_row *q)
{
	return (double)q->account.at / 1000;
}

static double
trouble(const struct quota_row *q)
{
	return q->account.trouble[0] != '\0';
}

/* clang-format off */
static const struct value {
	struct metric family;
	bool of_account; /* there is none before GetAccount has answered */
	double (*of)(const struct quota_row *);
} values[] = {
	{ { "oiwake_ses_rate_limit", METRIC_GAUGE,
		"Recipients per second that may leave; 0: no limit." }, false, rate },
	{ { "oiwake_ses_quota_recipients", METRIC_GAUGE,
		"Recipients that may leave in any 24 hours; 0: no limit." }, false, quota },
	{ { "oiwake_ses_quota_used_recipients", METRIC_GAUGE,
		"Used of it, by us or as AWS says, whichever is more." }, false, used },
	{ { "oiwake_ses_quota_short", METRIC_GAUGE,
		"1: bulk mail waits for the quota, or all does." }, false, bulk_waits },
	{ { "oiwake_ses_account_trouble", METRIC_GAUGE,
		"1: the last GetAccount failed." }, false, trouble },
	{ { "oiwake_ses_account_seen_timestamp_seconds", METRIC_GAUGE,
		"When GetAccount last answered." }, true, seen },
	{ { "oiwake_ses_account_sending_enabled", METRIC_GAUGE,
		"1: the account may send." }, true, sending_enabled },
	{ { "oiwake_ses_account_production", METRIC_GAUGE,
		"1: it is out of SES's sandbox." }, true, production },
	{ { "oiwake_ses_account_sent_recipients", METRIC_GAUGE,
		"Sent by the account in the last 24 hours, as AWS says." }, true, sent },
};
static const struct metric enforcement = { "oiwake_ses_account_enforcement", METRIC_GAUGE,
	"1 for the status in which the account is." };
/* clang-format on */

#define VALUES	 (sizeof(values) / sizeof(values[0]))
#define STATUSES (SES_ENFORCEMENT_OTHER + 1)

/* One family at a time goes through all paths. */
struct asked {
	struct metrics *metrics;
	const struct value *value;
};

static void
add_value(void *arg, const struct quota_row *row)
{
	const struct asked *a = arg;
	struct metrics *m = a->metrics;

	if (row->account.at != 0 || !a->value->of_account)
		metrics_sample_real(m->out, &a->value->family,
		    metrics_only(m, "path", row->path), a->value->of(row));
}

static void
add_enforcement(void *arg, const struct quota_row *row)
{
	struct metrics *m = arg;

	for (int i = 0; row->account.at != 0 && i < STATUSES; i++) {
		enum ses_enforcement status = (enum ses_enforcement)i;

		metrics_only(m, "path", row->path);
		metrics_label(
		    &m->labels, "status", ses_enforcement_name(status));
		metrics_sample(m->out, &enforcement, m->labels.data,
		    row->account.enforcement == status);
	}
}

void
metrics_add_ses(struct metrics *m)
{
	struct quotas *quotas = core_quotas(m->core);
	int64_t now = clock_mono();

	for (size_t i = 0; i < VALUES; i++) {
		struct asked asked = { m, &values[i] };

		metrics_family(m->out, &values[i].family);
		quotas_each(quotas, now, add_value, &asked);
	}
	metrics_family(m->out, &enforcement);
	quotas_each(quotas, now, add_enforcement, m);
}
