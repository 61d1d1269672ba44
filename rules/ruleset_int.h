/*
 * ruleset_int.h - the inside of a rule set, shared by the files of rules/.
 *
 * parse*.c fill it, compile.c makes the tables that decide.c reads, and from then on nothing in it
 * changes but the reference count.
 *
 * Matching. What a condition can name - an address, a domain, the sub-domains of one, a carrier, any
 * carrier, anybody, the null path, a user, a listener, a tag - is an *atom*, a small number. What a
 * condition looks at is its *subject*: recipient, sender, header From, user, listener, tags. A query has
 * few atoms of each subject: a mailbox has its own address, its domain, each suffix of it, its
 * carrier.
 *
 * A rule that asks for nothing but a recipient and a sender is *plain*: it holds when one atom of the
 * recipient and one of the sender stand together in it, so the first plain rule is the least over a
 * handful of look-ups, however many rules there are. Any other rule *hangs* from one of its
 * conditions, the most telling one: it is looked at only when an atom of that condition is there, or
 * a pattern of it may match, and then all its conditions are asked.
 */
#ifndef RULES_RULESET_INT_H
#define RULES_RULESET_INT_H

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

#include "rules/arena_int.h"
#include "rules/lex_int.h"
#include "rules/pattern_int.h"
#include "rules/rules.h"
#include "rules/table_int.h"

#define NONE UINT32_MAX

#define PATTERNS_MEMORY_MAX (64u << 20) /* bytes of all compiled patterns */

enum {
	ATOM_NO = 0,      /* nothing names it */
	ATOM_ANY,
	ATOM_ANY_CARRIER,
	ATOM_NULL_PATH,
	ATOM_ANY_USER,
	ATOM_FIRST,
};

enum subject {
	SUBJECT_TO,
	SUBJECT_FROM,
	SUBJECT_HEADER_FROM, /* the last that patterns can look at */
	SUBJECT_USER,
	SUBJECT_LISTENER,
	SUBJECT_TAG,
	SUBJECTS
};
#define PATTERN_SUBJECTS (SUBJECT_HEADER_FROM + 1)

struct atom {
	uint32_t rule;  /* the first plain one with this as recipient whoever sends, or NONE */
	bool paired;    /* some plain rule has it as recipient together with a sender */
	uint8_t hung;   /* bit 1 << subject: rules hang from it there */
};

/* A table from two small numbers to one; first == ATOM_NO: a free slot. */
struct pair {
	uint32_t first, second, value;
};
struct pairs {
	struct pair *slot;
	size_t n, slots; /* slots: a power of two */
};

struct target {
	const char *path, *pool, *configuration_set;
	unsigned share;    /* 1/100 % */
	bool regular_only; /* takes no irregular local part */
};

/* One of a condition's alternatives, and where the rule's file says so. */
struct member {
	uint32_t atom, at;
};

enum condition_kind {
	/* A subject: one of its atoms is among the members, or one of the patterns matches. */
	CONDITION_TO = SUBJECT_TO,
	CONDITION_FROM = SUBJECT_FROM,
	CONDITION_HEADER_FROM = SUBJECT_HEADER_FROM,
	CONDITION_USER = SUBJECT_USER,
	CONDITION_LISTENER = SUBJECT_LISTENER,
	CONDITION_TAG = SUBJECT_TAG,
	CONDITION_SIZE_ABOVE = SUBJECTS,
	CONDITION_SIZE_BELOW,
	CONDITION_IRREGULAR,
};

struct condition {
	enum condition_kind kind;
	bool negated;
	uint32_t at, len;        /* its text in the rule's file, `not` included */
	struct member *member;   /* by atom once compiled */
	size_t n, room;
	uint32_t pattern, npattern; /* consecutive ones of the set */
	uint64_t size;
};

/* Where a rule leads. What a decision reads of a rule stands in an array of its own: in a
 * large set each line of the processor's cache is a wait. */
