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
struct reasons;
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

enum credentials_kind {
	CREDENTIALS_NONE,
	CREDENTIALS_STATIC,      /* access_key and secret_key */
	CREDENTIALS_ENVIRONMENT, /* AWS_ACCESS_KEY_ID and its like */
	CREDENTIALS_FILE,        /* a profile of the shared credentials file */
	CREDENTIALS_ROLE,        /* the EC2 instance's, by IMDSv2 */
	CREDENTIALS_AUTO         /* environment, else file, else role, as AWS's own tools do */
};

/* As whom AWS is called. */
struct config_credentials {
	enum credentials_kind kind;
	char *access_key;
	struct secret secret_key;
	char *file;                  /* NULL: AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/credentials */
	char *profile;               /* NULL: AWS_PROFILE, else "default" */
	char *imds;                  /* "http://169.254.169.254", or another for sandboxes */
};

enum ses_transport { SES_API, SES_SMTP };

/* What to do when GetAccount says PROBATION. */
enum ses_probation { PROBATION_WARN, PROBATION_SLOW, PROBATION_STOP };

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

	/* ses */
	enum ses_transport transport;
	char *region;                /* "ap-northeast-1"; NULL: smtp without account checks */
	char *endpoint;              /* of the API; NULL: https://email.REGION.amazonaws.com */
	struct config_credentials credentials; /* NONE: smtp, whose account is then not watched */
	char *ca_file;               /* NULL: the system's */
	double rate;                 /* recipients per second at most; 0 = as the account says */
	double quota;                /* recipients in 24 hours at most; 0 = as the account says */
	double quota_reserve;        /* share of the quota, 0..1, that is kept for transactional mail */
	int64_t account_check;       /* ms between two GetAccount; 0: never */
	enum ses_probation probation;
	unsigned connections;        /* requests in flight, or sessions */
	char *configuration_set;     /* default; NULL */
	char **tags;                 /* "name=value", added to every message */
	size_t ntags;
	bool application_wins;       /* X-SES-CONFIGURATION-SET and equal tags of the application, over rule and
					path */
	bool repair_headers;         /* fields that SES takes once, found twice: repaired, else refused */

	/* ses, SMTP transport */
	char *host;                  /* email-smtp.<region>.amazonaws.com */
	char *connect_address;       /* dial this instead of resolving host; NULL */
	bool implicit_tls;           /* 465; else STARTTLS */
	char *user;                  /* given, or the access key */
	struct secret password;      /* given, or derived from the secret key */
	unsigned messages_per_connection;
};

/* A queue that feedback of SES is taken from. */
struct config_sqs {
	char *name;
	int line;
	char *queue;                 /* its URL */
	char *region;                /* given, or from the URL */
	char *endpoint;              /* NULL: the scheme and host of the URL */
	char *ca_file;
	struct config_credentials credentials;
	unsigned pollers;            /* requests that wait for messages at once */
	int64_t visibility;          /* ms that a message is hidden from others while we settle it */
	int64_t wait;                /* ms of a long poll; at most 20 s */
};

/* What SNS may post to us. */
struct config_sns {
	char **topics;               /* ARNs; none: nothing is taken */
	size_t ntopics;
	int64_t replay_window;       /* ms that a notification may be old, and half an hour more */
	unsigned signature_version;  /* least: 1 or 2 */
	char *ca_file;               /* who vouches for signing certificates and the hosts of SNS; NULL: the
					system's */
	char *connect;               /* dial this "ADDRESS:PORT" for every SNS host; for sandboxes; NULL */
};

/* A web listener of ours. */
struct config_web {
	char *name;
	int line;
	struct sockaddr_storage addr;
	socklen_t addr_len;
	char *address_text;
	SSL_CTX *tls_ctx;            /* NULL: plain, loopback only */
	char *certificate, *key;
	bool sns;                    /* it serves /sns; in the Amazon thread, then, and nothing else */
	bool console, metrics;       /* it serves the console, /metrics and the like; in the core thread */
	char *users_file;            /* of the console: its own, else the one of all */
	char **names;                /* of hosts that the console answers as, besides its address */
	size_t nnames;
	int64_t session_idle, session_life; /* ms that a sign-in lasts: unused, and at all */
	size_t max_body;
	unsigned max_connections;
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
	bool forward;                /* bounces also go on, as they came, to the sender of the mail */
	char **feedback;             /* local parts in the domain that take complaints (ARF) */
	size_t nfeedback;
	char *postmaster;            /* where mail to postmaster@ and abuse@ the domain goes on to; NULL: it is
					kept with the dead letters */
	double rate;                 /* messages per second that an inbound listener takes from one client; 0: any */
};

