/*
 * config_ses.c - raw sections to the ways out by Amazon SES, of both
 * transports.
 */
#include "router/config_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/net.h"
#include "router/ses/smtp_password.h"

#define TAG_PART_MAX 256 /* facts/aws.md, section 1 */
#define TAGS_MAX     20

static const char tag_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/* By enum ses_transport. */
static const char *const transports[] = { "api", "smtp" };
static const char *const tls_kinds[] = { "starttls", "implicit" };
/* By enum ses_probation. */
static const char *const probations[] = { "warn", "slow", "stop" };
static const char *const wins_or_loses[] = { "wins", "loses" };
static const char *const repair_or_refuse[] = { "repair", "refuse" };

/* Keys of a dialogue by SMTP, which the API has nothing of. */
static const char *const smtp_keys[] = { "host", "port", "tls",
	"connect-address", "user", "password", "password-file",
	"messages-per-connection", "allow-private", "ipv4", "ipv6" };

static void
check_api_keys(struct raw_config *raw, const struct raw_section *s)
{
	const struct raw_entry *entry;

	for (size_t i = 0; i < sizeof(smtp_keys) / sizeof(smtp_keys[0]); i++) {
		entry = raw_find(s, smtp_keys[i]);
		if (entry != NULL)
			config_problem(raw, entry->at,
			    "%s is for transport = smtp, and path '%s' has "
			    "transport = api",
			    smtp_keys[i], s->title);
	}
}

/* SES's SMTP takes an IAM user's own keys, never those of a role
 * (facts/aws.md, section 1). */
static void
derive_password(struct raw_config *raw, const struct raw_section *s,
    struct config_path *path)
{
	char password[SES_SMTP_PASSWORD_TEXT];

	if (path->credentials.kind != CREDENTIALS_STATIC) {
		config_problem(raw, s->at,
		    "path '%s' has credentials = %s, and SES's SMTP takes only "
		    "the long-term keys of an IAM user: give access-key and "
		    "secret-key, or user and password, or use transport = api",
		    s->title, config_credentials_name(path->credentials.kind));
		return;
	}
	if (path->region == NULL)
		config_problem(raw, s->at,
		    "path '%s' has no region, which its SMTP password depends "
		    "on",
		    s->title);
	if (path->region == NULL || path->credentials.secret_key.value == NULL)
		return;
	ses_smtp_password(
	    path->credentials.secret_key.value, path->region, password);
	path->user = xstrdup(path->credentials.access_key);
	path->password.value = xstrdup(password);
	explicit_bzero(password, sizeof(password));
}

static void
smtp_login(struct raw_config *raw, const struct raw_section *s,
    struct config_path *path, enum config_part part)
{
	bool user = raw_find(s, "user") != NULL;
	bool password = config_find_secret(
	    raw, s, "password", "password-file", &path->password, part);

	if (!user && !password && path->credentials.kind != CREDENTIALS_NONE) {
		derive_password(raw, s, path);
		return;
	}
	if (!user)
		config_problem(
		    raw, s->at, "path '%s' of type ses has no user", s->title);
	if (!password)
		config_problem(raw, s->at,
		    "path '%s' of type ses has no password or password-file",
		    s->title);
}

static void
path_smtp(struct raw_config *raw, const struct raw_section *s,
    struct config_path *path, enum config_part part)
{
	const struct raw_entry *entry = raw_find(s, "connect-address");
	struct sockaddr_storage addr;
	socklen_t len;
	struct err e = ERR_INIT;

	path->implicit_tls =
	    CONFIG_WORD_INDEX(raw, s, "tls", tls_kinds, 0) == 1;
	if (path->implicit_tls && raw_find(s, "port") == NULL)
		path->port = 465;
	if (raw_find(s, "host") == NULL)
		config_problem(
		    raw, s->at, "path '%s' of type ses has no host", s->title);
	if (entry != NULL &&
	    net_parse_address(entry->value, 0, &addr, &len, &e) != 0)
		config_problem(raw, entry->at, "connect-address: %s", e.text);
	smtp_login(raw, s, path, part);
	if (part == CONFIG_ALL)
		config_path_tls(raw, s, path);
}

static void
path_tags(struct raw_config *raw, const struct raw_section *s,
    struct config_path *path)
{
	const struct raw_entry *entry;

	for (size_t i = 0; (entry = raw_find_nth(s, "tags", i)) != NULL; i++) {
		size_t name = strspn(entry->value, tag_letters);
		const char *value = entry->value + name + 1;

		if (name == 0 || name > TAG_PART_MAX ||
		    entry->value[name] != '=' || *value == '\0' ||
		    strlen(value) > TAG_PART_MAX ||
		    value[strspn(value, tag_letters)] != '\0')
			config_problem(raw, entry->at,
			    "tags: expected name=value of letters, digits, "
			    "'_' and '-', not '%s'",
			    entry->value);
		path->tags =
		    config_grow(path->tags, &path->ntags, sizeof(*path->tags));
		path->tags[path->ntags - 1] = xstrdup(entry->value);
	}
	if (path->ntags > TAGS_MAX)
		config_problem(raw, raw_find(s, "tags")->at,
		    "tags: more than %d", TAGS_MAX);
}

/* Who may vouch for the API's server, when the file is of any use. */
static void
check_ca_file(struct raw_config *raw, const struct raw_section *s,
    const char *file, enum config_part part)
{
	struct config_path probe = { .kind = PATH_SES };

	if (file == NULL || part != CONFIG_ALL)
		return;
	config_path_tls(raw, s, &probe);
	SSL_CTX_free(probe.tls_ctx);
}

/* What has been stored so far is as the section has it, or a default. */
void
config_path_ses(struct raw_config *raw, const struct raw_section *s,
    struct config_path *path, enum config_part part)
{
	path->transport = (enum ses_transport)CONFIG_WORD_INDEX(
	    raw, s, "transport", transports, SES_API);
	path->probation = (enum ses_probation)CONFIG_WORD_INDEX(
	    raw, s, "probation", probations, PROBATION_SLOW);
	path->application_wins =
	    CONFIG_WORD_INDEX(
		raw, s, "application-headers", wins_or_loses, 0) == 0;
	path->repair_headers = CONFIG_WORD_INDEX(raw, s, "duplicate-headers",
				   repair_or_refuse, 0) == 0;
	path->quota_reserve /= 100;
	path_tags(raw, s, path);
	config_check_endpoint(raw, s, "endpoint");
	config_build_credentials(raw, s, &path->credentials,
	    path->transport == SES_API ? CREDENTIALS_AUTO : CREDENTIALS_NONE,
	    part);
	if (path->transport == SES_SMTP) {
		path_smtp(raw, s, path, part);
	} else {
		check_api_keys(raw, s);
		check_ca_file(raw, s, path->ca_file, part);
	}
	if (path->credentials.kind == CREDENTIALS_NONE &&
	    path->transport == SES_API)
		config_problem(raw, s->at,
		    "path '%s' has transport = api and credentials = none",
		    s->title);
	if (path->credentials.kind == CREDENTIALS_NONE)
		path->account_check = 0;
	else if (path->region == NULL)
		config_problem(raw, s->at, "path '%s' has no region", s->title);
	/* Where nobody says, as little as a new account may send. */
	if (raw_find(s, "rate") == NULL && path->account_check == 0)
		path->rate = 14;
}
