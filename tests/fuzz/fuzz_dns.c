/*
 * fuzz_dns.c - DNS messages, MX records and names from outside.
 *
 * The first byte chooses the type that is asked for, the rest is the packet.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mta/dns/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const char *text)
{
	assert(strlen(text) < DNS_NAME_TEXT_MAX);
	for (; *text != '\0'; text++)
		assert(*text > ' ' && *text < 0x7f);
}

static void
check_mx(const uint8_t *rdata, size_t len)
{
	char host[DNS_NAME_TEXT_MAX];
	unsigned preference;

	if (dns_mx_read(rdata, len, &preference, host) != 0)
		return;
	assert(preference <= 0xffff);
	check_text(host);
	if (dns_name_is_host(host))
		assert(strlen(host) <= 253 && dns_name_is_valid(host));
}

static void
check_message(const uint8_t *packet, size_t len, int type)
{
	struct dns_message m;
	unsigned sum = 0;

	if (dns_message_read(&m, packet, len, type) != 0)
		return;
	assert(m.nrdata <= DNS_MAX_RECORDS);
	check_text(m.canonical);
	for (size_t i = 0; i < m.nrdata; i++) {
		for (size_t j = 0; j < m.rdata_len[i]; j++)
			sum += m.rdata[i][j];
		check_mx(m.rdata[i], m.rdata_len[i]);
	}
	assert(sum <= DNS_MAX_RECORDS * 65535u * 255u);
	dns_message_clear(&m);
}

static void
check_name(const uint8_t *data, size_t size)
{
	uint8_t name[DNS_NAME_MAX];
	char text[DNS_NAME_TEXT_MAX], *given = malloc(size + 1);
	size_t at = 0;
	int n = dns_name_read(data, size, &at, name);

	assert(n >= -1 && n <= DNS_NAME_MAX && at <= size);
	if (n > 0)
		check_text(dns_name_text(name, text));
	memcpy(given, data, size);
	given[size] = '\0';
	if (dns_name_is_host(given))
		assert(dns_name_is_valid(given));
	free(given);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int types[] = { DNS_A, DNS_MX, DNS_CNAME, DNS_TXT };

	if (size == 0)
		return 0;
	check_message(data + 1, size - 1, types[data[0] % 4]);
	check_mx(data, size);
	check_name(data, size);
	return 0;
}
