/*
 * pg_tables.c - PostgreSQL's tables and functions, step by step.
 *
 * As with SQLite (sqlite_schema.c) a step that has been released never changes;
 * the next version is one more. Every integer is a bigint and every text is
 * compared by bytes, so that both engines say the same.
 *
 * Parts of a table that are dropped whole when they are old: `event` by the
 * time of the event, `mail` by message, whose id begins with its time. Parts
 * are made ahead and dropped by oiwake_trim, whoever calls it; which there are
 * is in part_made, what there may be in part_kind. What has no part of its own,
 * as what happened long ago, is in the default one.
 */
#include "router/store/pg_tables.h"

#include <stddef.h>

#define INT  " bigint NOT NULL"
#define TEXT " text COLLATE \"C\" NOT NULL"
#define BLOB " bytea NOT NULL"

/* Vacuum at a number of dead rows, not at a share of a table that may be empty
 * one day and have millions of rows the next, and without pauses. */
#define VACUUM_SOON                                                            \
	"autovacuum_vacuum_scale_factor = 0,"                                  \
	" autovacuum_vacuum_threshold = 5000,"                                 \
	" autovacuum_vacuum_insert_scale_factor = 0.2,"                        \
	" autovacuum_analyze_scale_factor = 0.1,"                              \
	" autovacuum_analyze_threshold = 5000,"                                \
	" autovacuum_vacuum_cost_delay = 0"

/*
 * A recipient waits exactly while nobody holds it, and `state` is in no index:
 * so the change from leased to sending, which every mail goes through, touches
 * none, and there is room for it on the row's own page. `skey` is what its
 * address has on the suppression list, "" for none.
 */
static const char queue[] =
    "CREATE TABLE message(id bigint PRIMARY KEY, received" INT
    ", reverse_path" TEXT ", envid" TEXT ", ret" INT ", flags" INT ", \"user\"" TEXT
    ", listener" TEXT ", client" TEXT ", header_from" TEXT ", message_id" TEXT
    ", size" INT ", header_size" INT ", nrcpt" INT ", tags" TEXT ")"
    " WITH (" VACUUM_SOON ");"
    "CREATE TABLE body(message bigint PRIMARY KEY, data" BLOB ")"
    " WITH (" VACUUM_SOON ");"
    /* Mail does not pack well, and packing costs more than writing. */
    "ALTER TABLE body ALTER COLUMN data SET STORAGE EXTERNAL;"
    "CREATE TABLE recipient(message" INT ", idx" INT ", state" INT ", shelf" INT
    ", due" INT ", expires" INT ", attempts" INT ", notify" INT ", flags" INT
    ", unread" INT ", delay_told" INT ", held_at" INT ", holder" INT
    ", address" TEXT ", skey" TEXT ", orcpt" TEXT ", last" TEXT ", path" TEXT
    ", pool" TEXT ", source" TEXT ", carrier" TEXT ", grp" TEXT ", rule" TEXT
    ", ruleset" TEXT ", configuration_set" TEXT ", sender" TEXT ", held" TEXT
    ", PRIMARY KEY(message, idx),"
    " CHECK ((state = 0) = (holder = 0)))"
    " WITH (fillfactor = 70, " VACUUM_SOON ");"
    "CREATE INDEX recipient_waiting ON recipient(shelf, due) WHERE holder = 0;"
    "CREATE INDEX recipient_taken ON recipient(holder) WHERE holder <> 0;"

    /* With the last recipient goes its message. Whoever takes one away locks
     * the message before he looks for others: of two at once the second sees
     * what the first has done. */
    "CREATE FUNCTION oiwake_drop_message(_id bigint) RETURNS void"
    " LANGUAGE plpgsql AS $$ BEGIN"
    " DELETE FROM message WHERE id = _id AND nrcpt = 1;"
    " IF NOT FOUND THEN"
    "  PERFORM 1 FROM message WHERE id = _id FOR UPDATE;"
    "  IF EXISTS (SELECT 1 FROM recipient WHERE message = _id) THEN"
    "   RETURN;"
    "  END IF;"
    "  DELETE FROM message WHERE id = _id;"
    " END IF;"
    " DELETE FROM body WHERE message = _id;"
    "END $$;"
    "CREATE FUNCTION oiwake_remove(_message bigint, _idx bigint,"
    " _holder bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
    " DELETE FROM recipient WHERE message = _message AND idx = _idx"
    "  AND holder IN (0, _holder);"
    " IF NOT FOUND THEN RETURN false; END IF;"
    " PERFORM oiwake_drop_message(_message);"
    " RETURN true;"
    "END $$;"
    "CREATE FUNCTION oiwake_remove_same(_message bigint, _idx bigint,"
    " _path text, _source text, _carrier text, _grp text, _rule text,"
    " _sender text, _set text, _holder bigint) RETURNS boolean"
    " LANGUAGE plpgsql AS $$ BEGIN"
    " DELETE FROM recipient WHERE message = _message AND idx = _idx"
    "  AND path = _path AND source = _source AND carrier = _carrier"
    "  AND grp = _grp AND rule = _rule AND sender = _sender"
    "  AND configuration_set = _set AND holder IN (0, _holder);"
    " IF NOT FOUND THEN RETURN false; END IF;"
    " PERFORM oiwake_drop_message(_message);"
    " RETURN true;"
    "END $$;";

