/*
 * test_client.c - the SMTP client against scripted servers: every stage, every
 * way to fail.
 */
#include "client_script.h"

#include <signal.h>

#define GREET	    "S 220 mx.example.com ESMTP\n"
#define EHLO	    "C EHLO out.example.jp\n"
#define PLAIN_HELLO GREET EHLO "S 250 mx\n"
#define PIPE_HELLO  GREET EHLO "S 250-mx\nS 250 PIPELINING\n"
#define MAIL	    "C MAIL FROM:<a@example.jp>\n"
#define RCPT_B	    "C RCPT TO:<b@example.com>\n"
#define RCPT_C	    "C RCPT TO:<c@example.com>\n"
#define ENVELOPE                                                               \
	MAIL "S 250 ok\n" RCPT_B "S 250 ok\n" RCPT_C                           \
	     "S 250 ok\nC DATA\nS 354 go\n"
#define BYE "C QUIT\nS 221 bye\nclose\n"

/* ------ every stage fails in every way */

struct stage_case {
	const char *before; /* the script up to the reply that goes wrong */
	enum smtp_stage stage;
	enum outcome_scope refusal; /* scope of a 450 and a 550 */
	const char
	    *cleanup; /* what the client says after a refusal, not pipelined */
	const char *piped_cleanup; /* the same when pipelined */
};

#define IN_BODY ENVELOPE "P\n"

/* clang-format off */
static const struct stage_case stages[] = {
	{ "", STAGE_CONNECT, SCOPE_LANE, "", "" },
	{ GREET EHLO, STAGE_EHLO, SCOPE_LANE, "", "" },
	{ MAIL, STAGE_MAIL, SCOPE_MESSAGE, BYE,
	    RCPT_B "S 503 no\n" RCPT_C "S 503 no\nC DATA\nS 503 no\n" BYE },
	{ MAIL "S 250 ok\n" RCPT_B "S 250 ok\n" RCPT_C "S 250 ok\nC DATA\n", STAGE_DATA,
	    SCOPE_MESSAGE, "C RSET\nS 250 ok\n" BYE, "C RSET\nS 250 ok\n" BYE },
	{ IN_BODY, STAGE_BODY, SCOPE_MESSAGE, "", "" },
	{ ENVELOPE "B\n", STAGE_DOT, SCOPE_MESSAGE, BYE, BYE },
};

static const struct way {
	const char *what;  /* script; "%d" code */
	int code;          /* 0: no reply */
	bool reset;
} ways[] = {
	{ "S 450 4.2.0 try later\n", 450, false },
	{ "S 550 5.7.1 never\n", 550, false },
	{ "S 421 4.3.2 closing\nclose\n", 421, false },
	{ "close\n", 0, false },
	{ "reset\n", 0, true },
	{ "silent\n", 0, false },
};
/* clang-format on */

static const char *
hello_for(const struct stage_case *stage, bool pipelined)
{
	if (stage->stage == STAGE_CONNECT || stage->stage == STAGE_EHLO)
		return "";
	return pipelined ? PIPE_HELLO : PLAIN_HELLO;
}

static enum outcome_scope
expected_scope(const struct stage_case *stage, const struct way *way)
{
	if (stage->stage == STAGE_CONNECT)
		return SCOPE_LANE;
	return way->code == 450 || way->code == 550 ? stage->refusal
						    : SCOPE_SESSION;
}

static void
check_outcome(const struct outcome *o, const struct stage_case *stage,
    const struct way *way)
{
	assert_int_equal(o->stage, stage->stage);
	assert_int_equal(o->scope, expected_scope(stage, way));
	assert_int_equal(o->code, way->code);
	assert_int_equal(
	    o->unread, stage->stage == STAGE_DOT && way->code == 0);
	/* With unsent data on our side, the kernel may tell of the write first.
	 */
	if (stage->stage != STAGE_BODY)
		assert_int_equal(o->reset, way->reset);
	assert_int_equal(outcome_class(o), way->code == 550 ? 5 : 4);
	if (way->code == 421)
		assert_string_equal(o->text, "closing");
}