/* What suppresses an address, beside what always does (router/suppress.h). */
struct config_suppress_rule {
	char *reason;                /* "mailboxfull" */
	bool off;                    /* this reason suppresses nothing */
	unsigned strikes;            /* so many ... */
	int64_t within;              /* ... in so many ms */
	int64_t expires;             /* ms that the entry is good; 0: the group's, else the section's */
	bool path_only;              /* for the path that it came by; else for all */
};
struct config_suppress_expiry {
	char *carrier;
	int64_t expires;             /* ms: carriers give addresses to others again */
};
struct config_suppression {
	struct config_suppress_rule *rules;
	size_t nrules;
	struct config_suppress_expiry *carriers;
	size_t ncarriers;
	int64_t expires;             /* ms for all others; 0: never */
};

/* When mail that harms its path is slowed and stopped (router/guard.h). Thresholds: warn, slow, pause. */
struct config_guard {
	bool enforce;                /* else it only warns */
	unsigned minimum_volume;     /* recipients; below nothing is judged */
	unsigned last;               /* of the window of the last so many recipients */
	unsigned probe;              /* recipients that go at the end of a pause */
	int64_t pause, pause_max;    /* ms: the first, and the longest */
	double bounce[3], complaint[3]; /* of ses paths, 0..1 */
	double unknown[3];           /* of mta paths: shares of the shape's unknown-users */
};

/* Where the application is told what became of its mail. */
enum hook_kind {
	HOOK_WEBHOOK, /* POST of SES's event JSON, signed (standardwebhooks: HMAC-SHA-256 over id, time and body) */
	HOOK_SNS,     /* POST in the envelope of SNS */
	HOOK_FILE,    /* a line each at the end of a file */
};
struct config_hook {
	char *name;
	int line;
	enum hook_kind kind;
	char *url;                   /* webhook, sns */
	struct secret secret;        /* webhook: the key of its signature, raw bytes; sns: NULL or the same header */
	size_t secret_len;
	char *topic;                 /* sns: the TopicArn it says */
	char *ca_file;
	char *file;                  /* file: opened for appending; again by each reload */
	char **events, **paths, **senders; /* which: SES's type names; paths; domains of senders; none: all */
	size_t nevents, npaths, nsenders;
	unsigned batch;              /* webhook: so many events in one POST, as a JSON array; 1: one, not an array */
	unsigned connections;        /* POSTs in flight; two events of one recipient never are */
	int64_t timeout;             /* ms of one POST */
	int64_t retry_min, retry_max;/* ms of the first wait, and the longest */
};

/* Where the queue is, and what this node is called there. */
struct config_store {
	struct secret url;           /* postgresql://..., maybe with a password; NULL: SQLite in the state
					directory, and nothing below means anything */
	char *shown;                 /* the same as people may see it */
	char *password_file;         /* NULL */
	char *token_command;         /* prints the password, before each connection; NULL */
	char *node;
	int64_t lease;               /* ms */
	struct config_source **sources; /* that this node has; none: those whose address is bound here
					   (router/node_sources.h) */
	size_t nsources;
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

	struct config_store store;
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

	struct config_sqs *sqs;
	size_t nsqs;
	struct config_sns sns;
	struct config_web *webs;
	size_t nwebs;

	struct config_return_path return_path;
	struct config_suppression suppression;
	struct config_guard guard;
	struct config_hook *hooks;
	size_t nhooks;
	char *reasons_file;          /* NULL: the table that is compiled in */
	struct reasons *reasons;     /* never NULL once loaded */
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
	int64_t sent_keep;           /* ms that what was sent is remembered for feedback */
	int64_t stats_keep;          /* ms that counts by day are kept */
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
/* The same, each problem for itself. */
struct rules_report;
struct ruleset *config_check_rules(const struct config *, const char *file,
    const struct rules_file *given, size_t ngiven, struct rules_report *);
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
