/*
 * admin_reload.c - POST /v1/reload: settings and rules are read again.
 *
 * The history of rule sets keeps who asked for it; the client may only say why.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/str.h"
#include "router/http/admin_int.h"

static void
add_who(struct admin_request *r, struct str *who)
{
	const char *why = json_string_value(json_object_get(r->body, "why"));

	admin_add_who(r, who);
	str_adds(who, " by ");
	admin_add_clean(who, why && *why ? why : "reload");
}

/* Whoever reads the history after this answer finds the new set in it. */
static void
on_kept(void *arg)
{
	struct admin_request *r = arg;
	json_t *reply = json_object();

	admin_put(reply, "report", r->text);
	admin_reply(r, 200, reply);
}

static void
reload(struct admin_request *r)
{
	struct str report = STR_INIT, who = STR_INIT;
	int rc;

	add_who(r, &who);
	rc = core_reload(r->core, who.data, on_kept, r, &report);
	free(r->text);
	r->text = str_detach(&report);
	str_release(&who);
	if (rc != 0)
		admin_error(r, 409, "%s", r->text);
}

void
admin_reload(struct admin_request *r)
{
	json_t *why = json_object_get(r->body, "why");

	if (json_object_size(r->body) != (why ? 1 : 0) ||
	    (why != NULL && !json_is_string(why))) {
		admin_error(r, 400, "expected nothing, or \"why\": a text");
		return;
	}
	admin_find_who(r, reload);
}
