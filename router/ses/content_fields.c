/*
 * content_fields.c - a message's header as SES takes it.
 *
 * Two walks over the fields: the first counts what stands twice and finds what
 * is said to SES and to us, the second writes, and only when something changes.
 * Both take time in proportion to the header, whatever is in it.
 */
#include "router/ses/content_fields.h"

#include "router/header_filter.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum treatment {
	KEEP,
	ONCE,	  /* the first stays */
	JOIN,	  /* a list: the others are added to the first */
	JOIN_RFC, /* likewise; SES takes several, RFC 5322 3.6 does not */
	ALONE,	  /* never repaired */
	DROP,	  /* SES makes its own, or it is read by now */
	SET,	  /* the configuration set: read, and dropped */
};

struct kind {
	const char *name;
	enum treatment treatment;
};

/* In the order of strcasecmp. */
/* clang-format off */
static const struct kind kinds[] = {
	{ "Accept-Language", ONCE },
	{ "acceptLanguage", ONCE },
	{ "Archived-At", ONCE },
	{ "Auto-Submitted", ONCE },
	{ "Bcc", JOIN_RFC },
	{ "Bounces-to", ONCE },
	{ "Cc", JOIN_RFC },
	{ "Comments", ONCE },
	{ "Content-Alternative", ONCE },
	{ "Content-Base", ONCE },
	{ "Content-Class", ONCE },
	{ "Content-Description", ONCE },
	{ "Content-Disposition", ONCE },
	{ "Content-Duration", ONCE },
	{ "Content-ID", ONCE },
	{ "Content-Language", ONCE },
	{ "Content-Length", ONCE },
	{ "Content-Location", ONCE },
	{ "Content-MD5", ONCE },
	{ "Content-Transfer-Encoding", ONCE },
	{ "Content-Type", ONCE },
	{ "Date", ONCE },
	{ "Delivered-To", ONCE },
	{ "Disposition-Notification-Options", ONCE },
	{ "Disposition-Notification-To", ONCE },
	{ "DKIM-Signature", DROP },
	{ "DomainKey-Signature", ONCE },
	{ "Errors-To", ONCE },
	{ "From", ALONE },
	{ "Importance", ONCE },
	{ "In-Reply-To", ONCE },
	{ "Keywords", JOIN },
	{ "List-Archive", ONCE },
	{ "List-Help", ONCE },
	{ "List-Id", ONCE },
	{ "List-Owner", ONCE },
	{ "List-Post", ONCE },
	{ "List-Subscribe", ONCE },
	{ "List-Unsubscribe", ONCE },
	{ "List-Unsubscribe-Post", ONCE },
	{ "Message-Context", ONCE },
	{ "Message-ID", ONCE },
	{ "MIME-Version", ONCE },
	{ "Organization", ONCE },
	{ "Original-From", ONCE },
	{ "Original-Message-ID", ONCE },
	{ "Original-Recipient", ONCE },
	{ "Original-Subject", ONCE },
	{ "Precedence", ONCE },
	{ "Priority", ONCE },
	{ "References", ONCE },
	{ "Reply-To", JOIN },
	{ "Return-Path", DROP },
	{ "Return-Receipt-To", ONCE },
	{ "Sender", ONCE },
	{ "Sensitivity", ONCE },
	{ "Solicitation", ONCE },
	{ "Subject", ONCE },
	{ "Thread-Index", ONCE },
	{ "Thread-Topic", ONCE },
	{ "To", JOIN_RFC },
	{ "User-Agent", ONCE },
	{ "VBR-Info", ONCE },
	{ "X-SES-CONFIGURATION-SET", SET },
	{ "X-SES-MESSAGE-TAGS", DROP },
};
/* clang-format on */

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* The application's word to us, but for one that is ours to whoever reports the
 * message (intake.c). */
static const char to_us[] = "X-Oiwake-", our_id[] = "X-Oiwake-ID";

struct field {
	const char *p, *end; /* whole, its line end included */
	const char *value,
	    *value_end; /* trimmed; both `end` where there is no colon */
	size_t name_len;
	const struct kind *kind; /* NULL: nothing is done with it */
	bool dropped;
};

struct walk {
	const char *header, *end;
	const char *first[KINDS]; /* where the first of each kind is; NULL */
	bool twice[KINDS];
	bool repair;
};

/* -- one field ------------------------------------------------------------ */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct name {
	const char *p;
	size_t len;
};

static int
compare(const void *key, const void *row)
{
	const struct name *n = key;
	const struct kind *k = row;
	int c = strncasecmp(n->p, k->name, n->len);

	return c != 0 ? c : k->name[n->len] == '\0' ? 0 : -1;
}

static const struct kind *
find_kind(const char *p, size_t len)
{
	struct name n = { p, len };

	/* A NUL would end the comparison early. */
	if (len == 0 || memchr(p, '\0', len) != NULL)
		return NULL;
	return bsearch(&n, kinds, KINDS, sizeof(kinds[0]), compare);
}

static bool
is_said_to_us(const char *name, size_t len)
{
	return len >= sizeof(to_us) - 1 &&
	       strncasecmp(name, to_us, sizeof(to_us) - 1) == 0 &&
	       (len != sizeof(our_id) - 1 ||
		   strncasecmp(name, our_id, len) != 0);
}

