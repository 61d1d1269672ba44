/*
 * bench_report.c - what it costs to read mail that came back and to find what
 * it means.
 *
 * usage: bench_report SECONDS [FILE...]
 *
 * Each file is a message; without any, a few made-up ones. All are read and
 * looked up in the shipped table again and again, in one thread, as long as
 * asked. Prints one JSON object: messages per second of the processor's time,
 * microseconds for each of the two steps, and the process's peak memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "mta/base/alloc.h"
#include "router/feedback/report.h"
#include "router/reasons.h"

struct mail {
	char *data;
	size_t len;
};

struct bench {
	struct mail *mail;
	size_t n, bytes;
	const struct reasons *reasons;
	uint64_t messages, parts;
	double reading, finding; /* seconds */
};

/* clang-format off */
static const char *const made_up[] = {
	"Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.sender.example (Mail Delivery System)\r\n"
	"To: bounce+1@sender.example\r\nSubject: Undelivered Mail Returned to Sender\r\n"
	"Content-Type: multipart/report; report-type=delivery-status; boundary=\"b/1\"\r\n\r\n"
	"--b/1\r\nContent-Type: text/plain\r\n\r\n"
	"<taro@docomo.ne.jp>: host mfsmax.docomo.ne.jp[192.0.2.1] said: 550 Unknown user\r\n"
	"    taro@docomo.ne.jp (in reply to end of DATA command)\r\n\r\n"
	"--b/1\r\nContent-Type: message/delivery-status\r\n\r\n"
	"Reporting-MTA: dns; mx.sender.example\r\n\r\n"
	"Final-Recipient: rfc822; taro@docomo.ne.jp\r\nAction: failed\r\nStatus: 5.0.0\r\n"
	"Remote-MTA: dns; mfsmax.docomo.ne.jp\r\n"
	"Diagnostic-Code: smtp; 550 Unknown user taro@docomo.ne.jp\r\n\r\n"
	"--b/1\r\nContent-Type: message/rfc822\r\n\r\nReturn-Path: <bounce+1@sender.example>\r\n"
	"Message-ID: <1@sender.example>\r\nFrom: info@sender.example\r\nTo: taro@docomo.ne.jp\r\n"
	"Subject: hello\r\n\r\nhello\r\n--b/1--\r\n",
	"From: MAILER-DAEMON@mx.x.example\r\nTo: bounce+2@sender.example\r\nSubject: failure notice\r\n\r\n"
	"Hi. This is the qmail-send program at mx.x.example.\r\n\r\n<a@y.example>:\r\n"
	"192.0.2.1 does not like recipient.\r\nRemote host said: 550 5.1.1 no such user\r\n"
	"Giving up on 192.0.2.1.\r\n\r\n--- Below this line is a copy of the message.\r\n\r\n"
	"Return-Path: <bounce+2@sender.example>\r\nMessage-ID: <2@sender.example>\r\n"
	"To: a@y.example\r\n\r\nhello\r\n",
	"From: hanako@x.example\r\nTo: info@sender.example\r\nSubject: Automatic reply: hello\r\nAuto-Submitted: auto-replied\r\n\r\nI am away.\r\n",
	"From: taro@x.example\r\nTo: info@sender.example\r\nSubject: a question\r\n\r\nHow do I ...?\r\n",
};
/* clang-format on */

static double
cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
mail_take(struct bench *b, char *data, size_t len)
{
	b->mail = xrealloc(b->mail, (b->n + 1) * sizeof(*b->mail));
	b->mail[b->n++] = (struct mail){ data, len };
	b->bytes += len;
}

static void
mail_load(struct bench *b, const char *file)
{
	FILE *f = fopen(file, "rb");
	char *data = xmalloc(REPORT_BYTES_MAX);
	size_t len;

	if (f == NULL) {
		fprintf(stderr, "bench_report: cannot open '%s'\n", file);
		exit(1);
	}
	len = fread(data, 1, REPORT_BYTES_MAX, f);
	fclose(f);
	mail_take(b, xrealloc(data, len + 1), len);
}

static const char *
domain_of(const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL ? at + 1 : "";
}

static void
find(struct bench *b, const struct report *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct report_part *p = &r->part[i];
		struct reasons_answer answer;
		struct reasons_query query = {
			.group = "",
			.host = p->host,
			.domain = domain_of(p->recipient),
			.stage = p->outcome.stage,
			.code = p->outcome.code,
			.enhanced = p->outcome.enhanced,
			.text = p->outcome.text,
			.reporter = r->form,
		};

		reasons_find(b->reasons, &query, &answer);
		b->parts++;
	}
}

/* All of them once: the steps one after the other, so that two looks at the
 * clock are enough. */
static void
turn(struct bench *b)
{
	struct report *r = xcalloc(b->n, sizeof(*r));
	double start = cpu_now(), middle;

	for (size_t i = 0; i < b->n; i++)
		report_read(&r[i], b->mail[i].data, b->mail[i].len);
	middle = cpu_now();
	for (size_t i = 0; i < b->n; i++)
		find(b, &r[i]);
	b->finding += cpu_now() - middle;
	for (size_t i = 0; i < b->n; i++)
		report_clear(&r[i]);
	b->reading += middle - start;
	b->messages += b->n;
	free(r);
}

static void
print(const struct bench *b)
{
	struct rusage use;
	double each = 1e6 / (double)b->messages;

	getrusage(RUSAGE_SELF, &use);
	printf("{\"messages\": %zu, \"bytes\": %zu, \"read\": %.1f, "
	       "\"find\": %.1f, \"second\": %.0f, \"parts\": %.2f, "
	       "\"memory\": %ld}\n",
	    b->n, b->bytes / b->n, b->reading * each, b->finding * each,
	    (double)b->messages / (b->reading + b->finding),
	    (double)b->parts / (double)b->messages, use.ru_maxrss);
}

int
main(int argc, char **argv)
{
	struct bench b = { .mail = NULL };
	struct reasons *reasons = reasons_builtin();
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 0;

	if (seconds <= 0) {
		fprintf(stderr, "usage: bench_report SECONDS [FILE...]\n");
		return 2;
	}
	for (int i = 2; i < argc; i++)
		mail_load(&b, argv[i]);
	for (size_t i = 0;
	     b.n < sizeof(made_up) / sizeof(made_up[0]) && argc == 2; i++)
		mail_take(&b, xstrdup(made_up[i]), strlen(made_up[i]));
	b.reasons = reasons;
	turn(&b);
	b.messages = b.parts = 0;
	b.reading = b.finding = 0;
	while (b.reading + b.finding < seconds)
		turn(&b);
	print(&b);
	for (size_t i = 0; i < b.n; i++)
		free(b.mail[i].data);
	free(b.mail);
	reasons_unref(&reasons);
	return 0;
}
