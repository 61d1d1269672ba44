/*
 * rules_set.c - a rule set as the daemon hands it out.
 */
#include "router/cli/rules_int.h"

#include <stdlib.h>

#include "mta/base/alloc.h"

static int
not_understood(struct cli_set *set)
{
	cli_set_clear(set);
	cli_fail("the daemon's answer cannot be understood");
	return -1;
}

int
cli_set_init(struct cli_set *set, json_t *reply)
{
	const json_t *files = json_object_get(reply, "files");
	size_t n = json_array_size(files);

	*set = (struct cli_set){ .reply = reply };
	set->set.version = cli_text(json_object_get(reply, "set"), "version");
	set->set.file = xcalloc(n + 1, sizeof(*set->set.file));
	for (size_t i = 0; i < n; i++) {
		const json_t *file = json_array_get(files, i);
		const json_t *text = json_object_get(file, "text");

		struct rules_file *f = &set->set.file[i];

		f->name = cli_text(file, "name");
		f->text = json_string_value(text);
		f->len = json_string_length(text);
		if (*f->name == '\0' || f->text == NULL)
			return not_understood(set);
	}
	set->set.n = n;
	if (n == 0 || *set->set.version == '\0')
		return not_understood(set);
	return 0;
}

void
cli_set_clear(struct cli_set *set)
{
	json_decref(set->reply);
	free(set->set.file);
	*set = (struct cli_set){ .reply = NULL };
}