/* Blanks may stand before the colon (RFC 5322 4.5), and SES knows that too. */
static void
read_field(const char *p, const char *end, struct field *f)
{
	const char *nl, *colon, *name_end;

	f->p = p;
	f->end = header_field_end(p, end);
	nl = memchr(p, '\n', (size_t)(f->end - p));
	colon = memchr(p, ':', (size_t)((nl != NULL ? nl : f->end) - p));
	name_end = colon != NULL ? colon : p;
	while (name_end > p && is_blank(name_end[-1]))
		name_end--;
	f->name_len = (size_t)(name_end - p);
	f->kind = find_kind(p, f->name_len);
	f->dropped =
	    f->kind != NULL
		? f->kind->treatment == DROP || f->kind->treatment == SET
		: is_said_to_us(p, f->name_len);
	f->value = colon != NULL ? colon + 1 : f->end;
	f->value_end = f->end;
	while (f->value < f->value_end && is_blank(*f->value))
		f->value++;
	while (f->value < f->value_end && is_blank(f->value_end[-1]))
		f->value_end--;
}

bool
ses_is_word(const char *p, size_t len, size_t most)
{
	if (len == 0 || len > most)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!((p[i] >= 'a' && p[i] <= 'z') ||
			(p[i] >= 'A' && p[i] <= 'Z') ||
			(p[i] >= '0' && p[i] <= '9') || p[i] == '_' ||
			p[i] == '-'))
			return false;
	return true;
}

/* -- the first walk: what is there ---------------------------------------- */

static bool
is_refused(const struct walk *w, const struct kind *k)
{
	return k->treatment == ALONE ||
	       (!w->repair && k->treatment != JOIN_RFC);
}

static void
note_set(struct ses_fields *f, const struct field *field)
{
	size_t n = (size_t)(field->value_end - field->value);

	if (f->set[0] == '\0' && ses_is_word(field->value, n, SES_SET_MAX))
		memcpy(f->set, field->value, n);
}

static void
note(struct ses_fields *f, struct walk *w, const struct field *field)
{
	const struct kind *k = field->kind;
	size_t i = k != NULL ? (size_t)(k - kinds) : 0;

	if (field->dropped) {
		f->changed = true;
		if (k != NULL && k->treatment == SET)
			note_set(f, field);
	} else if (k != NULL && w->first[i] == NULL) {
		w->first[i] = field->p;
	} else if (k != NULL && is_refused(w, k)) {
		f->refused = k->name;
	} else if (k != NULL && w->repair) {
		w->twice[i] = f->changed = true;
		f->repaired++;
	}
}

static void
look(struct ses_fields *f, struct walk *w)
{
	struct field field;

	for (const char *p = w->header; p < w->end && f->refused == NULL;
	     p = field.end) {
		read_field(p, w->end, &field);
		note(f, w, &field);
	}
}

/* -- the second: what goes out -------------------------------------------- */

/* A list that ends in a comma would get two. */
static const char *
list_end(const struct field *f)
{
	const char *end = f->value_end;

	while (end > f->value && (end[-1] == ',' || is_blank(end[-1])))
		end--;
	return end;
}

static bool
is_same(const struct field *a, const struct field *b)
{
	size_t n = (size_t)(a->value_end - a->value);

	return n == (size_t)(b->value_end - b->value) &&
	       memcmp(a->value, b->value, n) == 0;
}

/* Each list on a line of its own. */
static void
join(struct str *out, const struct walk *w, const struct field *first)
{
	struct field f = *first;
	bool any = false;

	str_add(out, first->p, first->name_len);
	str_addc(out, ':');
	for (;;) {
		if (f.kind == first->kind && list_end(&f) > f.value &&
		    (f.p == first->p || !is_same(&f, first))) {
			str_adds(out, any ? ",\r\n " : " ");
			str_add(out, f.value, (size_t)(list_end(&f) - f.value));
			any = true;
		}
		if (f.end == w->end)
			break;
		read_field(f.end, w->end, &f);
	}
	str_adds(out, "\r\n");
}

static void
write_field(struct str *out, const struct walk *w, const struct field *f)
{
	size_t i = f->kind != NULL ? (size_t)(f->kind - kinds) : 0;

	if (f->dropped)
		return;
	if (f->kind == NULL || !w->twice[i])
		str_add(out, f->p, (size_t)(f->end - f->p));
	else if (w->first[i] != f->p)
		return;
	else if (f->kind->treatment == ONCE)
		str_add(out, f->p, (size_t)(f->end - f->p));
	else
		join(out, w, f);
}

void
ses_fields_make(
    struct ses_fields *f, const char *header, size_t len, bool repair)
{
	struct walk w = {
		.header = header, .end = header + len, .repair = repair
	};
	struct field field;

	memset(f, 0, sizeof(*f));
	str_init(&f->out);
	look(f, &w);
	if (f->refused != NULL || !f->changed)
		return;
	str_reserve(&f->out, len);
	for (const char *p = header; p < w.end; p = field.end) {
		read_field(p, w.end, &field);
		write_field(&f->out, &w, &field);
	}
}

void
ses_fields_clear(struct ses_fields *f)
{
	str_release(&f->out);
}