struct way {
	union {
		const struct target *target; /* of RULES_VIA; alike ones are shared (keep_targets) */
		const char *text;            /* of RULES_REJECT */
	};
	const char *fallback;        /* see rules_decision */
	uint32_t ntarget;
	uint8_t action, local_part;  /* enum rules_action, enum rules_local_part */
	bool fallback_regular_only;
	bool transactional;
};

struct route {
	struct rule rule;
	struct way way;
	struct condition *condition; /* none: everything */
	size_t ncondition, condition_room;
	const struct source *source;
	uint32_t at;                 /* of its name */
};

/* A carrier's membership: `carrier NAME group GROUP` */
struct site {
	const char *carrier, *group;
	uint32_t carrier_number, group_number;
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
	bool defined, used;          /* used: a route or a shape names it */
	const struct source *source; /* where its name stands first */
	uint32_t at, line;
	struct rules_shape *shape;
};

struct group {
	bool defined, used;
	struct rules_shape *shape;
	uint32_t reply; /* the last line of it, see struct reply */
};

/* Of a reply's code: 200 to 599, 4 and 5 for any of that class, or one of these. */
enum {
	CODE_ANY = 0, /* of class 4 and 5, or no reply */
	CODE_NONE = 1,
	CODE_RESET = 2,
};

/* A `reply` line. Those of one group are a chain from the last to the first. */
struct reply {
	struct rules_reply reply;
	uint32_t before;  /* number of the line before, from 1; 0: there is none */
	uint32_t pattern; /* or NONE */
	uint16_t stages, code;
	uint32_t group;   /* NONE: any */
	const char *text; /* of the pattern, with its flags: text_len bytes */
	size_t text_len;
	const struct source *source;
	uint32_t at;      /* of the group's name */
};

/* A `warm-up` plan; once all is read, each is defined. */
struct plan {
	struct rules_warm_up plan;
	bool defined, used; /* used: a shape names it */
	const struct source *source; /* where its name stands in the line that holds */
	uint32_t at;
};

struct path {
	bool regular_only;
	struct rules_shape *shape;
};

struct hint {
	const char *text;
	struct rules_origin origin;
};

/* Rules that hang from patterns of one subject, in their order. */
struct hung_patterns {
	struct sieve *sieve;
	uint32_t *pattern, *rule;
	size_t n, pattern_room, rule_room;
};

#define RECENT 8

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
	struct way *way;           /* of each route, once compiled */
	const struct target *recent[RECENT]; /* single targets of the latest rules, to be shared */
	size_t nrecent;
	uint32_t *on_content;      /* rules that ask for more than the envelope */
	size_t non_content, on_content_room;
	bool any_carrier;          /* some rule says `carrier *` */

	struct pattern **pattern;
	size_t npattern, pattern_room, pattern_memory;

	/* Each table's names number the array beside it. */
	struct table domains, addresses, carriers, groups, paths;
	struct table names[SUBJECTS]; /* users, listeners, tags; of these subjects only */
	uint32_t *name_atom[SUBJECTS];
	size_t name_room[SUBJECTS];
	struct domain *domain;
	size_t domain_room;
	struct spot *spot; /* the domains again, for decisions: once compiled */
	size_t spots;      /* a power of two */
	uint32_t *address; /* atoms; the key is local@domain in lower case */
	size_t address_room;
	struct carrier *carrier;
	size_t carrier_room;
	struct group *group;
	size_t group_room;
	struct path *path;
	size_t path_room;

	struct table plans;
	struct plan *plan;
	size_t plan_room;

	struct reply *reply;
	size_t nreply, reply_room;
	uint32_t any_reply;        /* the last line of `any` */

	struct site *site;
	size_t nsite, site_room;
	struct hint *hint;
	size_t nhint, hint_room;
	struct rules_shape default_shape;
	struct rules_use *use;
	size_t nuse, use_room;

	struct atom *atom;
	size_t natom, atom_room;
	struct pairs plain;         /* recipient atom and sender atom: the first plain rule */
	struct pairs hung;          /* atom and subject: where its list begins in hung_rule */
	uint32_t *hung_rule;        /* lists of rules in their order, each ended by NONE */
	size_t nhung;
	bool hangs[SUBJECTS];       /* some rule hangs from an atom of it */
	struct hung_patterns hung_patterns[PATTERN_SUBJECTS];
};

