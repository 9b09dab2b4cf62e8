/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/profile_files.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "backends/auth/cred_impl.h"
#include "backends/base/buf.h"
#include "backends/base/env.h"
#include "backends/base/io.h"

#define FILE_BYTES_MAX ((size_t)256 << 10)

void cred_add_home(struct buf *out)
{
	const char *home = env_get("HOME");
	struct passwd pw;
	struct passwd *found = NULL;
	char room[4096];

	if (!home) {
		home = "/";
		if (getpwuid_r(getuid(), &pw, room, sizeof(room), &found) ==
			    0 &&
		    found)
			home = pw.pw_dir;
	}
	buf_str(out, home);
}

/* NULL without memory. */
static char *choose_path(const char *variable, const char *below_home)
{
	const char *value = env_get(variable);
	struct buf path = BUF_INIT;

	if (value && strncmp(value, "~/", 2)) {
		buf_str(&path, value);
	} else {
		cred_add_home(&path);
		buf_str(&path, value ? value + 1 : below_home);
	}
	return buf_steal(&path);
}

void profile_files_release(struct profile_files *files)
{
	for (int i = 0; i < PROFILE_FILES; i++)
		free(files->paths[i]);
	free(files->name);
	memset(files, 0, sizeof(*files));
}

int profile_files_choose(struct profile_files *out, struct err *err)
{
	const char *name = env_get("AWS_PROFILE");

	memset(out, 0, sizeof(*out));
	if (!name)
		name = env_get("AWS_DEFAULT_PROFILE");
	if (name && strlen(name) > PROFILE_NAME_MAX)
		return err_set(err, ERR_USAGE, EINVAL,
			       "AWS_PROFILE is longer than %d bytes",
			       PROFILE_NAME_MAX);
	out->is_chosen = name;
	out->name = strdup(name ? name : "default");
	out->paths[PROFILE_CREDENTIALS] = choose_path(
		"AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials");
	out->paths[PROFILE_CONFIG] = choose_path("AWS_CONFIG_FILE",
						 "/.aws/config");
	if (out->name && out->paths[PROFILE_CREDENTIALS] &&
	    out->paths[PROFILE_CONFIG])
		return 0;
	profile_files_release(out);
	return err_nomem(err);
}

/* A file that is not there is an empty one. */
static int read_one(const struct profile_files *files, enum profile_file which,
		    const char *name, struct profile *out, struct err *err)
{
	const char *path = files->paths[which];
	struct buf text = BUF_INIT;
	int r;

	/* All of it at once, so that growing leaves no copies behind. */
	r = buf_reserve(&text, 2 * FILE_BYTES_MAX, err);
	if (r == 0)
		r = io_read_file(path, FILE_BYTES_MAX, &text, err);
	if (r == 0) {
		r = profile_parse(out, text.data, text.len, which, name, err);
		if (r < 0)
			(void)err_wrap(err, "%s", path);
	}
	if (text.data)
		explicit_bzero(text.data, text.cap);
	buf_release(&text);
	return r == -ENOENT ? 0 : r;
}

static void take(char **to, char **from)
{
	if (!*to)
		*to = steal_pointer(from);
}

static void merge(struct profile *out, struct profile *more)
{
	bool has_keys = out->access_key_id || out->secret_key;

	out->is_present |= more->is_present;
	if (!has_keys) {
		take(&out->access_key_id, &more->access_key_id);
		take(&out->secret_key, &more->secret_key);
		take(&out->session_token, &more->session_token);
	}
	for (int i = 0; i < PROFILE_SETTINGS; i++)
		take(&out->settings[i], &more->settings[i]);
}

int profile_files_merge(const struct profile_files *files, const char *name,
			struct profile *out, enum profile_file *keys_in,
			struct err *err)
{
	*keys_in = PROFILE_FILES;
	for (enum profile_file i = 0; i < PROFILE_FILES; i++) {
		cleanup_profile struct profile found = { .is_present = false };
		int r = read_one(files, i, name, &found, err);

		if (r < 0)
			return r;
		if (*keys_in == PROFILE_FILES &&
		    (found.access_key_id || found.secret_key))
			*keys_in = i;
		merge(out, &found);
	}
	return 0;
}
