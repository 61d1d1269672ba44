/*
 * admin_doctor.c - /v1/doctor: what the daemon's own checks of sources and
 * sending domains found last, and an operator's word to make them now.
 */
#include <string.h>

#include "mta/preflight/preflight.h"
#include "router/gate.h"
#include "router/http/admin_int.h"

static const char *const levels[] = {
	[FINDING_GOOD] = "good",
	[FINDING_NOTE] = "note",
	[FINDING_UNKNOWN] = "unknown",
	[FINDING_BAD] = "bad",
};

/* -- GET /v1/doctor -------------------------------------------------------- */

static json_t *
carriers_json(unsigned bits)
{
	static const struct {
		unsigned bit;
		const char *name;
	} carriers[] = {
		{ PREFLIGHT_DOCOMO, "docomo" },
		{ PREFLIGHT_AU, "au" },
		{ PREFLIGHT_SOFTBANK, "softbank" },
	};
	json_t *names = json_array();

	for (size_t i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++)
		if (bits & carriers[i].bit)
			json_array_append_new(
			    names, json_string(carriers[i].name));
	return names;
}

static void
add_finding(void *arg, const struct finding *f, bool closes, int64_t at)
{
	struct admin_request *r = arg;
	const char *level = admin_arg(r, "level");
	json_t *o;

	if (r->count >= r->limit ||
	    (level != NULL && strcmp(level, levels[f->level]) != 0))
		return;
	r->count++;
	o = json_object();
	admin_put(o, "level", levels[f->level]);
	admin_put(o, "check", f->check);
	admin_put(o, "subject", f->subject);
	admin_put(o, "what", f->what);
	admin_put(o, "why", f->why);
	admin_put(o, "mend", f->mend);
	json_object_set_new(o, "carriers", carriers_json(f->carriers));
	json_object_set_new(o, "closes", json_boolean(closes));
	admin_put_time(o, "at", at);
	json_array_append_new(r->rows, o);
}

static bool
is_level(const char *name)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(levels[i], name) == 0)
			return true;
	return false;
}

/* ?level=bad&limit=N */
void
admin_doctor(struct admin_request *r)
{
	const char *text = admin_arg(r, "limit");
	const char *level = admin_arg(r, "level");
	int64_t limit = ADMIN_LIMIT_MAX;
	json_t *reply;

	if (text != NULL &&
	    admin_number(text, 1, ADMIN_LIMIT_MAX, &limit) != 0) {
		admin_error(
		    r, 400, "limit is a number from 1 to %d", ADMIN_LIMIT_MAX);
		return;
	}
	if (level != NULL && !is_level(level)) {
		admin_error(r, 400, "level is good, note, unknown or bad");
		return;
	}
	r->limit = (size_t)limit;
	r->rows = json_array();
	gate_each(core_gate(r->core), add_finding, r);
	reply = json_object();
	json_object_set(reply, "rows", r->rows);
	admin_reply(r, 200, reply);
}

/* -- POST /v1/doctor/check ------------------------------------------------- */

/* The answer does not wait for the checks: some take as long as DNS may. */
void
admin_doctor_check(struct admin_request *r)
{
	gate_check_all(core_gate(r->core));
	admin_reply(r, 200, json_object());
}
