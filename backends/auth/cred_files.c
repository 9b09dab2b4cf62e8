/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/cred_impl.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "backends/auth/profile.h"
#include "backends/base/buf.h"
#include "backends/base/clock.h"
#include "backends/base/encode.h"
#include "backends/base/env.h"
#include "backends/base/file_stamp.h"
#include "backends/base/io.h"
#include "backends/base/lock.h"
#include "backends/base/log.h"

#define FILE_BYTES_MAX ((size_t)256 << 10)
#define CHECK_EVERY_MS 1000

/* What the files said: a credential, or why not. */
struct answer {
	int r;
	struct cred cred;
	struct err err;
};

enum { CREDENTIALS, CONFIG, N_FILES };

/* lock guards what stands behind it; the rest is fixed. */
struct cred_files {
	struct cred_source base;
	char *paths[N_FILES];
	char *profile;
	bool is_chosen;		/* by AWS_PROFILE: it must be there */

	struct lock lock;
	struct answer answer;
	struct file_stamp stamps[N_FILES];
	int64_t check_at_ms;
	bool is_reading;
	bool is_in_doubt;	/* the last look found nothing any more */
};

/* A file that is not there is an empty one. */
static int read_profile(struct cred_files *files, int which,
			struct profile *out, struct err *err)
{
	static const enum profile_file kinds[] = {
		[CREDENTIALS] = PROFILE_CREDENTIALS,
		[CONFIG] = PROFILE_CONFIG,
	};
	const char *path = files->paths[which];
	struct buf text = BUF_INIT;
	int r;

	/* All of it at once, so that growing leaves no copies behind. */
	r = buf_reserve(&text, 2 * FILE_BYTES_MAX, err);
	if (r == 0)
		r = io_read_file(path, FILE_BYTES_MAX, &text, err);
	if (r == 0) {
		r = profile_parse(out, text.data, text.len, kinds[which],
				  files->profile, err);
		if (r < 0)
			(void)err_wrap(err, "%s", path);
	}
	if (text.data)
		explicit_bzero(text.data, text.cap);
	buf_release(&text);
	return r == -ENOENT ? 0 : r;
}

static int none(struct cred_files *files, const struct profile *config,
		struct err *err)
{
	const char *what = files->profile;

	if (config->foreign)
		return err_set(err, ERR_AUTH, EACCES,
			       "profile %s has %s, which is not supported: give "
			       "it keys, or the bucket a default_credential",
			       what, config->foreign);
	if (files->is_chosen && !config->is_present)
		return err_set(err, ERR_AUTH, EACCES,
			       "profile %s (AWS_PROFILE) is neither in %s nor "
			       "in %s",
			       what, files->paths[CREDENTIALS],
			       files->paths[CONFIG]);
	return err_set(err, ERR_AUTH, ENOENT,
		       "profile %s has no keys in %s or %s", what,
		       files->paths[CREDENTIALS], files->paths[CONFIG]);
}

/* The credentials file first, as the SDKs do; never half from each. */
static int look_up(struct cred_files *files, struct cred *out, struct err *err)
{
	cleanup_profile struct profile seen = { .is_present = false };

	for (int i = 0; i < N_FILES; i++) {
		cleanup_profile struct profile found = { .is_present = false };
		cleanup_buf struct buf where = BUF_INIT;
		int r = read_profile(files, i, &found, err);

		if (r < 0)
			return r;
		seen.is_present |= found.is_present;
		if (!seen.foreign)
			seen.foreign = found.foreign;
		if (!found.access_key_id && !found.secret_key)
			continue;
		buf_printf(&where, "profile %s in %s", files->profile,
			   files->paths[i]);
		if (buf_failed(&where))
			return err_nomem(err);
		return cred_fill(out, where.data, found.access_key_id,
				 found.secret_key, found.session_token, err);
	}
	return none(files, &seen, err);
}

/*
 * Takes *fresh over.  The old credential stays where nothing has changed (its
 * generation too), and where the files make no sense: somebody is writing
 * them, and if it is not good any more the store will say so.  A file that was
 * emptied may be half written too; it is believed at the second look.
 */
static void keep_answer(struct cred_files *files, struct answer *fresh)
	REQUIRES(&files->lock)
{
	bool had = files->answer.r == 0 && files->answer.cred.generation;
	bool is_first_none = fresh->r == -ENOENT && !files->is_in_doubt;
	bool is_broken = fresh->r < 0 && fresh->r != -ENOENT;

	files->is_in_doubt = had && is_first_none;
	if (had && (is_broken || is_first_none ||
		    (fresh->r == 0 &&
		     cred_is_same(&fresh->cred, &files->answer.cred)))) {
		cred_release(&fresh->cred);
		return;
	}
	cred_release(&files->answer.cred);
	files->answer = *fresh;
}