/* local@domain. No pattern looks at one that is longer, which no address that was parsed is. */
#define SUBJECT_TEXT_MAX 640

/* What a mailbox has, found by one walk over its domain. */
/* A domain with all that a decision asks of it, in one line of the cache. */
#define SPOT_TEXT 28
struct spot {
	uint32_t hash, number; /* number: of the domain, from 1; 0: a free slot */
	struct {
		uint32_t atom, site, hint;
	} self, below;
	uint8_t len;           /* of its name: 255 at most */
	bool addresses;
	char text[SPOT_TEXT];  /* of the name, as much as fits */
};
static_assert(sizeof(struct spot) == 64, "a spot is one line");

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
uint32_t plan_put(struct ruleset *, const char *name, size_t len);
/* The atom of a user, listener or tag; ATOM_NO while it has none. */
uint32_t *name_put(struct ruleset *, enum subject, const char *name, size_t len);
uint32_t atom_new(struct ruleset *);
/* Makes rs->spot; nothing below works before. */
void domain_index(struct ruleset *);
/*
 * The known spots of a domain, from the least specific suffix to the domain itself, which is there
 * only when *self says so; at most ATOMS_MAX. *hash is the domain's.
 */
size_t domain_spots(const struct ruleset *, const char *domain, const struct spot **, bool *self,
    uint32_t *hash);
/* local NULL: the domain alone, with no address atom. */
void domain_see(const struct ruleset *, const char *local, const char *domain, struct sighting *);

/* What a query has of one subject. */
void subject_see(const struct ruleset *, enum subject, const struct rules_query *, struct sighting *);

/* pairs.c */
void pairs_put(struct pairs *, uint32_t first, uint32_t second, uint32_t value); /* the first stays */
uint32_t pairs_get(const struct pairs *, uint32_t first, uint32_t second);       /* NONE: not there */
void pairs_clear(struct pairs *);

/* compile.c */
void compile(struct ruleset *);
bool route_is_plain(const struct route *);
/* The only condition of that kind of a plain rule, NULL: it has none, anybody. */
const struct condition *route_condition(const struct route *, enum condition_kind);

/*
 * condition.c: a query as conditions see it. Subjects are looked at when first asked for; early: what
 * the content says is not known.
 */
struct view {
	const struct ruleset *rs;
	const struct rules_query *query;
	struct sighting seen[SUBJECTS];
	bool has_seen[SUBJECTS];
	const char *text[PATTERN_SUBJECTS]; /* what patterns see */
	size_t len[PATTERN_SUBJECTS];
	bool has_text[PATTERN_SUBJECTS];
	char space[PATTERN_SUBJECTS][SUBJECT_TEXT_MAX];
	unsigned limited;         /* patterns given up */
	uint32_t limited_rule;
};
void view_init(struct view *, const struct ruleset *, const struct rules_query *);
const struct sighting *view_see(struct view *, enum subject);
/* What patterns see; *len is more than SUBJECT_TEXT_MAX when they see nothing. */
const char *view_text(struct view *, enum subject, size_t *len);
/* Counts a pattern of that rule as given up. */
void view_give_up(struct view *, uint32_t rule);
/* Whether the pattern matches; a limit counts against that rule. */
bool view_match(struct view *, enum subject, uint32_t pattern, uint32_t rule);
/* Whether the condition holds, `not` included. `known`: a pattern known to match, or NONE. */
bool condition_holds(struct view *, const struct condition *, uint32_t rule, uint32_t known);
bool is_on_content(const struct condition *); /* it asks for more than the envelope */
/* Whether the atom is among its members. */
bool condition_names(const struct condition *, uint32_t atom);
bool route_holds(struct view *, uint32_t rule, uint32_t known);

/* decide.c: the number of the rule that wins. */
uint32_t first_rule(struct view *);

#endif
