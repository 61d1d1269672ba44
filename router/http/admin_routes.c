/*
 * admin_routes.c - what the admin API answers at which address, and to whom.
 *
 * One table for both doors. At the Unix socket everybody is an administrator,
 * for the socket's mode says who gets in; in the console it is the role of the
 * user who has signed in. The first row that fits is taken.
 */
#include <string.h>

#include "router/http/admin_int.h"

/* The address itself, or all below it; either with ROUTE_LARGE. */
#define WHOLE  0
#define PREFIX ROUTE_PREFIX

/* clang-format off */
static const struct admin_route routes[] = {
	{ "/v1/status", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_status },
	{ "/v1/stats", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_stats },
	{ "/v1/series", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_series },
	{ "/v1/reasons", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_reasons },
	{ "/v1/compare", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_compare },
	{ "/v1/tls", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_tls },
	{ "/v1/queue", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_queue_list },
	{ "/v1/queue/retry", WHOLE, EVHTTP_REQ_POST, ROLE_OPERATE, admin_queue_retry },
	{ "/v1/queue/delete", WHOLE, EVHTTP_REQ_POST, ROLE_OPERATE, admin_queue_delete },
	{ "/v1/queue/hold", WHOLE, EVHTTP_REQ_POST, ROLE_OPERATE, admin_queue_hold },
	{ "/v1/messages", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_messages },
	{ "/v1/queue/", PREFIX, EVHTTP_REQ_GET, ROLE_VIEW, admin_queue_show },
	{ "/v1/reload", WHOLE, EVHTTP_REQ_POST, ROLE_ADMIN, admin_reload },
	{ "/v1/rules", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_rules_history },
	{ "/v1/rules/", PREFIX, EVHTTP_REQ_GET, ROLE_VIEW, admin_rules_show },
	{ "/v1/rules/check", WHOLE | ROUTE_LARGE, EVHTTP_REQ_POST, ROLE_OPERATE, admin_rules_check },
	{ "/v1/rules/diff", WHOLE | ROUTE_LARGE, EVHTTP_REQ_POST, ROLE_OPERATE, admin_rules_diff },
	{ "/v1/rules/apply", WHOLE | ROUTE_LARGE, EVHTTP_REQ_POST, ROLE_ADMIN, admin_rules_apply },
	{ "/v1/rules/rollback", WHOLE, EVHTTP_REQ_POST, ROLE_ADMIN, admin_rules_rollback },
	{ "/v1/traffic", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_traffic },
	{ "/v1/doctor", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_doctor },
	{ "/v1/doctor/check", WHOLE, EVHTTP_REQ_POST, ROLE_OPERATE, admin_doctor_check },
	{ "/v1/events", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_events },
	{ "/v1/hooks", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_hooks },
	{ "/v1/hooks/replay", WHOLE, EVHTTP_REQ_POST, ROLE_ADMIN, admin_hooks_replay },
	{ "/v1/pause", WHOLE, EVHTTP_REQ_POST, ROLE_OPERATE, admin_pause },
	{ "/v1/resume", WHOLE, EVHTTP_REQ_POST, ROLE_OPERATE, admin_resume },
	{ "/v1/drain", WHOLE, EVHTTP_REQ_POST, ROLE_ADMIN, admin_drain },
	{ "/v1/nodes", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_nodes },
	{ "/v1/nodes/", PREFIX, EVHTTP_REQ_POST, ROLE_ADMIN, admin_nodes_drain },
	{ "/v1/guard", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_guard },
	{ "/v1/pauses", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_pauses },
	{ "/v1/sources", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_sources },
	{ "/v1/warm-up", WHOLE, EVHTTP_REQ_POST, ROLE_ADMIN, admin_warm_up },
	{ "/v1/suppression", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_suppression_list },
	{ "/v1/suppression/show", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_suppression_show },
	{ "/v1/suppression/add", WHOLE, EVHTTP_REQ_POST, ROLE_OPERATE, admin_suppression_add },
	{ "/v1/suppression/import", WHOLE, EVHTTP_REQ_POST, ROLE_OPERATE, admin_suppression_import },
	{ "/v1/suppression/remove", WHOLE, EVHTTP_REQ_POST, ROLE_OPERATE, admin_suppression_remove },
	{ "/v1/ses", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_ses },
	{ "/v1/ses/letters", WHOLE, EVHTTP_REQ_GET, ROLE_VIEW, admin_ses_letters },
	{ "/v1/ses/letters/remove", WHOLE, EVHTTP_REQ_POST, ROLE_ADMIN, admin_ses_letters_remove },
	{ "/v1/ses/send-test", WHOLE, EVHTTP_REQ_POST, ROLE_OPERATE, admin_ses_send_test },
	{ "/v1/ses/", PREFIX, EVHTTP_REQ_POST, ROLE_ADMIN, admin_ses_ask },
};
/* clang-format on */

static bool
fits(const struct admin_route *route, const char *path)
{
	size_t len = strlen(route->path);

	if (!(route->flags & ROUTE_PREFIX))
		return strcmp(path, route->path) == 0;
	return strncmp(path, route->path, len) == 0 && path[len] != '\0';
}

const struct admin_route *
admin_find_route(const char *path, enum evhttp_cmd_type method, bool *exists)
{
	*exists = false;
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		bool fit = fits(&routes[i], path);

		if (fit && routes[i].method == method)
			return &routes[i];
		*exists |= fit;
	}
	return NULL;
}

const struct admin_route *
admin_nth_route(size_t n)
{
	return n < sizeof(routes) / sizeof(routes[0]) ? &routes[n] : NULL;
}
