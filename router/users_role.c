/*
 * users_role.c - what users may do in the console, by name.
 */
#include <string.h>

#include "router/users.h"

static const char *const names[] = {
	[ROLE_NONE] = "none",
	[ROLE_VIEW] = "view",
	[ROLE_OPERATE] = "operate",
	[ROLE_ADMIN] = "admin",
};

const char *
user_role_name(enum user_role role)
{
	return names[role];
}

enum user_role
user_role_of(const char *name)
{
	for (int i = ROLE_VIEW; i <= ROLE_ADMIN; i++)
		if (strcmp(names[i], name) == 0)
			return (enum user_role)i;
	return ROLE_NONE;
}