static void
run_stage(const struct stage_case *stage, const struct way *way, bool pipelined)
{
	bool refused = way->code == 450 || way->code == 550;
	bool hello = stage->stage == STAGE_EHLO && way->code == 550;
	bool early =
	    stage->stage == STAGE_CONNECT || stage->stage == STAGE_EHLO;
	struct str script = STR_INIT;
	struct play p;

	str_adds(&script, hello_for(stage, pipelined));
	str_adds(&script, stage->before);
	str_adds(&script, way->what);
	if (hello)
		str_adds(&script, "C HELO out.example.jp\nS 550 5.7.1 never\n");
	if (refused)
		str_adds(
		    &script, pipelined ? stage->piped_cleanup : stage->cleanup);
	play_init(&p, script.data);
	if (stage->stage == STAGE_BODY)
		p.permit = false;
	if (strcmp(way->what, "silent\n") == 0)
		play_hurry(&p, 50);
	play_run(&p);
	assert_int_equal(p.done, !early);
	if (early) {
		check_outcome(&p.why, stage, way);
	} else {
		check_outcome(&p.rcpt[0].outcome, stage, way);
		check_outcome(&p.rcpt[1].outcome, stage, way);
	}
	if (refused && stage->cleanup[0] != '\0')
		assert_string_equal(p.why.text, "");
	play_clear(&p);
	str_release(&script);
}

static void
test_stages(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++)
		for (size_t j = 0; j < sizeof(ways) / sizeof(ways[0]); j++) {
			/* It is we who are silent then, for want of a permit.
			 */
			if (stages[i].stage == STAGE_BODY &&
			    strcmp(ways[j].what, "silent\n") == 0)
				continue;
			run_stage(&stages[i], &ways[j], false);
			run_stage(&stages[i], &ways[j], true);
		}
}

/* ------ dialogues */

struct expected {
	enum smtp_stage stage;
	enum outcome_scope scope;
	int code;
	bool unread;
	const char *text;
};

static void
check(const struct outcome *o, const struct expected *e)
{
	assert_string_equal(o->text, e->text);
	assert_int_equal(o->stage, e->stage);
	assert_int_equal(o->scope, e->scope);
	assert_int_equal(o->code, e->code);
	assert_int_equal(o->unread, e->unread);
}

#define LOST_DOT                                                               \
	" while sending end of data -- message may be sent more than once"
#define OK_DOT                                                                 \
	{                                                                      \
		STAGE_DOT, SCOPE_RECIPIENT, 250, false, "queued"               \
	}
#define GOOD_END                                                               \
	{                                                                      \
		STAGE_QUIT, SCOPE_RECIPIENT, 0, false, ""                      \
	}

