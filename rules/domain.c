/*
 * domain.c - what a rule set knows of a domain, a mailbox, a carrier; and the
 * atoms of each.
 *
 * Suffixes match on label borders only: the walk goes from the last label to
 * the first and looks each whole suffix up once, with the hash it has so far
 * (hash_int.h).
 */
#include "rules/ruleset_int.h"

#include <string.h>

#include "rules/hash_int.h"

/* clang-format off */
#define GROW(array, room, n) \
	((array) = rules_grow((array), &(room), (n), sizeof(*(array))))
/* clang-format on */

uint32_t
domain_put(struct ruleset *rs, const char *text, size_t len)
{
	uint32_t number = table_put(&rs->domains, &rs->arena, text, len);

	GROW(rs->domain, rs->domain_room, rs->domains.n);
	return number;
}

uint32_t
address_put(struct ruleset *rs, const char *text, size_t len)
{
	const char *domain = (const char *)memrchr(text, '@', len) + 1;
	uint32_t number = table_put(&rs->addresses, &rs->arena, text, len);
	uint32_t host;

	host = domain_put(rs, domain, len - (size_t)(domain - text));
	rs->domain[host].addresses = true;
	GROW(rs->address, rs->address_room, rs->addresses.n);
	return number;
}

uint32_t
carrier_put(struct ruleset *rs, const char *name, size_t len)
{
	uint32_t number = table_put(&rs->carriers, &rs->arena, name, len);

	GROW(rs->carrier, rs->carrier_room, rs->carriers.n);
	return number;
}

uint32_t
group_put(struct ruleset *rs, const char *name, size_t len)
{
	uint32_t number = table_put(&rs->groups, &rs->arena, name, len);

	GROW(rs->group, rs->group_room, rs->groups.n);
	return number;
}

uint32_t
path_put(struct ruleset *rs, const char *name, size_t len)
{
	uint32_t number = table_put(&rs->paths, &rs->arena, name, len);

	GROW(rs->path, rs->path_room, rs->paths.n);
	return number;
}

uint32_t
plan_put(struct ruleset *rs, const char *name, size_t len)
{
	uint32_t number = table_put(&rs->plans, &rs->arena, name, len);

	GROW(rs->plan, rs->plan_room, rs->plans.n);
	return number;
}

uint32_t *
name_put(struct ruleset *rs, enum subject subject, const char *name, size_t len)
{
	uint32_t number = table_put(&rs->names[subject], &rs->arena, name, len);

	GROW(rs->name_atom[subject], rs->name_room[subject],
	    rs->names[subject].n);
	return &rs->name_atom[subject][number];
}

uint32_t
atom_new(struct ruleset *rs)
{
	GROW(rs->atom, rs->atom_room, rs->natom + 1);
	rs->atom[rs->natom].rule = NONE;
	return (uint32_t)rs->natom++;
}

/* ---- the index ---- */

static size_t
first_spot(const struct ruleset *rs, uint32_t hash)
{
	/* FNV's low bits are its weakest. */
	return (hash ^ (hash >> 15)) & (rs->spots - 1);
}

static void
put_spot(struct ruleset *rs, uint32_t number)
{
	const struct table_name *name = &rs->domains.name[number];
	const struct domain *d = &rs->domain[number];
	size_t i = first_spot(rs, name->hash);
	struct spot *s;

	while (rs->spot[i].number != 0)
		i = (i + 1) & (rs->spots - 1);
	s = &rs->spot[i];
	s->hash = name->hash;
	s->number = number + 1;
	s->self.atom = d->self.atom;
	s->self.site = d->self.site;
	s->self.hint = d->self.hint;
	s->below.atom = d->below.atom;
	s->below.site = d->below.site;
	s->below.hint = d->below.hint;
	s->len = (uint8_t)name->len;
	s->addresses = d->addresses;
	memcpy(
	    s->text, name->text, name->len < SPOT_TEXT ? name->len : SPOT_TEXT);
}

void
domain_index(struct ruleset *rs)
{
	rs->spots = 64;
	while (rs->spots < rs->domains.n * 2)
		rs->spots *= 2;
	rs->spot = rules_alloc_lines(rs->spots * sizeof(*rs->spot));
	for (uint32_t i = 0; i < rs->domains.n; i++)
		put_spot(rs, i);
}

static bool
is_spot(const struct ruleset *rs, const struct spot *s, const char *text,
    size_t len)
{
	if (s->len != len)
		return false;
	if (len <= SPOT_TEXT)
		return memcmp(s->text, text, len) == 0;
	return memcmp(rs->domains.name[s->number - 1].text, text, len) == 0;
}

static const struct spot *
find_spot(const struct ruleset *rs, const char *text, size_t len, uint32_t hash)
{
	size_t i = first_spot(rs, hash);

	for (; rs->spot[i].number != 0; i = (i + 1) & (rs->spots - 1))
		if (rs->spot[i].hash == hash &&
		    is_spot(rs, &rs->spot[i], text, len))
			return &rs->spot[i];
	return NULL;
}

