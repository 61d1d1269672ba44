/*
 * config_store.c - where the queue is: in the state directory, or in a database
 * that other nodes have as well; and what this node is there.
 */
#include "router/config_int.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "router/store/pg_url.h"

/* What is only said of a database. */
static const char *const of_a_database[] = { "store-password-file",
	"store-token-command", "node", "lease", "node-sources" };

static void
refuse_without_database(struct raw_config *raw, const struct raw_section *root)
{
	const struct raw_entry *entry;

	for (size_t i = 0; i < sizeof(of_a_database) / sizeof(of_a_database[0]);
	     i++)
		if ((entry = raw_find(root, of_a_database[i])) != NULL)
			config_problem(raw, entry->at,
			    "%s means nothing without 'store'",
			    entry->key->name);
}

/* The name of the machine, when the file says no other. */
static char *
node_name(struct raw_config *raw, const struct raw_section *root)
{
	const struct raw_entry *entry = raw_find(root, "node");
	char host[256] = "";
	const char *name = host;

	if (entry != NULL)
		name = entry->value;
	else if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	if (!config_value_name(name))
		config_problem(raw, entry ? entry->at : root->at,
		    "node: %s'%s'",
		    entry ? "not a name of letters, digits, '-', '_' and "
			    "'.': "
			  : "not given, and what the system is called will "
			    "not do: ",
		    name);
	return xstrdup(name);
}

/* A password has one origin, and a file of it is private. */
static void
check_password(struct raw_config *raw, const struct raw_section *root,
    const struct config_store *st, enum config_part part)
{
	const struct raw_entry *file = raw_find(root, "store-password-file");
	const struct raw_entry *token = raw_find(root, "store-token-command");
	struct secret secret = { 0 };

	if (file != NULL && token != NULL)
		config_problem(raw, token->at,
		    "both store-password-file and store-token-command");
	else if ((file != NULL || token != NULL) &&
		 pg_url_has_password(st->url.value))
		config_problem(raw, file ? file->at : token->at,
		    "%s: there is a password in 'store' already",
		    file ? file->key->name : token->key->name);
	else if (file != NULL && part == CONFIG_ALL)
		config_read_secret(raw, file, &secret);
	config_secret_clear(&secret);
}

static void
find_sources(
    struct raw_config *raw, const struct raw_section *root, struct config *cfg)
{
	struct config_store *st = &cfg->store;
	const struct raw_entry *entry;
	struct config_source *source;

	for (size_t i = 0; (entry = raw_find_nth(root, "node-sources", i));
	     i++) {
		source = config_find_source(raw, cfg, entry);
		if (source == NULL)
			continue;
		st->sources = config_grow(
		    st->sources, &st->nsources, sizeof(struct config_source *));
		st->sources[st->nsources - 1] = source;
	}
}

void
config_build_store(
    struct raw_config *raw, struct config *cfg, enum config_part part)
{
	const struct raw_section *root = &raw->sections[0];
	const struct raw_entry *entry = raw_find(root, "store");
	struct config_store *st = &cfg->store;
	struct err e = ERR_INIT;

	if (entry == NULL) {
		refuse_without_database(raw, root);
		return;
	}
	st->node = node_name(raw, root);
	find_sources(raw, root, cfg);
	if (pg_url_check(entry->value, &e) != 0) {
		config_problem(raw, entry->at, "store: %s", e.text);
		return;
	}
	st->url.value = xstrdup(entry->value);
	st->shown = pg_url_text(entry->value);
	check_password(raw, root, st, part);
}

void
config_free_store(struct config_store *st)
{
	config_secret_clear(&st->url);
	free(st->shown);
	free(st->password_file);
	free(st->token_command);
	free(st->node);
	free(st->sources);
}