/* clang-format off */
static const struct dialogue {
	const char *script;
	struct expected rcpt[2], why;
} dialogues[] = {
	/* All well. */
	{ PLAIN_HELLO ENVELOPE "B\nS 250 queued\n" BYE, { OK_DOT, OK_DOT }, GOOD_END },
	{ PIPE_HELLO ENVELOPE "B\nS 250 queued\n" BYE, { OK_DOT, OK_DOT }, GOOD_END },
	/* One of two refused. */
	{ PLAIN_HELLO MAIL "S 250 ok\n" RCPT_B "S 550 5.1.1 Unknown user\n" RCPT_C
	    "S 250 ok\nC DATA\nS 354 go\nB\nS 250 queued\n" BYE,
	    { { STAGE_RCPT, SCOPE_RECIPIENT, 550, false, "Unknown user" }, OK_DOT }, GOOD_END },
	{ PIPE_HELLO MAIL "S 250 ok\n" RCPT_B "S 250 ok\n" RCPT_C
	    "S 450 full\nC DATA\nS 354 go\nB\nS 250 queued\n" BYE,
	    { OK_DOT, { STAGE_RCPT, SCOPE_RECIPIENT, 450, false, "full" } }, GOOD_END },
	/* One of two refused, and then the message: each keeps its own stage. */
	{ PIPE_HELLO MAIL "S 250 ok\n" RCPT_B "S 550 Unknown user\n" RCPT_C
	    "S 250 ok\nC DATA\nS 354 go\nB\nS 550 : User unknown\n" BYE,
	    { { STAGE_RCPT, SCOPE_RECIPIENT, 550, false, "Unknown user" },
	    { STAGE_DOT, SCOPE_MESSAGE, 550, false, ": User unknown" } }, GOOD_END },
	/* All refused: no DATA, or its refusal means nothing, or an empty message. */
	{ PLAIN_HELLO MAIL "S 250 ok\n" RCPT_B "S 550 no b\n" RCPT_C
	    "S 450 no c\nC RSET\nS 250 ok\n" BYE,
	    { { STAGE_RCPT, SCOPE_RECIPIENT, 550, false, "no b" },
	    { STAGE_RCPT, SCOPE_RECIPIENT, 450, false, "no c" } }, GOOD_END },
	{ PIPE_HELLO MAIL "S 250 ok\n" RCPT_B "S 550 no b\n" RCPT_C
	    "S 450 no c\nC DATA\nS 554 Error: no valid recipients\nC RSET\nS 250 ok\n" BYE,
	    { { STAGE_RCPT, SCOPE_RECIPIENT, 550, false, "no b" },
	    { STAGE_RCPT, SCOPE_RECIPIENT, 450, false, "no c" } }, GOOD_END },
	{ PIPE_HELLO MAIL "S 250 ok\n" RCPT_B "S 550 no b\n" RCPT_C
	    "S 450 no c\nC DATA\nS 354 go\nC .\nS 250 lost\n" BYE,
	    { { STAGE_RCPT, SCOPE_RECIPIENT, 550, false, "no b" },
	    { STAGE_RCPT, SCOPE_RECIPIENT, 450, false, "no c" } }, GOOD_END },
	{ PIPE_HELLO MAIL "S 553 example.jp does not exist\n" RCPT_B "S 503 no\n" RCPT_C
	    "S 503 no\nC DATA\nS 354 go\nC .\nS 554 no\n" BYE,
	    { { STAGE_MAIL, SCOPE_MESSAGE, 553, false, "example.jp does not exist" },
	    { STAGE_MAIL, SCOPE_MESSAGE, 553, false, "example.jp does not exist" } }, GOOD_END },
	/* RSET that is not obeyed ends the session, not the verdicts. */
	{ PLAIN_HELLO MAIL "S 250 ok\n" RCPT_B "S 550 no b\n" RCPT_C
	    "S 550 no c\nC RSET\nS 500 what\n",
	    { { STAGE_RCPT, SCOPE_RECIPIENT, 550, false, "no b" },
	    { STAGE_RCPT, SCOPE_RECIPIENT, 550, false, "no c" } },
	    { STAGE_MAIL, SCOPE_SESSION, 500, false, "what" } },
	/* 421 at RCPT: the accepted ones are not delivered either. */
	{ PIPE_HELLO MAIL "S 250 ok\n" RCPT_B "S 250 ok\n" RCPT_C "S 421 enough\nclose\n",
	    { { STAGE_RCPT, SCOPE_SESSION, 421, false, "enough" },
	    { STAGE_RCPT, SCOPE_SESSION, 421, false, "enough" } },
	    { STAGE_RCPT, SCOPE_SESSION, 421, false, "enough" } },
	{ PLAIN_HELLO MAIL "S 250 ok\n" RCPT_B "S 550 no b\n" RCPT_C "close\n",
	    { { STAGE_RCPT, SCOPE_RECIPIENT, 550, false, "no b" },
	    { STAGE_RCPT, SCOPE_SESSION, 0, false,
	    "connection closed by peer while sending RCPT TO" } },
	    { STAGE_RCPT, SCOPE_SESSION, 0, false,
	    "connection closed by peer while sending RCPT TO" } },
	/* The reply to the dot, then the end: both are heard. */
	{ PLAIN_HELLO ENVELOPE "B\nS 250 queued\nS 421 idle too long\nclose\n", { OK_DOT, OK_DOT },
	    { STAGE_NONE, SCOPE_SESSION, 421, false, "idle too long" } },
	{ PLAIN_HELLO ENVELOPE "B\nS 250 queued\nR 25\nflush\nclose\n", { OK_DOT, OK_DOT },
	    { STAGE_NONE, SCOPE_SESSION, 0, false, "connection closed by peer while idle" } },
	/* Nonsense in reply to the dot: nobody knows. */
	{ PLAIN_HELLO ENVELOPE "B\nS ok\n",
	    { { STAGE_DOT, SCOPE_SESSION, 0, true, "reply without a valid code" LOST_DOT },
	    { STAGE_DOT, SCOPE_SESSION, 0, true, "reply without a valid code" LOST_DOT } },
	    { STAGE_DOT, SCOPE_SESSION, 0, true, "reply without a valid code" LOST_DOT } },
	{ PLAIN_HELLO ENVELOPE "B\nS 354 more\n",
	    { { STAGE_DOT, SCOPE_SESSION, 0, true, "unexpected reply '354 more'" LOST_DOT },
	    { STAGE_DOT, SCOPE_SESSION, 0, true, "unexpected reply '354 more'" LOST_DOT } },
	    { STAGE_DOT, SCOPE_SESSION, 0, true, "unexpected reply '354 more'" LOST_DOT } },
	{ PLAIN_HELLO ENVELOPE "B\nR 250 que\nflush\nclose\n",
	    { { STAGE_DOT, SCOPE_SESSION, 0, true, "connection closed by peer" LOST_DOT },
	    { STAGE_DOT, SCOPE_SESSION, 0, true, "connection closed by peer" LOST_DOT } },
	    { STAGE_DOT, SCOPE_SESSION, 0, true, "connection closed by peer" LOST_DOT } },
	/* A second 250 for one DATA is for nothing we sent. */
	{ PLAIN_HELLO MAIL "S 250 ok\nS 250 ok\n",
	    { { STAGE_RCPT, SCOPE_SESSION, 0, false,
	    "peer said more than it was asked for while sending RCPT TO" },
	    { STAGE_RCPT, SCOPE_SESSION, 0, false,
	    "peer said more than it was asked for while sending RCPT TO" } },
	    { STAGE_RCPT, SCOPE_SESSION, 0, false,
	    "peer said more than it was asked for while sending RCPT TO" } },
	{ PLAIN_HELLO MAIL "S 250 ok\n" RCPT_B "S 250 ok\n" RCPT_C
	    "S 250 ok\nC DATA\nR 354 go\\r\\n250 queued\\r\\n\n",
	    { { STAGE_BODY, SCOPE_SESSION, 0, false,
	    "unexpected reply '250 queued' while sending the message" },
	    { STAGE_BODY, SCOPE_SESSION, 0, false,
	    "unexpected reply '250 queued' while sending the message" } },
	    { STAGE_BODY, SCOPE_SESSION, 0, false,
	    "unexpected reply '250 queued' while sending the message" } },
	/* Replies of careless servers: bare LF, controls, no text. */
	{ "R 220-mx\\n220 mx\\0\\n\n" EHLO "R 250-mx\\n250 PIPELINING\\n\n" MAIL "R 250\\r\\n\n"
	    RCPT_B "S 250\n" RCPT_C "S 251 will forward\nC DATA\nR 354\\n\nB\n"
	    "R 250-2.0.0 \\0que\\n250-2.0.0 \\n250 2.0.0 ued\\n\n" BYE,
	    { { STAGE_DOT, SCOPE_RECIPIENT, 250, false, "que ued" },
	    { STAGE_DOT, SCOPE_RECIPIENT, 250, false, "que ued" } }, GOOD_END },
	/* EHLO is too new for it. */
	{ GREET EHLO "S 502 what\nC HELO out.example.jp\nS 250 mx\n" ENVELOPE
	    "B\nS 250 queued\n" BYE, { OK_DOT, OK_DOT }, GOOD_END },
	/* QUIT without an answer is good order, too. */
	{ PLAIN_HELLO ENVELOPE "B\nS 250 queued\nC QUIT\nclose\n", { OK_DOT, OK_DOT }, GOOD_END },
	{ PLAIN_HELLO ENVELOPE "B\nS 250 queued\nC QUIT\nreset\n", { OK_DOT, OK_DOT }, GOOD_END },
	/* quit with a transaction in hand waits for it; abort does not. */
	{ PLAIN_HELLO MAIL "quit\nS 250 ok\n" RCPT_B "S 250 ok\n" RCPT_C
	    "S 250 ok\nC DATA\nS 354 go\nB\nS 250 queued\n" BYE, { OK_DOT, OK_DOT }, GOOD_END },
	{ PLAIN_HELLO MAIL "S 250 ok\n" RCPT_B "abort\n",
	    { { STAGE_RCPT, SCOPE_SESSION, 0, false, "aborted while sending RCPT TO" },
	    { STAGE_RCPT, SCOPE_SESSION, 0, false, "aborted while sending RCPT TO" } },
	    { STAGE_RCPT, SCOPE_SESSION, 0, false, "aborted while sending RCPT TO" } },
	{ PLAIN_HELLO ENVELOPE "B\nabort\n",
	    { { STAGE_DOT, SCOPE_SESSION, 0, true, "aborted" LOST_DOT },
	    { STAGE_DOT, SCOPE_SESSION, 0, true, "aborted" LOST_DOT } },
	    { STAGE_DOT, SCOPE_SESSION, 0, true, "aborted" LOST_DOT } },
};
/* clang-format on */

