/*
 * node_sources.c - which of the configured sources this machine has.
 *
 * What can be bound is asked of the kernel, which knows of every way in which
 * a machine may have come to an address.
 */
#include "router/node_sources.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "router/config.h"

struct node_sources {
	char **names;
	size_t n;
	char *text;
};

/* Any port will do. */
static bool
can_bind(const struct config_source *source)
{
	int fd = socket(source->bind.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool can;

	if (fd == -1)
		return false;
	can = bind(fd, (const struct sockaddr *)&source->bind,
		  source->bind_len) == 0;
	close(fd);
	return can;
}

static bool
is_named(const struct config_store *st, const struct config_source *source)
{
	for (size_t i = 0; i < st->nsources; i++)
		if (st->sources[i] == source)
			return true;
	return false;
}

static bool
is_ours(const struct config *cfg, const struct config_source *source)
{
	if (cfg->store.url.value == NULL)
		return true;
	if (cfg->store.nsources > 0)
		return is_named(&cfg->store, source);
	return source->bind_len == 0 || can_bind(source);
}

static void
forget(struct node_sources *ns)
{
	for (size_t i = 0; i < ns->n; i++)
		free(ns->names[i]);
	free(ns->names);
	free(ns->text);
	*ns = (struct node_sources){ 0 };
}

static struct node_sources
find_ours(const struct config *cfg)
{
	struct node_sources found = {
		.names = xcalloc(cfg->nsources + 1, sizeof(char *)),
	};
	struct str text = STR_INIT;

	for (size_t i = 0; i < cfg->nsources; i++) {
		const struct config_source *source = &cfg->sources[i];

		if (!is_ours(cfg, source))
			continue;
		str_addf(&text, "%s%s", found.n == 0 ? "" : ",", source->name);
		found.names[found.n++] = xstrdup(source->name);
	}
	found.text = str_detach(&text);
	return found;
}

struct node_sources *
node_sources_new(const struct config *cfg)
{
	struct node_sources *ns = xcalloc(1, sizeof(*ns));

	*ns = find_ours(cfg);
	return ns;
}

void
node_sources_free(struct node_sources **p)
{
	if (*p == NULL)
		return;
	forget(*p);
	free(*p);
	*p = NULL;
}

bool
node_sources_look(struct node_sources *ns, const struct config *cfg)
{
	struct node_sources found = find_ours(cfg);
	bool differ = strcmp(found.text, ns->text) != 0;

	forget(ns);
	*ns = found;
	return differ;
}

bool
node_sources_have(const struct node_sources *ns, const char *source)
{
	for (size_t i = 0; i < ns->n; i++)
		if (strcmp(ns->names[i], source) == 0)
			return true;
	return false;
}

const char *
node_sources_text(const struct node_sources *ns)
{
	return ns->text;
}
