/*
 * core_form.c - what becomes of a recipient whose carrier would refuse the form of its message.
 *
 * intake_form.c has found it and wrote into `last` why. The shape of today says what follows, each time
 * the recipient comes into memory: a way out that is no mta path carries it, a shape that says `send`
 * lets it go, and what an operator has retried is fit.
 */
#include "router/core_int.h"

#include "mta/base/str.h"
#include "router/classify.h"
#include "router/config.h"
#include "router/route.h"

#include <string.h>

static const char held[] = "held: ";

/* `last` without what holding it has put before. */
static const char *
reason(const struct recipient *r)
{
	size_t n = strlen(held);

	return strncmp(r->last, held, n) == 0 ? r->last + n : r->last;
}

static void
refuse(struct core *c, struct recipient *r)
{
	struct outcome o;
	struct verdict v;

	outcome_set(
	    &o, SCOPE_MESSAGE, STAGE_NONE, true, "%s", reason(r));
	strcpy(o.enhanced, unfit_status(r->unfit));
	classify(NULL, c->config->reasons, PATH_MTA, r->route.group, &o, &v);
	settle_attempt(c->settler, r, NULL, &o, &v);
}

static void
hold(struct core *c, struct recipient *r)
{
	struct str why = STR_INIT;

	str_addf(&why, "%s%s", held, reason(r));
	r->route.path = intern(RULES_PATH_HOLD);
	r->route.pool = r->route.source = r->route.configuration_set = "";
	settle_held(c->settler, r, why.data);
	str_release(&why);
}

bool
core_settles_unfit(
    struct core *c, struct recipient *r, const struct config_path *path)
{
	struct rules_shape shape;

	if (r->unfit == FIT || path->kind != PATH_MTA)
		return false;
	route_shape(c->config, &r->route, r->domain, &shape);
	switch (shape.unfit) {
	case RULES_UNFIT_SEND:
		return false;
	case RULES_UNFIT_REFUSE:
		refuse(c, r);
		return true;
	case RULES_UNFIT_HOLD:
		hold(c, r);
		return true;
	}
	return false;
}
