/*
 * dmarc.c - reads DMARC records (RFC 7489 6.3, 6.4; np, psd and t are newer).
 *
 * Receivers take a record whose first tag is v=DMARC1 and that has a policy;
 * whatever else is wrong in it, they read as if it were not there.
 */
#include "mta/preflight/dmarc.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"

static bool
is_one_of(const char *value, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcasecmp(value, *list) == 0)
			return true;
	return false;
}

static const char *const policies[] = { "none", "quarantine", "reject", NULL };
static const char *const alignments[] = { "r", "s", NULL };
static const char *const yes_no[] = { "y", "n", NULL };
static const char *const suffixes[] = { "y", "n", "u", NULL };

static bool
is_version(const char *value)
{
	return strcmp(value, "DMARC1") == 0;
}

static bool
is_policy(const char *value)
{
	return is_one_of(value, policies);
}

static bool
is_alignment(const char *value)
{
	return is_one_of(value, alignments);
}

static bool
is_yes_no(const char *value)
{
	return is_one_of(value, yes_no);
}

static bool
is_suffix(const char *value)
{
	return is_one_of(value, suffixes);
}

static bool
is_number(const char *value)
{
	size_t len = strlen(value);

	return len > 0 && len <= 10 && strspn(value, "0123456789") == len;
}

static bool
is_percent(const char *value)
{
	return is_number(value) && strlen(value) <= 3 && atoi(value) <= 100;
}

/* "1", "0:d:s" */
static bool
is_failure_options(const char *value)
{
	for (; strchr("01ds", *value) != NULL && *value != '\0'; value += 2)
		if (value[1] != ':')
			return value[1] == '\0';
	return false;
}

static bool
is_format(const char *value)
{
	return strcasecmp(value, "afrf") == 0;
}

/* One "mailto:a@example.jp!10m"; other schemes are let through. */
static bool
is_uri(const char *uri, size_t len)
{
	const char *colon = memchr(uri, ':', len), *at;

	if (colon == NULL || colon == uri)
		return false;
	for (size_t i = 0; i < len; i++)
		if (uri[i] <= ' ' || uri[i] > '~')
			return false;
	if (strncasecmp(uri, "mailto:", 7) != 0)
		return true;
	at = memchr(uri, '@', len);
	return at != NULL && at > colon + 1 && at + 1 < uri + len;
}

static bool
is_uris(const char *value)
{
	size_t len;

	do {
		value += strspn(value, " \t");
		len = strcspn(value, ",");
		while (len > 0 && strchr(" \t", value[len - 1]) != NULL)
			len--;
		if (!is_uri(value, len))
			return false;
		value += strcspn(value, ",");
	} while (*value++ == ',');
	return true;
}

static const struct known {
	const char *name;
	bool (*is_good)(const char *);
} known[] = {
	{ "v", is_version },
	{ "p", is_policy },
	{ "sp", is_policy },
	{ "np", is_policy },
	{ "adkim", is_alignment },
	{ "aspf", is_alignment },
	{ "pct", is_percent },
	{ "rua", is_uris },
	{ "ruf", is_uris },
	{ "fo", is_failure_options },
	{ "rf", is_format },
	{ "ri", is_number },
	{ "psd", is_suffix },
	{ "t", is_yes_no },
};

static void
fault(struct dmarc *d, const char *what, const char *word)
{
	str_addf(&d->faults, "%s'%.100s' %s", d->faults.len > 0 ? "; " : "",
	    word, what);
}

static char *
trimmed(const char *text, size_t len)
{
	while (len > 0 && strchr(" \t", *text) != NULL && *text != '\0')
		text++, len--;
	while (len > 0 && strchr(" \t", text[len - 1]) != NULL)
		len--;
	return xstrndup(text, len);
}

static const char *
value_of(const struct dmarc *d, const char *name)
{
	for (size_t i = 0; i < d->ntags; i++)
		if (d->tags[i].good && strcasecmp(d->tags[i].name, name) == 0)
			return d->tags[i].value;
	return NULL;
}