/*
 * What comes in groups is in the order of time, so that of `event` only the
 * index by address is written to at random. The other columns are as in SQLite.
 */
static const char events[] =
    "CREATE TABLE part_kind(parent text PRIMARY KEY, col text NOT NULL,"
    " span" INT ", epoch" INT ", shift integer NOT NULL,"
    " but text NOT NULL);"
    "CREATE TABLE part_made(parent text, since bigint, until" INT
    ", name text NOT NULL, PRIMARY KEY(parent, since));"

    "CREATE TABLE event(seq" INT ", at" INT ", message" INT ", idx" INT
    ", type" INT ", code" INT ", sender" TEXT ", recipient" TEXT ", path" TEXT
    ", carrier" TEXT ", grp" TEXT ", source" TEXT ", rule" TEXT ", enhanced" TEXT
    ", stage" TEXT ", reason" TEXT ", text" TEXT ", peer" TEXT ", remote_id" TEXT
    ", ruleset" TEXT ") PARTITION BY RANGE (at);"
    "CREATE INDEX event_seq ON event(seq);"
    "CREATE INDEX event_message ON event(message, idx);"
    "CREATE INDEX event_recipient ON event(lower(recipient), seq);"
    "CREATE INDEX event_at ON event USING brin(at) WITH"
    " (autosummarize = on, pages_per_range = 16);"
    "CREATE TABLE event_default PARTITION OF event DEFAULT;"
    "CREATE INDEX event_default_at ON event_default(at);"
    /* The newest one stays, whenever it was. */
    "INSERT INTO part_kind VALUES('event', 'at', 86400000, 0, 0,"
    " 'AND seq < (SELECT max(seq) FROM event)');"

    "CREATE TABLE mail(message bigint PRIMARY KEY, at" INT ", message_id" INT
    ", json" TEXT ") PARTITION BY RANGE (message);"
    "CREATE INDEX mail_message_id ON mail(message_id) WHERE message_id <> 0;"
    "CREATE TABLE mail_default PARTITION OF mail DEFAULT;"
    /* As message_id_time has it. */
    "INSERT INTO part_kind VALUES"
    "('mail', 'message', 86400000, 1735689600000, 22, '');"

    "CREATE FUNCTION oiwake_now() RETURNS bigint LANGUAGE sql STABLE AS"
    " 'SELECT (extract(epoch FROM statement_timestamp()) * 1000)::bigint';"

    /* The part of that table that begins then. */
    "CREATE FUNCTION oiwake_part_add(_k part_kind, _t bigint) RETURNS void"
    " LANGUAGE plpgsql AS $$ DECLARE"
    " _name text := _k.parent || '_'"
    "  || to_char(to_timestamp(_t / 1000) AT TIME ZONE 'UTC', 'YYYYMMDDHH24');"
    " _low bigint := (_t - _k.epoch) << _k.shift;"
    " _high bigint := (_t + _k.span - _k.epoch) << _k.shift;"
    "BEGIN"
    " EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE',"
    "  _k.parent || '_default');"
    " EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', _name,"
    "  _k.parent);"
    " EXECUTE format('WITH moved AS (DELETE FROM %I WHERE %I >= %s AND %I < %s"
    "  RETURNING *) INSERT INTO %I SELECT * FROM moved',"
    "  _k.parent || '_default', _k.col, _low, _k.col, _high, _name);"
    " EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s)"
    "  TO (%s)', _k.parent, _name, _low, _high);"
    " INSERT INTO part_made VALUES(_k.parent, _t, _t + _k.span, _name);"
    "END $$;"

    /* Parts for now and the days to come, and none that end before _before. */
    "CREATE FUNCTION oiwake_part(_k part_kind, _before bigint) RETURNS void"
    " LANGUAGE plpgsql AS $$ DECLARE"
    " _t bigint := oiwake_now() / _k.span * _k.span;"
    " _p record;"
    "BEGIN"
    " FOR i IN 0..2 LOOP"
    "  IF NOT EXISTS (SELECT 1 FROM part_made WHERE parent = _k.parent"
    "   AND since = _t + i * _k.span) THEN"
    "   PERFORM oiwake_part_add(_k, _t + i * _k.span);"
    "  END IF;"
    " END LOOP;"
    " FOR _p IN SELECT * FROM part_made WHERE parent = _k.parent"
    "  AND until <= _before LOOP"
    "  EXECUTE format('DROP TABLE %I', _p.name);"
    "  DELETE FROM part_made WHERE parent = _k.parent AND since = _p.since;"
    " END LOOP;"
    "END $$;"

    /* Keeps a table's parts in order, one caller at a time and without making
     * anybody wait for long; then takes away up to _max old rows that are in no
     * part of their own, and of the parts themselves when nothing is kept for
     * as long as one lasts. Says how many. */
    "CREATE FUNCTION oiwake_trim(_parent text, _before bigint, _max bigint)"
    " RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE"
    " _k part_kind; _t bigint := oiwake_now(); _wait text; _table text;"
    " _n bigint := 0; _gone bigint;"
    "BEGIN"
    " IF NOT pg_try_advisory_xact_lock(1332836193, hashtext(_parent)) THEN"
    "  RETURN 0;"
    " END IF;"
    " SELECT * INTO _k FROM part_kind WHERE parent = _parent;"
    " IF (SELECT count(*) FROM part_made WHERE parent = _parent"
    "   AND since > _t - _k.span) < 3"
    "  OR EXISTS (SELECT 1 FROM part_made WHERE parent = _parent"
    "   AND until <= _before) THEN"
    "  BEGIN"
    "   _wait := current_setting('lock_timeout');"
    "   PERFORM set_config('lock_timeout', '100ms', true);"
    "   PERFORM oiwake_part(_k, _before);"
    "   PERFORM set_config('lock_timeout', _wait, true);"
    "  EXCEPTION WHEN lock_not_available OR deadlock_detected THEN NULL;"
    "  END;"
    " END IF;"
    " FOR _table IN SELECT _parent || '_default' UNION ALL"
    "  SELECT name FROM part_made WHERE parent = _parent"
    "  AND since < _before AND _t - _before < 2 * _k.span LOOP"
    "  EXECUTE format('DELETE FROM %I WHERE ctid = ANY(ARRAY(SELECT ctid"
    "   FROM %I WHERE %I < $1 %s LIMIT $2))', _table, _table, _k.col,"
    "   _k.but) USING (_before - _k.epoch) << _k.shift, _max - _n;"
    "  GET DIAGNOSTICS _gone = ROW_COUNT;"
    "  _n := _n + _gone;"
    " END LOOP;"
    " RETURN _n;"
    "END $$;"

    /* The number before that of the first event at or after that time. Nothing
     * is told before it happened, so it is among those of about that time, or,
     * where little is told, among some thousands before them. */
    "CREATE FUNCTION oiwake_event_before(_since bigint) RETURNS bigint"
    " LANGUAGE plpgsql STABLE AS $$ DECLARE"
    " _seq bigint; _less bigint; _w bigint;"
    "BEGIN"
    " _since := greatest(0, least(_since, 1::bigint << 50));"
    " FOREACH _w IN ARRAY '{60000, 3600000, 86400000}'::bigint[] LOOP"
    "  SELECT min(seq) INTO _seq FROM event"
    "   WHERE at >= _since AND at < _since + _w;"
    "  EXIT WHEN _seq IS NOT NULL;"
    " END LOOP;"
    " IF _seq IS NULL THEN"
    "  SELECT min(seq) INTO _seq FROM event WHERE at >= _since;"
    " END IF;"
    " LOOP"
    "  SELECT min(seq) INTO _less FROM (SELECT seq, at FROM event"
    "   WHERE seq < _seq ORDER BY seq DESC LIMIT 10000) e WHERE at >= _since;"
    "  EXIT WHEN _less IS NULL;"
    "  _seq := _less;"
    " END LOOP;"
    " RETURN least(coalesce(_seq - 1, (SELECT max(seq) FROM event), 0),"
    "  oiwake_horizon() - 1);"
    "END $$;";

