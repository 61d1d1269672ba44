/*
 * sqlite_sql.c - every statement that the SQLite engine runs; the tables are in
 * sqlite_schema.c.
 */
#include "router/store/sqlite_int.h"

#define ROUTE_COLUMNS                                                          \
	"path, pool, source, carrier, grp, rule, ruleset, "                    \
	"configuration_set"

#define RECIPIENT_COLUMNS                                                      \
	"r.message, r.idx, r.state, r.shelf, r.due, r.expires, r.attempts, "   \
	"r.notify, r.flags, r.unread, r.delay_told, r.address, r.orcpt, "      \
	"r.last, r.path, r.pool, r.source, r.carrier, r.grp, r.rule, "         \
	"r.ruleset, r.configuration_set, r.sender, r.held_at, r.held"

#define MESSAGE_COLUMNS                                                        \
	"m.id, m.received, m.reverse_path, m.envid, m.ret, m.flags, m.user, "  \
	"m.listener, m.client, m.header_from, m.message_id, m.size, "          \
	"m.header_size, m.nrcpt, m.tags"

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

#define SENT_TABLES " FROM sent s CROSS JOIN sent_key k ON k.id = s.key"

#define SUPPRESSION_COLUMNS                                                    \
	"id, scope, address, cause, who, state, at, source, evidence, path, "  \
	"message, idx, expires, soft"

/* Of struct suppression_filter: ?1 to ?10. An address is a key, or @domain. */
#define SUPPRESSION_FILTER                                                     \
	" state <> 2"                                                          \
	" AND (?1 IS NULL OR scope = ?1)"                                      \
	" AND (?2 = '' OR address = ?2"                                        \
	"  OR (substr(?2, 1, 1) = '@'"                                         \
	"   AND substr(address, -length(?2)) = ?2))"                           \
	" AND (?3 = '' OR cause = ?3)"                                         \
	" AND (?4 = '' OR path = ?4)"                                          \
	" AND (?5 = '' OR source = ?5)"                                        \
	" AND (?6 = '' OR who = ?6)"                                           \
	" AND (?7 = 0 OR at >= ?7)"                                            \
	" AND (?8 = 0 OR at < ?8)"                                             \
	" AND (?9 OR expires = 0 OR expires > ?10)"

/* '' matches anything. A domain also matches what ends in '.' and itself. */
#define FILTER                                                                 \
	"(?1 < 0 OR r.idx = ?1)"                                               \
	" AND (?2 = '' OR r.address = ?2 COLLATE NOCASE)"                      \
	" AND (?3 = '' OR substr(r.address, -length(?3) - 1)"                  \
	"  COLLATE NOCASE IN ('@' || ?3, '.' || ?3))"                          \
	" AND (?4 = '' OR r.sender = ?4 COLLATE NOCASE"                        \
	"  OR m.reverse_path = ?4 COLLATE NOCASE)"                             \
	" AND (?5 = '' OR r.path = ?5)"                                        \
	" AND (?6 = '' OR r.carrier = ?6)"

