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
	"r.ruleset, r.configuration_set, r.sender"

#define MESSAGE_COLUMNS                                                        \
	"m.id, m.received, m.reverse_path, m.envid, m.ret, m.flags, m.user, "  \
	"m.listener, m.client, m.header_from, m.message_id, m.size, "          \
	"m.header_size, m.nrcpt, m.tags"

#define COUNTER_COLUMNS                                                        \
	"accepted, sent, delivered, bounced, filtered, deferred, expired, "    \
	"complained, suppressed, removed, unread"

#define EVENT_COLUMNS                                                          \
	"seq, at, message, idx, type, sender, recipient, path, carrier, "      \
	"grp, source, rule, code, enhanced, stage, reason, text, peer, "       \
	"remote_id"

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
			    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[SQL_ADD_BODY] = "INSERT INTO body VALUES(?,?)",
	[SQL_ADD_RECIPIENT] = "INSERT INTO recipient VALUES"
			      "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[SQL_ADD_COUNTER] =
	    "INSERT INTO counter VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
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
	    " unread = unread + excluded.unread",
	[SQL_ADD_EVENT] = "INSERT INTO event VALUES"
			  "(NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",

	[SQL_ADD_TRAFFIC] = "INSERT INTO traffic VALUES(?,?,?)",
	[SQL_ADD_RULESET] = "INSERT INTO ruleset VALUES(NULL,?,?,?,?,?)",
	[SQL_ADD_RULES_FILE] = "INSERT INTO rules_file VALUES(?,?,?,?)",

	[SQL_GET_STORED] = "SELECT state, sender, address, " ROUTE_COLUMNS
			   " FROM recipient WHERE message = ? AND idx = ?",
	[SQL_GET_MESSAGE] =
	    "SELECT " MESSAGE_COLUMNS " FROM message m WHERE m.id = ?",
	[SQL_GET_BODY] = "SELECT data FROM body WHERE message = ?",
	[SQL_GET_SPOOL] = "SELECT spool, size FROM message WHERE id = ?",

	/* The usual case in one statement: what is stored is as given. When
	 * it changes nothing, sqlite_load tells why. */
	[SQL_BEGIN_SAME] =
	    "UPDATE recipient SET state = 2"
	    " WHERE message = ?1 AND idx = ?2 AND path = ?3 AND pool = ?4"
	    " AND source = ?5 AND carrier = ?6 AND grp = ?7 AND rule = ?8"
	    " AND ruleset = ?9 AND configuration_set = ?10",
	[SQL_REMOVE_SAME] =
	    "DELETE FROM recipient"
	    " WHERE message = ?1 AND idx = ?2 AND path = ?3 AND source = ?4"
	    " AND carrier = ?5 AND grp = ?6 AND rule = ?7 AND sender = ?8",
	[SQL_SET_SENDING] = "UPDATE recipient SET state = 2"
			    " WHERE message = ?1 AND idx = ?2",
	[SQL_SET_ROUTE] = "UPDATE recipient SET path = ?3, pool = ?4,"
			  " source = ?5, carrier = ?6, grp = ?7, rule = ?8,"
			  " ruleset = ?9, configuration_set = ?10, sender = ?11"
			  " WHERE message = ?1 AND idx = ?2",
	[SQL_RETRY] = "UPDATE recipient SET state = 0, due = ?3, shelf = ?4,"
		      " attempts = attempts + 1, unread = ?5, delay_told = ?6,"
		      " last = coalesce(?7, last),"
		      " expires = coalesce(nullif(?8, 0), expires),"
		      " flags = flags | ?9"
		      " WHERE message = ?1 AND idx = ?2",
	[SQL_RETURN] = "UPDATE recipient SET state = 0, due = ?3, shelf = ?4,"
		       " delay_told = ?6, last = coalesce(?7, last),"
		       " expires = coalesce(nullif(?8, 0), expires),"
		       " flags = flags | ?9"
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
	[SQL_EDIT_SLICE] = "SELECT r.message, r.idx, r.state = 0 AND " FILTER
			   " FROM (SELECT * FROM recipient"
			   "  WHERE (message, idx) > (?7, ?8) AND message <= ?9"
			   "  ORDER BY message, idx LIMIT ?10) r"
			   " CROSS JOIN message m ON m.id = r.message",
	[SQL_RETRY_NOW] = "UPDATE recipient SET due = ?3, flags = flags & ?4"
			  " WHERE message = ?1 AND idx = ?2 AND due > ?3",
	[SQL_TRIM_EVENTS] = "DELETE FROM event WHERE seq <="
			    " (SELECT max(seq) FROM (SELECT seq, at FROM event"
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
			      " rule, " COUNTER_COLUMNS " FROM counter",
	[SQL_READ_QUEUE] =
	    "SELECT " RECIPIENT_COLUMNS ", " MESSAGE_COLUMNS
	    " FROM recipient r CROSS JOIN message m ON m.id = r.message"
	    " WHERE r.message BETWEEN ?7 AND ?8 AND " FILTER
	    " ORDER BY r.message, r.idx LIMIT ?9",
	[SQL_READ_QUEUE_SIZE] =
	    "SELECT coalesce(sum(accepted - sent - bounced - filtered"
	    " - expired - suppressed - removed), 0) FROM counter",
	[SQL_READ_EVENTS] = "SELECT " EVENT_COLUMNS " FROM event"
			    " WHERE seq > ?2 ORDER BY seq LIMIT ?3",
	[SQL_READ_MESSAGE_EVENTS] = "SELECT " EVENT_COLUMNS " FROM event"
				    " WHERE message = ?1 AND seq > ?2"
				    " ORDER BY seq LIMIT ?3",
	[SQL_READ_TRAFFIC] = "SELECT entries FROM traffic WHERE seq > ?"
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
};
