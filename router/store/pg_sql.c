/*
 * pg_sql.c - every statement that runs on PostgreSQL; the tables and functions
 * are in pg_tables.c.
 *
 * Parameters that the server could take for something else are cast; every
 * number that comes back is a bigint or a boolean. What many nodes do at once
 * differs from sqlite_sql.c in this:
 *
 *	holder	A recipient is held by a node's epoch, 0: it waits. Statements
 *		that begin or end an attempt touch it only when nobody else
 *		holds it.
 *	seq	of an event is chosen by its transaction (oiwake_seq()). Who
 *		reads on from one to the next reads below oiwake_horizon()
 *		only, and misses none; who looks for what happened is shown
 *		all there is, newest first.
 *	trims	skip what somebody else is trimming.
 *
 * What a node held that is given up is taken back by SQL_NODE_*; nothing is
 * looked for when a process starts, as it is in SQLite.
 */
#include "router/store/pg.h"

#define ROUTE_COLUMNS                                                          \
	"path, pool, source, carrier, grp, rule, ruleset, "                    \
	"configuration_set"

#define RECIPIENT_COLUMNS                                                      \
	"r.message, r.idx, r.state, r.shelf, r.due, r.expires, r.attempts, "   \
	"r.notify, r.flags, r.unread, r.delay_told, r.address, r.orcpt, "      \
	"r.last, r.path, r.pool, r.source, r.carrier, r.grp, r.rule, "         \
	"r.ruleset, r.configuration_set, r.sender, r.held_at, r.held"

#define MESSAGE_COLUMNS                                                        \
	"m.id, m.received, m.reverse_path, m.envid, m.ret, m.flags, "          \
	"m.\"user\", m.listener, m.client, m.header_from, m.message_id, "      \
	"m.size, m.header_size, m.nrcpt, m.tags"

#define COUNT_LOCK "x'4f697761'::int, 4"

#define COUNTER_COLUMNS                                                        \
	"accepted, sent, delivered, bounced, filtered, deferred, expired, "    \
	"complained, suppressed, removed, unread, returned, attempted, "       \
	"hard, unknown, exempt"

#define EVENT_COLUMNS                                                          \
	"seq, at, message, idx, type, sender, recipient, path, carrier, "      \
	"grp, source, rule, code, enhanced, stage, reason, text, peer, "       \
	"remote_id, ruleset"

#define SENT_COLUMNS                                                           \
	"s.message, s.idx, s.at, s.remember, s.key, s.state, s.notes, "        \
	"s.address, s.remote_id, k.path, k.carrier, k.grp, k.sender, "         \
	"k.source, k.rule, k.configuration_set, s.reason"

#define SENT_TABLES " FROM sent s JOIN sent_key k ON k.id = s.key"

#define SUPPRESSION_COLUMNS                                                    \
	"id, scope, address, cause, who, state, at, source, evidence, path, "  \
	"message, idx, expires, soft"

#define C " COLLATE \"C\""

/* Of struct suppression_filter: $1 to $10. An address is a key, or @domain. */
#define SUPPRESSION_FILTER                                                     \
	" (state <> 2"                                                         \
	" AND ($1::text IS NULL OR scope = $1::text)"                          \
	" AND ($2::text = '' OR address = $2::text"                            \
	"  OR (left($2::text, 1) = '@'"                                        \
	"   AND right(address, length($2::text)) = $2::text))"                 \
	" AND ($3::text = '' OR cause = $3::text)"                             \
	" AND ($4::text = '' OR path = $4::text)"                              \
	" AND ($5::text = '' OR source = $5::text)"                            \
	" AND ($6::text = '' OR who = $6::text)"                               \
	" AND ($7::bigint = 0 OR at >= $7::bigint)"                            \
	" AND ($8::bigint = 0 OR at < $8::bigint)"                             \
	" AND ($9::bigint <> 0 OR expires = 0 OR expires > $10::bigint))"

/* '' matches anything. A domain also matches what ends in '.' and itself. */
#define FILTER                                                                 \
	"($1::bigint < 0 OR r.idx = $1::bigint)"                               \
	" AND ($2::text = '' OR lower(r.address) = lower($2::text" C "))"      \
	" AND ($3::text = ''"                                                  \
	"  OR lower(right(r.address, length($3::text) + 1))"                   \
	"   IN (lower('@' || $3::text" C "), lower('.' || $3::text" C ")))"    \
	" AND ($4::text = '' OR lower(r.sender) = lower($4::text" C ")"        \
	"  OR lower(m.reverse_path) = lower($4::text" C "))"                   \
	" AND ($5::text = '' OR r.path = $5::text)"                            \
	" AND ($6::text = '' OR r.carrier = $6::text)"