/*
 * seq of an event is the transaction's number with room for a million in it:
 * those of transactions that are not over are not seen, nor is anything behind
 * them, so that who reads on from a number misses none. The base is for a
 * database whose transactions count from lower numbers than its events have,
 * as after a restore.
 */
static const char numbering[] =
    "CREATE FUNCTION oiwake_number(_base bigint) RETURNS void"
    " LANGUAGE plpgsql AS $$ BEGIN"
    " EXECUTE format('CREATE OR REPLACE FUNCTION oiwake_seq() RETURNS bigint"
    "  LANGUAGE sql AS ''SELECT (pg_current_xact_id()::text::bigint + %s)"
    "  << 20''', _base);"
    " EXECUTE format('CREATE OR REPLACE FUNCTION oiwake_horizon() RETURNS"
    "  bigint LANGUAGE sql STABLE AS ''SELECT (pg_snapshot_xmin("
    "  pg_current_snapshot())::text::bigint + %s) << 20''', _base);"
    " UPDATE oiwake_schema SET base = _base;"
    "END $$;"
    "SELECT oiwake_number(0);";

/* Numbers of envelopes, each of a recipient: a row takes as many as it has. Not
 * part of the transaction, so nobody waits for another's commit. */
static const char rules_traffic_kept[] =
    "CREATE TABLE traffic(seq bigint PRIMARY KEY, n" INT ", latest" INT
    ", entries" BLOB ");"
    "ALTER TABLE traffic ALTER COLUMN entries SET STORAGE EXTERNAL;"
    "CREATE SEQUENCE traffic_seq;"
    "CREATE FUNCTION oiwake_traffic_seq(_n bigint) RETURNS bigint"
    " LANGUAGE plpgsql AS $$ DECLARE _last bigint; BEGIN"
    " PERFORM pg_advisory_lock(1332836194, 1);"
    " BEGIN"
    "  _last := nextval('traffic_seq') + _n - 1;"
    "  PERFORM setval('traffic_seq', _last);"
    " EXCEPTION WHEN query_canceled OR others THEN"
    "  PERFORM pg_advisory_unlock(1332836194, 1);"
    "  RAISE;"
    " END;"
    " PERFORM pg_advisory_unlock(1332836194, 1);"
    " RETURN _last;"
    "END $$;"
    "CREATE TABLE ruleset(number bigint PRIMARY KEY, at" INT ", version" TEXT
    ", who" TEXT ", files" INT ", bytes" INT ");"
    "CREATE TABLE rules_file(version" TEXT ", idx" INT ", name" TEXT
    ", text" TEXT ", PRIMARY KEY(version, idx));"
    /* Whoever asks is going to put one: one after the other. */
    "CREATE FUNCTION oiwake_newest_ruleset() RETURNS text"
    " LANGUAGE plpgsql AS $$ BEGIN"
    " PERFORM pg_advisory_xact_lock(1332836194, 2);"
    " RETURN (SELECT version FROM ruleset ORDER BY number DESC LIMIT 1);"
    "END $$;"
    "CREATE TABLE kept(kind" TEXT ", key" TEXT ", value" TEXT ", expires" INT
    ", PRIMARY KEY(kind, key));"
    "CREATE INDEX kept_expires ON kept(expires) WHERE expires <> 0;";

