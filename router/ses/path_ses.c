/*
 * path_ses.c - the way out through Amazon SES, SMTP transport (facts/aws.md, section 1).
 *
 * TLS with a verified certificate before AUTH, one recipient per transaction (the lane sees to
 * that), our DKIM signature and every other stripped: SES signs itself and refuses two. X-SES-* are
 * the application's word to SES and stay; X-Oiwake-* are its word to us and go.
 */
#include "router/path.h"

#include "router/body.h"
#include "router/header_filter.h"
#include "router/session.h"

static const char *const drop[] = { "dkim-signature:", "return-path:",
	"x-oiwake-" };

static const char *const chosen[] = { "x-ses-configuration-set:" };

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

/* The rule's, else the path's; none when the application chose one itself. -1 with *e set. */
static int
configuration_set(const struct session *s, const struct delivery *d,
    const char **set, struct err *e)
{
	struct str rest = STR_INIT;
	bool found = false;
	int rc = 0;

	*set = d->route.configuration_set[0] != '\0'
	    ? d->route.configuration_set
	    : s->path->configuration_set;
	if (*set == NULL)
		return 0;
	rc = header_filter(d->body, d->message->header_size, chosen, 1, &rest,
	    &found, e);
	str_release(&rest);
	if (found)
		*set = NULL;
	return rc;
}

static int
ses_content(const struct session *s, const struct delivery *d,
    struct smtp_content *content, struct str *head, struct err *e)
{
	size_t header_size = d->message->header_size;
	const char *set;
	struct str header = STR_INIT;
	bool dropped;

	body_content(d->body, content);
	if (configuration_set(s, d, &set, e) != 0)
		return -1;
	if (header_filter(d->body, header_size, drop,
		sizeof(drop) / sizeof(drop[0]), &header, &dropped, e) != 0)
		return -1;
	if (dropped) {
		content->offset = header_size;
		content->length -= header_size;
	}
	if (set != NULL)
		str_addf(head, "X-SES-CONFIGURATION-SET: %s\r\n", set);
	str_add(head, header.data, header.len);
	str_release(&header);
	content->head = head->data;
	content->head_len = head->len;
	return 0;
}

const struct path_class path_ses = {
	.lookup = ses_lookup,
	.endpoint = ses_endpoint,
	.terms = ses_terms,
	.content = ses_content,
};