static void
test_dialogues(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++) {
		const struct dialogue *d = &dialogues[i];
		struct play p;

		play_init(&p, d->script);
		play_run(&p);
		assert_int_equal(p.ready, 1);
		check(&p.rcpt[0].outcome, &d->rcpt[0]);
		check(&p.rcpt[1].outcome, &d->rcpt[1]);
		check(&p.why, &d->why);
		assert_int_equal(
		    strncmp(p.peer, "mx.example.com[127.0.0.1]:", 26), 0);
		play_clear(&p);
	}
}

/* ------ what MAIL and RCPT say */

static void
test_parameters(void **state)
{
	struct play p;

	(void)state;
	play_init(&p,
	    GREET EHLO "S 250-mx\nS 250-SIZE 1000\nS 250-8BITMIME\nS "
		       "250-SMTPUTF8\nS 250 DSN\n"
		       "C MAIL FROM:<> SIZE=21 BODY=8BITMIME SMTPUTF8 RET=HDRS "
		       "ENVID=a+20b+2Bc+3Dd+E8\nS 250 ok\n"
		       "C RCPT TO:<\"a..b\"@docomo.ne.jp> NOTIFY=SUCCESS,DELAY "
		       "ORCPT=rfc822;x+2By@example.com\nS 250 ok\n"
		       "C RCPT TO:<c@example.com> NOTIFY=NEVER\nS 250 ok\n"
		       "C DATA\nS 354 go\nB\nS 250 queued\n" BYE);
	p.tx.from = "";
	p.tx.body_8bit = p.tx.smtputf8 = true;
	p.tx.ret = 'H';
	p.tx.envid = "a b+c=d\xe8";
	p.rcpt[0].address = "\"a..b\"@docomo.ne.jp";
	p.rcpt[0].notify = 2 | 8;
	p.rcpt[0].orcpt = "rfc822;x+y@example.com";
	p.rcpt[1].notify = 1;
	play_run(&p);
	assert_int_equal(p.rcpt[0].outcome.code, 250);
	play_clear(&p);

	/* The same where nothing is offered. */
	play_init(&p, PLAIN_HELLO ENVELOPE "B\nS 250 queued\n" BYE);
	p.tx.body_8bit = true;
	p.tx.ret = 'F';
	p.tx.envid = "x";
	p.rcpt[0].notify = 1;
	p.rcpt[1].orcpt = "rfc822;x@example.com";
	play_run(&p);
	assert_int_equal(p.rcpt[1].outcome.code, 250);
	play_clear(&p);
}

