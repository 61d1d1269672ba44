/*
 * ruleset_int.h - the inside of a rule set, shared by the files of rules/.
 *
 * parse*.c fill it, compile.c makes the tables that decide.c reads, and from then on nothing in it
 * changes but the reference count.
 *
 * Matching. What a condition can name - an address, a domain, the sub-domains of one, a carrier, any
 * carrier, anybody, the null path - is an *atom*, a small number. A mailbox has few atoms: its own
 * address, its domain, each suffix of it, its carrier. A rule holds when one atom of the recipient
 * and one of the sender stand together in it, so the first rule is the least over a handful of
 * look-ups, however many rules there are.
 */
#ifndef RULES_RULESET_INT_H
#define RULES_RULESET_INT_H

#include <stdatomic.h>
#include <stdint.h>

#include "rules/arena_int.h"
#include "rules/lex_int.h"
#include "rules/rules.h"
#include "rules/table_int.h"

#define NONE UINT32_MAX

enum {
	ATOM_NO = 0,      /* nothing names it */
	ATOM_ANY,
	ATOM_ANY_CARRIER,
	ATOM_NULL_PATH,
	ATOM_FIRST,
};

struct atom {
	uint32_t rule;  /* the first with this as recipient whoever sends, or NONE */
	bool paired;    /* some rule has it as recipient together with a sender */
};

/* The first rule that has this recipient atom and this sender atom; to == ATOM_NO: a free slot. */
struct pair {
	uint32_t to, from, rule;
};

struct target {
	const char *path, *pool, *configuration_set;
	unsigned share; /* 1/100 % */
};

struct atoms {
	uint32_t *atom;
	size_t n, room;
};

struct route {
	struct rule rule;
	struct atoms to, from; /* empty: anybody */
	struct target *target;
	size_t ntarget, target_room;
};

/* A carrier's membership: `carrier NAME group GROUP` */
struct site {
	const char *carrier, *group;
	uint32_t carrier_number;
	struct rules_origin origin;
};

/* What is known of a domain itself, or of what lies below it. Numbers count from 1; 0 is nothing. */
struct place {
	uint32_t atom, site, hint;
	struct rules_shape *shape;
};

struct domain {
	struct place self, below;
	bool addresses; /* the address table holds mailboxes of this domain */
};

struct carrier {
	uint32_t atom;
	bool defined;
	struct rules_shape *shape;
};

struct group {
	bool defined;
	struct rules_shape *shape;
};

struct path {
	struct rules_shape *shape;
};

struct hint {
	const char *text;
	struct rules_origin origin;
};

struct ruleset {
	atomic_uint refs;
	struct arena arena;
	char version[13];

	struct source **source;
	size_t nsource, source_room;
	struct rules_file *file; /* the same for others; once all are read */

	struct route *route;
	size_t nroute, route_room;
	const struct rule **rule; /* points into route */

	/* Each table's names number the array beside it. */
	struct table domains, addresses, carriers, groups, paths;
	struct domain *domain;
	size_t domain_room;
	uint32_t *address; /* atoms; the key is local@domain in lower case */
	size_t address_room;
	struct carrier *carrier;
	size_t carrier_room;
	struct group *group;
	size_t group_room;
	struct path *path;
	size_t path_room;

	struct site *site;
	size_t nsite, site_room;
	struct hint *hint;
	size_t nhint, hint_room;
	struct rules_shape default_shape;
	struct rules_use *use;
	size_t nuse, use_room;

	struct atom *atom;
	size_t natom, atom_room;
	struct pair *pair;
	size_t npair, pairs; /* in use; slots, a power of two */
};

/* What a mailbox has, found by one walk over its domain. */
#define ATOMS_MAX 136 /* any, carrier, any carrier, address, domain, and the suffixes of 255 bytes */
struct sighting {
	uint32_t atom[ATOMS_MAX];
	size_t n;
	const struct site *site;
	const struct hint *hint;
};

/* domain.c */
uint32_t domain_put(struct ruleset *, const char *text, size_t len);
uint32_t address_put(struct ruleset *, const char *text, size_t len); /* local@domain, lower case */
uint32_t carrier_put(struct ruleset *, const char *name, size_t len);
uint32_t group_put(struct ruleset *, const char *name, size_t len);
uint32_t path_put(struct ruleset *, const char *name, size_t len);
uint32_t atom_new(struct ruleset *);
/*
 * The known places of a domain, from the least specific suffix to the domain itself; at most
 * ATOMS_MAX. *self is the domain's number when it is known itself, else NONE, and *hash its hash.
 */
size_t domain_places(const struct ruleset *, const char *domain, const struct place **,
    uint32_t *self, uint32_t *hash);
/* local NULL: the domain alone, with no address atom. */
void domain_see(const struct ruleset *, const char *local, const char *domain, struct sighting *);

/* compile.c */
void compile(struct ruleset *);
uint32_t pair_rule(const struct ruleset *, uint32_t to, uint32_t from);

#endif