/*
 * `state` of what was sent is in no index, as little as what it is told later,
 * but for `remember`.
 */
static const char feedback_suppression[] =
    "CREATE TABLE sent_key(id bigint GENERATED BY DEFAULT AS IDENTITY"
    " PRIMARY KEY, path" TEXT ", carrier" TEXT ", grp" TEXT ", sender" TEXT
    ", source" TEXT ", rule" TEXT ", configuration_set" TEXT
    ", UNIQUE(path, carrier, grp, sender, source, rule, configuration_set));"
    "CREATE TABLE sent(message" INT ", idx" INT ", at" INT ", remember" INT
    ", key" INT ", state" INT ", address" TEXT ", remote_id" TEXT ", notes" BLOB
    ", reason" TEXT ", PRIMARY KEY(message, idx))"
    " WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02,"
    " autovacuum_vacuum_insert_scale_factor = 0.05,"
    " autovacuum_vacuum_cost_delay = 0);"
    "CREATE FUNCTION oiwake_add_sent(_message bigint, _idx bigint, _at bigint,"
    " _remember bigint, _state bigint, _address text, _remote text,"
    " _notes bytea, _reason text, _path text, _carrier text, _grp text,"
    " _sender text, _source text, _rule text, _set text) RETURNS bigint"
    " LANGUAGE plpgsql AS $$ DECLARE _key bigint; BEGIN"
    " SELECT id INTO _key FROM sent_key WHERE path = _path"
    "  AND carrier = _carrier AND grp = _grp AND sender = _sender"
    "  AND source = _source AND rule = _rule AND configuration_set = _set;"
    " IF NOT FOUND THEN"
    "  INSERT INTO sent_key(path, carrier, grp, sender, source, rule,"
    "   configuration_set) VALUES(_path, _carrier, _grp, _sender, _source,"
    "   _rule, _set) ON CONFLICT (path, carrier, grp, sender, source, rule,"
    "   configuration_set) DO UPDATE SET path = excluded.path"
    "   RETURNING id INTO _key;"
    " END IF;"
    " INSERT INTO sent VALUES(_message, _idx, _at, _remember, _key, _state,"
    "  _address, _remote, _notes, _reason)"
    "  ON CONFLICT (message, idx) DO NOTHING;"
    " RETURN CASE WHEN FOUND THEN _key ELSE -_key END;"
    "END $$;"
    "CREATE INDEX sent_remote ON sent(substr(remote_id, 1, 25))"
    " WHERE remote_id <> '';"
    "CREATE INDEX sent_remember ON sent(remember);"
    "CREATE TABLE dead_letter(seq bigint GENERATED BY DEFAULT AS IDENTITY"
    " PRIMARY KEY, at" INT ", source" TEXT ", id" TEXT ", why" TEXT
    ", body" BLOB ");"
    "CREATE INDEX dead_letter_id ON dead_letter(source, id) WHERE id <> '';"
    "CREATE TABLE suppression(id bigint GENERATED BY DEFAULT AS IDENTITY"
    " PRIMARY KEY, scope" TEXT ", address" TEXT ", cause" TEXT ", who" TEXT
    ", state" INT ", at" INT ", source" TEXT ", evidence" TEXT ", path" TEXT
    ", message" INT ", idx" INT ", expires" INT ", soft" INT
    ", UNIQUE(address, scope));"
    "CREATE INDEX suppression_scope ON suppression(scope, address);"
    "CREATE INDEX suppression_expires ON suppression(expires)"
    " WHERE expires <> 0;"
    "CREATE TABLE strike(address" TEXT ", cause" TEXT ", message" INT ", idx" INT
    ", at" INT ", expires" INT ", PRIMARY KEY(address, cause, message, idx));"
    "CREATE INDEX strike_expires ON strike(expires);";

