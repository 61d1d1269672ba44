/*
 * config_identity.c - raw sections to what proves that mail is ours: DKIM keys,
 * the secret of our return paths, how often all of it is checked.
 */
#include "router/config_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/dkim.h"
#include "mta/return_path.h"
#include "mta/smtp/address.h"

/* -- DKIM
 * ----------------------------------------------------------------------------- */

static const char *const dkim_states[] = { "active", "standby" };

static void
load_signer(struct raw_config *raw, const struct raw_section *s,
    struct config_dkim *dkim)
{
	struct err e = ERR_INIT;

	dkim->signer = dkim_signer_new(
	    dkim->domain, dkim->selector, dkim->key_file, &e);
	if (dkim->signer == NULL)
		config_problem(raw, raw_find(s, "key")->at, "dkim '%s': %s",
		    s->title, e.text);
}

static const char *
algorithm(const struct config_dkim *dkim)
{
	unsigned bits;

	return dkim->signer != NULL && dkim->active
	    ? dkim_signer_algorithm(dkim->signer, &bits)
	    : "";
}

/* A key changes hands by being standby first and last: two active ones of a
 * kind would sign everything twice. */
static void
check_against(struct raw_config *raw, const struct raw_section *s,
    const struct config_dkim *a, const struct config_dkim *b)
{
	if (strcmp(a->domain, b->domain) != 0)
		return;
	if (a->selector != NULL && b->selector != NULL &&
	    strcmp(a->selector, b->selector) == 0)
		config_problem(raw, s->at,
		    "dkim '%s' with selector '%s' given twice", b->domain,
		    b->selector);
	else if (*algorithm(b) != '\0' &&
		 strcmp(algorithm(a), algorithm(b)) == 0)
		config_problem(raw, s->at,
		    "dkim '%s' has two active %s keys, '%s' and '%s': one of "
		    "them must be standby",
		    b->domain, algorithm(b), a->selector, b->selector);
}

static void
build_dkim(struct raw_config *raw, const struct raw_section *s,
    struct config *cfg, enum config_part part)
{
	struct config_dkim *dkim = &cfg->dkim[cfg->ndkim++];

	dkim->domain = xstrdup(s->title);
	for (char *p = dkim->domain; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	dkim->active =
	    CONFIG_WORD_INDEX(raw, s, "state", dkim_states, 0) == 0;
	config_store(raw, s, dkim);
	if (raw_find(s, "selector") == NULL || raw_find(s, "key") == NULL)
		config_problem(raw, s->at, "dkim '%s' has no %s", s->title,
		    raw_find(s, "selector") ? "key" : "selector");
	else if (part == CONFIG_ALL && dkim->selector != NULL)
		load_signer(raw, s, dkim);
	for (size_t i = 0; i + 1 < cfg->ndkim; i++)
		check_against(raw, s, &cfg->dkim[i], dkim);
}

/* -- return path
 * --------------------------------------------------------------------------- */

/* Local parts in our domain; what a token could be is one. */
static void
build_reports(struct raw_config *raw, const struct raw_section *s,
    struct config_return_path *back)
{
	const struct raw_entry *entry;
	struct str text = STR_INIT;
	struct address a;
	struct err e;

	for (size_t i = 0; (entry = raw_find_nth(s, "feedback", i)); i++) {
		str_clear(&text);
		str_addf(&text, "%s@example.jp", entry->value);
		if (address_parse(&a, text.data, text.len, &e) != 0 ||
		    strchr(a.local, '@') != NULL || a.irregular ||
		    strncasecmp(a.local, "b=", 2) == 0) {
			config_problem(raw, entry->at,
			    "feedback: expected what stands before the '@' of "
			    "an address, not '%s'",
			    entry->value);
			continue;
		}
		back->feedback = config_grow(
		    back->feedback, &back->nfeedback, sizeof(*back->feedback));
		back->feedback[back->nfeedback - 1] = xstrdup(a.local);
	}
	str_release(&text);
}

/* Mail to our own domain would come back here, and go on again. */
static void
check_postmaster(struct raw_config *raw, const struct raw_section *s,
    struct config_return_path *back)
{
	const struct raw_entry *entry = raw_find(s, "postmaster");
	struct str plain = STR_INIT;
	struct err e = ERR_INIT;
	struct address a;

	if (entry == NULL || back->postmaster == NULL)
		return;
	if (address_parse(&a, entry->value, strlen(entry->value), &e) != 0) {
		config_problem(raw, entry->at, "postmaster: %s", e.text);
		return;
	}
	if (back->domain != NULL && strcasecmp(a.domain, back->domain) == 0)
		config_problem(raw, entry->at,
		    "postmaster: '%s' is in the domain itself, so its mail "
		    "would come back here",
		    entry->value);
	str_addf(&plain, "%s@%s", a.local, a.domain);
	free(back->postmaster);
	back->postmaster = str_detach(&plain);
}

static void
build_return_path(struct raw_config *raw, const struct raw_section *s,
    struct config *cfg, enum config_part part)
{
	struct secret secret = { NULL };
	struct err e = ERR_INIT;

	config_store(raw, s, cfg);
	if (raw_find(s, "domain") == NULL || raw_find(s, "key") == NULL) {
		config_problem(raw, s->at, "return-path has no %s",
		    raw_find(s, "domain") ? "key" : "domain");
		return;
	}
	build_reports(raw, s, &cfg->return_path);
	check_postmaster(raw, s, &cfg->return_path);
	if (part != CONFIG_ALL)
		return;
	config_read_secret(raw, raw_find(s, "key"), &secret);
	if (secret.value == NULL)
		return;
	cfg->return_path.key =
	    return_path_key_new(secret.value, strlen(secret.value), &e);
	if (cfg->return_path.key == NULL)
		config_problem(raw, raw_find(s, "key")->at, "key: %s", e.text);
	explicit_bzero(secret.value, strlen(secret.value));
	free(secret.value);
}

void
config_build_identity(
    struct raw_config *raw, struct config *cfg, enum config_part part)
{
	const struct raw_section *back = raw_section_first(raw, "return-path");
	const struct raw_section *preflight =
	    raw_section_first(raw, "preflight");

	cfg->dkim = xcalloc(config_count(raw, "dkim") + 1, sizeof(*cfg->dkim));
	for (size_t i = 0; i < raw->nsections; i++)
		if (config_is_kind(&raw->sections[i], "dkim"))
			build_dkim(raw, &raw->sections[i], cfg, part);
	if (back != NULL)
		build_return_path(raw, back, cfg, part);
	if (preflight != NULL)
		config_store(raw, preflight, cfg);
}
