/*
 * zone.h - the names of the fake internet and their records.
 *
 * Names are lower-case text without the final dot; the root is "". A name may be a wildcard
 * ("*.biz.au.com"). A name's ancestors exist too, without records, as in any real zone.
 */
#ifndef TESTS_SANDBOX_ZONE_H
#define TESTS_SANDBOX_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"
#include "mta/base/str.h"

#define ZONE_NAME_MAX 255

enum record_type {
	TYPE_A = 1,
	TYPE_NS = 2,
	TYPE_CNAME = 5,
	TYPE_SOA = 6,
	TYPE_PTR = 12,
	TYPE_MX = 15,
	TYPE_TXT = 16,
	TYPE_AAAA = 28,
	TYPE_ANY = 255,
};

/* How a name is answered for. */
enum name_mood { NAME_NORMAL, NAME_SERVFAIL, NAME_TIMEOUT, NAME_NXDOMAIN };

struct record {
	struct record *next;
	uint16_t type;
	uint16_t rdlen;
	unsigned char rdata[]; /* wire form, names uncompressed */
};

struct name {
	struct record *records; /* in the order added */
	enum name_mood mood;
};

struct zone;

struct zone *zone_new(void); /* with the built-in names, see zone.c */

/* Adds "NAME TYPE VALUE": A, AAAA, MX, TXT, PTR, NS, CNAME; or "NAME SERVFAIL|TIMEOUT|NXDOMAIN"
 * to spoil a name. A TXT value may stand in quotes and may be long. A record brings a name that was
 * deleted back. 0 or -1. */
int zone_add(struct zone *, const char *line, struct err *);
/* A file of such lines; '#' starts a comment line. */
int zone_load(struct zone *, const char *path, struct err *);
/* Takes all records of a name away; it does not exist afterwards. */
void zone_delete(struct zone *, const char *name);

/* The name, by itself or by a wildcard; NULL when it does not exist. */
const struct name *zone_find(const struct zone *, const char *name);

/* Text to wire form, appended; -1 when it is no domain name. */
int zone_wire_name(const char *name, struct str *);

#endif
