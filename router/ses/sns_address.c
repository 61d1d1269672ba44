/*
 * sns_address.c - topics by their ARNs, and the only addresses of SNS that are
 * ever fetched: each is built from the topic and compared, or built and used;
 * none is taken apart to see whether it looks right.
 */
#include "router/ses/sns.h"

#include <ctype.h>
#include <string.h>

#include "mta/base/str.h"

#define REGION_MAX 32
#define DIGITS	   "0123456789"
#define LETTERS	   "abcdefghijklmnopqrstuvwxyz"
#define CAPITALS   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static const struct partition {
	const char *start; /* of the ARN */
	const char *domain;
} partitions[] = {
	{ "arn:aws:sns:", "amazonaws.com" },
	{ "arn:aws-us-gov:sns:", "amazonaws.com" },
	{ "arn:aws-cn:sns:", "amazonaws.com.cn" },
};

static const struct partition *
find_partition(const char *arn)
{
	for (size_t i = 0; i < sizeof(partitions) / sizeof(partitions[0]); i++)
		if (strncmp(arn, partitions[i].start,
			strlen(partitions[i].start)) == 0)
			return &partitions[i];
	return NULL;
}

/* Letters, digits and hyphens, none of these at an end: one label of a name. */
static bool
is_region(const char *text, size_t len)
{
	return len >= 3 && len <= REGION_MAX &&
	       strspn(text, LETTERS DIGITS "-") >= len && text[0] != '-' &&
	       text[len - 1] != '-';
}

/* "123456789012:name" or "123456789012:name.fifo" */
static bool
is_owned_name(const char *text)
{
	size_t len;

	if (strspn(text, DIGITS) != 12 || text[12] != ':')
		return false;
	text += 13;
	len = strspn(text, LETTERS CAPITALS DIGITS "-_");
	return len > 0 && len <= 256 &&
	       (text[len] == '\0' || strcmp(text + len, ".fifo") == 0);
}

int
sns_arn_region(const char *arn, char *region, size_t size)
{
	const struct partition *p = find_partition(arn);
	size_t len;

	if (p == NULL)
		return -1;
	arn += strlen(p->start);
	len = strcspn(arn, ":");
	if (arn[len] != ':' || len >= size || !is_region(arn, len) ||
	    !is_owned_name(arn + len + 1))
		return -1;
	memcpy(region, arn, len);
	region[len] = '\0';
	return 0;
}

/* "https://sns.REGION.amazonaws.com" */
static int
add_site(struct str *url, const char *arn)
{
	char region[REGION_MAX + 1];

	if (sns_arn_region(arn, region, sizeof(region)) != 0)
		return -1;
	str_addf(url, "https://sns.%s.%s", region, find_partition(arn)->domain);
	return 0;
}

bool
sns_cert_url_is_good(const char *url, const char *topic_arn)
{
	struct str start = STR_INIT;
	bool good = false;

	if (add_site(&start, topic_arn) == 0) {
		str_adds(&start, "/SimpleNotificationService-");
		if (strncmp(url, start.data, start.len) == 0) {
			url += start.len;
			good = strspn(url, DIGITS "abcdef") == 32 &&
			       strcmp(url + 32, ".pem") == 0;
		}
	}
	str_release(&start);
	return good;
}

/* ------ to confirm a subscription */

static void
add_encoded(struct str *url, const char *text)
{
	for (; *text != '\0'; text++)
		if (strchr(LETTERS CAPITALS DIGITS "-._~", *text) != NULL)
			str_addc(url, *text);
		else
			str_addf(url, "%%%02X", (unsigned char)*text);
}

static int
hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0'
	       : isxdigit((unsigned char)c)
		   ? tolower((unsigned char)c) - 'a' + 10
		   : -1;
}

/* Whether the first `len` bytes, percent-decoded, are that text. */
static bool
decodes_to(const char *encoded, size_t len, const char *text)
{
	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)encoded[i];

		if (c == '%') {
			if (len - i < 3 || hex(encoded[i + 1]) < 0 ||
			    hex(encoded[i + 2]) < 0)
				return false;
			c = hex(encoded[i + 1]) << 4 | hex(encoded[i + 2]);
			i += 2;
		}
		if (c == '\0' || c != (unsigned char)*text++)
			return false;
	}
	return *text == '\0';
}

/* Whether the query has that parameter once, with that value. */
static bool
has_once(const char *query, const char *name, const char *value)
{
	size_t n = strlen(name), len;
	unsigned times = 0;

	for (; *query != '\0'; query += len + (query[len] == '&')) {
		len = strcspn(query, "&");
		if (len <= n || strncmp(query, name, n) != 0 || query[n] != '=')
			continue;
		if (!decodes_to(query + n + 1, len - n - 1, value))
			return false;
		times++;
	}
	return times == 1;
}

static bool
names_the_same(const char *url, const char *site, const struct sns_message *m)
{
	size_t len = strlen(site);

	for (const char *c = url; *c != '\0'; c++)
		if (!isgraph((unsigned char)*c) || *c == '#')
			return false;
	if (strncmp(url, site, len) != 0 || strncmp(url + len, "/?", 2) != 0)
		return false;
	url += len + 2;
	return has_once(url, "Action", "ConfirmSubscription") &&
	       has_once(url, "TopicArn", m->topic_arn) &&
	       has_once(url, "Token", m->token);
}

int
sns_confirm_url(const struct sns_message *m, struct str *url, struct err *e)
{
	struct str site = STR_INIT;
	int rc = 0;

	if (m->token == NULL || m->subscribe_url == NULL)
		return err_set(e, "nothing to confirm");
	if (add_site(&site, m->topic_arn) != 0)
		rc = err_set(e, "not a topic: '%s'", m->topic_arn);
	else if (!names_the_same(m->subscribe_url, site.data, m))
		rc = err_set(e, "SubscribeURL is not that of the topic: '%s'",
		    m->subscribe_url);
	if (rc == 0) {
		str_adds(url, site.data);
		str_adds(url, "/?Action=ConfirmSubscription&TopicArn=");
		add_encoded(url, m->topic_arn);
		str_adds(url, "&Token=");
		add_encoded(url, m->token);
	}
	str_release(&site);
	return rc;
}
