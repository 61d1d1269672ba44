/*
 * path_ses.c - the way out through Amazon SES, SMTP transport (facts/aws.md,
 * section 1).
 *
 * TLS with a verified certificate before AUTH, one recipient per transaction
 * (the lane sees to that). What goes of the message, and which configuration
 * set and tags go with it, is content.c's.
 */
#include "router/path.h"

#include "router/ses/content.h"
#include "router/ses/replies.h"
#include "router/session.h"

#include <string.h>

static struct mx_lookup *
ses_lookup(struct session *s, struct resolver *resolver,
    void (*done)(void *, const struct mx_result *), void *arg)
{
	const struct config_path *path = s->path;
	struct mx_policy policy = {
		.allow_private = true, /* a VPC endpoint is private */
		.ipv4 = true,
		.ipv6 = path->ipv6,
		.port = path->port,
	};

	return mx_lookup_host(resolver,
	    path->connect_address != NULL ? path->connect_address : path->host,
	    &policy, done, arg);
}

static const char *
ses_endpoint(const struct session *s)
{
	return s->path->host;
}

static void
ses_terms(const struct session *s, struct smtp_client_config *c)
{
	c->ehlo = s->config->hostname;
	c->tls = s->path->implicit_tls ? TLS_IMPLICIT : TLS_REQUIRED;
	c->tls_ctx = s->path->tls_ctx;
	c->auth_user = s->path->user;
	c->auth_password = s->path->password.value;
}

#define LINE_MOST 900 /* bytes; RFC 5322 2.1.1 has 998 */

/* One field, folded only where it must be. */
static void
add_tags(struct str *head, const struct ses_content *c)
{
	size_t line = head->len;

	str_adds(head, "X-SES-MESSAGE-TAGS:");
	for (size_t i = 0; i < c->ntags; i++) {
		const struct ses_tag *t = &c->tag[i];
		size_t n = strlen(t->name) + strlen(t->value);

		if (i > 0)
			str_addc(head, ',');
		if (head->len - line + n > LINE_MOST) {
			str_adds(head, "\r\n");
			line = head->len;
		}
		str_addf(head, " %s=%s", t->name, t->value);
	}
	str_adds(head, "\r\n");
}

static int
ses_content(const struct session *s, const struct delivery *d,
    struct smtp_content *content, struct str *head, struct outcome *why,
    struct err *e)
{
	struct ses_content c;
	int rc = ses_content_make(s, d, &c, why, e);

	if (rc == 0) {
		if (c.configuration_set != NULL)
			str_addf(head, "X-SES-CONFIGURATION-SET: %s\r\n",
			    c.configuration_set);
		add_tags(head, &c);
		str_add(head, c.head.data, c.head.len);
		*content = c.content;
		content->head = head->data;
		content->head_len = head->len;
	}
	ses_content_clear(&c);
	return rc;
}

static void
ses_judge(const struct session *s, const struct delivery *d, struct outcome *o)
{
	ses_blame(o, d->route.configuration_set, s->path->configuration_set);
}

const struct path_class path_ses = {
	.lookup = ses_lookup,
	.endpoint = ses_endpoint,
	.terms = ses_terms,
	.content = ses_content,
	.judge = ses_judge,
};
