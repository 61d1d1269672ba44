/*
 * config.h - the settings file (conf/oiwake.conf.5), read once into an immutable structure.
 *
 * Sections and keys are libconfuse's; what they mean and their bounds are checked here, every
 * mistake is reported as `file:line: what is wrong`, all of them in one run, and nothing is opened
 * or bound before all is right. Relative file names are relative to the folder of the file that
 * names them. ${NAME} is taken from the environment.
 */
#ifndef ROUTER_CONFIG_H
#define ROUTER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "mta/base/log.h"
#include "mta/base/net.h"
#include "mta/base/str.h"
#include "mta/smtp/server.h"

struct rules_file;
struct ruleset;
struct dkim_signer;
struct return_path_key;

/* A value that no log prints: use .value only where it is needed. */
struct secret {
	char *value; /* NULL: none */
};

enum listener_kind { LISTENER_SUBMISSION, LISTENER_RELAY, LISTENER_INBOUND };

struct config_listener {
	char *name;
	int line;
	enum listener_kind kind;
	struct sockaddr_storage addr;
	socklen_t addr_len;
	char *address_text;          /* as written */
	struct net_prefix *networks; /* relay: who may connect; others are refused with 554 */
	size_t nnetworks;
	unsigned max_connections, max_connections_per_client;
	bool add_missing_headers;    /* Date and Message-ID where a message has none (RFC 6409 8) */
	struct smtp_server_config smtp; /* complete, hostname, tls and limits included */
};

struct config_source {           /* an address the mta path sends from */
	char *name;
	char *hostname;              /* EHLO name = PTR name */
	struct sockaddr_storage bind;
	socklen_t bind_len;          /* 0: any address */
	char *public_address;        /* as the world sees it, in canonical text: an Elastic IP; NULL:
					as `bind` */
	unsigned weight;             /* its share of what its pools send; at least 1 */
};

enum pool_balance {
	POOL_STABLE,     /* one source per (sender's domain, group), by weight */
	POOL_ROUND_ROBIN /* each message the next source, by weight */
};

struct config_pool {
	char *name;
	struct config_source **sources;
	size_t nsources;             /* at least 1 */
	enum pool_balance balance;
};

enum config_gate {
	GATE_ENFORCE, /* what fails a check is not sent: it falls back, or is held */
	GATE_WARN,    /* checked and told */
	GATE_OFF
};

enum path_kind {
	PATH_MTA,
	PATH_SES,
	PATH_DISCARD,
	PATH_HOLD,   /* built in, as is the next: what a rule's `hold` and `reject` do, under a name */
	PATH_REJECT, /* that routes, counters and listings can carry. No settings file defines them */
};

struct config_path {
	char *name;
	int line;
	enum path_kind kind;
	unsigned max_connections;    /* of all its lanes together */

	/* mta */
	struct config_pool *pool;    /* when a rule names none */
	char *relay_host;            /* next hop instead of MX: host or address; NULL: MX */
	uint16_t port;               /* 25; of relay_host or of every MX */
	SSL_CTX *tls_ctx;            /* client side, for mta and ses: tls_client_new; NULL: no TLS */
	bool allow_private;          /* loopback and private addresses may be dialled */
	bool ipv4, ipv6;
	bool tls;                    /* opportunistic STARTTLS */
	bool sign;                   /* DKIM */
	bool dane, mta_sts;          /* policies of the recipient's domain are looked for and kept */
	char *sts_ca_file;           /* who may vouch for policies and hosts under MTA-STS; NULL: the
					system's */
	uint16_t sts_port;           /* 443; another for sandboxes */
	enum config_gate preflight;  /* of sources and sending domains; off with a relay_host */

	/* ses, SMTP transport */
	char *host;                  /* email-smtp.<region>.amazonaws.com */
	char *connect_address;       /* dial this instead of resolving host; NULL */
	bool implicit_tls;           /* 465; else STARTTLS */
	char *ca_file;               /* NULL: the system's */
	char *user;
	struct secret password;
	double rate;                 /* recipients per second; 0 = no limit */
	unsigned connections;
	unsigned messages_per_connection;
	char *configuration_set;     /* default; NULL */
};