/* Refused by ourselves, again and again on the same connection. */
static void
test_beyond_peer(void **state)
{
	struct play p;

	(void)state;
	play_init(&p, GREET EHLO "S 250-mx\nS 250 SIZE 20\n" BYE);
	p.again = 3;
	play_run(&p);
	assert_int_equal(p.done, 4);
	assert_string_equal(p.rcpt[1].outcome.enhanced, "5.3.4");
	assert_int_equal(p.rcpt[1].outcome.scope, SCOPE_MESSAGE);
	assert_int_equal(p.rcpt[1].outcome.stage, STAGE_MAIL);
	assert_true(p.rcpt[1].outcome.permanent);
	play_clear(&p);

	play_init(&p, PLAIN_HELLO BYE);
	p.tx.smtputf8 = true;
	play_run(&p);
	assert_string_equal(p.rcpt[0].outcome.enhanced, "5.6.7");
	assert_int_equal(outcome_class(&p.rcpt[0].outcome), 5);
	play_clear(&p);
}

/* ------ the message */

static void
test_permit(void **state)
{
	struct play p;

	(void)state;
	/* Late: all but the dot is there, the dot is not. */
	play_init(&p,
	    PLAIN_HELLO ENVELOPE "P\nP\nP\npermit\nC .\nS 250 queued\n" BYE);
	p.permit = false;
	play_run(&p);
	assert_int_equal(p.rcpt[0].outcome.code, 250);
	play_clear(&p);

	/* Never: the end of the connection is no end of the message. */
	play_init(&p, PLAIN_HELLO ENVELOPE "P\nP\nP\nclose\n");
	p.permit = false;
	play_run(&p);
	assert_int_equal(p.rcpt[0].outcome.stage, STAGE_BODY);
	assert_false(p.rcpt[0].outcome.unread);
	assert_string_equal(
	    p.rcpt[0].outcome.text, "connection closed by peer while waiting "
				    "for the permit to end the message");
	play_clear(&p);

	/* Early, and again on the next transaction, where it counts anew. */
	play_init(&p, PLAIN_HELLO ENVELOPE "B\nS 250 queued\n" ENVELOPE
					   "B\nS 250 queued\n" ENVELOPE
					   "B\nS 250 queued\n" BYE);
	p.again = 2;
	play_run(&p);
	assert_int_equal(p.done, 3);
	play_clear(&p);
}

