/*
 * submit.c - one message handed to SES, by whichever way: taken apart, judged,
 * told of.
 *
 * The order of the checks: may the account send at all, is the request well
 * formed, are set and identities in order, is there quota, is there rate. Texts
 * are those of AWS's guide and of public captures.
 */
#include "tests/sandbox/submit.h"

#include "mta/base/alloc.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/message.h"
#include "tests/sandbox/sandbox.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RECIPIENTS_MOST 50
#define TAG_MOST	256

/* clang-format off */
/* Fields that may stand in a message once. */
static const char *const single_fields[] = { "From", "Sender", "Reply-To", "Subject", "Date",
	"To", "Cc", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
	"Content-Disposition", "Content-ID", "Content-Description", "Content-Language",
	"DKIM-Signature", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Id",
	"References", "In-Reply-To", "Precedence", "Return-Path", "Auto-Submitted" };
#define N_SINGLE (sizeof(single_fields) / sizeof(single_fields[0]))
/* clang-format on */

void
submission_clear(struct submission *s)
{
	size_t i;

	for (i = 0; i < s->nto; i++)
		free(s->to[i]);
	for (i = 0; i < s->ntags; i++)
		free((char *)(uintptr_t)s->tags[i].name);
	free(s->to);
	free(s->tags);
	free(s->source);
	free(s->from);
	free(s->set);
	if (s->id.data != NULL)
		str_release(&s->id);
	*s = (struct submission){ .operation = NULL };
}

void
submission_to(struct submission *s, const char *address)
{
	s->to = xrealloc(s->to, (s->nto + 1) * sizeof(*s->to));
	s->to[s->nto++] = xstrdup(address);
}

void
submission_set(struct submission *s, const char *set)
{
	free(s->set);
	s->set = *set != '\0' ? xstrdup(set) : NULL;
}

/* Name and value lie in one piece, which the name's pointer owns. */
void
submission_tag(struct submission *s, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
	char *both = xmalloc(name_len + value_len + 2);

	memcpy(both, name, name_len);
	both[name_len] = '\0';
	memcpy(both + name_len + 1, value, value_len);
	both[name_len + 1 + value_len] = '\0';
	s->tags = xrealloc(s->tags, (s->ntags + 1) * sizeof(*s->tags));
	s->tags[s->ntags++] =
	    (struct ses_mail_tag){ both, both + name_len + 1 };
}

/* --- the header fields that SES takes out --- */

static size_t
trimmed(const char **p, size_t len)
{
	while (len > 0 && isspace((unsigned char)**p)) {
		(*p)++;
		len--;
	}
	while (len > 0 && isspace((unsigned char)(*p)[len - 1]))
		len--;
	return len;
}

/* "n1=v1, n2=v2" */
static void
read_tags(struct submission *s, const char *list)
{
	const char *name, *value;
	size_t n, name_len;

	for (; *list != '\0'; list += n + (list[n] == ',')) {
		n = strcspn(list, ",");
		name_len = strcspn(list, "=");
		if (name_len >= n)
			continue;
		name = list;
		value = list + name_len + 1;
		name_len = trimmed(&name, name_len);
		submission_tag(s, name, name_len, value,
		    trimmed(&value, n - (size_t)(value - list)));
	}
}

void
submission_read(struct submission *s, const char *data, size_t len)
{
	struct str value = STR_INIT;

	if (s->set == NULL &&
	    message_field(data, len, "X-SES-CONFIGURATION-SET", 0, &value))
		submission_set(s, value.data);
	if (message_field(data, len, "X-SES-MESSAGE-TAGS", 0, &value))
		read_tags(s, value.data);
	str_release(&value);
}

/* --- what is wrong with it --- */