struct config_dkim {
	char *domain, *selector, *key_file;
	bool active;                 /* signs; else its record is published and checked, no more */
	struct dkim_signer *signer;
};

/* Signed return paths: bounces of the mta path come back to us (mta/return_path.h). */
struct config_return_path {
	char *domain;                /* NULL: none, mail goes out with the application's own */
	char *key_file;              /* its first line is the secret */
	struct return_path_key *key; /* read from it */
	int64_t expires;             /* ms that a bounce may take to come back */
};

struct config {
	char *file;
	char *hostname;
	char *state_directory;
	char *rules_file;
	char *users_file;            /* NULL when no listener wants AUTH */
	char *log_file;              /* NULL: standard error */
	enum log_level log_level;
	char *admin_socket;          /* Unix socket of the admin API */
	unsigned io_threads;         /* 0 in the file: one per processor */

	struct config_listener *listeners;
	size_t nlisteners;
	struct config_source *sources;
	size_t nsources;
	struct config_pool *pools;
	size_t npools;
	struct config_path *paths;
	size_t npaths;
	struct config_dkim *dkim;
	size_t ndkim;

	struct config_return_path return_path;
	int64_t preflight_interval;  /* ms between two checks of what is in order; what fails is looked
					at more often */
	bool preflight_port_check;   /* connect to the carriers' port 25 */

	char **dns_servers;          /* none: resolv.conf */
	size_t ndns_servers;
	char *dns_trust_anchor;      /* NULL */

	int64_t delay_notice;        /* ms until a delay DSN; 0 = never. Retry schedule and
					expiry are shapes: rules/rules.h */
	size_t queue_memory;         /* recipients in memory at most */
	size_t body_memory;          /* bytes of bodies kept in memory for waiting recipients */
	uint64_t reserve;            /* bytes of disk to keep free */
	int64_t event_keep;          /* ms */
	unsigned traffic_keep;       /* recipients of recent mail, for `oiwake rules diff`; 0: none */
	int64_t probe;               /* ms that a path closed by a fault rests before it is tried
					again */
	int64_t idle_session;        /* ms that an outgoing connection waits for more work */
	int64_t stop_timeout;        /* ms to finish what is in hand at stop */

	struct ruleset *rules;       /* loaded from rules_file; every path and pool it names exists */
	char *warnings;              /* what is odd about the rules, lines for people; NULL: nothing */
};

/*
 * NULL when anything is wrong: *report then holds every mistake, a line each. Loads rules, keys and
 * certificates too. Any thread.
 */
struct config *config_load(const char *file, struct str *report);
/*
 * Less of it, for commands that operators run: without the right to read keys (CONFIG_RULES), or
 * while the rules are being repaired (CONFIG_SETTINGS: `rules` is NULL then). Neither opens keys,
 * certificates, password files or the users file.
 */
enum config_part { CONFIG_SETTINGS, CONFIG_RULES, CONFIG_ALL };
struct config *config_load_part(const char *file, enum config_part, struct str *report);
/*
 * Rules to be used with this configuration, whatever parts of it are loaded: from `given` files in
 * memory, else from that file, else (NULL) from the configuration's own. NULL when anything is
 * wrong. *report gets all errors and warnings, as people read them. The caller holds the reference.
 */
struct ruleset *config_load_rules(const struct config *, const char *file,
    const struct rules_file *given, size_t ngiven, struct str *report);
/*
 * Where the daemon of this settings file answers, whatever else may be wrong with the file just now:
 * an operator in the middle of editing must still reach it. NULL, with *report, when the file cannot
 * be read. The caller frees.
 */
char *config_admin_socket(const char *file, struct str *report);
/* A configuration is shared by what works under it; counted atomically, any thread. */
struct config *config_ref(struct config *);
void config_unref(struct config **);

const struct config_path *config_path_find(const struct config *, const char *name);
const struct config_pool *config_pool_find(const struct config *, const char *name);
const struct config_source *config_source_find(const struct config *, const char *name);
#define CONFIG_SIGNERS_MAX 4 /* active ones of one domain */

/* The active signers for a header-From domain: that domain's, else those of its nearest parent that
 * has any. Returns how many. */
size_t config_dkim_find(const struct config *, const char *domain,
    const struct dkim_signer *out[static CONFIG_SIGNERS_MAX]);

#endif