size_t
domain_spots(const struct ruleset *rs, const char *domain,
    const struct spot **spot, bool *self, uint32_t *hash)
{
	size_t len = strlen(domain), n = 0;
	uint32_t h = HASH_START;
	const struct spot *found;

	for (size_t i = len; i-- > 0;) {
		if (domain[i] == '.' && n < ATOMS_MAX - 1) {
			found = find_spot(rs, domain + i + 1, len - i - 1, h);
			if (found != NULL)
				spot[n++] = found;
		}
		h = hash_step(h, (unsigned char)domain[i]);
	}
	*hash = h;
	found = find_spot(rs, domain, len, h);
	*self = found != NULL;
	if (found != NULL)
		spot[n++] = found;
	return n;
}

/* ---- what a mailbox has ---- */

static bool
same_local(const char *folded, const char *local, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (folded[i] != (char)ascii_lower((unsigned char)local[i]))
			return false;
	return true;
}

/* The atom of local@domain; hash is the domain's, and goes on through '@' and
 * the local part. */
static uint32_t
address_atom(const struct ruleset *rs, const char *local, const char *domain,
    uint32_t hash)
{
	size_t nlocal = strlen(local), ndomain = strlen(domain), at = 0;
	const struct table_name *key;
	uint32_t number;

	hash = hash_step(hash, '@');
	for (size_t i = nlocal; i-- > 0;)
		hash = hash_step(hash, ascii_lower((unsigned char)local[i]));
	while (
	    (number = table_probe(&rs->addresses, hash, &at)) != TABLE_NONE) {
		key = &rs->addresses.name[number];
		if (key->len == nlocal + 1 + ndomain &&
		    key->text[nlocal] == '@' &&
		    same_local(key->text, local, nlocal) &&
		    memcmp(key->text + nlocal + 1, domain, ndomain) == 0)
			return rs->address[number];
	}
	return ATOM_NO;
}

static void
add_atom(struct sighting *s, uint32_t atom)
{
	if (atom != ATOM_NO && s->n < ATOMS_MAX)
		s->atom[s->n++] = atom;
}

void
domain_see(const struct ruleset *rs, const char *local, const char *domain,
    struct sighting *s)
{
	const struct spot *spot[ATOMS_MAX];
	uint32_t hash, site = 0, hint = 0;
	bool self;
	size_t n;

	s->n = 0;
	add_atom(s, ATOM_ANY);
	if (domain[0] == '\0' && local != NULL && local[0] == '\0')
		add_atom(s, ATOM_NULL_PATH);
	n = domain_spots(rs, domain, spot, &self, &hash);
	if (local != NULL && self && spot[n - 1]->addresses)
		add_atom(s, address_atom(rs, local, domain, hash));
	/* The most specific first, should a hostile domain have too many. */
	for (size_t i = n; i-- > 0;) {
		bool is_self = self && i == n - 1;

		add_atom(s, is_self ? spot[i]->self.atom : spot[i]->below.atom);
		if (site == 0)
			site =
			    is_self ? spot[i]->self.site : spot[i]->below.site;
		if (hint == 0)
			hint =
			    is_self ? spot[i]->self.hint : spot[i]->below.hint;
	}
	s->site = site > 0 ? &rs->site[site - 1] : NULL;
	s->hint = hint > 0 ? &rs->hint[hint - 1] : NULL;
	if (s->site != NULL) {
		add_atom(s, ATOM_ANY_CARRIER);
		add_atom(s, rs->carrier[s->site->carrier_number].atom);
	}
}

/* Where the word ends: at the comma, or at the end of the text. */
static void
see_tags(const struct ruleset *rs, const char *tags, struct sighting *s)
{
	size_t len;
	uint32_t i;

	for (; *tags != '\0'; tags += len + (tags[len] == ',')) {
		len = strcspn(tags, ",");
		i = table_get(&rs->names[SUBJECT_TAG], tags, len);
		if (i != TABLE_NONE)
			add_atom(s, rs->name_atom[SUBJECT_TAG][i]);
	}
}

static void
see_name(const struct ruleset *rs, enum subject subject, const char *name,
    struct sighting *s)
{
	uint32_t i = table_get(&rs->names[subject], name, strlen(name));

	if (i != TABLE_NONE)
		add_atom(s, rs->name_atom[subject][i]);
	if (subject == SUBJECT_USER && name[0] != '\0')
		add_atom(s, ATOM_ANY_USER);
}

static const char *
text(const char *s)
{
	return s != NULL ? s : "";
}

void
subject_see(const struct ruleset *rs, enum subject subject,
    const struct rules_query *q, struct sighting *s)
{
	s->n = 0;
	switch (subject) {
	case SUBJECT_TO:
		domain_see(rs, text(q->to_local), text(q->to_domain), s);
		break;
	case SUBJECT_FROM:
		domain_see(rs, text(q->from_local), text(q->from_domain), s);
		break;
	case SUBJECT_HEADER_FROM:
		domain_see(rs, NULL, text(q->header_from), s);
		break;
	case SUBJECT_USER:
		see_name(rs, subject, text(q->user), s);
		break;
	case SUBJECT_LISTENER:
		see_name(rs, subject, text(q->listener), s);
		break;
	case SUBJECT_TAG:
		see_tags(rs, text(q->tags), s);
		break;
	case SUBJECTS:
		break;
	}
}