/* An owner whose permit does not hold for ever. */
static void
test_asked_before_the_dot(void **state)
{
	static const char *const scripts[] = {
		PLAIN_HELLO ENVELOPE "P\nP\nP\npermit\nC .\nS 250 queued\n" BYE,
		PLAIN_HELLO ENVELOPE "P\nP\nP\nC .\nS 250 queued\n" BYE,
	};
	struct play p;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		play_init(&p, scripts[i]);
		p.permit = i == 1;
		p.ask = true;
		play_run(&p);
		assert_int_equal(p.asked, 1);
		assert_int_equal(p.rcpt[0].outcome.code, 250);
		play_clear(&p);
	}
	/* No: the peer has all of it, and takes none of it. */
	for (size_t i = 0; i < 2; i++) {
		play_init(&p, i == 0 ? PLAIN_HELLO ENVELOPE
				  "P\nP\nP\npermit\nsilent\n"
				     : PLAIN_HELLO ENVELOPE "P\nP\nP\nsilent\n");
		p.permit = i == 1;
		p.ask = p.deny = true;
		play_run(&p);
		assert_int_equal(p.asked, 1);
		assert_int_equal(p.done, 1);
		assert_int_equal(p.rcpt[0].outcome.code, 0);
		assert_int_equal(p.rcpt[0].outcome.stage, STAGE_BODY);
		assert_false(p.rcpt[0].outcome.unread);
		play_clear(&p);
	}
}

/* A large message, dots and all, with a head, an offset, and reads of any size.
 */
static void
test_large(void **state)
{
	static const char head[] = ".dotted: head\r\nX: y\r\n";
	unsigned seed = 5321;
	struct str message = STR_INIT, want = STR_INIT;

	(void)state;
	while (message.len < 3000000) {
		for (int n = rand_r(&seed) % 4; n > 0; n--)
			str_addc(&message, '.');
		for (int n = rand_r(&seed) % 90; n > 0; n--)
			str_addc(&message, 'x');
		str_adds(&message, "\r\n");
	}
	str_adds(&message, "no end of line");
	for (size_t read_max = 0; read_max < 5000; read_max += 1777) {
		struct play p;

		play_init(&p, PIPE_HELLO ENVELOPE "B\nS 250 queued\n" BYE);
		p.message = message.data;
		p.message_len = message.len;
		p.read_max = read_max;
		p.tx.content.offset = 1000;
		p.tx.content.head = head;
		p.tx.content.head_len = strlen(head);
		play_run(&p);
		assert_int_equal(p.rcpt[0].outcome.code, 250);
		str_clear(&want);
		str_addc(&want, '.');
		str_adds(&want, head);
		for (size_t i = 1000; i < message.len; i++) {
			if (message.data[i] == '.' &&
			    message.data[i - 1] == '\n')
				str_addc(&want, '.');
			str_addc(&want, message.data[i]);
		}
		str_adds(&want, "\r\n");
		assert_int_equal(p.received.len, want.len);
		assert_memory_equal(p.received.data, want.data, want.len);
		play_clear(&p);
	}
	str_release(&want);
	str_release(&message);
}