static void
judge(struct dmarc *d, struct dmarc_tag *tag)
{
	bool again = value_of(d, tag->name) != NULL;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcasecmp(known[i].name, tag->name) != 0)
			continue;
		tag->good = !again && known[i].is_good(tag->value);
		if (again)
			fault(d, "is there twice", tag->name);
		else if (!tag->good)
			fault(d, "is no value that it can have", tag->name);
		return;
	}
	fault(d, "is no tag of DMARC", tag->name);
}

static void
take_tag(struct dmarc *d, const char *text, size_t len)
{
	const char *equals = memchr(text, '=', len);
	struct dmarc_tag *tag = &d->tags[d->ntags];
	size_t name_len = equals != NULL ? (size_t)(equals - text) : len;

	if (d->ntags == DMARC_TAGS_MAX) {
		fault(d, "has too many tags", "it");
		return;
	}
	tag->name = trimmed(text, name_len);
	tag->value = equals != NULL ? trimmed(equals + 1, len - name_len - 1)
				    : xstrdup("");
	tag->good = false;
	if (*tag->name == '\0' && *tag->value == '\0') {
		free(tag->name);
		free(tag->value);
		return;
	}
	judge(d, tag);
	d->ntags++;
}

static void
split(struct dmarc *d, const char *txt)
{
	while (d->ntags < DMARC_TAGS_MAX && *txt != '\0') {
		size_t len = strcspn(txt, ";");

		take_tag(d, txt, len);
		txt += len + (txt[len] == ';');
	}
	if (*txt != '\0')
		fault(d, "has too many tags", "it");
}

static bool
begins_with_version(const struct dmarc *d)
{
	return d->ntags > 0 && d->tags[0].good &&
	       strcmp(d->tags[0].name, "v") == 0;
}

/* Something else that stands there, as where a wildcard answers for all. */
bool
dmarc_is_meant(const char *txt)
{
	return strcasestr(txt, "dmarc") != NULL;
}

void
dmarc_read(struct dmarc *d, const char *txt)
{
	const char *sp, *psd;

	memset(d, 0, sizeof(*d));
	str_init(&d->faults);
	d->psd = 'u';
	if (!dmarc_is_meant(txt))
		return;
	split(d, txt);
	d->policy = value_of(d, "p");
	d->state = begins_with_version(d) && d->policy != NULL ? DMARC_GOOD
							       : DMARC_BROKEN;
	if (!begins_with_version(d))
		fault(d, "is not what it begins with", "v=DMARC1");
	if (d->policy == NULL)
		fault(
		    d, "is missing, or none of none, quarantine, reject", "p");
	sp = value_of(d, "sp");
	d->subdomain_policy = sp != NULL ? sp : d->policy;
	d->adkim_strict = value_of(d, "adkim") != NULL &&
			  strcasecmp(value_of(d, "adkim"), "s") == 0;
	d->aspf_strict = value_of(d, "aspf") != NULL &&
			 strcasecmp(value_of(d, "aspf"), "s") == 0;
	d->reports = value_of(d, "rua") != NULL;
	psd = value_of(d, "psd");
	if (psd != NULL)
		d->psd = (char)(*psd | 32);
}

void
dmarc_release(struct dmarc *d)
{
	while (d->ntags > 0) {
		d->ntags--;
		free(d->tags[d->ntags].name);
		free(d->tags[d->ntags].value);
	}
	str_release(&d->faults);
}

void
dmarc_mend(struct str *out, const struct dmarc *d, const char *domain)
{
	str_addf(out, "v=DMARC1; p=%s",
	    d != NULL && d->policy != NULL ? d->policy : "none");
	if (d == NULL)
		str_addf(out, "; rua=mailto:dmarc@%s; adkim=r; aspf=r", domain);
	for (size_t i = 0; d != NULL && i < d->ntags; i++) {
		const struct dmarc_tag *t = &d->tags[i];

		if (t->good && strcasecmp(t->name, "v") != 0 &&
		    strcasecmp(t->name, "p") != 0)
			str_addf(out, "; %s=%s", t->name, t->value);
	}
}
