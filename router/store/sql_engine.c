/*
 * sql_engine.c - what the engine holds in memory of what is stored: taken up
 * when it opens, kept at a commit, forgotten with a transaction that is rolled
 * back.
 */
#include "router/store/sql_int.h"

#include "mta/base/alloc.h"

#include <stdlib.h>

void
sql_engine_init(struct sql_engine *eng, const struct engine_ops *ops,
    const struct store_config *config, const char *spool_directory)
{
	eng->engine.ops = ops;
	eng->traffic_keep = config->traffic_keep;
	eng->tally_keep = config->tally_keep > TALLY_HOURS_KEEP
			      ? config->tally_keep
			      : TALLY_HOURS_KEEP;
	eng->lease = config->lease;
	eng->event_hour = -1;
	if (spool_directory != NULL)
		eng->spool_directory = xstrdup(spool_directory);
	str_init(&eng->text);
	str_init(&eng->sent_text);
	str_init(&eng->packed);
	str_init(&eng->packed_tally);
	str_init(&eng->tally_key);
	str_init(&eng->record);
	str_init(&eng->filter.after);
}

enum store_status
sql_engine_load(struct sql_engine *eng, struct err *e)
{
	enum store_status st = sql_traffic_load(eng, e);

	if (st == STORE_OK)
		st = sql_tally_load(eng, e);
	return st == STORE_OK ? sql_count_load(eng, e) : st;
}

void
sql_engine_release(struct sql_engine *eng)
{
	str_release(&eng->text);
	str_release(&eng->sent_text);
	str_release(&eng->packed);
	str_release(&eng->packed_tally);
	str_release(&eng->tally_key);
	str_release(&eng->record);
	keyed_clear(&eng->keys, NULL);
	free(eng->keys.slot);
	sql_filter_release(&eng->filter);
	free(eng->spool_directory);
}

enum store_status
sql_engine_flush(struct sql_engine *eng, struct err *e)
{
	return sql_traffic_flush(eng, e);
}

void
sql_engine_committed(struct sql_engine *eng)
{
	eng->committed = eng->traffic;
	eng->committed_fold = eng->folded;
	eng->nevents = 0;
	eng->committed_counted = eng->counted;
}

void
sql_engine_forget(struct sql_engine *eng)
{
	sql_traffic_forget(eng);
	sql_tally_keys_forget(eng);
	eng->folded = eng->committed_fold;
	eng->counted = eng->committed_counted;
	sql_whom_forget(eng);
	eng->suppressions = eng->strikes = ANY_UNKNOWN;
	eng->event_hour = -1;
	eng->nevents = 0;
	eng->added_sent = 0;
}

enum store_status
sql_execute(struct engine *base, struct store_request *req, struct txn *txn)
{
	static enum store_status (*const execute[])(
	    struct engine *, struct store_request *, struct txn *) = {
		[STORE_ENQUEUE] = sql_enqueue,
		[STORE_BEGIN] = sql_begin_attempt,
		[STORE_SETTLE] = sql_settle,
		[STORE_LEASE] = sql_lease,
		[STORE_QUEUE_EDIT] = sql_edit,
		[STORE_RULESET] = sql_put_ruleset,
		[STORE_KEEP] = sql_keep,
		[STORE_FEEDBACK] = sql_feedback,
		[STORE_LETTERS] = sql_remove_letters,
		[STORE_SUPPRESS] = sql_suppress,
		[STORE_UNSUPPRESS] = sql_unsuppress,
		[STORE_SHARE] = sql_share,
		[STORE_DRAIN] = sql_drain,
		[STORE_BURY] = sql_bury,
	};

	return execute[req->kind](base, req, txn);
}