/* Once begun, a message that cannot be finished is cut off before its dot. */
static void
test_broken_message(void **state)
{
	static const char *const bare[] = { "a\nb\r\n", "a\r\n.\n.\r\n",
		"a\rb\r\n", "a\r" };
	struct play p;

	(void)state;
	for (size_t i = 0; i < sizeof(bare) / sizeof(bare[0]); i++) {
		play_init(&p, PLAIN_HELLO ENVELOPE "B\n");
		p.message = bare[i];
		p.message_len = strlen(bare[i]);
		play_run(&p);
		assert_string_equal(
		    p.rcpt[0].outcome.text, "message holds a bare CR or LF");
		assert_int_equal(p.rcpt[0].outcome.stage, STAGE_BODY);
		assert_int_equal(p.rcpt[0].outcome.scope, SCOPE_MESSAGE);
		assert_true(p.rcpt[0].outcome.permanent);
		play_clear(&p);
	}
	/* It ends before it should. */
	play_init(&p, PLAIN_HELLO ENVELOPE "B\n");
	p.short_by = 3;
	play_run(&p);
	assert_string_equal(p.rcpt[0].outcome.text,
	    "cannot read the message: No data available");
	assert_int_equal(p.rcpt[0].outcome.stage, STAGE_BODY);
	assert_int_equal(p.rcpt[0].outcome.scope, SCOPE_MESSAGE);
	assert_false(p.rcpt[0].outcome.permanent);
	play_clear(&p);
}

/* A peer that stops in the middle of a message, and one that says why and cuts.
 */
static void
test_mid_message(void **state)
{
	size_t len = 20 * 1000 * 1000;
	char *message = malloc(len);
	struct play p;

	(void)state;
	for (size_t i = 0; i < len; i++)
		message[i] = "x\r\n."[i % 100 < 97 ? 0 : i % 100 - 96];
	play_init(&p,
	    PIPE_HELLO ENVELOPE "P\nS 552 5.3.4 Too much mail data\nclose\n");
	p.message = message;
	p.message_len = len;
	play_run(&p);
	assert_int_equal(p.rcpt[0].outcome.code, 552);
	assert_int_equal(p.rcpt[0].outcome.stage, STAGE_BODY);
	assert_int_equal(p.rcpt[0].outcome.scope, SCOPE_MESSAGE);
	assert_string_equal(p.rcpt[0].outcome.text, "Too much mail data");
	play_clear(&p);

	play_init(&p, PIPE_HELLO ENVELOPE "P\nreset\n");
	p.message = message;
	p.message_len = len;
	play_run(&p);
	assert_int_equal(p.rcpt[0].outcome.stage, STAGE_BODY);
	assert_int_equal(p.rcpt[0].outcome.scope, SCOPE_SESSION);
	assert_false(p.rcpt[0].outcome.unread);
	play_clear(&p);

	/* It takes no more, and says nothing. */
	play_init(&p, PIPE_HELLO ENVELOPE "P\ndeaf\n");
	p.message = message;
	p.message_len = len;
	p.config.timeouts.block = 50;
	play_run(&p);
	assert_string_equal(
	    p.rcpt[0].outcome.text, "timed out while sending the message");
	assert_int_equal(p.rcpt[0].outcome.stage, STAGE_BODY);
	play_clear(&p);
	free(message);
}

/* ------ hostile replies */

