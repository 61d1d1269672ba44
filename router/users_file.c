/*
 * users_file.c - the users file: `name:$y$...[:role]` a line, blank lines and
 * lines that begin with '#' aside.
 *
 * A change writes a whole new file beside the old one and renames it, so that
 * the daemon never reads half of it.
 */
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "router/private_file.h"
#include "router/users.h"
#include "router/users_int.h"

#define USERS_MODE 0640

static bool
name_is_good(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > USERS_NAME_MAX || *name == '#')
		return false;
	for (; *name != '\0'; name++)
		if ((unsigned char)*name <= ' ' || *name == ':' ||
		    *name == 0x7f)
			return false;
	return true;
}

static int
check_name(const char *name, struct err *e)
{
	if (name_is_good(name))
		return 0;
	return err_set(e, "a user's name has 1 to 255 bytes, no space, colon "
			  "or control character, and no '#' at its beginning");
}

/* -- reading
 * ------------------------------------------------------------------- */

static int
by_name(const void *a, const void *b)
{
	const struct user *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

/* Cuts ":role" off the end of a hash; false: there is no such role. */
static bool
take_role(char *hash, enum user_role *role)
{
	char *colon = strchr(hash, ':');

	*role = ROLE_NONE;
	if (colon == NULL)
		return true;
	*colon = '\0';
	*role = user_role_of(colon + 1);
	return *role != ROLE_NONE;
}

static int
add_line(
    struct user_table *t, const char *file, int line, char *text, struct err *e)
{
	char *colon = strchr(text, ':');
	enum user_role role;
	struct user *user;

	if (*text == '\0' || *text == '#')
		return 0;
	if (colon != NULL)
		*colon = '\0';
	if (colon == NULL || !name_is_good(text) ||
	    strncmp(colon + 1, "$y$", 3) != 0)
		return err_set(e, "%s:%d: expected 'name:$y$...'", file, line);
	if (!take_role(colon + 1, &role))
		return err_set(
		    e, "%s:%d: a role is view, operate or admin", file, line);
	if ((t->n & (t->n - 1)) == 0)
		t->users = xrealloc(
		    t->users, (t->n ? 2 * t->n : 1) * sizeof(*t->users));
	user = &t->users[t->n++];
	user->name = xstrdup(text);
	user->hash = xstrdup(colon + 1);
	user->role = role;
	user->line = line;
	return 0;
}

static int
check_twice(const struct user_table *t, const char *file, struct err *e)
{
	for (size_t i = 1; i < t->n; i++)
		if (strcmp(t->users[i - 1].name, t->users[i].name) == 0)
			return err_set(e, "%s:%d: user '%s' given twice", file,
			    t->users[i].line, t->users[i].name);
	return 0;
}

static int
read_lines(struct user_table *t, const char *file, FILE *fp, struct err *e)
{
	char *text = NULL;
	size_t room = 0, total = 0;
	ssize_t len;
	int rc = 0;

	for (int line = 1; rc == 0 && (len = getline(&text, &room, fp)) > 0;
	     line++) {
		total += (size_t)len;
		text[strcspn(text, "\r\n")] = '\0';
		if (total > USERS_FILE_MAX)
			rc = err_set(e, "more than 4 MiB: '%s'", file);
		else
			rc = add_line(t, file, line, text, e);
	}
	if (rc == 0 && ferror(fp))
		rc = err_sys(e, "cannot read '%s'", file);
	free(text);
	return rc;
}

int
user_table_read(struct user_table *t, const char *file, struct err *e)
{
	struct stat st;
	FILE *fp;
	int rc;

	*t = (struct user_table){ .mode = USERS_MODE };
	if ((fp = private_file_open(file, &st, e)) == NULL)
		return -1;
	rc = read_lines(t, file, fp, e);
	if (rc == 0) {
		t->mode = st.st_mode & 07777;
		if (t->n > 0)
			qsort(t->users, t->n, sizeof(*t->users), by_name);
		rc = check_twice(t, file, e);
	}
	fclose(fp);
	if (rc != 0)
		user_table_clear(t);
	return rc;
}

static struct user *
find(const struct user_table *t, const char *name)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, t->users[middle].name);

		if (order == 0)
			return &t->users[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct user *
user_table_find(const struct user_table *t, const char *name)
{
	return find(t, name);
}

static void
user_clear(struct user *user)
{
	free(user->name);
	explicit_bzero(user->hash, strlen(user->hash));
	free(user->hash);
}

void
user_table_clear(struct user_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		user_clear(&t->users[i]);
	free(t->users);
	*t = (struct user_table){ .mode = USERS_MODE };
}

/* -- writing
 * ------------------------------------------------------------------- */

char *
user_hash(const char *password, struct err *e)
{
	struct crypt_data *data = xcalloc(1, sizeof(*data));
	char setting[CRYPT_GENSALT_OUTPUT_SIZE], *hash = NULL;

	if (crypt_gensalt_rn(
		"$y$", 0, NULL, 0, setting, (int)sizeof(setting)) == NULL)
		err_sys(e, "cannot make a salt for yescrypt");
	else if ((hash = crypt_r(password, setting, data)) == NULL ||
		 *hash == '*') {
		err_sys(e, "cannot hash the password");
		hash = NULL;
	} else
		hash = xstrdup(hash);
	explicit_bzero(data, sizeof(*data));
	free(data);
	return hash;
}

/* Compares without telling where the first difference is. */
static bool
same(const char *a, const char *b)
{
	size_t len = strlen(a);
	unsigned char difference = 0;

	if (strlen(b) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		difference |= (unsigned char)(a[i] ^ b[i]);
	return difference == 0;
}

bool
user_hash_matches(const char *hash, const char *password)
{
	struct crypt_data *data = xcalloc(1, sizeof(*data));
	const char *made = crypt_r(password, hash, data);
	bool match = made != NULL && *made != '*' && same(made, hash);

	explicit_bzero(data, sizeof(*data));
	free(data);
	return match;
}

static void
add_user(struct str *text, const struct user *user)
{
	str_addf(text, "%s:%s", user->name, user->hash);
	if (user->role != ROLE_NONE)
		str_addf(text, ":%s", user_role_name(user->role));
	str_adds(text, "\n");
}

static int
write_text(int fd, const struct user_table *t)
{
	struct str text = STR_INIT;
	size_t done = 0;
	ssize_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		add_user(&text, &t->users[i]);
	while (done < text.len) {
		n = write(fd, text.data + done, text.len - done);
		if (n < 0 && errno != EINTR)
			break;
		done += n > 0 ? (size_t)n : 0;
	}
	explicit_bzero(text.data, text.len);
	str_release(&text);
	return n < 0 || fsync(fd) != 0 ? -1 : 0;
}

/* Keeps the owner of the old file, where it may: the daemon reads it as
 * another user than root. */
static void
keep_owner(int fd, const char *file)
{
	struct stat st;

	if (stat(file, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) != 0)
		return;
}

static int
table_write(const struct user_table *t, const char *file, struct err *e)
{
	struct str temporary = STR_INIT;
	int fd, rc = 0;

	str_addf(&temporary, "%s.XXXXXX", file);
	if ((fd = mkostemp(temporary.data, O_CLOEXEC)) == -1) {
		rc = err_sys(e, "cannot create '%s'", temporary.data);
	} else {
		keep_owner(fd, file);
		if (write_text(fd, t) != 0 || fchmod(fd, t->mode) != 0 ||
		    rename(temporary.data, file) != 0) {
			rc = err_sys(e, "cannot write '%s'", file);
			unlink(temporary.data);
		}
		close(fd);
	}
	str_release(&temporary);
	return rc;
}

/* The first user makes the file. */
static int
read_or_new(struct user_table *t, const char *file, struct err *e)
{
	if (access(file, F_OK) != 0 && errno == ENOENT) {
		*t = (struct user_table){ .mode = USERS_MODE };
		return 0;
	}
	return user_table_read(t, file, e);
}

static int
check_password(const char *password, struct err *e)
{
	size_t len = strlen(password);

	if (len == 0)
		return err_set(e, "empty password");
	if (len > USERS_PASSWORD_MAX)
		return err_set(e, "password is longer than 511 bytes");
	return 0;
}

static void
table_put(
    struct user_table *t, const char *name, char *hash, enum user_role role)
{
	struct user *user = find(t, name);

	if (user != NULL) {
		explicit_bzero(user->hash, strlen(user->hash));
		free(user->hash);
		user->hash = hash;
		if (role != ROLE_NONE)
			user->role = role;
		return;
	}
	t->users = xrealloc(t->users, (t->n + 1) * sizeof(*t->users));
	t->users[t->n++] =
	    (struct user){ .name = xstrdup(name), .hash = hash, .role = role };
	qsort(t->users, t->n, sizeof(*t->users), by_name);
}

int
users_file_set(const char *file, const char *name, const char *password,
    enum user_role role, struct err *e)
{
	struct user_table table;
	char *hash;
	int rc;

	if (check_name(name, e) != 0 || check_password(password, e) != 0 ||
	    read_or_new(&table, file, e) != 0)
		return -1;
	if ((hash = user_hash(password, e)) == NULL) {
		user_table_clear(&table);
		return -1;
	}
	table_put(&table, name, hash, role);
	rc = table_write(&table, file, e);
	user_table_clear(&table);
	return rc;
}

int
users_file_remove(const char *file, const char *name, struct err *e)
{
	struct user_table table;
	struct user *user;
	int rc = -1;

	if (user_table_read(&table, file, e) != 0)
		return -1;
	user = find(&table, name);
	if (user == NULL)
		err_set(
		    e, "no such user '%s'", name_is_good(name) ? name : "?");
	else {
		user_clear(user);
		*user = table.users[--table.n];
		if (table.n > 0)
			qsort(table.users, table.n, sizeof(*user), by_name);
		rc = table_write(&table, file, e);
	}
	user_table_clear(&table);
	return rc;
}

int
users_file_verify(
    const char *file, const char *name, const char *password, struct err *e)
{
	struct user_table table;
	const struct user *user;
	int match;

	if (user_table_read(&table, file, e) != 0)
		return -1;
	user = find(&table, name);
	match = user != NULL && user_hash_matches(user->hash, password);
	user_table_clear(&table);
	return match;
}

int
users_file_check(const char *file, struct err *e)
{
	struct user_table table;

	if (user_table_read(&table, file, e) != 0)
		return -1;
	user_table_clear(&table);
	return 0;
}

int
users_file_each(const char *file,
    void (*each)(void *arg, const char *name, enum user_role), void *arg,
    struct err *e)
{
	struct user_table table;

	if (user_table_read(&table, file, e) != 0)
		return -1;
	for (size_t i = 0; i < table.n; i++)
		each(arg, table.users[i].name, table.users[i].role);
	user_table_clear(&table);
	return 0;
}