static const char *
domain_fault(const char *domain)
{
	const char *p;

	if (*domain == '\0')
		return "Missing domain";
	if (*domain == '.')
		return "Domain starts with dot";
	for (p = domain; *p != '\0'; p++) {
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 127)
			return "Domain contains control or whitespace";
		if (!isalnum((unsigned char)*p) && strchr("-.[]:_", *p) == NULL)
			return "Domain contains illegal character";
		if (p[0] == '.' && p[1] == '.')
			return "Domain contains dot-dot";
	}
	return NULL;
}

/* JavaMail's words for what it does not take as an address. */
static const char *
address_fault(const char *address)
{
	const char *at = strrchr(address, '@'), *p;

	if (at == NULL)
		return "Missing final '@domain'";
	if (at == address)
		return "Missing local name";
	if (domain_fault(at + 1) != NULL)
		return domain_fault(at + 1);
	if (*address == '"')
		return NULL;
	if (*address == '.')
		return "Local address starts with dot";
	if (at[-1] == '.')
		return "Local address ends with dot";
	for (p = address; p < at; p++) {
		if (p[0] == '.' && p[1] == '.')
			return "Local address contains dot-dot";
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 127)
			return "Local address contains control or whitespace";
		if (strchr("()<>,;:\\\"[]@", *p) != NULL)
			return "Local address contains illegal character";
	}
	return NULL;
}

static bool
recipients_fail(const struct submission *s, struct str *text)
{
	const char *fault = NULL;
	size_t i;

	if (s->nto > RECIPIENTS_MOST)
		str_addf(text, "Recipient count exceeds %d.", RECIPIENTS_MOST);
	else if (s->nto == 0)
		str_adds(text, "No recipients specified");
	for (i = 0; fault == NULL && text->len == 0 && i < s->nto; i++)
		fault = address_fault(s->to[i]);
	if (fault != NULL)
		str_adds(text, fault);
	return text->len > 0;
}

static bool
is_tag_word(const char *word, size_t most)
{
	size_t len = strlen(word), i;

	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)word[i]) &&
		    strchr("_-.@", word[i]) == NULL)
			return false;
	return len > 0 && len <= most;
}

static bool
tags_fail(const struct submission *s, struct str *text)
{
	size_t i, j;

	for (i = 0; text->len == 0 && i < s->ntags; i++) {
		if (!is_tag_word(s->tags[i].name, TAG_MOST))
			str_addf(
			    text, "Invalid tag name <%s>.", s->tags[i].name);
		else if (!is_tag_word(s->tags[i].value, TAG_MOST))
			str_addf(
			    text, "Invalid tag value <%s>.", s->tags[i].value);
		for (j = 0; text->len == 0 && j < i; j++)
			if (strcmp(s->tags[i].name, s->tags[j].name) == 0)
				str_addf(text, "Duplicate tag name <%s>.",
				    s->tags[i].name);
	}
	return text->len > 0;
}

static bool
header_fails(const char *data, size_t len, struct str *text)
{
	size_t i;

	for (i = 0; i < N_SINGLE; i++) {
		if (message_count(data, len, single_fields[i]) < 2)
			continue;
		str_addf(text, "Duplicate header '%s'.", single_fields[i]);
		return true;
	}
	return false;
}

static enum ses_fault
set_fault(const struct ses *x, const struct submission *s, struct str *text)
{
	if (s->set == NULL)
		return SES_OK;
	if (*x->sets != '\0' && !ses_listed(x->sets, s->set, strlen(s->set))) {
		str_addf(
		    text, "Configuration set <%s> does not exist.", s->set);
		return SES_NO_SET;
	}
	if (ses_listed(x->paused_sets, s->set, strlen(s->set))) {
		str_addf(
		    text, "Sending paused for configuration set <%s>.", s->set);
		return SES_SET_PAUSED;
	}
	return SES_OK;
}

static void
check_identity(const struct ses *x, const char *address, struct str *failed)
{
	if (ses_verified(x, address) || strstr(failed->data, address) != NULL)
		return;
	if (failed->len > 0)
		str_adds(failed, ", ");
	str_adds(failed, address);
}

