/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/cred_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backends/auth/profile_files.h"
#include "backends/base/buf.h"
#include "backends/base/clock.h"
#include "backends/base/encode.h"
#include "backends/base/file_stamp.h"
#include "backends/base/lock.h"
#include "backends/base/log.h"

#define CHECK_EVERY_MS 1000

/* What the files said: a credential, or why not. */
struct answer {
	int r;
	struct cred cred;
	struct err err;
};

/* lock guards what stands behind it; the rest is fixed. */
struct cred_files {
	struct cred_source base;
	struct profile_files where;

	struct lock lock;
	struct answer answer;
	struct file_stamp stamps[PROFILE_FILES];
	int64_t check_at_ms;
	bool is_reading;
	bool is_in_doubt;	/* the last look found nothing any more */
};

static int none(const struct profile_files *where, const struct profile *seen,
		struct err *err)
{
	if (seen->settings[PROFILE_SSO_SESSION] ||
	    seen->settings[PROFILE_SSO_START_URL])
		return err_set(err, ERR_AUTH, EACCES,
			       "profile %s is one of SSO: give it \"credential_"
			       "process = aws configure export-credentials "
			       "--profile %s --format process\" in a profile "
			       "of its own",
			       where->name, where->name);
	if (where->is_chosen && !seen->is_present)
		return err_set(err, ERR_AUTH, EACCES,
			       "profile %s (AWS_PROFILE) is neither in %s nor "
			       "in %s",
			       where->name, where->paths[PROFILE_CREDENTIALS],
			       where->paths[PROFILE_CONFIG]);
	return err_set(err, ERR_AUTH, ENOENT,
		       "profile %s has no keys in %s or %s", where->name,
		       where->paths[PROFILE_CREDENTIALS],
		       where->paths[PROFILE_CONFIG]);
}

static int look_up(struct cred_files *files, struct cred *out, struct err *err)
{
	cleanup_profile struct profile seen = { .is_present = false };
	cleanup_buf struct buf place = BUF_INIT;
	enum profile_file keys_in;
	int r = profile_files_merge(&files->where, files->where.name, &seen,
				    &keys_in, err);

	if (r < 0)
		return r;
	/* A program comes before keys that stand where settings do (botocore). */
	if (keys_in == PROFILE_FILES ||
	    (keys_in == PROFILE_CONFIG &&
	     seen.settings[PROFILE_CREDENTIAL_PROCESS]))
		return none(&files->where, &seen, err);
	buf_printf(&place, "profile %s in %s", files->where.name,
		   files->where.paths[keys_in]);
	if (buf_failed(&place))
		return err_nomem(err);
	return cred_fill(out, place.data, seen.access_key_id, seen.secret_key,
			 seen.session_token, err);
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
	struct file_stamp stamps[PROFILE_FILES];
	struct answer fresh = { .err = ERR_INIT };

	/* Before the content: a change in between is seen next time. */
	for (int i = 0; i < PROFILE_FILES; i++)
		file_stamp_take(files->where.paths[i], &stamps[i]);
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

	for (int i = 0; i < PROFILE_FILES; i++) {
		file_stamp_take(files->where.paths[i], &now);
		if (!file_stamp_equal(&now, &known[i]))
			return true;
	}
	return false;
}

/* Others go on with what is known while one thread looks. */
static void refresh(struct cred_files *files)
{
	struct file_stamp known[PROFILE_FILES];
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

static void files_state(struct cred_source *src, struct cred_state *out)
{
	struct cred_files *files = (struct cred_files *)src;

	lock_take(&files->lock);
	out->is_known = files->answer.r == 0;
	if (files->answer.r < 0)
		(void)snprintf(out->problem, sizeof(out->problem), "%s",
			       files->answer.err.text);
	lock_drop(&files->lock);
}

static void files_release(struct cred_source *src)
{
	struct cred_files *files = (struct cred_files *)src;

	profile_files_release(&files->where);
	cred_release(&files->answer.cred);
	lock_release(&files->lock);
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
		.state = files_state,
		.release = files_release,
	};
	struct profile_files where;
	cleanup_free char *name = NULL;
	struct cred_files *files;
	int r = profile_files_choose(&where, err);

	if (r < 0)
		return r;
	name = printable_name(where.name);
	files = calloc(1, sizeof(*files));
	if (!name || !files ||
	    cred_source_init(&files->base, &ops, name, err) < 0) {
		profile_files_release(&where);
		free(files);
		return err_nomem(err);
	}
	lock_init(&files->lock);
	files->where = where;
	read_again(files);
	files->check_at_ms = clock_ms() + CHECK_EVERY_MS;
	*out = &files->base;
	return 0;
}
