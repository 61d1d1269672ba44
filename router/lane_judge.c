/*
 * lane_judge.c - what a delivery that has come back says of its session, its lane and its path.
 *
 * The core has settled its recipients (core_back.c); here somebody rests, slows down, splits, or
 * is glad that it works again.
 */
#include "router/lane_int.h"

#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/config.h"

#include <assert.h>
#include <string.h>

static void
log_rest(const struct lane *l, const char *what, const struct backoff *b)
{
	struct logline line;

	if (!log_start(&line, LOG_WARN, what))
		return;
	log_str(&line, "path", l->path);
	if (l->source[0] != '\0')
		log_str(&line, "source", l->source);
	if (l->group[0] != '\0')
		log_str(&line, "group", l->group);
	log_ms(&line, "rest", b->until - clock_mono());
	log_int(&line, "failures", b->failures);
	log_str(&line, "why", b->why);
	log_end(&line);
}

/* A rest need not be longer than the longest wait of the lane's own schedule. */
static int64_t
longest_rest(const struct lane *l, int64_t pause)
{
	int64_t longest = (int64_t)l->shape.retry[l->shape.nretry - 1] * 1000;

	return pause < longest ? pause : longest;
}

/* Once for all sessions that meet the same trouble together: each of them would double the rest. */
static bool
start_rest(const struct session *s, const struct lane *l, struct backoff *b,
    int64_t least, int64_t fixed, const struct outcome *why, const char *event)
{
	if (backoff_knows(b, s->started, least))
		return false;
	backoff_fail(b, &l->shape, least, fixed, why->text);
	log_rest(l, event, b);
	return true;
}

/* The peer has something against the address that we come from. */
static void
rest_source(
    const struct session *s, const struct verdict *v, const struct outcome *why)
{
	struct lane *l;

	TAILQ_FOREACH (l, &s->lane->lanes->all, link)
		if (strcmp(l->source, s->lane->source) == 0)
			start_rest(s, l, &l->backoff, longest_rest(l, v->pause),
			    0, why, "source_rests");
}

/* Trouble whose radius is wider than a message: somebody rests. True when the path was closed. */
static bool
push_back(struct session *s, const struct verdict *v, const struct outcome *why)
{
	struct lane *l = s->lane;

	if (v->action == VERDICT_HOLD)
		return start_rest(s, l, &l->state->hold, 0, l->config->probe,
		    why, "path_closed");
	if (why->stage == STAGE_DNS)
		start_rest(
		    s, l, &s->dest->backoff, 0, 0, why, "destination_rests");
	else if (v->pause_source)
		rest_source(s, v, why);
	else if (l->succeeded < s->started || v->pause > 0)
		/* While others of the lane talk, one that fails is no verdict on the lane. */
		start_rest(s, l, &l->backoff, longest_rest(l, v->pause), 0,
		    why, "lane_rests");
	return false;
}

/* "Too many recipients": the next sessions carry half of what this one tried. */
static void
split(struct session *s)
{
	struct lane *l = s->lane;
	unsigned half = s->recipients / 2;

	if (l->split > 0 && s->recipients > l->split)
		return; /* it set out before the last time */
	l->split = half > 0 ? half : 1;
	log_text(LOG_WARN, "lane_splits",
	    "path '%s' source '%s' group '%s': at most %u recipients in a "
	    "session from now on",
	    l->path, l->source, l->group, l->split);
}

/* True when the path was closed or opened. */
static bool
judge(struct session *s, const struct verdict *v, const struct outcome *why)
{
	struct lane *l = s->lane;
	bool halves = v->split && s->recipients > 1, opened;

	if (v->slow)
		lane_slow_down(l, s->started);
	else if (v->action == VERDICT_SENT)
		lane_speed_up(l);
	if (halves)
		split(s);
	if (v->reconnect || halves)
		return false;
	/* One alone that is too many: fewer there are not, so the lane rests. */
	if (v->action == VERDICT_HOLD || v->pause > 0 || v->split ||
	    (why->scope >= SCOPE_SESSION && v->action == VERDICT_RETRY))
		return push_back(s, v, why);
	if (why->stage <= STAGE_DNS)
		return false; /* nobody was asked */
	/* The peer judged a message or a recipient: it is there and the path works. */
	l->succeeded = clock_mono();
	opened = l->state->hold.failures > 0;
	if (opened)
		log_text(LOG_INFO, "path_open", "path '%s' works again", l->path);
	backoff_succeed(&l->backoff);
	backoff_succeed(&s->dest->backoff);
	backoff_succeed(&l->state->hold);
	return opened;
}

bool
lane_delivered(
    struct delivery *d, const struct verdict *worst, const struct outcome *why)
{
	struct session *s = d->session;
	struct lane *l = s->lane;
	bool changed = false;

	assert(s->delivery == d);
	s->delivery = NULL;
	l->sending -= (unsigned)d->n;
	l->state->sending -= (unsigned)d->n;
	l->lanes->sending -= (unsigned)d->n;
	TAILQ_REMOVE(&l->deliveries, d, link);
	pace_end(&l->pace, d->number, (unsigned)d->n, clock_mono());
	shared_end(l->rate, d->n, clock_mono());
	quotas_end(&d->quota, clock_mono());
	if (worst != NULL && worst->action == VERDICT_SENT)
		path_note_taken(
		    l->state, d->message->from_domain, clock_mono());
	if (worst != NULL)
		changed = judge(s, worst, why);
	session_next(
	    s, d, worst != NULL && (worst->reconnect || worst->split));
	delivery_free(d);
	lane_make_runnable(l);
	return changed;
}

void
lane_session_closed(struct session *s)
{
	struct lane *l = s->lane;
	struct session *idle;

	s->gone = true;
	TAILQ_FOREACH (idle, &s->dest->idle, link)
		if (idle == s) {
			session_busy(s);
			break;
		}
	if (s->delivery == NULL)
		session_forget(s);
	lane_make_runnable(l);
}