static bool
identities_fail(const struct ses *x, const struct submission *s,
    const char *data, size_t len, struct str *text)
{
	static const char *const fields[] = { "From", "Sender", "Return-Path" };
	struct str value = STR_INIT, address = STR_INIT, failed = STR_INIT;
	bool fail;
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!message_field(data, len, fields[i], 0, &value))
			continue;
		message_address(value.data, &address);
		check_identity(x, address.data, &failed);
	}
	check_identity(x, s->source, &failed);
	if (s->from != NULL)
		check_identity(x, s->from, &failed);
	for (i = 0; x->sandbox && i < s->nto; i++)
		if (!ses_is_simulator(s->to[i]))
			check_identity(x, s->to[i], &failed);
	fail = failed.len > 0;
	if (fail)
		str_addf(text,
		    "Email address is not verified. The following identities "
		    "failed the check in region AP-NORTHEAST-1: %s",
		    failed.data);
	str_release(&value);
	str_release(&address);
	str_release(&failed);
	return fail;
}

static enum ses_fault
find_fault(const struct ses *x, const struct submission *s, const char *data,
    size_t len, size_t size, struct str *text)
{
	enum ses_fault fault;

	if (strcmp(x->enforcement, "SHUTDOWN") == 0)
		return SES_SUSPENDED;
	if (!x->sending)
		return SES_PAUSED;
	if (recipients_fail(s, text) || tags_fail(s, text) ||
	    header_fails(data, len, text))
		return SES_INVALID;
	if (size > s->most) {
		str_addf(text,
		    "Message length is more than %zu bytes long: '%zu'.",
		    s->most, size);
		return SES_TOO_BIG;
	}
	fault = set_fault(x, s, text);
	if (fault != SES_OK)
		return fault;
	if (identities_fail(x, s, data, len, text))
		return SES_NOT_VERIFIED;
	return SES_OK;
}

static size_t
counted(const struct submission *s)
{
	size_t n = 0, i;

	for (i = 0; i < s->nto; i++)
		n += !ses_is_simulator(s->to[i]);
	return n;
}

enum ses_fault
submission_judge(struct sandbox *b, struct submission *s, const char *data,
    size_t len, size_t size, struct str *text)
{
	enum ses_fault fault = find_fault(b->ses, s, data, len, size, text);

	if (fault == SES_OK)
		fault = ses_throttle(b->ses, counted(s));
	if (fault == SES_OK) {
		ses_spend(b->ses, s->nto, counted(s));
		str_init(&s->id);
		ses_make_id(&s->id);
	} else if (text->len == 0) {
		str_adds(text, ses_fault_rows[fault].text);
	}
	return fault;
}

/* --- what is said of it --- */

void
submission_journal(const struct submission *s, struct str *o)
{
	size_t i;

	json_str(o, "operation", s->operation);
	json_str(o, "configuration_set", s->set);
	json_open(o, "tags", '{');
	for (i = 0; i < s->ntags; i++)
		json_str(o, s->tags[i].name, s->tags[i].value);
	json_close(o, '}');
	json_str(o, "ses_id", s->id.len > 0 ? s->id.data : NULL);
}

unsigned
submission_tell(
    struct sandbox *b, const struct submission *s, const char *data, size_t len)
{
	static const char *const fields[] = { "From", "Subject", "Message-ID",
		"Date" };
	struct str values[4];
	struct ses_mail m = { .id = s->id.data,
		.source = s->source,
		.to = (const char *const *)s->to,
		.nto = s->nto,
		.configuration_set = s->set,
		.tags = s->tags,
		.ntags = s->ntags,
		.operation = s->operation };
	size_t i;

	for (i = 0; i < 4; i++) {
		str_init(&values[i]);
		(void)message_field(data, len, fields[i], 0, &values[i]);
	}
	m.header_from = values[0].data;
	m.subject = values[1].data;
	m.message_id = values[2].data;
	m.date = values[3].data;
	events_mail(b, &m);
	for (i = 0; i < 4; i++)
		str_release(&values[i]);
	return events_hold(b);
}
