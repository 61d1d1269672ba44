/*
 * sns_forge.c - posts that SNS would never send, for a receiver to refuse.
 *
 * Each is right in everything but what it is named for, so that nothing else
 * can be why it is refused.
 */
#include "tests/sandbox/sns_int.h"

#include "mta/base/alloc.h"

#include <string.h>

#define HOUR	 (3600 * INT64_C(1000))
#define HUGE_LEN (4u << 20)
#define SAMPLE                                                                 \
	"{\"eventType\":\"Send\",\"mail\":{\"messageId\":\"forged\"},"         \
	"\"send\":{}}\n"
#define FOREIGN "arn:aws:sns:" AWS_REGION ":999999999999:" SNS_TOPIC
#define METADATA                                                               \
	"http://169.254.169.254/latest/meta-data/iam/security-credentials/"
#define FILE_NAME                                                              \
	"/SimpleNotificationService-00112233445566778899aabbccddeeff.pem"
#define BUCKET "https://bucket.s3.amazonaws.com" FILE_NAME
#define LOOKALIKE                                                              \
	"https://sns." AWS_REGION ".amazonaws.com.evil.example" FILE_NAME
#define ENVELOPE "{\"Type\":\"Notification\",\"Message\":\""

enum spoil {
	SPOIL_NOTHING,
	SPOIL_BODY,	 /* another message than the one signed */
	SPOIL_SIGNATURE, /* one character of it */
	SPOIL_RAW,	 /* no envelope at all */
	SPOIL_REPLAY,	 /* the last one, once more */
	SPOIL_HALF,	 /* of the JSON */
	SPOIL_HUGE,
};

struct forgery {
	const char *name;
	enum spoil spoil;
	const char *cert_url, *topic, *subscribe_url; /* NULL: the right one */
	int64_t age;				      /* ms */
	unsigned version;			      /* 0: the right one */
	bool impostor; /* signed by a key that nobody vouches for */
};

/* clang-format off */
static const struct forgery forgeries[] = {
	{ "body",          SPOIL_BODY,      NULL, NULL, NULL, 0, 0, false },
	{ "signature",     SPOIL_SIGNATURE, NULL, NULL, NULL, 0, 0, false },
	{ "cert-url",      SPOIL_NOTHING,   BUCKET, NULL, NULL, 0, 0, false },
	{ "cert-host",     SPOIL_NOTHING,   LOOKALIKE, NULL, NULL, 0, 0, false },
	{ "impostor",      SPOIL_NOTHING,   NULL, NULL, NULL, 0, 0, true },
	{ "topic",         SPOIL_NOTHING,   NULL, FOREIGN, NULL, 0, 0, false },
	{ "old",           SPOIL_NOTHING,   NULL, NULL, NULL, 2 * HOUR, 0, false },
	{ "future",        SPOIL_NOTHING,   NULL, NULL, NULL, -2 * HOUR, 0, false },
	{ "raw",           SPOIL_RAW,       NULL, NULL, NULL, 0, 0, false },
	{ "subscribe-url", SPOIL_NOTHING,   NULL, NULL, METADATA, 0, 0, false },
	{ "version",       SPOIL_NOTHING,   NULL, NULL, NULL, 0, 3, false },
	{ "replay",        SPOIL_REPLAY,    NULL, NULL, NULL, 0, 0, false },
	{ "half",          SPOIL_HALF,      NULL, NULL, NULL, 0, 0, false },
	{ "huge",          SPOIL_HUGE,      NULL, NULL, NULL, 0, 0, false },
};
/* clang-format on */
#define N_FORGERIES (sizeof(forgeries) / sizeof(forgeries[0]))

static struct sns_envelope
envelope(const struct sns *s, const struct forgery *f,
    const struct subscription *to, char id[static 37])
{
	struct sns_envelope v = sns_envelope_of(s,
	    f->subscribe_url != NULL ? SNS_SUBSCRIPTION : SNS_NOTIFICATION, id);

	v.message = s->last_message != NULL ? s->last_message : SAMPLE;
	v.at -= f->age;
	if (f->cert_url != NULL)
		v.cert_url = f->cert_url;
	if (f->impostor)
		v.cert_url = s->impostor.url;
	if (f->topic != NULL)
		v.topic_arn = f->topic;
	if (f->version != 0)
		v.version = f->version;
	if (f->subscribe_url != NULL) {
		v.token = to->token;
		v.subscribe_url = f->subscribe_url;
	}
	return v;
}

static void
add_huge(struct str *body)
{
	size_t i;

	str_adds(body, ENVELOPE);
	for (i = 0; i < HUGE_LEN; i++)
		str_addc(body, 'x');
	str_adds(body, "\"}");
}

/* The envelope as it is signed, and spoilt afterwards. */
static void
write_body(struct sns *s, const struct forgery *f, struct sns_envelope *v,
    struct str *body)
{
	struct str signature = STR_INIT;

	sns_envelope_sign(v,
	    sns_signer_key(f->impostor ? &s->impostor : &s->genuine),
	    &signature);
	if (f->spoil == SPOIL_BODY)
		v->message = SAMPLE " ";
	if (f->spoil == SPOIL_SIGNATURE)
		signature.data[9] = signature.data[9] == 'A' ? 'B' : 'A';
	if (f->spoil == SPOIL_RAW)
		str_adds(body, v->message);
	else if (f->spoil == SPOIL_HUGE)
		add_huge(body);
	else if (f->spoil == SPOIL_REPLAY)
		str_add(body, s->last_body.data, s->last_body.len);
	else
		sns_envelope_write(v, signature.data, body);
	if (f->spoil == SPOIL_HALF) {
		body->len /= 2;
		body->data[body->len] = '\0';
	}
	str_release(&signature);
}

static void
send_forgery(struct subscription *to, const struct forgery *f)
{
	struct sns *s = to->sns;
	char id[37];
	struct sns_envelope v = envelope(s, f, to, id);
	struct post *p = sns_post_new(
	    to, v.type, f->spoil == SPOIL_REPLAY ? s->last_id : id);

	p->forged = f->name;
	p->raw = f->spoil == SPOIL_RAW;
	write_body(s, f, &v, &p->body);
	sns_post_send(p);
}

int
sns_forge(struct sns *s, const char *what, struct err *e)
{
	struct subscription *to;
	size_t i;

	for (i = 0; i < N_FORGERIES; i++)
		if (strcmp(forgeries[i].name, what) == 0)
			break;
	if (i == N_FORGERIES)
		return err_set(e, "cannot forge '%s'", what);
	if (forgeries[i].spoil == SPOIL_REPLAY && s->last_body.len == 0)
		return err_set(e, "there is nothing to replay");
	LIST_FOREACH(to, &s->subscriptions, link)
	if (to->state != SUB_GONE)
		send_forgery(to, &forgeries[i]);
	return 0;
}
