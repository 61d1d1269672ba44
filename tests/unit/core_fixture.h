/*
 * core_fixture.h - a core that has a store and no mail, and a clock that is
 * set, for what the core keeps.
 */
#ifndef TESTS_UNIT_CORE_FIXTURE_H
#define TESTS_UNIT_CORE_FIXTURE_H

#include "tests/unit/store_fixture.h"

#include "router/config.h"
#include "router/core_int.h"
#include "router/keep.h"

#include <time.h>

static _Atomic int64_t clock_offset; /* ms that the wall clock is ahead */
static unsigned woken;	     /* rounds of work */
static struct core core;

static int64_t
clock_read(clockid_t which)
{
	struct timespec ts;

	clock_gettime(which, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
clock_wall(void)
{
	return clock_read(CLOCK_REALTIME) + clock_offset;
}

int64_t
clock_mono(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

static void
on_core_work(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	woken++;
}

/* Until the store has answered all. */
static inline void
core_settle(void)
{
	while (core.edits > 0)
		event_base_loop(the->base, EVLOOP_ONCE);
	event_base_loop(the->base, EVLOOP_NONBLOCK);
}

static inline void
core_up(void)
{
	core.store = the->store;
	core.settler = settler_new(&core);
	core.pauses = pauses_new(&core);
	core.sources = sources_new(&core);
	core.quotas = quotas_new(&core);
}

static inline void
core_down(void)
{
	core_settle();
	quotas_free(&core.quotas);
	sources_free(&core.sources);
	pauses_free(&core.pauses);
	settler_free(&core.settler);
}

/* As a new process finds things. */
static inline void
core_restart(void)
{
	struct err e = ERR_INIT;

	core_down();
	if (fixture_reopen(&e) < 0)
		fail_msg("%s", e.text);
	core_up();
}

static inline void
core_set_up(struct config *config)
{
	clock_offset = 0;
	core = (struct core){
		.base = the->base, .inbox = the->inbox, .config = config
	};
	core.work = event_new(the->base, -1, 0, on_core_work, NULL);
	core.lanes = lanes_new(&core);
	core_up();
}

static inline void
core_tear_down(void)
{
	core_down();
	lanes_free(&core.lanes);
	event_free(core.work);
}

#endif
