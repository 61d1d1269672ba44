/*
 * clock_text.c - times as text: ISO 8601 and that of mail.
 */
#include "mta/base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

char *
clock_iso(int64_t wall, char buf[static 25])
{
	time_t t = (time_t)(wall / 1000);
	char whole[20];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(whole, sizeof(whole), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf, 25, "%s.%03uZ", whole, (unsigned)(wall % 1000) % 1000u);
	return buf;
}

/* Two digits up to a number, with what must stand behind them; NULL: not so. */
static const char *
read_pair(const char *p, int least, int most, char after, int *n)
{
	if (p == NULL || p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
		return NULL;
	*n = (p[0] - '0') * 10 + p[1] - '0';
	if (*n < least || *n > most || (after != '\0' && p[2] != after))
		return NULL;
	return p + 2 + (after != '\0');
}

static const char *
read_decimals(const char *p, int64_t *ms)
{
	int64_t place = 100;

	*ms = 0;
	if (*p != '.')
		return p;
	if (p[1] < '0' || p[1] > '9')
		return NULL;
	for (p++; *p >= '0' && *p <= '9'; p++, place /= 10)
		*ms += (*p - '0') * place;
	return p;
}

/* "Z", or how far the clock there is ahead. */
static const char *
read_zone(const char *p, int64_t *ahead)
{
	int hours = 0, minutes = 0, sign;

	*ahead = 0;
	if (*p == 'Z')
		return p + 1;
	if (*p != '+' && *p != '-')
		return NULL;
	sign = *p == '-' ? -1 : 1;
	p = read_pair(p + 1, 0, 23, ':', &hours);
	if ((p = read_pair(p, 0, 59, '\0', &minutes)) == NULL)
		return NULL;
	*ahead = (int64_t)sign * (hours * 60 + minutes) * 60 * 1000;
	return p;
}

/* RFC 3339 5.6. timegm would put the 31st of February right. */
static int
days_in(int year, int month)
{
	static const int days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

int
clock_iso_read(const char *text, int64_t *wall)
{
	struct tm tm = { 0 };
	int century = 0, year = 0, month = 1;
	int64_t ms, ahead;
	const char *p;

	p = read_pair(text, 19, 99, '\0', &century);
	p = read_pair(p, 0, 99, '-', &year);
	p = read_pair(p, 1, 12, '-', &month);
	p = read_pair(p, 1, 31, 'T', &tm.tm_mday);
	p = read_pair(p, 0, 23, ':', &tm.tm_hour);
	p = read_pair(p, 0, 59, ':', &tm.tm_min);
	p = read_pair(p, 0, 60, '\0', &tm.tm_sec);
	if (p == NULL || (p = read_decimals(p, &ms)) == NULL ||
	    (p = read_zone(p, &ahead)) == NULL || *p != '\0' ||
	    tm.tm_mday > days_in(century * 100 + year, month))
		return -1;
	tm.tm_year = century * 100 + year - 1900;
	tm.tm_mon = month - 1;
	*wall = (int64_t)timegm(&tm) * 1000 + ms - ahead;
	return 0;
}

char *
clock_rfc5322(int64_t wall, char buf[static 48])
{
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu",
		"Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)(wall / 1000);
	struct tm tm;

	gmtime_r(&t, &tm);
	snprintf(buf, 48, "%s, %02d %s %04d %02d:%02d:%02d +0000",
	    days[tm.tm_wday % 7], tm.tm_mday % 100, months[tm.tm_mon % 12],
	    (tm.tm_year + 1900) % 10000, tm.tm_hour % 100, tm.tm_min % 100,
	    tm.tm_sec % 100);
	return buf;
}