/* -- counting: tables of counters, tallies and what is counted (sql_tally*.c)
 * ------------------------------------------------------------------------ */

/*
 * What transactions have counted is in `counted`, and with all up to
 * tally_state.counted in the other tables (sql_counted.c). Each node says in
 * counted_heard what it needs no more; all up to `removed` may be gone.
 */
static const char counting[] =
    "CREATE TABLE counted(seq bigint PRIMARY KEY, node" INT ", at" INT
    ", queued" INT ", data" BLOB ") WITH (" VACUUM_SOON ");"
    "CREATE TABLE counted_heard(node bigint PRIMARY KEY, seq" INT ")"
    " WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0,"
    " autovacuum_vacuum_threshold = 200);"
    "CREATE TABLE counter(path" TEXT ", carrier" TEXT ", grp" TEXT ", sender"
    TEXT ", source" TEXT ", rule" TEXT ", configuration_set" TEXT
    ", accepted" INT ", sent" INT ", delivered" INT ", bounced" INT
    ", filtered" INT ", deferred" INT ", expired" INT ", complained" INT
    ", suppressed" INT ", removed" INT ", unread" INT ", returned" INT
    ", attempted" INT ", hard" INT ", unknown" INT ", exempt" INT
    ", PRIMARY KEY(path, carrier, grp, sender, source, rule,"
    "  configuration_set)) WITH (fillfactor = 50, " VACUUM_SOON ");"
    "CREATE TABLE tally_key(id bigint GENERATED BY DEFAULT AS IDENTITY"
    " PRIMARY KEY, day" INT ", path" TEXT ", carrier" TEXT ", grp" TEXT
    ", sender" TEXT ", source" TEXT ", rule" TEXT ", configuration_set" TEXT
    ", UNIQUE(path, carrier, grp, sender, source, rule, configuration_set));"
    "CREATE INDEX tally_key_day ON tally_key(day);"
    "CREATE TABLE tally(level" INT ", at" INT ", key" INT ", data" BLOB
    ", PRIMARY KEY(level, at, key)) WITH (fillfactor = 50, " VACUUM_SOON ");"
    "CREATE TABLE tally_state(folded" INT ", folded_key" INT ", since" INT
    ", counted" INT " DEFAULT 0, folder" INT " DEFAULT 0, counted_at" INT
    " DEFAULT 0, removed" INT " DEFAULT 0);"
    "INSERT INTO tally_state VALUES(0, 0, 0);";

