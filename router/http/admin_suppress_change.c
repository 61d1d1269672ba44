/*
 * admin_suppress_change.c - what all changes of the suppression list by an
 * operator share: their request, their line in the log, their answer.
 */
#include "router/http/admin_suppress_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/log.h"
#include "mta/smtp/address.h"
#include "router/suppress.h"

#define WHY_MOST 1000

const char *
suppress_member(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text != NULL ? text : "";
}

struct suppress_change *
suppress_change_new(struct admin_request *r, const char *what)
{
	struct suppress_change *c = xcalloc(1, sizeof(*c));

	c->request = r;
	c->what = what;
	str_init(&c->who);
	admin_add_who(r, &c->who);
	return c;
}

void
suppress_change_free(struct suppress_change *c)
{
	for (size_t i = 0; i < c->n; i++)
		free((void *)(uintptr_t)c->list[i].address);
	free(c->list);
	json_decref(c->bad);
	free(c->key);
	str_release(&c->who);
	free(c);
}

/* -- the log, and the answer ----------------------------------------------- */

static void
log_clean(struct logline *l, const char *name, const char *text)
{
	struct str clean = STR_INIT;

	if (text[0] == '\0')
		return;
	admin_add_clean(&clean, text);
	log_str(l, name, clean.data);
	str_release(&clean);
}

/* The only address there is, or the filter. */
static void
log_which(struct logline *l, const struct admin_request *r)
{
	const json_t *filter = json_object_get(r->body, "filter");
	const json_t *all = json_object_get(r->body, "addresses"), *value;
	const char *name;

	if (json_array_size(all) == 1)
		log_clean(
		    l, "address", json_string_value(json_array_get(all, 0)));
	log_clean(l, "scope", suppress_member(r->body, "scope"));
	json_object_foreach((json_t *)(uintptr_t)filter, name, value)
	{
		log_clean(l, name, json_string_value(value));
	}
}

static void
reply_with(struct suppress_change *c, uint64_t changed)
{
	json_t *reply = json_object();

	json_object_set_new(reply, c->what, json_integer((json_int_t)changed));
	if (c->bad != NULL)
		json_object_set(reply, "bad", c->bad);
	admin_reply(c->request, 200, reply);
	suppress_change_free(c);
}

void
suppress_told(struct suppress_change *c)
{
	reply_with(c, 0);
}

void
suppress_answer(struct suppress_change *c, uint64_t changed)
{
	const json_t *body = c->request->body;
	struct logline l;

	if (log_start(&l, LOG_INFO, "suppression")) {
		log_str(&l, "what", c->what);
		log_int(&l, "changed", (int64_t)changed);
		log_which(&l, c->request);
		log_str(&l, "who", c->who.data);
		log_clean(&l, "why", suppress_member(body, "why"));
		log_end(&l);
	}
	reply_with(c, changed);
}

void
suppress_failed(struct suppress_change *c, const struct store_request *req)
{
	admin_error(c->request, 503, "%s", req->err.text);
	suppress_change_free(c);
}

/* -- what they read ------------------------------------------------------- */

char *
suppress_address(const char *text, struct err *e)
{
	struct err why = ERR_INIT;
	struct address a;

	if (address_parse(&a, text, strlen(text), &why) == 0)
		return suppress_key(text);
	err_set(e, "no address: '%s': %s", text, why.text);
	return NULL;
}

bool
suppress_check_why(struct admin_request *r)
{
	const json_t *why = json_object_get(r->body, "why");

	if (why == NULL ||
	    (json_is_string(why) && json_string_length(why) <= WHY_MOST))
		return true;
	admin_error(r, 400, "why is a text of up to %d bytes", WHY_MOST);
	return false;
}

bool
suppress_has_addresses(const struct admin_request *r)
{
	return json_array_size(json_object_get(r->body, "addresses")) > 0;
}
