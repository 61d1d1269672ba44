/*
 * queue.h - which of the recipients in the store are in memory.
 *
 * The store keeps waiting recipients on numbered shelves, one per (lane, sender) but for chance.
 * The queue knows of each shelf only when its earliest recipient is due and how many of it are in
 * memory; that is all the memory a queue of any length costs. It leases more of a shelf when there
 * is room for it. A shelf may have half of the room that is left (dynamic threshold), so whoever is
 * stuck can never fill memory for the others.
 */
#ifndef ROUTER_QUEUE_H
#define ROUTER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct core;
struct queue;

struct queue *queue_new(struct core *, size_t capacity);
void queue_free(struct queue **);

/* Any thread: whether one more recipient of that shelf may come into memory. */
bool queue_has_room(const struct queue *, unsigned shelf);

/* In the core thread, as all below: a recipient has come into memory, or has left it. */
void queue_hold(struct queue *, unsigned shelf);
void queue_release(struct queue *, unsigned shelf);

/* The store has recipients waiting on that shelf from that time on (wall ms). */
void queue_note(struct queue *, unsigned shelf, int64_t due);

/* Due times in the store have been changed: all shelves that have anything are looked at again. */
void queue_note_all(struct queue *);

/* What was leased of it last was not for this node: nothing of it is leased for a while, longer each time; and the
 * end of that for all of them, when this node or others may have become other ones. */
void queue_avoid(struct queue *, unsigned shelf);
void queue_avoid_none(struct queue *);

/* Leases what is due and has room. Called on a timer and when something has changed. */
void queue_run(struct queue *);
void queue_stop(struct queue *); /* no more leases */
void queue_rest(struct queue *, bool rest); /* none, and room for nothing, until that ends */
void queue_go_on(struct queue *); /* the store was away, and may be there */
bool queue_is_idle(const struct queue *); /* no lease under way */
size_t queue_held(const struct queue *);

#endif
