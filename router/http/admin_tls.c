/*
 * admin_tls.c - GET /v1/tls: how TLS went, by day, domain and policy.
 */
#include "mta/base/clock.h"
#include "router/http/admin_int.h"
#include "router/tls_keep.h"
#include "router/tls_results.h"

#define DAY_MS (24LL * 3600 * 1000)

static void
add_row(void *arg, const struct tls_results_row *row)
{
	json_t *rows = arg, *o = json_object();
	char time[25];

	clock_iso(row->day * DAY_MS, time);
	time[10] = '\0'; /* the date */
	admin_put(o, "day", time);
	admin_put(o, "domain", row->domain);
	admin_put(o, "policy", tls_policy_type_name(row->type));
	for (unsigned i = 0; i < TLS_REPORTS; i++)
		json_object_set_new(o, tls_report_name(i),
		    json_integer((json_int_t)row->n[i]));
	json_array_append_new(rows, o);
}

void
admin_tls(struct admin_request *r)
{
	json_t *reply = json_object(), *rows = json_array();

	tls_results_each(
	    tls_keep_results(core_tls(r->core)), false, add_row, rows);
	json_object_set_new(reply, "rows", rows);
	admin_reply(r, 200, reply);
}
