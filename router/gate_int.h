/*
 * gate_int.h - the gate's inside: what was found (gate_findings.c), the thread that finds it
 * (gate_thread.c), of whom and what is asked (gate_request.c), who waits for a check
 * (gate_subject.c), when it is made and what follows from it (gate_turn.c), what is kept of it
 * (gate_kept.c), and who may go (gate.c).
 */
#ifndef ROUTER_GATE_INT_H
#define ROUTER_GATE_INT_H

#include <event2/util.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "mta/base/inbox.h"
#include "mta/base/net.h"
#include "mta/base/str.h"
#include "mta/preflight/preflight.h"
#include "router/gate.h"

struct config;
struct config_path;
struct event;
struct map;

/* -- findings ------------------------------------------------------------------------------------ */

struct gate_finding {
	struct finding f; /* its strings are the list's own */
	bool closes;
};

struct gate_findings {
	struct gate_finding *list;
	size_t n;
};

void gate_findings_add(struct gate_findings *, const struct finding *, bool closes);
void gate_findings_clear(struct gate_findings *);
/*
 * Decides which of what a check found closes. What it could not look at stands as it was `before`:
 * findings of then that still close are added. `known`: there was a check before this one; if not,
 * what could not be looked at closes too.
 */
void gate_findings_decide(struct gate_findings *, const struct gate_findings *before, bool known);
/* For whom it closes: a finding that matters to every receiver closes for others than the carriers. */
enum { GATE_OTHERS = PREFLIGHT_ALL + 1, GATE_ALL = PREFLIGHT_ALL | GATE_OTHERS };
unsigned gate_finding_bits(const struct gate_finding *);
/* For whom any of them closes. */
unsigned gate_findings_closed(const struct gate_findings *);
/* The first that closes for all of these carriers; NULL: none. */
const struct finding *gate_findings_against(const struct gate_findings *, unsigned carriers);

/* Those that close, as text for the store, and back. -1: it is not such a text. */
char *gate_findings_text(const struct gate_findings *, int64_t at);
int gate_findings_read(const char *text, struct gate_findings *, int64_t *at);

/* -- subjects ------------------------------------------------------------------------------------ */

/* Whose turn it is to be checked: of each list the first that is due, and of the first list first. */
enum gate_turn { TURN_NEW, TURN_FAILING, TURN_FINE, TURN_CHECKING, TURN_LISTS };

/* A source or a sending domain. */
struct gate_subject {
	TAILQ_ENTRY(gate_subject) turns; /* in the list of `turn`, in the order of checks */
	TAILQ_ENTRY(gate_subject) used;  /* domains that no setting names: the latest used last */
	char *key;             /* "source NAME HOST ADDRESS", "domain NAME", "domain NAME ENVELOPE" */
	const char *source;    /* name, interned; NULL: a domain */
	const struct config_path *path; /* of a source: on whose terms it is checked */
	char *domain;          /* NULL: a source */
	char *envelope;        /* NULL: as the domain */
	enum gate_turn turn;
	bool configured;       /* named by a setting: stays */
	bool known;            /* findings are of a check, now or kept; else it is closed */
	bool waited_for;       /* somebody was turned away because of it */
	unsigned round;        /* the gate's when its last check began */
	int64_t checked;       /* mono ms when that was */
	int64_t at;            /* wall ms of the findings */
	int64_t kept;          /* wall ms when last written to the store; 0: never */
	uint64_t kept_hash;    /* of what was written */
	struct gate_findings findings;
};
TAILQ_HEAD(gate_subjects, gate_subject);

struct gate {
	struct core *core;
	struct gate_thread *thread;          /* NULL: nothing is checked */
	struct map *subjects;                /* by key */
	struct gate_subjects turns[TURN_LISTS];
	struct gate_subjects used;           /* what no setting names, at most GATE_USED_MAX */
	size_t nused;
	struct gate_subject **named;         /* what settings name: sources first, then domains */
	size_t nnamed, nsources;
	unsigned checking;                   /* checks asked of the thread and not back */
	struct event *timer;                 /* the next check */
	struct event *tell;                  /* core_gates_changed */
	unsigned round;                      /* what was not checked in this one is due */
	int64_t next_used;                   /* mono ms: before, nothing else is checked again than what
						settings name */
	int64_t told;                        /* mono ms of the last core_gates_changed */
	bool opened, closed;                 /* since then */
	bool missed;                         /* somebody may wait for a subject that has gone */
	bool enforces;                       /* some path does; else it is only told */
	bool stopped;
	bool undecided;                      /* the last answer: nothing is known yet */
	struct str why, key;
};

#define GATE_USED_MAX 10000

/* The subject of that key, made when it is new. */
struct gate_subject *gate_subject_get(struct gate *, const char *key);
/* Its place among those that wait for their check. */
void gate_subject_wait(struct gate *, struct gate_subject *);
/* It was looked for: the last to be given up, when there are too many. */
void gate_subject_touch(struct gate *, struct gate_subject *);
void gate_subject_remove(struct gate *, struct gate_subject *);
/* "source tokyo1", "domain example.jp" */
void gate_subject_name(const struct gate_subject *, struct str *);

/* -- turns --------------------------------------------------------------------------------------- */

/* Begins the checks that are due, as many as are made at once, and waits for the next. */
void gate_check_next(struct gate *);
/* Of the events `timer` and `tell`. */
void gate_on_timer(evutil_socket_t, short, void *);
void gate_on_tell(evutil_socket_t, short, void *);

/* -- kept ---------------------------------------------------------------------------------------- */

/* What the last process found, into the subjects. */
void gate_load(struct gate *);
/* What was found about the subject, when it is other than what was written or that grows old. */
void gate_keep(struct gate *, struct gate_subject *);
void gate_forget(struct gate *, struct gate_subject *);

/* -- the thread ---------------------------------------------------------------------------------- */

/* One check: asked in the core thread, made in the gate's, and back to the core's inbox. */
struct gate_check {
	struct task task;
	TAILQ_ENTRY(gate_check) link;  /* of those being made */
	struct gate *gate;
	struct gate_thread *thread;
	struct config *config;         /* what the request borrows from */
	char *key;                     /* of the subject */
	char *domain, *envelope;
	struct preflight_source *sources;
	char **addresses;              /* of sources whose public address no setting gives */
	struct preflight_key *keys;
	struct preflight_request request;
	struct resolver *resolver;
	struct preflight *preflight;
	int64_t began;                 /* mono ms */
	struct gate_findings found;
};

/* Either one source, or a domain with all sources. */
struct gate_check *gate_check_new(struct gate *, struct config *, struct gate_subject *);
void gate_check_free(struct gate_check **); /* not while it is being made */

struct gate_thread;
/* `done` is run in the thread of `reply_to` for each check, but for those cancelled. NULL, logged,
 * when the system has no thread to give. */
struct gate_thread *gate_thread_new(struct inbox *reply_to, void (*done)(struct task *));
void gate_thread_check(struct gate_thread *, struct gate_check *); /* takes over */
/* Cancels all checks, ends, joins. */
void gate_thread_free(struct gate_thread **);

/* -- the settings -------------------------------------------------------------------------------- */

struct config_source;

/* Whether checks matter to what goes by the path. */
bool gate_is_on(const struct config_path *);
/* For each source of the configuration a path that has checks and uses it; NULL: none. The caller
 * frees the list. */
const struct config_path **gate_paths(const struct config *);
/* The address that the world sees; NULL: not known. `buf` holds it when no setting gives it. */
const char *gate_address_of(const struct config_source *, char buf[static NET_TEXT_MAX]);

#endif
