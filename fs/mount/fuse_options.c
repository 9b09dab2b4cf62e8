/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/fuse_options.h"

#include <errno.h>
#include <string.h>

#include "fs/mount/mount.h"

#define OPTION_MAX 4096

enum option_kind {
	OPTION_IGNORE,	/* what mount(8) and fstab pass to everybody */
	OPTION_KERNEL,	/* handed on as it is */
	OPTION_RW, OPTION_EXEC, OPTION_INODE32, OPTION_ALLOW_OTHER,
	OPTION_NONEMPTY, OPTION_NOXATTR, OPTION_UID, OPTION_GID, OPTION_UMASK,
	OPTION_TIMEOUT, OPTION_THREADS, OPTION_FSNAME,
};

/* A name that ends in '=' takes a value, "x-" stands for all that begin so. */
static const struct {
	const char *name;
	enum option_kind kind;
} options[] = {
	{ "ro", OPTION_IGNORE },	/* it always is */
	{ "rw", OPTION_RW },
	{ "nosuid", OPTION_IGNORE },	/* always */
	{ "nodev", OPTION_IGNORE },	/* always */
	{ "default_permissions", OPTION_IGNORE },	/* always */
	{ "defaults", OPTION_IGNORE },
	{ "auto", OPTION_IGNORE },
	{ "noauto", OPTION_IGNORE },
	{ "nofail", OPTION_IGNORE },
	{ "_netdev", OPTION_IGNORE },
	{ "x-", OPTION_IGNORE },
	{ "X-", OPTION_IGNORE },
	{ "comment=", OPTION_IGNORE },
	{ "user", OPTION_IGNORE },	/* who may mount: mount(8) saw to it */
	{ "user=", OPTION_IGNORE },
	{ "users", OPTION_IGNORE },
	{ "nouser", OPTION_IGNORE },
	{ "owner", OPTION_IGNORE },
	{ "group", OPTION_IGNORE },
	{ "async", OPTION_IGNORE },
	{ "relatime", OPTION_IGNORE },
	{ "noexec", OPTION_KERNEL },
	{ "noatime", OPTION_KERNEL },
	{ "nodiratime", OPTION_KERNEL },
	{ "context=", OPTION_KERNEL },
	{ "fscontext=", OPTION_KERNEL },
	{ "defcontext=", OPTION_KERNEL },
	{ "rootcontext=", OPTION_KERNEL },
	{ "exec", OPTION_EXEC },
	{ "inode32", OPTION_INODE32 },
	{ "allow_other", OPTION_ALLOW_OTHER },
	{ "nonempty", OPTION_NONEMPTY },
	{ "noxattr", OPTION_NOXATTR },
	{ "uid=", OPTION_UID },
	{ "gid=", OPTION_GID },
	{ "umask=", OPTION_UMASK },
	{ "timeout=", OPTION_TIMEOUT },
	{ "threads=", OPTION_THREADS },
	{ "fsname=", OPTION_FSNAME },
};

#define OPTIONS_KNOWN \
	"allow_other, exec, fsname=NAME, gid=N, inode32, noatime, noexec, " \
	"nonempty, noxattr, ro, threads=N, timeout=SECONDS, uid=N, umask=OCTAL"

static bool number_parse(const char *text, int base, unsigned long max,
			 unsigned long *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoul(text, &end, base);
	return !errno && !*end && *out <= max;
}

static int option_number(const char *word, int base, unsigned long min,
			 unsigned long max, unsigned long *out,
			 struct err *err)
{
	if (number_parse(strchr(word, '=') + 1, base, max, out) && *out >= min)
		return 0;
	return err_set(err, ERR_USAGE, EINVAL,
		       base == 8 ? "-o %s: expected an octal number from %lo to %lo" :
				   "-o %s: expected a number from %lu to %lu",
		       word, min, max);
}

