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
	set->version = cli_text(json_object_get(reply, "set"), "version");
	set->file = xcalloc(n + 1, sizeof(*set->file));
	for (size_t i = 0; i < n; i++) {
		const json_t *file = json_array_get(files, i);
		const json_t *text = json_object_get(file, "text");

		set->file[i].name = cli_text(file, "name");
		set->file[i].text = json_string_value(text);
		set->file[i].len = json_string_length(text);
		if (*set->file[i].name == '\0' || set->file[i].text == NULL)
			return not_understood(set);
	}
	set->n = n;
	if (n == 0 || *set->version == '\0')
		return not_understood(set);
	return 0;
}

void
cli_set_clear(struct cli_set *set)
{
	json_decref(set->reply);
	free(set->file);
	*set = (struct cli_set){ .n = 0 };
}
