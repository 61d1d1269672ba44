/*
 * config_feedback.c - raw sections to the queues and topics that SES's feedback
 * comes from.
 *
 * A queue may take from a path as whom AWS is called.
 */
#include "router/config_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"

/* "https://sqs.REGION.amazonaws.com/123456789012/name": the region, or NULL. */
static char *
region_of_queue(const char *url)
{
	static const char sqs[] = "://sqs.";
	const char *p = strstr(url, sqs);
	size_t n;

	if (p == NULL)
		return NULL;
	p += sizeof(sqs) - 1;
	n = strcspn(p, "./:");
	return n > 0 && p[n] == '.' ? xstrndup(p, n) : NULL;
}

/* As the queue's URL has it: what stands before its path. */
static char *
endpoint_of_queue(const char *url)
{
	const char *p = strstr(url, "://");

	return p != NULL
		   ? xstrndup(url, (size_t)(p - url) + 3 + strcspn(p + 3, "/"))
		   : NULL;
}

static void
check_queue(
    struct raw_config *raw, const struct raw_section *s, struct config_sqs *q)
{
	const struct raw_entry *entry = raw_find(s, "queue");
	const char *p = q->queue != NULL ? strstr(q->queue, "://") : NULL;

	if (entry == NULL)
		config_problem(raw, s->at, "sqs '%s' has no queue", s->title);
	else if (p == NULL || strncmp(q->queue, "http", 4) != 0 ||
		 strchr(p + 3, '/') == NULL)
		config_problem(raw, entry->at,
		    "queue: expected the URL of a queue, not '%s'",
		    entry->value);
}

/* Region, credentials and authorities of the path that it names. */
static const struct config_path *
path_of_queue(struct raw_config *raw, const struct raw_section *s,
    const struct config *cfg)
{
	const struct raw_entry *entry = raw_find(s, "path");
	const struct config_path *path =
	    entry != NULL ? config_path_find(cfg, entry->value) : NULL;

	if (entry == NULL)
		return NULL;
	if (path == NULL || path->kind != PATH_SES)
		config_problem(raw, entry->at,
		    "path: no path of type ses: '%s'", entry->value);
	else if (path->credentials.kind == CREDENTIALS_NONE)
		config_problem(raw, entry->at,
		    "path: path '%s' has no credentials to share",
		    entry->value);
	else
		return path;
	return NULL;
}

static void
build_sqs(struct raw_config *raw, const struct raw_section *s,
    struct config *cfg, struct config_sqs *q, enum config_part part)
{
	const struct config_path *path;

	q->name = xstrdup(s->title);
	q->line = s->at.line;
	q->pollers = 2;
	q->visibility = 60000;
	q->wait = 20000;
	config_store(raw, s, q);
	check_queue(raw, s, q);
	config_check_endpoint(raw, s, "endpoint");
	path = path_of_queue(raw, s, cfg);
	if (raw_find(s, "path") != NULL && raw_find(s, "credentials") != NULL)
		config_problem(raw, raw_find(s, "credentials")->at,
		    "both path and credentials in sqs '%s'", s->title);
	if (raw_find(s, "path") == NULL)
		config_build_credentials(
		    raw, s, &q->credentials, CREDENTIALS_AUTO, part);
	else if (path != NULL)
		config_copy_credentials(&q->credentials, &path->credentials);
	if (q->queue == NULL)
		return;
	if (q->region == NULL)
		q->region = region_of_queue(q->queue);
	if (q->region == NULL && path != NULL && path->region != NULL)
		q->region = xstrdup(path->region);
	if (q->region == NULL)
		config_problem(raw, s->at, "sqs '%s' has no region", s->title);
	if (q->endpoint == NULL)
		q->endpoint = endpoint_of_queue(q->queue);
	if (q->ca_file == NULL && path != NULL && path->ca_file != NULL)
		q->ca_file = xstrdup(path->ca_file);
}

static void
build_sns(
    struct raw_config *raw, const struct raw_section *s, struct config *cfg)
{
	static const char arn[] = "arn:aws";
	struct config_sns *sns = &cfg->sns;
	const struct raw_entry *entry;

	config_store(raw, s, cfg);
	for (size_t i = 0; (entry = raw_find_nth(s, "topics", i)) != NULL;
	     i++) {
		if (strncmp(entry->value, arn, sizeof(arn) - 1) != 0 ||
		    strstr(entry->value, ":sns:") == NULL)
			config_problem(raw, entry->at,
			    "topics: expected the ARN of an SNS topic, not "
			    "'%s'",
			    entry->value);
		sns->topics = config_grow(
		    sns->topics, &sns->ntopics, sizeof(*sns->topics));
		sns->topics[sns->ntopics - 1] = xstrdup(entry->value);
	}
	if (sns->ntopics == 0)
		config_problem(raw, s->at,
		    "sns has no topics: it would take nothing from anybody");
}

void
config_build_feedback(
    struct raw_config *raw, struct config *cfg, enum config_part part)
{
	const struct raw_section *sns = raw_section_first(raw, "sns");

	cfg->sqs = xcalloc(config_count(raw, "sqs") + 1, sizeof(*cfg->sqs));
	for (size_t i = 0; i < raw->nsections; i++)
		if (config_is_kind(&raw->sections[i], "sqs"))
			build_sqs(raw, &raw->sections[i], cfg,
			    &cfg->sqs[cfg->nsqs++], part);
	cfg->sns.replay_window = 3600000;
	cfg->sns.signature_version = 1;
	if (sns != NULL)
		build_sns(raw, sns, cfg);
}