/* -- nodes: who there is (pg_node.c) ------------------------------------- */

/*
 * `until` is when the others may give it up (buried), unless it is heard of.
 * Its rows of change_mark are written by itself alone; the one of kind 'commit'
 * by each of its transactions (pg_engine.c).
 */
static const char nodes[] =
    "CREATE SEQUENCE node_epoch;"
    "CREATE TABLE node(epoch bigint PRIMARY KEY, slot" INT ", name" TEXT
    ", host" TEXT ", process" TEXT ", version" TEXT ", started" INT
    ", heard" INT ", until" INT ", buried" INT ", ruleset" TEXT ", sources" TEXT
    ", trouble" TEXT ", leases" INT ", leaving" INT ", draining" INT ")"
    " WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0,"
    " autovacuum_vacuum_threshold = 200);"
    "CREATE UNIQUE INDEX node_name ON node(name) WHERE buried = 0;"
    "CREATE UNIQUE INDEX node_slot ON node(slot);"
    "CREATE TABLE change_mark(node" INT ", kind" TEXT ", n" INT
    ", PRIMARY KEY(node, kind)) WITH (fillfactor = 50,"
    " autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);";

/* -- shares: what all nodes together may do (sql_share.c) ---------------- */

/* A row of epoch -until is what was spent and counts until then. */
static const char shares[] =
    "CREATE TABLE share(name" TEXT ", epoch" INT ", reserved" INT ", held" INT
    ", want" INT ", lim" INT ", until" INT ", asked" INT ", since" INT
    ", PRIMARY KEY(name, epoch)) WITH (fillfactor = 50,"
    " autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,"
    " autovacuum_vacuum_cost_delay = 0);";

/* ------------------------------------------------------------------------ */

static const char *const version_1[] = { queue, events, numbering,
	rules_traffic_kept, feedback_suppression, counting, nodes, shares, NULL };

const char *const *const pg_steps[] = { version_1, NULL };
