/*
 * client_session.c - greeting, EHLO, STARTTLS, AUTH and QUIT, from the client's
 * side.
 */
#include "mta/smtp/client_int.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

static void
end_with(struct smtp_client *c, enum outcome_scope scope, enum smtp_stage stage,
    bool permanent, const char *sentence)
{
	struct outcome why;

	outcome_set(&why, scope, stage, permanent, "%s", sentence);
	client_end(c, &why);
}

void
client_greeting(struct smtp_client *c)
{
	if (c->reply.code == 220)
		client_hello(c);
	else if (c->reply.code >= 400)
		client_refused_by_greeting(c);
	else
		client_end_unexpected(c);
}

void
client_hello(struct smtp_client *c)
{
	str_addf(&c->out, "EHLO %s\r\n", c->ehlo);
	client_enter(c, CLIENT_EHLO);
	client_write(c);
}

/* ------ AUTH (RFC 4954) */

static void
add_base64(struct str *out, const char *data, size_t len)
{
	size_t room = 4 * ((len + 2) / 3);

	str_reserve(out, room);
	EVP_EncodeBlock((unsigned char *)out->data + out->len,
	    (const unsigned char *)data, (int)len);
	out->len += room;
	str_adds(out, "\r\n");
}

/* Sends what c->out holds and leaves no copy of the secret in it. */
static void
write_secret(struct smtp_client *c)
{
	client_write(c);
	if (c->out.room > 0)
		OPENSSL_cleanse(c->out.data, c->out.room);
}

static void
send_auth_plain(struct smtp_client *c)
{
	struct str token = STR_INIT;

	str_addc(&token, '\0');
	str_adds(&token, c->auth_user);
	str_addc(&token, '\0');
	str_adds(&token, c->auth_password);
	str_adds(&c->out, "AUTH PLAIN ");
	add_base64(&c->out, token.data, token.len);
	OPENSSL_cleanse(token.data, token.len);
	str_release(&token);
	client_enter(c, CLIENT_AUTH);
	write_secret(c);
}

static void
start_auth(struct smtp_client *c)
{
	if (!c->secured) {
		end_with(c, SCOPE_PATH, STAGE_AUTH, true,
		    "credentials are set, but the session has no TLS to "
		    "protect them");
	} else if ((c->offers.have & CAP_AUTH_PLAIN) != 0) {
		send_auth_plain(c);
	} else if ((c->offers.have & CAP_AUTH_LOGIN) != 0) {
		str_adds(&c->out, "AUTH LOGIN\r\n");
		client_enter(c, CLIENT_AUTH_USER);
		client_write(c);
	} else {
		end_with(c, SCOPE_PATH, STAGE_AUTH, true,
		    "credentials are set, but the peer offers neither AUTH "
		    "PLAIN nor LOGIN");
	}
}

/* ------ EHLO */

static void
ready(struct smtp_client *c)
{
	client_enter(c, CLIENT_IDLE);
	c->events->ready(c->arg);
}

/* What to do with what the peer offers. */
static void
said_hello(struct smtp_client *c)
{
	bool starttls = (c->offers.have & CAP_STARTTLS) != 0;

	if (!c->secured && starttls && client_tls_wanted(c) != TLS_NONE) {
		str_adds(&c->out, "STARTTLS\r\n");
		client_enter(c, CLIENT_STARTTLS);
		client_write(c);
		return;
	}
	if (!c->secured)
		client_tls_count(c, TLS_NOT_OFFERED);
	if (!c->secured && client_tls_is_must(c)) {
		client_not_offered(c);
	} else if (c->auth_user != NULL) {
		start_auth(c);
	} else {
		ready(c);
	}
}

void
client_ehlo(struct smtp_client *c)
{
	int class = c->reply.code / 100;

	if (class == 2) {
		capability_parse(&c->offers, c->reply.text.data);
		said_hello(c);
	} else if (class == 5) {
		str_addf(&c->out, "HELO %s\r\n", c->ehlo);
		client_enter(c, CLIENT_HELO);
		client_write(c);
	} else if (class == 4) {
		client_end_by_reply(c, SCOPE_LANE);
	} else {
		client_end_unexpected(c);
	}
}

void
client_helo(struct smtp_client *c)
{
	memset(&c->offers, 0, sizeof(c->offers));
	if (c->reply.code / 100 == 2)
		said_hello(c);
	else if (c->reply.code >= 400)
		client_end_by_reply(c, SCOPE_LANE);
	else
		client_end_unexpected(c);
}

void
client_starttls(struct smtp_client *c)
{
	if (c->reply.code == 220 && c->extra) {
		/* RFC 3207 5: words slipped in before TLS would pass for the
		 * peer's. */
		client_break(c, SCOPE_SESSION, "peer went on in plain text");
	} else if (c->reply.code == 220) {
		memset(&c->offers, 0, sizeof(c->offers));
		client_start_tls(c);
	} else if (client_tls_is_must(c)) {
		client_end_by_reply(c, SCOPE_LANE);
	} else {
		/* RFC 7435: no worse than not to have asked. */
		c->offers.have &= ~(unsigned)CAP_STARTTLS;
		said_hello(c);
	}
}

/* ------ AUTH replies */

void
client_auth(struct smtp_client *c)
{
	if (c->reply.code / 100 == 2)
		ready(c);
	else if (c->reply.code >= 400)
		client_end_by_reply(c, SCOPE_PATH);
	else
		client_end_unexpected(c);
}

/* A 334 asks for the next word of AUTH LOGIN. */
static void
answer(struct smtp_client *c, const char *word, enum client_state next)
{
	if (c->reply.code == 334) {
		add_base64(&c->out, word, strlen(word));
		client_enter(c, next);
		write_secret(c);
	} else if (c->reply.code >= 400) {
		client_end_by_reply(c, SCOPE_PATH);
	} else {
		client_end_unexpected(c);
	}
}

void
client_auth_user(struct smtp_client *c)
{
	answer(c, c->auth_user, CLIENT_AUTH_PASSWORD);
}

void
client_auth_password(struct smtp_client *c)
{
	answer(c, c->auth_password, CLIENT_AUTH);
}

/* ------ QUIT */

void
client_send_quit(struct smtp_client *c)
{
	str_adds(&c->out, "QUIT\r\n");
	client_enter(c, CLIENT_QUIT);
	client_write(c);
}

/* Whatever it says. */
void
client_quit_reply(struct smtp_client *c)
{
	client_end(c, &(struct outcome){ .stage = STAGE_QUIT });
}
