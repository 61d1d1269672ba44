/*
 * gate.h - what preflight found about our sources and senders, and who may not go because of it.
 *
 * Each source of an mta path with `preflight = enforce` or `warn`, and each sending domain whose mail
 * would go there, is checked (mta/preflight/) at the start, on a timer and after a reload, by a thread
 * of the gate's own. What the last check found stands until another one has decided: DNS that does not
 * answer closes nothing. It outlives a restart, for a week. Core thread only.
 */
#ifndef ROUTER_GATE_H
#define ROUTER_GATE_H

#include <stdbool.h>
#include <stdint.h>

struct core;
struct finding;
struct gate;
struct message;
struct route;

struct gate *gate_new(struct core *);
/* Between store_open and the first request. */
void gate_start(struct gate *);
/* Ends the thread; checks under way are cancelled. Nothing is asked of the gate afterwards. */
void gate_stop(struct gate *);
void gate_free(struct gate **); /* the core's inbox is gone before */
/* core->config has changed: all is checked again. */
void gate_configure(struct gate *);

/*
 * Whether the message may go by that route. False: *why is a sentence for people, valid until the next
 * call. A sending domain never seen is checked first, and waits. core_gates_changed is called once
 * another answer is to be had.
 */
bool gate_lets(struct gate *, const struct message *, const struct route *, const char **why);

/* The last `false` was for want of a first check. */
bool gate_is_undecided(const struct gate *);

/* The route's source has failed a check, whoever sends: another of its pool had better be taken. */
bool gate_shuts_source(const struct gate *, const struct route *);

/* Checks everything now. */
void gate_check_all(struct gate *);
/* What the last checks found, whether it closes, and when it was found (wall ms): what is closed
 * comes first. */
void gate_each(struct gate *,
    void (*each)(void *arg, const struct finding *, bool closes, int64_t at), void *arg);

#endif