const char *const sqlite_sql[SQL_MAX] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",

	[SQL_ADD_MESSAGE] = "INSERT INTO message VALUES"
			    "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,"
			    "?16,?15)",
	[SQL_ADD_BODY] = "INSERT INTO body VALUES(?,?)",
	[SQL_ADD_RECIPIENT] = "INSERT INTO recipient VALUES"
			      "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[SQL_ADD_COUNTER] =
	    "INSERT INTO counter VALUES"
	    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
	    " ON CONFLICT DO UPDATE SET"
	    " accepted = accepted + excluded.accepted,"
	    " sent = sent + excluded.sent,"
	    " delivered = delivered + excluded.delivered,"
	    " bounced = bounced + excluded.bounced,"
	    " filtered = filtered + excluded.filtered,"
	    " deferred = deferred + excluded.deferred,"
	    " expired = expired + excluded.expired,"
	    " complained = complained + excluded.complained,"
	    " suppressed = suppressed + excluded.suppressed,"
	    " removed = removed + excluded.removed,"
	    " unread = unread + excluded.unread,"
	    " returned = returned + excluded.returned,"
	    " attempted = attempted + excluded.attempted,"
	    " hard = hard + excluded.hard,"
	    " unknown = unknown + excluded.unknown,"
	    " exempt = exempt + excluded.exempt",
	/* Never again a number that has been added up. */
	[SQL_ADD_COUNTED] =
	    "INSERT INTO counted VALUES(coalesce((SELECT max(seq) FROM counted),"
	    " (SELECT counted FROM tally_state)) + 1, ?, ?, ?, ?)",
	[SQL_ADD_EVENT] = "INSERT INTO event VALUES"
			  "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",

	[SQL_ADD_TRAFFIC] = "INSERT INTO traffic VALUES(?,?,?)",
	[SQL_ADD_RULESET] = "INSERT INTO ruleset VALUES(NULL,?,?,?,?,?)",
	[SQL_ADD_RULES_FILE] = "INSERT INTO rules_file VALUES(?,?,?,?)",

	/* The row may be there: feedback has come before. */
	[SQL_ADD_SENT] = "INSERT INTO sent(message, idx, at, remember, state,"
			 " address, remote_id, notes, reason, key)"
			 " VALUES(?,?,?,?,?,?,?,?,?,?)"
			 " ON CONFLICT DO NOTHING",
	[SQL_ADD_SENT_KEY] = "INSERT INTO sent_key VALUES"
			     "(NULL,?,?,?,?,?,?,?)",
	[SQL_ADD_LETTER] = "INSERT INTO dead_letter VALUES(NULL,?,?,?,?,?)",
	[SQL_REMOVE_LETTER] = "DELETE FROM dead_letter WHERE seq = ?",
	[SQL_REMOVE_LETTERS] = "DELETE FROM dead_letter",
	[SQL_HAS_LETTER] = "SELECT 1 FROM dead_letter WHERE source = ?1"
			   " AND id = ?2 AND id <> '' AND body = ?3 LIMIT 1",
	[SQL_PUT_SUPPRESSION] =
	    "INSERT INTO suppression VALUES"
	    "(NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
	    " ON CONFLICT DO UPDATE SET cause = ?3, who = ?4, state = ?5,"
	    " at = ?6, source = ?7, evidence = ?8, path = ?9, message = ?10,"
	    " idx = ?11, expires = ?12, soft = ?13",
	[SQL_SET_SUPPRESSION_EXPIRES] =
	    "UPDATE suppression SET expires = ?2 WHERE id = ?1",
	[SQL_SET_SUPPRESSION_STATE] =
	    "UPDATE suppression SET who = ?2, state = ?3,"
	    " expires = iif(state = 2, 0, expires) WHERE id = ?1",
	[SQL_FREE_SUPPRESSION] =
	    "UPDATE suppression SET state = 2, expires = ?2 WHERE id = ?1",
	[SQL_REMOVE_SUPPRESSION] = "DELETE FROM suppression"
				   " WHERE scope = ? AND address = ?",
	[SQL_DROP_SUPPRESSION] = "DELETE FROM suppression WHERE id = ?",
	/* One that SES has as well is to be taken away there. */
	[SQL_LIFT_SYNCED_SUPPRESSION] =
	    "UPDATE suppression SET state = 2, expires = ?3"
	    " WHERE address = ?1 AND soft <> 0 AND at <= ?2"
	    " AND state = 0 AND scope <> ''",
	[SQL_LIFT_SUPPRESSION] = "DELETE FROM suppression"
				 " WHERE address = ?1 AND soft <> 0"
				 " AND at <= ?2 AND state <> 2",
	[SQL_GET_SUPPRESSION] = "SELECT " SUPPRESSION_COLUMNS
				" FROM suppression"
				" WHERE address = ?1 AND scope = ?2",
	/* The plus keeps it one search, for the address. */
	[SQL_FIND_SUPPRESSED] =
	    "SELECT " SUPPRESSION_COLUMNS " FROM suppression"
	    " WHERE address = ?1 AND (+scope = '' OR +scope = ?2)"
	    " AND state <> 2 AND (expires = 0 OR expires > ?3)",
	[SQL_HAS_SUPPRESSION] = "SELECT EXISTS(SELECT 1 FROM suppression)",
	[SQL_SUPPRESSIONS_AT_MOST] =
	    "SELECT (SELECT max(id) FROM suppression)"
	    " - (SELECT min(id) FROM suppression) + 1",
	[SQL_SUPPRESSIONS_AFTER] = "SELECT address FROM suppression"
				   " WHERE address > ? ORDER BY address"
				   " LIMIT ?",
	/* Bounded by rows looked at, as SQL_EDIT_SLICE. */
	[SQL_UNSUPPRESS_SLICE] =
	    "SELECT id, scope, state, cause, " SUPPRESSION_FILTER
	    " FROM (SELECT * FROM suppression WHERE id > ?11"
	    "  ORDER BY id LIMIT ?12)",
	[SQL_UNSUPPRESS_ADDRESS] =
	    "SELECT id, scope, state, cause, " SUPPRESSION_FILTER
	    " FROM suppression WHERE address = ?2 AND id > ?11"
	    " ORDER BY id LIMIT ?12",
	[SQL_TRIM_SYNCED_SUPPRESSION] =
	    "UPDATE suppression SET state = 2, expires = ?3 WHERE state = 0"
	    " AND scope <> '' AND id IN (SELECT id FROM suppression"
	    "  WHERE expires <> 0 AND expires <= ?1"
	    "  ORDER BY expires LIMIT ?2)",
	[SQL_TRIM_SUPPRESSION] =
	    "DELETE FROM suppression WHERE id IN"
	    " (SELECT id FROM suppression WHERE expires <> 0"
	    "  AND expires <= ?1 ORDER BY expires LIMIT ?2)",
	[SQL_ADD_STRIKE] = "INSERT INTO strike VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
			   " ON CONFLICT DO UPDATE SET at = ?5, expires = ?6",
	[SQL_COUNT_STRIKES] = "SELECT count(*) FROM strike"
			      " WHERE address = ? AND cause = ? AND at > ?",
	[SQL_REMOVE_STRIKES] = "DELETE FROM strike"
			       " WHERE address = ? AND cause = ?",
	[SQL_LIFT_STRIKES] = "DELETE FROM strike"
			     " WHERE address = ?1 AND at <= ?2",
	[SQL_HAS_STRIKE] = "SELECT EXISTS(SELECT 1 FROM strike)",
	[SQL_TRIM_STRIKES] = "DELETE FROM strike"
			     " WHERE (address, cause, message, idx) IN"
			     " (SELECT address, cause, message, idx"
			     "  FROM strike INDEXED BY strike_expires"
			     "  WHERE expires <= ? LIMIT ?)",
	[SQL_ADD_MAIL] = "INSERT INTO mail VALUES(?,?,?,?)",
	[SQL_TRIM_MAIL] = "DELETE FROM mail WHERE message IN"
			  " (SELECT message FROM (SELECT message, at FROM mail"
			  "  ORDER BY message LIMIT ?2) WHERE at < ?1)",
	[SQL_ADD_EVENT_HOUR] = "INSERT INTO event_hour VALUES(?, ?)"
			       " ON CONFLICT DO NOTHING",
	[SQL_ADD_WHOM] = "INSERT INTO event_whom VALUES(?,?,?)",
	[SQL_LAST_WHOM] = "SELECT coalesce(max(seq), 0) FROM event_whom",
	[SQL_WHOM_AFTER] = "SELECT seq, recipient, sender FROM event"
			   " WHERE seq > ? ORDER BY seq LIMIT ?",
	[SQL_TRIM_WHOM] = "DELETE FROM event_whom"
			  " WHERE seq < (SELECT min(seq) FROM event)",
	[SQL_TRIM_EVENT_HOURS] = "DELETE FROM event_hour"
				" WHERE hour < ?1 / 3600000",

	[SQL_GET_SENT] = "SELECT " SENT_COLUMNS SENT_TABLES
			 " WHERE s.message = ? AND s.idx = ?",
	[SQL_FIND_SENT] = "SELECT " SENT_COLUMNS SENT_TABLES
			  " WHERE s.message = ? AND s.address = ?"
			  " COLLATE NOCASE LIMIT 1",
	/* The plus keeps SQLite from putting ?1 into the substr as well, where
	 * the index would not be seen any more. */
	[SQL_FIND_SENT_REMOTE] =
	    "SELECT " SENT_COLUMNS SENT_TABLES
	    " WHERE substr(s.remote_id, 1, 25) = substr(?1, 1, 25)"
	    " AND +s.remote_id = ?1 AND s.remote_id <> ''"
	    " AND (?2 OR s.address = ?3 COLLATE NOCASE) LIMIT 1",
	/* By its ends: a message may have had many. */
	[SQL_FIND_SENT_ONLY] =
	    "SELECT " SENT_COLUMNS SENT_TABLES " WHERE s.message = ?1"
	    " AND s.idx = (SELECT min(idx) FROM sent WHERE message = ?1)"
	    " AND s.idx = (SELECT max(idx) FROM sent WHERE message = ?1)",
	[SQL_GET_SENT_KEY] = "SELECT id FROM sent_key WHERE path = ?"
			     " AND carrier = ? AND grp = ? AND sender = ?"
			     " AND source = ? AND rule = ?"
			     " AND configuration_set = ?",
	[SQL_FIND_RECIPIENT] = "SELECT idx FROM recipient WHERE message = ?"
			       " AND address = ? COLLATE NOCASE LIMIT 1",
	[SQL_FIND_RECIPIENT_ONLY] =
	    "SELECT idx FROM recipient WHERE message = ?1"
	    " AND idx = (SELECT min(idx) FROM recipient WHERE message = ?1)"
	    " AND idx = (SELECT max(idx) FROM recipient WHERE message = ?1)"
	    " AND NOT EXISTS (SELECT 1 FROM sent WHERE message = ?1)",
	/* The second, which touches no index, is the usual one. */
	[SQL_SET_SENT] = "UPDATE sent SET state = ?3, notes = ?4, reason = ?5,"
			 " remember = ?6, key = ?7, remote_id = ?8"
			 " WHERE message = ?1 AND idx = ?2",
	[SQL_SET_SENT_STATE] = "UPDATE sent SET state = ?3, notes = ?4,"
			       " reason = ?5 WHERE message = ?1 AND idx = ?2",

	[SQL_GET_STORED] = "SELECT state, unread, 0, sender, address, "
			   ROUTE_COLUMNS
			   " FROM recipient WHERE message = ? AND idx = ?",
	[SQL_GET_MESSAGE] =
	    "SELECT " MESSAGE_COLUMNS " FROM message m WHERE m.id = ?",
	[SQL_GET_BODY] = "SELECT data FROM body WHERE message = ?",
	[SQL_GET_SPOOL] = "SELECT spool, size FROM message WHERE id = ?",

	/* The usual case in one statement: what is stored is as given, and
	 * nobody can know more of it. When it changes nothing, sqlite_load
	 * tells why. */
	[SQL_BEGIN_SAME] =
	    "UPDATE recipient SET state = 2"
	    " WHERE message = ?1 AND idx = ?2 AND path = ?3 AND pool = ?4"
	    " AND source = ?5 AND carrier = ?6 AND grp = ?7 AND rule = ?8"
	    " AND ruleset = ?9 AND configuration_set = ?10 AND unread = 0",
	[SQL_REMOVE_SAME] =
	    "DELETE FROM recipient"
	    " WHERE message = ?1 AND idx = ?2 AND path = ?3 AND source = ?4"
	    " AND carrier = ?5 AND grp = ?6 AND rule = ?7 AND sender = ?8"
	    " AND configuration_set = ?9",
	[SQL_SET_SENDING] = "UPDATE recipient SET state = 2"
			    " WHERE message = ?1 AND idx = ?2",
	[SQL_SET_ROUTE] = "UPDATE recipient SET path = ?3, pool = ?4,"
			  " source = ?5, carrier = ?6, grp = ?7, rule = ?8,"
			  " ruleset = ?9, configuration_set = ?10, sender = ?11"
			  " WHERE message = ?1 AND idx = ?2",
	[SQL_RETRY] = "UPDATE recipient SET state = 0, due = ?3, shelf = ?4,"
		      " attempts = attempts + 1, delay_told = ?5,"
		      " last = coalesce(?6, last),"
		      " expires = coalesce(nullif(?7, 0), expires),"
		      " flags = flags | ?8, unread = ?10"
		      " WHERE message = ?1 AND idx = ?2",
	[SQL_RETURN] = "UPDATE recipient SET state = 0, due = ?3, shelf = ?4,"
		       " delay_told = ?5, last = coalesce(?6, last),"
		       " expires = coalesce(nullif(?7, 0), expires),"
		       " flags = flags | ?8,"
		       " held_at = iif(?10 IS NULL, held_at, ?11),"
		       " held = coalesce(?10, held)"
		       " WHERE message = ?1 AND idx = ?2",

	[SQL_REMOVE_RECIPIENT] = "DELETE FROM recipient"
				 " WHERE message = ? AND idx = ?",
	[SQL_HAS_RECIPIENT] = "SELECT 1 FROM recipient WHERE message = ?"
			      " LIMIT 1",
	[SQL_REMOVE_MESSAGE] = "DELETE FROM message WHERE id = ?",
	[SQL_REMOVE_BODY] = "DELETE FROM body WHERE message = ?1 AND NOT EXISTS"
			    " (SELECT 1 FROM recipient WHERE message = ?1)",

	[SQL_LEASE] = "SELECT " RECIPIENT_COLUMNS
		      " FROM recipient r INDEXED BY recipient_waiting"
		      " WHERE state = 0 AND shelf = ? AND due <= ?"
		      " ORDER BY due LIMIT ?",
	[SQL_SET_LEASED] = "UPDATE recipient SET state = 1"
			   " WHERE message = ? AND idx = ?",
	[SQL_NEXT_DUE] = "SELECT due FROM recipient"
			 " INDEXED BY recipient_waiting"
			 " WHERE state = 0 AND shelf = ?"
			 " ORDER BY due LIMIT 1",
	[SQL_NEXT_SHELF] = "SELECT shelf, due FROM recipient"
			   " INDEXED BY recipient_waiting"
			   " WHERE state = 0 AND shelf > ?"
			   " ORDER BY shelf, due LIMIT 1",

	/* The slice is bounded by rows looked at, not by rows that match. */
	[SQL_EDIT_SLICE] = "SELECT r.message, r.idx, r.state = 0"
			   " AND (?11 IS NULL OR r.held <> ?11)"
			   " AND (NOT ?12 OR r.held_at = 0) AND " FILTER
			   " FROM (SELECT * FROM recipient"
			   "  WHERE (message, idx) > (?7, ?8) AND message <= ?9"
			   "  ORDER BY message, idx LIMIT ?10) r"
			   " CROSS JOIN message m ON m.id = r.message",
	/* Time does not count while it is held. */
	[SQL_RETRY_NOW] = "UPDATE recipient SET due = ?3, flags = flags & ?4,"
			  " expires = expires + iif(held_at = 0, 0,"
			  "  max(0, ?3 - held_at)),"
			  " held_at = 0, held = ''"
			  " WHERE message = ?1 AND idx = ?2 AND due > ?3",
	[SQL_HOLD] = "UPDATE recipient SET due = ?3,"
		     " held_at = iif(held_at = 0, ?4, held_at), held = ?5"
		     " WHERE message = ?1 AND idx = ?2",
	/* Each by its own time: one of long ago may have been told late. */
	[SQL_TRIM_EVENTS] = "DELETE FROM event WHERE seq IN"
			    " (SELECT seq FROM (SELECT seq, at FROM event"
			    "  ORDER BY seq LIMIT ?2) WHERE at < ?1)"
			    " AND seq < (SELECT max(seq) FROM event)",

	[SQL_TRIM_TRAFFIC] = "DELETE FROM traffic WHERE seq <= ?",
	/* Asked for together, both would be looked for in all rows. */
	[SQL_TRAFFIC_ENDS] = "SELECT (SELECT min(seq) FROM traffic),"
			     " (SELECT max(seq) FROM traffic)",
	[SQL_TRAFFIC_NEXT] = "SELECT seq, latest FROM traffic"
			     " WHERE seq > ? ORDER BY seq LIMIT 1",

	[SQL_KEEP] = "INSERT INTO kept VALUES(?1, ?2, ?3, ?4)"
		     " ON CONFLICT DO UPDATE SET value = ?3, expires = ?4",
	[SQL_FORGET] = "DELETE FROM kept WHERE kind = ? AND key = ?",
	[SQL_TRIM_KEPT] = "DELETE FROM kept WHERE (kind, key) IN"
			  " (SELECT kind, key FROM kept"
			  "  INDEXED BY kept_expires"
			  "  WHERE expires <> 0 AND expires <= ? LIMIT ?)",

	[SQL_TRIM_SENT] = "DELETE FROM sent WHERE (message, idx) IN"
			  " (SELECT message, idx FROM sent"
			  "  INDEXED BY sent_remember"
			  "  WHERE remember <= ? LIMIT ?)",

	[SQL_NEWEST_RULESET] = "SELECT version FROM ruleset"
			       " ORDER BY number DESC LIMIT 1",
	[SQL_HAS_RULES_TEXT] = "SELECT 1 FROM rules_file"
			       " WHERE version = ? LIMIT 1",

	[SQL_FIND_SENDING] = "SELECT message, idx FROM recipient"
			     " INDEXED BY recipient_taken"
			     " WHERE state <> 0 AND state = 2",
	[SQL_TAKE_BACK] = "UPDATE recipient SET state = 0, unread = 1,"
			  " attempts = attempts + 1, due = min(due, ?3)"
			  " WHERE message = ?1 AND idx = ?2",
	[SQL_TAKE_BACK_LEASED] = "UPDATE recipient SET state = 0,"
				 " due = min(due, ?)"
				 " WHERE state <> 0 AND state = 1",
	[SQL_KNOWS_SPOOL] = "SELECT 1 FROM message"
			    " WHERE spool = ? AND spool <> ''",

	[SQL_READ_COUNTERS] = "SELECT path, carrier, grp, sender, source,"
			      " rule, configuration_set, " COUNTER_COLUMNS
			      " FROM counter",
	[SQL_READ_QUEUE] =
	    "SELECT " RECIPIENT_COLUMNS ", " MESSAGE_COLUMNS
	    " FROM recipient r CROSS JOIN message m ON m.id = r.message"
	    " WHERE r.message BETWEEN ?7 AND ?8"
	    " AND (r.message, r.idx) > (?10, ?11 - (?10 = 0)) AND " FILTER
	    " ORDER BY r.message, r.idx LIMIT ?9",
	[SQL_COUNT_QUEUE] =
	    "SELECT count(*)"
	    " FROM recipient r CROSS JOIN message m ON m.id = r.message"
	    " WHERE r.message BETWEEN ?7 AND ?8 AND " FILTER,
	[SQL_QUEUE_FLOOR] = "SELECT message, idx FROM recipient"
			    " WHERE (message, idx) < (?1, ?2)"
			    " ORDER BY message DESC, idx DESC"
			    " LIMIT 1 OFFSET ?3",
	[SQL_SEARCH_QUEUE] =
	    "SELECT " RECIPIENT_COLUMNS ", " MESSAGE_COLUMNS
	    " FROM recipient r CROSS JOIN message m ON m.id = r.message"
	    " WHERE (r.message, r.idx) < (?7, ?8)"
	    " AND (r.message, r.idx) > (?9, ?10) AND " FILTER
	    " ORDER BY r.message DESC, r.idx DESC LIMIT ?11",
	[SQL_READ_QUEUE_SIZE] =
	    "SELECT (SELECT coalesce(sum(accepted + returned - sent - bounced"
	    "  - filtered - expired - suppressed - removed), 0) FROM counter)"
	    " + (SELECT coalesce(sum(queued), 0) FROM counted WHERE seq >"
	    "  (SELECT counted FROM tally_state))",
	[SQL_READ_EVENTS] = "SELECT " EVENT_COLUMNS " FROM event"
			    " WHERE seq > ? ORDER BY seq LIMIT ?",
	[SQL_READ_MESSAGE_EVENTS] = "SELECT " EVENT_COLUMNS " FROM event"
				    " WHERE message = ?1 AND seq > ?2"
				    " ORDER BY seq LIMIT ?3",
	[SQL_READ_TRAFFIC] = "SELECT entries, 0 FROM traffic WHERE seq > ?"
			     " ORDER BY seq",
	[SQL_READ_RULESETS] = "SELECT number, at, version, who, files, bytes"
			      " FROM ruleset WHERE number BETWEEN ?1 AND ?2"
			      " ORDER BY number DESC LIMIT ?3",
	[SQL_READ_RULES_FILES] = "SELECT f.name, f.text FROM ruleset r"
				 " JOIN rules_file f ON f.version = r.version"
				 " WHERE r.number = ? ORDER BY f.idx",
	[SQL_READ_KEPT] = "SELECT key, value, expires FROM kept"
			  " WHERE kind = ?1 AND key = ?3"
			  " AND (expires = 0 OR expires > ?2)",
	[SQL_READ_KEPT_KIND] = "SELECT key, value, expires FROM kept"
			       " WHERE kind = ?1"
			       " AND (expires = 0 OR expires > ?2)"
			       " ORDER BY key",
	[SQL_READ_LETTERS] = "SELECT seq, at, source, id, why, body"
			     " FROM dead_letter WHERE seq > ?"
			     " ORDER BY seq LIMIT ?",
	[SQL_READ_SENT] = "SELECT " SENT_COLUMNS SENT_TABLES
			  " WHERE s.message = ?1 AND (?2 < 0 OR s.idx = ?2)"
			  " ORDER BY s.idx",
	[SQL_READ_SENT_SIZE] = "SELECT count(*) FROM sent",
	[SQL_READ_SUPPRESSION] =
	    "SELECT " SUPPRESSION_COLUMNS " FROM suppression"
	    " WHERE scope = ?1 AND scope <> '' AND address > ?2"
	    " AND (?3 >> state) & 1 ORDER BY address LIMIT ?4",
	[SQL_READ_SUPPRESSION_ALL] =
	    "SELECT " SUPPRESSION_COLUMNS " FROM suppression"
	    " WHERE +scope = ?1 AND address > ?2"
	    " AND (?3 >> state) & 1 ORDER BY address LIMIT ?4",
	[SQL_READ_SUPPRESSIONS] =
	    "SELECT " SUPPRESSION_COLUMNS " FROM suppression"
	    " WHERE scope <> '' AND (scope, address) > (?11, ?12) AND"
	    SUPPRESSION_FILTER " ORDER BY scope, address LIMIT ?13",
	[SQL_READ_SUPPRESSIONS_ALL] =
	    "SELECT " SUPPRESSION_COLUMNS " FROM suppression"
	    " WHERE +scope = '' AND address > ?12 AND"
	    SUPPRESSION_FILTER " ORDER BY address LIMIT ?13",
	[SQL_READ_SUPPRESSIONS_KEY] =
	    "SELECT " SUPPRESSION_COLUMNS " FROM suppression"
	    " WHERE address = ?2 AND (scope, address) > (?11, ?12) AND"
	    SUPPRESSION_FILTER " ORDER BY scope LIMIT ?13",
	[SQL_READ_MAIL] = "SELECT json FROM mail WHERE message = ?",
	[SQL_READ_BY_MESSAGE_ID] =
	    "SELECT message FROM mail WHERE message_id = ? AND message_id <> 0"
	    " ORDER BY message DESC LIMIT ?",
	[SQL_READ_BY_REMOTE_ID] =
	    "SELECT message, idx FROM sent"
	    " WHERE substr(remote_id, 1, 25) = substr(?1, 1, 25)"
	    " AND +remote_id = ?1 AND remote_id <> '' LIMIT 1",
	/* From the filter that has ?1, or is the last one, backwards. */
	[SQL_READ_WHOM] = "SELECT seq, first, bits FROM event_whom"
			  " WHERE seq <= coalesce((SELECT min(seq)"
			  "  FROM event_whom WHERE seq >= ?1), ?1)"
			  " AND seq > ?2 ORDER BY seq DESC",
	[SQL_SEARCH_EVENTS] = "SELECT " EVENT_COLUMNS " FROM event"
			      " WHERE seq BETWEEN ?1 AND ?2"
			      " AND (?3 = '' OR recipient = ?3 COLLATE NOCASE)"
			      " AND (?4 = '' OR sender = ?4 COLLATE NOCASE)"
			      " ORDER BY seq DESC",
	[SQL_READ_RECIPIENT_EVENTS] = "SELECT " EVENT_COLUMNS " FROM event"
				      " WHERE message = ?1 AND idx = ?2"
				      " AND seq > ?3 ORDER BY seq DESC"
				      " LIMIT ?4",
	[SQL_READ_RECIPIENTS] =
	    "SELECT idx FROM event WHERE message = ?1 AND idx > ?2"
	    " UNION SELECT idx FROM recipient WHERE message = ?1 AND idx > ?2"
	    " ORDER BY 1 LIMIT ?3",
	[SQL_READ_LAST_EVENT] = "SELECT max(seq) FROM event",
	[SQL_READ_FIRST_EVENT] = "SELECT min(seq) FROM event",

	[SQL_NEXT_COUNTED] = "SELECT seq, data FROM counted WHERE seq > ?"
			     " ORDER BY seq LIMIT ?",
	[SQL_SET_COUNTED] = "UPDATE tally_state SET counted = ?, folder = ?,"
			    " counted_at = ?",
	[SQL_TRIM_COUNTED] = "DELETE FROM counted WHERE seq <= ? AND at < ?",
	[SQL_COUNTED_BYTES] =
	    "SELECT coalesce(sum(length(data)), 0) FROM counted",
	[SQL_READ_COUNTED] = "SELECT data FROM counted WHERE seq >"
			     " (SELECT counted FROM tally_state)"
			     " AND (?1 = 0 OR seq <= ?1)",
	[SQL_TALLY_STATE] = "SELECT folded, folded_key, since, counted, folder,"
			    " counted_at FROM tally_state",
	[SQL_GET_TALLY] = "SELECT data FROM tally"
			  " WHERE level = ? AND at = ? AND key = ?",
	[SQL_PUT_TALLY] = "INSERT INTO tally VALUES(?, ?, ?, ?4)"
			  " ON CONFLICT DO UPDATE SET data = ?4",
	[SQL_TALLY_KEYS] = "SELECT id, day, path, carrier, grp, sender, source,"
			   " rule, configuration_set FROM tally_key"
			   " ORDER BY id",
	[SQL_ADD_TALLY_KEY] = "INSERT INTO tally_key VALUES"
			      "(NULL,?,?,?,?,?,?,?,?)",
	[SQL_SET_TALLY_DAY] = "UPDATE tally_key SET day = ?2 WHERE id = ?1",
	[SQL_NEXT_MINUTE] = "SELECT at, key, data FROM tally"
			    " WHERE level = 0 AND at >= ?1"
			    " AND (at > ?1 OR key > ?2) AND at <= ?3"
			    " ORDER BY at, key LIMIT ?4",
	[SQL_SET_FOLDED] = "UPDATE tally_state SET folded = ?, folded_key = ?",
	[SQL_TRIM_TALLIES] = "DELETE FROM tally WHERE (level, at, key) IN"
			     " (SELECT level, at, key FROM tally"
			     "  WHERE level = ?1 AND at < ?2 AND at <= ?3"
			     "  AND (at < ?3 OR key <= ?4) LIMIT ?5)",
	[SQL_TRIM_TALLY_KEYS] = "DELETE FROM tally_key WHERE id IN"
				" (SELECT id FROM tally_key WHERE day < ?"
				"  LIMIT ?)",
	/* After a mark: that of what has been folded, or before all. */
	[SQL_READ_TALLIES] = "SELECT at, key, data FROM tally"
			     " WHERE level = ?1 AND at >= ?2 AND at < ?3"
			     " AND (at > ?4 OR key > ?5)"
			     " ORDER BY at DESC",

	[SQL_READ_EVENT_BEFORE] =
	    "SELECT coalesce((SELECT seq - 1 FROM event"
	    "  WHERE seq >= (SELECT min(seq) FROM event_hour"
	    "   WHERE hour >= ?1 / 3600000) AND at >= ?1"
	    "  ORDER BY seq LIMIT 1), (SELECT max(seq) FROM event), 0)",
};