static int option_apply(struct fuse_options *opt, enum option_kind kind,
			const char *word, struct buf *fsname, struct err *err)
{
	unsigned long n;
	int r = 0;

	switch (kind) {
	case OPTION_IGNORE:
		break;
	case OPTION_KERNEL:
		buf_printf(&opt->kernel, ",%s", word);
		break;
	case OPTION_RW:
		return err_set(err, ERR_USAGE, EINVAL,
			       "-o rw: a datasetfs mount is read-only; leave it out");
	case OPTION_EXEC:
		opt->exec = true;
		break;
	case OPTION_INODE32:
		opt->inode32 = true;
		break;
	case OPTION_ALLOW_OTHER:
		opt->allow_other = true;
		break;
	case OPTION_NONEMPTY:
		opt->nonempty = true;
		break;
	case OPTION_NOXATTR:
		opt->noxattr = true;
		break;
	case OPTION_UID:
		r = option_number(word, 10, 0, UINT32_MAX - 1, &n, err);
		if (r == 0)
			opt->uid = (uid_t)n;
		break;
	case OPTION_GID:
		r = option_number(word, 10, 0, UINT32_MAX - 1, &n, err);
		if (r == 0)
			opt->gid = (gid_t)n;
		break;
	case OPTION_UMASK:
		r = option_number(word, 8, 0, 0777, &n, err);
		if (r == 0)
			opt->umask = (mode_t)n;
		break;
	case OPTION_TIMEOUT:
		r = option_number(word, 10, 1, 86400, &n, err);
		if (r == 0)
			opt->timeout_ms = (int64_t)n * 1000;
		break;
	case OPTION_THREADS:
		r = option_number(word, 10, 1, FUSE_OPTIONS_THREADS_MAX, &n,
				  err);
		if (r == 0)
			opt->threads = (unsigned)n;
		break;
	case OPTION_FSNAME:
		buf_clear(fsname);
		buf_str(fsname, word + strlen("fsname="));
		break;
	}
	return r;
}

static int option_parse(struct fuse_options *opt, const char *word,
			struct buf *fsname, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const char *name = options[i].name;
		size_t len = strlen(name);
		bool is_prefix = name[len - 1] == '=' || name[len - 1] == '-';

		if (is_prefix ? strncmp(word, name, len) == 0 :
				strcmp(word, name) == 0)
			return option_apply(opt, options[i].kind, word, fsname,
					    err);
	}
	return err_set(err, ERR_USAGE, EINVAL,
		       "-o %.64s: unknown option; known are: %s", word,
		       OPTIONS_KNOWN);
}

static int options_finish(struct fuse_options *opt, const struct buf *fsname,
			  struct err *err)
{
	buf_printf(&opt->kernel, ",fsname=%s,subtype=%s",
		   fsname->len ? fsname->data : MOUNT_FS_NAME, MOUNT_FS_NAME);
	if (opt->allow_other)
		buf_str(&opt->kernel, ",allow_other");
	return buf_failed(&opt->kernel) ? err_nomem(err) : 0;
}

int fuse_options_parse(struct fuse_options *out, const char *text,
		       bool is_root, struct err *err)
{
	struct fuse_options opt = {
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.allow_other = is_root,
		.timeout_ms = MOUNT_READ_TIMEOUT_MS,
		.threads = FUSE_OPTIONS_THREADS,
		.kernel = BUF_INIT,
	};
	cleanup_buf struct buf fsname = BUF_INIT;
	cleanup_free char *copy = NULL;
	char *at, *word;
	int r = 0;

	if (text && strlen(text) > OPTION_MAX)
		return err_set(err, ERR_USAGE, EINVAL,
			       "-o: longer than %d bytes", OPTION_MAX);
	copy = strdup(text ? text : "");
	if (!copy)
		return err_nomem(err);

	buf_str(&opt.kernel, "ro,nosuid,nodev,default_permissions");
	at = copy;
	while (r == 0 && (word = strsep(&at, ",")))
		if (*word)
			r = option_parse(&opt, word, &fsname, err);
	if (r == 0)
		r = options_finish(&opt, &fsname, err);
	if (r < 0) {
		fuse_options_release(&opt);
		return r;
	}
	*out = opt;
	return 0;
}

void fuse_options_release(struct fuse_options *opt)
{
	buf_release(&opt->kernel);
}

int mount_check_options(const char *fuse_options, struct err *err)
{
	cleanup_fuse_options struct fuse_options opt = { .kernel = BUF_INIT };

	return fuse_options_parse(&opt, fuse_options, false, err);
}
