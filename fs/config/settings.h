/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration, checked and with its secrets resolved: one YAML or JSON
 * file in any of OSMO's three shapes (Helm values, rendered document, bare
 * mapping) plus our own "datasetfs:" section.  Immutable after loading.
 *
 * A bucket that cannot be used keeps its place with problem set; only a file
 * that is not a valid configuration as a whole is refused.  One whose name
 * could not be a directory ("", "..", "a/b") is left out, and reported.
 */
#ifndef DATASETFS_CONFIG_SETTINGS_H
#define DATASETFS_CONFIG_SETTINGS_H

#include <sys/types.h>

#include "backends/backend.h"
#include "backends/base/digest.h"
#include "backends/base/file_stamp.h"

enum bucket_mode { BUCKET_READ_ONLY, BUCKET_READ_WRITE, BUCKET_MODE_BAD };

/*
 * A static credential of OSMO's form; NULL members were not given.  It goes
 * with the last who holds it.
 */
struct settings_cred {
	unsigned more;		/* atomic: holders but one */
	char *origin;		/* "secret prod-bucket-cred", for status */
	char *endpoint;		/* the profile it was written for */
	char *region;
	char *override_url;	/* or azure's, of the connection string */
	enum addressing addressing;
	bool has_addressing;
	char *access_key_id;
	char *access_key;	/* secret: wiped on release, never printed */
};

struct settings_bucket {
	char *name;
	char *dataset_path;	/* as written */
	struct uri location;	/* valid when problem is NULL or not about it */
	bool has_location;
	enum bucket_mode mode;
	char *mode_text;	/* as written, default "read-write" */
	char *region;		/* as written, default "us-east-1" */
	bool region_given;
	char *description;	/* default "" */
	struct settings_cred *cred;	/* NULL: default_credential null */
	char *problem;		/* NULL: usable; else the whole sentence, of
				   all that is wrong with it */

	/* from datasetfs.buckets.NAME */
	char *catalog;		/* a URI, or NULL: below dataset_path */
	struct uri catalog_location;
	bool has_catalog;
	uid_t uid;		/* (uid_t)-1: not given */
	gid_t gid;
	int access;		/* permission bits of the bucket, -1: not given */
	struct uri *foreign;	/* prefixes that entries may lie below */
	size_t n_foreign;
	bool requester_pays;	/* the next four: s3 only */
	bool dualstack;
	char *expected_owner;	/* NULL: not given */
	char *sse_kms_key;
	unsigned line, column;	/* where the bucket stands in the file */
};

/* One effective value, for people; a secret's value is SETTINGS_MASK. */
struct settings_value {
	char *name;	/* "dataset.buckets.archive.mode" */
	char *value;
	char *origin;	/* "FILE:LINE", "secret NAME (PATH)",
			   "environment XDG_CACHE_HOME", "default" */
};
#define SETTINGS_MASK "**********"	/* as OSMO masks */

#define SETTINGS_CACHE_SIZE_MIN ((uint64_t)1 << 20)	/* less lacks a unit */
#define SETTINGS_CACHE_SIZE_MIN_TEXT "1MiB"

/* What was read, or looked for: for who watches whether it changes. */
struct settings_source {
	char *path;
	bool is_dir;			/* whatever is in it */
	struct file_stamp stamp;	/* taken before it was read */
};

struct settings {
	char *path;			/* of the file */
	uint8_t file_digest[SHA256_SIZE];	/* of its bytes */
	uint8_t digest[SHA256_SIZE];	/* of all that was read, with secrets:
					   to compare, never to show */
	struct settings_source *sources;	/* the file first */
	size_t n_sources, cap_sources;
	struct settings_bucket *buckets;	/* sorted by name */
	size_t n_buckets;
	char *default_bucket;		/* NULL: none, or it names no bucket */
	char *default_bucket_text;	/* as written, NULL: not given */
	char *cache_dir;
	uint64_t cache_size;		/* bytes; 0: the default rule */
	uint64_t cache_free;		/* bytes to keep free, or ... */
	unsigned cache_free_percent;	/* ... percent (default 5) */
	uint64_t memory;		/* bytes; 0: the default */
	char *secrets_dir;		/* default /etc/osmo/secrets */
	char *ca_file;			/* certificates, checked; NULL: those
					   of the environment or the system */
	struct settings_value *values;	/* in the order of the file */
	size_t n_values, cap_values;
};

