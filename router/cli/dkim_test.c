/*
 * dkim_test.c - `oiwake dkim test`: do the published records fit the keys?
 *
 * Asks the servers of the settings, for all keys at once.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/dkim_record.h"
#include "mta/dns/resolver.h"
#include "router/cli/dkim_int.h"

#define PATIENCE 10000 /* ms for an answer */

struct probe {
	const struct dkim_key *key;
	struct resolver_query *query;
	bool answered; /* else `what` says why not */
	enum dkim_record_state state;
	char what[DKIM_RECORD_WHAT];
};

static void
judge(struct probe *p, const struct dns_answer *a)
{
	char *txt[DNS_MAX_RECORDS] = { NULL };
	size_t n = 0;

	for (size_t i = 0; i < a->nrdata; i++) {
		txt[n] = dkim_record_text(a->rdata[i], a->rdata_len[i]);
		if (txt[n] != NULL)
			n++;
	}
	p->state = dkim_record_check(
	    p->key->signer, (const char *const *)txt, n, p->what);
	p->answered = true;
	while (n > 0)
		free(txt[--n]);
}

static void
on_answer(void *arg, const struct dns_answer *a)
{
	struct probe *p = arg;

	if (a->status != DNS_TEMPFAIL)
		judge(p, a);
	else
		snprintf(p->what, sizeof(p->what), "DNS does not answer: %s",
		    a->why[0] != '\0' ? a->why : "no reason given");
	resolver_query_free(&p->query);
}

/* Runs the loop until every question has its answer. */
static void
wait_for(struct event_base *base, const struct probe *probes, size_t n)
{
	size_t open;

	do {
		event_base_loop(base, EVLOOP_ONCE);
		open = 0;
		for (size_t i = 0; i < n; i++)
			open += probes[i].query != NULL;
	} while (open > 0);
}

static int
ask(const struct config *cfg, struct probe *probes, size_t n, struct err *e)
{
	struct resolver_config rc = {
		.servers = (const char *const *)cfg->dns_servers,
		.nservers = cfg->ndns_servers,
		.trust_anchor_file = cfg->dns_trust_anchor,
		.timeout = PATIENCE,
	};
	struct event_base *base = event_base_new();
	struct resolver *resolver;

	if (base == NULL)
		return err_set(e, "cannot set up libevent");
	resolver = resolver_new(base, &rc, e);
	for (size_t i = 0; resolver != NULL && i < n; i++) {
		char *name = dkim_record_name(probes[i].key->signer);

		probes[i].query = resolver_query_new(
		    resolver, name, DNS_TXT, on_answer, &probes[i]);
		free(name);
	}
	if (resolver != NULL) {
		wait_for(base, probes, n);
		resolver_free(&resolver);
		event_base_free(base);
		return 0;
	}
	event_base_free(base);
	return -1;
}

/* -- what is said
 * ----------------------------------------------------------------- */

static const char *
result(const struct probe *p)
{
	return p->answered ? dkim_record_state_name(p->state) : "unknown";
}

static bool
works(const struct probe *p)
{
	return p->answered && dkim_record_works(p->state);
}

static void
print_rows(const struct probe *probes, size_t n)
{
	static const char *const heads[] = { "record", "state", "type", "bits",
		"result", "why" };
	size_t columns = sizeof(heads) / sizeof(heads[0]);
	struct cli_table *t = cli_table_new(columns);

	for (size_t i = 0; i < columns; i++)
		cli_table_add(t, heads[i]);
	for (size_t i = 0; i < n; i++) {
		const struct probe *p = &probes[i];
		char *name = dkim_record_name(p->key->signer), text[16];
		unsigned bits;

		cli_table_add(t, name);
		cli_table_add(t, dkim_state(p->key->section));
		cli_table_add(t, dkim_signer_algorithm(p->key->signer, &bits));
		snprintf(text, sizeof(text), "%u", bits);
		cli_table_add(t, text);
		cli_table_add(t, result(p));
		cli_table_add(t, p->what);
		free(name);
	}
	cli_table_right(t, 3);
	cli_table_print(&t, stdout);
}

/* What mends those that do not work. */
static void
print_mending(const struct probe *probes, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (works(&probes[i]) || !probes[i].answered)
			continue;
		if (!any)
			puts("\nTo be published, in place of what is there:\n");
		any = true;
		dkim_print_record(probes[i].key->signer);
	}
}

static void
print_json(const struct probe *p)
{
	json_t *o = dkim_describe(p->key->signer);

	json_object_set_new(
	    o, "state", json_string(dkim_state(p->key->section)));
	json_object_set_new(o, "result", json_string(result(p)));
	json_object_set_new(o, "why", json_string(p->what));
	cli_print_json(o);
}

int
dkim_test(const struct config *cfg, const struct dkim_keys *keys, bool json)
{
	struct probe *probes = xcalloc(keys->n + 1, sizeof(*probes));
	struct err e = ERR_INIT;
	int rc = CLI_GOOD;

	for (size_t i = 0; i < keys->n; i++)
		probes[i].key = &keys->keys[i];
	if (keys->n > 0 && ask(cfg, probes, keys->n, &e) != 0) {
		free(probes);
		return cli_fail("%s", e.text);
	}
	for (size_t i = 0; i < keys->n; i++) {
		if (json)
			print_json(&probes[i]);
		if (keys->keys[i].section->active && !works(&probes[i]))
			rc = CLI_BAD;
	}
	if (!json && keys->n > 0) {
		print_rows(probes, keys->n);
		print_mending(probes, keys->n);
	}
	free(probes);
	return rc;
}
