/*
 * why.c - what follows from a fault, and for which carriers it does.
 *
 * The sentences rest on what the carriers publish about senders; where nothing
 * is published they say what is common.
 */
#include "mta/preflight/preflight_int.h"

#include <string.h>

/* clang-format off */
static const struct why {
	const char *check;
	const char *text;
} whys[] = {
	{ "public-address", "without the address that carriers see, neither reverse DNS nor SPF can be "
	    "looked at" },
	{ "ptr", "receivers refuse or distrust addresses whose reverse name does not lead back" },
	{ "ptr-several", "a receiver looks at one of them, and not always at the right one" },
	{ "ehlo-name", "a server that calls itself by another name than its reverse DNS looks forged" },
	{ "ehlo-address", "receivers refuse an EHLO name that does not lead to the sending address, and au "
	    "looks at it for bounces" },
	{ "port-25", "no mail gets from this source to the carriers at all" },
	{ "port-25-blocked", "the carrier refuses this source's network: mail sent on makes it worse" },
	{ "spf-ehlo", "au checks SPF of the EHLO name where the reverse-path is empty, as in bounces" },
	{ "spf-header-from", "docomo and SoftBank check SPF of the header-From domain: mail that fails is "
	    "refused, or accepted and dropped" },
	{ "spf-envelope", "au checks SPF of the envelope domain, and DMARC needs it everywhere: docomo warns "
	    "of mail that fails DMARC or junks it, SoftBank drops it" },
	{ "spf-records", "with two records every check of SPF ends in an error (RFC 7208 4.5)" },
	{ "spf-syntax", "one wrong term can make the whole record useless (RFC 7208 4.6)" },
	{ "spf-lookups", "more than 10 look-ups are an error, and count as no pass (RFC 7208 4.6.4)" },
	{ "spf-plus-all", "it lets anybody send in this name, and what they send counts against it" },
	{ "spf-ses", "mail that goes by Amazon SES fails where the header-From domain's SPF is checked, as "
	    "docomo and SoftBank do" },
	{ "dkim", "a signature that cannot be verified helps nobody; docomo asks for DKIM besides DMARC, "
	    "for mail that is forwarded" },
	{ "dmarc", "docomo warns its users of mail without DMARC, and junks or refuses what fails; au and "
	    "SoftBank look at it too" },
	{ "dmarc-alignment", "DMARC passes only by SPF or DKIM in the name of the header From" },
	{ "dmarc-ses", "DMARC then passes by SES's DKIM signature alone, and not where mail is changed on "
	    "its way" },
	{ "from-dns", "docomo and au refuse mail whose header-From domain has neither A nor MX" },
	{ "envelope-dns", "SoftBank answers 553 to every recipient when the envelope's domain is not in the "
	    "DNS" },
	{ "bounce-mx", "au and docomo report some failures later, by mail to the reverse-path: lost, they "
	    "leave dead addresses in the list" },
};

static const struct {
	const char *domain;
	unsigned bits;
} domains[] = {
	{ "docomo.ne.jp", PREFLIGHT_DOCOMO },
	{ "ezweb.ne.jp", PREFLIGHT_AU },
	{ "au.com", PREFLIGHT_AU },
	{ "uqmobile.jp", PREFLIGHT_AU },
	{ "softbank.ne.jp", PREFLIGHT_SOFTBANK },
	{ "i.softbank.jp", PREFLIGHT_SOFTBANK },
	{ "vodafone.ne.jp", PREFLIGHT_SOFTBANK },
	{ "ymobile.ne.jp", PREFLIGHT_SOFTBANK },
	{ "ymobile1.ne.jp", PREFLIGHT_SOFTBANK },
	{ "y-mobile.ne.jp", PREFLIGHT_SOFTBANK },
};

static const struct {
	const char *name;
	unsigned bits;
} carriers[] = {
	{ "docomo", PREFLIGHT_DOCOMO },
	{ "au", PREFLIGHT_AU },
	{ "softbank", PREFLIGHT_SOFTBANK },
	{ "ymobile", PREFLIGHT_SOFTBANK },
};
/* clang-format on */

const char *
why_of(const char *check)
{
	for (size_t i = 0; i < sizeof(whys) / sizeof(whys[0]); i++)
		if (strcmp(whys[i].check, check) == 0)
			return whys[i].text;
	return "";
}

const char *const *
preflight_port_hosts(size_t *n)
{
	static const char *const hosts[] = { "docomo.ne.jp", "ezweb.ne.jp",
		"au.com", "softbank.ne.jp" };

	*n = sizeof(hosts) / sizeof(hosts[0]);
	return hosts;
}

unsigned
why_domain_carriers(const char *domain)
{
	for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++)
		if (name_is_below(domain, domains[i].domain))
			return domains[i].bits;
	return PREFLIGHT_ALL;
}

unsigned
preflight_carrier(const char *carrier)
{
	for (size_t i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++)
		if (strcmp(carriers[i].name, carrier) == 0)
			return carriers[i].bits;
	return PREFLIGHT_ALL;
}