enum settings_severity {
	SETTINGS_WARNING,	/* worth knowing; everything is used */
	SETTINGS_PROBLEM,	/* the bucket is unusable, or the value is not
				   taken; the rest goes on */
	SETTINGS_FATAL,		/* the file as a whole is refused */
};
/* One thing that is wrong, for people: position, path, expected, remedy. */
struct settings_problem {
	enum settings_severity severity;
	unsigned line, column;
	char *path;		/* "dataset.buckets.archive.dataset_path"; "" */
	char *text;		/* what is wrong, what was expected, what to write */
	char *bucket;		/* whose; NULL: the file's or our section's */
};
struct settings_report {
	struct settings_problem *problems;	/* by position in the file */
	size_t n_problems;
	size_t n_errors;	/* above SETTINGS_WARNING */
	size_t n_hidden;	/* that came after SETTINGS_PROBLEMS_MAX; at
				   least as many, as none is looked for then */
	bool fatal;		/* the file as a whole is refused */
};
#define SETTINGS_PROBLEMS_MAX 1000u	/* nobody reads more of them */
#define SETTINGS_REPORT_INIT { .problems = NULL }
void settings_report_release(struct settings_report *report);
/*
 * "FILE:LINE:COLUMN: PATH: TEXT" lines, all of them, appended; a warning's
 * TEXT begins with "warning: ".
 */
void settings_report_print(const struct settings_report *report,
			   const char *file, struct buf *out);

/*
 * Loads and checks everything at once; every problem goes to report, whatever
 * the result.  0, or -EINVAL (ERR_USAGE) when report->fatal, -ENOENT
 * (ERR_MISSING) without the file.
 */
int settings_load(struct settings **out, const char *path,
		  struct settings_report *report, struct err *err) MUST_CHECK;

/* The same from memory (fuzzing, tests); path is for messages only. */
int settings_parse(struct settings **out, const char *path, const void *text,
		   size_t len, struct settings_report *report, struct err *err)
	MUST_CHECK;

/*
 * What differs between two configurations and cannot be changed under a mount,
 * appended to out as "cache.dir, memory".
 */
void settings_next_mount(const struct settings *now,
			 const struct settings *next, struct buf *out);

void settings_free(struct settings *settings);
static inline void settings_cleanup_(struct settings **s)
{
	if (*s)
		settings_free(*s);
}
#define cleanup_settings __attribute__((cleanup(settings_cleanup_)))

const struct settings_bucket *settings_bucket(const struct settings *settings,
					      const char *name);

/*
 * The buckets as they stand in the file, n_buckets of them; NULL without
 * memory.  The caller frees the array, not what it points to.
 */
const struct settings_bucket **
settings_buckets_in_file_order(const struct settings *settings);

/*
 * How much may be cached on a file system of total bytes, and how much of it
 * stays free.
 */
void settings_cache_limits(const struct settings *settings, uint64_t total,
			   uint64_t *size, uint64_t *kept_free);

/*
 * The dataset configuration as OSMO's own "config show DATASET" writes it: the
 * order of the file, OSMO's order of keys, secrets as ten asterisks.  Values
 * stand as written, also those of a bucket that cannot be used.
 */
void settings_dump_osmo(const struct settings *settings, struct buf *out);

/* "NAME  VALUE" lines, of all that holds; origin: "  # FILE:LINE" behind. */
void settings_dump_effective(const struct settings *settings, bool origin,
			     struct buf *out);

/*
 * The file to load: given (may be NULL), else $DATASETFS_CONFIG,
 * /etc/datasetfs/config.yaml, /etc/osmo/configs/config.yaml.  NULL where none
 * exists; the caller frees.  ERR_MISSING text lists where it looked.
 */
char *settings_find(const char *given, struct err *err) MUST_CHECK;

/*
 * The credential of OSMO's own client file ($OSMO_CONFIG_FILE_DIR, then
 * $XDG_CONFIG_HOME/osmo, then ~/.config/osmo; config.yaml, auth.data.PROFILE)
 * for exactly that profile.  *out is NULL where there is none.
 */
int settings_client_cred(struct settings_cred **out, const char *profile,
			 struct err *err) MUST_CHECK;
struct settings_cred *settings_cred_get_ref(const struct settings_cred *cred);
void settings_cred_free(struct settings_cred *cred);
/*
 * The same key for the same place; where they come from does not count.  What
 * is not compared here is not rotated in a running mount.
 */
bool settings_cred_equal(const struct settings_cred *a,
			 const struct settings_cred *b);

/*
 * "500GiB", "10 GB", "1.5Ti", "1024": bytes; 0 or -EINVAL.  K M G T P E (with
 * or without B) are powers of 1000, Ki Mi Gi Ti Pi Ei of 1024, as Kubernetes
 * has them; case does not count.
 */
int settings_parse_size(const char *text, uint64_t *bytes);

#endif
