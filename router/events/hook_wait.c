/*
 * hook_wait.c - how long a hook waits, and what an answer's status says of the
 * event. Pure.
 */
#include "router/events/hooks_int.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

/* From retry to retry-max, doubled each time, less up to a quarter. */
int64_t
hook_backoff(const struct config_hook *c, unsigned failures)
{
	int64_t ms = c->retry_min;

	while (--failures > 0 && ms < c->retry_max)
		ms *= 2;
	ms = ms < c->retry_max ? ms : c->retry_max;
	return ms - arc4random_uniform((uint32_t)(ms / 4 + 1));
}

static int64_t
within(int64_t ms, int64_t most)
{
	if (ms < 0)
		return 0;
	return ms < most ? ms : most;
}

/* Digits alone are seconds; more of them than a number holds are many. */
int64_t
hook_retry_after(const char *text, int64_t now, int64_t most)
{
	size_t digits = strspn(text, "0123456789");
	time_t date;

	if (digits > 0 && text[digits] == '\0')
		return digits > 9
			   ? most
			   : within(strtoll(text, NULL, 10) * 1000, most);
	/* It would take "-5" and "1x" for something. */
	if (strstr(text, "GMT") == NULL)
		return 0;
	date = curl_getdate(text, NULL);
	return date != -1 ? within((int64_t)date * 1000 - now, most) : 0;
}

/* What says that this event is not wanted, not that the application is in
 * trouble or that we are the wrong ones to tell. */
bool
hook_is_refusal(int status)
{
	static const int others[] = { 401, 403, 404, 408, 410, 429 };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (status == others[i])
			return false;
	return status >= 400 && status < 500;
}