static void
test_hostile(void **state)
{
	struct str script = STR_INIT;
	struct play p;

	(void)state;
	/* A reply without end. */
	str_adds(&script, PLAIN_HELLO MAIL);
	for (int i = 0; i < 8000; i++)
		str_adds(&script, "S 250-and more\n");
	play_init(&p, script.data);
	play_run(&p);
	assert_string_equal(p.rcpt[0].outcome.text,
	    "reply longer than any reply should be while sending MAIL FROM");
	play_clear(&p);
	str_release(&script);

	/* Begun in time, never ended. */
	play_init(&p, PLAIN_HELLO MAIL "R 250-drip\\r\\n2\nsilent\n");
	p.config.timeouts.reply = 50;
	play_run(&p);
	assert_string_equal(
	    p.rcpt[0].outcome.text, "timed out while sending MAIL FROM");
	play_clear(&p);

	/* Speaks before it is spoken to. */
	play_init(&p, "R 220 mx\\r\\n250 mx\\r\\n\n");
	play_run(&p);
	assert_int_equal(p.ready, 0);
	assert_string_equal(p.why.text,
	    "peer said more than it was asked for while sending EHLO");
	play_clear(&p);

	/* And when it has nothing to say. */
	play_init(&p, PLAIN_HELLO "R 250 what\\r\\n\n");
	p.message = NULL;
	p.keep = true;
	play_run(&p);
	assert_string_equal(
	    p.why.text, "unexpected reply '250 what' while idle");
	play_clear(&p);
}

/* ------ connecting */

static void
test_targets(void **state)
{
	struct smtp_client_target targets[3];
	struct sockaddr_in dead = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(dead);
	struct play p;

	(void)state;
	/* A port that nobody listens on. */
	dead.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&dead, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&dead, &len), 0);

	play_init(&p, "S 421 busy\nclose\n");
	memset(targets, 0, sizeof(targets));
	for (int i = 0; i < 3; i++) {
		targets[i] = p.target;
		memcpy(&targets[i].addr, &dead, sizeof(dead));
	}
	p.config.targets = targets;
	p.config.ntargets = 3;
	play_run(&p);
	assert_true(p.why.reset);
	assert_int_equal(p.why.scope, SCOPE_LANE);
	assert_int_equal(p.why.stage, STAGE_CONNECT);
	assert_non_null(strstr(p.why.text, "Connection refused"));
	assert_string_equal(p.peer, "");
	play_clear(&p);

	/* The first is dead, the second refuses, the third takes it. */
	play_init(&p, "S 554 go away\nclose\n" PLAIN_HELLO ENVELOPE
		      "B\nS 250 queued\n" BYE);
	targets[1] = targets[2] = p.target;
	p.config.targets = targets;
	p.config.ntargets = 3;
	play_run(&p);
	assert_int_equal(p.rcpt[0].outcome.code, 250);
	play_clear(&p);

	/* The last one's words are the ones that are kept. */
	play_init(&p, "S 421 busy\nclose\n");
	targets[1] = p.target;
	p.config.targets = targets;
	p.config.ntargets = 2;
	play_run(&p);
	assert_string_equal(p.why.text, "busy");
	assert_int_equal(p.why.code, 421);
	assert_int_equal(p.why.scope, SCOPE_LANE);
	play_clear(&p);

	play_init(&p, "");
	p.config.ntargets = 0;
	play_run(&p);
	assert_string_equal(p.why.text, "no address to connect to");
	play_clear(&p);
	close(fd);
}

static void
test_bind(void **state)
{
	struct sockaddr_in source = { .sin_family = AF_INET };
	struct play p;

	(void)state;
	source.sin_addr.s_addr = htonl(0x7f000002);
	play_init(&p, PLAIN_HELLO ENVELOPE "B\nS 250 queued\n" BYE);
	p.config.bind = (struct sockaddr *)&source;
	p.config.bind_len = sizeof(source);
	play_run(&p);
	assert_string_equal(p.client_address, "127.0.0.2");
	assert_int_equal(p.rcpt[0].outcome.code, 250);
	play_clear(&p);

	/* An address this machine does not have. */
	source.sin_addr.s_addr = htonl(0xc0000201);
	play_init(&p, "");
	p.config.bind = (struct sockaddr *)&source;
	p.config.bind_len = sizeof(source);
	play_run(&p);
	assert_int_equal(p.why.stage, STAGE_CONNECT);
	assert_non_null(strstr(p.why.text, "cannot use the source address"));
	play_clear(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stages),
		cmocka_unit_test(test_dialogues),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_beyond_peer),
		cmocka_unit_test(test_permit),
		cmocka_unit_test(test_asked_before_the_dot),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_broken_message),
		cmocka_unit_test(test_mid_message),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_bind),
	};

	signal(SIGPIPE, SIG_IGN); /* as client.h asks */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