const char *const pg_sql[SQL_MAX] = {
	[SQL_BEGIN] = "BEGIN ISOLATION LEVEL READ COMMITTED",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",

	[SQL_ADD_MESSAGE] =
	    "INSERT INTO message(id, received, reverse_path, envid, ret,"
	    " flags, \"user\", listener, client, header_from, message_id,"
	    " size, header_size, nrcpt, tags)"
	    " VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
	    " $14, $15)",
	[SQL_ADD_BODY] = "INSERT INTO body(message, data) VALUES($1, $2)",
	[SQL_ADD_RECIPIENT] =
	    "INSERT INTO recipient(message, idx, state, shelf, due, expires,"
	    " attempts, notify, flags, unread, delay_told, address, orcpt,"
	    " last, path, pool, source, carrier, grp, rule, ruleset,"
	    " configuration_set, sender, held_at, held, holder, skey)"
	    " VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
	    " $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,"
	    " $26, $27)",
	[SQL_ADD_EVENT] =
	    "INSERT INTO event(" EVENT_COLUMNS ")"
	    " VALUES(oiwake_seq() + $1::bigint, $2, $3, $4, $5, $6, $7, $8, $9,"
	    " $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",

	/* How many recipients, the latest time, the entries. */
	[SQL_ADD_TRAFFIC] =
	    "INSERT INTO traffic(seq, n, latest, entries)"
	    " VALUES(oiwake_traffic_seq($1::bigint), $1::bigint,"
	    " greatest($2::bigint, coalesce((SELECT latest FROM traffic"
	    "  ORDER BY seq DESC LIMIT 1), 0)), $3)",
	[SQL_ADD_RULESET] =
	    "INSERT INTO ruleset(number, at, version, who, files, bytes)"
	    " VALUES((SELECT coalesce(max(number), 0) + 1 FROM ruleset),"
	    " $1, $2, $3, $4, $5)",
	[SQL_ADD_RULES_FILE] =
	    "INSERT INTO rules_file(version, idx, name, text)"
	    " VALUES($1, $2, $3, $4)",

	/* The number of its key, made when there is none; negative: there is a
	 * row already, feedback has come before. */
	[SQL_ADD_SENT] =
	    "SELECT oiwake_add_sent($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,"
	    " $11, $12, $13, $14, $15, $16)",
	/* Another node may add the same at the same time. */
	[SQL_ADD_SENT_KEY] =
	    "INSERT INTO sent_key(path, carrier, grp, sender, source, rule,"
	    " configuration_set) VALUES($1, $2, $3, $4, $5, $6, $7)"
	    " ON CONFLICT (path, carrier, grp, sender, source, rule,"
	    "  configuration_set) DO UPDATE SET path = excluded.path"
	    " RETURNING id",
	[SQL_ADD_LETTER] =
	    "INSERT INTO dead_letter(at, source, id, why, body)"
	    " VALUES($1, $2, $3, $4, $5)",
	[SQL_REMOVE_LETTER] = "DELETE FROM dead_letter WHERE seq = $1",
	[SQL_REMOVE_LETTERS] = "DELETE FROM dead_letter",
	[SQL_HAS_LETTER] = "SELECT 1 FROM dead_letter WHERE source = $1"
			   " AND id = $2 AND id <> '' AND body = $3 LIMIT 1",
	[SQL_PUT_SUPPRESSION] =
	    "INSERT INTO suppression(scope, address, cause, who, state, at,"
	    " source, evidence, path, message, idx, expires, soft)"
	    " VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
	    " ON CONFLICT (address, scope) DO UPDATE SET"
	    " cause = excluded.cause, who = excluded.who,"
	    " state = excluded.state, at = excluded.at,"
	    " source = excluded.source, evidence = excluded.evidence,"
	    " path = excluded.path, message = excluded.message,"
	    " idx = excluded.idx, expires = excluded.expires,"
	    " soft = excluded.soft",
	[SQL_SET_SUPPRESSION_EXPIRES] =
	    "UPDATE suppression SET expires = $2 WHERE id = $1",
	[SQL_SET_SUPPRESSION_STATE] =
	    "UPDATE suppression SET who = $2, state = $3,"
	    " expires = CASE WHEN state = 2 THEN 0 ELSE expires END"
	    " WHERE id = $1",
	[SQL_FREE_SUPPRESSION] =
	    "UPDATE suppression SET state = 2, expires = $2 WHERE id = $1",
	[SQL_REMOVE_SUPPRESSION] = "DELETE FROM suppression"
				   " WHERE scope = $1 AND address = $2",
	[SQL_DROP_SUPPRESSION] = "DELETE FROM suppression WHERE id = $1",
	/* One that SES has as well is to be taken away there. */
	[SQL_LIFT_SYNCED_SUPPRESSION] =
	    "UPDATE suppression SET state = 2, expires = $3"
	    " WHERE address = $1 AND soft <> 0 AND at <= $2"
	    " AND state = 0 AND scope <> ''",
	[SQL_LIFT_SUPPRESSION] = "DELETE FROM suppression"
				 " WHERE address = $1 AND soft <> 0"
				 " AND at <= $2 AND state <> 2",
	[SQL_GET_SUPPRESSION] = "SELECT " SUPPRESSION_COLUMNS
				" FROM suppression"
				" WHERE address = $1 AND scope = $2",
	[SQL_FIND_SUPPRESSED] =
	    "SELECT " SUPPRESSION_COLUMNS " FROM suppression"
	    " WHERE address = $1 AND scope IN ('', $2) AND state <> 2"
	    " AND (expires = 0 OR expires > CASE WHEN $3::bigint = 0"
	    "  THEN oiwake_now() ELSE $3::bigint END)",
	[SQL_UNSUPPRESS_SLICE] =
	    "SELECT id, scope, state, cause, " SUPPRESSION_FILTER
	    " FROM (SELECT * FROM suppression WHERE id > $11"
	    "  ORDER BY id LIMIT $12) s ORDER BY id",
	[SQL_UNSUPPRESS_ADDRESS] =
	    "SELECT id, scope, state, cause, " SUPPRESSION_FILTER
	    " FROM suppression WHERE address = $2::text AND id > $11"
	    " ORDER BY id LIMIT $12",
	[SQL_TRIM_SYNCED_SUPPRESSION] =
	    "UPDATE suppression SET state = 2, expires = $3 WHERE state = 0"
	    " AND scope <> '' AND ctid = ANY(ARRAY(SELECT ctid"
	    "  FROM suppression WHERE expires <> 0 AND expires <= $1"
	    "  ORDER BY expires LIMIT $2 FOR UPDATE SKIP LOCKED))",
	[SQL_TRIM_SUPPRESSION] =
	    "DELETE FROM suppression WHERE ctid = ANY(ARRAY(SELECT ctid"
	    "  FROM suppression WHERE expires <> 0 AND expires <= $1"
	    "  ORDER BY expires LIMIT $2 FOR UPDATE SKIP LOCKED))",
	[SQL_ADD_STRIKE] =
	    "INSERT INTO strike(address, cause, message, idx, at, expires)"
	    " VALUES($1, $2, $3, $4, $5, $6)"
	    " ON CONFLICT (address, cause, message, idx)"
	    " DO UPDATE SET at = excluded.at, expires = excluded.expires",
	[SQL_COUNT_STRIKES] = "SELECT count(*) FROM strike"
			      " WHERE address = $1 AND cause = $2 AND at > $3",
	[SQL_REMOVE_STRIKES] = "DELETE FROM strike"
			       " WHERE address = $1 AND cause = $2",
	[SQL_LIFT_STRIKES] = "DELETE FROM strike"
			     " WHERE address = $1 AND at <= $2",
	[SQL_TRIM_STRIKES] =
	    "DELETE FROM strike WHERE ctid = ANY(ARRAY(SELECT ctid"
	    "  FROM strike WHERE expires <= $1 ORDER BY expires LIMIT $2"
	    "  FOR UPDATE SKIP LOCKED))",
	[SQL_ADD_MAIL] = "INSERT INTO mail(message, at, message_id, json)"
			 " VALUES($1, $2, $3, $4)",
	[SQL_TRIM_MAIL] = "SELECT oiwake_trim('mail', $1, $2)",

	[SQL_GET_SENT] = "SELECT " SENT_COLUMNS SENT_TABLES
			 " WHERE s.message = $1 AND s.idx = $2"
			 " FOR UPDATE OF s",
	[SQL_FIND_SENT] = "SELECT " SENT_COLUMNS SENT_TABLES
			  " WHERE s.message = $1"
			  " AND lower(s.address) = lower($2::text" C ")"
			  " LIMIT 1 FOR UPDATE OF s",
	[SQL_FIND_SENT_REMOTE] =
	    "SELECT " SENT_COLUMNS SENT_TABLES
	    " WHERE substr(s.remote_id, 1, 25) = substr($1::text, 1, 25)"
	    " AND s.remote_id = $1::text AND s.remote_id <> ''"
	    " AND ($2::bigint <> 0"
	    "  OR lower(s.address) = lower($3::text" C "))"
	    " LIMIT 1 FOR UPDATE OF s",
	/* By its ends: a message may have had many. */
	[SQL_FIND_SENT_ONLY] =
	    "SELECT " SENT_COLUMNS SENT_TABLES " WHERE s.message = $1"
	    " AND s.idx = (SELECT min(idx) FROM sent WHERE message = $1)"
	    " AND s.idx = (SELECT max(idx) FROM sent WHERE message = $1)"
	    " FOR UPDATE OF s",
	[SQL_GET_SENT_KEY] = "SELECT id FROM sent_key WHERE path = $1"
			     " AND carrier = $2 AND grp = $3 AND sender = $4"
			     " AND source = $5 AND rule = $6"
			     " AND configuration_set = $7",
	[SQL_FIND_RECIPIENT] =
	    "SELECT idx FROM recipient WHERE message = $1"
	    " AND lower(address) = lower($2::text" C ") LIMIT 1",
	[SQL_FIND_RECIPIENT_ONLY] =
	    "SELECT idx FROM recipient WHERE message = $1"
	    " AND idx = (SELECT min(idx) FROM recipient WHERE message = $1)"
	    " AND idx = (SELECT max(idx) FROM recipient WHERE message = $1)"
	    " AND NOT EXISTS (SELECT 1 FROM sent WHERE message = $1)",
	/* The second, which touches no index, is the usual one. */
	[SQL_SET_SENT] =
	    "UPDATE sent SET state = $3, notes = $4, reason = $5,"
	    " remember = $6, key = $7, remote_id = $8"
	    " WHERE message = $1 AND idx = $2",
	[SQL_SET_SENT_STATE] = "UPDATE sent SET state = $3, notes = $4,"
			       " reason = $5 WHERE message = $1 AND idx = $2",

	/* Whoever looks is going to change it, by what he sees. */
	[SQL_GET_STORED] = "SELECT state, unread, holder, sender, address, "
			   ROUTE_COLUMNS " FROM recipient"
			   " WHERE message = $1 AND idx = $2 FOR UPDATE",
	[SQL_GET_MESSAGE] =
	    "SELECT " MESSAGE_COLUMNS " FROM message m WHERE m.id = $1",
	[SQL_GET_BODY] = "SELECT data FROM body WHERE message = $1",

	/* The usual case in one statement: what is stored is as given, nobody
	 * can know more of it, and it is not on the list, if $12 says that this
	 * is to be looked at. A row: it has begun. */
	[SQL_BEGIN_SAME] =
	    "UPDATE recipient r SET state = 2, holder = $11::bigint"
	    " WHERE message = $1 AND idx = $2 AND path = $3 AND pool = $4"
	    " AND source = $5 AND carrier = $6 AND grp = $7 AND rule = $8"
	    " AND ruleset = $9 AND configuration_set = $10 AND unread = 0"
	    " AND holder IN (0, $11::bigint)"
	    " AND ($12::bigint = 0 OR NOT EXISTS (SELECT 1 FROM suppression s"
	    "  WHERE s.address = r.skey AND s.scope IN ('', $3)"
	    "  AND s.state <> 2"
	    "  AND (s.expires = 0 OR s.expires > oiwake_now())))"
	    " RETURNING 1",
	/* A row with true: it was there, and has gone with its message if it
	 * was the last. Then, if $11 says that it is to be remembered, what
	 * SQL_ADD_SENT answers, and whether what has the key $18 has anything to
	 * be lifted. */
	[SQL_REMOVE_SAME] =
	    "SELECT r, CASE WHEN r AND $11::bigint <> 0 THEN"
	    "  oiwake_add_sent($1, $2, $12, $11::bigint, $13, $14, $15, $16,"
	    "   $17, $3, $5, $6, $8, $4, $7, $9) ELSE 0 END,"
	    " $18::text <> '' AND"
	    " (EXISTS (SELECT 1 FROM suppression WHERE address = $18::text"
	    "   AND soft <> 0)"
	    "  OR EXISTS (SELECT 1 FROM strike WHERE address = $18::text))"
	    " FROM oiwake_remove_same($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
	    " AS r",
	[SQL_REMOVE_RECIPIENT] = "SELECT oiwake_remove($1, $2, $3)",
	[SQL_SET_LEASED] =
	    "UPDATE recipient SET state = 1"
	    " WHERE message = $1 AND idx = $2 AND holder = $3",
	[SQL_SET_SENDING] =
	    "UPDATE recipient SET state = 2, holder = $3::bigint"
	    " WHERE message = $1 AND idx = $2"
	    " AND holder IN (0, $3::bigint)",
	[SQL_SET_ROUTE] = "UPDATE recipient SET path = $3, pool = $4,"
			  " source = $5, carrier = $6, grp = $7, rule = $8,"
			  " ruleset = $9, configuration_set = $10, sender = $11"
			  " WHERE message = $1 AND idx = $2",
	[SQL_RETRY] =
	    "UPDATE recipient SET state = 0, holder = 0, due = $3, shelf = $4,"
	    " attempts = attempts + 1, delay_told = $5,"
	    " last = coalesce($6, last),"
	    " expires = coalesce(nullif($7::bigint, 0), expires),"
	    " flags = flags | $8::bigint, unread = $10"
	    " WHERE message = $1 AND idx = $2"
	    " AND holder IN (0, $9::bigint)",
	[SQL_RETURN] =
	    "UPDATE recipient SET state = 0, holder = 0, due = $3, shelf = $4,"
	    " delay_told = $5, last = coalesce($6, last),"
	    " expires = coalesce(nullif($7::bigint, 0), expires),"
	    " flags = flags | $8::bigint,"
	    " held_at = CASE WHEN $10::text IS NULL THEN held_at"
	    "  ELSE $11::bigint END,"
	    " held = coalesce($10::text, held)"
	    " WHERE message = $1 AND idx = $2"
	    " AND holder IN (0, $9::bigint)",

	/* All of a recipient that is due and not in anybody's hands, its
	 * message, and what the list has on it, in the order of due times. Found
	 * by the index of what waits and changed by where they lie: no plan of
	 * it looks at more rows than it takes. */
	[SQL_LEASE] =
	    "WITH taken AS (UPDATE recipient SET state = 1, holder = $4::bigint"
	    "  WHERE ctid = ANY(ARRAY(SELECT ctid FROM recipient"
	    "   WHERE holder = 0 AND shelf = $1 AND due <= $2"
	    "   ORDER BY due LIMIT $3 FOR UPDATE SKIP LOCKED))"
	    "  AND holder = 0 RETURNING *)"
	    " SELECT " RECIPIENT_COLUMNS ", " MESSAGE_COLUMNS
	    ", EXISTS (SELECT 1 FROM suppression s WHERE s.address = r.skey"
	    "  AND s.scope IN ('', r.path) AND s.state <> 2"
	    "  AND (s.expires = 0 OR s.expires > $2))"
	    " FROM taken r JOIN message m ON m.id = r.message"
	    " ORDER BY r.due",
	[SQL_NEXT_DUE] = "SELECT due FROM recipient"
			 " WHERE holder = 0 AND shelf = $1"
			 " ORDER BY due LIMIT 1",
	[SQL_NEXT_SHELF] = "SELECT shelf, due FROM recipient"
			   " WHERE holder = 0 AND shelf > $1"
			   " ORDER BY shelf, due LIMIT 1",

	/* One step down the index for each. */
	[SQL_READ_SHELVES] =
	    "WITH RECURSIVE s(shelf, due) AS ("
	    "(SELECT shelf, due FROM recipient WHERE holder = 0"
	    "  ORDER BY shelf, due LIMIT 1)"
	    " UNION ALL SELECT n.shelf, n.due FROM s CROSS JOIN LATERAL"
	    "  (SELECT shelf, due FROM recipient"
	    "   WHERE holder = 0 AND shelf > s.shelf"
	    "   ORDER BY shelf, due LIMIT 1) n)"
	    " SELECT shelf, due FROM s",

	/* The slice is bounded by rows looked at, not by rows that match. */
	[SQL_EDIT_SLICE] =
	    "SELECT r.message, r.idx, r.holder = 0"
	    " AND ($11::text IS NULL OR r.held <> $11::text)"
	    " AND ($12::bigint = 0 OR r.held_at = 0) AND " FILTER
	    " FROM (SELECT * FROM recipient"
	    "  WHERE (message, idx) > ($7, $8) AND message <= $9"
	    "  ORDER BY message, idx LIMIT $10) r"
	    " JOIN message m ON m.id = r.message"
	    " ORDER BY r.message, r.idx",
	/* Time does not count while it is held. */
	[SQL_RETRY_NOW] =
	    "UPDATE recipient SET due = $3, flags = flags & $4::bigint,"
	    " expires = expires + CASE WHEN held_at = 0 THEN 0"
	    "  ELSE greatest(0, $3 - held_at) END,"
	    " held_at = 0, held = ''"
	    " WHERE message = $1 AND idx = $2 AND due > $3 AND holder = 0",
	[SQL_HOLD] =
	    "UPDATE recipient SET due = $3, held_at ="
	    "  CASE WHEN held_at = 0 THEN $4::bigint ELSE held_at END,"
	    " held = $5"
	    " WHERE message = $1 AND idx = $2 AND holder = 0",
	[SQL_TRIM_EVENTS] = "SELECT oiwake_trim('event', $1, $2)",

	/* All but the latest so many recipients, at most so many rows. */
	[SQL_TRIM_TRAFFIC] =
	    "DELETE FROM traffic WHERE ctid = ANY(ARRAY(SELECT ctid"
	    "  FROM traffic WHERE seq <= (SELECT max(seq) FROM traffic) - $1"
	    "  ORDER BY seq LIMIT $2 FOR UPDATE SKIP LOCKED))",
	[SQL_TRAFFIC_ENDS] = "SELECT (SELECT min(seq) FROM traffic),"
			     " (SELECT max(seq) FROM traffic)",
	[SQL_TRAFFIC_NEXT] = "SELECT seq, latest FROM traffic"
			     " WHERE seq > $1 ORDER BY seq LIMIT 1",

	[SQL_KEEP] = "INSERT INTO kept(kind, key, value, expires)"
		     " VALUES($1, $2, $3, $4) ON CONFLICT (kind, key)"
		     " DO UPDATE SET value = excluded.value,"
		     "  expires = excluded.expires",
	[SQL_FORGET] = "DELETE FROM kept WHERE kind = $1 AND key = $2",
	[SQL_TRIM_KEPT] =
	    "DELETE FROM kept WHERE ctid = ANY(ARRAY(SELECT ctid FROM kept"
	    "  WHERE expires <> 0 AND expires <= $1 ORDER BY expires LIMIT $2"
	    "  FOR UPDATE SKIP LOCKED))",

	[SQL_TRIM_SENT] =
	    "DELETE FROM sent WHERE ctid = ANY(ARRAY(SELECT ctid FROM sent"
	    "  WHERE remember <= $1 ORDER BY remember LIMIT $2"
	    "  FOR UPDATE SKIP LOCKED))",

	[SQL_NEWEST_RULESET] =
	    "SELECT v FROM oiwake_newest_ruleset() v WHERE v IS NOT NULL",
	[SQL_HAS_RULES_TEXT] = "SELECT 1 FROM rules_file"
			       " WHERE version = $1 LIMIT 1",

	[SQL_TAKE_BACK] =
	    "UPDATE recipient SET state = 0, holder = 0, unread = 1,"
	    " attempts = attempts + 1, due = least(due, $3::bigint)"
	    " WHERE message = $1 AND idx = $2",
	[SQL_READ_QUEUE] =
	    "SELECT " RECIPIENT_COLUMNS ", " MESSAGE_COLUMNS
	    " FROM recipient r JOIN message m ON m.id = r.message"
	    " WHERE r.message BETWEEN $7 AND $8"
	    " AND (r.message, r.idx) > ($10::bigint, $11::bigint -"
	    "  CASE WHEN $10::bigint = 0 THEN 1 ELSE 0 END) AND " FILTER
	    " ORDER BY r.message, r.idx LIMIT nullif($9::bigint, -1)",
	[SQL_COUNT_QUEUE] =
	    "SELECT count(*)"
	    " FROM recipient r JOIN message m ON m.id = r.message"
	    " WHERE r.message BETWEEN $7 AND $8 AND " FILTER,
	[SQL_QUEUE_FLOOR] = "SELECT message, idx FROM recipient"
			    " WHERE (message, idx) < ($1, $2)"
			    " ORDER BY message DESC, idx DESC"
			    " LIMIT 1 OFFSET $3",
	[SQL_SEARCH_QUEUE] =
	    "SELECT " RECIPIENT_COLUMNS ", " MESSAGE_COLUMNS
	    " FROM recipient r JOIN message m ON m.id = r.message"
	    " WHERE (r.message, r.idx) < ($7, $8)"
	    " AND (r.message, r.idx) > ($9, $10) AND " FILTER
	    " ORDER BY r.message DESC, r.idx DESC LIMIT $11",
	[SQL_READ_EVENTS] = "SELECT " EVENT_COLUMNS " FROM event"
			    " WHERE seq > $1 AND seq < oiwake_horizon()"
			    " ORDER BY seq LIMIT $2",
	[SQL_READ_MESSAGE_EVENTS] =
	    "SELECT " EVENT_COLUMNS " FROM event"
	    " WHERE message = $1 AND seq > $2 AND seq < oiwake_horizon()"
	    " ORDER BY seq LIMIT $3",
	/* Numbers in a row count from its first recipient. */
	[SQL_READ_TRAFFIC] = "SELECT entries, seq - n FROM traffic"
			     " WHERE seq > $1 ORDER BY seq",
	[SQL_READ_RULESETS] = "SELECT number, at, version, who, files, bytes"
			      " FROM ruleset WHERE number BETWEEN $1 AND $2"
			      " ORDER BY number DESC LIMIT $3",
	[SQL_READ_RULES_FILES] = "SELECT f.name, f.text FROM ruleset r"
				 " JOIN rules_file f ON f.version = r.version"
				 " WHERE r.number = $1 ORDER BY f.idx",
	[SQL_READ_KEPT] = "SELECT key, value, expires FROM kept"
			  " WHERE kind = $1 AND key = $3"
			  " AND (expires = 0 OR expires > $2::bigint)",
	[SQL_READ_KEPT_KIND] = "SELECT key, value, expires FROM kept"
			       " WHERE kind = $1"
			       " AND (expires = 0 OR expires > $2::bigint)"
			       " ORDER BY key",
	[SQL_READ_LETTERS] = "SELECT seq, at, source, id, why, body"
			     " FROM dead_letter WHERE seq > $1"
			     " ORDER BY seq LIMIT $2",
	[SQL_READ_SENT] = "SELECT " SENT_COLUMNS SENT_TABLES
			  " WHERE s.message = $1"
			  " AND ($2::bigint < 0 OR s.idx = $2::bigint)"
			  " ORDER BY s.idx",
	[SQL_READ_SENT_SIZE] = "SELECT count(*) FROM sent",
	[SQL_READ_SUPPRESSION] =
	    "SELECT " SUPPRESSION_COLUMNS " FROM suppression"
	    " WHERE scope = $1 AND address > $2"
	    " AND ($3::bigint >> state::int) & 1 = 1"
	    " ORDER BY address LIMIT $4",
	[SQL_READ_SUPPRESSION_ALL] =
	    "SELECT " SUPPRESSION_COLUMNS " FROM suppression"
	    " WHERE scope = $1 AND address > $2"
	    " AND ($3::bigint >> state::int) & 1 = 1"
	    " ORDER BY address LIMIT $4",
	[SQL_READ_SUPPRESSIONS] =
	    "SELECT " SUPPRESSION_COLUMNS " FROM suppression"
	    " WHERE scope <> '' AND (scope, address) > ($11, $12) AND"
	    SUPPRESSION_FILTER " ORDER BY scope, address LIMIT $13",
	[SQL_READ_SUPPRESSIONS_ALL] =
	    "SELECT " SUPPRESSION_COLUMNS " FROM suppression"
	    " WHERE scope = '' AND address > $12 AND $11::text IS NOT NULL AND"
	    SUPPRESSION_FILTER " ORDER BY address LIMIT $13",
	[SQL_READ_SUPPRESSIONS_KEY] =
	    "SELECT " SUPPRESSION_COLUMNS " FROM suppression"
	    " WHERE address = $2::text AND (scope, address) > ($11, $12) AND"
	    SUPPRESSION_FILTER " ORDER BY scope LIMIT $13",
	[SQL_READ_MAIL] = "SELECT json FROM mail WHERE message = $1",
	[SQL_READ_BY_MESSAGE_ID] =
	    "SELECT message FROM mail"
	    " WHERE message_id = $1 AND message_id <> 0"
	    " ORDER BY message DESC LIMIT $2",
	[SQL_READ_BY_REMOTE_ID] =
	    "SELECT message, idx FROM sent"
	    " WHERE substr(remote_id, 1, 25) = substr($1::text, 1, 25)"
	    " AND remote_id = $1::text AND remote_id <> '' LIMIT 1",
	/* Newest first, of those between two numbers: $5 of a recipient. */
	[SQL_SEARCH_EVENTS] =
	    "SELECT " EVENT_COLUMNS
	    ", $4::text = '' OR lower(sender) = lower($4::text" C ")"
	    " FROM event"
	    " WHERE seq BETWEEN $1 AND $2"
	    " AND lower(recipient) = lower($3::text" C ")"
	    " ORDER BY lower(recipient) DESC, seq DESC LIMIT $5",
	/* Of whomever, and who is of that sender among them: $4 of all. */
	[SQL_SEARCH_ALL_EVENTS] =
	    "SELECT " EVENT_COLUMNS
	    ", $3::text = '' OR lower(sender) = lower($3::text" C ")"
	    " FROM event"
	    " WHERE seq BETWEEN $1 AND $2"
	    " ORDER BY seq DESC LIMIT $4",
	[SQL_READ_RECIPIENT_EVENTS] =
	    "SELECT " EVENT_COLUMNS " FROM event"
	    " WHERE message = $1 AND idx = $2 AND seq > $3"
	    " ORDER BY seq DESC LIMIT $4",
	[SQL_READ_RECIPIENTS] =
	    "SELECT idx FROM event WHERE message = $1 AND idx > $2"
	    " UNION SELECT idx FROM recipient WHERE message = $1 AND idx > $2"
	    " ORDER BY 1 LIMIT $3",
	[SQL_READ_LAST_EVENT] =
	    "SELECT max(seq) FROM event WHERE seq < oiwake_horizon()",
	[SQL_READ_FIRST_EVENT] = "SELECT min(seq) FROM event",
	[SQL_READ_EVENT_BEFORE] = "SELECT oiwake_event_before($1)",

	/* -- counting (sql_tally*.c) --------------------------------------- */

	[SQL_ADD_COUNTER] =
	    "INSERT INTO counter(path, carrier, grp, sender, source, rule,"
	    " configuration_set, " COUNTER_COLUMNS ")"
	    " VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
	    " $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)"
	    " ON CONFLICT (path, carrier, grp, sender, source, rule,"
	    "  configuration_set) DO UPDATE SET"
	    " accepted = counter.accepted + excluded.accepted,"
	    " sent = counter.sent + excluded.sent,"
	    " delivered = counter.delivered + excluded.delivered,"
	    " bounced = counter.bounced + excluded.bounced,"
	    " filtered = counter.filtered + excluded.filtered,"
	    " deferred = counter.deferred + excluded.deferred,"
	    " expired = counter.expired + excluded.expired,"
	    " complained = counter.complained + excluded.complained,"
	    " suppressed = counter.suppressed + excluded.suppressed,"
	    " removed = counter.removed + excluded.removed,"
	    " unread = counter.unread + excluded.unread,"
	    " returned = counter.returned + excluded.returned,"
	    " attempted = counter.attempted + excluded.attempted,"
	    " hard = counter.hard + excluded.hard,"
	    " unknown = counter.unknown + excluded.unknown,"
	    " exempt = counter.exempt + excluded.exempt",
	[SQL_READ_COUNTERS] = "SELECT path, carrier, grp, sender, source,"
			      " rule, configuration_set, " COUNTER_COLUMNS
			      " FROM counter",
	[SQL_READ_QUEUE_SIZE] =
	    "SELECT ((SELECT coalesce(sum(accepted + returned - sent - bounced"
	    "  - filtered - expired - suppressed - removed), 0) FROM counter)"
	    " + (SELECT coalesce(sum(queued), 0) FROM counted WHERE seq >"
	    "  (SELECT counted FROM tally_state)))::bigint",
	[SQL_ADD_COUNTED] = "INSERT INTO counted(seq, node, at, queued, data)"
			    " VALUES(oiwake_seq(), $1, $2, $3, $4)",
	/* Adding up is one node's at a time; only it writes to the tables. */
	[SQL_COUNT_LOCK] = "SELECT pg_try_advisory_xact_lock(" COUNT_LOCK ")"
			   "::int::bigint",
	[SQL_NEXT_COUNTED] = "SELECT seq, data FROM counted WHERE seq > $1"
			     " AND seq < oiwake_horizon()"
			     " ORDER BY seq LIMIT $2",
	[SQL_SET_COUNTED] = "UPDATE tally_state SET counted = $1, folder = $2,"
			    " counted_at = $3",
	/* Each node that lives has heard of it. */
	[SQL_TRIM_COUNTED] =
	    "WITH lives AS (SELECT h.node, h.seq FROM counted_heard h"
	    "  JOIN node n ON n.epoch = h.node AND n.buried = 0),"
	    " dead AS (DELETE FROM counted_heard"
	    "  WHERE node NOT IN (SELECT node FROM lives)),"
	    " old AS (DELETE FROM counted WHERE seq <= $1 AND at < $2"
	    "  AND seq <= coalesce((SELECT min(seq) FROM lives), $1)"
	    "  RETURNING seq)"
	    " UPDATE tally_state SET removed = greatest(removed,"
	    "  (SELECT max(seq) FROM old)) WHERE EXISTS (SELECT 1 FROM old)",
	[SQL_READ_COUNTED] = "SELECT data FROM counted WHERE seq >"
			     " (SELECT counted FROM tally_state)"
			     " AND ($1::bigint = 0 OR seq <= $1)",
	[SQL_LAST_CERTAIN] = "SELECT oiwake_horizon() - 1",
	[SQL_HEAR_COUNTED] =
	    "SELECT coalesce(c.seq, 0), c.data, s.removed, h.horizon - 1"
	    " FROM tally_state s, (SELECT oiwake_horizon() AS horizon) h"
	    " LEFT JOIN LATERAL (SELECT seq, data FROM counted WHERE seq > $1"
	    "  AND seq < h.horizon AND node <> $2 ORDER BY seq LIMIT $3) c"
	    " ON true ORDER BY 1",
	[SQL_SET_HEARD] = "INSERT INTO counted_heard VALUES($1, $2)"
			  " ON CONFLICT (node) DO UPDATE SET seq = $2",
	[SQL_TALLY_STATE] = "SELECT folded, folded_key, since, counted, folder,"
			    " counted_at FROM tally_state",
	[SQL_GET_TALLY] = "SELECT data FROM tally"
			  " WHERE level = $1 AND at = $2 AND key = $3",
	[SQL_PUT_TALLY] = "INSERT INTO tally(level, at, key, data)"
			  " VALUES($1, $2, $3, $4) ON CONFLICT (level, at, key)"
			  " DO UPDATE SET data = excluded.data",
	[SQL_TALLY_KEYS] = "SELECT id, day, path, carrier, grp, sender, source,"
			   " rule, configuration_set FROM tally_key"
			   " ORDER BY id",
	[SQL_ADD_TALLY_KEY] =
	    "INSERT INTO tally_key(day, path, carrier, grp, sender, source,"
	    " rule, configuration_set)"
	    " VALUES($1, $2, $3, $4, $5, $6, $7, $8)"
	    " ON CONFLICT (path, carrier, grp, sender, source, rule,"
	    "  configuration_set)"
	    " DO UPDATE SET day = greatest(tally_key.day, excluded.day)"
	    " RETURNING id",
	[SQL_SET_TALLY_DAY] = "UPDATE tally_key SET day = greatest(day, $2)"
			      " WHERE id = $1",
	[SQL_NEXT_MINUTE] = "SELECT at, key, data FROM tally"
			    " WHERE level = 0 AND (at, key) > ($1, $2)"
			    " AND at <= $3 ORDER BY at, key LIMIT $4",
	[SQL_SET_FOLDED] =
	    "UPDATE tally_state SET folded = $1, folded_key = $2",
	[SQL_TRIM_TALLIES] =
	    "DELETE FROM tally WHERE ctid = ANY(ARRAY(SELECT ctid FROM tally"
	    "  WHERE level = $1 AND at < $2 AND (at, key) <= ($3, $4)"
	    "  ORDER BY level, at LIMIT $5 FOR UPDATE SKIP LOCKED))",
	[SQL_TRIM_TALLY_KEYS] =
	    "DELETE FROM tally_key WHERE ctid = ANY(ARRAY(SELECT ctid"
	    "  FROM tally_key WHERE day < $1 ORDER BY day LIMIT $2"
	    "  FOR UPDATE SKIP LOCKED))",
	/* After a mark: that of what has been folded, or before all. */
	[SQL_READ_TALLIES] = "SELECT at, key, data FROM tally"
			     " WHERE level = $1 AND at >= $2 AND at < $3"
			     " AND (at > $4 OR key > $5)"
			     " ORDER BY at DESC",

	/* -- nodes (pg_node.c) --------------------------------------------- */

	/* Giving a node up (buried = 1) does not wait for its transactions;
	 * taking apart what it held does, for it locks the row. */
	[SQL_NODE_FENCE] =
	    "SELECT pg_current_xact_id()::text::bigint FROM node"
	    " WHERE epoch = $1 AND buried = 0 FOR KEY SHARE",
	[SQL_NODE_DEAD] = "SELECT name FROM node"
			  " WHERE epoch = $1 AND buried <> 0"
			  " FOR UPDATE SKIP LOCKED",
	[SQL_NODE_LEAVING] = "SELECT name FROM node"
			     " WHERE epoch = $1 AND buried = 0 FOR UPDATE",
	[SQL_NODE_SENDING] = "SELECT message, idx FROM recipient"
			     " WHERE holder = $1 AND holder <> 0 AND state = 2"
			     " LIMIT $2",
	[SQL_NODE_RETURN] =
	    "UPDATE recipient SET state = 0, holder = 0,"
	    " due = least(due, $3::bigint)"
	    " WHERE ctid = ANY(ARRAY(SELECT ctid FROM recipient"
	    "  WHERE holder = $1 AND holder <> 0 AND state = 1 LIMIT $2))"
	    " AND holder = $1",
	[SQL_NODE_REMOVE] =
	    "WITH marks AS (DELETE FROM change_mark WHERE node = $1)"
	    " DELETE FROM node WHERE epoch = $1",
	[SQL_NODE_CHANGED] =
	    "WITH mark AS (INSERT INTO change_mark(node, kind, n)"
	    "  VALUES($1::bigint, $2::text, 1) ON CONFLICT (node, kind)"
	    "  DO UPDATE SET n = change_mark.n + 1)"
	    " SELECT pg_notify('oiwake', $2::text || ' ' || $1::bigint)",
	[SQL_NODE_DRAIN] = "UPDATE node SET draining = $2"
			   " WHERE name = $1 AND buried = 0",
	[SQL_READ_NODES] =
	    "SELECT epoch, slot, name, host, version, ruleset, sources,"
	    " trouble, started, heard, leases,"
	    " greatest(draining, leaving), oiwake_now() - heard,"
	    " greatest(buried, (until < oiwake_now())::int)"
	    " FROM node ORDER BY name, epoch",

	/* -- shares (sql_share.c) ------------------------------------------ */

	/* By itself, for what is read must be as of then. */
	[SQL_SHARE_LOCK] =
	    "SELECT pg_advisory_xact_lock(hashtextextended($1::text, 8))",
	[SQL_SHARE_READ] =
	    "SELECT epoch, reserved, held, want, lim, until, asked, since,"
	    " (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
	    " FROM share WHERE name = $1" C
	    " UNION ALL SELECT 0::bigint, 0, 0, 0, 0, 0, 0, 0,"
	    " (extract(epoch FROM clock_timestamp()) * 1000)::bigint",
	[SQL_SHARE_PUT] =
	    "INSERT INTO share(name, epoch, reserved, held, want, lim, until,"
	    " asked, since) VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9)"
	    " ON CONFLICT (name, epoch) DO UPDATE SET"
	    " reserved = excluded.reserved, held = excluded.held,"
	    " want = excluded.want, lim = excluded.lim,"
	    " until = excluded.until, asked = excluded.asked,"
	    " since = excluded.since",
	[SQL_SHARE_SPEND] =
	    "INSERT INTO share(name, epoch, reserved, held, want, lim, until,"
	    " asked, since) VALUES($1, $2, $3, 0, 0, 0, $4, 0, 0)"
	    " ON CONFLICT (name, epoch) DO UPDATE SET"
	    " reserved = share.reserved + excluded.reserved",
	[SQL_SHARE_FORGET] = "DELETE FROM share WHERE name = $1" C
			     " AND (until <= $2 OR epoch = $3)",
	[SQL_SHARE_TRIM] =
	    "DELETE FROM share WHERE ctid = ANY(ARRAY(SELECT ctid FROM share"
	    " WHERE until < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
};
