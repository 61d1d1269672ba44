/*
 * path_mta.c - the way out through our own MTA: MX, our source addresses, DKIM.
 */
#include "router/path.h"

#include "mta/base/log.h"
#include "mta/dkim.h"
#include "mta/return_path.h"
#include "router/body.h"
#include "router/header_filter.h"
#include "router/self.h"
#include "router/session.h"

/* Instructions to SES and to us, never for others to see (facts/aws.md, section 10); our own word on the
 * message is for those who report it. */
static const char *const drop[] = { "!x-oiwake-id:", "x-ses-", "x-oiwake-" };

static struct mx_lookup *
mta_lookup(struct session *s, struct resolver *resolver,
    void (*done)(void *, const struct mx_result *), void *arg)
{
	const struct config_path *path = s->path;
	struct mx_policy policy = {
		.allow_private = path->allow_private,
		.ipv4 = path->ipv4,
		.ipv6 = path->ipv6,
		.port = path->port,
		.dane = path->dane && path->tls,
		.is_us = self_is_us,
		.is_us_arg = s->config,
	};

	if (path->relay_host == NULL)
		return mx_lookup_new(resolver, s->domain, &policy, done, arg);
	return mx_lookup_host(resolver, path->relay_host, &policy, done, arg);
}

static const char *
mta_endpoint(const struct session *s)
{
	(void)s;
	return NULL;
}

static void
mta_terms(const struct session *s, struct smtp_client_config *c)
{
	const struct config_source *source = s->source;

	c->ehlo = source->hostname;
	if (source->bind_len > 0) {
		c->bind = (const struct sockaddr *)&source->bind;
		c->bind_len = source->bind_len;
	}
	c->tls = s->path->tls ? TLS_OPPORTUNISTIC : TLS_NONE;
	c->tls_ctx = s->path->tls_ctx;
}

/*
 * Our signatures, one for each active key of the header-From domain, made once per message whoever
 * else gets it. A header that cannot be signed is the application's; the message goes as it is.
 *
 * A signature that the message came with stays, and ours are added all the same, as RFC 6376 4.2 has
 * it: whether the old one is good (a message sent again, fields taken out here) nobody knows before
 * the receiver does, and one good signature of the author's domain is all he asks for.
 */
static void
sign(const struct session *s, const struct delivery *d,
    const struct smtp_content *content, struct str *head)
{
	const struct dkim_signer *signers[CONFIG_SIGNERS_MAX];
	struct message *m = d->message;
	const char *signature = message_signature(m);
	struct str made = STR_INIT;
	struct err e = ERR_INIT;
	size_t n;

	if (!s->path->sign || m->header_from[0] == '\0')
		return;
	n = config_dkim_find(s->config, m->header_from, signers);
	if (n == 0)
		return;
	if (signature == NULL) {
		for (size_t i = 0; i < n; i++)
			if (dkim_signer_sign(signers[i], content, &made, &e) != 0)
				log_text(LOG_WARN, "dkim", "not signed by '%s': %s",
				    dkim_signer_selector(signers[i]), e.text);
		signature = message_set_signature(m, str_detach(&made));
	}
	str_adds(head, signature);
}

static int
mta_content(const struct session *s, const struct delivery *d,
    struct smtp_content *content, struct str *head, struct outcome *why,
    struct err *e)
{
	struct str header = STR_INIT;
	bool dropped;

	(void)why;
	body_content(d->body, content);
	if (header_filter(d->body, d->message->header_size, drop,
		sizeof(drop) / sizeof(drop[0]), &header, &dropped, e) != 0)
		return -1;
	if (dropped) {
		content->head = header.data;
		content->head_len = header.len;
		content->offset = d->message->header_size;
		content->length -= d->message->header_size;
	}
	sign(s, d, content, head);
	str_add(head, header.data, header.len);
	content->head = head->data;
	content->head_len = head->len;
	str_release(&header);
	return 0;
}

/*
 * A bounce address of ours, where the sender is kept to hear of the bounce. It names the recipient:
 * carriers get one in a message unless a shape says otherwise. Of several it names the message, and
 * the bounce has to say whose it is.
 */
static void
mta_from(const struct session *s, const struct delivery *d, struct str *out)
{
	const struct config_return_path *ours = &s->config->return_path;
	struct return_path rp = {
		.message = d->message->id,
		.index = d->n == 1 ? d->recipients[0]->index : RETURN_PATH_MESSAGE,
		.expires = d->message->received + ours->expires,
	};
	char local[RETURN_PATH_LOCAL_MAX + 1];

	if (ours->domain == NULL || !d->message->returns ||
	    s->path->relay_host != NULL)
		return;
	str_addf(out, "%s@%s",
	    return_path_make(ours->key, ours->domain, &rp, local),
	    ours->domain);
}

const struct path_class path_mta = {
	.lookup = mta_lookup,
	.endpoint = mta_endpoint,
	.terms = mta_terms,
	.content = mta_content,
	.from = mta_from,
};
