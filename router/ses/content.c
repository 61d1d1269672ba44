/*
 * content.c - what of a message goes to SES, whichever transport carries it.
 *
 * content_fields.c does the header; here the configuration set and the tags are
 * chosen from what the application, the rule and the path say.
 */
#include "router/ses/content.h"

#include "mta/base/alloc.h"
#include "mta/base/log.h"
#include "router/body.h"
#include "router/config.h"
#include "router/header_filter.h"
#include "router/ses/content_fields.h"
#include "router/ses/event.h"
#include "router/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 256 /* bytes of a tag's name, and of its value */

/* -- tags ----------------------------------------------------------------- */

static bool
has_tag(const struct ses_content *c, const char *name, size_t len)
{
	for (size_t i = 0; i < c->ntags; i++)
		if (strncmp(c->tag[i].name, name, len) == 0 &&
		    c->tag[i].name[len] == '\0')
			return true;
	return false;
}

/* The store has room for it. */
static const char *
keep_word(struct ses_content *c, const char *p, size_t len)
{
	const char *kept = c->store.data + c->store.len;

	str_add(&c->store, p, len);
	str_add(&c->store, "", 1);
	return kept;
}

/* "name=value". What SES would not take is left out: a message is not refused
 * for it. */
static void
add_tag(struct ses_content *c, const char *p, size_t len)
{
	const char *equals = memchr(p, '=', len);
	size_t name = equals != NULL ? (size_t)(equals - p) : 0;
	const char *value = p + name + 1;
	size_t value_len = equals != NULL ? len - name - 1 : 0;

	if (!ses_is_word(p, name, WORD_MAX) ||
	    !ses_is_word(value, value_len, WORD_MAX) ||
	    c->ntags == SES_TAGS_MAX) {
		log_text(LOG_DEBUG, "tag_dropped", "SES takes no tag '%.*s'",
		    (int)len, p);
		return;
	}
	if (has_tag(c, p, name))
		return;
	c->tag[c->ntags].name = keep_word(c, p, name);
	c->tag[c->ntags].value = keep_word(c, value, value_len);
	c->ntags++;
}

/* With commas between, as message.tags has them. */
static void
add_tags_of_message(struct ses_content *c, const char *tags)
{
	while (*tags != '\0') {
		size_t n = strcspn(tags, ",");

		if (n > 0)
			add_tag(c, tags, n);
		tags += n + (tags[n] == ',');
	}
}

static void
add_tags_of_path(struct ses_content *c, const struct config_path *path)
{
	for (size_t i = 0; i < path->ntags; i++)
		add_tag(c, path->tags[i], strlen(path->tags[i]));
}

/* Tags are pointed to, so the store must not move: each "n=v" and its ','
 * become two words. */
static void
make_room(struct ses_content *c, const struct message *m,
    const struct config_path *path)
{
	size_t room = strlen(m->tags) + 1 + sizeof(SES_TAG_ID) + SES_TAG_ID_MAX;

	for (size_t i = 0; i < path->ntags; i++)
		room += strlen(path->tags[i]) + 1;
	str_reserve(&c->store, room);
}

/* Of two with one name the earlier counts, and ours is the first of all. */
static void
choose_tags(
    const struct session *s, const struct delivery *d, struct ses_content *c)
{
	char id[SES_TAG_ID_MAX];

	make_room(c, d->message, s->path);
	ses_tag_id(d->message->id, d->recipients[0]->index, id);
	c->tag[0].name = keep_word(c, SES_TAG_ID, strlen(SES_TAG_ID));
	c->tag[0].value = keep_word(c, id, strlen(id));
	c->ntags = 1;
	if (!s->path->application_wins)
		add_tags_of_path(c, s->path);
	add_tags_of_message(c, d->message->tags);
	if (s->path->application_wins)
		add_tags_of_path(c, s->path);
}

/* -- the configuration set ------------------------------------------------ */

static const char *
choose_set(
    const struct session *s, const struct delivery *d, const char *application)
{
	const char *own = d->route.configuration_set[0] != '\0'
			      ? d->route.configuration_set
			      : s->path->configuration_set;

	if (application[0] != '\0' &&
	    (own == NULL || s->path->application_wins))
		return application;
	return own;
}

/* -- the whole ------------------------------------------------------------ */

static int
refuse(struct outcome *why, const char *enhanced, const char *text,
    const char *subject)
{
	outcome_set(
	    why, SCOPE_MESSAGE, STAGE_NONE, true, "%s%s", text, subject);
	strcpy(why->enhanced, enhanced);
	return 1;
}

uint64_t
ses_content_size(const struct ses_content *c)
{
	return c->content.head_len + c->content.length;
}

static bool
is_too_big(const struct session *s, const struct ses_content *c)
{
	uint64_t n = ses_content_size(c);

	if (s->path->transport == SES_API)
		n = (n + 2) / 3 * 4;
	return n > SES_MESSAGE_MAX;
}

/* What SES would say of the whole, known before it is sent. */
static int
judge(const struct session *s, const struct delivery *d,
    const struct ses_content *c, const struct ses_fields *f,
    struct outcome *why)
{
	if (f->refused != NULL)
		return refuse(why, "5.6.0",
		    "SES takes one field of that name only: ", f->refused);
	if (d->message->smtputf8)
		return refuse(why, "5.6.7",
		    "the message needs SMTPUTF8, which SES does not know", "");
	if (is_too_big(s, c))
		return refuse(
		    why, "5.3.4", "the message is larger than SES takes", "");
	return 0;
}

static void
take_header(struct ses_content *c, struct ses_fields *f, size_t header_size)
{
	c->repaired = f->repaired;
	if (!f->changed)
		return;
	c->head = f->out;
	str_init(&f->out);
	c->content.head = c->head.data;
	c->content.head_len = c->head.len;
	c->content.offset = header_size;
	c->content.length -= header_size;
}

int
ses_content_make(const struct session *s, const struct delivery *d,
    struct ses_content *c, struct outcome *why, struct err *e)
{
	size_t header_size = d->message->header_size;
	struct ses_fields f;
	const char *header;
	char *copy;

	memset(c, 0, sizeof(*c));
	str_init(&c->head);
	str_init(&c->store);
	header = header_borrow(d->body, header_size, &copy, e);
	if (header == NULL)
		return -1;
	ses_fields_make(&f, header, header_size, s->path->repair_headers);
	free(copy);
	body_content(d->body, &c->content);
	take_header(c, &f, header_size);
	ses_fields_clear(&f);
	if (judge(s, d, c, &f, why) != 0)
		return 1;
	c->configuration_set = xstrdup(choose_set(s, d, f.set));
	choose_tags(s, d, c);
	return 0;
}

void
ses_content_clear(struct ses_content *c)
{
	str_release(&c->head);
	str_release(&c->store);
	free(c->configuration_set);
	c->configuration_set = NULL;
	c->ntags = 0;
}
