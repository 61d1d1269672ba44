/*
 * metrics_doors.c - where mail comes in, with which certificates, and how far
 * the application has been told of it.
 */
#include "router/http/metrics_int.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <time.h>

#include "router/config.h"
#include "router/events/hooks.h"
#include "router/listener.h"

/* clang-format off */
static const struct metric open_now = { "oiwake_listener_clients", METRIC_GAUGE,
	"Open connections of clients." };
static const struct metric entered = { "oiwake_listener_connections_total", METRIC_COUNTER,
	"Connections let in, since the start of the daemon." };
static const struct metric turned_away = { "oiwake_listener_turned_away_total", METRIC_COUNTER,
	"Connections over a limit, since the start of the daemon." };
static const struct metric messages = { "oiwake_listener_messages_total", METRIC_COUNTER,
	"Messages and how their end of data was answered, since the start of the daemon." };
static const struct metric expires = { "oiwake_certificate_expires_timestamp_seconds", METRIC_GAUGE,
	"When the certificate is no longer good." };
static const struct metric behind = { "oiwake_hook_behind_events", METRIC_GAUGE,
	"Events that the hook has still to go through." };
static const struct metric told = { "oiwake_hook_told_events_total", METRIC_COUNTER,
	"Events that the hook has told, since the start of the daemon." };
static const struct metric hook_failed = { "oiwake_hook_failures_total", METRIC_COUNTER,
	"Posts and writes of the hook that failed, since the start of the daemon." };
static const struct metric failing = { "oiwake_hook_failing", METRIC_GAUGE,
	"1: the hook's last try failed." };
/* clang-format on */

/* -- listeners ------------------------------------------------------------- */

static int64_t
count_open(const struct listener_counts *c)
{
	return c->connections;
}

static int64_t
count_entered(const struct listener_counts *c)
{
	return (int64_t)c->entered;
}

static int64_t
count_turned_away(const struct listener_counts *c)
{
	return (int64_t)c->turned_away;
}

static void
add_connections(struct metrics *m, const struct metric *family,
    int64_t (*count)(const struct listener_counts *))
{
	struct listener_counts c;

	metrics_family(m->out, family);
	for (size_t i = 0; i < m->nlisteners; i++) {
		listener_counts(m->listeners[i], &c);
		metrics_sample(m->out, family,
		    metrics_only(m, "listener", listener_name(m->listeners[i])),
		    count(&c));
	}
}

static void
add_messages(struct metrics *m)
{
	static const char *const names[LISTENER_ANSWERS] = {
		[LISTENER_TOOK] = "taken",
		[LISTENER_REFUSED] = "refused",
		[LISTENER_FULL] = "no-space",
		[LISTENER_FAILED] = "failed",
	};
	struct listener_counts c;

	metrics_family(m->out, &messages);
	for (size_t i = 0; i < m->nlisteners; i++) {
		listener_counts(m->listeners[i], &c);
		for (size_t a = 0; a < LISTENER_ANSWERS; a++) {
			metrics_only(
			    m, "listener", listener_name(m->listeners[i]));
			metrics_label(&m->labels, "answer", names[a]);
			metrics_sample(m->out, &messages, m->labels.data,
			    (int64_t)c.messages[a]);
		}
	}
}

/* -- certificates ---------------------------------------------------------- */

static void
add_certificate(
    struct metrics *m, const char *kind, const char *name, SSL_CTX *ctx)
{
	const X509 *x = ctx != NULL ? SSL_CTX_get0_certificate(ctx) : NULL;
	struct tm tm;

	if (x == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1)
		return;
	metrics_only(m, "kind", kind);
	metrics_label(&m->labels, "listener", name);
	metrics_sample(m->out, &expires, m->labels.data, (int64_t)timegm(&tm));
}

static void
add_certificates(struct metrics *m)
{
	const struct config *c = m->config;

	metrics_family(m->out, &expires);
	for (size_t i = 0; i < c->nlisteners; i++)
		add_certificate(
		    m, "smtp", c->listeners[i].name, c->listeners[i].smtp.tls);
	for (size_t i = 0; i < c->nwebs; i++)
		add_certificate(m, "web", c->webs[i].name, c->webs[i].tls_ctx);
}

/* -- hooks ----------------------------------------------------------------- */

/* One family at a time goes through all hooks. */
struct asked {
	struct metrics *metrics;
	const struct metric *family;
	int64_t (*of)(const struct hook_row *);
};

static int64_t
hook_behind(const struct hook_row *row)
{
	return row->behind;
}

static int64_t
hook_told(const struct hook_row *row)
{
	return (int64_t)row->told;
}

static int64_t
hook_failures(const struct hook_row *row)
{
	return (int64_t)row->failed;
}

static int64_t
hook_failing(const struct hook_row *row)
{
	return row->failing_since != 0;
}

static void
add_hook(void *arg, const struct hook_row *row)
{
	const struct asked *a = arg;

	metrics_sample(a->metrics->out, a->family,
	    metrics_only(a->metrics, "hook", row->name), a->of(row));
}

static void
add_hooks(struct metrics *m)
{
	const struct asked all[] = { { m, &behind, hook_behind },
		{ m, &told, hook_told }, { m, &hook_failed, hook_failures },
		{ m, &failing, hook_failing } };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct asked asked = all[i];

		metrics_family(m->out, asked.family);
		if (core_hooks(m->core) != NULL)
			hooks_each(core_hooks(m->core), add_hook, &asked);
	}
}

void
metrics_add_doors(struct metrics *m)
{
	add_connections(m, &open_now, count_open);
	add_connections(m, &entered, count_entered);
	add_connections(m, &turned_away, count_turned_away);
	add_messages(m);
	add_certificates(m);
	add_hooks(m);
}
