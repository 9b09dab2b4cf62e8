/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts that read a configuration share while they do: where problems
 * and effective values go, and whose they are.  One thread; lives as long as
 * one settings_parse().
 */
#ifndef DATASETFS_CONFIG_SETTINGS_CONTEXT_H
#define DATASETFS_CONFIG_SETTINGS_CONTEXT_H

#include "fs/config/settings.h"
#include "fs/config/yaml_node.h"

/* A value's path, built on the stack while walking down. */
struct field_path {
	const struct field_path *up;	/* NULL: the top */
	const char *key;
};

struct settings_context {
	struct settings *settings;
	struct settings_report *report;
	char *dir;			/* of the file: relative paths */
	const char *secrets_dir;
	const struct yaml_node *secret_refs;	/* Helm shape only, else NULL */
	struct settings_bucket *bucket;	/* whose the problems are, or NULL */
	bool in_credential;		/* keys may be misread secrets */
	struct digest *digest;		/* of what was read; NULL: nobody asks */
	bool no_memory;			/* sticky; checked once at the end */
};

void field_path_print(const struct field_path *path, struct buf *out);

/*
 * Reports; a SETTINGS_PROBLEM while context->bucket is set makes that bucket
 * unusable.  fmt must not bring a secret.
 */
void settings_context_problem(struct settings_context *context,
			      enum settings_severity severity,
			      struct yaml_position at,
			      const struct field_path *path, const char *fmt,
			      ...) PRINTF_LIKE(5, 6);

/*
 * Whether another problem here would change nothing: neither is it told, nor
 * does it close a bucket that is open.
 */
bool settings_context_is_full(const struct settings_context *context);

/* An effective value; node NULL or of the file gives FILE:LINE. */
void settings_context_value(struct settings_context *context,
			    const struct field_path *path, const char *value,
			    const struct yaml_node *node);
/* The same with an origin in words: "default". */
void settings_context_value_from(struct settings_context *context,
				 const struct field_path *path,
				 const char *value, const char *origin);

/*
 * Notes a file or folder that will be read now, found or not: its stamp is
 * taken.  What was read of it goes to settings_context_was_read().
 */
void settings_context_source(struct settings_context *context,
			     const char *path, bool is_dir);
void settings_context_was_read(struct settings_context *context,
			       const void *bytes, size_t len);

/* Frees them; the client's file is read into settings with nothing else. */
void settings_values_release(struct settings *settings);

/* strdup() whose failure is sticky in the context. */
char *settings_context_strdup(struct settings_context *context, const char *s);

/* path, below the configuration file's directory where it is relative. */
char *settings_context_absolute(struct settings_context *context,
				const char *path);

/*
 * node's text where it is a scalar that is not null, holds no NUL and is no
 * mask; else NULL, reported, with expected ("a storage URI such as ...").
 */
const char *settings_context_text(struct settings_context *context,
				  const struct yaml_node *node,
				  const struct field_path *path,
				  const char *expected);

/*
 * Reports every key of map that is not in known (with the nearest one that
 * is), and every key that stands there twice.
 */
void settings_context_check_keys(struct settings_context *context,
				 const struct yaml_node *map,
				 const struct field_path *path,
				 const char *const *known, size_t n_known);

/* The second half of it: a second value of a key would silently not hold. */
void settings_context_check_twice(struct settings_context *context,
				  const struct yaml_node *map,
				  const struct field_path *path);

/* " (did you mean NAME?)" where one is near, else "". */
void settings_context_hint(const char *word, const char *const *known,
			   size_t n_known, struct buf *out);

/* The same for the names of the buckets. */
void settings_context_hint_bucket(struct settings_context *context,
				  const char *word, struct buf *out);

/*
 * "'text'" for a message, cut and escaped; "the value" where node came from a
 * secret.
 */
void settings_context_quote(const struct yaml_node *node, struct buf *out);

/* Text made of asterisks only: what OSMO prints in place of a secret. */
bool settings_is_mask(const char *text);
#define SETTINGS_MASK_TEXT                                                     \
	"this is the mask (asterisks) that OSMO prints in place of a secret, " \
	"copied from \"osmo config show\" or an exported Helm file, not the "  \
	"secret itself: write the real value, or name a Kubernetes Secret "    \
	"with secretName"

/* It becomes a part of host names. */
bool settings_region_is_valid(const char *region);
#define SETTINGS_REGION_EXPECTED                                               \
	"a region such as us-east-1 (a-z, 0-9 and \"-\"), or leave the key out"

/* All of it, from the document's top; see settings.c. */
void settings_read_root(struct settings_context *context,
			struct yaml_node *root);

/* Fills a bucket from its node; see settings_bucket.c. */
void settings_bucket_read(struct settings_context *context,
			  struct settings_bucket *bucket,
			  struct yaml_node *node,
			  const struct field_path *path);
void settings_bucket_release(struct settings_bucket *bucket);
/* datasetfs.buckets.NAME. */
void settings_bucket_read_own(struct settings_context *context,
			      struct settings_bucket *bucket,
			      const struct yaml_node *node,
			      const struct field_path *path);

/* Of the same section: what is S3's own. */
void settings_s3_read(struct settings_context *context,
		      struct settings_bucket *bucket,
		      const struct yaml_node *node,
		      const struct field_path *path);

/*
 * A credential's mapping, secrets resolved; NULL with the reason reported.
 * bucket NULL: an entry of OSMO's client file.
 */
struct settings_cred *settings_cred_read(struct settings_context *context,
					 const struct yaml_node *node,
					 const struct field_path *path,
					 const struct settings_bucket *bucket);

/* How a credential writes its addressing_style. */
#define SETTINGS_ADDRESSINGS (ADDRESSING_PATH + 1)
extern const char *const settings_addressing_names[SETTINGS_ADDRESSINGS];

/*
 * The datasetfs: section, node NULL where there is none, in two steps: its
 * secrets_dir is needed before the buckets, and its buckets after them.
 */
void settings_own_secrets_dir(struct settings_context *context,
			      const struct yaml_node *node);
void settings_own_read(struct settings_context *context,
		       const struct yaml_node *node);

#endif