/* Not under the lock: it reads files.  One caller at a time. */
static void read_again(struct cred_files *files)
{
	struct file_stamp stamps[N_FILES];
	struct answer fresh = { .err = ERR_INIT };

	/* Before the content: a change in between is seen next time. */
	for (int i = 0; i < N_FILES; i++)
		file_stamp_take(files->paths[i], &stamps[i]);
	fresh.r = look_up(files, &fresh.cred, &fresh.err);
	if (fresh.r < 0 && fresh.r != -ENOENT)
		log_warn("auth", "%s", fresh.err.text);

	lock_take(&files->lock);
	memcpy(files->stamps, stamps, sizeof(stamps));
	keep_answer(files, &fresh);
	lock_drop(&files->lock);
}

static bool have_changed(struct cred_files *files, const struct file_stamp *known)
{
	struct file_stamp now;

	for (int i = 0; i < N_FILES; i++) {
		file_stamp_take(files->paths[i], &now);
		if (!file_stamp_equal(&now, &known[i]))
			return true;
	}
	return false;
}

/* Others go on with what is known while one thread looks. */
static void refresh(struct cred_files *files)
{
	struct file_stamp known[N_FILES];
	bool is_mine;
	bool is_forced;

	lock_take(&files->lock);
	is_mine = !files->is_reading && clock_ms() >= files->check_at_ms;
	is_forced = files->check_at_ms == INT64_MIN || files->is_in_doubt;
	if (is_mine) {
		files->is_reading = true;
		files->check_at_ms = clock_ms() + CHECK_EVERY_MS;
		memcpy(known, files->stamps, sizeof(known));
	}
	lock_drop(&files->lock);
	if (!is_mine)
		return;

	if (is_forced || have_changed(files, known))
		read_again(files);
	lock_take(&files->lock);
	files->is_reading = false;
	lock_drop(&files->lock);
}

static int files_get(struct cred_source *src, struct cred *out, struct err *err)
{
	struct cred_files *files = (struct cred_files *)src;
	int r;

	refresh(files);
	lock_take(&files->lock);
	r = files->answer.r;
	if (r < 0)
		err_copy(err, &files->answer.err);
	else
		r = cred_copy(out, &files->answer.cred, err);
	lock_drop(&files->lock);
	if (r < 0 && r != -ENOENT && r != -ENOMEM) {
		err->class = ERR_AUTH;
		err->code = EACCES;
		r = -EACCES;
	}
	return r;
}

static void files_refused(struct cred_source *src, uint64_t generation)
{
	struct cred_files *files = (struct cred_files *)src;

	lock_take(&files->lock);
	if (files->answer.cred.generation == generation)
		files->check_at_ms = INT64_MIN;
	lock_drop(&files->lock);
}

static void files_release(struct cred_source *src)
{
	struct cred_files *files = (struct cred_files *)src;

	for (int i = 0; i < N_FILES; i++)
		free(files->paths[i]);
	free(files->profile);
	cred_release(&files->answer.cred);
	lock_release(&files->lock);
}

static void add_home(struct buf *out)
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
		add_home(&path);
		buf_str(&path, value ? value + 1 : below_home);
	}
	return buf_steal(&path);
}

static const char *choose_profile(void)
{
	const char *profile = env_get("AWS_PROFILE");

	return profile ? profile : env_get("AWS_DEFAULT_PROFILE");
}

/* The profile's name is shown, so it must be fit to be. */
static char *printable_name(const char *profile)
{
	struct buf name = BUF_INIT;

	buf_str(&name, "profile ");
	encode_printable(&name, profile, strlen(profile), PROFILE_NAME_MAX);
	return buf_steal(&name);
}

int cred_source_shared_files(struct cred_source **out, struct err *err)
{
	static const struct cred_source_ops ops = {
		.get = files_get,
		.refused = files_refused,
		.release = files_release,
	};
	const char *profile = choose_profile();
	cleanup_free char *name = NULL;
	struct cred_files *files;
	int r;

	if (profile && strlen(profile) > PROFILE_NAME_MAX)
		return err_set(err, ERR_USAGE, EINVAL,
			       "AWS_PROFILE is longer than %d bytes",
			       PROFILE_NAME_MAX);
	name = printable_name(profile ? profile : "default");
	files = calloc(1, sizeof(*files));
	if (!name || !files) {
		free(files);
		return err_nomem(err);
	}
	r = cred_source_init(&files->base, &ops, name, err);
	if (r < 0) {
		free(files);
		return r;
	}
	lock_init(&files->lock);
	files->is_chosen = profile;
	files->profile = strdup(profile ? profile : "default");
	files->paths[CREDENTIALS] = choose_path("AWS_SHARED_CREDENTIALS_FILE",
						"/.aws/credentials");
	files->paths[CONFIG] = choose_path("AWS_CONFIG_FILE", "/.aws/config");
	if (!files->profile || !files->paths[CREDENTIALS] ||
	    !files->paths[CONFIG]) {
		cred_source_put_ref(&files->base);
		return err_nomem(err);
	}
	read_again(files);
	files->check_at_ms = clock_ms() + CHECK_EVERY_MS;
	*out = &files->base;
	return 0;
}
