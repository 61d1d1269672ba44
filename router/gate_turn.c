/*
 * gate_turn.c - whose turn it is to be checked, and what follows from a check.
 *
 * A few checks are made at once: first of what nobody knows yet, then of what
 * fails, then of the rest. When another answer is to be had from the gate, the
 * core hears of it, but not more often than it can look.
 */
#include "router/gate_int.h"

#include <event2/event.h>

#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "mta/base/map.h"
#include "router/config.h"
#include "router/core_int.h"

#define CHECKS_MAX 8	 /* made at once */
#define FAILING_MS 30000 /* until what fails is looked at again */
#define USED_MS	   100	 /* between two checks again of what no setting names */
/* Between two core_gates_changed: each goes through all that is held. */
#define TELL_MS 1000

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* -- what follows from a check --------------------------------------------- */

static void
in_ms(struct event *ev, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = ms % 1000 * 1000 };

	event_add(ev, &tv);
}

void
gate_on_tell(evutil_socket_t fd, short what, void *arg)
{
	struct gate *g = arg;
	bool closed = g->closed;

	(void)fd;
	(void)what;
	g->opened = g->closed = g->missed = false;
	g->told = clock_mono();
	core_gates_changed(g->core, closed);
}

static void
tell(struct gate *g)
{
	int64_t now = clock_mono();
	int64_t at = g->told != 0 ? g->told + TELL_MS : now;

	if (!evtimer_pending(g->tell, NULL))
		in_ms(g->tell, later(at - now, 0));
}

static void
put_carriers(struct logline *l, unsigned carriers)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{ PREFLIGHT_DOCOMO, "docomo" },
		{ PREFLIGHT_AU, "au" },
		{ PREFLIGHT_SOFTBANK, "softbank" },
		{ GATE_OTHERS, "others" },
	};
	struct str s = STR_INIT;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (carriers & names[i].bit)
			str_addf(
			    &s, "%s%s", s.len > 0 ? "," : "", names[i].name);
	log_str(l, "carriers", carriers == GATE_ALL ? "all" : s.data);
	str_release(&s);
}

static void
log_change(struct gate *g, const struct gate_subject *s, bool closed,
    unsigned carriers)
{
	const struct finding *f = NULL;
	struct str name = STR_INIT;
	struct logline l;

	if (!log_start(&l, closed ? LOG_WARN : LOG_INFO,
		closed ? "gate_closed" : "gate_open"))
		return;
	for (size_t i = 0; closed && f == NULL && i < s->findings.n; i++)
		if (gate_finding_bits(&s->findings.list[i]) & carriers)
			f = &s->findings.list[i].f;
	gate_subject_name(s, &name);
	log_str(&l, "subject", name.data);
	put_carriers(&l, carriers);
	log_str(&l, "mode", g->enforces ? "enforce" : "warn");
	if (f != NULL) {
		log_str(&l, "check", f->check);
		log_str(&l, "what", f->what);
		log_str(&l, "why", f->why);
		log_str(&l, "mend", f->mend);
	}
	log_end(&l);
	str_release(&name);
}

static void
note_change(struct gate *g, struct gate_subject *s, bool known, unsigned before)
{
	unsigned now = gate_findings_closed(&s->findings);
	unsigned more = now & ~before, less = before & ~now;

	if (more != 0)
		log_change(g, s, true, more);
	if (less != 0)
		log_change(g, s, false, less);
	g->closed |= known && more != 0;
	g->opened |= s->waited_for && (!known || less != 0);
	if (now == 0)
		s->waited_for = false;
	if (g->closed || g->opened)
		tell(g);
}

/* It was asked of settings that are no longer in force: its subject is due
 * again. */
static bool
is_outdated(const struct gate *g, const struct gate_check *k)
{
	return k->config != g->core->config;
}

static void
take_findings(struct gate *g, struct gate_subject *s, struct gate_check *k)
{
	unsigned before = gate_findings_closed(&s->findings);
	bool known = s->known;

	gate_findings_decide(&k->found, &s->findings, known);
	gate_findings_clear(&s->findings);
	s->findings = k->found;
	k->found = (struct gate_findings){ .n = 0 };
	s->known = true;
	s->at = clock_wall();
	gate_keep(g, s);
	note_change(g, s, known, before);
}

static void
on_checked(struct task *task)
{
	struct gate_check *k = container_of(task, struct gate_check, task);
	struct gate *g = k->gate;
	struct gate_subject *s = map_get(g->subjects, k->key);

	g->checking--;
	if (s != NULL && !g->stopped) {
		if (!is_outdated(g, k))
			take_findings(g, s, k);
		gate_subject_wait(g, s);
	}
	gate_check_free(&k);
	gate_check_next(g);
}

/* -- whose turn it is ------------------------------------------------------ */

/* How long what is in that list waits for its next check. */
static int64_t
wait_of(const struct gate *g, enum gate_turn turn)
{
	int64_t interval = g->core->config->preflight_interval;

	if (turn == TURN_FAILING)
		return sooner(interval, FAILING_MS);
	return turn == TURN_NEW ? 0 : interval;
}

/* Mono ms. */
static int64_t
due_at(const struct gate *g, const struct gate_subject *s)
{
	int64_t due =
	    s->round != g->round ? 0 : s->checked + wait_of(g, s->turn);

	return s->configured || !s->known ? due : later(due, g->next_used);
}

static struct gate_subject *
first_due(struct gate *g, int64_t now, int64_t *next)
{
	*next = INT64_MAX;
	for (int turn = TURN_NEW; turn < TURN_CHECKING; turn++) {
		struct gate_subject *s = TAILQ_FIRST(&g->turns[turn]);
		int64_t due = s != NULL ? due_at(g, s) : INT64_MAX;
		if (due <= now)
			return s;
		*next = sooner(*next, due);
	}
	return NULL;
}

static void
check(struct gate *g, struct gate_subject *s, int64_t now)
{
	if (!s->configured && s->known)
		g->next_used = now + USED_MS;
	TAILQ_REMOVE(&g->turns[s->turn], s, turns);
	s->turn = TURN_CHECKING;
	TAILQ_INSERT_TAIL(&g->turns[s->turn], s, turns);
	s->round = g->round;
	s->checked = now;
	g->checking++;
	gate_thread_check(g->thread, gate_check_new(g, g->core->config, s));
}

static bool
begin(struct gate *g)
{
	if (g->thread == NULL)
		g->thread = gate_thread_new(g->core->inbox, on_checked);
	return g->thread != NULL;
}

void
gate_check_next(struct gate *g)
{
	int64_t now = clock_mono(), next = INT64_MAX;
	struct gate_subject *s;

	if (g->stopped || g->nsources == 0)
		return;
	while (g->checking < CHECKS_MAX &&
	       (s = first_due(g, now, &next)) != NULL) {
		if (!begin(g)) {
			next = now + FAILING_MS;
			break;
		}
		check(g, s, now);
	}
	if (next != INT64_MAX)
		in_ms(g->timer, next - now);
}

void
gate_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct gate *g = arg;

	(void)fd;
	(void)what;
	if (g->missed && clock_mono() - g->told > FAILING_MS)
		tell(g);
	gate_check_next(g);
}

void
gate_check_all(struct gate *g)
{
	g->round++;
	for (size_t i = g->nnamed; i-- > 0;)
		if (g->named[i]->turn != TURN_CHECKING)
			gate_subject_wait(g, g->named[i]);
	gate_check_next(g);
}
