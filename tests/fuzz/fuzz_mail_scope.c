/*
 * fuzz_mail_scope.c - which mail is meant, in any words: what is read is
 * written in one way, and read again it is the same.
 */
#include "router/mail_scope.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = STR_INIT, again = STR_INIT, name = STR_INIT,
		   same = STR_INIT;
	struct mail_scope scope, other;
	struct err e = ERR_INIT;
	char *from = malloc(size + 1);

	memcpy(from, data, size);
	from[size] = '\0';
	if (mail_scope_read(from, &scope, &text, &e) == 0) {
		mail_scope_add(&name, &scope);
		assert(!str_has_control(name.data, name.len));
		assert(mail_scope_read(name.data, &other, &again, &e) == 0);
		mail_scope_add(&same, &other);
		assert(strcmp(name.data, same.data) == 0);
		assert(mail_scope_holds(&scope, &other));
		assert(mail_scope_holds(&other, &scope));
	} else {
		assert(e.text[0] != '\0');
	}
	str_release(&text);
	str_release(&again);
	str_release(&name);
	str_release(&same);
	free(from);
	return 0;
}
