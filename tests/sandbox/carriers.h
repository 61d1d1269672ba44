/*
 * carriers.h - what the receiving systems of the fake internet are and say, as tables.
 *
 * A system is one receiving mail system with an address of its own. A scenario is what a system
 * does for a recipient whose local part begins with a word; a mood is what it does to everybody.
 * Texts may hold {addr} (the recipient), {domain} (of the sender), {ip} (the client), {host}.
 */
#ifndef TESTS_SANDBOX_CARRIERS_H
#define TESTS_SANDBOX_CARRIERS_H

#include <stdbool.h>
#include <stddef.h>

/* Where in the dialogue. */
enum stage { AT_CONNECT, AT_AUTH, AT_MAIL, AT_RCPT, AT_DATA, AT_BODY, AT_DOT };
const char *stage_name(enum stage);

struct answer {
	int code;
	const char *enhanced; /* sent only where ENHANCEDSTATUSCODES is on; may be NULL */
	const char *text;     /* "" for a bare code */
};

enum action {
	DO_REPLY,   /* the answer */
	DO_CUT,     /* the answer, then close */
	DO_NOTE,    /* accept; the journal's `what` is the answer's text */
	DO_CLOSE,   /* close without a reply */
	DO_RESET,   /* TCP RST without a reply */
	DO_SLOW,    /* each reply comes late */
	DO_DRIP,    /* each reply comes byte by byte */
	DO_ENDLESS, /* a reply of lines without end */
	DO_HUGE,    /* a reply of 1 GB in lines */
	DO_LONG,    /* a reply of 1 GB in one line */
	DO_SILENCE, /* say nothing, for ever */
	DO_DOWN,    /* the port is closed */
};

/* What the digits behind a scenario's word mean. */
enum number {
	NUM_NONE,  /* nothing: unknown17 and unknown are the same scenario */
	NUM_TIMES, /* it happens that many times for the address, then the address is ordinary */
	NUM_MS,    /* milliseconds */
};

struct scenario {
	const char *word;
	const char *system; /* name of the system it is for; NULL: every one */
	enum stage stage;
	enum action action;
	struct answer answer;
	enum number number;
	unsigned preset; /* the number when there are no digits; 0 times means always */
};

struct mood {
	const char *name;
	const char *system;
	enum stage stage;
	enum action action;
	struct answer answer;
};

/* clang-format off */
enum feature {
	FEATURE_STARTTLS   = 1 << 0,
	FEATURE_PIPELINING = 1 << 1,
	FEATURE_SIZE       = 1 << 2,
	FEATURE_8BITMIME   = 1 << 3,
	FEATURE_DSN        = 1 << 4,
	FEATURE_SMTPUTF8   = 1 << 5,
	FEATURE_ENHANCED   = 1 << 6,
	FEATURE_RAWDOTS    = 1 << 7, /* takes a..b@ as it is */
	FEATURE_QUOTED     = 1 << 8, /* takes "a..b"@ */
	FEATURE_SENDER     = 1 << 9, /* refuses a sender's domain that the sandbox's DNS lacks */
};
/* clang-format on */

struct feature_row {
	enum feature bit;
	const char *name;    /* in the control protocol */
	const char *keyword; /* in the answer to EHLO; NULL: not announced */
};
extern const struct feature_row features[]; /* ends with name NULL */

struct limits { /* 0: none */
	size_t size;             /* bytes of a message */
	size_t line;             /* bytes of a line with its CRLF */
	unsigned rcpts_message;  /* recipients of a message */
	unsigned rcpts_session;  /* recipients of a session; then cut and withdrawn */
	unsigned messages;       /* messages of a session; then 421 */
	unsigned connections;    /* at the same time; then 421 */
};

struct system {
	const char *name;
	const char *host;
	const char *address;
	bool any_domain; /* false: only the domains of the table `domains` */
	bool ses;
	bool needs_headers; /* From and Message-ID must be there and not empty */
	unsigned features;
	struct limits limits;
	const char *greeting;
	const char *accepted; /* text of the 250 after the message */
	struct answer busy;   /* too many connections or messages */
	struct answer no_rcpt;
	struct answer too_many; /* recipients of a message */
	struct answer long_line;
};
extern const struct system systems[]; /* ends with name NULL */

/* The system that takes mail for a lower-case domain, NULL when no carrier does. */
struct domain_row {
	const char *name; /* ".example.jp" stands for its sub-domains */
	const char *system;
};
extern const struct domain_row domains[]; /* ends with name NULL */
const char *domain_system(const char *domain);

#define SCENARIO_WORD 24
/* The word of a local part, in lower case; the number behind it, or 0. */
unsigned scenario_word(const char *address, char word[static SCENARIO_WORD], bool *digits);
/* The row for a local part at a system, NULL when it is an ordinary one. Sets *number. */
const struct scenario *scenario_find(const char *system, const char *address, unsigned *number);
/* "normal" is never a row: NULL with *known true. */
const struct mood *mood_find(const char *system, const char *name, bool *known);

#endif
