/*
 * fuzz_command.c - arguments of EHLO, MAIL, RCPT and AUTH: nothing decoded
 * holds a control byte.
 */
#include "mta/smtp/auth.h"
#include "mta/smtp/command.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			abort();
}

static void
exchange(const char *line, size_t len)
{
	struct auth a;

	if (auth_begin(&a, "LOGIN", 5) == -1)
		abort();
	while (a.step != AUTH_STEP_DONE && auth_respond(&a, line, len) == 0)
		check(a.user);
	auth_clear(&a);
	if (auth_begin(&a, "PLAIN", 5) == -1)
		abort();
	if (auth_respond(&a, line, len) == 0 &&
	    (a.user[0] == '\0' || a.password[0] == '\0'))
		abort();
	check(a.user);
	auth_clear(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char helo[COMMAND_HELO_MAX + 1];
	struct smtp_mail mail;
	struct smtp_rcpt rcpt;
	struct command c;

	command_split(&c, (const char *)data, size);
	if (command_helo(helo, &c.args))
		check(helo);
	if (command_mail(&mail, &c.args) == R_NONE)
		check(mail.envid);
	if (command_rcpt(&rcpt, &c.args, size % 2 == 0, "mx.example") == R_NONE)
		check(rcpt.orcpt);
	exchange(c.verb.p, c.verb.len);
	return 0;
}
